//! aws-chunked bodies: AWS's examples, every split, every mutation.
#![allow(clippy::unwrap_used, clippy::panic)]

mod aws_chunks;
mod oracle;

use aws_chunks::{CHUNKS, Kind, LENGTH, SEED, declaration, decode, decode_body, signer};
use corelane_proto::{
    auth::{
        chunked::AwsChunked,
        payload::{ContentSha256, PayloadDeclaration},
    },
    digest::checksum::ChecksumAlgorithm,
    error::ErrorCode,
    http::{body::Want, head::BodyFraming},
};

/// "Example: PUT Object" of sigv4-streaming.
#[test]
fn aws_example_signed_chunks() {
    let (first, second) = (vec![b'a'; 65_536], vec![b'a'; 1024]);
    let body = [
        b"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n",
        &first[..],
        b"\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n",
        &second[..],
        b"\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n",
    ]
    .concat();
    assert_eq!(body.len(), 66_824);
    let declaration = declaration(ContentSha256::SignedChunks, None, 66_560);
    let body = decode_body(
        &declaration,
        Some(signer(SEED)),
        BodyFraming::Length(66_824),
        &body,
        10_000,
    )
    .unwrap();
    assert_eq!(body.payload, vec![b'a'; 66_560]);
}

/// "Example: PUT Object" of sigv4-streaming-trailers.
#[test]
fn aws_example_signed_trailer() {
    let payload = vec![b'a'; 66_560];
    for line_end in ["\r\n", "\n\r\n"] {
        let trailer = format!(
            "x-amz-checksum-crc32c:sOO8/Q=={line_end}\
             x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435{line_end}\r\n"
        );
        let body = [
            b"10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n",
            &payload[..65_536],
            b"\r\n400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n",
            &payload[..1024],
            b"\r\n0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n",
            trailer.as_bytes(),
        ]
        .concat();
        let declaration = declaration(
            ContentSha256::SignedChunksTrailer,
            Some(ChecksumAlgorithm::Crc32c),
            66_560,
        );
        let seed = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e";
        let decoded = decode(&declaration, Some(signer(seed)), &[&body]).unwrap();
        assert_eq!(decoded.payload, payload);
        assert_eq!(
            decoded.trailers,
            [("x-amz-checksum-crc32c".to_owned(), "sOO8/Q==".to_owned())]
        );
    }
}

/// What botocore 1.43 sends over TLS.
#[test]
fn botocore_unsigned_trailer() {
    let body = b"b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n";
    let decoded = decode(&Kind::UnsignedTrailer.declaration(11), None, &[body]).unwrap();
    assert_eq!(decoded.payload, b"hello world");
    assert_eq!(
        decoded.trailers,
        [("x-amz-checksum-crc32".to_owned(), "DUoRhQ==".to_owned())]
    );
}

#[test]
fn every_split_in_two_and_byte_by_byte() {
    for kind in Kind::ALL {
        let (body, declaration) = (kind.body(&CHUNKS), kind.declaration(LENGTH));
        let whole = decode(&declaration, kind.signer(), &[&body]).unwrap();
        assert_eq!(whole.payload, CHUNKS.concat());
        for cut in 0..=body.len() {
            let (head, tail) = body.split_at(cut);
            assert_eq!(decode(&declaration, kind.signer(), &[head, tail]).unwrap(), whole);
        }
        let bytes: Vec<&[u8]> = body.chunks(1).collect();
        assert_eq!(decode(&declaration, kind.signer(), &bytes).unwrap(), whole);
    }
}

#[test]
fn every_truncation_is_incomplete() {
    for kind in Kind::ALL {
        let (body, declaration) = (kind.body(&CHUNKS), kind.declaration(LENGTH));
        for cut in 0..body.len() {
            assert!(decode(&declaration, kind.signer(), &[&body[..cut]]).is_err());
            let framing = BodyFraming::Length(cut as u64);
            let error = decode_body(&declaration, kind.signer(), framing, &body[..cut], 7).unwrap_err();
            assert_eq!(error.code, ErrorCode::IncompleteBody, "{kind:?} cut at {cut}");
        }
    }
}

/// Any byte of a signed body changed: refused, or the same payload and trailers (a hex digit's case).
#[test]
fn every_mutation_of_a_signed_body_fails() {
    for kind in [Kind::SignedChunks, Kind::SignedChunksTrailer] {
        let (body, declaration) = (kind.body(&CHUNKS), kind.declaration(LENGTH));
        let whole = decode(&declaration, kind.signer(), &[&body]).unwrap();
        for at in 0..body.len() {
            for bit in 0..8 {
                let mut mutated = body.clone();
                mutated[at] ^= 1 << bit;
                match decode(&declaration, kind.signer(), &[&mutated]) {
                    Err(_) => (),
                    Ok(decoded) => assert_eq!(decoded, whole, "{kind:?}: bit {bit} of byte {at}"),
                }
            }
        }
    }
}

#[test]
fn chunks_cannot_be_dropped_swapped_or_repeated() {
    let kind = Kind::SignedChunks;
    let declaration = PayloadDeclaration {
        decoded_length: None,
        ..kind.declaration(0)
    };
    let chunks = kind.chunks(&CHUNKS);
    for order in [
        vec![1, 2, 3],
        vec![0, 2, 3],
        vec![1, 0, 2, 3],
        vec![0, 0, 1, 2, 3],
        vec![3],
    ] {
        let body: Vec<u8> = order.iter().flat_map(|&index| chunks[index].clone()).collect();
        let error = decode(&declaration, kind.signer(), &[&body]).unwrap_err();
        assert_eq!(error.code, ErrorCode::SignatureDoesNotMatch, "{order:?}");
    }
}

