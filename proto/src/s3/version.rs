//! Versions of objects and multipart uploads: their numbers, and the ids that clients know them by.

use crate::{
    error::{ErrorCode, S3Error},
    wire::{Decoder, Encoder, WireError},
};
use std::fmt;

/// The id of the version that buckets without versioning have
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html>).
const NULL: &str = "null";
/// Hex digits of a number in an id.
const ID_DIGITS: usize = 16;

/// Whether a bucket keeps the versions of its objects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Versioning {
    /// Never configured: a key has the null version and no other.
    #[default]
    Unversioned,
    /// Every write makes a version.
    Enabled,
    /// Every write makes the null version; what was made before stays.
    Suspended,
}

impl Versioning {
    /// Its number in tickets.
    pub fn code(self) -> u8 {
        match self {
            Self::Unversioned => 0,
            Self::Enabled => 1,
            Self::Suspended => 2,
        }
    }
    /// From its number.
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Unversioned, Self::Enabled, Self::Suspended]
            .get(usize::from(code))
            .copied()
    }
    /// Whether keys may have more than the null version, and answers name versions.
    pub fn is_versioned(self) -> bool {
        self != Self::Unversioned
    }
}

/// A version of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VersionId {
    /// `null`.
    Null,
    /// The number of the record that made it; of a key's versions the highest is the newest.
    Number(u64),
}

impl VersionId {
    /// From `versionId` or an XML element. `InvalidArgument` for what never was an id.
    pub fn parse(id: &str) -> Result<Self, S3Error> {
        if id == NULL {
            return Ok(Self::Null);
        }
        parse_number(id).map(Self::Number).ok_or_else(|| {
            let message = match id {
                "" => "Version id cannot be the empty string",
                _ => "Invalid version id specified",
            };
            S3Error::with_message(ErrorCode::InvalidArgument, message)
                .field("ArgumentName", "versionId")
                .field("ArgumentValue", id)
        })
    }
    /// Encodes it.
    pub fn encode(self, encoder: &mut Encoder) {
        let number = match self {
            Self::Null => None,
            Self::Number(number) => Some(number),
        };
        encoder.option(number, |encoder, number| {
            encoder.u64(number);
        });
    }
    /// Decodes it.
    pub fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        let number = decoder.option(Decoder::u64)?;
        Ok(number.map_or(Self::Null, Self::Number))
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str(NULL),
            Self::Number(number) => write!(f, "{number:0ID_DIGITS$x}"),
        }
    }
}

/// A multipart upload: the number of the record that began it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UploadId(pub u64);

impl UploadId {
    /// From `uploadId`; `NoSuchUpload` for what never was one.
    pub fn parse(id: &str) -> Result<Self, S3Error> {
        parse_number(id).map(Self).ok_or_else(|| Self::unknown(id))
    }
    /// What S3 answers for an upload that is not there.
    pub fn unknown(id: &str) -> S3Error {
        S3Error::new(ErrorCode::NoSuchUpload).field("UploadId", id)
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0ID_DIGITS$x}", self.0)
    }
}

/// Exactly the form that is written: one id, one text.
fn parse_number(id: &str) -> Option<u64> {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let is_id = id.len() == ID_DIGITS && id.bytes().all(is_hex);
    is_id.then(|| u64::from_str_radix(id, 16).ok()).flatten()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{UploadId, VersionId, Versioning};
    use crate::{
        error::ErrorCode,
        wire::{Decoder, Encoder},
    };

    #[test]
    fn ids_are_read_as_they_are_written() {
        for version in [VersionId::Null, VersionId::Number(0), VersionId::Number(u64::MAX)] {
            assert_eq!(VersionId::parse(&version.to_string()).unwrap(), version);
            let mut encoder = Encoder::new();
            version.encode(&mut encoder);
            let bytes = encoder.finish();
            assert_eq!(VersionId::decode(&mut Decoder::new(&bytes)).unwrap(), version);
        }
        assert_eq!(UploadId::parse(&UploadId(77).to_string()).unwrap(), UploadId(77));
        for bad in [
            "",
            "x",
            "Null",
            "+00000000000000a",
            "00000000000000A0",
            "00000000000000000",
        ] {
            assert_eq!(
                VersionId::parse(bad).unwrap_err().code,
                ErrorCode::InvalidArgument,
                "{bad}"
            );
            assert_eq!(UploadId::parse(bad).unwrap_err().code, ErrorCode::NoSuchUpload, "{bad}");
        }
    }

    #[test]
    fn codes_round_trip() {
        for versioning in [Versioning::Unversioned, Versioning::Enabled, Versioning::Suspended] {
            assert_eq!(Versioning::from_code(versioning.code()), Some(versioning));
        }
        assert_eq!(Versioning::from_code(3), None);
    }
}
