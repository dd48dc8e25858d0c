//! Making an object of a payload that was received or copied.

use super::{
    ObjectRequest,
    version::{check, no_such},
};
use crate::{answer::store_error, receive::Failure};
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
                .await?
                .map_err(|error| name_key(error, object))?
        }
    };
    match outcome {
        Outcome::Put(entry) => Ok(entry),
        _ => Err(S3Error::new(ErrorCode::InternalError).into()),
    }
}

/// Holds the condition against what is there now, so that nobody sends or copies a payload for nothing.
pub async fn check_early(
    shard: &ShardStore,
    object: &ObjectRequest,
    condition: Option<&WriteCondition>,
) -> Result<(), S3Error> {
    let Some(condition) = condition else {
        return Ok(());
    };
    let bucket = &object.bucket;
    let found = shard
        .find(bucket.id, object.key.as_bytes(), bucket.versioning, None)
        .await;
    let found = found.map_err(|error| store_error(&error, &bucket.name, &object.key))?;
    check(condition, found.as_deref()).map_err(|error| name_key(error, object))
}

/// A key that holds nothing to be compared with is named.
pub fn name_key(error: S3Error, object: &ObjectRequest) -> S3Error {
    match error.code {
        ErrorCode::NoSuchKey => no_such(object, None),
        _ => error,
    }
}
