//! DeleteObject (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html>): 204 whether the key held
//! something or not.

use super::ObjectRequest;
use crate::{
    answer::{Exchange, store_error},
    connection::{After, Connection},
};
use mountpath::shard_store::Change;
use proto::{
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
    s3::version::VersionId,
};

/// Deletes the object, durably.
pub async fn run(
    connection: &mut Connection<'_>,
    head: &RequestHead,
    exchange: Exchange,
    object: ObjectRequest,
) -> After {
    let core = connection.core;
    let Some((_, shard)) = core.shard(object.shard) else {
        return connection
            .refuse(head, exchange, &S3Error::new(ErrorCode::ServiceUnavailable))
            .await;
    };
    let key = object.key.as_bytes();
    // A key that holds nothing, with nothing under way, needs no tombstone and no sync.
    let deleted = match shard.lookup(object.bucket.id, key).await {
        Ok(None) if shard.is_settled() => Ok(()),
        Ok(_) => {
            let change = shard
                .change(object.bucket.id, key.to_vec(), Change::Delete(VersionId::Null))
                .await;
            change.map(drop)
        }
        Err(error) => Err(error),
    };
    if let Err(error) = deleted {
        let error = store_error(&error, &object.bucket.name, &object.key);
        return connection.refuse(head, exchange, &error).await;
    }
    let bytes = exchange.empty(core, 204, |_| {});
    connection.answer(&exchange, &bytes).await
}
