//! The bucket property `access`: what it takes away nobody can do, not the owner, and not by a side way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    form::Form,
    multipart::Upload,
    process::wait_for,
    properties::{get, set},
    raw::{Connection, Response},
    request::Request,
    rest::User,
    store::{Store, follow, location},
};
use serde_json::json;

const BUCKET: &str = "guarded";
/// Where copies come from and go to.
const OTHER: &str = "open";
const COPY_SOURCE: &str = "x-amz-copy-source";

fn store(arguments: &[&str]) -> Store {
    let store = Store::start_with(arguments);
    for bucket in [BUCKET, OTHER] {
        store.make_bucket(bucket);
        let put = Request::object("PUT", bucket, "kept").body("what is kept");
        store.send_following(put).expect_status(200);
    }
    store
}

fn object(method: &str) -> Request {
    Request::object(method, BUCKET, "kept")
}

fn tagging(method: &str) -> Request {
    object(method).subresource("tagging")
}

/// Requests for the objects of the bucket, and what of `access` each needs. None does harm where it is allowed.
fn requests(upload: &Upload<'_>) -> Vec<(&'static str, Request)> {
    let bucket = |method| Request::bucket(method, BUCKET);
    let tags = "<Tagging><TagSet/></Tagging>";
    let delete = "<Delete><Object><Key>missing</Key></Object></Delete>";
    let from_guarded = format!("/{BUCKET}/kept");
    let from_open = format!("/{OTHER}/kept");
    vec![
        ("read", object("GET")),
        ("read", object("GET").header("Range", "bytes=1-2")),
        ("read", object("GET").query("versionId", "null")),
        ("read", object("GET").query("partNumber", "1")),
        ("read", object("HEAD")),
        ("read", object("HEAD").query("versionId", "null")),
        ("read", object("GET").subresource("acl")),
        ("read", tagging("GET")),
        (
            "read",
            object("GET")
                .subresource("attributes")
                .header("x-amz-object-attributes", "ETag"),
        ),
        ("read", upload.request("GET")),
        (
            "read",
            Request::object("PUT", OTHER, "copy").header(COPY_SOURCE, from_guarded.as_str()),
        ),
        (
            "read",
            Request::object("PUT", OTHER, "copy").header(COPY_SOURCE, format!("{from_guarded}?versionId=null")),
        ),
        ("write", Request::object("PUT", BUCKET, "new").body("new")),
        (
            "write",
            Request::object("PUT", BUCKET, "new").header(COPY_SOURCE, from_open.as_str()),
        ),
        ("write", tagging("PUT").body(tags)),
        ("write", tagging("DELETE")),
        ("write", Request::object("POST", BUCKET, "parts").subresource("uploads")),
        ("write", upload.part_request(1).body("part")),
        ("write", upload.part_request(2).header(COPY_SOURCE, from_open.as_str())),
        ("delete", Request::object("DELETE", BUCKET, "missing")),
        (
            "delete",
            Request::object("DELETE", BUCKET, "missing").query("versionId", "null"),
        ),
        (
            "delete",
            bucket("POST").subresource("delete").body(delete).content_md5(),
        ),
        ("list", bucket("GET")),
        ("list", bucket("GET").query("list-type", "2")),
        ("list", bucket("GET").subresource("versions")),
        ("list", bucket("GET").subresource("uploads")),
    ]
}

#[track_caller]
fn is_refused(answer: Response, request: &Request) {
    if request.method == "HEAD" {
        answer.expect_status(403);
        return;
    }
    let answer = answer.expect_error(403, "AccessDenied");
    let text = answer.text().replace("&quot;", "\"");
    assert!(text.contains("property \"access\""), "{request:?}: {text}");
}

#[test]
fn every_operation_needs_its_permission_by_default() {
    every_operation_needs_its_permission(&[]);
}

#[test]
fn every_operation_needs_its_permission_redirected() {
    every_operation_needs_its_permission(&["--route", "redirect"]);
}

#[test]
fn every_operation_needs_its_permission_proxied() {
    every_operation_needs_its_permission(&["--route", "proxy"]);
}

