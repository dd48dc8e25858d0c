//! DeleteObject (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html>): 204 whether the key held
//! something or not.

use super::{
    ObjectRequest,
    removal::Removal,
    version::{requested, write_version_id},
};
use crate::{
    answer::Exchange,
    connection::{After, Connection},
};
use proto::{
    error::{ErrorCode, S3Error},
    http::{conditional::WriteCondition, head::RequestHead},
    s3::query::Query,
};

/// Deletes the object, or a version of it, durably.
pub async fn run(
    connection: &mut Connection<'_>,
    head: &RequestHead,
    query: &Query,
    exchange: Exchange,
    object: ObjectRequest,
) -> After {
    let core = connection.core;
    let Some((_, shard)) = core.shard(object.shard) else {
        return connection
            .refuse(head, exchange, &S3Error::new(ErrorCode::ServiceUnavailable))
            .await;
    };
    let version = match requested(query) {
        Ok(version) => version,
        Err(error) => return connection.refuse(head, exchange, &error).await,
    };
    let removal = Removal {
        bucket: object.bucket,
        key: object.key,
        version,
        condition: WriteCondition::of_delete(head),
    };
    let marker = match removal.run(shard).await {
        Ok(marker) => marker,
        Err(error) => return connection.refuse(head, exchange, &error).await,
    };
    let bytes = exchange.empty(core, 204, |response| {
        if marker.is_some() {
            response.header("x-amz-delete-marker", "true");
        }
        if let Some(version) = version.or(marker) {
            write_version_id(response, removal.bucket.versioning, version);
        }
    });
    connection.answer(&exchange, &bytes).await
}
