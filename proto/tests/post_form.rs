//! Forms of PostObject: taken apart however they arrive, and held against their policies.
#![allow(clippy::unwrap_used, clippy::panic)]

use base64::prelude::{BASE64_STANDARD, Engine as _};
use corelane_proto::{
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
    s3::post::{
        credential::FormCredential,
        form::Fields,
        policy::{LengthRange, Policy},
        reader::{FormEvent, FormReader},
        success::{self, Success},
    },
};
use proptest::{
    collection::vec,
    prelude::{any, prop_assert_eq, proptest},
};

fn head(content_type: &str) -> RequestHead {
    let text = format!("POST /b HTTP/1.1\r\nHost: h\r\nContent-Type: {content_type}\r\nContent-Length: 1\r\n\r\n");
    RequestHead::parse(text.as_bytes()).unwrap().unwrap().0
}

fn reader() -> FormReader {
    FormReader::new(&head("multipart/form-data; boundary=xYz")).unwrap()
}

type Parsed = (Vec<(String, String)>, Option<(String, Vec<u8>)>);

/// Feeds a body in pieces; fields, and the file.
fn parse(body: &[u8], piece_bytes: usize) -> Result<Parsed, S3Error> {
    let mut reader = reader();
    let mut pieces = body.chunks(piece_bytes);
    let (mut fields, mut file): Parsed = (Vec::new(), None);
    loop {
        match reader.next_event()? {
            FormEvent::NeedMore => match pieces.next() {
                Some(piece) => reader.push(piece),
                None => return Err(ErrorCode::IncompleteBody.into()),
            },
            FormEvent::Field { name, value } => fields.push((name, String::from_utf8(value).unwrap())),
            FormEvent::File { filename } => file = Some((filename, Vec::new())),
            FormEvent::Data(bytes) => file.as_mut().unwrap().1.extend_from_slice(&bytes),
            FormEvent::FileEnd => {}
            FormEvent::End => return Ok((fields, file)),
        }
    }
}

const FORM: &[u8] =
    b"preamble\r\n--xYz\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\na/${filename}\r\n--xYz \r\n\
content-disposition: form-data; name=\"empty\"\r\nX: y\r\n\r\n\r\n--xYz\r\nContent-Disposition: form-data; \
filename=\"C:\\dir\\na\\\"me.txt\"; name=file\r\nContent-Type: text/plain\r\n\r\nx\r\n-\r\n--x\r\n--xY\r\n\r\n--xYz\r\n\
Content-Disposition: form-data; name=\"submit\"\r\n\r\nUpload\r\n--xYz--\r\nepilogue";

