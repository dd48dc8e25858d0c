//! Request heads: whatever the network's cuts, the same head or the same refusal; nothing that another parser on the way could
//! read differently gets through.
#![allow(clippy::unwrap_used)]

use corelane_proto::{
    error::ErrorCode,
    http::head::{BodyFraming, HeadError, Method, RequestHead},
    limits::{HEADER_COUNT_MAX, REQUEST_HEAD_BYTES_MAX},
};
use proptest::prelude::{ProptestConfig, any, prop, prop_assert, prop_assert_eq, proptest};

/// What a head says, in a form that compares.
type Summary = (Vec<u8>, String, Vec<(String, Vec<u8>)>, BodyFraming, bool, bool, usize);

fn parse(bytes: &[u8]) -> Result<Option<Summary>, HeadError> {
    let parsed = RequestHead::parse(bytes)?;
    Ok(parsed.map(|(head, length)| {
        (
            head.raw().to_vec(),
            format!("{} {}?{}", head.method_name(), head.raw_path(), head.raw_query()),
            head.headers()
                .map(|(name, value)| (name.to_owned(), value.to_vec()))
                .collect(),
            head.framing(),
            head.keep_alive(),
            head.expects_continue(),
            length,
        )
    }))
}

/// Feeds ever more bytes, as a connection does, until there is an answer.
fn parse_growing(bytes: &[u8]) -> Result<Option<Summary>, HeadError> {
    for end in 0..=bytes.len() {
        match parse(&bytes[..end]) {
            Ok(None) => {}
            answer => return answer,
        }
    }
    Ok(None)
}

fn refused(text: &str) -> HeadError {
    let whole = parse(text.as_bytes()).unwrap_err();
    assert_eq!(parse_growing(text.as_bytes()).unwrap_err(), whole, "{text:?}");
    whole
}

fn accepted(text: &str) -> RequestHead {
    RequestHead::parse(text.as_bytes()).unwrap().unwrap().0
}

#[test]
fn split_at_every_byte() {
    let text = "\r\n\r\nPUT /s3/b/%C3%A9?x-id=PutObject HTTP/1.1\r\nHost: 127.0.0.1:51080\r\nContent-Length: 4\r\n\
                Expect: 100-continue\r\nX-Amz-Meta-E:\r\nAuthorization: AWS4-HMAC-SHA256 a, b\r\n\r\n";
    let pipelined = format!("{text}bodyGET / HTTP/1.1\r\n");
    let whole = parse(pipelined.as_bytes()).unwrap().unwrap();
    assert_eq!(whole.6, text.len());
    for end in 0..text.len() {
        assert_eq!(parse(&pipelined.as_bytes()[..end]), Ok(None));
    }
    for end in text.len()..pipelined.len() {
        assert_eq!(parse(&pipelined.as_bytes()[..end]), Ok(Some(whole.clone())));
    }
}

