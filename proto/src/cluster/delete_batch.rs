//! The message that deletes objects and versions: its body, and the body of its answer.

use super::map::{Uuid, count, decode_list};
use crate::{
    error::ErrorCode,
    http::conditional::WriteCondition,
    limits::DELETE_KEYS_MAX,
    s3::version::VersionId,
    wire::{Decoder, Encoder, WireError},
};

/// What to delete on one core, all of the same bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteBatch {
    /// In order.
    pub deletions: Vec<Deletion>,
}

/// A deletion of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// The shard that owns the key.
    pub shard: Uuid,
    /// The key.
    pub key: String,
    /// The version to remove for good; `None`: as DeleteObject without one.
    pub version: Option<VersionId>,
    /// What must be true of the newest version.
    pub condition: Option<WriteCondition>,
}

/// One result a deletion, in the order of the batch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteBatchResult {
    /// The delete marker that was made, or removed; or the error, as S3 reports it per key.
    pub results: Vec<Result<Option<VersionId>, ErrorCode>>,
}

impl DeleteBatch {
    /// Encodes it.
    pub fn encode(&self, encoder: &mut Encoder) {
        encoder.u32(count(self.deletions.len()));
        for deletion in &self.deletions {
            encoder.fixed(&deletion.shard).string(&deletion.key);
            encoder.option(deletion.version, |encoder, version| version.encode(encoder));
            encoder.option(deletion.condition.as_ref(), |encoder, condition| {
                condition.encode(encoder)
            });
        }
    }
    /// Decodes it; at most DELETE_KEYS_MAX deletions.
    pub fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        let deletions = decode_list(decoder, DELETE_KEYS_MAX, |decoder| {
            Ok(Deletion {
                shard: decoder.array()?,
                key: decoder.string()?,
                version: decoder.option(VersionId::decode)?,
                condition: decoder.option(WriteCondition::decode)?,
            })
        })?;
        Ok(Self { deletions })
    }
}

impl DeleteBatchResult {
    /// Encodes it. Codes travel by name: their order in the table is no promise.
    pub fn encode(&self, encoder: &mut Encoder) {
        encoder.u32(count(self.results.len()));
        for result in &self.results {
            match result {
                Ok(delete_marker) => {
                    encoder
                        .bool(true)
                        .option(*delete_marker, |encoder, version| version.encode(encoder));
                }
                Err(code) => {
                    encoder.bool(false).string(code.as_str());
                }
            }
        }
    }
    /// Decodes it; at most DELETE_KEYS_MAX results.
    pub fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        let results = decode_list(decoder, DELETE_KEYS_MAX, |decoder| {
            Ok(match decoder.bool()? {
                true => Ok(decoder.option(VersionId::decode)?),
                false => Err(error_code(decoder)?),
            })
        })?;
        Ok(Self { results })
    }
}

fn error_code(decoder: &mut Decoder<'_>) -> Result<ErrorCode, WireError> {
    let name = decoder.bytes()?;
    ErrorCode::ALL
        .iter()
        .copied()
        .find(|code| code.as_str().as_bytes() == name)
        .ok_or(WireError::Invalid)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{DeleteBatch, DeleteBatchResult, Deletion};
    use crate::{
        error::ErrorCode,
        http::conditional::WriteCondition,
        limits::DELETE_KEYS_MAX,
        s3::version::VersionId,
        wire::{Decoder, Encoder, WireError},
    };

    #[test]
    fn a_batch_and_its_result_round_trip() {
        let deletion = |key: &str, version, condition| Deletion {
            shard: [1; 16],
            key: key.to_owned(),
            version,
            condition,
        };
        let batch = DeleteBatch {
            deletions: vec![
                deletion("a//b", None, None),
                deletion("cl\u{e9}", Some(VersionId::Null), None),
                deletion(
                    "c",
                    Some(VersionId::Number(7)),
                    Some(WriteCondition::DeletesMatching(None)),
                ),
            ],
        };
        let mut encoder = Encoder::new();
        batch.encode(&mut encoder);
        let bytes = encoder.finish();
        assert_eq!(DeleteBatch::decode(&mut Decoder::new(&bytes)).unwrap(), batch);

        let mut results: Vec<_> = ErrorCode::ALL.iter().copied().map(Err).collect();
        results.extend([Ok(None), Ok(Some(VersionId::Null)), Ok(Some(VersionId::Number(9)))]);
        let result = DeleteBatchResult { results };
        let mut encoder = Encoder::new();
        result.encode(&mut encoder);
        let bytes = encoder.finish();
        assert_eq!(DeleteBatchResult::decode(&mut Decoder::new(&bytes)).unwrap(), result);
    }

    #[test]
    fn too_many_keys_and_unknown_codes_are_refused() {
        let deletion = Deletion {
            shard: [0; 16],
            key: "k".to_owned(),
            version: None,
            condition: None,
        };
        let batch = DeleteBatch {
            deletions: vec![deletion; DELETE_KEYS_MAX + 1],
        };
        let mut encoder = Encoder::new();
        batch.encode(&mut encoder);
        let bytes = encoder.finish();
        assert_eq!(DeleteBatch::decode(&mut Decoder::new(&bytes)), Err(WireError::Invalid));

        let mut encoder = Encoder::new();
        encoder.u32(1).bool(false).string("NoSuchCode");
        let bytes = encoder.finish();
        assert_eq!(
            DeleteBatchResult::decode(&mut Decoder::new(&bytes)),
            Err(WireError::Invalid)
        );
    }
}
