//! Authentication: what is not signed, or signed wrongly, changes and shows nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    digest::{crc32_base64, sha256_hex},
    random,
    raw::Response,
    request::Request,
    sign::unsigned_chunks,
    store::{ACCESS_KEY, Store, follow},
    tickets::parts,
};

/// A store with the bucket `safe` and the object `key` in it.
fn store() -> Store {
    let store = Store::start();
    store.make_bucket("safe");
    store.put("safe", "key", "untouched");
    store
}

#[track_caller]
fn refused(answer: Response, code: &str) {
    let status = match code {
        "AccessDenied" | "SignatureDoesNotMatch" | "InvalidAccessKeyId" | "RequestTimeTooSkewed" => 403,
        _ => 400,
    };
    assert!(!answer.text().contains("untouched"));
    answer.expect_error(status, code);
}

#[test]
fn unsigned_requests_are_refused() {
    let store = store();
    for request in [
        Request::new("GET", "/s3"),
        Request::bucket("GET", "safe"),
        Request::bucket("PUT", "new-bucket"),
        Request::bucket("DELETE", "safe"),
        Request::object("GET", "safe", "key"),
        Request::object("PUT", "safe", "key").body("changed"),
        Request::object("DELETE", "safe", "key"),
        Request::bucket("POST", "safe")
            .subresource("delete")
            .body("<Delete><Object><Key>key</Key></Object></Delete>"),
        Request::object("GET", "safe", "missing"),
        Request::bucket("GET", "missing"),
        Request::new("GET", "/v1/keys"),
    ] {
        let answer = store.send_as_is(&store.addressed(request.clone()));
        assert_eq!(answer.status, 403, "{request:?}: {}", answer.text());
        assert!(answer.text().contains("AccessDenied"));
    }
    for request in [Request::bucket("HEAD", "safe"), Request::object("HEAD", "safe", "key")] {
        assert_eq!(store.send_as_is(&store.addressed(request)).status, 403);
    }
    assert_eq!(store.get("safe", "key").body, b"untouched");
    store.send(Request::bucket("HEAD", "new-bucket")).expect_status(404);
}

#[test]
fn unknown_keys_and_wrong_secrets_are_told_apart() {
    let store = store();
    let mut signer = store.signer();
    signer.access_key = "NOSUCHKEY00000000000".to_owned();
    let get = store.addressed(Request::object("GET", "safe", "key"));
    refused(store.send_as_is(&signer.sign(get.clone())), "InvalidAccessKeyId");
    let mut signer = store.signer();
    signer.secret_key.push('x');
    let answer = store.send_as_is(&signer.sign(get));
    assert!(
        answer
            .text()
            .contains(&format!("<AWSAccessKeyId>{ACCESS_KEY}</AWSAccessKeyId>"))
    );
    refused(answer, "SignatureDoesNotMatch");
}

#[test]
fn a_signature_covers_method_path_query_and_headers() {
    let store = store();
    let signed = store.signed(
        Request::object("GET", "safe", "other")
            .query("response-content-type", "a/b")
            .header("x-amz-meta-a", "1"),
    );
    let mut changed = Vec::new();
    let mut request = signed.clone();
    request.method = "DELETE".to_owned();
    changed.push(request);
    let mut request = signed.clone();
    request.path = "/s3/safe/key".to_owned();
    changed.push(request);
    let mut request = signed.clone();
    request.parameters[0].1 = Some("c/d".to_owned());
    changed.push(request);
    changed.push(signed.clone().query("prefix", "x"));
    changed.push(
        signed
            .clone()
            .without_header("x-amz-meta-a")
            .header("x-amz-meta-a", "2"),
    );
    changed.push(signed.clone().without_header("host").header("Host", "elsewhere"));
    changed.push(
        signed
            .clone()
            .without_header("x-amz-content-sha256")
            .header("x-amz-content-sha256", sha256_hex(b"x")),
    );
    let authorization = signed.header_value("authorization").unwrap().to_owned();
    let flipped = match authorization.chars().last().unwrap() {
        '0' => format!("{}1", &authorization[..authorization.len() - 1]),
        _ => format!("{}0", &authorization[..authorization.len() - 1]),
    };
    changed.push(
        signed
            .clone()
            .without_header("authorization")
            .header("Authorization", flipped),
    );
    for request in changed {
        refused(store.send_as_is(&request), "SignatureDoesNotMatch");
    }
    refused(
        store.send_as_is(&signed.clone().header("x-amz-acl", "public-read")),
        "AccessDenied",
    );
    store.send_as_is(&signed).expect_error(404, "NoSuchKey");
}

#[test]
fn clocks_may_differ_by_fifteen_minutes() {
    let store = store();
    let at = |offset_s: i64| {
        let mut signer = store.signer();
        signer.unix_s = signer.unix_s.checked_add_signed(offset_s).unwrap();
        store.send_as_is(&signer.sign(store.addressed(Request::object("GET", "safe", "key"))))
    };
    for offset_s in [-14 * 60, 0, 14 * 60] {
        at(offset_s).expect_status(200);
    }
    for offset_s in [-16 * 60, 16 * 60, -86_400, 86_400 * 365] {
        refused(at(offset_s), "RequestTimeTooSkewed");
    }
}

