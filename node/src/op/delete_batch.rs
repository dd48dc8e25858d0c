//! The share of a DeleteObjects request that falls to this core: all objects join the same commits.

use super::removal::Removal;
use crate::{
    answer::{Exchange, store_error},
    connection::{After, Connection},
    core::Core,
    rt,
};
use mountpath::{
    completion::{Receiver, completion},
    error::StoreError,
    shard_store::Outcome,
};
use proto::{
    auth::sigv4::sha256,
    cluster::delete_batch::{DeleteBatch, DeleteBatchResult, Deletion},
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
    s3::{bucket::BucketGrant, version::VersionId},
    wire::Decoder,
};
use std::rc::Rc;

/// Does every deletion of the batch and reports each.
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
        .deletions
        .into_iter()
        .map(|deletion| submit(core, &bucket, deletion))
        .collect();
    let mut result = DeleteBatchResult::default();
    for submitted in submitted {
        result.results.push(submitted.outcome().await);
    }
    connection
        .answer_message(&exchange, |encoder| result.encode(encoder))
        .await
}

/// A deletion under way.
enum Submitted {
    /// It waits in line for the next commit.
    InLine(Removal, Receiver<Result<Outcome, StoreError>>),
    /// It looks at its key first.
    Looking(Receiver<Result<Option<VersionId>, S3Error>>),
    Refused(ErrorCode),
}

/// Begins a deletion. All of a batch run at the same time, and those of objects wait for the same commit.
fn submit(core: &Core, bucket: &BucketGrant, deletion: Deletion) -> Submitted {
    let Some((_, shard)) = core.shard(deletion.shard) else {
        return Submitted::Refused(ErrorCode::ServiceUnavailable);
    };
    let removal = Removal {
        bucket: bucket.clone(),
        key: deletion.key,
        version: deletion.version,
        condition: deletion.condition,
    };
    if removal.is_plain() {
        let receiver = shard.submit(bucket.id, removal.key.clone().into_bytes(), removal.change());
        return Submitted::InLine(removal, receiver);
    }
    let (giver, receiver) = completion();
    let shard = Rc::clone(shard);
    rt::spawn(async move { giver.give(removal.run(&shard).await) });
    Submitted::Looking(receiver)
}

impl Submitted {
    async fn outcome(self) -> Result<Option<VersionId>, ErrorCode> {
        match self {
            Self::InLine(removal, receiver) => match receiver.wait().await.unwrap_or(Err(StoreError::ReadOnly)) {
                Ok(Outcome::Put(marker)) => Ok(Some(marker.version)),
                Ok(_) => Ok(None),
                Err(error) => Err(store_error(&error, &removal.bucket.name, &removal.key).code),
            },
            Self::Looking(receiver) => {
                let outcome = receiver.wait().await;
                outcome.map_or(Err(ErrorCode::InternalError), |result| {
                    result.map_err(|error| error.code)
                })
            }
            Self::Refused(code) => Err(code),
        }
    }
}

fn decode(body: &[u8]) -> Result<DeleteBatch, S3Error> {
    let mut decoder = Decoder::new(body);
    DeleteBatch::decode(&mut decoder)
        .and_then(|batch| decoder.finish().map(|()| batch))
        .map_err(|_| S3Error::new(ErrorCode::InvalidRequest))
}
