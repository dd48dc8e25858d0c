//! Signature V4: AWS's published examples, an independent signer as oracle, and what must be refused.
#![allow(clippy::unwrap_used, clippy::panic)]

mod oracle;

use corelane_proto::{
    auth::{
        sigv4::hex,
        verify::{Credential, SignatureClaim, Verified},
    },
    error::{ErrorCode, S3Error},
    http::{date, head::RequestHead, percent},
    s3::query::Query,
};
use oracle::{ACCESS_KEY, EMPTY, Request, SECRET_KEY, encoded_target};
use proptest::prelude::{ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, proptest};

const TIMESTAMP: &str = "20130524T000000Z";
const CREDENTIAL: &str = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request";

/// The four examples of sig-v4-header-based-auth.
#[test]
fn aws_examples_in_the_header() {
    let examples = [
        (
            "GET /test.txt HTTP/1.1\r\nRange: bytes=0-9\r\n",
            EMPTY,
            "host;range;x-amz-content-sha256;x-amz-date",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "PUT /test$file.text HTTP/1.1\r\nDate: Fri, 24 May 2013 00:00:00 GMT\r\n\
             x-amz-storage-class: REDUCED_REDUNDANCY\r\n",
            "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
            "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            "GET /?lifecycle HTTP/1.1\r\n",
            EMPTY,
            "host;x-amz-content-sha256;x-amz-date",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            "GET /?max-keys=2&prefix=J HTTP/1.1\r\n",
            EMPTY,
            "host;x-amz-content-sha256;x-amz-date",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ];
    for (start, payload_hash, signed_headers, signature) in examples {
        let head = format!(
            "{start}Host: examplebucket.s3.amazonaws.com\r\nx-amz-content-sha256: {payload_hash}\r\n\
             x-amz-date: {TIMESTAMP}\r\nAuthorization: AWS4-HMAC-SHA256 \
             Credential={CREDENTIAL},SignedHeaders={signed_headers},Signature={signature}\r\n\r\n"
        );
        let verified = verify(&head, now()).unwrap();
        assert_eq!(hex(&verified.signature), signature);
        assert_eq!(verified.timestamp, TIMESTAMP);
        assert_eq!(verified.scope.region, "us-east-1");
    }
}

/// The request that opens the example of sigv4-streaming.
#[test]
fn aws_example_seed_signature() {
    let head = format!(
        "PUT /examplebucket/chunkObject.txt HTTP/1.1\r\nHost: s3.amazonaws.com\r\nx-amz-date: {TIMESTAMP}\r\n\
         x-amz-storage-class: REDUCED_REDUNDANCY\r\nAuthorization: AWS4-HMAC-SHA256 Credential={CREDENTIAL},\
         SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;\
         x-amz-decoded-content-length;x-amz-storage-class,\
         Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9\r\n\
         x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\r\nContent-Encoding: aws-chunked\r\n\
         x-amz-decoded-content-length: 66560\r\nContent-Length: 66824\r\n\r\n"
    );
    verify(&head, now()).unwrap();
}

/// The example of sigv4-query-string-auth.
#[test]
fn aws_example_presigned() {
    let head = presigned_example("aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
    verify(&head, now()).unwrap();
    verify(&head, now() + 86_400).unwrap();
    let error = verify(&head, now() + 86_401).unwrap_err();
    assert_eq!(
        (error.code, &*error.message),
        (ErrorCode::AccessDenied, "Request has expired")
    );
    assert_eq!(field(&error, "Expires"), "2013-05-25T00:00:00.000Z");
    assert_eq!(field(&error, "ServerTime"), "2013-05-25T00:00:01.000Z");
    // Ahead of this machine's clock by no more than the skew.
    verify(&head, now() - 900).unwrap();
    let error = verify(&head, now() - 901).unwrap_err();
    assert_eq!(
        (error.code, &*error.message),
        (ErrorCode::AccessDenied, "Request is not yet valid")
    );
}

fn presigned_example(signature: &str) -> String {
    format!(
        "GET /test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1\
         %2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
         &X-Amz-Signature={signature} HTTP/1.1\r\nHost: examplebucket.s3.amazonaws.com\r\n\r\n"
    )
}

#[test]
fn a_wrong_signature_key_or_request() {
    let request = request("PUT", "/bucket/key");
    let head = request.signed_head(encoded_target);
    verify(&head, now()).unwrap();
    for (from, to) in [
        ("PUT ", "GET "),
        ("/bucket/key", "/bucket/kez"),
        ("?list=a%20b", "?list=a%20c"),
        ("?list=a%20b", ""),
        ("Host: localhost", "Host: localhosu"),
        ("x-amz-meta-a: 1", "x-amz-meta-a: 2"),
        ("x-amz-content-sha256: e3", "x-amz-content-sha256: e4"),
        ("us-east-1", "us-east-2"),
    ] {
        assert!(head.contains(from));
        let error = verify(&head.replacen(from, to, 1), now()).unwrap_err();
        assert_eq!(error.code, ErrorCode::SignatureDoesNotMatch, "{from}");
    }
    let (parsed, claim) = claim(&head).unwrap();
    let error = claim.verify(&parsed, "another secret", now()).unwrap_err();
    assert_eq!(error.code, ErrorCode::SignatureDoesNotMatch);
    assert_eq!(field(&error, "AWSAccessKeyId"), ACCESS_KEY);
    assert_eq!(field(&error, "SignatureProvided"), request.signature(&request.query));
    assert!(field(&error, "StringToSign").starts_with("AWS4-HMAC-SHA256\n20130524T000000Z\n20130524/us-east-1/s3/"));
    assert!(field(&error, "CanonicalRequest").starts_with("PUT\n/bucket/key\nlist=a%20b\nhost:localhost\n"));
}

#[test]
fn skew() {
    let head = request("GET", "/").signed_head(encoded_target);
    for now in [now() - 900, now() + 900] {
        verify(&head, now).unwrap();
    }
    for now in [now() - 901, now() + 901, 0, u64::MAX / 1000] {
        let error = verify(&head, now).unwrap_err();
        assert_eq!(error.code, ErrorCode::RequestTimeTooSkewed);
        assert_eq!(field(&error, "RequestTime"), TIMESTAMP);
        assert_eq!(field(&error, "MaxAllowedSkewMilliseconds"), "900000");
    }
}

#[test]
fn headers_that_must_be_signed() {
    let head = request("GET", "/").signed_head(encoded_target);
    for (from, unsigned) in [
        (";x-amz-meta-a", "x-amz-meta-a"),
        ("host;", "host"),
        (";x-amz-date", "x-amz-date"),
    ] {
        let error = verify(&head.replacen(from, "", 1), now()).unwrap_err();
        assert_eq!(error.code, ErrorCode::AccessDenied);
        assert_eq!(field(&error, "HeadersNotSigned"), unsigned);
    }
    let added = head.replacen("Host:", "X-Amz-Acl: public-read\r\nHost:", 1);
    assert_eq!(
        field(&verify(&added, now()).unwrap_err(), "HeadersNotSigned"),
        "x-amz-acl"
    );
    // A presigned URL does not allow more than its signer did.
    let presigned = request("GET", "/").presigned_head(60);
    let added = presigned.replacen("Host:", "x-amz-copy-source: /b/k\r\nHost:", 1);
    assert_eq!(
        field(&verify(&added, now()).unwrap_err(), "HeadersNotSigned"),
        "x-amz-copy-source"
    );
    // Everything else may come unsigned.
    verify(
        &head.replacen("Host:", "User-Agent: x\r\nRange: bytes=0-1\r\nHost:", 1),
        now(),
    )
    .unwrap();
}

#[test]
fn header_signatures_require_a_payload_hash() {
    let mut request = request("PUT", "/key");
    request.headers.retain(|(name, _)| name != "x-amz-content-sha256");
    let with_body = request
        .signed_head(encoded_target)
        .replacen("Host:", "Content-Length: 5\r\nHost:", 1);
    let error = verify(&with_body, now()).unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidRequest);
    assert_eq!(
        error.message,
        "Missing required header for this request: x-amz-content-sha256"
    );
    // Without a body, what curl before 8 signs is taken: the hash of nothing.
    let mut request = self::request("GET", "/key");
    request.headers.retain(|(name, _)| name != "x-amz-content-sha256");
    verify(&request.signed_head(encoded_target), now()).unwrap();
}

/// s3cmd signs `Host + P`: if a Host may hold a slash, its signature for an object would be good for a bucket.
#[test]
fn a_host_with_a_slash() {
    let mut request = request("DELETE", "/key");
    request.headers.retain(|(name, _)| name != "Host");
    request
        .headers
        .push(("Host".to_owned(), "localhost/s3/bucket".to_owned()));
    let error = verify(&request.signed_head(encoded_target), now()).unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidRequest);
}

