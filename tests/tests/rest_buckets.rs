//! `/v1/buckets`: buckets with properties, and whose they are.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    process::{signal, wait_for},
    request::Request,
    rest::User,
    store::Store,
    xml,
};
use rustix::process::Signal;
use serde_json::{Value, json};

const NOTHING: Value = Value::Null;

fn names(listed: &Value) -> Vec<&str> {
    let buckets = listed["buckets"].as_array().unwrap();
    buckets.iter().map(|bucket| bucket["name"].as_str().unwrap()).collect()
}

#[test]
fn buckets_are_made_shown_changed_and_removed() {
    let mut store = Store::start();
    {
        let root = User::root(&store);
        let made = root
            .call("POST", "/v1/buckets", &json!({ "name": "photos" }))
            .expect(201);
        assert_eq!(
            made["properties"],
            json!({
                "checksum.type": "xxhash",
                "checksum.validate_warm_get": "true",
                "versioning.enabled": "false",
                "last_modified": "mtime",
                "access": "rw",
            })
        );
        assert_eq!(
            (&made["owner"], &made["versioning"], &made["configured"]),
            (&json!("root"), &json!("Unversioned"), &json!([]))
        );
        assert_eq!(root.get("/v1/buckets/photos").expect(200), made);
        assert_eq!(root.get("/v1/buckets/photos/").expect(200), made);
        assert_eq!(root.get("/v1/buckets").expect(200), json!({ "buckets": [made] }));
        let wanted = json!({ "name": "films", "properties": { "checksum.type": "md5", "versioning.enabled": "true" } });
        let films = root.call("POST", "/v1/buckets", &wanted).expect(201);
        assert_eq!(films["versioning"], "Enabled");
        assert_eq!(names(&root.get("/v1/buckets").expect(200)), ["films", "photos"]);
        // Those made through S3 get what S3's clients expect.
        store.make_bucket("sounds");
        let sounds = root.get("/v1/buckets/sounds").expect(200);
        assert_eq!(sounds["properties"]["checksum.type"], "md5");

        let wanted = json!({ "properties": { "checksum.type": "md5", "versioning.enabled": "true", "access": "rw" } });
        let changed = root.call("PATCH", "/v1/buckets/photos", &wanted).expect(200);
        assert_eq!(
            changed["changed"],
            json!([
                { "name": "checksum.type", "value": "md5", "was": "xxhash" },
                { "name": "versioning.enabled", "value": "true", "was": "false" },
            ])
        );
        assert_eq!(changed["bucket"]["versioning"], "Enabled");
        let state = store
            .send(Request::bucket("GET", "photos").subresource("versioning"))
            .text();
        assert_eq!(xml::text(&state, "Status").as_deref(), Some("Enabled"));
    }
    store.restart();
    let root = User::root(&store);
    let photos = root.get("/v1/buckets/photos").expect(200);
    assert_eq!(photos["properties"]["checksum.type"], "md5");
    let off = json!({ "properties": { "versioning.enabled": "false" } });
    let changed = root.call("PATCH", "/v1/buckets/photos", &off).expect(200);
    assert_eq!(changed["bucket"]["versioning"], "Suspended");
    assert_eq!(root.call("DELETE", "/v1/buckets/photos", &NOTHING).expect(204), NOTHING);
    let message = root.get("/v1/buckets/photos").refused(404, "NoSuchBucket");
    assert!(message.contains("photos"), "{message}");
    store.send(Request::bucket("HEAD", "photos")).expect_status(404);
}

#[test]
fn what_is_configured_through_s3_is_named() {
    let store = Store::start();
    let root = User::root(&store);
    store.make_bucket("full");
    for (name, body) in [
        (
            "cors",
            "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>",
        ),
        (
            "website",
            "<WebsiteConfiguration><IndexDocument><Suffix>i</Suffix></IndexDocument></WebsiteConfiguration>",
        ),
        (
            "tagging",
            "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>",
        ),
    ] {
        let put = Request::bucket("PUT", "full")
            .subresource(name)
            .body(body)
            .content_md5();
        let status = store.send(put).status;
        assert!(status == 200 || status == 204, "{name}: {status}");
    }
    let shown = root.get("/v1/buckets/full").expect(200);
    assert_eq!(shown["configured"], json!(["cors", "website", "tags"]));
}

#[test]
fn a_bucket_that_holds_anything_stays() {
    let store = Store::start();
    let root = User::root(&store);
    store.make_versioned_bucket("kept");
    store.put("kept", "key", "x");
    store.send(Request::object("DELETE", "kept", "key")).expect_status(204);
    // Its versions are there, though no listing of objects shows any.
    assert!(store.keys("kept").is_empty());
    let message = root
        .call("DELETE", "/v1/buckets/kept", &NOTHING)
        .refused(409, "BucketNotEmpty");
    assert!(message.contains("kept") && message.contains("versions"), "{message}");
    root.get("/v1/buckets/kept").expect(200);
}

