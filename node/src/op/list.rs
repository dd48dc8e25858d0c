//! A page of a bucket from the shards of this core, merged; the gateway merges the cores' pages.

use crate::{
    answer::Exchange,
    connection::{After, Connection},
};
use proto::{
    http::head::RequestHead,
    s3::{bucket::BucketId, listing::ListQuery, merge::Merger},
};

/// Answers a list message.
pub async fn run(
    connection: &mut Connection<'_>,
    _: &RequestHead,
    exchange: Exchange,
    bucket: BucketId,
    query: &ListQuery,
) -> After {
    let shards = &connection.core.shards;
    let mut merger = Merger::new(query.limit, shards.len());
    for (source, shard) in shards.iter().enumerate() {
        merger.supply(source, shard.page(bucket, query));
    }
    let page = merger.finish();
    connection
        .answer_message(&exchange, |encoder| page.encode(encoder))
        .await
}