#[test]
fn a_form_is_the_same_in_pieces_of_any_length() {
    let fields = [("key", "a/${filename}"), ("empty", "")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let file = ("na\"me.txt".to_owned(), b"x\r\n-\r\n--x\r\n--xY\r\n".to_vec());
    for piece_bytes in 1..FORM.len() {
        let parsed = parse(FORM, piece_bytes).unwrap();
        assert_eq!(parsed, (fields.to_vec(), Some(file.clone())), "{piece_bytes}");
    }
}

/// Cut anywhere, it is not complete; nothing that is not the file's is ever taken for it.
#[test]
fn a_truncated_form_is_never_complete() {
    let end = FORM.len() - b"\r\nepilogue".len();
    for cut in 0..end {
        assert!(parse(&FORM[..cut], 7).is_err(), "{cut}");
    }
    assert!(parse(&FORM[..end], 7).is_ok());
}

proptest! {
    #[test]
    fn any_file_survives(file in vec(any::<u8>(), 0..600), almost in 0..8_usize, piece_bytes in 1..50_usize) {
        let mut content = file.clone();
        content.extend_from_slice(&b"\r\n--xYw"[..almost.min(7)]);
        let mut body = b"--xYz\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n".to_vec();
        body.extend_from_slice(&content);
        body.extend_from_slice(b"\r\n--xYz--");
        let (fields, parsed) = parse(&body, piece_bytes).unwrap();
        prop_assert_eq!(fields, Vec::new());
        prop_assert_eq!(parsed, Some((String::new(), content)));
    }

    /// Whatever comes, the reader neither fails otherwise nor keeps on forever.
    #[test]
    fn any_bytes_end(body in vec(proptest::sample::select(&b"\r\n-xYz:; =\"name\\file"[..]), 0..300)) {
        let _ = parse(&body, 5);
    }
}

#[test]
fn what_is_no_form() {
    for content_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "multipart/form-data; boundary=",
    ] {
        let error = FormReader::new(&head(content_type)).unwrap_err();
        assert_eq!(error.code, ErrorCode::PreconditionFailed);
        assert_eq!(
            error.fields,
            [(
                "Condition",
                "Bucket POST must be of the enclosure-type multipart/form-data".to_owned()
            )]
        );
    }
    assert!(FormReader::new(&head("Multipart/Form-Data; charset=utf-8; Boundary=\"a b\"")).is_ok());
    let code = |body: &[u8]| parse(body, 3).unwrap_err().code;
    let disposition = "Content-Disposition: form-data; name=";
    assert_eq!(code(b"--xYzz"), ErrorCode::MalformedPOSTRequest);
    assert_eq!(
        code(b"--xYz\r\n\r\nno header\r\n--xYz--"),
        ErrorCode::MalformedPOSTRequest
    );
    assert_eq!(
        code(b"--xYz\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\n"),
        ErrorCode::MalformedPOSTRequest
    );
    assert_eq!(
        code(format!("--xYz\r\n{disposition}\"open\r\n\r\n").as_bytes()),
        ErrorCode::MalformedPOSTRequest
    );
    let file = format!("--xYz\r\n{disposition}\"file\"\r\n\r\nx\r\n");
    assert_eq!(
        code(format!("{file}{file}--xYz--").as_bytes()),
        ErrorCode::IncorrectNumberOfFilesInPostRequest
    );
    let long = "v".repeat(21_000);
    let field = format!("--xYz\r\n{disposition}\"f\"\r\n\r\n{long}\r\n");
    assert_eq!(code(field.as_bytes()), ErrorCode::MaxPostPreDataLengthExceededError);
    assert_eq!(
        code(format!("--xYz\r\n{disposition}{long}").as_bytes()),
        ErrorCode::MaxPostPreDataLengthExceededError
    );
    assert_eq!(
        code(format!("{file}{field}--xYz--").as_bytes()),
        ErrorCode::MalformedPOSTRequest
    );
}

fn fields(pairs: &[(&str, &str)]) -> Fields {
    let mut fields = Fields::default();
    for (name, value) in pairs {
        fields.add((*name).to_owned(), value.as_bytes().to_vec()).unwrap();
    }
    fields
}

fn policy(text: &str) -> Result<Policy, S3Error> {
    Policy::parse(&BASE64_STANDARD.encode(text))
}

/// 2013-01-01T00:00:00Z.
const NOW_UNIX_MS: u64 = 1_356_998_400_000;

