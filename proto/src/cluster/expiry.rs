//! What a bucket's lifecycle takes away: decided by a gateway from a listing, done by the cores that own the keys, as long
//! as each key is what the listing said.

use super::map::{Uuid, count, decode_list};
use crate::{
    limits::EXPIRIES_MAX,
    s3::version::{UploadId, VersionId},
    wire::{Decoder, Encoder, WireError},
};

/// POST: `Grant::Expire`; request body `ExpireBatch`; answers `ExpireResult`.
pub const EXPIRE_PATH: &str = "/_corelane/expire";

/// What has expired on one core, all of the same bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExpireBatch {
    /// In any order.
    pub expiries: Vec<Expiry>,
}

/// One thing of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// The shard that owns the key.
    pub shard: Uuid,
    /// The key.
    pub key: String,
    /// What has expired.
    pub what: Expired,
}

/// See [`Expiry`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expired {
    /// The newest version: it is deleted as a DeleteObject without a version does it.
    Newest(Seen),
    /// A version, for good, as long as the newest one is still the one seen.
    Version(VersionId, Seen),
    /// An upload.
    Upload(UploadId),
}

/// A version as a listing showed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Which.
    pub version: VersionId,
    /// When it was made, in milliseconds since the epoch: the null version may be another one by now.
    pub modified_unix_ms: u64,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExpireResult {
    /// How many went.
    pub done: u32,
    /// How many stay because something has changed.
    pub changed: u32,
    /// How many could not be taken away now.
    pub failed: u32,
}

impl ExpireBatch {
    /// Encodes it.
    pub fn encode(&self, encoder: &mut Encoder) {
        encoder.u32(count(self.expiries.len()));
        for expiry in &self.expiries {
            encoder.fixed(&expiry.shard).string(&expiry.key);
            match expiry.what {
                Expired::Newest(seen) => {
                    encoder.u8(1);
                    seen.encode(encoder);
                }
                Expired::Version(version, seen) => {
                    encoder.u8(2);
                    version.encode(encoder);
                    seen.encode(encoder);
                }
                Expired::Upload(upload) => {
                    encoder.u8(3).u64(upload.0);
                }
            }
        }
    }
    /// Decodes it; at most EXPIRIES_MAX.
    pub fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        let expiries = decode_list(decoder, EXPIRIES_MAX, |decoder| {
            Ok(Expiry {
                shard: decoder.array()?,
                key: decoder.string()?,
                what: match decoder.u8()? {
                    1 => Expired::Newest(Seen::decode(decoder)?),
                    2 => Expired::Version(VersionId::decode(decoder)?, Seen::decode(decoder)?),
                    3 => Expired::Upload(UploadId(decoder.u64()?)),
                    _ => return Err(WireError::Invalid),
                },
            })
        })?;
        Ok(Self { expiries })
    }
}

impl Seen {
    fn encode(self, encoder: &mut Encoder) {
        self.version.encode(encoder);
        encoder.u64(self.modified_unix_ms);
    }
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        Ok(Self {
            version: VersionId::decode(decoder)?,
            modified_unix_ms: decoder.u64()?,
        })
    }
}

impl ExpireResult {
    /// Encodes it.
    pub fn encode(self, encoder: &mut Encoder) {
        encoder.u32(self.done).u32(self.changed).u32(self.failed);
    }
    /// Decodes it.
    pub fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        Ok(Self {
            done: decoder.u32()?,
            changed: decoder.u32()?,
            failed: decoder.u32()?,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{ExpireBatch, ExpireResult, Expired, Expiry, Seen};
    use crate::{
        limits::EXPIRIES_MAX,
        s3::version::{UploadId, VersionId},
        wire::{Decoder, Encoder, WireError},
    };

    #[test]
    fn batches_and_results_round_trip() {
        let seen = Seen {
            version: VersionId::Null,
            modified_unix_ms: 7,
        };
        let whats = [
            Expired::Newest(seen),
            Expired::Version(VersionId::Number(9), seen),
            Expired::Upload(UploadId(u64::MAX)),
        ];
        let of = |what| Expiry {
            shard: [3; 16],
            key: "a//é".to_owned(),
            what,
        };
        let batch = ExpireBatch {
            expiries: whats.map(of).to_vec(),
        };
        let mut encoder = Encoder::new();
        batch.encode(&mut encoder);
        let bytes = encoder.finish();
        assert_eq!(ExpireBatch::decode(&mut Decoder::new(&bytes)).unwrap(), batch);
        for cut in 0..bytes.len() {
            assert!(ExpireBatch::decode(&mut Decoder::new(&bytes[..cut])).is_err());
        }
        let many = ExpireBatch {
            expiries: vec![of(Expired::Newest(seen)); EXPIRIES_MAX + 1],
        };
        let mut encoder = Encoder::new();
        many.encode(&mut encoder);
        let bytes = encoder.finish();
        assert_eq!(ExpireBatch::decode(&mut Decoder::new(&bytes)), Err(WireError::Invalid));
        let result = ExpireResult {
            done: 1,
            changed: 2,
            failed: 3,
        };
        let mut encoder = Encoder::new();
        result.encode(&mut encoder);
        let bytes = encoder.finish();
        assert_eq!(ExpireResult::decode(&mut Decoder::new(&bytes)).unwrap(), result);
    }
}
