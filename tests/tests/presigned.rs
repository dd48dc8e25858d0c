//! Presigned URLs: what they can do, how long, and what of a request they must cover
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    digest::{crc32_base64, md5_base64},
    request::Request,
    sign::now_unix_s,
    store::Store,
    xml,
};

const BUCKET: &str = "signed";

fn store() -> Store {
    let store = Store::start();
    store.make_bucket(BUCKET);
    store.put(BUCKET, "key", "content");
    store
}

fn get() -> Request {
    Request::object("GET", BUCKET, "key")
}

#[test]
fn every_kind_of_operation_can_be_presigned() {
    let store = store();
    let send = |request: Request| store.send_as_is(&store.signer().presign(store.addressed(request), 60));
    assert_eq!(send(get()).expect_status(200).body, b"content");
    send(Request::object("HEAD", BUCKET, "key")).expect_status(200);
    send(Request::object("PUT", BUCKET, "new").body("of a URL")).expect_status(200);
    assert_eq!(store.get(BUCKET, "new").body, b"of a URL");
    assert!(
        send(Request::bucket("GET", BUCKET).query("list-type", "2"))
            .expect_status(200)
            .text()
            .contains("<Key>new</Key>")
    );
    assert!(
        send(Request::new("GET", "/s3"))
            .expect_status(200)
            .text()
            .contains(BUCKET)
    );
    send(Request::bucket("PUT", "another")).expect_status(200);
    send(Request::bucket("HEAD", "another")).expect_status(200);
    send(Request::bucket("DELETE", "another")).expect_status(204);
    let document = "<Delete><Object><Key>new</Key></Object></Delete>";
    let delete = Request::bucket("POST", BUCKET).subresource("delete").body(document);
    send(delete.header("Content-MD5", md5_base64(document.as_bytes()))).expect_status(200);
    send(Request::object("DELETE", BUCKET, "key")).expect_status(204);
    assert!(store.keys(BUCKET).is_empty());
    // The query of the operation is signed with the rest.
    let presigned = store
        .signer()
        .presign(store.addressed(Request::object("GET", BUCKET, "key")), 60);
    store
        .send_as_is(&presigned.query("response-content-type", "text/html"))
        .expect_error(403, "SignatureDoesNotMatch");
}

/// X-Amz-Expires: 1 to 604800 seconds.
#[test]
fn how_long_a_url_may_live() {
    let store = store();
    let with = |expires: &str| {
        let mut request = store.signer().presign(store.addressed(get()), 60);
        for (name, value) in &mut request.parameters {
            if name == "X-Amz-Expires" {
                *value = Some(expires.to_owned());
            }
        }
        store.send_as_is(&request)
    };
    for (expires, message) in [
        (
            "604801",
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds",
        ),
        ("-1", "X-Amz-Expires must be non-negative"),
        ("1h", "X-Amz-Expires should be a number"),
        ("", "X-Amz-Expires should be a number"),
    ] {
        let answer = with(expires)
            .expect_error(400, "AuthorizationQueryParametersError")
            .text();
        assert!(answer.contains(&format!("<Message>{message}</Message>")), "{answer}");
    }
    let signed = |expires_s| store.send_as_is(&store.signer().presign(store.addressed(get()), expires_s));
    signed(604_800).expect_status(200);
    // Over as soon as it begins.
    signed(0).expect_error(403, "AccessDenied");
}

#[test]
fn urls_that_are_over_or_not_yet_valid() {
    let store = store();
    let at = |unix_s, expires_s| {
        let mut signer = store.signer();
        signer.unix_s = unix_s;
        store.send_as_is(&signer.presign(store.addressed(get()), expires_s))
    };
    let now = now_unix_s();
    let over = at(now - 3600, 60).expect_error(403, "AccessDenied").text();
    assert!(over.contains("<Message>Request has expired</Message>"), "{over}");
    assert_eq!(xml::text(&over, "X-Amz-Expires").as_deref(), Some("60"));
    for field in ["Expires", "ServerTime"] {
        assert!(
            xml::text(&over, field).is_some_and(|time| time.ends_with('Z')),
            "{over}"
        );
    }
    at(now - 3600, 7200).expect_status(200);
    let early = at(now + 3600, 60).expect_error(403, "AccessDenied").text();
    assert!(early.contains("<Message>Request is not yet valid</Message>"), "{early}");
}

