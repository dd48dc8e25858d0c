//! `/v1/buckets/{bucket}/objects`: listings with checksums, access times and versions, and one object's properties.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    multipart::Upload,
    process::wait_for,
    request::{Request, encode_path},
    rest::User,
    store::Store,
};
use serde_json::{Value, json};

const NOTHING: Value = Value::Null;

/// A field of every object of a listing.
fn all(page: &Value, field: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let objects = page["objects"].as_array().unwrap();
    objects.iter().map(|object| text(&object[field])).collect()
}

fn names(page: &Value) -> Vec<String> {
    all(page, "name")
}

fn make(user: &User<'_>, bucket: &str, properties: &Value) {
    let body = json!({ "name": bucket, "properties": properties });
    user.call("POST", "/v1/buckets", &body).expect(201);
}

#[test]
fn a_listing_shows_checksums_of_every_type() {
    let store = Store::start();
    let root = User::root(&store);
    for (kind, digits) in [
        ("md5", 32),
        ("xxhash", 32),
        ("crc32c", 8),
        ("sha256", 64),
        ("sha512", 128),
    ] {
        let bucket = format!("of-{kind}");
        make(&root, &bucket, &json!({ "checksum.type": kind }));
        store.put(&bucket, "key", "hello world");
        let page = root.get(&format!("/v1/buckets/{bucket}/objects")).expect(200);
        let object = &page["objects"][0];
        assert_eq!(object["checksum"]["type"], kind, "{object}");
        assert_eq!(object["checksum"]["value"].as_str().unwrap().len(), digits);
        assert_eq!((&object["name"], &object["size"]), (&json!("key"), &json!(11)));
        assert_eq!((&page["prefixes"], &page["continuation"]), (&json!([]), &NOTHING));
    }
    let md5 = root.get("/v1/buckets/of-md5/objects").expect(200);
    assert_eq!(
        md5["objects"][0]["checksum"]["value"],
        "5eb63bbbe01eeed093cb22bb8f5acdc3"
    );
}

#[test]
fn writes_are_counted_and_reads_are_noted() {
    let store = Store::start();
    let root = User::root(&store);
    make(&root, "plain", &json!({}));
    for _ in 0..3 {
        store.put("plain", "often", "x");
    }
    store.put("plain", "once", "y");
    let page = root.get("/v1/buckets/plain/objects").expect(200);
    assert_eq!(names(&page), ["often", "once"]);
    assert_eq!(all(&page, "version"), ["3", "1"]);
    assert_eq!(all(&page, "latest"), ["true", "true"]);
    let once = |page: &Value| page["objects"][1].clone();
    let before = once(&page);
    assert_eq!(before["accessed"], before["modified"], "a write is an access");
    // Neither looks nor listings are accesses.
    store.send(Request::object("HEAD", "plain", "once")).expect_status(200);
    root.get("/v1/buckets/plain/objects/once").expect(200);
    assert_eq!(once(&root.get("/v1/buckets/plain/objects").expect(200)), before);
    // A core looks at the clock every so often, and notes the time in steps.
    let after = wait_for("the access to be noted", || {
        store.get("plain", "once").expect_status(200);
        let after = once(&root.get("/v1/buckets/plain/objects").expect(200));
        (after["accessed"].as_str() > before["accessed"].as_str()).then_some(after)
    });
    assert_eq!(after["modified"], before["modified"]);
    let shown = root.get("/v1/buckets/plain/objects/once").expect(200);
    assert_eq!(shown["accessed"], after["accessed"]);
    // Of a key that is written again, that is the access, and one write more.
    store.put("plain", "once", "z");
    let again = once(&root.get("/v1/buckets/plain/objects").expect(200));
    assert_eq!(
        (&again["accessed"], &again["version"]),
        (&again["modified"], &json!("2"))
    );
}

#[test]
fn pages_go_on_where_they_ended() {
    let store = Store::start();
    let root = User::root(&store);
    make(&root, "pages", &json!({}));
    let keys = ["a", "b/1", "b/2", "b.c", "d e+f%", "ü", "z/1/2", "z/3"];
    for key in keys {
        store.put("pages", key, key);
    }
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    for max_keys in [1, 3, 8, 1000] {
        let mut found: Vec<String> = Vec::new();
        let mut continuation: Option<String> = None;
        loop {
            let mut request = Request::new("GET", "/v1/buckets/pages/objects").query("max_keys", &max_keys.to_string());
            if let Some(continuation) = &continuation {
                request = request.query("continuation", continuation);
            }
            let page = root.ask(request).expect(200);
            assert!(names(&page).len() <= max_keys);
            found.extend(names(&page));
            continuation = page["continuation"].as_str().map(str::to_owned);
            if continuation.is_none() {
                break;
            }
        }
        assert_eq!(found, sorted, "{max_keys}");
    }
    let level = root.get("/v1/buckets/pages/objects?delimiter=/").expect(200);
    assert_eq!(level["prefixes"], json!(["b/", "z/"]));
    assert_eq!(names(&level), ["a", "b.c", "d e+f%", "ü"]);
    let below = root.get("/v1/buckets/pages/objects?delimiter=/&prefix=z/").expect(200);
    assert_eq!(
        (names(&below), &below["prefixes"]),
        (vec!["z/3".to_owned()], &json!(["z/1/"]))
    );
    let behind = root.get("/v1/buckets/pages/objects?start_after=b/2").expect(200);
    assert_eq!(names(&behind), ["d e+f%", "z/1/2", "z/3", "ü"]);
}

