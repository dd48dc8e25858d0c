//! The share of a bucket's lifecycle that falls to this core. What was written since the gateway looked stays.

use crate::{
    answer::Exchange,
    connection::{After, Connection},
    core::Core,
    limits::EXPIRIES_AT_ONCE,
};
use mountpath::{
    error::StoreError,
    index::entry::ObjectEntry,
    shard_store::{Change, NewVersion},
};
use proto::{
    auth::sigv4::sha256,
    cluster::expiry::{ExpireBatch, ExpireResult, Expired, Expiry, Seen},
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
    s3::{bucket::BucketGrant, version::VersionId},
    wire::Decoder,
};
use std::{future::Future, task::Poll};

/// What became of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Done,
    /// It is not what it was.
    Changed,
    Failed,
}

/// Takes away what has expired.
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
    let mut result = ExpireResult::default();
    // Together they join commits; all at once they would be in the way of requests.
    for some in batch.expiries.chunks(EXPIRIES_AT_ONCE) {
        let mut running: Vec<_> = some
            .iter()
            .map(|expiry| Box::pin(expire(core, &bucket, expiry)))
            .collect();
        let mut ends = vec![None; running.len()];
        std::future::poll_fn(|context| {
            let mut is_pending = false;
            for (future, end) in running.iter_mut().zip(&mut ends) {
                if end.is_none() {
                    match future.as_mut().poll(context) {
                        Poll::Ready(ended) => *end = Some(ended),
                        Poll::Pending => is_pending = true,
                    }
                }
            }
            if is_pending { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        for end in ends.into_iter().flatten() {
            match end {
                End::Done => result.done += 1,
                End::Changed => result.changed += 1,
                End::Failed => result.failed += 1,
            }
        }
    }
    connection
        .answer_message(&exchange, |encoder| result.encode(encoder))
        .await
}

async fn expire(core: &Core, bucket: &BucketGrant, expiry: &Expiry) -> End {
    let Some((_, shard)) = core.shard(expiry.shard) else {
        return End::Failed;
    };
    let key = expiry.key.clone().into_bytes();
    let (seen, change) = match expiry.what {
        Expired::Upload(upload) => {
            return match shard.abort_upload(bucket.id, key, upload).await {
                Ok(true) => End::Done,
                Ok(false) => End::Changed,
                Err(error) => failed(&error, bucket, &expiry.key),
            };
        }
        Expired::Newest(seen) if bucket.versioning.is_versioned() => {
            let marker = Change::Mark(NewVersion::from(bucket.versioning), core.unix_ms());
            (seen, marker)
        }
        Expired::Newest(seen) => (seen, Change::Delete(VersionId::Null)),
        Expired::Version(version, seen) => (seen, Change::Delete(version)),
    };
    let allows = |newest: Option<&ObjectEntry>| match newest {
        Some(newest) if is(newest, seen) => Ok(()),
        _ => Err(()),
    };
    match shard
        .change_if(bucket.id, key, bucket.versioning, None, change, allows)
        .await
    {
        Ok(Ok(_)) => End::Done,
        Ok(Err(())) => End::Changed,
        Err(error) => failed(&error, bucket, &expiry.key),
    }
}

fn is(entry: &ObjectEntry, seen: Seen) -> bool {
    entry.version == seen.version && entry.meta.modified_unix_ms == seen.modified_unix_ms
}

fn failed(error: &StoreError, bucket: &BucketGrant, key: &str) -> End {
    tracing::debug!(bucket = bucket.name, key, %error, "an expired entry stays for now");
    End::Failed
}

fn decode(body: &[u8]) -> Result<ExpireBatch, S3Error> {
    let mut decoder = Decoder::new(body);
    ExpireBatch::decode(&mut decoder)
        .and_then(|batch| decoder.finish().map(|()| batch))
        .map_err(|_| S3Error::new(ErrorCode::InvalidRequest))
}