#[test]
fn parameters_that_are_missing_or_malformed() {
    let store = store();
    let whole = store.signer().presign(store.addressed(get()), 60);
    for name in [
        "Algorithm",
        "Credential",
        "Date",
        "Expires",
        "SignedHeaders",
        "Signature",
    ] {
        let name = format!("X-Amz-{name}");
        let mut request = whole.clone();
        request.parameters.retain(|(known, _)| *known != name);
        let answer = store
            .send_as_is(&request)
            .expect_error(400, "AuthorizationQueryParametersError")
            .text();
        assert!(
            answer.contains("Query-string authentication version 4 requires the X-Amz-Algorithm"),
            "{answer}"
        );
    }
    for (name, value) in [
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA1"),
        ("X-Amz-Credential", "key/20131301"),
        ("X-Amz-Date", "2013-05-24T00:00:00Z"),
        ("X-Amz-Date", "20130524T000000Z"),
    ] {
        let mut request = whole.clone();
        for (known, old) in &mut request.parameters {
            if known == name {
                *old = Some(value.to_owned());
            }
        }
        store
            .send_as_is(&request)
            .expect_error(400, "AuthorizationQueryParametersError");
    }
}

/// "You must include the host header and any x-amz-* headers in the signed headers."
#[test]
fn headers_that_nobody_signed_are_refused() {
    let store = store();
    let put = || store.addressed(Request::object("PUT", BUCKET, "key").body("changed"));
    let answers = [
        store.send_as_is(
            &store
                .signer()
                .presign(put(), 60)
                .header("x-amz-meta-color", "red")
                .header("X-Amz-Acl", "private"),
        ),
        store.send_as_is(
            &store
                .signer()
                .sign(put())
                .header("x-amz-meta-color", "red")
                .header("X-Amz-Acl", "private"),
        ),
    ];
    for answer in answers {
        let text = answer.expect_error(403, "AccessDenied").text();
        assert!(
            text.contains("There were headers present in the request which were not signed"),
            "{text}"
        );
        assert_eq!(
            xml::text(&text, "HeadersNotSigned").as_deref(),
            Some("x-amz-meta-color, x-amz-acl")
        );
    }
    assert_eq!(store.get(BUCKET, "key").body, b"content");
}

/// Clients move x-amz-* headers into the query; there they count as headers.
#[test]
fn checksums_in_the_query_count() {
    let store = store();
    let send = |request: Request| store.send_as_is(&store.signer().presign(store.addressed(request), 60));
    let put = |body: &str| {
        let request = Request::object("PUT", BUCKET, "sum").query("x-amz-sdk-checksum-algorithm", "CRC32");
        send(
            request
                .query("x-amz-checksum-crc32", &crc32_base64(b"content"))
                .body(body),
        )
    };
    put("other").expect_error(400, "BadDigest");
    put("content").expect_status(200);
    let answer = send(Request::object("GET", BUCKET, "sum").query("x-amz-checksum-mode", "ENABLED"));
    let expected = crc32_base64(b"content");
    assert_eq!(answer.header("x-amz-checksum-crc32"), Some(expected.as_str()));
    send(Request::object("GET", BUCKET, "sum").query("x-amz-checksum-mode", "maybe"))
        .expect_error(400, "InvalidRequest");
}

#[test]
fn one_mechanism_at_a_time() {
    let store = store();
    let presigned = store.signer().presign(store.addressed(get()), 60);
    let answer = store
        .send_as_is(&store.signer().sign(presigned))
        .expect_error(400, "InvalidArgument")
        .text();
    assert!(answer.contains("Only one auth mechanism allowed"), "{answer}");
    assert_eq!(xml::text(&answer, "ArgumentName").as_deref(), Some("Authorization"));
}
