//! What the headers of CopyObject and UploadPartCopy say of their source
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html>).

use super::{
    name::{BucketName, ObjectKey},
    query::Query,
    version::VersionId,
};
use crate::{
    error::{ErrorCode, S3Error},
    http::{head::RequestHead, percent, range::ByteRange},
    limits::COPY_SOURCE_BYTES_MAX,
    wire::{Decoder, Encoder, WireError},
};
use std::borrow::Cow;

const COPY_SOURCE: &str = "x-amz-copy-source";
const COPY_SOURCE_RANGE: &str = "x-amz-copy-source-range";
/// Between the key and its version, as sent.
const VERSION_SEPARATOR: &str = "?versionId=";

/// The object that is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopySource {
    /// Its bucket.
    pub bucket: BucketName,
    /// Its key.
    pub key: ObjectKey,
    /// Which version of it; `None`: the newest.
    pub version: Option<VersionId>,
}

/// First and last byte of `x-amz-copy-source-range`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyRange {
    /// The first byte.
    pub first: u64,
    /// The last byte, not before the first.
    pub last: u64,
}

/// `x-amz-metadata-directive` or `x-amz-tagging-directive`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directive {
    /// What the source has.
    Copy,
    /// What the request brings.
    Replace,
}

/// A header of a request, or the parameter of a presigned URL that stands for it, as in S3. Only for `x-amz-*`.
pub fn amz_header<'h>(head: &'h RequestHead, query: &'h Query, name: &str) -> Option<Cow<'h, str>> {
    if let Some(value) = head.header(name) {
        return Some(String::from_utf8_lossy(value));
    }
    query
        .iter()
        .find(|(candidate, _)| candidate.eq_ignore_ascii_case(name))
        .map(|(_, value)| Cow::Borrowed(value))
}

impl CopySource {
    /// Reads `x-amz-copy-source`. `InvalidArgument` for what names no object, `NotImplemented` for access points.
    pub fn from_request(head: &RequestHead, query: &Query) -> Result<Self, S3Error> {
        let value = amz_header(head, query, COPY_SOURCE).unwrap_or_default();
        Self::parse(&value)
    }

    /// Reads `bucket/key` or `/bucket/key`, URL-encoded in whole or in part, with `?versionId=` behind it or not. A `+` is
    /// a space, as S3 decodes it.
    pub fn parse(value: &str) -> Result<Self, S3Error> {
        let refuse = |message: &'static str| argument(COPY_SOURCE, value, message);
        if value.len() > COPY_SOURCE_BYTES_MAX {
            return Err(refuse("Copy Source is too long"));
        }
        let (object, version) = match value.rsplit_once(VERSION_SEPARATOR) {
            Some((object, version)) => (object, Some(version)),
            None => (value, None),
        };
        let object = decode(object).ok_or_else(|| refuse("Copy Source must be URL-encoded UTF-8"))?;
        if object.starts_with("arn:") {
            return Err(S3Error::with_message(
                ErrorCode::NotImplemented,
                "Access points are not implemented as a copy source.",
            )
            .field("Header", COPY_SOURCE));
        }
        let path = object.strip_prefix('/').unwrap_or(&object);
        let names_an_object = || refuse("Copy Source must mention the source bucket and key: sourcebucket/sourcekey");
        let (bucket, key) = path.split_once('/').ok_or_else(names_an_object)?;
        if bucket.is_empty() || key.is_empty() {
            return Err(names_an_object());
        }
        let version = match version {
            None => None,
            Some(id) => {
                let id = decode(id).ok_or_else(|| refuse("Copy Source must be URL-encoded UTF-8"))?;
                Some(VersionId::parse(&id)?)
            }
        };
        Ok(Self {
            bucket: BucketName::parse(bucket)?,
            key: ObjectKey::parse(key)?,
            version,
        })
    }
}

impl CopyRange {
    /// Reads `x-amz-copy-source-range`: exactly `bytes=first-last`, else `InvalidArgument`.
    pub fn from_request(head: &RequestHead, query: &Query) -> Result<Option<Self>, S3Error> {
        amz_header(head, query, COPY_SOURCE_RANGE)
            .map(|value| {
                Self::parse(&value).ok_or_else(|| {
                    argument(
                        COPY_SOURCE_RANGE,
                        &value,
                        "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are \
                         the zero-based offsets of the first and last bytes to copy",
                    )
                })
            })
            .transpose()
    }

