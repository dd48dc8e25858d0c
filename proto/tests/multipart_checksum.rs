//! Checksums of multipart objects: combination, composites, and what CreateMultipartUpload may ask for.
#![allow(clippy::unwrap_used)]

use corelane_proto::{
    digest::{
        checksum::{Checksum, ChecksumAlgorithm, ChecksumHasher},
        multipart::{MultipartChecksum, combine_crc, composite},
        stored::ChecksumForm,
    },
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
    wire::{Decoder, Encoder},
};
use proptest::{
    collection::vec,
    prelude::{any, prop_assert_eq, proptest},
};

const CRCS: [ChecksumAlgorithm; 3] = [
    ChecksumAlgorithm::Crc32,
    ChecksumAlgorithm::Crc32c,
    ChecksumAlgorithm::Crc64Nvme,
];

fn checksum_of(algorithm: ChecksumAlgorithm, payload: &[u8]) -> Checksum {
    let mut hasher = ChecksumHasher::new(algorithm);
    hasher.update(payload);
    hasher.finish()
}

proptest! {
    /// Of any pieces, empty ones among them, the combination is the CRC of the whole.
    #[test]
    fn combined_crcs_are_the_wholes(pieces in vec(vec(any::<u8>(), 0..300), 0..8)) {
        for algorithm in CRCS {
            let parts: Vec<(Checksum, u64)> = pieces
                .iter()
                .map(|piece| (checksum_of(algorithm, piece), piece.len() as u64))
                .collect();
            let combined = combine_crc(algorithm, parts.iter().map(|(checksum, length)| (checksum, *length)));
            prop_assert_eq!(combined, Some(checksum_of(algorithm, &pieces.concat())));
        }
    }

    /// A composite is the digest of the parts' values, with their number.
    #[test]
    fn composites_are_digests_of_digests(pieces in vec(vec(any::<u8>(), 0..50), 1..8)) {
        for algorithm in ChecksumAlgorithm::ALL {
            let parts: Vec<Checksum> = pieces.iter().map(|piece| checksum_of(algorithm, piece)).collect();
            let values: Vec<u8> = parts.iter().flat_map(|part| part.value.clone()).collect();
            let whole = composite(algorithm, &parts).unwrap();
            prop_assert_eq!(&whole.checksum, &checksum_of(algorithm, &values));
            prop_assert_eq!(whole.text(), format!("{}-{}", whole.checksum.to_base64(), pieces.len()));
        }
    }
}

/// The values that S3 gave for one part `123456789`.
#[test]
fn known_composites() {
    for (algorithm, expected) in [
        (ChecksumAlgorithm::Crc32, "7kxlUA==-1"),
        (ChecksumAlgorithm::Crc32c, "pzJFoA==-1"),
        (ChecksumAlgorithm::Sha1, "zGcEPHvP9e6lVmvZsfPHT9mlz10=-1"),
        (
            ChecksumAlgorithm::Sha256,
            "KSsNAHVmgy25S/rmic1w0at3KBH9RLn0nYVQ7p6mpJQ=-1",
        ),
    ] {
        let part = checksum_of(algorithm, b"123456789");
        assert_eq!(composite(algorithm, [&part]).unwrap().text(), expected);
    }
}

#[test]
fn long_pieces_combine_too() {
    for algorithm in CRCS {
        let piece = vec![0xa5; 5 << 20];
        let checksum = checksum_of(algorithm, &piece);
        let parts = [(&checksum, piece.len() as u64); 3];
        assert_eq!(
            combine_crc(algorithm, parts),
            Some(checksum_of(algorithm, &piece.repeat(3)))
        );
    }
}

#[test]
fn parts_of_another_algorithm_make_nothing() {
    let part = checksum_of(ChecksumAlgorithm::Crc32, b"a");
    assert_eq!(combine_crc(ChecksumAlgorithm::Crc32c, [(&part, 1)]), None);
    assert_eq!(composite(ChecksumAlgorithm::Sha256, [&part]), None);
    let part = checksum_of(ChecksumAlgorithm::Sha256, b"a");
    assert_eq!(combine_crc(ChecksumAlgorithm::Sha256, [(&part, 1)]), None);
}

fn asked(algorithm: Option<&str>, form: Option<&str>) -> Result<Option<MultipartChecksum>, S3Error> {
    let mut head = String::from("POST /b/k?uploads HTTP/1.1\r\nHost: h\r\n");
    for (name, value) in [("x-amz-checksum-algorithm", algorithm), ("x-amz-checksum-type", form)] {
        if let Some(value) = value {
            head += &format!("{name}: {value}\r\n");
        }
    }
    head += "\r\n";
    let (head, _) = RequestHead::parse(head.as_bytes()).unwrap().unwrap();
    MultipartChecksum::from_request(&head)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html>: the table of algorithms
/// and types.
#[test]
fn every_algorithm_has_its_forms() {
    assert_eq!(asked(None, None), Ok(None));
    for algorithm in ChecksumAlgorithm::ALL {
        let plain = asked(Some(&algorithm.name().to_ascii_lowercase()), None)
            .unwrap()
            .unwrap();
        assert_eq!((plain.algorithm, plain.form), (algorithm, algorithm.default_form()));
        for form in [ChecksumForm::FullObject, ChecksumForm::Composite] {
            let asked = asked(Some(algorithm.name()), Some(form.name()));
            let allowed = match algorithm {
                ChecksumAlgorithm::Crc32 | ChecksumAlgorithm::Crc32c => true,
                ChecksumAlgorithm::Crc64Nvme => form == ChecksumForm::FullObject,
                _ => form == ChecksumForm::Composite,
            };
            if !allowed {
                let error = asked.unwrap_err();
                assert_eq!(error.code, ErrorCode::InvalidRequest);
                let expected = format!(
                    "The {} checksum type cannot be used with the {} checksum algorithm.",
                    form.name(),
                    algorithm.name().to_lowercase()
                );
                assert_eq!(error.message, expected);
                continue;
            }
            let asked = asked.unwrap().unwrap();
            let mut encoder = Encoder::new();
            asked.encode(&mut encoder);
            assert_eq!(
                MultipartChecksum::decode(&mut Decoder::new(&encoder.finish())),
                Ok(asked)
            );
            let (one, two) = (checksum_of(algorithm, b"one"), checksum_of(algorithm, b"two"));
            let whole = asked.of_parts(&[(&one, 3), (&two, 3)]).unwrap();
            assert_eq!(whole.form(), form);
            if form == ChecksumForm::FullObject {
                assert_eq!(whole.checksum, checksum_of(algorithm, b"onetwo"));
            }
        }
    }
}

#[test]
fn what_cannot_be_asked_for() {
    for (algorithm, form, message) in [
        (
            None,
            Some("COMPOSITE"),
            "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
        ),
        (
            Some("CRC32"),
            Some("TEST"),
            "Value for x-amz-checksum-type header is invalid.",
        ),
        (
            Some("CRC32"),
            Some(""),
            "Value for x-amz-checksum-type header is invalid.",
        ),
        (
            Some("CRC32,CRC32C"),
            None,
            "Invalid types are specified in x-amz-checksum-algorithm header.",
        ),
        (
            Some("nope"),
            None,
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, \
             MD5, SHA1, SHA256, SHA512, XXHASH128, XXHASH3, XXHASH64]",
        ),
        (
            Some(""),
            Some("FULL_OBJECT"),
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, \
             CRC64NVME]",
        ),
    ] {
        let error = asked(algorithm, form).unwrap_err();
        assert_eq!(
            (error.code, error.message.as_ref()),
            (ErrorCode::InvalidRequest, message)
        );
    }
}
