//! The bucket property `last_modified`: with `atime` LastModified is the last access, which PUT and GET set, and HEAD and
//! listings do not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    command::Clients,
    properties::{another_second, set},
    request::Request,
    sign::now_unix_s,
    store::Store,
    xml,
};
use proto::http::date;

const BUCKET: &str = "dated";
const KEY: &str = "dir/key";

fn store(arguments: &[&str]) -> Store {
    let store = Store::start_with(arguments);
    store.make_bucket(BUCKET);
    set(&store, BUCKET, "last_modified", "atime");
    store
}

fn object(method: &str) -> Request {
    Request::object(method, BUCKET, KEY)
}

fn put(store: &Store) {
    let put = object("PUT").body("content");
    store.send_following(put).expect_status(200);
}

/// Seconds since the epoch, of a date in a header.
#[track_caller]
fn dated(store: &Store, request: Request) -> u64 {
    let answer = store.send_following(request).expect_status(200);
    date::parse_http(answer.header("last-modified").expect("Last-Modified")).unwrap()
}

/// Seconds since the epoch as HEAD, attributes and all listings tell of the key; they must agree.
#[track_caller]
fn shown(store: &Store) -> u64 {
    let head = dated(store, object("HEAD"));
    let attributes = object("GET")
        .subresource("attributes")
        .header("x-amz-object-attributes", "ETag");
    assert_eq!(dated(store, attributes), head);
    let list = || Request::bucket("GET", BUCKET).query("prefix", KEY);
    let expected = &date::iso8601(head * 1000)[..19];
    for request in [
        list(),
        list().query("list-type", "2"),
        list().subresource("versions").query("max-keys", "1"),
    ] {
        let text = store.send(request).expect_status(200).text();
        let found = xml::text(&text, "LastModified").unwrap();
        assert_eq!(&found[..19], expected, "{text}");
    }
    head
}

#[test]
fn accesses_by_default() {
    accesses(&[]);
}

#[test]
fn accesses_redirected() {
    accesses(&["--route", "redirect"]);
}

#[test]
fn accesses_proxied() {
    accesses(&["--route", "proxy"]);
}

fn accesses(arguments: &[&str]) {
    let mut store = store(arguments);
    let begun = now_unix_s();
    put(&store);
    let written = shown(&store);
    assert!((begun..=now_unix_s()).contains(&written));
    another_second();
    // Looking is no access.
    assert_eq!(shown(&store), written);
    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
    let tag = |store: &Store| {
        let put = object("PUT").subresource("tagging").body(tags);
        store.send(put).expect_status(200);
    };
    tag(&store);
    assert_eq!(shown(&store), written);

    let second = another_second();
    let told = dated(&store, object("GET"));
    assert!(told >= second);
    assert_eq!(shown(&store), told);
    let second = another_second();
    let range = object("GET").header("Range", "bytes=0-1");
    store.send_following(range).expect_status(206);
    let read = shown(&store);
    assert!(read >= second);
    another_second();
    tag(&store);
    assert_eq!(shown(&store), read, "tags are no access, and forget none");

    // Conditions are about the write: it was not modified since, and they do not touch it.
    let since = date::http((written + 1) * 1000);
    let not_modified = object("GET").header("If-Modified-Since", since.as_str());
    store.send_following(not_modified).expect_status(304);
    let unmodified = object("HEAD").header("If-Unmodified-Since", since.as_str());
    store.send_following(unmodified).expect_status(200);
    let before = date::http((written - 1) * 1000);
    let modified = object("HEAD").header("If-Unmodified-Since", before);
    store.send_following(modified).expect_status(412);
    assert_eq!(shown(&store), read);

    // Both times are kept, whatever is shown.
    store.restart();
    assert_eq!(shown(&store), read);
    set(&store, BUCKET, "last_modified", "mtime");
    assert_eq!(shown(&store), written);
    store.send_following(object("GET")).expect_status(200);
    assert_eq!(shown(&store), written);
    set(&store, BUCKET, "last_modified", "atime");
    assert!(shown(&store) > read);

    let second = another_second();
    put(&store);
    assert!(shown(&store) >= second, "a write is an access");
}

/// Each version has its own.
#[test]
fn versions() {
    let mut store = store(&[]);
    store.set_versioning(BUCKET, "Enabled");
    let ids: Vec<String> = (0..2)
        .map(|_| {
            let answer = store.send(object("PUT").body("content")).expect_status(200);
            answer.header("x-amz-version-id").unwrap().to_owned()
        })
        .collect();
    let of = |store: &Store, id: &str| dated(store, object("HEAD").query("versionId", id));
    let newest = of(&store, &ids[1]);
    let second = another_second();
    let old = object("GET").query("versionId", &ids[0]);
    store.send(old).expect_status(200);
    assert_eq!(shown(&store), newest);
    let read = of(&store, &ids[0]);
    assert!(read >= second);
    let second = another_second();
    store.send(object("GET")).expect_status(200);
    store.restart();
    assert!(shown(&store) >= second);
    assert_eq!(of(&store, &ids[0]), read);
}

/// On a connection with a lease as well.
#[test]
fn a_change_reaches_leases() {
    let store = store(&[]);
    set(&store, BUCKET, "last_modified", "mtime");
    put(&store);
    let written = shown(&store);
    let mut connection = store.connect();
    let mut get = || {
        connection.send(&store.signed(object("GET")).to_bytes());
        let answer = connection.receive("GET").expect_status(200);
        date::parse_http(answer.header("last-modified").unwrap()).unwrap()
    };
    let second = another_second();
    assert_eq!((get(), get()), (written, written));
    set(&store, BUCKET, "last_modified", "atime");
    assert!(get() >= second);
    set(&store, BUCKET, "last_modified", "mtime");
    assert_eq!(get(), written);
}

/// s3cmd shows the day and the minute, and never 1970.
#[test]
fn s3cmd_prints_dates() {
    let store = store(&[]);
    let clients = Clients::new(&store);
    put(&store);
    another_second();
    store.send(object("GET")).expect_status(200);
    let shown = date::iso8601(shown(&store) * 1000);
    let (day, time) = shown.split_once('T').unwrap();
    let listed = clients.s3cmd(&["ls", &format!("s3://{BUCKET}/dir/")]).ok();
    listed.says(&format!("{day} {}", &time[..5])).says("s3://dated/dir/key");
    let info = clients.s3cmd(&["info", &format!("s3://{BUCKET}/{KEY}")]).ok();
    info.says("Last mod:").says(&time[..8]);
}