#[test]
fn smuggling_forms_are_refused() {
    let request = |fields: &str| format!("POST /b/k HTTP/1.1\r\nHost: h\r\n{fields}\r\n\r\n");
    for fields in [
        "Content-Length: 1\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 1",
        "Content-Length: 1\r\ncontent-length: 2",
        "Content-Length: 1, 1",
        "Content-Length: +1",
        "Content-Length: 0x1",
        "Content-Length: 1 1",
        "Content-Length:",
        "Content-Length: -1",
        "Content-Length: 18446744073709551616",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding:",
    ] {
        assert_eq!(refused(&request(fields)), HeadError::ConflictingFraming, "{fields}");
    }
    for fields in [
        "Content-Length : 1",
        " Content-Length: 1",
        "A: b\r\n Content-Length: 1",
        "A: b\r\n\tc",
        "A: b\nContent-Length: 1",
        "A: b\rContent-Length: 1",
        "A: b\0",
        "A b",
        ": b",
        "A\u{e9}: b",
        "A(: b",
    ] {
        assert_eq!(refused(&request(fields)), HeadError::Malformed, "{fields}");
    }
    for text in [
        "GET /b HTTP/1.1\nHost: h\r\n\r\n",
        "GET /b HTTP/1.1\r\nHost: h\n\n",
        "GET /b HTTP/1.1\r\nHost: h\r\n\n",
        "\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET  /b HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /b  HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /b\tHTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /b x HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /b HTTP/2.0\r\nHost: h\r\n\r\n",
        "GET /b HTTP/1.2\r\nHost: h\r\n\r\n",
        "GET /b\r\n\r\n",
        " GET /b HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /b\u{7f} HTTP/1.1\r\nHost: h\r\n\r\n",
        "\u{16}\u{3}\u{1}TLS",
    ] {
        assert_eq!(refused(text), HeadError::Malformed, "{text:?}");
    }
    assert_eq!(
        refused("POST /b HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
        HeadError::ConflictingFraming
    );
    assert_eq!(refused("GET /b HTTP/1.1\r\n\r\n"), HeadError::Host);
    assert_eq!(
        refused("GET /b HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n"),
        HeadError::Host
    );
}

#[test]
fn framing_connection_and_expectation() {
    for (line_and_fields, framing, keep_alive, expects_continue) in [
        ("GET / HTTP/1.1\r\nHost: h", BodyFraming::None, true, false),
        (
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: Foo, CLOSE",
            BodyFraming::None,
            false,
            false,
        ),
        (
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: foo\r\nConnection: close",
            BodyFraming::None,
            false,
            false,
        ),
        (
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: closed",
            BodyFraming::None,
            true,
            false,
        ),
        (
            "GET / HTTP/1.0\r\nExpect: 100-continue",
            BodyFraming::None,
            false,
            false,
        ),
        (
            "GET / HTTP/1.0\r\nConnection: keep-alive",
            BodyFraming::None,
            false,
            false,
        ),
        (
            "PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 0",
            BodyFraming::Length(0),
            true,
            true,
        ),
        (
            "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked",
            BodyFraming::Chunked,
            true,
            false,
        ),
        (
            "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\nContent-Length: 7",
            BodyFraming::Length(7),
            true,
            false,
        ),
    ] {
        let head = accepted(&format!("{line_and_fields}\r\n\r\n"));
        assert_eq!(head.framing(), framing, "{line_and_fields}");
        assert_eq!(head.keep_alive(), keep_alive, "{line_and_fields}");
        assert_eq!(head.expects_continue(), expects_continue, "{line_and_fields}");
    }
}

#[test]
fn declared_lengths() {
    let length = |fields: &str| accepted(&format!("PUT / HTTP/1.1\r\nHost: h\r\n{fields}\r\n\r\n")).decoded_length();
    assert_eq!(length("Content-Length: 9"), Ok(9));
    assert_eq!(length("Content-Length: 9\r\nX-Amz-Decoded-Content-Length: 3"), Ok(3));
    assert_eq!(
        length("Transfer-Encoding: chunked\r\nx-amz-decoded-content-length: 3"),
        Ok(3)
    );
    assert_eq!(
        length("Transfer-Encoding: chunked").unwrap_err().code,
        ErrorCode::MissingContentLength
    );
    assert_eq!(length("A: b").unwrap_err().code, ErrorCode::MissingContentLength);
    assert_eq!(
        length("x-amz-decoded-content-length: -1").unwrap_err().code,
        ErrorCode::InvalidArgument
    );
}

#[test]
fn methods_and_absolute_targets() {
    for (name, method) in [
        ("GET", Method::Get),
        ("HEAD", Method::Head),
        ("PUT", Method::Put),
        ("POST", Method::Post),
        ("DELETE", Method::Delete),
        ("OPTIONS", Method::Options),
        ("get", Method::Other),
        ("PROPFIND", Method::Other),
    ] {
        let head = accepted(&format!("{name} http://h:1/b/k?q HTTP/1.1\r\nHost: h\r\n\r\n"));
        assert_eq!(
            (head.method(), head.method_name(), head.target()),
            (method, name, "/b/k?q")
        );
    }
}

#[test]
fn sizes_at_the_limits() {
    let with_length = |length: usize| {
        let start = "GET / HTTP/1.1\r\nHost: h\r\nA: ";
        format!("{start}{}\r\n\r\n", "x".repeat(length - start.len() - 4))
    };
    let fits = with_length(REQUEST_HEAD_BYTES_MAX);
    assert_eq!(parse(fits.as_bytes()).unwrap().unwrap().6, REQUEST_HEAD_BYTES_MAX);
    assert_eq!(parse(&fits.as_bytes()[..REQUEST_HEAD_BYTES_MAX - 1]), Ok(None));
    let over = with_length(REQUEST_HEAD_BYTES_MAX + 1);
    assert_eq!(parse(over.as_bytes()), Err(HeadError::TooLarge));
    assert_eq!(
        parse(&over.as_bytes()[..REQUEST_HEAD_BYTES_MAX]),
        Err(HeadError::TooLarge)
    );
    assert_eq!(
        parse("\r\n".repeat(REQUEST_HEAD_BYTES_MAX).as_bytes()),
        Err(HeadError::TooLarge)
    );

    let with_count = |count: usize| format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "A: b\r\n".repeat(count - 1));
    assert_eq!(
        parse(with_count(HEADER_COUNT_MAX).as_bytes()).unwrap().unwrap().2.len(),
        HEADER_COUNT_MAX
    );
    assert_eq!(
        parse(with_count(HEADER_COUNT_MAX + 1).as_bytes()),
        Err(HeadError::TooManyHeaders)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Well-formed heads are read as they were meant, however they arrive.
    #[test]
    fn well_formed_heads(
        path in "/[!-~&&[^?]]{0,30}",
        query in prop::option::of("[!-~]{0,20}"),
        fields in prop::collection::vec(("[a-z!#$%&'*+.^_`|~-]{1,12}[0-9]", "[!-~\u{80}-\u{ff}]([ -~\u{e9}\t]{0,20}[!-~])?"), 0..6),
        body in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let target = match &query {
            Some(query) => format!("{path}?{query}"),
            None => path.clone(),
        };
        let mut text = format!("DELETE {target} HTTP/1.1\r\nhost: h\r\n");
        for (name, value) in &fields {
            text.push_str(&format!("{name}:\t {value} \r\n"));
        }
        text.push_str("\r\n");
        let wire = [text.as_bytes(), &body].concat();
        let whole = parse(&wire).unwrap().unwrap();
        prop_assert_eq!(&whole, &parse_growing(&wire).unwrap().unwrap());
        prop_assert_eq!(&whole.0, text.as_bytes());
        prop_assert_eq!(&whole.1, &format!("DELETE {path}?{}", query.unwrap_or_default()));
        let sent: Vec<(String, Vec<u8>)> = fields.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect();
        prop_assert_eq!(&whole.2[1..], &sent[..]);
    }

    /// Damaged heads: cuts change nothing, and a head that is taken has CRLF line ends only.
    #[test]
    fn damaged_heads(
        position in any::<prop::sample::Index>(),
        damage in prop::collection::vec(prop::sample::select(b"\r\n \t:\0\x7f\xff,;a1?/".to_vec()), 0..4),
        removed in 0usize..4,
    ) {
        let mut wire = b"PUT http://h/b/k?q=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\nConnection: close\r\nX: y\r\n\r\n".to_vec();
        let at = position.index(wire.len());
        let end = (at + removed).min(wire.len());
        wire.splice(at..end, damage);
        let whole = parse(&wire);
        prop_assert_eq!(&whole, &parse_growing(&wire));
        if let Ok(Some((raw, ..))) = whole {
            let lines = raw.split(|byte| *byte == b'\n').collect::<Vec<_>>();
            let (last, lines) = lines.split_last().unwrap();
            prop_assert!(last.is_empty());
            prop_assert!(lines.iter().all(|line| line.iter().position(|byte| *byte == b'\r') == Some(line.len() - 1)));
        }
    }
}
