//! Fencing a bucket for deletion: from the answer on, no write enters it on any shard of this core.

use crate::{
    answer::{Exchange, store_error},
    connection::{After, Connection},
};
use mountpath::{error::StoreError, shard_store::Change};
use proto::{http::head::RequestHead, s3::bucket::BucketId};

/// Fences the bucket on every shard, or lifts the fence, durably.
pub async fn run(
    connection: &mut Connection<'_>,
    head: &RequestHead,
    exchange: Exchange,
    bucket: BucketId,
    fenced: bool,
) -> After {
    let core = connection.core;
    let submitted: Vec<_> = core
        .shards
        .iter()
        .map(|shard| shard.submit(bucket, Vec::new(), Change::Fence(fenced)))
        .collect();
    for receiver in submitted {
        if let Err(error) = receiver.wait().await.unwrap_or(Err(StoreError::ReadOnly)) {
            return connection.refuse(head, exchange, &store_error(&error, "", "")).await;
        }
    }
    let bytes = exchange.empty(core, 200, |_| {});
    connection.answer(&exchange, &bytes).await
}