#[test]
fn the_ticket_may_or_may_not_be_signed() {
    let request = request("GET", "/bucket/key");
    let unsigned = request.signed_head(|request| format!("{}&corelane-ticket=abc", encoded_target(request)));
    verify(&unsigned, now()).unwrap();
    let mut with_ticket = request.clone();
    with_ticket.query.push(("corelane-ticket".to_owned(), "abc".to_owned()));
    let head = with_ticket.signed_head(encoded_target);
    verify(&head, now()).unwrap();
    verify(&head.replacen("ticket=abc", "ticket=abd", 1), now()).unwrap_err();
    verify(&unsigned.replacen("corelane-ticket", "Corelane-Ticket", 1), now()).unwrap_err();
}

#[test]
fn the_date_header_serves_too() {
    for text in ["Fri, 24 May 2013 00:00:00 GMT", TIMESTAMP] {
        let mut request = request("GET", "/");
        request.headers.retain(|(name, _)| name != "x-amz-date");
        request.headers.push(("Date".to_owned(), text.to_owned()));
        let verified = verify(&request.signed_head(encoded_target), now()).unwrap();
        assert_eq!(verified.timestamp, TIMESTAMP);
    }
}

#[test]
fn presigned_with_a_payload_hash() {
    let mut request = request("PUT", "/bucket/key");
    request
        .headers
        .retain(|(name, _)| name != "x-amz-content-sha256" && name != "x-amz-date");
    request.payload_hash = "UNSIGNED-PAYLOAD".to_owned();
    verify(&request.presigned_head(60), now()).unwrap();
    request.payload_hash = EMPTY.to_owned();
    verify(&request.presigned_head(60), now()).unwrap_err();
    let mut in_query = request.clone();
    in_query
        .query
        .push(("X-Amz-Content-Sha256".to_owned(), EMPTY.to_owned()));
    verify(&in_query.presigned_head(60), now()).unwrap();
    request
        .headers
        .push(("x-amz-content-sha256".to_owned(), EMPTY.to_owned()));
    verify(&request.presigned_head(60), now()).unwrap();
}

