//! What CompleteMultipartUpload makes of an upload's parts, without I/O
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>).

use super::{version::UploadId, xml_complete::CompletedPart};
use crate::{
    auth::sigv4::{from_hex, hex},
    digest::{
        checksum::{Checksum, ChecksumAlgorithm},
        md5::Md5,
        multipart::MultipartChecksum,
        stored::{ChecksumForm, StoredChecksum},
    },
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
    limits::PART_BYTES_MIN,
};
use xxhash_rust::xxh3::Xxh3Default;

/// A part that was uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadedPart {
    /// Its number.
    pub number: u16,
    /// Which of the parts of that number it is: the record that made it.
    pub sequence: u64,
    /// Bytes.
    pub size: u64,
    /// ETag without quotes.
    pub etag: String,
    /// Its checksum, if it has one.
    pub checksum: Option<Checksum>,
}

/// Finds the parts that the list names among those uploaded, which are in the order of their numbers. `InvalidPartOrder`,
/// `InvalidPart`, `EntityTooSmall`; `InvalidRequest` where the list leaves out a checksum that the upload was begun with.
pub fn choose<'p>(
    wanted: &[CompletedPart],
    uploaded: &'p [UploadedPart],
    declared: Option<MultipartChecksum>,
    upload: UploadId,
) -> Result<Vec<&'p UploadedPart>, S3Error> {
    check_order(wanted, declared)?;
    let mut chosen = Vec::with_capacity(wanted.len());
    for (index, part) in wanted.iter().enumerate() {
        let position = uploaded.binary_search_by_key(&part.number, |uploaded| uploaded.number);
        let found = position.ok().and_then(|position| uploaded.get(position));
        let found = found.filter(|found| found.etag == part.etag);
        let found = found.ok_or_else(|| invalid_part(part, upload))?;
        check_checksum(part, found, declared, upload)?;
        if found.size < PART_BYTES_MIN && index + 1 < wanted.len() {
            return Err(S3Error::new(ErrorCode::EntityTooSmall)
                .field("ProposedSize", found.size.to_string())
                .field("MinSizeAllowed", PART_BYTES_MIN.to_string())
                .field("PartNumber", part.number.to_string())
                .field("ETag", part.etag.as_str()));
        }
        chosen.push(found);
    }
    Ok(chosen)
}

fn check_order(wanted: &[CompletedPart], declared: Option<MultipartChecksum>) -> Result<(), S3Error> {
    let rises = wanted
        .iter()
        .zip(wanted.iter().skip(1))
        .all(|(a, b)| a.number < b.number);
    // "When an additional checksum is applied to each part, the PartNumber must start at 1 and the part numbers must be
    // consecutive. Otherwise, Amazon S3 generates an HTTP 400 Bad Request status code and an InvalidPartOrder error code."
    let is_of_parts = declared.is_some_and(|declared| declared.form == ChecksumForm::Composite);
    let is_consecutive = wanted.iter().zip(1u16..).all(|(part, number)| part.number == number);
    match rises && (is_consecutive || !is_of_parts) {
        true => Ok(()),
        false => Err(ErrorCode::InvalidPartOrder.into()),
    }
}

fn check_checksum(
    part: &CompletedPart,
    found: &UploadedPart,
    declared: Option<MultipartChecksum>,
    upload: UploadId,
) -> Result<(), S3Error> {
    match (&part.checksum, declared) {
        (Some(checksum), _) if found.checksum.as_ref() == Some(checksum) => Ok(()),
        (Some(_), _) => Err(invalid_part(part, upload)),
        (None, Some(declared)) if declared.form == ChecksumForm::Composite => {
            let message = format!(
                "The upload was created using a {} checksum. The complete request must include the checksum for each part. \
                 It was missing for part {} in the request.",
                declared.algorithm.name().to_ascii_lowercase(),
                part.number
            );
            Err(S3Error::with_message(ErrorCode::InvalidRequest, message))
        }
        (None, _) => Ok(()),
    }
}

fn invalid_part(part: &CompletedPart, upload: UploadId) -> S3Error {
    S3Error::new(ErrorCode::InvalidPart)
        .field("UploadId", upload.to_string())
        .field("PartNumber", part.number.to_string())
        .field("ETag", part.etag.as_str())
}