#[test]
fn every_operation_needs_its_permission_of_anybody() {
    every_operation_needs_its_permission(&["--anonymous"]);
}

fn every_operation_needs_its_permission(arguments: &[&str]) {
    const ALL: [&str; 4] = ["read", "write", "delete", "list"];
    let store = store(arguments);
    let upload = Upload::begin(&store, BUCKET, "upload");
    for missing in ALL {
        let others: Vec<&str> = ALL.into_iter().filter(|permission| *permission != missing).collect();
        set(&store, BUCKET, "access", &others.join(","));
        for (needed, request) in requests(&upload) {
            let answer = store.send_following(request.clone());
            match needed == missing {
                true => is_refused(answer, &request),
                false => assert!(answer.status < 300, "without {missing}: {request:?}: {}", answer.text()),
            }
        }
    }
    set(&store, BUCKET, "access", "none");
    for (_, request) in requests(&upload) {
        is_refused(store.send_following(request.clone()), &request);
    }
    for method in ["POST", "DELETE"] {
        is_refused(store.send(upload.request(method)), &upload.request(method));
    }
    // The bucket itself, and what is configured of it, is another matter.
    store.send(Request::bucket("HEAD", BUCKET)).expect_status(200);
    let versioning = Request::bucket("GET", BUCKET).subresource("versioning");
    store.send(versioning).expect_status(200);
    store.send(Request::new("GET", "/s3/")).expect_status(200);
    assert_eq!(get(&store, BUCKET, "access"), "none");
    set(&store, BUCKET, "access", "rw");
    assert_eq!(store.send_following(object("GET")).body, b"what is kept");
}

#[test]
fn parts_copied_are_read() {
    let store = store(&[]);
    let upload = Upload::begin(&store, OTHER, "copied");
    let part = upload.part_request(1).header(COPY_SOURCE, format!("/{BUCKET}/kept"));
    set(&store, BUCKET, "access", "write,delete,list");
    is_refused(store.send(part.clone()), &part);
    set(&store, BUCKET, "access", "read");
    store.send(part).expect_status(200);
}

#[test]
fn forms_presigned_urls_and_web_sites() {
    let store = store(&["--website-port", "0"]);
    let site = "<WebsiteConfiguration><IndexDocument><Suffix>kept</Suffix></IndexDocument></WebsiteConfiguration>";
    let configure = Request::bucket("PUT", BUCKET).subresource("website").body(site);
    store.send(configure).expect_status(200);
    let visit = || {
        let mut connection = store.connect_to(store.website_port());
        let host = format!("{BUCKET}.localhost:{}", store.website_port());
        connection.send(&Request::new("GET", "/").header("Host", host).to_bytes());
        connection.receive("GET")
    };
    let form = || {
        let form = Form::new("formed", "by a form").sign(&store.signer(), BUCKET, "");
        store.send_as_is(&store.addressed(form.request(BUCKET)))
    };
    let root = User::root(&store);
    let presigned = root.presign(object("GET"));
    assert_eq!(visit().expect_status(200).body, b"what is kept");
    form().expect_status(204);
    store.send_as_is(&presigned).expect_status(200);
    set(&store, BUCKET, "access", "delete,list");
    let page = visit().expect_status(403).text();
    assert!(page.contains("access"), "{page}");
    is_refused(form(), &Request::bucket("POST", BUCKET));
    is_refused(store.send_as_is(&presigned), &presigned);
    set(&store, BUCKET, "access", "ro");
    visit().expect_status(200);
    store.send_as_is(&presigned).expect_status(200);
    is_refused(form(), &Request::bucket("POST", BUCKET));
}

fn exchange(connection: &mut Connection, request: &Request) -> Response {
    connection.send(&request.to_bytes());
    connection.receive(&request.method)
}

