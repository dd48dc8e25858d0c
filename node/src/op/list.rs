//! A page of a bucket from the shards of this core, merged; the gateway merges the cores' pages.

use crate::{
    answer::{Exchange, store_error},
    connection::{After, Connection},
};
use proto::{
    http::head::RequestHead,
    s3::{bucket::BucketId, listing::ListQuery, merge::Merger},
};

/// Answers a list message.
pub async fn run(
    connection: &mut Connection<'_>,
    head: &RequestHead,
    exchange: Exchange,
    bucket: BucketId,
    query: &ListQuery,
) -> After {
    let shards = &connection.core.shards;
    let mut merger = Merger::new(query.limit, shards.len());
    for (source, shard) in shards.iter().enumerate() {
        match shard.page(bucket, query).await {
            Ok(page) => merger.supply(source, page),
            Err(error) => return connection.refuse(head, exchange, &store_error(&error, "", "")).await,
        }
    }
    let page = merger.finish();
    connection
        .answer_message(&exchange, |encoder| page.encode(encoder))
        .await
}
