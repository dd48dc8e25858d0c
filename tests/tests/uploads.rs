//! Uploads: what a PUT promises of its body is verified before anything is stored.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    digest::{crc32_base64, md5_base64, sha256_hex},
    random,
    request::Request,
    store::Store,
};

/// Both ways to a core.
const ROUTES: [&[&str]; 2] = [&["--route", "proxy"], &["--route", "redirect"]];

#[test]
fn user_metadata_is_limited_to_2_kib() {
    let store = Store::start();
    store.make_bucket("limit");
    let with = |value_bytes: usize| {
        Request::object("PUT", "limit", "key")
            .header("x-amz-meta-name", "v".repeat(value_bytes))
            .body("x")
    };
    store.send(with(2048 - "name".len())).expect_status(200);
    store
        .send(with(2049 - "name".len()))
        .expect_error(400, "MetadataTooLarge");
    let kept = store.send(Request::object("HEAD", "limit", "key")).expect_status(200);
    assert_eq!(kept.header("x-amz-meta-name").unwrap().len(), 2044);
}

#[test]
fn declared_digests_are_verified_before_anything_is_stored() {
    for route in ROUTES {
        let store = Store::start_with(route);
        store.make_bucket("digests");
        for size in [1000, 900_000] {
            let body = random::bytes(9, size);
            let key = format!("{size}");
            let put = || Request::object("PUT", "digests", &key).body(body.clone());
            let refused = |request: Request, code: &str| {
                let answer = store.send_following(request);
                assert_eq!(
                    (answer.status, answer.code().as_str()),
                    (400, code),
                    "{}",
                    answer.text()
                );
                store
                    .send_following(Request::object("GET", "digests", &key))
                    .expect_error(404, "NoSuchKey");
            };
            refused(put().header("Content-MD5", md5_base64(b"other")), "BadDigest");
            refused(put().header("Content-MD5", "short"), "InvalidDigest");
            refused(
                put().header("x-amz-checksum-crc32", crc32_base64(b"other")),
                "BadDigest",
            );
            refused(put().header("x-amz-checksum-crc32", "!"), "InvalidRequest");
            refused(
                put().header("x-amz-content-sha256", sha256_hex(b"other")),
                "XAmzContentSHA256Mismatch",
            );
            refused(put().header("x-amz-content-sha256", "nonsense"), "InvalidArgument");
            let good = put()
                .header("Content-MD5", md5_base64(&body))
                .header("x-amz-checksum-crc32", crc32_base64(&body));
            store.send_following(good).expect_status(200);
            store
                .send_following(Request::object("DELETE", "digests", &key))
                .expect_status(204);
        }
    }
}

#[test]
fn a_body_needs_a_length_and_5_gib_is_the_most() {
    let store = Store::start();
    store.make_bucket("length");
    let chunked = store.signed(
        Request::object("PUT", "length", "key")
            .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
            .header("Transfer-Encoding", "chunked"),
    );
    let mut connection = store.connect();
    connection.send(&chunked.head());
    connection.receive("PUT").expect_error(411, "MissingContentLength");

    for (name, size) in [("too-large", (5_u64 << 30) + 1), ("absurd", u64::MAX)] {
        let request = store.signed(
            Request::object("PUT", "length", name)
                .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
                .header("Content-Length", size.to_string())
                .header("Expect", "100-continue"),
        );
        let mut connection = store.connect();
        connection.send(&request.head());
        let answer = connection.receive("PUT").expect_error(400, "EntityTooLarge");
        assert!(answer.interim.is_empty(), "the body was asked for");
    }
    assert!(store.keys("length").is_empty());
}

#[test]
fn a_client_that_waits_is_told_to_continue_or_why_not() {
    let store = Store::start();
    store.make_bucket("wait");
    let body = random::bytes(5, 300_000);
    let request = |bucket: &str| {
        store.signed(
            Request::object("PUT", bucket, "key")
                .header("Expect", "100-continue")
                .body(body.clone()),
        )
    };
    let mut connection = store.connect();
    connection.send(&request("wait").head());
    assert_eq!(connection.receive_head().unwrap().0, 100);
    connection.send(&body);
    connection.receive("PUT").expect_status(200);
    assert!(store.get("wait", "key").body == body);

    let mut connection = store.connect();
    connection.send(&request("nowhere").head());
    let refused = connection.receive("PUT").expect_error(404, "NoSuchBucket");
    assert!(refused.interim.is_empty());
}
