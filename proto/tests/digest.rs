//! Digests against known answers and against one-shot computation, however the payload is cut.
#![allow(clippy::unwrap_used)]

use aws_lc_rs::digest::{SHA512, digest};
use corelane_proto::{
    auth::{
        payload::{ContentSha256, PayloadDeclaration},
        sigv4::{hex, sha256},
    },
    digest::{
        checksum::{Checksum, ChecksumAlgorithm, ChecksumHasher, ChecksumType},
        hasher::{PayloadDigests, PayloadHasher, block_checksum},
        md5::Md5,
    },
    error::{ErrorCode, S3Error},
    limits::BLOCK_BYTES,
};
use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};

/// The check values of the CRC catalogue, of FIPS 180 by `sha1sum` and its like, of MD5 by `md5sum`, and of xxHash by
/// `xxhsum`, whose canonical form is big-endian.
#[test]
fn checksums_of_123456789() {
    for (algorithm, expected) in [
        (ChecksumAlgorithm::Crc32, "cbf43926"),
        (ChecksumAlgorithm::Crc32c, "e3069283"),
        (ChecksumAlgorithm::Crc64Nvme, "ae8b14860a799888"),
        (ChecksumAlgorithm::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
        (
            ChecksumAlgorithm::Sha256,
            "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
        ),
        (
            ChecksumAlgorithm::Sha512,
            "d9e6762dd1c8eaf6d61b3c6192fc408d4d6d5f1176d0c29169bc24e71c3f274ad27fcd5811b313d681f7e55ec02d73d499c95455b6b5bb503acf574fba8ffe85",
        ),
        (ChecksumAlgorithm::Md5, "25f9e794323b453885f5181f1b624d0b"),
        (ChecksumAlgorithm::Xxhash64, "8cb841db40e6ae83"),
        (ChecksumAlgorithm::Xxhash3, "72dcb18b67a17dff"),
        (ChecksumAlgorithm::Xxhash128, "33119477ede5dcd5e9716427681d5860"),
    ] {
        assert_eq!(hex(&checksum_of(algorithm, b"123456789").value), expected);
        let mut hasher = ChecksumHasher::new(algorithm);
        for byte in b"123456789" {
            hasher.update(&[*byte]);
        }
        let checksum = hasher.finish();
        assert_eq!(hex(&checksum.value), expected);
        assert_eq!(checksum.value.len(), algorithm.length());
        assert_eq!(
            Checksum::from_base64(algorithm, &checksum.to_base64()),
            Some(checksum.clone())
        );
        assert_eq!(Checksum::from_base64(algorithm, &checksum.to_base64()[1..]), None);
        assert_eq!(Checksum::from_base64(algorithm, ""), None);
    }
}

#[test]
fn algorithms_by_name_header_and_code() {
    for algorithm in ChecksumAlgorithm::ALL {
        assert_eq!(ChecksumAlgorithm::from_name(algorithm.name()), Some(algorithm));
        assert_eq!(
            ChecksumAlgorithm::from_header(&algorithm.header().to_ascii_uppercase()),
            Some(algorithm)
        );
        assert_eq!(ChecksumAlgorithm::from_code(algorithm.code()), Some(algorithm));
    }
    assert_eq!(ChecksumAlgorithm::from_name("MD4"), None);
    assert_eq!(ChecksumAlgorithm::from_header("x-amz-checksum-type"), None);
    assert_eq!(ChecksumAlgorithm::from_code(0), None);
}

#[test]
fn etag_of_every_bucket_type() {
    let payload = b"Welcome to Amazon S3.";
    let xxh3 = format!("{:032x}-x", xxhash_rust::xxh3::xxh3_128(payload));
    for (checksum_type, etag) in [
        (ChecksumType::None, xxh3.clone()),
        (ChecksumType::Xxhash, xxh3),
        (ChecksumType::Md5, hex(&md5_of(payload))),
        (
            ChecksumType::Crc32c,
            format!("{}-x", hex(&checksum_of(ChecksumAlgorithm::Crc32c, payload).value)),
        ),
        (ChecksumType::Sha256, format!("{}-x", hex(&sha256(payload)))),
        (
            ChecksumType::Sha512,
            format!("{}-x", hex(digest(&SHA512, payload).as_ref())),
        ),
    ] {
        let digests = run(checksum_type, &declaration(), payload, &[]).unwrap();
        assert_eq!(digests.etag, etag, "{checksum_type:?}");
        let added = (checksum_type == ChecksumType::Md5).then(|| checksum_of(ChecksumAlgorithm::Crc64Nvme, payload));
        assert_eq!(digests.checksum, added);
    }
}

#[test]
fn an_empty_payload_has_no_blocks() {
    let digests = run(ChecksumType::Md5, &declaration(), b"", &[]).unwrap();
    assert_eq!(digests.length, 0);
    assert!(digests.block_checksums.is_empty());
    assert_eq!(digests.etag, "d41d8cd98f00b204e9800998ecf8427e");
}

#[test]
fn a_payload_of_another_length_is_incomplete() {
    let declared = PayloadDeclaration {
        decoded_length: Some(5),
        ..declaration()
    };
    for payload in [&b"1234"[..], b"123456"] {
        let error = run(ChecksumType::Xxhash, &declared, payload, &[]).unwrap_err();
        assert_eq!(error.code, ErrorCode::IncompleteBody);
    }
    assert!(run(ChecksumType::Xxhash, &declared, b"12345", &[]).is_ok());
}

#[test]
fn content_sha256_is_verified() {
    let declared = |payload: &[u8]| PayloadDeclaration {
        content_sha256: ContentSha256::Digest(sha256(payload)),
        ..declaration()
    };
    for checksum_type in [ChecksumType::Xxhash, ChecksumType::Sha256] {
        assert!(run(checksum_type, &declared(b"a"), b"a", &[]).is_ok());
        let error = run(checksum_type, &declared(b"a"), b"b", &[]).unwrap_err();
        assert_eq!(error.code, ErrorCode::XAmzContentSHA256Mismatch);
        assert_eq!(
            error.fields,
            [
                ("ClientComputedContentSHA256", hex(&sha256(b"a"))),
                ("S3ComputedContentSHA256", hex(&sha256(b"b")))
            ]
        );
    }
}

#[test]
fn content_md5_is_verified() {
    let declared = PayloadDeclaration {
        content_md5: Some(md5_of(b"a")),
        ..declaration()
    };
    for checksum_type in [ChecksumType::Xxhash, ChecksumType::Md5] {
        assert!(run(checksum_type, &declared, b"a", &[]).is_ok());
        let error = run(checksum_type, &declared, b"b", &[]).unwrap_err();
        assert_eq!(error.code, ErrorCode::BadDigest);
        assert_eq!(error.fields.len(), 2);
    }
}

#[test]
fn the_clients_checksum_is_verified() {
    for algorithm in ChecksumAlgorithm::ALL {
        let declared = PayloadDeclaration {
            checksum: Some(checksum_of(algorithm, b"a")),
            ..declaration()
        };
        for checksum_type in [
            ChecksumType::Xxhash,
            ChecksumType::Md5,
            ChecksumType::Crc32c,
            ChecksumType::Sha256,
            ChecksumType::Sha512,
        ] {
            let digests = run(checksum_type, &declared, b"a", &[]).unwrap();
            assert_eq!(digests.checksum, declared.checksum);
            let error = run(checksum_type, &declared, b"b", &[]).unwrap_err();
            assert_eq!(error.code, ErrorCode::BadDigest);
            assert_eq!(
                error.message,
                format!(
                    "The {} you specified did not match the calculated checksum.",
                    algorithm.name()
                )
            );
        }
    }
}

#[test]
fn the_trailers_checksum_is_verified() {
    let algorithm = ChecksumAlgorithm::Crc64Nvme;
    let declared = PayloadDeclaration {
        trailer: Some(algorithm),
        ..declaration()
    };
    let trailer = |value: String| [(algorithm.header().to_owned(), value)];
    let of = |payload: &[u8]| checksum_of(algorithm, payload);

    let digests = run(ChecksumType::Md5, &declared, b"a", &trailer(of(b"a").to_base64()));
    assert_eq!(digests.unwrap().checksum, Some(of(b"a")));
    let code = |trailers: &[(String, String)]| run(ChecksumType::Md5, &declared, b"a", trailers).unwrap_err().code;
    assert_eq!(code(&trailer(of(b"b").to_base64())), ErrorCode::BadDigest);
    assert_eq!(code(&trailer("AAAA".to_owned())), ErrorCode::InvalidRequest);
    assert_eq!(code(&[]), ErrorCode::MalformedTrailerError);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    /// Cut in any way, the digests are those of the whole.
    #[test]
    fn any_cuts(
        seed in any::<u64>(),
        length in 0..3 * BLOCK_BYTES + 2,
        cuts in proptest::collection::vec(1..BLOCK_BYTES * 2, 0..8),
    ) {
        let payload = bytes(seed, length);
        let declared = PayloadDeclaration {
            content_sha256: ContentSha256::Digest(sha256(&payload)),
            content_md5: Some(md5_of(&payload)),
            checksum: Some(checksum_of(ChecksumAlgorithm::Crc32, &payload)),
            ..declaration()
        };
        let mut hasher = PayloadHasher::new(ChecksumType::Sha512, &declared);
        let mut rest = &payload[..];
        for cut in cuts {
            let (piece, tail) = rest.split_at(cut.min(rest.len()));
            hasher.update(piece);
            rest = tail;
        }
        hasher.update(rest);
        let digests = hasher.finish(&[]).unwrap();
        prop_assert_eq!(digests.length, payload.len() as u64);
        prop_assert_eq!(digests.xxh3_128, xxhash_rust::xxh3::xxh3_128(&payload));
        let blocks: Vec<u64> = payload.chunks(BLOCK_BYTES).map(block_checksum).collect();
        prop_assert_eq!(digests.block_checksums, blocks);
        prop_assert_eq!(digests.etag, format!("{}-x", hex(digest(&SHA512, &payload).as_ref())));
    }
}

#[test]
fn whole_blocks_and_their_neighbours() {
    for length in [
        BLOCK_BYTES - 1,
        BLOCK_BYTES,
        BLOCK_BYTES + 1,
        2 * BLOCK_BYTES,
        2 * BLOCK_BYTES + 1,
    ] {
        let payload = bytes(7, length);
        let digests = run(ChecksumType::Xxhash, &declaration(), &payload, &[]).unwrap();
        let blocks: Vec<u64> = payload.chunks(BLOCK_BYTES).map(block_checksum).collect();
        assert_eq!(digests.block_checksums, blocks);
    }
}

/// A part of an upload that was begun with an algorithm, and a copy, get a checksum that nobody declared.
#[test]
fn a_missing_checksum_is_computed() {
    let payload = bytes(9, BLOCK_BYTES + 3);
    for algorithm in ChecksumAlgorithm::ALL {
        for checksum_type in [ChecksumType::Md5, ChecksumType::Xxhash] {
            let mut hasher = PayloadHasher::new(checksum_type, &declaration()).with_missing(algorithm);
            hasher.update(&payload);
            let digests = hasher.finish(&[]).unwrap();
            assert_eq!(digests.checksum, Some(checksum_of(algorithm, &payload)));
        }
        // What the client declares is verified and kept, whatever is missed.
        let declared = PayloadDeclaration {
            checksum: Some(checksum_of(ChecksumAlgorithm::Sha1, &payload)),
            ..declaration()
        };
        let mut hasher = PayloadHasher::new(ChecksumType::Md5, &declared).with_missing(algorithm);
        hasher.update(&payload);
        assert_eq!(hasher.finish(&[]).unwrap().checksum, declared.checksum);
    }
}

fn declaration() -> PayloadDeclaration {
    PayloadDeclaration {
        content_sha256: ContentSha256::Unsigned,
        content_md5: None,
        checksum: None,
        trailer: None,
        decoded_length: None,
    }
}

fn run(
    checksum_type: ChecksumType,
    declaration: &PayloadDeclaration,
    payload: &[u8],
    trailers: &[(String, String)],
) -> Result<PayloadDigests, S3Error> {
    let mut hasher = PayloadHasher::new(checksum_type, declaration);
    hasher.update(payload);
    hasher.finish(trailers)
}

fn checksum_of(algorithm: ChecksumAlgorithm, payload: &[u8]) -> Checksum {
    let mut hasher = ChecksumHasher::new(algorithm);
    hasher.update(payload);
    hasher.finish()
}

fn md5_of(payload: &[u8]) -> [u8; 16] {
    let mut md5 = Md5::new();
    md5.update(payload);
    md5.finish()
}

/// Bytes without a pattern that a block's length divides.
fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// The MD5 that is lent out comes back into the payload's digests, and one that does not come back is an error, not
/// an object without.
#[test]
fn an_md5_computed_elsewhere_counts() {
    let payload: Vec<u8> = (0..300_001u32).map(|n| n.to_le_bytes()[1]).collect();
    let expected = run(ChecksumType::Md5, &declaration(), &payload, &[]).unwrap();
    let mut hasher = PayloadHasher::new(ChecksumType::Md5, &declaration());
    for piece in payload.chunks(70_001) {
        hasher.update_but_md5(piece);
        let mut md5 = hasher.take_md5().unwrap();
        assert!(hasher.take_md5().is_none());
        md5.update(piece);
        hasher.put_md5(md5);
    }
    assert_eq!(hasher.finish(&[]).unwrap(), expected);

    let mut lost = PayloadHasher::new(ChecksumType::Md5, &declaration());
    assert!(lost.take_md5().is_some());
    assert_eq!(lost.finish(&[]).unwrap_err().code, ErrorCode::InternalError);
    assert!(
        PayloadHasher::new(ChecksumType::Xxhash, &declaration())
            .take_md5()
            .is_none()
    );
}
