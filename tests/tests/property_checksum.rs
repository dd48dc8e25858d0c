//! The bucket properties `checksum.type` and `checksum.validate_warm_get`: what new objects' ETags are, however they are
//! made, and what becomes of those that are there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    digest::{md5, md5_hex},
    directory::files,
    form::Form,
    multipart::Upload,
    properties::{get, set},
    raw::Response,
    request::Request,
    rest::User,
    store::Store,
    xml,
};
use serde_json::json;
use std::fs;

const BUCKET: &str = "summed";
const TYPES: [&str; 6] = ["none", "xxhash", "md5", "crc32c", "sha256", "sha512"];

/// With published digests.
const CONTENT: &[u8] = b"123456789";

/// The ETag of [`CONTENT`]; of an xxHash only its shape is told here.
fn etag(checksum_type: &str) -> Option<&'static str> {
    match checksum_type {
        "md5" => Some("25f9e794323b453885f5181f1b624d0b"),
        "crc32c" => Some("e3069283-x"),
        "sha256" => Some("15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225-x"),
        "sha512" => Some(
            "d9e6762dd1c8eaf6d61b3c6192fc408d4d6d5f1176d0c29169bc24e71c3f274a\
             d27fcd5811b313d681f7e55ec02d73d499c95455b6b5bb503acf574fba8ffe85-x",
        ),
        _ => None,
    }
}

#[track_caller]
fn etag_of(answer: &Response) -> String {
    answer.header("etag").expect("an ETag").trim_matches('"').to_owned()
}

/// Whether an ETag is what the type says of the content; only that of MD5 looks like one.
#[track_caller]
fn check(checksum_type: &str, found: &str) {
    match etag(checksum_type) {
        Some(expected) => assert_eq!(found, expected, "{checksum_type}"),
        None => {
            let hex = found.strip_suffix("-x").expect(found);
            assert_eq!(hex.len(), 32, "{found}");
            assert!(hex.bytes().all(|digit| digit.is_ascii_hexdigit()), "{found}");
        }
    }
}

fn listed(store: &Store, key: &str) -> String {
    let list = Request::bucket("GET", BUCKET)
        .query("list-type", "2")
        .query("prefix", key);
    let text = store.send(list).expect_status(200).text();
    xml::text(&text, "ETag")
        .unwrap()
        .replace("&quot;", "")
        .trim_matches('"')
        .to_owned()
}

#[test]
fn every_type_however_an_object_is_made() {
    let store = Store::start();
    store.make_bucket(BUCKET);
    store.make_bucket("source");
    let source = store.put("source", "content", CONTENT);
    check("md5", &etag_of(&source));
    let mut kept = Vec::new();
    for checksum_type in TYPES {
        set(&store, BUCKET, "checksum.type", checksum_type);
        assert_eq!(get(&store, BUCKET, "checksum.type"), checksum_type);
        let put = etag_of(&store.put(BUCKET, checksum_type, CONTENT));
        check(checksum_type, &put);
        let got = store.get(BUCKET, checksum_type).expect_status(200);
        assert_eq!((etag_of(&got), got.body.as_slice()), (put.clone(), CONTENT));
        assert_eq!(listed(&store, checksum_type), put);

        // A copy gets what its own bucket has.
        let copy = Request::object("PUT", BUCKET, "copy").header("x-amz-copy-source", "/source/content");
        let copied = store.send(copy).expect_status(200).text();
        assert!(copied.contains(&put), "{copied}");
        let back = Request::object("PUT", "source", "back").header("x-amz-copy-source", format!("/{BUCKET}/copy"));
        store.send(back).expect_status(200);
        let back = Request::object("HEAD", "source", "back");
        check("md5", &etag_of(&store.send(back)));

        let form = Form::new("form", CONTENT).sign(&store.signer(), BUCKET, "");
        let posted = store.send_as_is(&store.addressed(form.request(BUCKET)));
        assert_eq!(etag_of(&posted.expect_status(204)), put);

        let upload = Upload::begin(&store, BUCKET, "parts");
        let first = upload.part(1, &vec![7; 5 << 20]);
        let copied = upload.part_request(2).header("x-amz-copy-source", "/source/content");
        let second = xml::text(&store.send(copied).expect_status(200).text(), "ETag").unwrap();
        let second = second.replace("&quot;", "").trim_matches('"').to_owned();
        check(checksum_type, &second);
        let completed = upload.complete(&[first, (2, second, String::new())]);
        completed.expect_status(200);
        let of_parts = etag_of(&store.send(Request::object("HEAD", BUCKET, "parts")).expect_status(200));
        let hex = of_parts.strip_suffix("-2").expect(&of_parts);
        assert!(hex.len() == 32 && hex.bytes().all(|digit| digit.is_ascii_hexdigit()));
        if checksum_type == "md5" {
            let md5s = [md5(&vec![7; 5 << 20]), md5(CONTENT)].concat();
            assert_eq!(hex, md5_hex(&md5s));
        }
        kept.push((checksum_type, put));
    }
    // What was there has kept what it had.
    for (key, etag) in kept {
        assert_eq!(etag_of(&store.send(Request::object("HEAD", BUCKET, key))), etag);
        let conditional = Request::object("GET", BUCKET, key).header("If-Match", format!("\"{etag}\""));
        assert_eq!(store.send(conditional).expect_status(200).body, CONTENT);
    }
}

