//! `/v1/objects/{bucket}/{key}`: object data in the native API, by every way to the cores, and nothing but that.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    metrics,
    raw::{Connection, Response},
    request::{Request, encode_path},
    rest::{Reply, User},
    store::{Store, location},
    tickets::parts,
};

const BUCKET: &str = "data";
/// Enough for every core to own some.
const KEYS: usize = 12;

fn native(method: &str, key: &str) -> Request {
    Request::new(method, format!("/v1/objects/{BUCKET}/{}", encode_path(key)))
}

fn exchange(connection: &mut Connection, request: &Request) -> Response {
    connection.send(&request.to_bytes());
    connection.receive(&request.method)
}

/// Everything there is, and that S3 sees the same.
fn round_trip(store: &Store) {
    store.make_bucket(BUCKET);
    for number in 0..KEYS {
        let key = format!("dir/{number} %2F ü");
        let body = vec![u8::try_from(number).unwrap(); 1000 + 90_000 * number];
        let put = native("PUT", &key)
            .header("x-amz-meta-number", number.to_string())
            .body(body.clone());
        let etag = store
            .send_following(put)
            .expect_status(200)
            .header("etag")
            .unwrap()
            .to_owned();
        let got = store.send_following(native("GET", &key)).expect_status(200);
        assert!(got.body == body);
        assert_eq!(got.header("etag"), Some(etag.as_str()));
        assert_eq!(got.header("x-amz-meta-number"), Some(number.to_string().as_str()));
        let range = store
            .send_following(native("GET", &key).header("Range", "bytes=10-19"))
            .expect_status(206);
        assert_eq!(range.body, body[10..20]);
        let head = store.send_following(native("HEAD", &key)).expect_status(200);
        assert_eq!(head.header("content-length"), Some(body.len().to_string().as_str()));
        let not_modified = native("GET", &key).header("If-None-Match", etag.clone());
        store.send_following(not_modified).expect_status(304);
        let through_s3 = store
            .send_following(Request::object("GET", BUCKET, &key))
            .expect_status(200);
        assert!(through_s3.body == body);
    }
    let source = format!("/{BUCKET}/{}", encode_path("dir/3 %2F ü"));
    let copy = native("PUT", "copy").header("x-amz-copy-source", source);
    store.send_following(copy).expect_status(200);
    let copied = store.send_following(native("GET", "copy")).expect_status(200);
    assert_eq!(copied.body.len(), 1000 + 90_000 * 3);
    store.send_following(native("DELETE", "copy")).expect_status(204);
    store
        .send_following(native("GET", "copy"))
        .expect_error(404, "NoSuchKey");
    store.send_following(native("DELETE", "copy")).expect_status(204);
}

#[test]
fn data_passes_by_every_way() {
    for arguments in [
        &[][..],
        &["--route", "redirect"],
        &["--route", "proxy"],
        &["--no-handoff"],
        &["--tls"],
    ] {
        round_trip(&Store::start_with(arguments));
    }
}

#[test]
fn a_redirect_keeps_the_path_and_its_ticket_fits_no_other() {
    let store = Store::start_with(&["--route", "redirect"]);
    store.make_bucket(BUCKET);
    store.send_following(native("PUT", "key").body("x")).expect_status(200);
    store
        .send_following(native("PUT", "other").body("y"))
        .expect_status(200);
    let (port, target) = parts(&location(&store, native("GET", "key")));
    assert!(target.starts_with("/v1/objects/data/key?"), "{target}");
    let direct = |target: &str| corelane_tests::store::direct(port, "GET", target, "");
    assert_eq!(direct(&target).expect_status(200).body, b"x");
    direct(&target.replace("/data/key", "/data/other")).expect_error(403, "AccessDenied");
    direct(&target.replace("/data/key", "/else/key")).expect_error(403, "AccessDenied");
    direct(&target.replace("/v1/objects/data/key", "/v1/objects/key")).expect_error(403, "AccessDenied");
}

