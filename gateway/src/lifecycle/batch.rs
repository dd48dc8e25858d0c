//! What has expired, on its way to the cores that own it.

use crate::{cluster::Core, core_client, gateway::Gateway, list::fanout, records::BucketRecord};
use proto::{
    auth::{sigv4::sha256, ticket::Grant},
    cluster::expiry::{EXPIRE_PATH, ExpireBatch, ExpireResult, Expired, Expiry},
    error::{ErrorCode, S3Error},
    s3::bucket::BucketId,
    wire::{Decoder, Encoder},
};
use std::rc::Rc;

/// See the module.
#[derive(Debug, Default)]
pub struct Batch {
    waiting: Vec<(String, Expired)>,
    /// What has become of all that was sent.
    pub result: ExpireResult,
}

impl Batch {
    /// Adds something; a page brings no more than a message holds.
    pub fn add(&mut self, key: &str, what: Expired) {
        self.waiting.push((key.to_owned(), what));
    }

    /// Has it taken away.
    pub async fn send(&mut self, gateway: &Gateway, bucket: &BucketRecord) -> Result<(), S3Error> {
        let mut shares: Vec<(Rc<Core>, ExpireBatch)> = Vec::new();
        for (key, what) in self.waiting.drain(..) {
            let placement = gateway.cluster.owner(BucketId(bucket.id), &key)?;
            let expiry = Expiry {
                shard: placement.shard,
                key,
                what,
            };
            match shares.iter_mut().find(|(core, _)| Rc::ptr_eq(core, &placement.core)) {
                Some((_, share)) => share.expiries.push(expiry),
                None => shares.push((placement.core, ExpireBatch { expiries: vec![expiry] })),
            }
        }
        let messages = shares.iter().map(|(core, share)| send(gateway, bucket, core, share));
        for result in fanout::join_all(messages).await {
            let result = result?;
            let total = &mut self.result;
            total.done = total.done.saturating_add(result.done);
            total.changed = total.changed.saturating_add(result.changed);
            total.failed = total.failed.saturating_add(result.failed);
        }
        Ok(())
    }
}

async fn send(
    gateway: &Gateway,
    bucket: &BucketRecord,
    core: &Core,
    share: &ExpireBatch,
) -> Result<ExpireResult, S3Error> {
    let mut encoder = Encoder::new();
    share.encode(&mut encoder);
    let message = encoder.finish();
    let grant = Grant::Expire {
        bucket: bucket.grant(),
        body_sha256: sha256(&message),
    };
    let principal = gateway.catalog.root().principal();
    let answer = core_client::call(gateway, core, EXPIRE_PATH, principal, grant, &message).await?;
    let mut decoder = Decoder::new(&answer);
    let result = ExpireResult::decode(&mut decoder).and_then(|result| decoder.finish().map(|()| result));
    result.map_err(|error| {
        tracing::error!(%error, "a core's answer cannot be decoded");
        ErrorCode::InternalError.into()
    })
}