fn check(conditions: &str, pairs: &[(&str, &str)]) -> Result<(), S3Error> {
    let text = format!("{{\"expiration\": \"2013-08-01T12:00:00.000Z\", \"conditions\": [{conditions}]}}");
    policy(&text)?.check(&fields(pairs), "bucket", NOW_UNIX_MS)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>.
#[test]
fn conditions() {
    let bucket = "{\"bUcKeT\": \"bucket\"}";
    let with = |more: &str| format!("{bucket}, {more}");
    for (conditions, pairs) in [
        (bucket.to_owned(), vec![]),
        (with("{\"key\": \"a\"}"), vec![("kEy", "a")]),
        (with("[\"eQ\", \"$KEY\", \"a\"]"), vec![("key", "a")]),
        (with("[\"starts-with\", \"$key\", \"user/\"]"), vec![("key", "user/x")]),
        (with("[\"starts-with\", \"$key\", \"\"]"), vec![("key", "")]),
        (
            with("[\"starts-with\", \"$Content-Type\", \"image/\"]"),
            vec![("Content-Type", "image/jpg, image/png")],
        ),
        (with("{\"key\": \"\\$a\\v\\\\\"}"), vec![("key", "$a\u{b}\\")]),
        (
            bucket.to_owned(),
            vec![
                ("x-ignore-a", "1"),
                ("Policy", "p"),
                ("X-Amz-Signature", "s"),
                ("AWSAccessKeyId", "k"),
                ("signature", "s"),
            ],
        ),
    ] {
        assert_eq!(check(&conditions, &pairs), Ok(()), "{conditions}");
    }
    for (conditions, pairs, message) in [
        (
            "{\"bucket\": \"other\"}".to_owned(),
            vec![],
            "Policy Condition failed: [\"eq\", \"$bucket\", \"other\"]",
        ),
        (
            with("{\"key\": \"a\"}"),
            vec![("key", "b")],
            "Policy Condition failed: [\"eq\", \"$key\", \"a\"]",
        ),
        (
            with("{\"key\": \"a\"}"),
            vec![],
            "Policy Condition failed: [\"eq\", \"$key\", \"a\"]",
        ),
        (
            with("[\"starts-with\", \"$name\", \"\"]"),
            vec![],
            "Policy Condition failed: [\"starts-with\", \"$name\", \"\"]",
        ),
        (
            with("[\"starts-with\", \"$Content-Type\", \"image/\"]"),
            vec![("content-type", "image/jpg,text/html")],
            "Policy Condition failed: [\"starts-with\", \"$Content-Type\", \"image/\"]",
        ),
        // Every condition of a field must hold.
        (
            with("[\"starts-with\", \"$key\", \"a\"], {\"key\": \"ab\"}"),
            vec![("key", "ac")],
            "Policy Condition failed: [\"eq\", \"$key\", \"ab\"]",
        ),
        (
            bucket.to_owned(),
            vec![("x-amz-meta-a", "1"), ("acl", "private")],
            "Extra input fields: x-amz-meta-a, acl",
        ),
        (String::new(), vec![], "Extra input fields: bucket"),
    ] {
        let error = check(&conditions, &pairs).unwrap_err();
        assert_eq!(error.code, ErrorCode::AccessDenied);
        assert_eq!(error.message, format!("Invalid according to Policy: {message}"));
    }
}

#[test]
fn what_is_no_policy() {
    let date = "\"expiration\": \"2013-08-01T12:00:00.000Z\"";
    for text in [
        String::new(),
        "[]".to_owned(),
        "{\"conditions\": []}".to_owned(),
        format!("{{{date}}}"),
        format!("{{{date}, \"CONDITIONS\": []}}"),
        format!("{{{date}, \"conditions\": {{}}}}"),
        format!("{{{date}, \"conditions\": [{{}}]}}"),
        format!("{{{date}, \"conditions\": [{{\"a\": \"b\", \"c\": \"d\"}}]}}"),
        format!("{{{date}, \"conditions\": [{{\"a\": 1}}]}}"),
        format!("{{{date}, \"conditions\": [[\"eq\", \"key\", \"a\"]]}}"),
        format!("{{{date}, \"conditions\": [[\"eq\", \"$key\"]]}}"),
        format!("{{{date}, \"conditions\": [[\"ends-with\", \"$key\", \"a\"]]}}"),
        format!("{{{date}, \"conditions\": [[]]}}"),
        format!("{{{date}, \"conditions\": [\"key\"]}}"),
        format!("{{{date}, \"conditions\": [[\"content-length-range\", 0]]}}"),
        format!("{{{date}, \"conditions\": [[\"content-length-range\", -1, 0]]}}"),
        format!("{{{date}, \"conditions\": [[\"content-length-range\", 2, 1]]}}"),
        "{\"expiration\": \"2013-08-01 12:00:00+00:00\", \"conditions\": []}".to_owned(),
        "{\"expiration\": 1, \"conditions\": []}".to_owned(),
        format!("{}1{}", "[".repeat(1000), "]".repeat(1000)),
    ] {
        assert_eq!(
            policy(&text).unwrap_err().code,
            ErrorCode::InvalidPolicyDocument,
            "{text}"
        );
    }
    assert_eq!(Policy::parse("*").unwrap_err().code, ErrorCode::InvalidPolicyDocument);
}

#[test]
fn expiration_and_length() {
    for (expiration, is_over) in [
        ("2013-01-01T00:00:00Z", false),
        ("2013-01-01T00:00:00.000Z", false),
        ("2012-12-31T23:59:59.999Z", true),
    ] {
        let text = format!(
            "{{\"expiration\": \"{expiration}\", \"conditions\": [{{\"bucket\": \"bucket\"}}, \
             [\"content-length-range\", 1, \"10\"], [\"Content-Length-Range\", 0, 5]]}}"
        );
        let policy = policy(&text).unwrap();
        assert_eq!(policy.length(), Some(LengthRange { min: 1, max: 5 }));
        let checked = policy.check(&fields(&[]), "bucket", NOW_UNIX_MS);
        let message = checked.err().map(|error| error.message.into_owned());
        let expected = is_over.then(|| "Invalid according to Policy: Policy expired.".to_owned());
        assert_eq!(message, expected);
    }
}

/// The example of <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-post-example.html>.
#[test]
fn a_published_signature() {
    let policy = "eyAiZXhwaXJhdGlvbiI6ICIyMDE1LTEyLTMwVDEyOjAwOjAwLjAwMFoiLA0KICAiY29uZGl0aW9ucyI6IFsNCiAgICB7ImJ1Y2tldCI6ICJzaWd2NGV4YW1wbGVidWNrZXQifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRrZXkiLCAidXNlci91c2VyMS8iXSwNCiAgICB7ImFjbCI6ICJwdWJsaWMtcmVhZCJ9LA0KICAgIHsic3VjY2Vzc19hY3Rpb25fcmVkaXJlY3QiOiAiaHR0cDovL3NpZ3Y0ZXhhbXBsZWJ1Y2tldC5zMy5hbWF6b25hd3MuY29tL3N1Y2Nlc3NmdWxfdXBsb2FkLmh0bWwifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRDb250ZW50LVR5cGUiLCAiaW1hZ2UvIl0sDQogICAgeyJ4LWFtei1tZXRhLXV1aWQiOiAiMTQzNjUxMjM2NTEyNzQifSwNCiAgICB7IngtYW16LXNlcnZlci1zaWRlLWVuY3J5cHRpb24iOiAiQUVTMjU2In0sDQogICAgWyJzdGFydHMtd2l0aCIsICIkeC1hbXotbWV0YS10YWciLCAiIl0sDQoNCiAgICB7IngtYW16LWNyZWRlbnRpYWwiOiAiQUtJQUlPU0ZPRE5ON0VYQU1QTEUvMjAxNTEyMjkvdXMtZWFzdC0xL3MzL2F3czRfcmVxdWVzdCJ9LA0KICAgIHsieC1hbXotYWxnb3JpdGhtIjogIkFXUzQtSE1BQy1TSEEyNTYifSwNCiAgICB7IngtYW16LWRhdGUiOiAiMjAxNTEyMjlUMDAwMDAwWiIgfQ0KICBdDQp9";
    let form = fields(&[
        ("policy", policy),
        (
            "x-amz-credential",
            "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request",
        ),
        ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
        ("x-amz-date", "20151229T000000Z"),
        (
            "x-amz-signature",
            "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e",
        ),
    ]);
    let FormCredential::Signed(signature) = FormCredential::from_fields(&form).unwrap() else {
        panic!("no signature")
    };
    assert_eq!(
        (signature.access_key.as_str(), signature.region()),
        ("AKIAIOSFODNN7EXAMPLE", Some("us-east-1"))
    );
    signature.verify("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY").unwrap();
    let error = signature.verify("another").unwrap_err();
    assert_eq!(error.code, ErrorCode::SignatureDoesNotMatch);
    assert!(Policy::parse(policy).is_ok());
}

#[test]
fn credentials() {
    assert_eq!(
        FormCredential::from_fields(&fields(&[("key", "a")])),
        Ok(FormCredential::Anonymous)
    );
    let whole = [
        ("policy", "e30="),
        ("x-amz-credential", "k/20151229/us-east-1/s3/aws4_request"),
        ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
        ("x-amz-date", "20151229T000000Z"),
        (
            "x-amz-signature",
            "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e",
        ),
    ];
    for (missing, _) in whole {
        let rest: Vec<(&str, &str)> = whole.into_iter().filter(|(name, _)| *name != missing).collect();
        let error = FormCredential::from_fields(&fields(&rest)).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidArgument, "{missing}");
        assert!(
            error.message.starts_with("Bucket POST must contain a field named"),
            "{missing}"
        );
    }
    for (name, value) in [
        ("x-amz-credential", "k/20151228/us-east-1/s3/aws4_request"),
        ("x-amz-credential", "k"),
        ("x-amz-algorithm", "AWS4-HMAC-SHA1"),
        ("x-amz-date", "2015-12-29"),
    ] {
        let changed = whole.map(|(known, old)| if known == name { (known, value) } else { (known, old) });
        let error = FormCredential::from_fields(&fields(&changed)).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidArgument, "{value}");
    }
    let version_2 = fields(&[("policy", "e30="), ("AWSAccessKeyId", "k"), ("signature", "AAAA")]);
    let FormCredential::Signed(signature) = FormCredential::from_fields(&version_2).unwrap() else {
        panic!("no signature")
    };
    assert!(signature.is_version_2());
    assert!(signature.verify("secret").is_err());
}