/// The object's ETag: the MD5 of its parts' MD5s and how many they are. Where a part's ETag is no MD5, of the ETags' texts.
pub fn etag(parts: &[&UploadedPart]) -> String {
    let are_md5s = parts.iter().all(|part| from_hex::<16>(&part.etag).is_some());
    let mut md5 = Md5::new();
    for part in parts {
        match from_hex::<16>(&part.etag).filter(|_| are_md5s) {
            Some(digest) => md5.update(&digest),
            None => md5.update(part.etag.as_bytes()),
        }
    }
    format!("{}-{}", hex(&md5.finish()), parts.len())
}

/// What tells the object apart from one of other parts: an xxh3-128 of what they are. Their payloads' own are kept with them.
pub fn integrity(parts: &[&UploadedPart]) -> u128 {
    let mut whole = Xxh3Default::new();
    for part in parts {
        whole.update(part.etag.as_bytes());
        whole.update(&part.size.to_le_bytes());
    }
    whole.digest128()
}

/// What the parts' checksums can be made: what the upload was begun with, else the CRC that they all have.
pub fn checksum_of(declared: Option<MultipartChecksum>, parts: &[&UploadedPart]) -> Option<MultipartChecksum> {
    let of_first = || {
        let algorithm = parts.first()?.checksum.as_ref()?.algorithm;
        let declared = MultipartChecksum {
            algorithm,
            form: ChecksumForm::FullObject,
        };
        algorithm.has_form(declared.form).then_some(declared)
    };
    let wanted = declared.or_else(of_first)?;
    let has_it = |part: &&UploadedPart| part.checksum.as_ref().is_some_and(|c| c.algorithm == wanted.algorithm);
    parts.iter().all(has_it).then_some(wanted)
}

/// What a CompleteMultipartUpload says of the whole object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    checksum: Option<StoredChecksum>,
    form: Option<ChecksumForm>,
    size: Option<u64>,
}

impl Expected {
    /// Reads `x-amz-checksum-*`, `x-amz-checksum-type` and `x-amz-mp-object-size`; `InvalidRequest` for values that are none.
    pub fn from_request(head: &RequestHead) -> Result<Self, S3Error> {
        let mut checksum = None;
        for (name, value) in head.headers() {
            let Some(algorithm) = ChecksumAlgorithm::from_header(name) else {
                continue;
            };
            let text = std::str::from_utf8(value).unwrap_or_default();
            let value = StoredChecksum::from_text(algorithm, text)
                .ok_or_else(|| invalid(format!("Value for {} header is invalid.", algorithm.header())))?;
            if checksum.replace(value).is_some() {
                return Err(invalid(
                    "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
                ));
            }
        }
        let form = match head.header_str("x-amz-checksum-type") {
            None => None,
            Some(name) => Some(
                ChecksumForm::from_name(name)
                    .ok_or_else(|| invalid("Value for x-amz-checksum-type header is invalid."))?,
            ),
        };
        let size = match head.header_str("x-amz-mp-object-size") {
            None => None,
            Some(text) => Some(
                text.parse()
                    .map_err(|_| invalid("Value for x-amz-mp-object-size header is invalid."))?,
            ),
        };
        Ok(Self { checksum, form, size })
    }

    /// What can be told before the parts are read: that the upload was begun with another type of checksum.
    pub fn check_form(&self, declared: Option<MultipartChecksum>) -> Result<(), S3Error> {
        match (self.form, declared) {
            (Some(form), Some(declared)) if form != declared.form => Err(invalid(format!(
                "The upload was created using the {} checksum mode. The complete request must use the same checksum mode.",
                declared.form.name()
            ))),
            _ => Ok(()),
        }
    }

    /// Holds it against the object: `InvalidRequest` for another size or algorithm, `BadDigest` for another checksum.
    pub fn check(&self, size: u64, checksum: Option<&StoredChecksum>) -> Result<(), S3Error> {
        if let Some(expected) = self.size.filter(|expected| *expected != size) {
            return Err(invalid(format!(
                "The provided 'x-amz-mp-object-size' header value {expected} does not match what was computed: {size}"
            )));
        }
        let Some(expected) = &self.checksum else {
            return Ok(());
        };
        let actual = checksum.filter(|actual| actual.algorithm() == expected.algorithm());
        let Some(actual) = actual else {
            let name = checksum.map_or("null".to_owned(), |actual| {
                actual.algorithm().name().to_ascii_lowercase()
            });
            return Err(checksum_type_mismatch(&name, expected.algorithm()));
        };
        // The number of parts may be left out.
        let same_parts = expected.composite_parts.is_none() || expected.composite_parts == actual.composite_parts;
        if expected.checksum == actual.checksum && same_parts {
            return Ok(());
        }
        Err(crate::auth::payload::checksum_mismatch(expected.algorithm()))
    }
}

