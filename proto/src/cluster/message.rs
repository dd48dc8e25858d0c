//! Messages between a gateway and a core: HTTP requests with a ticket to these paths, bodies in `wire` encoding.

use super::map::{count, decode_list};
use crate::{
    error::ErrorCode,
    limits::DELETE_KEYS_MAX,
    wire::{Decoder, Encoder, WireError},
};

/// POST: `Grant::List`; empty request body; answers a `ListPage`.
pub const LIST_PATH: &str = "/_corelane/list";
/// POST: `Grant::DeleteBatch`; request body `DeleteBatch`; answers `DeleteBatchResult`.
pub const DELETE_BATCH_PATH: &str = "/_corelane/delete-batch";
/// POST: `Grant::Fence`; empty bodies, 200 or an S3 error.
pub const FENCE_PATH: &str = "/_corelane/fence";
/// POST on a gateway: `Grant::Register`; body `NodeInfo`; 204, or 409 when the shard map names other shards for this
/// node.
pub const REGISTER_PATH: &str = "/_corelane/register";

/// Keys to delete on one core: each with its shard (all of the same bucket).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteBatch {
    /// (shard, key).
    pub keys: Vec<([u8; 16], String)>,
}

/// One result a key, in the order of the batch: `None` is deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteBatchResult {
    /// The error, as S3 reports it per key.
    pub errors: Vec<Option<ErrorCode>>,
}

impl DeleteBatch {
    /// Encodes it.
    pub fn encode(&self, encoder: &mut Encoder) {
        encoder.u32(count(self.keys.len()));
        for (shard, key) in &self.keys {
            encoder.fixed(shard).string(key);
        }
    }
    /// Decodes it; at most DELETE_KEYS_MAX keys.
    pub fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        let keys = decode_list(decoder, DELETE_KEYS_MAX, |decoder| {
            Ok((decoder.array()?, decoder.string()?))
        })?;
        Ok(Self { keys })
    }
}

impl DeleteBatchResult {
    /// Encodes it. Codes travel by name: their order in the table is no promise.
    pub fn encode(&self, encoder: &mut Encoder) {
        encoder.u32(count(self.errors.len()));
        for error in &self.errors {
            encoder.option(*error, |encoder, code| {
                encoder.string(code.as_str());
            });
        }
    }
    /// Decodes it; at most DELETE_KEYS_MAX results.
    pub fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        let errors = decode_list(decoder, DELETE_KEYS_MAX, |decoder| decoder.option(error_code))?;
        Ok(Self { errors })
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
    use super::{DeleteBatch, DeleteBatchResult};
    use crate::{
        error::ErrorCode,
        limits::DELETE_KEYS_MAX,
        wire::{Decoder, Encoder, WireError},
    };

    #[test]
    fn a_batch_and_its_result_round_trip() {
        let batch = DeleteBatch {
            keys: vec![([1; 16], "a//b".to_owned()), ([2; 16], "cl\u{e9}".to_owned())],
        };
        let mut encoder = Encoder::new();
        batch.encode(&mut encoder);
        let bytes = encoder.finish();
        assert_eq!(DeleteBatch::decode(&mut Decoder::new(&bytes)).unwrap(), batch);

        let mut errors: Vec<_> = ErrorCode::ALL.iter().copied().map(Some).collect();
        errors.push(None);
        let result = DeleteBatchResult { errors };
        let mut encoder = Encoder::new();
        result.encode(&mut encoder);
        let bytes = encoder.finish();
        assert_eq!(DeleteBatchResult::decode(&mut Decoder::new(&bytes)).unwrap(), result);
    }

    #[test]
    fn too_many_keys_and_unknown_codes_are_refused() {
        let batch = DeleteBatch {
            keys: vec![([0; 16], "k".to_owned()); DELETE_KEYS_MAX + 1],
        };
        let mut encoder = Encoder::new();
        batch.encode(&mut encoder);
        let bytes = encoder.finish();
        assert_eq!(DeleteBatch::decode(&mut Decoder::new(&bytes)), Err(WireError::Invalid));

        let mut encoder = Encoder::new();
        encoder.u32(1).bool(true).string("NoSuchCode");
        let bytes = encoder.finish();
        assert_eq!(
            DeleteBatchResult::decode(&mut Decoder::new(&bytes)),
            Err(WireError::Invalid)
        );
    }
}