#[test]
fn fields_become_headers() {
    let mut form = fields(&[
        ("key", "dir/${filename}"),
        ("acl", "private"),
        ("Content-Type", "text/plain"),
        ("X-Amz-Meta-A", "1"),
        ("x-amz-meta-a", "${filename}"),
        ("x-amz-date", "20151229T000000Z"),
        ("x-amz-checksum-crc32", "AAAAAA=="),
        (
            "tagging",
            "<Tagging><TagSet><Tag><Key>a b</Key><Value>&amp;</Value></Tag><Tag><Key>c</Key><Value/></Tag></TagSet></Tagging>",
        ),
        ("policy", "${filename}"),
        ("submit", "x"),
    ]);
    form.set_filename("n\u{e9}.txt");
    assert_eq!(form.key().unwrap().as_str(), "dir/n\u{e9}.txt");
    assert_eq!(form.value("policy"), Some("${filename}"));
    let expected = [
        ("x-amz-acl", "private"),
        ("content-type", "text/plain"),
        ("x-amz-meta-a", "1,n\u{e9}.txt"),
        ("x-amz-checksum-crc32", "AAAAAA=="),
        ("x-amz-tagging", "a%20b=%26&c="),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(form.headers().unwrap(), expected);
    // Nothing becomes a header of its own, or another request.
    for (name, value) in [
        ("x-amz-meta-a", "b\r\nx-amz-acl: private"),
        ("x-amz-meta-a: b", "c"),
        ("x-amz-meta-a\r\nb", "c"),
    ] {
        assert_eq!(
            fields(&[(name, value)]).headers().unwrap_err().code,
            ErrorCode::InvalidArgument
        );
    }
    assert_eq!(
        fields(&[("tagging", "<a/>")]).headers().unwrap_err().code,
        ErrorCode::MalformedXML
    );
    let mut twice = fields(&[("key", "a")]);
    assert_eq!(
        twice.add("Key".to_owned(), b"b".to_vec()).unwrap_err().code,
        ErrorCode::InvalidArgument
    );
    assert_eq!(
        twice.add("b".to_owned(), vec![0xff]).unwrap_err().code,
        ErrorCode::InvalidArgument
    );
    assert_eq!(fields(&[]).key().unwrap_err().code, ErrorCode::UserKeyMustBeSpecified);
    assert_eq!(
        fields(&[("key", "")]).key().unwrap_err().code,
        ErrorCode::InvalidArgument
    );
}

#[test]
fn success_is_told_as_asked() {
    for (redirect, status, expected) in [
        (None, None, Success::Status(204)),
        (None, Some("200"), Success::Status(200)),
        (None, Some("201"), Success::Status(201)),
        (None, Some("404"), Success::Status(204)),
        (Some("not a url"), Some("201"), Success::Status(201)),
        (Some("http://h/\r\nx"), None, Success::Status(204)),
        (
            Some("https://h/a?b"),
            Some("201"),
            Success::Redirect("https://h/a?b".to_owned()),
        ),
    ] {
        assert_eq!(Success::of(redirect, status), expected);
    }
    assert_eq!(
        success::redirect_location("http://h/a", "bucket", "k\u{e9}/&", "e"),
        "http://h/a?bucket=bucket&key=k%C3%A9%2F%26&etag=%22e%22"
    );
    assert_eq!(
        success::redirect_location("http://h/a?b=c#d", "bucket", "k", "e"),
        "http://h/a?b=c&bucket=bucket&key=k&etag=%22e%22#d"
    );
    let document = String::from_utf8(success::document("http://h/b/k", "b", "k", "e")).unwrap();
    assert!(document.ends_with(
        "<PostResponse><Location>http://h/b/k</Location><Bucket>b</Bucket><Key>k</Key><ETag>&quot;e&quot;</ETag></PostResponse>"
    ), "{document}");
}