    fn parse(value: &str) -> Option<Self> {
        let (first, last) = value.strip_prefix("bytes=")?.split_once('-')?;
        let number = |digits: &str| {
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| digits.parse::<u64>().ok()).flatten()
        };
        let (first, last) = (number(first)?, number(last)?);
        (first <= last).then_some(Self { first, last })
    }

    /// The same of a source of `size` bytes; `InvalidRange` when it does not lie within.
    pub fn within(self, size: u64) -> Result<ByteRange, S3Error> {
        if self.last >= size {
            return Err(S3Error::new(ErrorCode::InvalidRange)
                .field("RangeRequested", format!("bytes={}-{}", self.first, self.last))
                .field("ActualObjectSize", size.to_string()));
        }
        Ok(ByteRange {
            start: self.first,
            length: self.last - self.first + 1,
        })
    }

    /// Encodes it for a ticket.
    pub fn encode(self, encoder: &mut Encoder) {
        encoder.u64(self.first).u64(self.last);
    }
    /// Decodes it.
    pub fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        let (first, last) = (decoder.u64()?, decoder.u64()?);
        match first <= last {
            true => Ok(Self { first, last }),
            false => Err(WireError::Invalid),
        }
    }
}

impl Directive {
    /// Reads a directive of this name; COPY without one. `InvalidArgument` for another value.
    pub fn from_request(head: &RequestHead, query: &Query, name: &'static str) -> Result<Self, S3Error> {
        match amz_header(head, query, name).as_deref() {
            None | Some("COPY") => Ok(Self::Copy),
            Some("REPLACE") => Ok(Self::Replace),
            Some(other) => Err(argument(
                name,
                other,
                match name {
                    "x-amz-tagging-directive" => "Unknown tagging directive.",
                    _ => "Unknown metadata directive.",
                },
            )),
        }
    }
}

/// A part of the header, decoded once.
fn decode(text: &str) -> Option<String> {
    let bytes = percent::decode(&text.replace('+', " "))?;
    String::from_utf8(bytes).ok()
}

fn argument(name: &str, value: &str, message: &'static str) -> S3Error {
    S3Error::with_message(ErrorCode::InvalidArgument, message)
        .field("ArgumentName", name)
        .field("ArgumentValue", value)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{CopyRange, CopySource};
    use crate::{error::ErrorCode, http::range::ByteRange, s3::version::VersionId};

    #[test]
    fn sources_in_every_form() {
        for (value, key, version) in [
            ("source/a/b", "a/b", None),
            ("/source/a", "a", None),
            ("source//a", "/a", None),
            ("%2Fsource%2Fa%2Fb", "a/b", None),
            ("/source/a%2Bb%20c+d", "a+b c d", None),
            ("source/cl%C3%A9%3FversionId=x", "clé?versionId=x", None),
            ("source/a?versionId=null", "a", Some(VersionId::Null)),
            ("source/a?versionId=000000000000000a", "a", Some(VersionId::Number(10))),
            ("source/a?b?versionId=null", "a?b", Some(VersionId::Null)),
            ("source/../x", "../x", None),
        ] {
            let source = CopySource::parse(value).unwrap();
            assert_eq!(source.bucket.as_str(), "source", "{value}");
            assert_eq!(source.key.as_str(), key, "{value}");
            assert_eq!(source.version, version, "{value}");
        }
    }

    #[test]
    fn what_is_no_source() {
        for (value, code) in [
            ("", ErrorCode::InvalidArgument),
            ("/", ErrorCode::InvalidArgument),
            ("source", ErrorCode::InvalidArgument),
            ("source/", ErrorCode::InvalidArgument),
            ("//key", ErrorCode::InvalidArgument),
            ("source/%zz", ErrorCode::InvalidArgument),
            ("source/%ff", ErrorCode::InvalidArgument),
            ("source/a?versionId=", ErrorCode::InvalidArgument),
            ("source/a?versionId=x", ErrorCode::InvalidArgument),
            ("So/a", ErrorCode::InvalidBucketName),
            ("../a", ErrorCode::InvalidBucketName),
            (
                "arn:aws:s3:us-east-1:1:accesspoint/x/object/a",
                ErrorCode::NotImplemented,
            ),
        ] {
            assert_eq!(CopySource::parse(value).unwrap_err().code, code, "{value}");
        }
        let long = format!("source/{}", "k".repeat(1025));
        assert_eq!(CopySource::parse(&long).unwrap_err().code, ErrorCode::KeyTooLongError);
    }

    #[test]
    fn ranges_are_exact() {
        assert_eq!(CopyRange::parse("bytes=0-4"), Some(CopyRange { first: 0, last: 4 }));
        for bad in [
            "",
            "0-4",
            "bytes=",
            "bytes=4",
            "bytes=4-",
            "bytes=-4",
            "bytes=5-4",
            "bytes=a-b",
            "bytes=0-4,6-7",
            "Bytes=0-4",
            "bytes=+0-4",
            "bytes= 0-4",
            "bytes=0-99999999999999999999999",
        ] {
            assert_eq!(CopyRange::parse(bad), None, "{bad}");
        }
        let range = CopyRange { first: 2, last: 4 };
        assert_eq!(range.within(5).unwrap(), ByteRange { start: 2, length: 3 });
        assert_eq!(range.within(4).unwrap_err().code, ErrorCode::InvalidRange);
    }
}
