//! Server-side copies: CopyObject and UploadPartCopy.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html>
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    command::Clients,
    digest::{crc32_base64, md5_hex, sha256_base64},
    multipart::Upload,
    random,
    raw::Response,
    request::{Request, encode_path},
    sign::Signer,
    store::Store,
    xml,
};
use serde_json::Value;

const PART_MIN: usize = 5 * 1024 * 1024;
const ROUTES: [&[&str]; 4] = [
    &["--route", "handoff"],
    &["--route", "proxy"],
    &["--route", "redirect"],
    &["--tls"],
];

/// A copy of an object in `from` to `to`, both as `bucket/key`.
fn copy(from: &str, to: &str) -> Request {
    let (bucket, key) = to.split_once('/').unwrap();
    Request::object("PUT", bucket, key).header("x-amz-copy-source", encode_path(from))
}

fn get(store: &Store, path: &str) -> Response {
    let (bucket, key) = path.split_once('/').unwrap();
    store.send_following(Request::object("GET", bucket, key))
}

#[test]
fn every_size_is_copied() {
    for route in ROUTES {
        let store = Store::start_with(route);
        store.make_bucket("from");
        store.make_bucket("copies");
        for (seed, size) in (1..).zip([0, 1, 32_768, 32_769, 262_144, 262_145, 3_000_001]) {
            let body = random::bytes(seed, size);
            let key = format!("a//b/{size} ü+%");
            let put = Request::object("PUT", "from", &key)
                .header("content-type", "text/x-copied")
                .header("cache-control", "no-store")
                .header("x-amz-meta-size", size.to_string())
                .header("x-amz-storage-class", "STANDARD_IA")
                .header("x-amz-website-redirect-location", "/elsewhere")
                .body(body.clone());
            store.send_following(put).expect_status(200);
            // Several, so that other cores own them.
            for number in 0..4 {
                let target = format!("copies/{number}/{size}");
                let answer = store.send(copy(&format!("from/{key}"), &target)).expect_status(200);
                let etag = format!("\"{}\"", md5_hex(&body));
                assert_eq!(xml::text(&answer.text(), "ETag"), Some(etag.clone()));
                assert!(xml::text(&answer.text(), "LastModified").is_some());
                let got = get(&store, &target).expect_status(200);
                assert!(got.body == body);
                for (name, expected) in [
                    ("etag", Some(etag.as_str())),
                    ("content-type", Some("text/x-copied")),
                    ("cache-control", Some("no-store")),
                    ("x-amz-meta-size", Some(size.to_string().as_str())),
                    // These are not the source's.
                    ("x-amz-storage-class", None),
                    ("x-amz-website-redirect-location", None),
                ] {
                    assert_eq!(got.header(name), expected, "{name}");
                }
            }
        }
    }
}

#[test]
fn metadata_is_copied_or_replaced() {
    let store = Store::start();
    store.make_bucket("meta");
    let put = Request::object("PUT", "meta", "source")
        .header("content-type", "text/old")
        .header("x-amz-meta-old", "1")
        .body("payload");
    store.send(put).expect_status(200);
    let given = |request: Request| {
        request
            .header("content-type", "text/new")
            .header("x-amz-meta-new", "2")
            .header("x-amz-storage-class", "ONEZONE_IA")
    };
    store.send(given(copy("meta/source", "meta/copied"))).expect_status(200);
    let copied = get(&store, "meta/copied").expect_status(200);
    assert_eq!(copied.header("content-type"), Some("text/old"));
    assert_eq!(
        (copied.header("x-amz-meta-old"), copied.header("x-amz-meta-new")),
        (Some("1"), None)
    );
    assert_eq!(copied.header("x-amz-storage-class"), Some("ONEZONE_IA"));
    let replace = given(copy("meta/source", "meta/replaced")).header("x-amz-metadata-directive", "REPLACE");
    store.send(replace).expect_status(200);
    let replaced = get(&store, "meta/replaced").expect_status(200);
    assert_eq!(replaced.header("content-type"), Some("text/new"));
    assert_eq!(
        (replaced.header("x-amz-meta-old"), replaced.header("x-amz-meta-new")),
        (None, Some("2"))
    );
    for directive in ["x-amz-metadata-directive", "x-amz-tagging-directive"] {
        let bad = copy("meta/source", "meta/bad").header(directive, "MERGE");
        store.send(bad).expect_error(400, "InvalidArgument");
    }
}