#[test]
fn versions_are_listed_and_shown_one_by_one() {
    let store = Store::start();
    let root = User::root(&store);
    make(&root, "kept", &json!({ "versioning.enabled": "true" }));
    store.put("kept", "key", "first");
    store.put("kept", "key", "second!");
    store.put("kept", "other", "x");
    store
        .send(Request::object("DELETE", "kept", "other"))
        .expect_status(204);
    store.set_versioning("kept", "Suspended");
    store.put("kept", "plain", "null version");

    let newest = root.get("/v1/buckets/kept/objects").expect(200);
    assert_eq!(names(&newest), ["key", "plain"]);
    assert_eq!(all(&newest, "size"), ["7", "12"]);
    assert_eq!(all(&newest, "version")[1], "null");
    let path = "/v1/buckets/kept/objects?versions=true";
    let page = root.get(path).expect(200);
    assert_eq!(names(&page), ["key", "key", "other", "other", "plain"]);
    assert_eq!(all(&page, "latest"), ["true", "false", "true", "false", "true"]);
    assert_eq!(
        all(&page, "delete_marker"),
        ["false", "false", "true", "false", "false"]
    );
    assert_eq!(all(&page, "version")[0], all(&newest, "version")[0]);
    assert_eq!(page["objects"][2]["accessed"], NOTHING);

    // One by one it is the same.
    let mut found: Vec<Value> = Vec::new();
    let mut next = format!("{path}&max_keys=1");
    loop {
        let one = root.get(&next).expect(200);
        found.extend(one["objects"].as_array().unwrap().clone());
        let Some(continuation) = one["continuation"].as_str() else {
            break;
        };
        next = format!("{path}&max_keys=1&continuation={continuation}");
    }
    assert_eq!(json!(found), page["objects"]);

    for object in &found {
        let name = object["name"].as_str().unwrap();
        let version = object["version"].as_str().unwrap();
        let shown = root
            .get(&format!("/v1/buckets/kept/objects/{name}?version={version}"))
            .expect(200);
        for field in ["name", "size", "etag", "modified", "version", "latest", "delete_marker"] {
            assert_eq!(shown[field], object[field], "{field} of {shown}");
        }
    }
    assert_eq!(root.get("/v1/buckets/kept/objects/key").expect(200)["size"], 7);
    root.get("/v1/buckets/kept/objects/other").refused(404, "NoSuchKey");
    for version in ["0000000000000001", "ffffffffffffffff", "null"] {
        let missing = format!("/v1/buckets/kept/objects/key?version={version}");
        root.get(&missing).refused(404, "NoSuchVersion");
    }
    root.get("/v1/buckets/kept/objects/key?version=2")
        .refused(400, "InvalidArgument");
    make(&root, "unkept", &json!({}));
    store.put("unkept", "key", "x");
    root.get("/v1/buckets/unkept/objects/key?version=null").expect(200);
    let path = "/v1/buckets/unkept/objects/key?version=0000000000000001";
    root.get(path).refused(404, "NoSuchVersion");
}

#[test]
fn an_object_shows_what_is_kept_with_it() {
    let store = Store::start();
    let root = User::root(&store);
    store.make_bucket("rich");
    let put = Request::object("PUT", "rich", "a b/ü?.txt")
        .header("Content-Type", "text/plain")
        .header("Cache-Control", "max-age=5")
        .header("Content-Disposition", "inline")
        .header("Content-Language", "de")
        .header("x-amz-meta-Camera", "x100")
        .header("x-amz-meta-place", "München")
        .header("x-amz-tagging", "k=v&l=w")
        .header("x-amz-storage-class", "STANDARD_IA")
        .header("x-amz-checksum-crc32", "DUoRhQ==")
        .body("hello world");
    store.send(put).expect_status(200);
    let path = format!("/v1/buckets/rich/objects/{}", encode_path("a b/ü?.txt"));
    let shown = root.get(&path).expect(200);
    for (field, value) in [
        ("name", json!("a b/ü?.txt")),
        ("size", json!(11)),
        ("content_type", json!("text/plain")),
        ("cache_control", json!("max-age=5")),
        ("content_disposition", json!("inline")),
        ("content_encoding", NOTHING),
        ("content_language", json!("de")),
        ("website_redirect", NOTHING),
        ("metadata", json!({ "camera": "x100", "place": "München" })),
        ("tags_count", json!(2)),
        ("storage_class", json!("STANDARD_IA")),
        ("parts", NOTHING),
        ("version", json!("1")),
    ] {
        assert_eq!(shown[field], value, "{field} of {shown}");
    }
    assert_eq!(
        shown["checksums"],
        json!([{ "algorithm": "CRC32", "form": "FULL_OBJECT", "value": "DUoRhQ==" }])
    );

    let upload = Upload::begin(&store, "rich", "parts");
    let parts = [upload.part(1, &vec![7; 5 << 20]), upload.part(2, b"end")];
    upload.complete(&parts).expect_status(200);
    let shown = root.get("/v1/buckets/rich/objects/parts").expect(200);
    assert_eq!((&shown["parts"], &shown["size"]), (&json!(2), &json!((5 << 20) + 3)));
    assert_eq!(shown["checksum"]["type"], "md5-of-parts");

    let message = root.get("/v1/buckets/rich/objects/missing").refused(404, "NoSuchKey");
    assert!(message.contains("objects"), "{message}");
    // What only begins like an object is none.
    root.get("/v1/buckets/rich/objects/part").refused(404, "NoSuchKey");
    root.get("/v1/buckets/rich/objects/%zz").refused(400, "InvalidURI");
    let long = "k".repeat(1025);
    root.get(&format!("/v1/buckets/rich/objects/{long}"))
        .refused(400, "KeyTooLongError");
}

