//! The share of a DeleteObjects request that falls to this core: all keys join the same commits.

use crate::{
    answer::{Exchange, store_error},
    connection::{After, Connection},
};
use mountpath::{error::StoreError, shard_store::Change};
use proto::{
    auth::sigv4::sha256,
    cluster::message::{DeleteBatch, DeleteBatchResult},
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
    s3::{bucket::BucketGrant, version::VersionId},
    wire::Decoder,
};

/// Deletes every key of the batch and reports each.
pub async fn run(
    connection: &mut Connection<'_>,
    head: &RequestHead,
    exchange: Exchange,
    bucket: BucketGrant,
    body_sha256: [u8; 32],
) -> After {
    let batch = match connection.message_body(head).await {
        Ok(body) if sha256(&body) == body_sha256 => decode(&body),
        Ok(_) => Err(S3Error::new(ErrorCode::AccessDenied)),
        Err(error) => Err(error),
    };
    let batch = match batch {
        Ok(batch) => batch,
        Err(error) => return connection.refuse(head, exchange, &error).await,
    };
    let core = connection.core;
    let submitted: Vec<_> = batch
        .keys
        .iter()
        .map(|(shard, key)| {
            let (_, shard) = core.shard(*shard)?;
            Some(shard.submit(bucket.id, key.clone().into_bytes(), Change::Delete(VersionId::Null)))
        })
        .collect();
    let mut result = DeleteBatchResult::default();
    for (receiver, (_, key)) in submitted.into_iter().zip(&batch.keys) {
        result.errors.push(match receiver {
            None => Some(ErrorCode::ServiceUnavailable),
            Some(receiver) => match receiver.wait().await.unwrap_or(Err(StoreError::ReadOnly)) {
                Ok(_) => None,
                Err(error) => Some(store_error(&error, &bucket.name, key).code),
            },
        });
    }
    connection
        .answer_message(&exchange, |encoder| result.encode(encoder))
        .await
}

fn decode(body: &[u8]) -> Result<DeleteBatch, S3Error> {
    let mut decoder = Decoder::new(body);
    DeleteBatch::decode(&mut decoder)
        .and_then(|batch| decoder.finish().map(|()| batch))
        .map_err(|_| S3Error::new(ErrorCode::InvalidRequest))
}
