//! DeleteBucket. The bucket is marked, every core fences it durably, and only then is it looked into: an object
//! acknowledged before the look is seen by it, and none is acknowledged after. A deletion that does not come to its
//! end did not happen: the fences are lifted and the bucket is as before.

use crate::{
    answer::Answer,
    catalog::CatalogError,
    core_client,
    gateway::Gateway,
    handoff,
    lifecycle::batch::Batch,
    list::fanout,
    records::{BucketRecord, BucketState},
    request::Request,
    rt,
};
use proto::{
    auth::ticket::Grant,
    cluster::{expiry::Expired, message::FENCE_PATH},
    error::{ErrorCode, S3Error},
    limits::LIST_KEYS_MAX,
    s3::{
        bucket::BucketId,
        listing::{ListEntry, ListQuery, ListScope},
    },
};
use std::{rc::Rc, time::Duration};

/// Serves it.
pub async fn serve(request: &Request<'_>) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    remove(request.gateway, &bucket, &request.caller.user.name).await?;
    Ok(Answer::empty(204))
}

/// Deletes a bucket that is empty; `user` wants it.
pub async fn remove(gateway: &Rc<Gateway>, bucket: &BucketRecord, user: &str) -> Result<(), S3Error> {
    // The common refusal, without the cost and the pause of fences.
    if !is_empty(gateway, bucket).await? {
        return Err(not_empty(bucket));
    }
    catalog(gateway.catalog.set_bucket_state(bucket, BucketState::Deleting).await)?;
    let deleting = BucketRecord {
        state: BucketState::Deleting,
        ..bucket.clone()
    };
    let is_empty = match fence_and_look(gateway, &deleting).await {
        Ok(true) => abort_uploads(gateway, &deleting).await.map(|()| true),
        other => other,
    };
    match is_empty {
        Ok(true) => {
            if let Err(error) = catalog(gateway.catalog.remove_bucket(&deleting).await) {
                roll_back(gateway, &deleting).await;
                return Err(error);
            }
            // A lease on this bucket must not answer for another one of its name.
            handoff::settle(gateway).await;
            tracing::info!(bucket = bucket.name, user, "bucket deleted");
            Ok(())
        }
        Ok(false) => {
            roll_back(gateway, &deleting).await;
            Err(not_empty(bucket))
        }
        Err(error) => {
            roll_back(gateway, &deleting).await;
            Err(error)
        }
    }
}

/// Rolls back, as tasks, every deletion that an earlier run of the gateway left in the middle.
pub fn recover(gateway: &Rc<Gateway>) {
    for bucket in gateway.catalog.buckets_deleting() {
        tracing::warn!(
            bucket = bucket.name,
            "its deletion was interrupted: it will be as before"
        );
        keep_rolling_back(gateway, (*bucket).clone());
    }
}

async fn fence_and_look(gateway: &Gateway, bucket: &BucketRecord) -> Result<bool, S3Error> {
    set_fence(gateway, bucket, true).await?;
    is_empty(gateway, bucket).await
}

async fn is_empty(gateway: &Gateway, bucket: &BucketRecord) -> Result<bool, S3Error> {
    let query = ListQuery {
        limit: 1,
        // Versions that nobody sees keep a bucket from being empty, too.
        scope: ListScope::Versions { after: None },
        ..ListQuery::default()
    };
    Ok(fanout::list(gateway, BucketId(bucket.id), &query)
        .await?
        .entries
        .is_empty())
}

/// Ends the uploads of a bucket that holds nothing else: a client cannot name them any more, and their parts would stay for
/// ever. Under the fence none begins.
async fn abort_uploads(gateway: &Gateway, bucket: &BucketRecord) -> Result<(), S3Error> {
    let mut query = ListQuery {
        limit: LIST_KEYS_MAX,
        scope: ListScope::Uploads { after: None },
        ..ListQuery::default()
    };
    let mut batch = Batch::default();
    loop {
        let page = fanout::list(gateway, BucketId(bucket.id), &query).await?;
        for entry in &page.entries {
            if let ListEntry::Upload(listed) = entry {
                batch.add(&listed.key, Expired::Upload(listed.upload));
            }
        }
        batch.send(gateway, bucket).await?;
        if batch.result.failed > 0 {
            return Err(ErrorCode::ServiceUnavailable.into());
        }
        match page.entries.last().filter(|_| page.truncated) {
            Some(last) => query = query.continued(last),
            None => return Ok(()),
        }
    }
}

/// Sets or lifts the fence on all cores.
async fn set_fence(gateway: &Gateway, bucket: &BucketRecord, fenced: bool) -> Result<(), S3Error> {
    let cores = gateway.cluster.all_cores()?;
    let principal = gateway.catalog.root().principal();
    let messages = cores.iter().map(|core| {
        let grant = Grant::Fence {
            bucket: BucketId(bucket.id),
            fenced,
        };
        core_client::call(gateway, core, FENCE_PATH, principal.clone(), grant, &[])
    });
    for answer in fanout::join_all(messages).await {
        answer?;
    }
    Ok(())
}

/// Lifts the fences and makes the bucket active, now or, when a core cannot be reached, as soon as it can.
async fn roll_back(gateway: &Rc<Gateway>, bucket: &BucketRecord) {
    if try_roll_back(gateway, bucket).await.is_err() {
        keep_rolling_back(gateway, bucket.clone());
    }
}

async fn try_roll_back(gateway: &Gateway, bucket: &BucketRecord) -> Result<(), S3Error> {
    set_fence(gateway, bucket, false).await?;
    catalog(gateway.catalog.set_bucket_state(bucket, BucketState::Active).await)
}

fn keep_rolling_back(gateway: &Rc<Gateway>, bucket: BucketRecord) {
    let gateway = Rc::clone(gateway);
    rt::spawn(async move {
        while !gateway.draining.get() {
            match try_roll_back(&gateway, &bucket).await {
                Ok(()) => return,
                // Someone else has done it.
                Err(error) if error.code == ErrorCode::OperationAborted => return,
                Err(_) => rt::sleep(Duration::from_secs(1)).await,
            }
        }
    });
}

fn not_empty(bucket: &BucketRecord) -> S3Error {
    S3Error::new(ErrorCode::BucketNotEmpty).field("BucketName", bucket.name.as_str())
}

fn catalog(result: Result<(), CatalogError>) -> Result<(), S3Error> {
    result.map_err(|error| match error {
        CatalogError::Changed => ErrorCode::OperationAborted.into(),
        error => {
            tracing::error!(%error, "bucket state");
            ErrorCode::InternalError.into()
        }
    })
}

#[cfg(test)]
mod tests;