#[test]
fn a_connection_that_was_passed_is_served_under_its_lease() {
    let store = Store::start();
    store.make_bucket(BUCKET);
    let mut connection = store.connect();
    for round in 0..3 {
        for number in 0..KEYS {
            let key = format!("key/{number}");
            let body = format!("{number} of {round}");
            let put = store.signed(native("PUT", &key).body(body.as_str()));
            exchange(&mut connection, &put).expect_status(200);
            let got = exchange(&mut connection, &store.signed(native("GET", &key)));
            assert_eq!(got.expect_status(200).text(), body);
            // The same bucket and lease, by S3's path.
            let got = exchange(&mut connection, &store.signed(Request::object("GET", BUCKET, &key)));
            assert_eq!(got.expect_status(200).text(), body);
        }
    }
    let text = store.send(Request::new("GET", "/v1/metrics")).expect_status(200).text();
    let leased = metrics::sum(&text, "corelane_core_leased_requests_total", &[]);
    assert!(leased >= 2 * KEYS as u64, "{leased}");
}

#[test]
fn a_core_sends_what_it_cannot_verify_to_the_gateway() {
    let store = Store::start_with(&["--no-handoff"]);
    store.make_bucket(BUCKET);
    store.put(BUCKET, "key", "x");
    for port in store.core_ports() {
        let mut connection = store.connect_to(*port);
        let got = exchange(&mut connection, &store.signed(native("GET", "key")));
        assert_eq!(got.expect_status(200).body, b"x");
        let mut connection = store.connect_to(*port);
        let unsigned = store.addressed(native("GET", "key"));
        exchange(&mut connection, &unsigned).expect_error(403, "AccessDenied");
        // The rest of the native API is there, too.
        let mut connection = store.connect_to(*port);
        let buckets = exchange(&mut connection, &store.signed(Request::new("GET", "/v1/buckets")));
        assert_eq!(Reply::read(buckets).expect(200)["buckets"][0]["name"], BUCKET);
    }
}

/// What S3 has for objects, and is not here.
fn elsewhere() -> Vec<Request> {
    let copy = |request: Request| request.header("x-amz-copy-source", format!("/{BUCKET}/key"));
    vec![
        native("POST", "key").subresource("uploads"),
        native("GET", "key").query("uploadId", "0000000000000001"),
        native("PUT", "key")
            .query("uploadId", "0000000000000001")
            .query("partNumber", "1")
            .body("x"),
        copy(
            native("PUT", "key")
                .query("uploadId", "0000000000000001")
                .query("partNumber", "1"),
        ),
        native("DELETE", "key").query("uploadId", "0000000000000001"),
        native("GET", "key").subresource("tagging"),
        native("PUT", "key")
            .subresource("tagging")
            .body("<Tagging><TagSet></TagSet></Tagging>"),
        native("DELETE", "key").subresource("tagging"),
        native("GET", "key")
            .subresource("attributes")
            .header("x-amz-object-attributes", "ETag"),
        native("GET", "key").subresource("acl"),
        native("GET", "key").subresource("torrent"),
    ]
}

