//! What listings of a bucket without versions tell of a key: how often it was written, and when it was last accessed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    directory::files,
    form::Form,
    multipart::Upload,
    properties::{another_second, set},
    request::Request,
    rest::User,
    store::Store,
};
use std::{collections::BTreeMap, fs};

const BUCKET: &str = "counted";

/// What the native API lists: version, modified and accessed by key.
#[track_caller]
fn listed(store: &Store) -> BTreeMap<String, [String; 3]> {
    let listed = User::root(store).get(&format!("/v1/buckets/{BUCKET}/objects"));
    let listed = listed.expect(200);
    let objects = listed["objects"].as_array().unwrap().iter();
    objects
        .map(|object| {
            let text = |field: &str| object[field].as_str().unwrap().to_owned();
            (text("name"), ["version", "modified", "accessed"].map(text))
        })
        .collect()
}

#[track_caller]
fn versions(store: &Store) -> Vec<(String, String)> {
    let listed = listed(store).into_iter();
    listed.map(|(key, [version, _, _])| (key, version)).collect()
}

fn are(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let expected = expected.iter();
    expected
        .map(|(key, version)| ((*key).to_owned(), (*version).to_owned()))
        .collect()
}

#[test]
fn every_write_counts_and_survives() {
    let mut store = Store::start();
    store.make_bucket(BUCKET);
    for content in ["a", "b", "c"] {
        store.put(BUCKET, "many", content);
    }
    store.put(BUCKET, "one", "one");
    assert_eq!(versions(&store), are(&[("many", "3"), ("one", "1")]));
    // However it is written; and what is no write does not count.
    let copy = Request::object("PUT", BUCKET, "many").header("x-amz-copy-source", format!("/{BUCKET}/one"));
    store.send(copy).expect_status(200);
    let form = Form::new("many", "a form").sign(&store.signer(), BUCKET, "");
    let posted = store.send_as_is(&store.addressed(form.request(BUCKET)));
    posted.expect_status(204);
    let upload = Upload::begin(&store, BUCKET, "many");
    let parts = [upload.part(1, b"parts")];
    assert_eq!(versions(&store), are(&[("many", "5"), ("one", "1")]));
    upload.complete(&parts).expect_status(200);
    let tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
    let tag = Request::object("PUT", BUCKET, "many").subresource("tagging").body(tags);
    store.send(tag).expect_status(200);
    let refused = Request::object("PUT", BUCKET, "many").header("If-None-Match", "*");
    store.send(refused.body("refused")).expect_status(412);
    assert_eq!(versions(&store), are(&[("many", "6"), ("one", "1")]));

    store.kill9();
    store.start_again();
    assert_eq!(versions(&store), are(&[("many", "6"), ("one", "1")]));
    store.put(BUCKET, "one", "two");
    store.restart();
    assert_eq!(versions(&store), are(&[("many", "6"), ("one", "2")]));

    // Without its index, which an older program may have written in another way, the log is counted again.
    store.stop();
    let is_index = |path: &&std::path::PathBuf| path.file_name().is_some_and(|name| name == "index.redb");
    let found = files(&store.data());
    let indexes: Vec<_> = found.iter().map(|(path, _)| path).filter(is_index).collect();
    let (removed, old) = indexes.split_first().unwrap();
    fs::remove_file(removed).unwrap();
    for path in old {
        let mut bytes = fs::read(path).unwrap();
        bytes[..8].copy_from_slice(b"CLINDEX1");
        fs::write(path, bytes).unwrap();
    }
    store.start_again();
    assert_eq!(versions(&store), are(&[("many", "6"), ("one", "2")]));

    // A key that was deleted begins anew.
    store.send(Request::object("DELETE", BUCKET, "many")).expect_status(204);
    store.put(BUCKET, "many", "again");
    assert_eq!(versions(&store), are(&[("many", "1"), ("one", "2")]));
}

#[test]
fn accesses_are_told_whatever_last_modified_shows() {
    let mut store = Store::start();
    store.make_bucket(BUCKET);
    store.put(BUCKET, "read", "content");
    store.put(BUCKET, "unread", "content");
    for [_, modified, accessed] in listed(&store).values() {
        assert_eq!(modified, accessed);
    }
    for last_modified in ["mtime", "atime"] {
        set(&store, BUCKET, "last_modified", last_modified);
        let before = listed(&store);
        // The second one is over for the core's own clock as well.
        another_second();
        another_second();
        store.get(BUCKET, "read").expect_status(200);
        let after = listed(&store);
        assert_eq!(before["unread"], after["unread"]);
        assert_eq!(before["read"][1], after["read"][1]);
        assert!(before["read"][2] < after["read"][2]);
        store.restart();
        assert_eq!(listed(&store), after);
    }
}
