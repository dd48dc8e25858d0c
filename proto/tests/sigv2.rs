//! Signature Version 2: AWS's own examples, what it covers, and what it must not let through.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use aws_lc_rs::hmac;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use corelane_proto::{
    auth::{sigv2::SignatureV2, verify::Credential},
    error::{ErrorCode, S3Error},
    http::{date, head::RequestHead, percent},
    s3::{address::Address, name::BucketName, query::Query},
};
use proptest::{
    prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest},
    sample::select,
};

const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const DATE: &str = "Tue, 27 Mar 2007 19:36:42 +0000";

fn now() -> u64 {
    date::parse_mail(DATE).unwrap()
}

fn in_host(bucket: &str) -> Address {
    Address::Host(BucketName::parse(bucket).unwrap())
}

fn verify_at(text: &str, address: &Address, now_unix_s: u64) -> Result<SignatureV2, S3Error> {
    let (head, _) = RequestHead::parse(text.as_bytes()).unwrap().expect("a whole head");
    let query = Query::parse(head.raw_query())?;
    assert_eq!(Credential::from_request(&head, &query)?, Credential::Version2);
    let claim = SignatureV2::from_request(&head, &query)?;
    claim
        .verify(&head, &query, address, SECRET_KEY, now_unix_s)
        .map(|()| claim)
}

fn code(result: Result<SignatureV2, S3Error>) -> ErrorCode {
    result.unwrap_err().code
}

/// A head without its final empty line, with an Authorization for this string to sign.
fn signed(head: &str, string_to_sign: &str) -> String {
    format!(
        "{head}\r\nAuthorization: AWS {ACCESS_KEY}:{}\r\n\r\n",
        signature(string_to_sign)
    )
}

fn signature(string_to_sign: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, SECRET_KEY.as_bytes());
    BASE64_STANDARD.encode(hmac::sign(&key, string_to_sign.as_bytes()))
}

fn presigned(target: &str, string_to_sign: &str) -> String {
    let separator = if target.contains('?') { '&' } else { '?' };
    let signature = percent::encode(signature(string_to_sign).as_bytes(), false);
    format!("{target}{separator}AWSAccessKeyId={ACCESS_KEY}&Expires=1175139620&Signature={signature}")
}