#[test]
fn headers_a_signature_needs_must_be_there() {
    let store = store();
    let signed = store.signed(Request::object("GET", "safe", "key"));
    refused(
        store.send_as_is(&signed.clone().without_header("x-amz-date")),
        "AccessDenied",
    );
    // A request without a body has only one digest; a body needs to say how it is signed.
    let put = store.signed(Request::object("PUT", "safe", "key").body("changed"));
    refused(
        store.send_as_is(&put.without_header("x-amz-content-sha256")),
        "InvalidRequest",
    );
    assert_eq!(store.get("safe", "key").body, b"untouched");
    let authorization = |value: &str| {
        store.send_as_is(
            &signed
                .clone()
                .without_header("authorization")
                .header("Authorization", value),
        )
    };
    for malformed in [
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 ",
        "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=00",
        "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request, Signature=00",
    ] {
        refused(authorization(malformed), "AuthorizationHeaderMalformed");
    }
    refused(authorization("Bearer x"), "InvalidArgument");
    refused(
        authorization(&format!("AWS {ACCESS_KEY}:c2lnbmF0dXJl")),
        "InvalidRequest",
    );
    let both = store.signer().presign(signed, 60);
    assert_eq!(store.send_as_is(&both).status, 400);
}

#[test]
fn presigned_urls_work_until_they_expire() {
    let store = store();
    let presign = |request: Request, unix_s_back: u64, expires_s: u64| {
        let mut signer = store.signer();
        signer.unix_s -= unix_s_back;
        signer.presign(store.addressed(request), expires_s)
    };
    let get = || Request::object("GET", "safe", "key");
    let answer = store.send_as_is(&presign(get(), 0, 60)).expect_status(200);
    assert_eq!(answer.body, b"untouched");
    // Older than the allowed skew, but its own time is not over.
    store.send_as_is(&presign(get(), 3600, 7200)).expect_status(200);
    let with_response = presign(get().query("response-content-type", "text/x"), 0, 60);
    assert_eq!(store.send_as_is(&with_response).header("content-type"), Some("text/x"));
    let head = presign(Request::object("HEAD", "safe", "key"), 0, 60);
    store.send_as_is(&head).expect_status(200);
    let put = presign(Request::object("PUT", "safe", "by url"), 0, 60);
    store.send_as_is(&put.clone().body("uploaded")).expect_status(200);
    assert_eq!(store.get("safe", "by url").body, b"uploaded");

    refused(store.send_as_is(&presign(get(), 120, 60)), "AccessDenied");
    refused(
        store.send_as_is(&presign(get(), 0, 7 * 86_400 + 1)),
        "AuthorizationQueryParametersError",
    );
    refused(
        store.send_as_is(&presign(get(), 0, 60).query("response-expires", "x")),
        "SignatureDoesNotMatch",
    );
    let mut other = presign(get(), 0, 60);
    other.path = "/s3/safe/by%20url".to_owned();
    refused(store.send_as_is(&other), "SignatureDoesNotMatch");
    let mut other = presign(get(), 0, 60);
    other.method = "DELETE".to_owned();
    refused(store.send_as_is(&other), "SignatureDoesNotMatch");
    let mut longer = presign(get(), 120, 60);
    for (name, value) in &mut longer.parameters {
        if name == "X-Amz-Expires" {
            *value = Some("600".to_owned());
        }
    }
    refused(store.send_as_is(&longer), "SignatureDoesNotMatch");
    assert_eq!(store.get("safe", "key").body, b"untouched");
}

/// What a streaming upload needs in its head.
fn streaming(key: &str, payload: &str, decoded: usize, framed: usize) -> Request {
    Request::object("PUT", "safe", key)
        .header("x-amz-content-sha256", payload)
        .header("x-amz-decoded-content-length", decoded.to_string())
        .header("Content-Encoding", "aws-chunked")
        .header("Content-Length", framed.to_string())
}

const SIGNED_CHUNKS: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
const UNSIGNED_TRAILER: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
const CHUNK_BYTES: usize = 65_536;

/// The length of a body in signed chunks: size in hex, the signature's extension and two line ends a chunk.
fn signed_chunks_length(body: usize) -> usize {
    let chunk = |bytes: usize| format!("{bytes:x}").len() + ";chunk-signature=".len() + 64 + 4 + bytes;
    body / CHUNK_BYTES * chunk(CHUNK_BYTES)
        + if body.is_multiple_of(CHUNK_BYTES) {
            0
        } else {
            chunk(body % CHUNK_BYTES)
        }
        + chunk(0)
}

