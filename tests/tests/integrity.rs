//! Bodies are what their heads declare, or nothing is done: Content-MD5, x-amz-content-sha256, lengths, and the same for
//! XML (<https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    digest::{crc32_base64, md5_base64, sha256_hex},
    request::Request,
    sign::unsigned_chunks,
    store::Store,
    xml,
};

const BUCKET: &str = "whole";

fn store() -> Store {
    let store = Store::start();
    store.make_bucket(BUCKET);
    store
}

/// InvalidDigest: "The Content-MD5 or checksum value that you specified is not valid." BadDigest: it "did not match what
/// the server received".
#[test]
fn content_md5_is_told_apart() {
    let store = store();
    let put = |md5: String| {
        store.send(
            Request::object("PUT", BUCKET, "key")
                .body("content")
                .header("Content-MD5", md5),
        )
    };
    for invalid in [
        "",
        "not base64!",
        "YWJyYWNhZGFicmE=",
        "9a0364b9e99bb480dd25e1f0284c8555",
    ] {
        let answer = put(invalid.to_owned()).expect_error(400, "InvalidDigest").text();
        assert!(
            answer.contains("<Message>The Content-MD5 you specified was invalid.</Message>"),
            "{answer}"
        );
        assert_eq!(xml::text(&answer, "Content-MD5").unwrap_or_default(), invalid);
    }
    let answer = put(md5_base64(b"other")).expect_error(400, "BadDigest").text();
    assert_eq!(xml::text(&answer, "ExpectedDigest"), Some(md5_base64(b"other")));
    assert_eq!(xml::text(&answer, "CalculatedDigest"), Some(md5_base64(b"content")));
    store.get(BUCKET, "key").expect_error(404, "NoSuchKey");
    put(md5_base64(b"content")).expect_status(200);
}

#[test]
fn the_signed_digest_of_the_content_must_be_right() {
    let store = store();
    let request = |digest: &str| {
        let request = Request::object("PUT", BUCKET, "key").body("content");
        store.send(request.header("x-amz-content-sha256", digest))
    };
    let answer = request(&sha256_hex(b"other"))
        .expect_error(400, "XAmzContentSHA256Mismatch")
        .text();
    assert_eq!(
        xml::text(&answer, "ClientComputedContentSHA256"),
        Some(sha256_hex(b"other"))
    );
    assert_eq!(
        xml::text(&answer, "S3ComputedContentSHA256"),
        Some(sha256_hex(b"content"))
    );
    request("nonsense").expect_error(400, "InvalidArgument");
    store.get(BUCKET, "key").expect_error(404, "NoSuchKey");
    request("UNSIGNED-PAYLOAD").expect_status(200);
}

#[test]
fn a_body_that_ends_early_is_incomplete() {
    let store = store();
    let request = Request::object("PUT", BUCKET, "key")
        .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
        .header("Content-Length", "100");
    let mut connection = store.connect();
    connection.send(&store.signed(request).head());
    connection.send(b"a tenth");
    connection.finish_sending();
    connection.receive("PUT").expect_error(400, "IncompleteBody");
    // Fewer bytes in the chunks than x-amz-decoded-content-length says.
    let framed = unsigned_chunks(b"content", 5, "x-amz-checksum-crc32", &crc32_base64(b"content"));
    let request = Request::object("PUT", BUCKET, "key")
        .header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
        .header("x-amz-decoded-content-length", "8")
        .header("x-amz-trailer", "x-amz-checksum-crc32")
        .body(framed);
    store.send(request).expect_error(400, "IncompleteBody");
    store.get(BUCKET, "key").expect_error(404, "NoSuchKey");
}

