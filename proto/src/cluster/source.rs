//! What the core that owns the source of a copy tells the core that makes the copy. The answer to [`READ_PATH`] is a u32
//! length, a [`SourceAnswer`] of that length, and the payload.

use super::map::{count, decode_list};
use crate::{
    digest::stored::StoredChecksum,
    error::{ErrorCode, S3Error},
    limits::OBJECT_TAGS_DECODED_MAX,
    s3::{object::ObjectHeaders, version::VersionId},
    wire::{Decoder, Encoder, WireError},
};

/// POST: `Grant::Read`; empty request body.
pub const READ_PATH: &str = "/_corelane/read";

/// An object that is copied, without its payload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceObject {
    /// Modification time, milliseconds since the epoch.
    pub modified_unix_ms: u64,
    /// Bytes of the whole object.
    pub size: u64,
    /// ETag without quotes.
    pub etag: String,
    /// Its checksum.
    pub checksum: Option<StoredChecksum>,
    /// What S3 keeps with it.
    pub headers: ObjectHeaders,
    /// Its tags, in the order given.
    pub tags: Vec<(String, String)>,
    /// Which version it is; `None` in a bucket that never had versions.
    pub version: Option<VersionId>,
    /// Bytes of payload that follow: the object, or the range asked for. 0 where either is more than a copy takes, or the
    /// range does not lie within the object.
    pub payload_bytes: u64,
}

/// What became of looking the source up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceAnswer {
    /// There it is.
    Found(Box<SourceObject>),
    /// There is none to be read; as the client is to be told.
    Refused {
        /// The code.
        code: ErrorCode,
        /// What a person reads.
        message: String,
    },
}

impl SourceObject {
    fn encode(&self, encoder: &mut Encoder) {
        encoder
            .u64(self.modified_unix_ms)
            .u64(self.size)
            .string(&self.etag)
            .option(self.checksum.as_ref(), |encoder, checksum| checksum.encode(encoder));
        self.headers.encode(encoder);
        encoder.u32(count(self.tags.len()));
        for (key, value) in &self.tags {
            encoder.string(key).string(value);
        }
        encoder
            .option(self.version, |encoder, version| version.encode(encoder))
            .u64(self.payload_bytes);
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        Ok(Self {
            modified_unix_ms: decoder.u64()?,
            size: decoder.u64()?,
            etag: decoder.string()?,
            checksum: decoder.option(StoredChecksum::decode)?,
            headers: ObjectHeaders::decode(decoder)?,
            tags: decode_list(decoder, OBJECT_TAGS_DECODED_MAX, |decoder| {
                Ok((decoder.string()?, decoder.string()?))
            })?,
            version: decoder.option(VersionId::decode)?,
            payload_bytes: decoder.u64()?,
        })
    }
}

impl SourceAnswer {
    /// Encodes it.
    pub fn encode(&self, encoder: &mut Encoder) {
        match self {
            Self::Found(object) => {
                encoder.u8(1);
                object.encode(encoder);
            }
            // Codes travel by name: their order in the table is no promise.
            Self::Refused { code, message } => {
                encoder.u8(2).string(code.as_str()).string(message);
            }
        }
    }

    /// Decodes it.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut decoder = Decoder::new(bytes);
        let answer = match decoder.u8()? {
            1 => Self::Found(Box::new(SourceObject::decode(&mut decoder)?)),
            2 => {
                let name = decoder.string()?;
                let code = ErrorCode::ALL.iter().copied().find(|code| code.as_str() == name);
                Self::Refused {
                    code: code.ok_or(WireError::Invalid)?,
                    message: decoder.string()?,
                }
            }
            _ => return Err(WireError::Invalid),
        };
        decoder.finish()?;
        Ok(answer)
    }
}

impl From<&S3Error> for SourceAnswer {
    fn from(error: &S3Error) -> Self {
        Self::Refused {
            code: error.code,
            message: error.message.to_string(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{SourceAnswer, SourceObject};
    use crate::{
        digest::checksum::{Checksum, ChecksumAlgorithm},
        error::{ErrorCode, S3Error},
        s3::{object::ObjectHeaders, version::VersionId},
        wire::Encoder,
    };

    #[test]
    fn answers_survive_and_every_truncation_fails() {
        let object = SourceObject {
            modified_unix_ms: 1,
            size: 2,
            etag: "e".to_owned(),
            checksum: Checksum::from_base64(ChecksumAlgorithm::Crc32, "AAAAAA==").map(Into::into),
            headers: ObjectHeaders {
                content_type: Some("text/plain".to_owned()),
                ..ObjectHeaders::default()
            },
            tags: vec![("k".to_owned(), "v".to_owned())],
            version: Some(VersionId::Number(7)),
            payload_bytes: 2,
        };
        for answer in [
            SourceAnswer::Found(Box::new(object)),
            SourceAnswer::Found(Box::default()),
            SourceAnswer::from(&S3Error::new(ErrorCode::NoSuchKey)),
        ] {
            let mut encoder = Encoder::new();
            answer.encode(&mut encoder);
            let bytes = encoder.finish();
            assert_eq!(SourceAnswer::decode(&bytes).unwrap(), answer);
            for cut in 0..bytes.len() {
                assert!(SourceAnswer::decode(&bytes[..cut]).is_err());
            }
        }
    }
}