#[test]
fn signed_chunks_are_stored_only_when_every_signature_fits() {
    for route in ["proxy", "redirect"] {
        let store = Store::start_with(&["--route", route]);
        store.make_bucket("safe");
        for size in [0, 1, 65_536, 65_537, 700_001] {
            let body = random::bytes(21, size);
            let key = format!("chunked-{size}");
            let signer = store.signer();
            let request = streaming(&key, SIGNED_CHUNKS, size, signed_chunks_length(size));
            let request = signer.sign(store.addressed(request));
            let framed = signer.signed_chunks(&body, CHUNK_BYTES, &request);
            let send = |framed: Vec<u8>| {
                let request = request.clone().body(framed);
                let answer = store.send_as_is(&request);
                match answer.header("location") {
                    Some(location) if answer.status == 307 => {
                        let (port, target) = parts(location);
                        follow(&request, port, &target)
                    }
                    _ => answer,
                }
            };
            for position in [40, framed.len() - 10] {
                let mut wrong = framed.clone();
                wrong[position] = if wrong[position] == b'0' { b'1' } else { b'0' };
                assert_eq!(send(wrong).status, 403, "{size} at {position}");
                store
                    .send_following(Request::object("GET", "safe", &key))
                    .expect_error(404, "NoSuchKey");
            }
            if size > 0 {
                let mut wrong = framed.clone();
                let payload_at = framed.windows(2).position(|window| window == b"\r\n").unwrap() + 2;
                wrong[payload_at] ^= 1;
                send(wrong).expect_error(403, "SignatureDoesNotMatch");
                store
                    .send_following(Request::object("GET", "safe", &key))
                    .expect_error(404, "NoSuchKey");
            }
            send(framed).expect_status(200);
            let got = store
                .send_following(Request::object("GET", "safe", &key))
                .expect_status(200);
            assert!(got.body == body);
            // How it travelled is no property of the object.
            assert_eq!(got.header("content-encoding"), None);
        }
    }
}

#[test]
fn an_unsigned_trailer_is_verified_before_the_object_is_stored() {
    for route in ["proxy", "redirect"] {
        let store = Store::start_with(&["--route", route]);
        store.make_bucket("safe");
        for size in [0, 10, 500_000] {
            let body = random::bytes(22, size);
            let key = format!("trailer-{size}");
            let send = |framed: Vec<u8>, decoded: usize, announced: &str| {
                let request = streaming(&key, UNSIGNED_TRAILER, decoded, framed.len())
                    .header("x-amz-trailer", announced)
                    .body(framed);
                store.send_following(request)
            };
            let good = unsigned_chunks(&body, 100_000, "x-amz-checksum-crc32", &crc32_base64(&body));
            let wrong = unsigned_chunks(&body, 100_000, "x-amz-checksum-crc32", &crc32_base64(b"other"));
            let missing = unsigned_chunks(&body, 100_000, "x-other", "value");
            send(wrong, size, "x-amz-checksum-crc32").expect_error(400, "BadDigest");
            assert_eq!(send(missing, size, "x-amz-checksum-crc32").status, 400);
            assert_eq!(send(good.clone(), size + 1, "x-amz-checksum-crc32").status, 400);
            assert_eq!(send(good.clone(), size, "x-amz-checksum-unknown").status, 400);
            store
                .send_following(Request::object("GET", "safe", &key))
                .expect_error(404, "NoSuchKey");
            send(good, size, "x-amz-checksum-crc32").expect_status(200);
            let got = store
                .send_following(Request::object("GET", "safe", &key))
                .expect_status(200);
            assert!(got.body == body);
        }
    }
}

#[test]
fn an_unsigned_trailer_does_not_make_up_for_a_wrong_signature() {
    let store = store();
    let framed = unsigned_chunks(b"changed", 100, "x-amz-checksum-crc32", &crc32_base64(b"changed"));
    let request = streaming("key", UNSIGNED_TRAILER, 7, framed.len())
        .header("x-amz-trailer", "x-amz-checksum-crc32")
        .body(framed);
    let mut signer = store.signer();
    signer.secret_key.push('x');
    refused(
        store.send_as_is(&signer.sign(store.addressed(request.clone()))),
        "SignatureDoesNotMatch",
    );
    refused(store.send_as_is(&store.addressed(request.clone())), "AccessDenied");
    let mut signer = store.signer();
    signer.access_key = "NOSUCHKEY00000000000".to_owned();
    refused(
        store.send_as_is(&signer.sign(store.addressed(request))),
        "InvalidAccessKeyId",
    );
    assert_eq!(store.get("safe", "key").body, b"untouched");
}

#[test]
fn without_authentication_everyone_may_do_everything() {
    let store = Store::start_with(&["--anonymous"]);
    let plain = |request: Request| store.send_as_is(&store.addressed(request));
    plain(Request::bucket("PUT", "open")).expect_status(200);
    plain(Request::object("PUT", "open", "key").body("x")).expect_status(200);
    assert_eq!(
        plain(Request::object("GET", "open", "key")).expect_status(200).body,
        b"x"
    );
    // A signature of an unknown key is not looked at.
    let mut signer = store.signer();
    signer.access_key = "ANYONE00000000000000".to_owned();
    let signed = signer.sign(store.addressed(Request::object("GET", "open", "key")));
    store.send_as_is(&signed).expect_status(200);
    let forged = plain(Request::object("GET", "open", "key").query("corelane-ticket", "garbage"));
    forged.expect_error(403, "AccessDenied");
}