#[test]
fn secrets_and_signatures_are_not_printed() {
    let head = request("GET", "/").signed_head(encoded_target);
    let (parsed, claim) = claim(&head).unwrap();
    let verified = claim.verify(&parsed, SECRET_KEY, now()).unwrap();
    let debug = format!("{claim:?} {verified:?}");
    let signature = format!("{:?}", claim.signature);
    assert!(!debug.contains(&signature[1..20]));
    assert!(!debug.contains(&hex(&claim.signature)));
    assert!(!debug.contains("signing_key: SigningKey(["));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    /// Whatever a correct client signs is accepted; with any other secret it is not.
    #[test]
    fn any_request_by_the_oracle(request in any_request(), presign in any::<bool>(), expires_s in 1u64..=604_800) {
        let head = if presign { request.presigned_head(expires_s) } else { request.signed_head(encoded_target) };
        let (parsed, claim) = claim(&head).unwrap();
        prop_assert!(claim.verify(&parsed, SECRET_KEY, now()).is_ok(), "{head}");
        prop_assert_eq!(claim.verify(&parsed, "x", now()).unwrap_err().code, ErrorCode::SignatureDoesNotMatch);
    }

    /// So is what a library re-quoted on its way: reserved characters bare, escapes in lower case, a query as it came.
    #[test]
    fn any_requoting(request in any_request()) {
        let head = request.signed_head(|request| {
            let encoded = encoded_target(request);
            let (path, query) = encoded.split_once('?').unwrap_or((&encoded, ""));
            let path = path.to_ascii_lowercase_escapes().replace("%28", "(").replace("%21", "!").replace("%2b", "+");
            let query = query.to_ascii_lowercase_escapes().replace("%2f", "/").replace("%20", "+");
            format!("{path}?{query}")
        });
        prop_assert!(verify(&head, now()).is_ok(), "{head}");
    }

    /// Reading a claim never fails in another way than with an S3 error.
    #[test]
    fn any_authorization(value in "[ -~]{0,80}", prefix in "(AWS4-HMAC-SHA256 )?(Credential=)?") {
        let start = format!("GET / HTTP/1.1\r\nHost: h\r\nx-amz-date: {TIMESTAMP}");
        let head = format!("{start}\r\nAuthorization: {prefix}{value}\r\n\r\n");
        prop_assert!(claim(&head).is_err());
    }
}