/// "This copy request is illegal because it is trying to copy an object to itself without changing [...]"
#[test]
fn onto_itself() {
    let store = Store::start();
    store.make_bucket("self");
    for (seed, size) in [(1, 10), (2, 1_000_000)] {
        let body = random::bytes(seed, size);
        store.put("self", "key", body.clone()).expect_status(200);
        store
            .send(copy("self/key", "self/key"))
            .expect_error(400, "InvalidRequest");
        let replace = copy("self/key", "self/key")
            .header("x-amz-metadata-directive", "REPLACE")
            .header("x-amz-meta-a", "1");
        store.send(replace).expect_status(200);
        let got = get(&store, "self/key").expect_status(200);
        assert!(got.body == body);
        assert_eq!(got.header("x-amz-meta-a"), Some("1"));
        let class = copy("self/key", "self/key").header("x-amz-storage-class", "STANDARD_IA");
        store.send(class).expect_status(200);
        let got = get(&store, "self/key").expect_status(200);
        assert!(got.body == body);
        assert_eq!(got.header("x-amz-meta-a"), Some("1"));
        assert_eq!(got.header("x-amz-storage-class"), Some("STANDARD_IA"));
    }
}

#[test]
fn sources_that_are_none() {
    let store = Store::start();
    store.make_bucket("sources");
    store.put("sources", "key", b"x".to_vec()).expect_status(200);
    let from = |source: &str| store.send(Request::object("PUT", "sources", "copy").header("x-amz-copy-source", source));
    from("/sources/key").expect_status(200);
    from("sources/key").expect_status(200);
    from("%2Fsources%2Fkey").expect_status(200);
    from("sources/key?versionId=null").expect_status(200);
    from("sources/none").expect_error(404, "NoSuchKey");
    from("no-such-bucket/key").expect_error(404, "NoSuchBucket");
    for bad in ["", "/", "sources", "sources/", "sources/%zz", "sources/key?versionId=x"] {
        from(bad).expect_error(400, "InvalidArgument");
    }
    from("arn:aws:s3:us-east-1:1:accesspoint/a/object/key").expect_error(501, "NotImplemented");
    // A query is part of the key when it is encoded.
    from("sources/key%3FversionId%3Dnull").expect_error(404, "NoSuchKey");
    from("sources/key?versionId=0000000000000001").expect_error(404, "NoSuchVersion");
    store
        .send(copy("sources/key", "no-such-bucket/copy"))
        .expect_error(404, "NoSuchBucket");
}

/// Who may not read a source may not copy it, however it is written.
#[test]
fn nobody_copies_what_is_anothers() {
    let store = Store::start();
    let clients = Clients::new(&store);
    store.make_bucket("private");
    store.put("private", "secret", b"secret".to_vec()).expect_status(200);
    let created = clients
        .corelane(&["key", "create", "--json", "--user", "mallory"])
        .ok()
        .stdout;
    let key: Value = serde_json::from_str(&created).unwrap();
    let text = |name: &str| key[name].as_str().unwrap();
    let mallory = Signer::new(text("access_key"), text("secret_key"));
    let send = |request: Request| store.send_as_is(&mallory.sign(store.addressed(request)));
    send(Request::bucket("PUT", "hers")).expect_status(200);
    send(Request::object("PUT", "hers", "own").body("own")).expect_status(200);
    let begun = send(Request::object("POST", "hers", "parts").subresource("uploads")).expect_status(200);
    let upload = xml::text(&begun.text(), "UploadId").unwrap();
    for source in [
        "private/secret",
        "/private/secret",
        "%70rivate/secret",
        "%2Fprivate%2Fsecret",
        "private%2Fsecret",
        "/private/secret?versionId=null",
        "private/none",
    ] {
        let object = Request::object("PUT", "hers", "copy").header("x-amz-copy-source", source);
        send(object).expect_error(403, "AccessDenied");
        let part = Request::object("PUT", "hers", "parts")
            .query("uploadId", &upload)
            .query("partNumber", "1")
            .header("x-amz-copy-source", source);
        send(part).expect_error(403, "AccessDenied");
    }
    for climbing in ["hers/../private/secret", "hers/%2E%2E/private/secret"] {
        let object = Request::object("PUT", "hers", "copy").header("x-amz-copy-source", climbing);
        send(object).expect_error(404, "NoSuchKey");
    }
    // Nor does her own get into another's bucket.
    send(copy("hers/own", "private/planted")).expect_error(403, "AccessDenied");
    send(copy("hers/own", "hers/copy")).expect_status(200);
    assert_eq!(store.keys("private"), ["secret"]);
}

#[test]
fn checksums_of_copies() {
    let store = Store::start();
    store.make_bucket("sums");
    let body = b"summed".to_vec();
    let put = Request::object("PUT", "sums", "source").header("x-amz-checksum-crc32", crc32_base64(&body));
    store.send(put.body(body.clone())).expect_status(200);
    let head = |key: &str| {
        let head = Request::object("HEAD", "sums", key).header("x-amz-checksum-mode", "ENABLED");
        store.send(head).expect_status(200)
    };
    let answer = store.send(copy("sums/source", "sums/kept")).expect_status(200).text();
    assert_eq!(xml::text(&answer, "ChecksumCRC32"), Some(crc32_base64(&body)));
    assert_eq!(
        head("kept").header("x-amz-checksum-crc32"),
        Some(crc32_base64(&body).as_str())
    );
    let other = copy("sums/source", "sums/other").header("x-amz-checksum-algorithm", "SHA256");
    let answer = store.send(other).expect_status(200).text();
    assert_eq!(xml::text(&answer, "ChecksumSHA256"), Some(sha256_base64(&body)));
    assert_eq!(xml::text(&answer, "ChecksumType").as_deref(), Some("FULL_OBJECT"));
    assert_eq!(
        head("other").header("x-amz-checksum-sha256"),
        Some(sha256_base64(&body).as_str())
    );
    assert_eq!(head("other").header("x-amz-checksum-crc32"), None);
    let bad = copy("sums/source", "sums/bad").header("x-amz-checksum-algorithm", "MD4");
    store.send(bad).expect_error(400, "InvalidRequest");
}