/// The examples of "Signing and authenticating REST requests", with the signatures printed there.
#[test]
fn published_examples() {
    let johnsmith = in_host("johnsmith");
    for (address, head, signature) in [
        (
            &johnsmith,
            "GET /photos/puppy.jpg HTTP/1.1\r\nHost: johnsmith.s3.amazonaws.com\r\nDate: Tue, 27 Mar 2007 19:36:42 +0000",
            "bWq2s1WEIj+Ydj0vQ697zp+IXMU=",
        ),
        (
            &johnsmith,
            "PUT /photos/puppy.jpg HTTP/1.1\r\nContent-Type: image/jpeg\r\nContent-Length: 94328\r\n\
             Host: johnsmith.s3.amazonaws.com\r\nDate: Tue, 27 Mar 2007 21:15:45 +0000",
            "MyyxeRY7whkBe+bq8fHCL/2kKUg=",
        ),
        (
            &johnsmith,
            "GET /?prefix=photos&max-keys=50&marker=puppy HTTP/1.1\r\nUser-Agent: Mozilla/5.0\r\n\
             Host: johnsmith.s3.amazonaws.com\r\nDate: Tue, 27 Mar 2007 19:42:41 +0000",
            "htDYFYduRNen8P9ZfE/s9SuKy0U=",
        ),
        (
            &johnsmith,
            "GET /?acl HTTP/1.1\r\nHost: johnsmith.s3.amazonaws.com\r\nDate: Tue, 27 Mar 2007 19:44:46 +0000",
            "c2WLPFtWHVgbEmeEG93a4cG37dM=",
        ),
        // Date and x-amz-date, in the two ways that editions of the page have it.
        (
            &Address::Path,
            "DELETE /johnsmith/photos/puppy.jpg HTTP/1.1\r\nUser-Agent: dotnet\r\nHost: s3.amazonaws.com\r\n\
             Date: Tue, 27 Mar 2007 21:20:26 +0000",
            "lx3byBScXR6KzyMaifNkardMwNk=",
        ),
        (
            &Address::Path,
            "DELETE /johnsmith/photos/puppy.jpg HTTP/1.1\r\nUser-Agent: dotnet\r\nHost: s3.amazonaws.com\r\n\
             Date: Tue, 27 Mar 2007 21:20:27 +0000\r\nx-amz-date: Tue, 27 Mar 2007 21:20:26 +0000",
            "R4dJ53KECjStyBO5iTBJZ4XVOaI=",
        ),
        (
            &in_host("static.johnsmith.net"),
            "PUT /db-backup.dat.gz HTTP/1.1\r\nUser-Agent: curl/7.15.5\r\nHost: static.johnsmith.net:8080\r\n\
             Date: Tue, 27 Mar 2007 21:06:08 +0000\r\nx-amz-acl: public-read\r\nContent-Type: application/x-download\r\n\
             Content-MD5: 4gJE4saaMU4BqNR0kLY+lw==\r\nX-Amz-Meta-ReviewedBy: joe@johnsmith.net\r\n\
             X-Amz-Meta-ReviewedBy: jane@johnsmith.net\r\nX-Amz-Meta-FileChecksum: 0x02661779\r\n\
             X-Amz-Meta-ChecksumAlgorithm: crc32\r\nContent-Disposition: attachment; filename=database.dat\r\n\
             Content-Encoding: gzip\r\nContent-Length: 5913339",
            "ilyl83RwaSoYIEdixDQcA4OnAnc=",
        ),
        (
            &Address::Path,
            "GET / HTTP/1.1\r\nHost: s3.amazonaws.com\r\nDate: Wed, 28 Mar 2007 01:29:59 +0000",
            "qGdzdERIC03wnaRNKh6OqZehG9s=",
        ),
        (
            &Address::Path,
            "GET /dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re HTTP/1.1\r\nHost: s3.amazonaws.com\r\n\
             Date: Wed, 28 Mar 2007 01:49:49 +0000",
            "DNEZGsoieTZ92F3bUfSPQcbGmlM=",
        ),
    ] {
        let text = format!("{head}\r\nAuthorization: AWS {ACCESS_KEY}:{signature}\r\n\r\n");
        let (parsed, _) = RequestHead::parse(text.as_bytes()).unwrap().unwrap();
        let signed_at = parsed.header_str("x-amz-date").or(parsed.header_str("date")).unwrap();
        let claim = verify_at(&text, address, date::parse_mail(signed_at).unwrap()).unwrap();
        assert_eq!((claim.access_key.as_str(), claim.expires_unix_s), (ACCESS_KEY, None));
    }
    let presigned = "GET /photos/puppy.jpg?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Expires=1175139620\
                     &Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D HTTP/1.1\r\nHost: johnsmith.s3.amazonaws.com\r\n\r\n";
    for now_unix_s in [0, 1_175_139_620] {
        verify_at(presigned, &johnsmith, now_unix_s).unwrap();
        // A client that leaves the plus as it is.
        verify_at(&presigned.replace("%2B", "+"), &johnsmith, now_unix_s).unwrap();
    }
    let error = verify_at(presigned, &johnsmith, 1_175_139_621).unwrap_err();
    assert_eq!(
        (error.code, error.message.as_ref()),
        (ErrorCode::AccessDenied, "Request has expired")
    );
}

#[test]
fn clients_sign_the_path_with_and_without_the_endpoints() {
    for (path, signed_path) in [
        ("/s3/bucket/key", "/bucket/key"),
        ("/s3/bucket/key", "/s3/bucket/key"),
        ("/bucket/key", "/bucket/key"),
        // boto3.
        ("/s3/bucket", "/bucket/"),
        ("/bucket", "/bucket/"),
        ("/s3/", "/"),
        ("/s3", "/"),
        // Quoted again between signer and socket.
        ("/s3/bucket/a(b)", "/bucket/a%28b%29"),
    ] {
        let head = format!("GET {path} HTTP/1.1\r\nHost: h\r\nDate: {DATE}");
        let text = signed(&head, &format!("GET\n\n\n{DATE}\n{signed_path}"));
        verify_at(&text, &Address::Path, now()).unwrap_or_else(|error| panic!("{path} {signed_path}: {error}"));
    }
    for (address, path, signed_path) in [
        (Address::Path, "/bucket/key", "/s3/bucket/key"),
        (Address::Path, "/bucket/key", "/other/key"),
        (Address::Path, "/bucket/key", "/bucket/key/"),
        (Address::Path, "/s3x/key", "/x/key"),
        (in_host("bucket"), "/key", "/key"),
        (in_host("bucket"), "/s3/key", "/bucket/key"),
        (in_host("bucket"), "/key", "/other/key"),
    ] {
        let head = format!("GET {path} HTTP/1.1\r\nHost: h\r\nDate: {DATE}");
        let text = signed(&head, &format!("GET\n\n\n{DATE}\n{signed_path}"));
        assert_eq!(
            code(verify_at(&text, &address, now())),
            ErrorCode::SignatureDoesNotMatch,
            "{address:?} {path} {signed_path}"
        );
    }
}