#[test]
fn refusals_name_what_is_wrong_and_change_nothing() {
    let store = Store::start();
    let root = User::root(&store);
    let post = |body: Value| root.call("POST", "/v1/buckets", &body);
    let before = root
        .call("POST", "/v1/buckets", &json!({ "name": "photos" }))
        .expect(201);

    for (body, word) in [
        (json!({ "name": "films", "color": "red" }), "color"),
        (json!({ "properties": {} }), "name"),
        (json!({ "name": 7 }), "string"),
        (json!({ "name": "films", "properties": { "access": true } }), "string"),
        (json!([]), "not what is asked for"),
    ] {
        let message = post(body.clone()).refused(400, "InvalidRequest");
        assert!(message.contains(word), "{body}: {message}");
    }
    for name in ["ab", "Photos", "a_b", "192.168.1.1", "a..b", "xn--x", "", "a/b"] {
        let message = post(json!({ "name": name })).refused(400, "InvalidBucketName");
        assert!(message.contains("3 to 63"), "{message}");
    }
    for (properties, word) in [
        (json!({ "checksum.type": "md6" }), "xxhash"),
        (json!({ "versioning": "true" }), "versioning.enabled"),
        (json!({ "access": "all" }), "access"),
        (json!({ "checksum.type": "md5", "Checksum.Type": "none" }), "twice"),
    ] {
        let message = post(json!({ "name": "films", "properties": properties })).refused(400, "InvalidArgument");
        assert!(message.contains(word), "{message}");
        // The first is good, and not set either.
        let mut both = properties.as_object().unwrap().clone();
        both.insert("last_modified".to_owned(), json!("atime"));
        let patch = json!({ "properties": both });
        let message = root
            .call("PATCH", "/v1/buckets/photos", &patch)
            .refused(400, "InvalidArgument");
        assert!(message.contains(word), "{message}");
    }
    for body in [json!({}), json!({ "properties": {}, "name": "x" }), NOTHING] {
        root.call("PATCH", "/v1/buckets/photos", &body)
            .refused(400, "InvalidRequest");
    }
    post(json!({ "name": "photos" })).refused(409, "BucketAlreadyOwnedByYou");
    assert_eq!(root.get("/v1/buckets").expect(200), json!({ "buckets": [before] }));

    let unknown = json!({ "properties": {} });
    root.call("PATCH", "/v1/buckets/nowhere", &unknown)
        .refused(404, "NoSuchBucket");
    root.call("DELETE", "/v1/buckets/nowhere", &NOTHING)
        .refused(404, "NoSuchBucket");
    root.get("/v1/buckets/pho%2Ftos").refused(400, "InvalidBucketName");
    root.get("/v1/buckets/%ff").refused(400, "InvalidURI");
    let put = root.call("PUT", "/v1/buckets/photos", &NOTHING);
    assert_eq!(put.response.header("allow"), Some("GET, HEAD, PATCH, DELETE"));
    put.refused(405, "MethodNotAllowed");
    let message = root.get("/v1/buckets?prefix=a").refused(400, "InvalidArgument");
    assert!(message.contains("prefix"), "{message}");
    let large = "x".repeat(70_000);
    post(json!({ "name": large })).refused(400, "MaxMessageLengthExceeded");
}

#[test]
fn a_bucket_is_its_owners_and_roots() {
    let store = Store::start();
    let root = User::root(&store);
    let alice = User::new(&store, "alice");
    let bob = User::new(&store, "bob");
    let hers = alice
        .call("POST", "/v1/buckets", &json!({ "name": "alices" }))
        .expect(201);
    assert_eq!(hers["owner"], "alice");
    root.call("POST", "/v1/buckets", &json!({ "name": "roots" }))
        .expect(201);
    let md5 = json!({ "properties": { "checksum.type": "md5" } });

    for (user, bucket) in [(&bob, "alices"), (&alice, "roots")] {
        let path = format!("/v1/buckets/{bucket}");
        user.get(&path).refused(403, "AccessDenied");
        user.call("PATCH", &path, &md5).refused(403, "AccessDenied");
        user.call("DELETE", &path, &NOTHING).refused(403, "AccessDenied");
        let same = json!({ "name": bucket });
        user.call("POST", "/v1/buckets", &same)
            .refused(409, "BucketAlreadyExists");
    }
    assert_eq!(names(&alice.get("/v1/buckets").expect(200)), ["alices"]);
    assert!(names(&bob.get("/v1/buckets").expect(200)).is_empty());
    assert_eq!(names(&root.get("/v1/buckets").expect(200)), ["alices", "roots"]);
    assert_eq!(root.get("/v1/buckets/alices").expect(200), hers);
    root.call("PATCH", "/v1/buckets/alices", &md5).expect(200);
    alice.call("DELETE", "/v1/buckets/alices", &NOTHING).expect(204);
    root.get("/v1/buckets/roots").expect(200);
}