/// Every XML body is held against what is said of it, as an object's is.
#[test]
fn xml_bodies_are_verified() {
    let store = store();
    let document =
        "<CreateBucketConfiguration><LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>";
    let create =
        |name: &str, value: &str| store.send(Request::bucket("PUT", "another").body(document).header(name, value));
    create("Content-MD5", "x").expect_error(400, "InvalidDigest");
    create("Content-MD5", &md5_base64(b"other")).expect_error(400, "BadDigest");
    create("x-amz-checksum-crc32", &crc32_base64(b"other")).expect_error(400, "BadDigest");
    create("x-amz-checksum-crc32", "AAAA").expect_error(400, "InvalidRequest");
    create("x-amz-sdk-checksum-algorithm", "CRC32").expect_error(400, "InvalidRequest");
    create("x-amz-content-sha256", &sha256_hex(b"other")).expect_error(400, "XAmzContentSHA256Mismatch");
    let chunked = |value: &str| {
        let framed = unsigned_chunks(document.as_bytes(), 50, "x-amz-checksum-crc32", value);
        let request = Request::bucket("PUT", "another")
            .header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
            .header("x-amz-decoded-content-length", document.len().to_string())
            .header("x-amz-trailer", "x-amz-checksum-crc32");
        store.send(request.body(framed))
    };
    chunked(&crc32_base64(b"other")).expect_error(400, "BadDigest");
    // Of nothing, too.
    let nothing = Request::bucket("PUT", "another").header("Content-MD5", md5_base64(b"other"));
    store.send(nothing).expect_error(400, "BadDigest");
    store.send(Request::bucket("HEAD", "another")).expect_status(404);
    chunked(&crc32_base64(document.as_bytes())).expect_status(200);
    store.send(Request::bucket("HEAD", "another")).expect_status(200);
}

/// Those that cores read, and configurations of buckets: the same.
#[test]
fn tags_are_verified_wherever_they_are_read() {
    let store = store();
    store.put(BUCKET, "key", "x");
    let document = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
    for target in [Request::object("PUT", BUCKET, "key"), Request::bucket("PUT", BUCKET)] {
        let target = target.subresource("tagging");
        let put = |name: &str, value: &str| store.send(target.clone().body(document).header(name, value));
        put("Content-MD5", "x").expect_error(400, "InvalidDigest");
        put("Content-MD5", &md5_base64(b"other")).expect_error(400, "BadDigest");
        put("x-amz-checksum-crc32", &crc32_base64(b"other")).expect_error(400, "BadDigest");
        put("x-amz-checksum-crc32", "AAAA").expect_error(400, "InvalidRequest");
        put("x-amz-content-sha256", &sha256_hex(b"other")).expect_error(400, "XAmzContentSHA256Mismatch");
        let framed = |value: &str| {
            let framed = unsigned_chunks(document.as_bytes(), 50, "x-amz-checksum-crc32", value);
            let request = target
                .clone()
                .header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
                .header("x-amz-decoded-content-length", document.len().to_string())
                .header("x-amz-trailer", "x-amz-checksum-crc32");
            store.send(request.body(framed))
        };
        framed(&crc32_base64(b"other")).expect_error(400, "BadDigest");
        let mut read = target.clone();
        read.method = "GET".to_owned();
        assert!(!store.send(read.clone()).text().contains("<Key>a</Key>"));
        let answer = framed(&crc32_base64(document.as_bytes()));
        assert!(matches!(answer.status, 200 | 204), "{}", answer.text());
        assert!(store.send(read).text().contains("<Key>a</Key>"));
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>: Content-MD5 or a checksum is required.
#[test]
fn delete_objects_needs_a_digest() {
    let store = store();
    store.put(BUCKET, "key", "x");
    let document = "<Delete><Object><Key>key</Key></Object></Delete>";
    let delete = || Request::bucket("POST", BUCKET).subresource("delete").body(document);
    for request in [
        delete(),
        delete().header("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        delete().header("x-amz-checksum-type", "FULL_OBJECT"),
    ] {
        let answer = store.send(request).expect_error(400, "InvalidRequest").text();
        assert!(
            answer.contains("Missing required header for this request: Content-MD5 OR x-amz-checksum-*"),
            "{answer}"
        );
    }
    store
        .send(delete().header("Content-MD5", "x"))
        .expect_error(400, "InvalidDigest");
    store
        .send(delete().header("Content-MD5", md5_base64(b"")))
        .expect_error(400, "BadDigest");
    assert_eq!(store.keys(BUCKET), ["key"]);
    store
        .send(delete().header("x-amz-checksum-crc32", crc32_base64(document.as_bytes())))
        .expect_status(200);
    assert!(store.keys(BUCKET).is_empty());
}
