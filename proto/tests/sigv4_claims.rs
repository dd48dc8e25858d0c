//! Reading credentials and payload declarations out of requests: S3's errors, by code and message.
#![allow(clippy::unwrap_used, clippy::panic)]

use corelane_proto::{
    auth::{
        payload::{ContentSha256, PayloadDeclaration},
        verify::{Credential, version_2_refused},
    },
    digest::checksum::ChecksumAlgorithm,
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
    limits::PUT_OBJECT_BYTES_MAX,
    s3::query::Query,
    wire::{Decoder, Encoder},
};

const GOOD: &str = "AWS4-HMAC-SHA256 Credential=AK/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;x-amz-date,\
    Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";

#[test]
fn a_good_header() {
    let spaced = GOOD.replace(',', " ,  ");
    let reordered = "AWS4-HMAC-SHA256 Signature=F0E8BDB87C964420E857BD35B5D6ED310BD44F0170ABA48DD91039C6036BDB41, \
        SignedHeaders=Host;X-Amz-Date, Credential=AK/20130524/us-east-1/s3/aws4_request";
    let claims: Vec<_> = [GOOD, &spaced, reordered]
        .into_iter()
        .map(|value| match credential("/", value) {
            Ok(Credential::Signed(claim)) => claim,
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(claims.iter().all(|claim| *claim == claims[0]));
    assert_eq!(claims[0].access_key, "AK");
    assert_eq!(claims[0].signed_headers, ["host", "x-amz-date"]);
    assert_eq!(claims[0].expires_s, None);
    // Region and service are taken as they come, and an access key may hold slashes.
    let odd = GOOD.replace("AK/20130524/us-east-1/s3", "a/k/20130524//other");
    let Ok(Credential::Signed(claim)) = credential("/", &odd) else {
        panic!("refused");
    };
    assert_eq!((claim.access_key.as_str(), claim.scope.region.as_str()), ("a/k", ""));
}

#[test]
fn nothing_is_anonymous() {
    let head = head("GET /b/k?versions&response-content-type=x HTTP/1.1\r\nHost: h\r\n\r\n");
    let query = Query::parse(head.raw_query()).unwrap();
    assert_eq!(Credential::from_request(&head, &query), Ok(Credential::Anonymous));
}

#[test]
fn malformed_headers() {
    let three = "the authorization header requires three components: Credential, SignedHeaders, and Signature.";
    for (from, to, message) in [
        ("Credential=", "Credentials=", three),
        ("SignedHeaders=host;x-amz-date", "SignedHeaders=", three),
        ("SignedHeaders=host;x-amz-date", "SignedHeaders=host;;x-amz-date", three),
        (",Signature", ",Credential=a,Signature", three),
        (
            "/us-east-1",
            "",
            "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".",
        ),
        (
            "aws4_request",
            "aws5_request",
            "incorrect terminal \"aws5_request\". This endpoint uses \"aws4_request\".",
        ),
        (
            "AK/",
            "/",
            "a non-empty Access Key (AKID) must be provided in the credential.",
        ),
        (
            "20130524",
            "2013-5-24",
            "incorrect date format \"2013-5-24\". This date in the credential must be in the format \"yyyyMMdd\".",
        ),
        (
            "20130524",
            "20130525",
            "Invalid credential date \"20130525\". This date is not the same as X-Amz-Date: \"20130524\".",
        ),
    ] {
        let error = credential("/", &GOOD.replacen(from, to, 1)).unwrap_err();
        assert_eq!(error.code, ErrorCode::AuthorizationHeaderMalformed, "{to}");
        assert_eq!(
            error.message,
            format!("The authorization header is malformed; {message}")
        );
    }
    let many = GOOD.replacen("host;", &"host;".repeat(200), 1);
    assert_eq!(code(credential("/", &many)), ErrorCode::AuthorizationHeaderMalformed);
    let short = &GOOD[..GOOD.len() - 1];
    assert_eq!(code(credential("/", short)), ErrorCode::SignatureDoesNotMatch);
}

#[test]
fn other_mechanisms() {
    for value in ["AWS AK:frJIUN8DYpKDtOLCwo//yllqDzg=", "AWS"] {
        assert_eq!(credential("/", value).unwrap(), Credential::Version2);
    }
    let refused = version_2_refused();
    assert_eq!(refused.code, ErrorCode::InvalidRequest);
    assert_eq!(
        refused.message,
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
    );
    for value in [
        "Bearer secret",
        "Basic YTpi",
        "aws4-hmac-sha256 x",
        "AWS3 AK:x",
        "aws AK:x",
        "",
    ] {
        let error = credential("/", value).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidArgument);
        assert!(!format!("{error:?}").contains("secret"));
    }
    let target = "/b/k?AWSAccessKeyId=AK&Signature=x&Expires=1";
    let head = head(&format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n"));
    let query = Query::parse(head.raw_query()).unwrap();
    assert_eq!(Credential::from_request(&head, &query).unwrap(), Credential::Version2);
}

#[test]
fn two_signatures_at_once() {
    for target in [
        "/b/k?X-Amz-Signature=x",
        "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256",
        "/b/k?AWSAccessKeyId=AK&Signature=x",
    ] {
        assert_eq!(code(credential(target, GOOD)), ErrorCode::InvalidArgument);
    }
    let twice = format!("GET / HTTP/1.1\r\nHost: h\r\nAuthorization: {GOOD}\r\nAuthorization: {GOOD}\r\n\r\n");
    let head = head(&twice);
    assert_eq!(
        code(Credential::from_request(&head, &Query::default())),
        ErrorCode::InvalidArgument
    );
}

#[test]
fn a_missing_or_bad_date() {
    for dates in ["", "x-amz-date: yesterday\r\n", "Date: 2013\r\n"] {
        let head = head(&format!(
            "GET / HTTP/1.1\r\nHost: h\r\n{dates}Authorization: {GOOD}\r\n\r\n"
        ));
        let error = Credential::from_request(&head, &Query::default()).unwrap_err();
        assert_eq!(error.code, ErrorCode::AccessDenied);
        assert_eq!(
            error.message,
            "AWS authentication requires a valid Date or x-amz-date header"
        );
    }
}

#[test]
fn presigned_parameters() {
    let good = [
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Credential", "AK%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"),
        ("X-Amz-Date", "20130524T000000Z"),
        ("X-Amz-Expires", "86400"),
        ("X-Amz-SignedHeaders", "host"),
        (
            "X-Amz-Signature",
            "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
        ),
    ];
    let read = |parameters: &[(&str, &str)]| {
        let query: Vec<String> = parameters
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        Credential::from_request(
            &head("GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
            &Query::parse(&query.join("&")).unwrap(),
        )
    };
    assert!(matches!(read(&good), Ok(Credential::Signed(claim)) if claim.expires_s == Some(86_400)));
    let six = "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, \
        X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.";
    for index in 0..good.len() {
        let mut missing = good.to_vec();
        missing.remove(index);
        let mut twice = good.to_vec();
        twice.push(good[index]);
        for parameters in [missing, twice] {
            let error = read(&parameters).unwrap_err();
            assert_eq!(error.code, ErrorCode::AuthorizationQueryParametersError);
            assert_eq!(error.message, six);
        }
    }
    for (index, value, message) in [
        (
            0,
            "AWS4-ECDSA-P256-SHA256",
            "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"",
        ),
        (
            1,
            "AK",
            "Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting \
             \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".",
        ),
        (
            2,
            "20130524",
            "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"",
        ),
        (3, "soon", "X-Amz-Expires should be a number"),
        (3, "-1", "X-Amz-Expires must be non-negative"),
        (
            3,
            "604801",
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than \
             604800 seconds",
        ),
    ] {
        let mut parameters = good.to_vec();
        parameters[index].1 = value;
        let error = read(&parameters).unwrap_err();
        assert_eq!(error.code, ErrorCode::AuthorizationQueryParametersError);
        assert_eq!(error.message, message);
    }
}

#[test]
fn declarations() {
    let unsigned = "x-amz-content-sha256: UNSIGNED-PAYLOAD\r\n";
    let chunked = "x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\n";
    let put = |headers: &str| {
        PayloadDeclaration::from_request(&head(&format!("PUT /b/k HTTP/1.1\r\nHost: h\r\n{headers}\r\n")))
    };
    let length = |headers: &str| put(headers).unwrap().decoded_length;
    assert_eq!(length("Content-Length: 3\r\n"), Some(3));
    // Only in aws-chunked framing do the two lengths differ.
    assert_eq!(
        length("Content-Length: 3\r\nx-amz-decoded-content-length: 4\r\n"),
        Some(3)
    );
    let both = format!("{chunked}Content-Length: 30\r\nx-amz-decoded-content-length: 4\r\n");
    assert_eq!(length(&both), Some(4));

    for (headers, expected) in [
        ("", ErrorCode::MissingContentLength),
        ("Transfer-Encoding: chunked\r\n", ErrorCode::MissingContentLength),
        (
            &*format!("{chunked}Content-Length: 30\r\n"),
            ErrorCode::MissingContentLength,
        ),
        ("Content-Length: 1\r\nContent-MD5: x\r\n", ErrorCode::InvalidDigest),
        ("Content-Length: 1\r\nContent-MD5: AAAA\r\n", ErrorCode::InvalidDigest),
        (
            "Content-Length: 1\r\nx-amz-content-sha256: nonsense\r\n",
            ErrorCode::InvalidArgument,
        ),
        (
            "Content-Length: 1\r\nx-amz-checksum-crc32: AAAA\r\n",
            ErrorCode::InvalidRequest,
        ),
        (
            "Content-Length: 1\r\nx-amz-checksum-crc32: AAAAAA==\r\nx-amz-checksum-crc32c: AAAAAA==\r\n",
            ErrorCode::InvalidRequest,
        ),
        (
            "Content-Length: 1\r\nx-amz-checksum-crc32: AAAAAA==\r\nx-amz-checksum-crc32: AAAAAA==\r\n",
            ErrorCode::InvalidRequest,
        ),
        (
            "Content-Length: 1\r\nx-amz-checksum-blake3: AAAAAA==\r\n",
            ErrorCode::InvalidRequest,
        ),
        (
            "Content-Length: 1\r\nx-amz-checksum-crc32: \r\n",
            ErrorCode::InvalidRequest,
        ),
        (
            "Content-Length: 1\r\nx-amz-sdk-checksum-algorithm: MD4\r\nx-amz-checksum-crc32: AAAAAA==\r\n",
            ErrorCode::InvalidRequest,
        ),
        (
            "Content-Length: 1\r\nx-amz-sdk-checksum-algorithm: SHA1\r\nx-amz-checksum-crc32: AAAAAA==\r\n",
            ErrorCode::BadDigest,
        ),
        (
            "Content-Length: 1\r\nx-amz-sdk-checksum-algorithm: CRC32\r\n",
            ErrorCode::InvalidRequest,
        ),
        (
            "Content-Length: 1\r\nx-amz-trailer: x-amz-checksum-crc32\r\n",
            ErrorCode::MalformedTrailerError,
        ),
        (
            &*format!("{both}x-amz-trailer: x-amz-meta-a\r\n"),
            ErrorCode::InvalidRequest,
        ),
        (
            &*format!("{both}x-amz-trailer: x-amz-checksum-crc32, x-amz-checksum-sha1\r\n"),
            ErrorCode::InvalidRequest,
        ),
        (
            &*format!("{both}x-amz-trailer: x-amz-checksum-crc32\r\nx-amz-checksum-crc32: AAAAAA==\r\n"),
            ErrorCode::InvalidRequest,
        ),
        (
            &*format!("{unsigned}Content-Length: 1\r\nContent-Encoding: gzip, aws-chunked\r\n"),
            ErrorCode::InvalidRequest,
        ),
    ] {
        assert_eq!(code(put(headers)), expected, "{headers}");
    }
    let large = put(&format!("Content-Length: {}\r\n", PUT_OBJECT_BYTES_MAX + 1)).unwrap_err();
    assert_eq!(large.code, ErrorCode::EntityTooLarge);
    assert_eq!(
        large.fields,
        [
            ("ProposedSize", "5368709121".to_owned()),
            ("MaxSizeAllowed", "5368709120".to_owned())
        ]
    );
    // These hold no checksum; and without x-amz-content-sha256 the body is what comes.
    put(
        "Content-Length: 1\r\nx-amz-checksum-mode: ENABLED\r\nx-amz-checksum-algorithm: CRC32\r\n\
         Content-Encoding: aws-chunked\r\n",
    )
    .unwrap();
}

#[test]
fn a_request_without_a_body_declares_nothing() {
    let declaration = PayloadDeclaration::from_request(&head(
        "GET /b/k HTTP/1.1\r\nHost: h\r\nx-amz-sdk-checksum-algorithm: CRC32\r\n\r\n",
    ));
    let declaration = declaration.unwrap();
    assert_eq!(declaration.content_sha256, ContentSha256::Unsigned);
    assert_eq!(declaration.decoded_length, None);
}

/// What an SDK signs that does not have the body yet.
#[test]
fn a_checksum_of_nothing_in_a_query_says_nothing_of_a_body() {
    let declared = |target: &str, fields: &str| {
        let text = format!("PUT {target} HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
        let head = RequestHead::parse(text.as_bytes()).unwrap().unwrap().0;
        PayloadDeclaration::from_request(&head).unwrap().checksum.is_some()
    };
    const URL: &str = "/b/k?x-amz-sdk-checksum-algorithm=CRC32&x-amz-checksum-crc32=AAAAAA%3D%3D";
    assert!(!declared(URL, "Content-Length: 1\r\n"));
    assert!(declared(URL, "Content-Length: 0\r\n"));
    assert!(declared(URL, "Content-Length: 1\r\nx-amz-checksum-crc32: AAAAAA==\r\n"));
    assert!(declared(
        "/b/k?x-amz-checksum-crc32=AAAAAQ%3D%3D",
        "Content-Length: 1\r\n"
    ));
}

#[test]
fn a_presigned_url_may_declare_the_digest_in_its_query() {
    let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let head = head(&format!(
        "PUT /b/k?X-Amz-Content-Sha256={digest} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
    ));
    let declaration = PayloadDeclaration::from_request(&head).unwrap();
    assert!(matches!(declaration.content_sha256, ContentSha256::Digest(_)));
}

#[test]
fn declarations_travel() {
    for content_sha256 in [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "UNSIGNED-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    ] {
        let trailer = match content_sha256.ends_with("TRAILER") {
            true => "x-amz-trailer: X-Amz-Checksum-Crc64nvme\r\n",
            false => "x-amz-checksum-sha1: 98O8HYCOBHMq32eZZczDTKeuNEE=\r\n",
        };
        let head = head(&format!(
            "PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\nx-amz-decoded-content-length: 9\r\n\
             Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg==\r\nx-amz-content-sha256: {content_sha256}\r\n{trailer}\r\n"
        ));
        let declaration = PayloadDeclaration::from_request(&head).unwrap();
        assert!(matches!(
            declaration.checksum_algorithm(),
            Some(ChecksumAlgorithm::Crc64Nvme | ChecksumAlgorithm::Sha1)
        ));
        let mut encoder = Encoder::new();
        declaration.encode(&mut encoder);
        let bytes = encoder.finish();
        let mut decoder = Decoder::new(&bytes);
        assert_eq!(PayloadDeclaration::decode(&mut decoder).unwrap(), declaration);
        decoder.finish().unwrap();
        for cut in 0..bytes.len() {
            assert!(PayloadDeclaration::decode(&mut Decoder::new(&bytes[..cut])).is_err());
        }
    }
}

fn credential(target: &str, authorization: &str) -> Result<Credential, S3Error> {
    let head = head(&format!(
        "GET {target} HTTP/1.1\r\nHost: h\r\nx-amz-date: 20130524T000000Z\r\nAuthorization: {authorization}\r\n\r\n"
    ));
    Credential::from_request(&head, &Query::parse(head.raw_query())?)
}

fn head(text: &str) -> RequestHead {
    RequestHead::parse(text.as_bytes()).unwrap().unwrap().0
}

fn code<T: std::fmt::Debug>(result: Result<T, S3Error>) -> ErrorCode {
    result.unwrap_err().code
}