/// A multipart object becomes one that is not, with the MD5 as its ETag, and a whole checksum of the same algorithm.
#[test]
fn multipart_sources() {
    let store = Store::start();
    store.make_bucket("multi");
    let bodies = [random::bytes(1, PART_MIN), random::bytes(2, 40_000)];
    let upload = Upload::begin_with(&store, "multi", "source", &[("x-amz-checksum-algorithm", "SHA256")]);
    let parts: Vec<_> = (1..)
        .zip(&bodies)
        .map(|(number, body)| {
            let sum = sha256_base64(body);
            let request = upload
                .part_request(number)
                .header("x-amz-checksum-sha256", sum.as_str());
            let answer = store.send(request.body(body.clone())).expect_status(200);
            let listed = format!("<ChecksumSHA256>{sum}</ChecksumSHA256>");
            (number, answer.header("etag").unwrap().to_owned(), listed)
        })
        .collect();
    upload.complete(&parts).expect_status(200);
    let whole = bodies.concat();
    let answer = store.send(copy("multi/source", "multi/copy")).expect_status(200).text();
    assert_eq!(xml::text(&answer, "ETag"), Some(format!("\"{}\"", md5_hex(&whole))));
    assert_eq!(xml::text(&answer, "ChecksumSHA256"), Some(sha256_base64(&whole)));
    assert!(get(&store, "multi/copy").expect_status(200).body == whole);
}

#[test]
fn parts_are_copied() {
    for route in ROUTES {
        let store = Store::start_with(route);
        store.make_bucket("parts");
        let source = random::bytes(1, 2 * PART_MIN + 1000);
        store
            .send_following(Request::object("PUT", "parts", "sou rce").body(source.clone()))
            .expect_status(200);
        let upload = Upload::begin(&store, "parts", "copy");
        let part = |number: u32, range: &str| {
            let mut request = upload
                .part_request(number)
                .header("x-amz-copy-source", "/parts/sou%20rce");
            if !range.is_empty() {
                request = request.header("x-amz-copy-source-range", range);
            }
            store.send(request)
        };
        let listed = |number: u32, range: &str| {
            let answer = part(number, range).expect_status(200).text();
            assert!(xml::text(&answer, "LastModified").is_some());
            (number, xml::text(&answer, "ETag").unwrap(), String::new())
        };
        let first = listed(1, &format!("bytes=0-{}", PART_MIN - 1));
        assert_eq!(first.1, format!("\"{}\"", md5_hex(&source[..PART_MIN])));
        let second = listed(2, &format!("bytes=100-{}", PART_MIN + 199));
        let third = listed(3, "bytes=5-5");
        let whole = listed(4, "");
        for bad in [
            "bytes=0",
            "bytes=0-",
            "bytes=-5",
            "bytes=5-4",
            "0-5",
            "bytes=a-b",
            "bytes=0-1,3-4",
        ] {
            part(9, bad).expect_error(400, "InvalidArgument");
        }
        part(9, &format!("bytes=0-{}", source.len())).expect_error(416, "InvalidRange");
        upload.complete(&[first, second, third]).expect_status(200);
        let expected = [&source[..PART_MIN], &source[100..PART_MIN + 200], &source[5..6]].concat();
        assert!(get(&store, "parts/copy").expect_status(200).body == expected);
        drop(whole);

        let gone = Request::object("PUT", "parts", "copy")
            .query("uploadId", &upload.id)
            .query("partNumber", "1")
            .header("x-amz-copy-source", "parts/sou%20rce");
        store.send(gone).expect_error(404, "NoSuchUpload");
        let other = Upload::begin(&store, "parts", "other");
        let missing = other.part_request(1).header("x-amz-copy-source", "parts/none");
        store.send(missing).expect_error(404, "NoSuchKey");
        // From an object of parts, across their seam.
        let seam = other.part_request(1).header("x-amz-copy-source", "parts/copy").header(
            "x-amz-copy-source-range",
            format!("bytes={}-{}", PART_MIN - 3, PART_MIN + 2),
        );
        let answer = store.send(seam).expect_status(200).text();
        let etag = xml::text(&answer, "ETag").unwrap();
        assert_eq!(etag, format!("\"{}\"", md5_hex(&expected[PART_MIN - 3..PART_MIN + 3])));
        other.complete(&[(1, etag, String::new())]).expect_status(200);
    }
}
