//! Bodies in both framings at once: HTTP's around aws-chunked.
#![allow(clippy::unwrap_used)]

mod aws_chunks;
mod oracle;

use aws_chunks::{Body, CHUNKS, Kind, LENGTH, declaration, decode_body, http_chunks};
use corelane_proto::{
    auth::payload::{ContentSha256, PayloadDeclaration},
    error::{ErrorCode, S3Error},
    http::head::BodyFraming,
};

/// HTTP's chunks may tear aws-chunked framing anywhere.
#[test]
fn aws_chunks_inside_http_chunks_of_every_size() {
    for kind in Kind::ALL {
        let (inner, declaration) = (kind.body(&CHUNKS), kind.declaration(LENGTH));
        for size in 1..=inner.len() {
            let outer = http_chunks(&inner, size);
            for read in [1, 3, outer.len()] {
                let body = decode_body(&declaration, kind.signer(), BodyFraming::Chunked, &outer, read).unwrap();
                assert_eq!(body.payload, CHUNKS.concat());
                assert_eq!(body.consumed, outer.len());
            }
        }
    }
}

#[test]
fn the_next_request_is_left_alone() {
    for kind in Kind::ALL {
        let (inner, declaration) = (kind.body(&CHUNKS), kind.declaration(LENGTH));
        let next = b"GET / HTTP/1.1\r\n";
        for (framing, outer) in [
            (BodyFraming::Length(inner.len() as u64), inner.clone()),
            (BodyFraming::Chunked, http_chunks(&inner, 20)),
        ] {
            let wire = [&outer[..], next].concat();
            let body = decode_body(&declaration, kind.signer(), framing, &wire, wire.len()).unwrap();
            assert_eq!(body.consumed, outer.len());
        }
    }
}

#[test]
fn http_bytes_after_the_inner_end_are_refused() {
    for kind in Kind::ALL {
        let mut inner = kind.body(&CHUNKS);
        inner.push(b'x');
        let framing = BodyFraming::Length(inner.len() as u64);
        let error = decode_body(&kind.declaration(LENGTH), kind.signer(), framing, &inner, 9).unwrap_err();
        assert_eq!(error.code, ErrorCode::IncompleteBody);
        let outer = http_chunks(&inner, 11);
        assert!(
            decode_body(
                &kind.declaration(LENGTH),
                kind.signer(),
                BodyFraming::Chunked,
                &outer,
                9
            )
            .is_err()
        );
    }
}

#[test]
fn bodies_without_aws_chunks() {
    let plain = |length| PayloadDeclaration {
        decoded_length: length,
        ..declaration(ContentSha256::Unsigned, None, 0)
    };
    let decode = |length, framing, wire: &[u8]| decode_body(&plain(length), None, framing, wire, 3);
    let payload = |result: Result<Body, S3Error>| result.unwrap().payload;
    assert_eq!(payload(decode(Some(5), BodyFraming::Length(5), b"helloGET")), b"hello");
    assert_eq!(payload(decode(Some(0), BodyFraming::Length(0), b"GET")), b"");
    assert_eq!(payload(decode(None, BodyFraming::None, b"GET")), b"");
    let chunked = b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
    assert_eq!(payload(decode(Some(5), BodyFraming::Chunked, chunked)), b"hello");
    assert_eq!(payload(decode(None, BodyFraming::Chunked, chunked)), b"hello");
    for length in [0, 4, 6] {
        let error = decode(Some(length), BodyFraming::Chunked, chunked).unwrap_err();
        assert_eq!(error.code, ErrorCode::IncompleteBody);
    }
}