trait LowercaseEscapes {
    fn to_ascii_lowercase_escapes(&self) -> String;
}
impl LowercaseEscapes for str {
    fn to_ascii_lowercase_escapes(&self) -> String {
        let mut left = 0;
        self.chars()
            .map(|character| {
                left = if character == '%' { 3 } else { left };
                let lower = left > 0;
                left -= i32::from(lower);
                if lower {
                    character.to_ascii_lowercase()
                } else {
                    character
                }
            })
            .collect()
    }
}

fn any_request() -> impl Strategy<Value = Request> {
    let header = ("x-amz-meta-[a-c]", "[!-~]{1,4}( {1,3}[!-~]{1,4}){0,2}|é ü");
    (
        proptest::sample::select(vec!["GET", "PUT", "HEAD", "DELETE", "POST"]),
        proptest::collection::vec(any::<u8>(), 0..24),
        proptest::collection::vec(("[!-~é]{1,6}", "[ -~é]{0,6}"), 0..4),
        proptest::collection::vec(header, 0..4),
        "[a-z0-9-]{0,12}",
    )
        .prop_map(|(method, path, query, headers, region)| {
            let mut request = request(method, "");
            request.path = [b"/bucket/", &path[..]].concat();
            request.query = query;
            request.headers.extend(headers);
            request.region = region;
            request
        })
        .prop_filter("a signature's own parameters", |request| {
            request.query.iter().all(|(name, _)| !name.starts_with("X-Amz-"))
        })
}

fn request(method: &'static str, path: &str) -> Request {
    let headers = [
        ("Host", "localhost"),
        ("x-amz-content-sha256", EMPTY),
        ("x-amz-date", TIMESTAMP),
        ("x-amz-meta-a", "1"),
    ];
    Request {
        method,
        path: path.as_bytes().to_vec(),
        query: vec![("list".to_owned(), "a b".to_owned())],
        headers: headers
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        payload_hash: EMPTY.to_owned(),
        timestamp: TIMESTAMP.to_owned(),
        region: "us-east-1".to_owned(),
    }
}

fn now() -> u64 {
    date::parse_sigv4(TIMESTAMP).unwrap()
}

fn claim(head: &str) -> Result<(RequestHead, SignatureClaim), S3Error> {
    let (head, _) = RequestHead::parse(head.as_bytes()).unwrap().unwrap();
    let query = Query::parse(head.raw_query())?;
    match Credential::from_request(&head, &query)? {
        Credential::Signed(claim) => Ok((head, claim)),
        other => panic!("taken for {other:?}"),
    }
}

fn verify(head: &str, now_unix_s: u64) -> Result<Verified, S3Error> {
    let (head, claim) = claim(head)?;
    assert!(percent::decode(head.raw_path()).is_some());
    claim.verify(&head, SECRET_KEY, now_unix_s)
}

fn field<'e>(error: &'e S3Error, name: &str) -> &'e str {
    let found = error.fields.iter().find(|(found, _)| *found == name);
    found.map_or("", |(_, value)| value.as_str())
}
