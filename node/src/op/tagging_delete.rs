//! DeleteObjectTagging (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjectTagging.html>).

use super::{ObjectRequest, tagging_put::replace, version::write_version_id};
use crate::{
    answer::Exchange,
    connection::{After, Connection},
};
use proto::{
    http::head::RequestHead,
    s3::{query::Query, tagging::TagSet},
};

/// Takes all tags from a version, durably.
pub async fn run(
    connection: &mut Connection<'_>,
    head: &RequestHead,
    query: &Query,
    exchange: Exchange,
    object: ObjectRequest,
) -> After {
    let core = connection.core;
    match replace(core, &object, head, query, &TagSet::default()).await {
        Ok(version) => {
            let bytes = exchange.empty(core, 204, |response| {
                write_version_id(response, object.bucket.versioning, version);
            });
            connection.answer(&exchange, &bytes).await
        }
        Err(absent) => absent.answer(connection, head, exchange).await,
    }
}
