//! AbortMultipartUpload (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html>).

use super::ObjectRequest;
use crate::{
    answer::{Exchange, store_error},
    connection::{After, Connection},
    core::Core,
};
use proto::{
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
    s3::{part, query::Query, version::UploadId},
};

/// Answers it.
pub async fn run(
    connection: &mut Connection<'_>,
    head: &RequestHead,
    query: &Query,
    exchange: Exchange,
    object: ObjectRequest,
) -> After {
    let core = connection.core;
    match abort(core, query, &object).await {
        Ok(()) => {
            let bytes = exchange.empty(core, 204, |_| {});
            connection.answer(&exchange, &bytes).await
        }
        Err(error) => connection.refuse(head, exchange, &error).await,
    }
}

async fn abort(core: &Core, query: &Query, object: &ObjectRequest) -> Result<(), S3Error> {
    let (_, shard) = core
        .shard(object.shard)
        .ok_or_else(|| S3Error::new(ErrorCode::ServiceUnavailable))?;
    let upload = part::upload_id(query)?;
    let key = object.key.clone().into_bytes();
    match shard.abort_upload(object.bucket.id, key, upload).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(UploadId::unknown(&upload.to_string())),
        Err(error) => Err(store_error(&error, &object.bucket.name, &object.key)),
    }
}