#[test]
fn subresources_are_signed() {
    let ask = |method: &str, query: &str, resource: &str| {
        let head = format!("{method} /bucket/key?{query} HTTP/1.1\r\nHost: h\r\nDate: {DATE}");
        let text = signed(&head, &format!("{method}\n\n\n{DATE}\n/bucket/key{resource}"));
        verify_at(&text, &Address::Path, now()).map(|_| ())
    };
    for (method, query, resource) in [
        ("GET", "acl", "?acl"),
        ("GET", "prefix=x&acl&max-keys=1", "?acl"),
        ("GET", "acl=", "?acl="),
        ("PUT", "uploadId=b&partNumber=1", "?partNumber=1&uploadId=b"),
        ("GET", "response-content-type=a%2Fb", "?response-content-type=a/b"),
        ("GET", "x-id=GetObject&corelane-route=proxy&corelane-ticket=t", ""),
        ("GET", "attributes", "?attributes"),
        // Younger than the signature: some clients do not sign it, and nothing is changed.
        ("GET", "attributes", ""),
        ("PUT", "retention", "?retention"),
    ] {
        assert_eq!(ask(method, query, resource), Ok(()), "{method} {query}");
    }
    for (method, query, resource) in [
        ("GET", "acl", ""),
        ("GET", "", "?acl"),
        ("PUT", "uploadId=c&partNumber=1", "?partNumber=1&uploadId=b"),
        ("PUT", "tagging", ""),
        ("PUT", "retention", ""),
        ("DELETE", "versionId=1", ""),
        ("GET", "response-content-type=text/html", ""),
    ] {
        let error = ask(method, query, resource).unwrap_err();
        assert_eq!(error.code, ErrorCode::SignatureDoesNotMatch, "{method} {query}");
    }
}

#[test]
fn headers_that_a_presigned_url_holds() {
    // As boto3 presigns a PutObject with content type and metadata.
    let string_to_sign = "PUT\n\ntext/plain\n1175139620\nx-amz-meta-a:b\n/bucket/key";
    let target = presigned(
        "/s3/bucket/key?content-type=text%2Fplain&x-amz-meta-a=b",
        string_to_sign,
    );
    let put = |headers: &str| {
        let text = format!("PUT {target} HTTP/1.1\r\nHost: h\r\n{headers}\r\n");
        verify_at(&text, &Address::Path, 0).map(|_| ())
    };
    assert_eq!(put("Content-Type: text/plain\r\nx-amz-meta-a: b\r\n"), Ok(()));
    assert_eq!(put("Content-Type: text/plain\r\n"), Ok(()));
    assert_eq!(put(""), Ok(()));
    for other in [
        "Content-Type: text/html\r\n",
        "x-amz-meta-a: c\r\n",
        "x-amz-meta-other: b\r\n",
        "Content-MD5: 4gJE4saaMU4BqNR0kLY+lw==\r\n",
    ] {
        assert_eq!(
            put(other).unwrap_err().code,
            ErrorCode::SignatureDoesNotMatch,
            "{other}"
        );
    }
}

#[test]
fn clocks() {
    let text = |headers: &str, date_line: &str, amz: &str| {
        signed(
            &format!("GET /b/k HTTP/1.1\r\nHost: h\r\n{headers}"),
            &format!("GET\n\n\n{date_line}\n{amz}/b/k"),
        )
    };
    let plain = text(&format!("Date: {DATE}"), DATE, "");
    for skew in [-900i64, 0, 900] {
        verify_at(&plain, &Address::Path, now().checked_add_signed(skew).unwrap()).unwrap();
    }
    for skew in [-901i64, 901] {
        let error = verify_at(&plain, &Address::Path, now().checked_add_signed(skew).unwrap()).unwrap_err();
        assert_eq!(error.code, ErrorCode::RequestTimeTooSkewed);
    }
    // x-amz-date counts where there are both.
    let both = text(
        &format!("Date: Mon, 01 Jan 2001 00:00:00 GMT\r\nx-amz-date: {DATE}"),
        "",
        &format!("x-amz-date:{DATE}\n"),
    );
    verify_at(&both, &Address::Path, now()).unwrap();
    let basic = text("x-amz-date: 20070327T193642Z", "", "x-amz-date:20070327T193642Z\n");
    verify_at(&basic, &Address::Path, now()).unwrap();
    for headers in ["Date: yesterday", "X-Other: x"] {
        assert_eq!(
            code(verify_at(&text(headers, "", ""), &Address::Path, now())),
            ErrorCode::AccessDenied
        );
    }
}