#[test]
fn nobody_gets_in_by_the_side() {
    let store = Store::start();
    let root = User::root(&store);
    root.call("POST", "/v1/buckets", &json!({ "name": "photos" }))
        .expect(201);
    let calls = [
        ("GET", "/v1/buckets", NOTHING),
        ("POST", "/v1/buckets", json!({ "name": "intruder" })),
        ("GET", "/v1/buckets/photos", NOTHING),
        (
            "PATCH",
            "/v1/buckets/photos",
            json!({ "properties": { "access": "none" } }),
        ),
        ("DELETE", "/v1/buckets/photos", NOTHING),
        ("GET", "/v1/cluster", NOTHING),
        ("GET", "/v1/keys", NOTHING),
    ];
    let plain = |(method, path, body): &(&str, &str, Value)| corelane_tests::rest::request(method, path, body);
    for call in &calls {
        let denied = |request: &Request, code: &str| {
            let answer = store.send_as_is(request);
            corelane_tests::rest::Reply::read(answer).refused(403, code);
        };
        denied(&store.addressed(plain(call)), "AccessDenied");
        let mut wrong = store.signer();
        wrong.secret_key.push('x');
        denied(&wrong.sign(store.addressed(plain(call))), "SignatureDoesNotMatch");
        let mut stranger = store.signer();
        stranger.access_key.push('X');
        denied(&stranger.sign(store.addressed(plain(call))), "InvalidAccessKeyId");
        let mut old = store.signer();
        old.unix_s -= 3600;
        denied(&old.sign(store.addressed(plain(call))), "RequestTimeTooSkewed");
        // A query that came after the signature.
        let tampered = root.sign(plain(call)).query("versions", "true");
        denied(&tampered, "SignatureDoesNotMatch");
        // Another path.
        let mut moved = root.sign(plain(call));
        moved.path.push('/');
        denied(&moved, "SignatureDoesNotMatch");
        // Another method.
        let mut other = root.sign(plain(call));
        other.method = if call.0 == "DELETE" { "GET" } else { "DELETE" }.to_owned();
        assert!(matches!(store.send_as_is(&other).status, 403 | 405));

        if call.2.is_null() {
            continue;
        }
        // A body that is not the one signed, and those that nobody has signed.
        let mut exchanged = root.sign(plain(call));
        exchanged.body = json!({ "name": "exchanged", "properties": {} })
            .to_string()
            .into_bytes();
        let answer = store.send_as_is(&exchanged);
        corelane_tests::rest::Reply::read(answer).refused(400, "XAmzContentSHA256Mismatch");
        let unsigned = plain(call).header("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
        denied(&root.sign(unsigned), "AccessDenied");
        let streaming = plain(call).header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
        denied(&root.sign(streaming), "AccessDenied");
        denied(&root.presign(plain(call)), "AccessDenied");
    }
    let kept = root.get("/v1/buckets").expect(200);
    assert_eq!(names(&kept), ["photos"]);
    assert_eq!(kept["buckets"][0]["properties"]["access"], "rw");
    // A presigned URL is as good as a header where there is no body.
    let presigned = root.presign(Request::new("GET", "/v1/buckets/photos"));
    store.send_as_is(&presigned).expect_status(200);
}

#[test]
fn an_anonymous_store_asks_nobody() {
    let store = Store::start_with(&["--anonymous"]);
    let send = |method: &str, path: &str, body: &Value| {
        let request = corelane_tests::rest::request(method, path, body);
        corelane_tests::rest::Reply::read(store.send_as_is(&store.addressed(request)))
    };
    send("POST", "/v1/buckets", &json!({ "name": "open" })).expect(201);
    assert_eq!(names(&send("GET", "/v1/buckets", &NOTHING).expect(200)), ["open"]);
    send("DELETE", "/v1/buckets/open", &NOTHING).expect(204);
}

#[test]
fn a_change_comes_to_its_end_without_its_client() {
    let store = Store::start();
    let root = User::root(&store);
    root.call("POST", "/v1/buckets", &json!({ "name": "leaving" }))
        .expect(201);
    let node = store.child_pid("corelane-node");
    signal(node, Signal::STOP);
    let mut connection = store.connect();
    connection.send(&root.sign(Request::new("DELETE", "/v1/buckets/leaving")).to_bytes());
    // Its core does not answer yet, and the client is gone.
    drop(connection);
    wait_for("the gateway to have begun", || {
        let health = store.send_as_is(&store.addressed(Request::new("GET", "/v1/health")));
        (health.status > 0).then_some(())
    });
    signal(node, Signal::CONT);
    // Nothing of it is left: one of its name can be made, and takes objects.
    wait_for("the bucket to be gone", || {
        let made = root.call("POST", "/v1/buckets", &json!({ "name": "leaving" }));
        (made.status == 201).then_some(())
    });
    store.put("leaving", "key", "x");
}
