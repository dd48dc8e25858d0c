//! Making an object of a payload that was received or copied.

use super::ObjectRequest;
use crate::receive::Failure;
use mountpath::{
    index::entry::ObjectEntry,
    record::ObjectMeta,
    shard_store::{Change, NewPayload, Outcome, ShardStore},
};
use proto::{
    error::{ErrorCode, S3Error},
    http::conditional::WriteCondition,
};
use std::sync::Arc;

/// Puts it, if the condition holds in the turn that appends.
pub async fn put(
    shard: &ShardStore,
    object: &ObjectRequest,
    meta: ObjectMeta,
    payload: NewPayload,
    condition: Option<&WriteCondition>,
) -> Result<Arc<ObjectEntry>, Failure> {
    let (bucket, key) = (&object.bucket, object.key.clone().into_bytes());
    shard.note_bucket(bucket.id, &bucket.name);
    let change = Change::Put(bucket.versioning.into(), Box::new(meta), payload);
    let outcome = match condition {
        None => shard.change(bucket.id, key, change).await?,
        Some(condition) => {
            let allows = |newest: Option<&ObjectEntry>| check(condition, newest);
            shard
                .change_if(bucket.id, key, bucket.versioning, None, change, allows)
                .await??
        }
    };
    match outcome {
        Outcome::Put(entry) => Ok(entry),
        _ => Err(S3Error::new(ErrorCode::InternalError).into()),
    }
}

/// Holds a condition against the newest version of a key.
pub fn check(condition: &WriteCondition, newest: Option<&ObjectEntry>) -> Result<(), S3Error> {
    match newest {
        None => condition.check(None),
        Some(entry) if entry.is_delete_marker() => condition.check_delete_marker(),
        Some(entry) => condition.check(Some((&entry.meta.etag, entry.meta.modified_unix_ms, entry.meta.size))),
    }
}