/// What S3 answers to a checksum of another algorithm than its upload was begun with.
pub fn checksum_type_mismatch(expected: &str, actual: ChecksumAlgorithm) -> S3Error {
    invalid(format!(
        "Checksum Type mismatch occurred, expected checksum Type: {expected}, actual checksum Type: {}",
        actual.name().to_ascii_lowercase()
    ))
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> S3Error {
    S3Error::with_message(ErrorCode::InvalidRequest, message)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{CompletedPart, Expected, UploadedPart, checksum_of, choose, etag};
    use crate::{
        digest::{
            checksum::{Checksum, ChecksumAlgorithm},
            multipart::MultipartChecksum,
            stored::{ChecksumForm, StoredChecksum},
        },
        error::ErrorCode,
        http::head::RequestHead,
        limits::PART_BYTES_MIN,
        s3::version::UploadId,
    };

    fn checksum(algorithm: ChecksumAlgorithm, byte: u8) -> Checksum {
        Checksum {
            algorithm,
            value: vec![byte; algorithm.length()],
        }
    }

    fn uploaded(number: u16, size: u64, etag: &str) -> UploadedPart {
        UploadedPart {
            number,
            sequence: number.into(),
            size,
            etag: etag.to_owned(),
            checksum: Some(checksum(ChecksumAlgorithm::Sha256, 1)),
        }
    }

    fn wanted(number: u16, etag: &str) -> CompletedPart {
        CompletedPart {
            number,
            etag: etag.to_owned(),
            checksum: None,
        }
    }

    const UPLOAD: UploadId = UploadId(1);

    #[test]
    fn parts_are_chosen_by_number_and_etag() {
        let parts = [
            uploaded(1, PART_BYTES_MIN, "a"),
            uploaded(3, PART_BYTES_MIN, "c"),
            uploaded(9, 1, "i"),
        ];
        let choose = |list: &[(u16, &str)]| {
            let list: Vec<_> = list.iter().map(|(number, etag)| wanted(*number, etag)).collect();
            let chosen = choose(&list, &parts, None, UPLOAD);
            chosen
                .map(|chosen| chosen.iter().map(|part| part.number).collect::<Vec<_>>())
                .map_err(|error| error.code)
        };
        assert_eq!(choose(&[(1, "a"), (3, "c"), (9, "i")]), Ok(vec![1, 3, 9]));
        assert_eq!(choose(&[(9, "i")]), Ok(vec![9]));
        assert_eq!(choose(&[(3, "c"), (1, "a")]), Err(ErrorCode::InvalidPartOrder));
        assert_eq!(choose(&[(1, "a"), (1, "a")]), Err(ErrorCode::InvalidPartOrder));
        assert_eq!(choose(&[(1, "x")]), Err(ErrorCode::InvalidPart));
        assert_eq!(choose(&[(2, "a")]), Err(ErrorCode::InvalidPart));
        let small = [uploaded(1, PART_BYTES_MIN - 1, "a"), uploaded(2, 0, "b")];
        let list = [wanted(1, "a"), wanted(2, "b")];
        let error = super::choose(&list, &small, None, UPLOAD).unwrap_err();
        assert_eq!(error.code, ErrorCode::EntityTooSmall);
        assert_eq!(error.fields.len(), 4);
        assert!(super::choose(&list[1..], &small, None, UPLOAD).is_ok());
    }

    #[test]
    fn a_composite_needs_all_checksums_and_no_gaps() {
        let parts = [
            uploaded(1, PART_BYTES_MIN, "a"),
            uploaded(2, 1, "b"),
            uploaded(3, 1, "c"),
        ];
        let composite = Some(MultipartChecksum {
            algorithm: ChecksumAlgorithm::Sha256,
            form: ChecksumForm::Composite,
        });
        let with = |number, etag: &str, byte| CompletedPart {
            checksum: Some(checksum(ChecksumAlgorithm::Sha256, byte)),
            ..wanted(number, etag)
        };
        assert!(choose(&[with(1, "a", 1), with(2, "b", 1)], &parts, composite, UPLOAD).is_ok());
        for (list, code) in [
            (vec![with(1, "a", 1), wanted(2, "b")], ErrorCode::InvalidRequest),
            (vec![with(1, "a", 1), with(2, "b", 2)], ErrorCode::InvalidPart),
            (vec![with(1, "a", 1), with(3, "c", 1)], ErrorCode::InvalidPartOrder),
            (vec![with(2, "b", 1)], ErrorCode::InvalidPartOrder),
        ] {
            assert_eq!(choose(&list, &parts, composite, UPLOAD).unwrap_err().code, code);
        }
    }

    #[test]
    fn etags_are_md5s_of_md5s() {
        // The MD5s of "a" and "b", and `printf a | md5sum | xxd -r -p` of both through md5sum.
        let (a, b) = ("0cc175b9c0f1b6a831c399e269772661", "92eb5ffee6ae2fec3ad71c777531578f");
        let parts = [uploaded(1, 1, a), uploaded(2, 1, b)];
        let all: Vec<_> = parts.iter().collect();
        assert_eq!(etag(&all), "96e024ba2074fe77e8e965ba43a704be-2".to_owned());
        let parts = [uploaded(1, 1, a), uploaded(2, 1, "x-x")];
        let all: Vec<_> = parts.iter().collect();
        assert!(etag(&all).ends_with("-2"));
        assert_ne!(etag(&all), "96e024ba2074fe77e8e965ba43a704be-2".to_owned());
    }

    #[test]
    fn crcs_make_a_whole_by_themselves() {
        let part = |algorithm| UploadedPart {
            checksum: Some(checksum(algorithm, 1)),
            ..uploaded(1, 1, "a")
        };
        let (nvme, sha) = (part(ChecksumAlgorithm::Crc64Nvme), part(ChecksumAlgorithm::Sha1));
        let found = checksum_of(None, &[&nvme, &nvme]).unwrap();
        assert_eq!(
            (found.algorithm, found.form),
            (ChecksumAlgorithm::Crc64Nvme, ChecksumForm::FullObject)
        );
        assert_eq!(checksum_of(None, &[&nvme, &sha]), None);
        assert_eq!(checksum_of(None, &[&sha]), None);
    }

    #[test]
    fn what_is_said_of_the_object_must_be_true() {
        let expected = |fields: &str| {
            let text = format!("POST /b/k?uploadId=x HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
            Expected::from_request(&RequestHead::parse(text.as_bytes()).unwrap().unwrap().0)
        };
        let whole = StoredChecksum::from_text(ChecksumAlgorithm::Crc32, "AAAAAA==-2").unwrap();
        let check = |fields: &str| {
            expected(fields)
                .unwrap()
                .check(7, Some(&whole))
                .map_err(|error| error.code)
        };
        assert_eq!(check(""), Ok(()));
        assert_eq!(
            check("x-amz-mp-object-size: 7\r\nx-amz-checksum-crc32: AAAAAA==\r\n"),
            Ok(())
        );
        assert_eq!(check("x-amz-checksum-crc32: AAAAAA==-2\r\n"), Ok(()));
        assert_eq!(check("x-amz-checksum-crc32: AAAAAA==-3\r\n"), Err(ErrorCode::BadDigest));
        assert_eq!(check("x-amz-checksum-crc32: AAAAAQ==\r\n"), Err(ErrorCode::BadDigest));
        assert_eq!(
            check("x-amz-checksum-crc32c: AAAAAA==\r\n"),
            Err(ErrorCode::InvalidRequest)
        );
        assert_eq!(check("x-amz-mp-object-size: 8\r\n"), Err(ErrorCode::InvalidRequest));
        for bad in [
            "x-amz-mp-object-size: -1\r\n",
            "x-amz-checksum-type: HALF\r\n",
            "x-amz-checksum-crc32: x\r\n",
            "x-amz-checksum-crc32: AAAAAA==\r\nx-amz-checksum-crc32c: AAAAAA==\r\n",
        ] {
            assert_eq!(expected(bad).unwrap_err().code, ErrorCode::InvalidRequest, "{bad}");
        }
        let composite = Some(MultipartChecksum {
            algorithm: ChecksumAlgorithm::Crc32,
            form: ChecksumForm::Composite,
        });
        let typed = expected("x-amz-checksum-type: FULL_OBJECT\r\n").unwrap();
        assert_eq!(typed.check_form(composite).unwrap_err().code, ErrorCode::InvalidRequest);
        assert!(typed.check_form(None).is_ok());
    }
}