/// On a connection with a lease the next write has the new type, once the change is answered.
#[test]
fn a_change_reaches_leases() {
    let store = Store::start();
    store.make_bucket(BUCKET);
    let mut connection = store.connect();
    for checksum_type in ["md5", "sha256", "md5", "crc32c"] {
        set(&store, BUCKET, "checksum.type", checksum_type);
        for _ in 0..2 {
            let put = store.signed(Request::object("PUT", BUCKET, "key").body(CONTENT));
            connection.send(&put.to_bytes());
            check(checksum_type, &etag_of(&connection.receive("PUT").expect_status(200)));
        }
    }
}

/// Set when the bucket is made, and kept over a restart. Made here xxhash, made through S3 md5.
#[test]
fn types_of_new_buckets() {
    let mut store = Store::start();
    {
        let root = User::root(&store);
        for (name, properties) in [
            ("plain", json!({})),
            (
                "given",
                json!({ "checksum.type": "crc32c", "checksum.validate_warm_get": "false" }),
            ),
        ] {
            let body = json!({ "name": name, "properties": properties });
            root.call("POST", "/v1/buckets", &body).expect(201);
        }
        store.make_bucket("through-s3");
    }
    store.restart();
    for (bucket, checksum_type) in [("plain", "xxhash"), ("given", "crc32c"), ("through-s3", "md5")] {
        assert_eq!(get(&store, bucket, "checksum.type"), checksum_type);
        check(checksum_type, &etag_of(&store.put(bucket, "key", CONTENT)));
    }
    assert_eq!(get(&store, "given", "checksum.validate_warm_get"), "false");
    assert_eq!(store.get("given", "key").expect_status(200).body, CONTENT);
}

/// Turns a bit over in the file that holds these bytes.
#[track_caller]
fn damage(store: &Store, bytes: &[u8]) {
    for (path, _) in files(&store.data()) {
        let mut held = fs::read(&path).unwrap();
        if let Some(at) = held.windows(bytes.len()).position(|window| window == bytes) {
            held[at + bytes.len() / 2] ^= 0x10;
            fs::write(&path, held).unwrap();
            return;
        }
    }
    panic!("no file holds the object");
}

/// What is wrong on the disk is not sent; without the check it is, and is not taken for right when the check is on again.
#[test]
fn what_is_read_is_verified_or_not() {
    const NAME: &str = "checksum.validate_warm_get";
    let content: Vec<u8> = (0..5000_u32).flat_map(u32::to_le_bytes).collect();
    let mut store = Store::start();
    store.make_bucket(BUCKET);
    assert_eq!(get(&store, BUCKET, NAME), "true");
    store.put(BUCKET, "damaged", content.as_slice());
    store.put(BUCKET, "fine", CONTENT);
    store.stop();
    damage(&store, &content);
    store.start_again();
    for _ in 0..2 {
        set(&store, BUCKET, NAME, "true");
        store.get(BUCKET, "damaged").expect_error(500, "InternalError");
        set(&store, BUCKET, NAME, "false");
        let wrong = store.get(BUCKET, "damaged").expect_status(200).body;
        let differing = wrong.iter().zip(&content).filter(|(one, other)| one != other);
        assert_eq!((wrong.len(), differing.count()), (content.len(), 1));
        assert_eq!(store.get(BUCKET, "fine").expect_status(200).body, CONTENT);
    }
}