/// Connections with leases, one for each core at least: the next request on each is refused once the change is answered.
#[test]
fn a_lease_does_not_outlive_a_change() {
    let store = store(&[]);
    let mut connections: Vec<Connection> = (0..8).map(|_| store.connect()).collect();
    let keys: Vec<String> = (0..8).map(|number| format!("leased/{number}")).collect();
    for round in 0..3 {
        for (connection, key) in connections.iter_mut().zip(&keys) {
            let put = store.signed(Request::object("PUT", BUCKET, key).body("leased"));
            exchange(connection, &put).expect_status(200);
            let get = store.signed(Request::object("GET", BUCKET, key));
            exchange(connection, &get).expect_status(200);
        }
        set(&store, BUCKET, "access", "ro");
        for (connection, key) in connections.iter_mut().zip(&keys) {
            let put = store.signed(Request::object("PUT", BUCKET, key).body("refused"));
            is_refused(exchange(connection, &put), &put);
            let delete = store.signed(Request::object("DELETE", BUCKET, key));
            is_refused(exchange(connection, &delete), &delete);
            let get = store.signed(Request::object("GET", BUCKET, key));
            assert_eq!(exchange(connection, &get).expect_status(200).body, b"leased", "{round}");
        }
        set(&store, BUCKET, "access", "none");
        for (connection, key) in connections.iter_mut().zip(&keys) {
            let get = store.signed(Request::object("GET", BUCKET, key));
            is_refused(exchange(connection, &get), &get);
        }
        set(&store, BUCKET, "access", "rw");
    }
}

/// What a client was redirected with is worth what the bucket allows when it arrives.
#[test]
fn a_ticket_does_not_outlive_a_change() {
    let store = store(&["--route", "redirect"]);
    let target = |request: &Request| {
        let url = location(&store, request.clone());
        let rest = url.strip_prefix("http://127.0.0.1:").unwrap().to_owned();
        let (port, path) = rest.split_once('/').unwrap();
        (port.parse::<u16>().unwrap(), format!("/{path}"))
    };
    let read = object("GET");
    let write = Request::object("PUT", BUCKET, "ticketed").body("ticketed");
    let (read_at, write_at) = (target(&read), target(&write));
    let follow_to =
        |request: &Request, (port, path): &(u16, String)| follow(&store.signed(request.clone()), *port, path);
    follow_to(&read, &read_at).expect_status(200);
    set(&store, BUCKET, "access", "ro");
    follow_to(&read, &read_at).expect_status(200);
    is_refused(follow_to(&write, &write_at), &write);
    set(&store, BUCKET, "access", "write");
    is_refused(follow_to(&read, &read_at), &read);
    follow_to(&write, &write_at).expect_status(200);
    set(&store, BUCKET, "access", "rw");
    follow_to(&read, &read_at).expect_status(200);
}

/// Rules that an operator has set go on.
#[test]
fn lifecycle_is_not_bound() {
    let store = store(&["--lifecycle-day-seconds", "2"]);
    let rule = "<LifecycleConfiguration><Rule><ID>all</ID><Filter/><Status>Enabled</Status>\
        <Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>";
    let configure = Request::bucket("PUT", BUCKET).subresource("lifecycle").body(rule);
    store.send(configure).expect_status(200);
    set(&store, BUCKET, "access", "ro");
    wait_for("what has expired to go", || store.keys(BUCKET).is_empty().then_some(()));
}

#[test]
fn it_survives_a_restart_and_does_not_keep_an_empty_bucket() {
    let mut store = store(&[]);
    store.make_bucket("empty");
    set(&store, "empty", "access", "none");
    set(&store, BUCKET, "access", "list, read");
    assert_eq!(get(&store, BUCKET, "access"), "ro");
    store.restart();
    assert_eq!(get(&store, BUCKET, "access"), "ro");
    let put = Request::object("PUT", BUCKET, "new").body("new");
    is_refused(store.send(put.clone()), &put);
    store.send(Request::bucket("DELETE", "empty")).expect_status(204);
    let full = Request::bucket("DELETE", BUCKET);
    store.send(full).expect_error(409, "BucketNotEmpty");
    let wrong = json!({ "properties": { "access": "execute", "checksum.type": "sha512" } });
    let refused = User::root(&store).call("PATCH", &format!("/v1/buckets/{BUCKET}"), &wrong);
    assert!(
        refused
            .refused(400, "InvalidArgument")
            .contains("read, write, delete, list")
    );
    assert_eq!(get(&store, BUCKET, "checksum.type"), "md5");
}