#[test]
fn malformed_claims() {
    for value in ["AWS", "AWS ", "AWS AK", "AWS :x", "AWS AK:", "AWS \u{fc}"] {
        let text = format!("GET / HTTP/1.1\r\nHost: h\r\nDate: {DATE}\r\nAuthorization: {value}\r\n\r\n");
        assert_eq!(
            code(verify_at(&text, &Address::Path, now())),
            ErrorCode::InvalidArgument,
            "{value}"
        );
    }
    for value in [
        "AWS AK:x",
        "AWS AK:bWq2s1WEIj+Ydj0vQ697zp+IXMU",
        "AWS AK:bWq2s1WEIj+Ydj0vQ697zp+IXMUA",
    ] {
        let text = format!("GET / HTTP/1.1\r\nHost: h\r\nDate: {DATE}\r\nAuthorization: {value}\r\n\r\n");
        assert_eq!(
            code(verify_at(&text, &Address::Path, now())),
            ErrorCode::SignatureDoesNotMatch,
            "{value}"
        );
    }
    for query in [
        "AWSAccessKeyId=AK",
        "AWSAccessKeyId=AK&Signature=x",
        "AWSAccessKeyId=&Signature=x&Expires=1",
        "AWSAccessKeyId=AK&Signature=x&Expires=1&Expires=2",
        "AWSAccessKeyId=AK&Signature=x&Expires=tomorrow",
        "AWSAccessKeyId=AK&Signature=x&Expires=-1",
        "AWSAccessKeyId=AK&Signature=x&Expires=%2B1",
        "AWSAccessKeyId=AK&Signature=x&Expires=99999999999999999999",
    ] {
        let text = format!("GET /?{query} HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(
            code(verify_at(&text, &Address::Path, 0)),
            ErrorCode::AccessDenied,
            "{query}"
        );
    }
}

#[test]
fn chunks_that_claim_to_be_signed_are_refused() {
    let value = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
    let text = signed(
        &format!("PUT /b/k HTTP/1.1\r\nHost: h\r\nDate: {DATE}\r\nx-amz-content-sha256: {value}"),
        &format!("PUT\n\n\n{DATE}\nx-amz-content-sha256:{value}\n/b/k"),
    );
    assert_eq!(code(verify_at(&text, &Address::Path, now())), ErrorCode::InvalidRequest);
}

#[test]
fn nothing_printed_helps_to_send_a_request_again() {
    let text = signed(
        &format!("GET /b/k HTTP/1.1\r\nHost: h\r\nDate: {DATE}"),
        &format!("GET\n\n\n{DATE}\n/b/k"),
    );
    let claim = verify_at(&text, &Address::Path, now()).unwrap();
    assert_eq!(
        format!("{claim:?}"),
        "SignatureV2 { access_key: \"AKIAIOSFODNN7EXAMPLE\", expires_unix_s: None, .. }"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    /// What is signed verifies, for any key; with one signed thing changed it does not.
    #[test]
    fn signed_requests_verify_and_changed_ones_do_not(
        key in "\\PC{1,40}",
        meta in "[a-zA-Z0-9 ,:-]{0,20}",
        content_type in "[a-z/]{0,12}",
        method in select(vec!["GET", "PUT", "DELETE", "HEAD"]),
        host_style in any::<bool>(),
        change in 0usize..6,
    ) {
        let path = percent::encode(key.as_bytes(), true);
        let (address, sent_path) = match host_style {
            true => (in_host("bucket"), format!("/{path}")),
            false => (Address::Path, format!("/bucket/{path}")),
        };
        let string_to_sign = format!(
            "{method}\n\n{}\n{DATE}\nx-amz-meta-m:{}\n/bucket/{path}",
            content_type.trim(),
            meta.trim()
        );
        let head = |method: &str, path: &str, content_type: &str, date: &str, meta: &str| {
            format!(
                "{method} {path} HTTP/1.1\r\nHost: h\r\nContent-Type: {content_type}\r\nDate: {date}\r\nx-amz-meta-m: {meta}"
            )
        };
        let good = signed(&head(method, &sent_path, &content_type, DATE, &meta), &string_to_sign);
        prop_assert!(verify_at(&good, &address, now()).is_ok(), "{}", good);
        let changed = match change {
            0 => head("POST", &sent_path, &content_type, DATE, &meta),
            1 => head(method, &format!("{sent_path}x"), &content_type, DATE, &meta),
            2 => head(method, &sent_path, &format!("{content_type}x"), DATE, &meta),
            3 => head(method, &sent_path, &content_type, "Tue, 27 Mar 2007 19:36:43 +0000", &meta),
            4 => head(method, &sent_path, &content_type, DATE, &format!("{meta}x")),
            _ => head(method, &format!("{sent_path}?acl"), &content_type, DATE, &meta),
        };
        let bad = signed(&changed, &string_to_sign);
        prop_assert_eq!(code(verify_at(&bad, &address, now())), ErrorCode::SignatureDoesNotMatch);
    }
}
