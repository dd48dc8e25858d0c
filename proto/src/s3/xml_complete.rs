//! The body of CompleteMultipartUpload: the list of parts
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>).

use super::xml_read::{Document, malformed, set_once};
use crate::{
    digest::checksum::{Checksum, ChecksumAlgorithm},
    error::{ErrorCode, S3Error},
    limits::{PART_COUNT_MAX, PART_NUMBER_MAX},
};

/// A part that the object is to be made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletedPart {
    /// Its number.
    pub number: u16,
    /// Its ETag, without quotes.
    pub etag: String,
    /// Its checksum, if the list names it.
    pub checksum: Option<Checksum>,
}

/// Parses `<CompleteMultipartUpload>`. `MalformedXML` for anything else, an empty list, or more than 10,000 parts;
/// `InvalidArgument` for a number below 1 and for a checksum that is none, or more than one; `InvalidPart` for a number
/// that no part can have. Their order is not looked at.
pub fn completed_parts(body: &[u8]) -> Result<Vec<CompletedPart>, S3Error> {
    let mut document = Document::open(body, "CompleteMultipartUpload")?;
    let mut parts = Vec::new();
    while let Some(name) = document.next_child()? {
        match name.as_str() {
            "Part" if parts.len() < PART_COUNT_MAX => parts.push(part(&mut document)?),
            _ => return Err(malformed()),
        }
    }
    document.close()?;
    if parts.is_empty() {
        return Err(malformed());
    }
    Ok(parts)
}

fn part(document: &mut Document<'_>) -> Result<CompletedPart, S3Error> {
    let (mut number, mut etag) = (None, None);
    let mut checksums: Vec<(ChecksumAlgorithm, String)> = Vec::new();
    while let Some(name) = document.next_child()? {
        match name.as_str() {
            "PartNumber" => set_once(&mut number, document.text()?)?,
            "ETag" => set_once(&mut etag, document.text()?)?,
            other => {
                let algorithm = other.strip_prefix("Checksum").and_then(algorithm_of_element);
                let algorithm = algorithm.ok_or_else(malformed)?;
                checksums.push((algorithm, document.text()?));
            }
        }
    }
    let etag = etag.ok_or_else(malformed)?;
    let etag = without_quotes(etag.trim_ascii()).to_owned();
    let number = part_number(&number.ok_or_else(malformed)?, &etag)?;
    checksums.retain(|(_, text)| !text.trim_ascii().is_empty());
    let checksum = match checksums.as_slice() {
        [] => None,
        [(algorithm, text)] => Some(Checksum::from_base64(*algorithm, text.trim_ascii()).ok_or_else(invalid_checksum)?),
        _ => return Err(invalid_checksum()),
    };
    Ok(CompletedPart { number, etag, checksum })
}

/// Elements have the names of algorithms as `ListParts` writes them, in upper case.
fn algorithm_of_element(name: &str) -> Option<ChecksumAlgorithm> {
    ChecksumAlgorithm::from_name(name).filter(|algorithm| algorithm.name() == name)
}

fn part_number(text: &str, etag: &str) -> Result<u16, S3Error> {
    let number: i64 = text.trim_ascii().parse().map_err(|_| malformed())?;
    if number < 1 {
        return Err(
            S3Error::with_message(ErrorCode::InvalidArgument, "PartNumber must be >= 1")
                .field("ArgumentName", "partNumber")
                .field("ArgumentValue", text),
        );
    }
    let number = u16::try_from(number).ok().filter(|number| *number <= PART_NUMBER_MAX);
    number.ok_or_else(|| {
        S3Error::new(ErrorCode::InvalidPart)
            .field("PartNumber", text)
            .field("ETag", etag)
    })
}

fn without_quotes(text: &str) -> &str {
    text.strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(text)
}

fn invalid_checksum() -> S3Error {
    S3Error::with_message(
        ErrorCode::InvalidArgument,
        "Invalid Base64 or multiple checksums present in request",
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::completed_parts;
    use crate::error::ErrorCode;

    fn code(parts: &str) -> ErrorCode {
        let body = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        completed_parts(body.as_bytes()).unwrap_err().code
    }

    #[test]
    fn parts_in_every_form() {
        let body = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\n\
            <Part><PartNumber>1</PartNumber><ETag>\"a\"</ETag></Part>\
            <Part><ETag>&quot;b&quot;</ETag><PartNumber> 3 </PartNumber><ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part>\
            <Part><ETag>c-x</ETag><ChecksumCRC64NVME/><ChecksumSHA1></ChecksumSHA1><PartNumber>2</PartNumber></Part>\
            </CompleteMultipartUpload>";
        let parts = completed_parts(body.as_bytes()).unwrap();
        let seen: Vec<_> = parts.iter().map(|part| (part.number, part.etag.as_str())).collect();
        assert_eq!(seen, [(1, "a"), (3, "b"), (2, "c-x")]);
        assert_eq!(parts[1].checksum.as_ref().unwrap().to_base64(), "AAAAAA==");
        assert_eq!(parts[2].checksum, None);
    }

    #[test]
    fn what_is_no_list_of_parts() {
        for bad in [
            "",
            "<Part/>",
            "<Part><PartNumber>1</PartNumber></Part>",
            "<Part><ETag>a</ETag></Part>",
            "<Part><ETag>a</ETag><PartNumber>one</PartNumber></Part>",
            "<Part><ETag>a</ETag><ETag>a</ETag><PartNumber>1</PartNumber></Part>",
            "<Part><ETag>a</ETag><PartNumber>1</PartNumber><Size>1</Size></Part>",
            "<Part><ETag>a</ETag><PartNumber>1</PartNumber><Checksumcrc32>AAAAAA==</Checksumcrc32></Part>",
            "<Other/>",
        ] {
            assert_eq!(code(bad), ErrorCode::MalformedXML, "{bad}");
        }
        let part = |number: &str, checksum: &str| {
            format!("<Part><ETag>a</ETag><PartNumber>{number}</PartNumber>{checksum}</Part>")
        };
        assert_eq!(code(&part("0", "")), ErrorCode::InvalidArgument);
        assert_eq!(code(&part("-1", "")), ErrorCode::InvalidArgument);
        assert_eq!(code(&part("10001", "")), ErrorCode::InvalidPart);
        assert_eq!(code(&part("70000", "")), ErrorCode::InvalidPart);
        assert_eq!(
            code(&part("1", "<ChecksumCRC32>x</ChecksumCRC32>")),
            ErrorCode::InvalidArgument
        );
        let two = "<ChecksumCRC32>AAAAAA==</ChecksumCRC32><ChecksumCRC32C>AAAAAA==</ChecksumCRC32C>";
        assert_eq!(code(&part("1", two)), ErrorCode::InvalidArgument);
        assert_eq!(code(&part("1", "").repeat(10_001)), ErrorCode::MalformedXML);
    }
}