#[test]
fn keys_with_slashes_anywhere() {
    let store = Store::start();
    let root = User::root(&store);
    store.make_bucket("odd");
    let keys = [
        "/",
        "//",
        "a/",
        "/a",
        "a//b",
        "%2F",
        "a%2Fb",
        "objects",
        ".",
        "..",
        "\"\\\u{1}",
    ];
    for key in keys {
        store.put("odd", key, key);
    }
    for key in keys {
        for encoded in [encode_path(key), corelane_tests::request::encode(key.as_bytes())] {
            let shown = root.get(&format!("/v1/buckets/odd/objects/{encoded}")).expect(200);
            assert_eq!(shown["name"], key);
        }
    }
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    assert_eq!(names(&root.get("/v1/buckets/odd/objects").expect(200)), sorted);
}

#[test]
fn listings_are_for_owners_and_what_access_allows() {
    let store = Store::start();
    let root = User::root(&store);
    let alice = User::new(&store, "alice");
    make(&root, "roots", &json!({}));
    make(&alice, "alices", &json!({}));
    store.put("roots", "key", "x");
    alice
        .send(Request::object("PUT", "alices", "hers").body("y"))
        .expect_status(200);
    for path in [
        "/v1/buckets/roots/objects",
        "/v1/buckets/roots/objects/key",
        "/v1/buckets/roots/objects/missing",
    ] {
        alice.get(path).refused(403, "AccessDenied");
        let unsigned = store.send_as_is(&store.addressed(Request::new("GET", path)));
        corelane_tests::rest::Reply::read(unsigned).refused(403, "AccessDenied");
        let tampered = alice.sign(Request::new("GET", path.replace("roots", "alices")));
        let tampered = Request {
            path: path.to_owned(),
            ..tampered
        };
        corelane_tests::rest::Reply::read(store.send_as_is(&tampered)).refused(403, "SignatureDoesNotMatch");
    }
    assert_eq!(names(&root.get("/v1/buckets/alices/objects").expect(200)), ["hers"]);

    let set = |access: &str| {
        let body = json!({ "properties": { "access": access } });
        root.call("PATCH", "/v1/buckets/roots", &body).expect(200);
    };
    set("read");
    let message = root.get("/v1/buckets/roots/objects").refused(403, "AccessDenied");
    assert!(message.contains("access"), "{message}");
    root.get("/v1/buckets/roots/objects/key").expect(200);
    set("list");
    root.get("/v1/buckets/roots/objects").expect(200);
    root.get("/v1/buckets/roots/objects/key").refused(403, "AccessDenied");
    set("none");
    root.get("/v1/buckets/roots").expect(200);
}

#[test]
fn wrong_queries_are_named() {
    let store = Store::start();
    let root = User::root(&store);
    make(&root, "photos", &json!({}));
    for (query, code, word) in [
        ("max_keys=0", "InvalidArgument", "1 to 1000"),
        ("max_keys=1001", "InvalidArgument", "1 to 1000"),
        ("versions=yes", "InvalidArgument", "true or false"),
        ("max-keys=3", "InvalidArgument", "max-keys"),
        ("continuation=nonsense!", "InvalidRequest", "continuation"),
        ("continuation=AWE&start_after=a", "InvalidRequest", "not both"),
    ] {
        let message = root
            .get(&format!("/v1/buckets/photos/objects?{query}"))
            .refused(400, code);
        assert!(message.contains(word), "{query}: {message}");
    }
    root.get("/v1/buckets/photos/objects/key?versionId=null")
        .refused(400, "InvalidArgument");
    root.get("/v1/buckets/nowhere/objects").refused(404, "NoSuchBucket");
    let put = root.call("PUT", "/v1/buckets/photos/objects/key", &NOTHING);
    assert_eq!(put.response.header("allow"), Some("GET, HEAD"));
}