#[test]
fn signatures_are_required_where_they_are_declared() {
    let signed = Kind::SignedChunks;
    let error = AwsChunked::new(&signed.declaration(LENGTH), None).unwrap_err();
    assert_eq!(error.code, ErrorCode::AccessDenied);
    let plain = Kind::UnsignedTrailer.body(&CHUNKS);
    for kind in [Kind::SignedChunks, Kind::SignedChunksTrailer] {
        assert!(decode(&kind.declaration(LENGTH), kind.signer(), &[&plain]).is_err());
    }
    // The final chunk's signature and the trailer's.
    let without = |kind: Kind, from: &str| {
        let body = String::from_utf8(kind.body(&CHUNKS)).unwrap();
        let cut = body.rfind(from).unwrap();
        let end = cut + 2 + body[cut + 2..].find("\r\n").unwrap();
        let body = format!("{}{}", &body[..cut], &body[end..]);
        decode(&kind.declaration(LENGTH), kind.signer(), &[body.as_bytes()]).unwrap_err()
    };
    without(Kind::SignedChunks, ";chunk-signature");
    without(Kind::SignedChunksTrailer, ";chunk-signature");
    without(Kind::SignedChunksTrailer, "\r\nx-amz-trailer-signature");
}

/// A server that verifies nobody reads signed bodies without their signatures.
#[test]
fn without_chunk_signatures() {
    for kind in Kind::ALL {
        let declaration = kind.declaration(LENGTH).without_chunk_signatures();
        let decoded = decode(&declaration, None, &[&kind.body(&CHUNKS)]).unwrap();
        assert_eq!(decoded.payload, CHUNKS.concat());
    }
    let plain = PayloadDeclaration {
        content_sha256: ContentSha256::Digest([7; 32]),
        ..declaration(ContentSha256::Unsigned, None, 1)
    };
    assert_eq!(plain.clone().without_chunk_signatures(), plain);
}

#[test]
fn the_total_must_be_what_was_declared() {
    for kind in Kind::ALL {
        let body = kind.body(&CHUNKS);
        for length in [0, 1, LENGTH - 1, LENGTH + 1, u64::MAX] {
            let error = decode(&kind.declaration(length), kind.signer(), &[&body]).unwrap_err();
            assert_eq!(error.code, ErrorCode::IncompleteBody, "{kind:?} {length}");
        }
    }
}

#[test]
fn malformed_framing() {
    let declaration = PayloadDeclaration {
        decoded_length: None,
        ..Kind::UnsignedTrailer.declaration(0)
    };
    let long_line = format!("1;{}\r\n", "x".repeat(600));
    let long_trailer = format!("0\r\nx-amz-checksum-crc32:{}\r\n\r\n", "x".repeat(5000));
    for body in [
        "\r\n",
        "+1\r\na\r\n0\r\n\r\n",
        "-1\r\n",
        " 1\r\na\r\n0\r\n\r\n",
        "1 \r\na\r\n0\r\n\r\n",
        "0x1\r\na\r\n0\r\n\r\n",
        "g\r\n",
        "1\na\r\n0\r\n\r\n",
        "1\r\nab0\r\n\r\n",
        "1\r\na\n0\r\n\r\n",
        "1\r\na\r\r\n0\r\n\r\n",
        "1\r\r\na\r\n0\r\n\r\n",
        "ffffffffffffffff\r\n",
        "10000000000000000\r\n",
        "0\r\nx-amz-checksum-sha1:AAAA\r\n\r\n",
        "0\r\nx-amz-meta-a:b\r\n\r\n",
        "0\r\nno colon\r\n\r\n",
        "0\r\nx-amz-checksum-crc32:a\r\nx-amz-checksum-crc32:b\r\n\r\n",
        "0\r\nx-amz-checksum-crc32:a\nb\r\n\r\n",
        &long_line,
        &long_trailer,
    ] {
        let result = decode(&declaration, None, &[body.as_bytes()]);
        let Err(error) = result else {
            panic!("{body:?} was accepted");
        };
        assert!(
            matches!(error.code, ErrorCode::InvalidRequest | ErrorCode::EntityTooLarge),
            "{body:?}: {error}"
        );
    }
}

#[test]
fn no_trailers_where_none_were_declared() {
    let kind = Kind::SignedChunks;
    let mut body = kind.body(&CHUNKS);
    body.truncate(body.len() - 2);
    body.extend_from_slice(b"x-amz-checksum-crc32:AAAAAA==\r\n\r\n");
    assert!(decode(&kind.declaration(LENGTH), kind.signer(), &[&body]).is_err());
}

/// A failed decoder does not recover.
#[test]
fn failure_stays() {
    let mut decoder = AwsChunked::new(&Kind::UnsignedTrailer.declaration(1), None).unwrap();
    let error = decoder
        .framing(b"g")
        .and_then(|_| decoder.framing(b"\r\n"))
        .unwrap_err();
    assert_eq!(decoder.want(), Want::Framing);
    assert_eq!(decoder.framing(b"1\r\n"), Err(error));
}

#[test]
fn signatures_are_not_printed() {
    let decoder = AwsChunked::new(&Kind::SignedChunks.declaration(1), Some(signer(SEED))).unwrap();
    let debug = format!("{decoder:?} {:?}", signer(SEED));
    assert!(!debug.contains("79, 35, 44") && !debug.contains(SEED) && !debug.contains("seed"));
}