#[test]
fn nothing_else_of_s3_is_there() {
    let store = Store::start();
    store.make_bucket(BUCKET);
    store.put(BUCKET, "key", "x");
    let is_refused = |answer: Response, request: &Request| {
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (501, "NotImplemented"),
            "{request:?}"
        );
    };
    for request in elsewhere() {
        is_refused(store.send(request.clone()), &request);
        // On a connection with a lease, which covers it but for the path.
        let mut connection = store.connect();
        exchange(&mut connection, &store.signed(native("GET", "key"))).expect_status(200);
        is_refused(exchange(&mut connection, &store.signed(request.clone())), &request);
    }
    assert_eq!(store.get(BUCKET, "key").expect_status(200).body, b"x");
    store
        .send(native("POST", "key").body("x"))
        .expect_error(405, "MethodNotAllowed");

    // Buckets and listings are elsewhere in the native API, and its errors are JSON.
    let root = User::root(&store);
    for path in [
        "/v1/objects",
        "/v1/objects/",
        "/v1/objects/data",
        "/v1/objects/data/",
        "/v1/objects//key",
    ] {
        for method in ["GET", "PUT", "DELETE", "POST"] {
            let message = root.ask(Request::new(method, path)).refused(404, "NotFound");
            assert!(message.contains("/v1/objects/{bucket}/{key}"), "{message}");
        }
    }
    assert_eq!(store.keys(BUCKET), ["key"]);
    store
        .send(Request::new("GET", "/v1/objects/No_Bucket/key"))
        .expect_error(400, "InvalidBucketName");
    store
        .send(Request::new("GET", "/v1/objects/nowhere/key"))
        .expect_error(404, "NoSuchBucket");
    store
        .send(Request::new("GET", "/v1/objects/data%2Fkey/x"))
        .expect_error(400, "InvalidBucketName");
    store
        .send(Request::new("GET", "/v1/objects/data/%zz"))
        .expect_error(400, "InvalidURI");
}

#[test]
fn data_is_its_owners() {
    let store = Store::start();
    store.make_bucket(BUCKET);
    store.put(BUCKET, "key", "private");
    let alice = User::new(&store, "alice");
    alice.send(Request::bucket("PUT", "alices")).expect_status(200);
    for request in [
        native("GET", "key"),
        native("HEAD", "key"),
        native("PUT", "key").body("changed"),
        native("DELETE", "key"),
        Request::new("PUT", "/v1/objects/alices/stolen").header("x-amz-copy-source", format!("/{BUCKET}/key")),
    ] {
        assert_eq!(alice.send(request.clone()).status, 403, "{request:?}");
        assert_eq!(store.send_as_is(&store.addressed(request)).status, 403);
    }
    let url = alice.presign(native("GET", "key"));
    store.send_as_is(&url).expect_error(403, "AccessDenied");
    // A signature for S3's path of the object is none for this one.
    let mut moved = store.signed(Request::object("GET", BUCKET, "key"));
    moved.path = "/v1/objects/data/key".to_owned();
    store.send_as_is(&moved).expect_error(403, "SignatureDoesNotMatch");
    let mut tampered = store.signed(native("PUT", "key").body("private"));
    tampered.body = b"changed".to_vec();
    assert_ne!(store.send_as_is(&tampered).status, 200);
    assert_eq!(store.get(BUCKET, "key").expect_status(200).body, b"private");
    // An owner of the bucket may, on the same connection that another was refused on.
    let mut connection = store.connect();
    exchange(&mut connection, &alice.sign(native("GET", "key"))).expect_status(403);
    exchange(&mut connection, &store.signed(native("GET", "key"))).expect_status(200);
    exchange(&mut connection, &alice.sign(native("GET", "key"))).expect_status(403);
}

#[test]
fn at_a_bucket_host_it_is_a_key() {
    let store = Store::start();
    store.make_bucket(BUCKET);
    let at_host = |method: &str, path: &str| {
        Request::new(method, path).header("Host", format!("{BUCKET}.localhost:{}", store.port()))
    };
    let send = |request: Request| store.send_as_is(&store.signer().sign(request));
    send(at_host("PUT", "/v1/objects/other/key").body("mine")).expect_status(200);
    send(at_host("PUT", "/v1/buckets").body("too")).expect_status(200);
    assert_eq!(store.keys(BUCKET), ["v1/buckets", "v1/objects/other/key"]);
    assert_eq!(
        send(at_host("GET", "/v1/objects/other/key")).expect_status(200).body,
        b"mine"
    );
    let tags = at_host("GET", "/v1/objects/other/key").subresource("tagging");
    send(tags).expect_status(200);
}
