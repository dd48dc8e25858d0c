//! Applies the buckets' lifecycle rules, again and again: what has expired by a listing is taken away by the cores that
//! own it (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lifecycle-mgmt.html>).

pub mod batch;
mod versions;

use crate::{
    clock::unix_ms,
    gateway::Gateway,
    limits::{LIFECYCLE_INTERVAL_MIN, LIFECYCLE_LOOK_TIME, LIFECYCLE_PASSES_PER_DAY},
    list::fanout,
    records::{BucketRecord, BucketState},
    rt,
};
use batch::Batch;
use proto::{
    cluster::expiry::Expired,
    error::{ErrorCode, S3Error},
    limits::LIST_KEYS_MAX,
    s3::{
        bucket::BucketId,
        config::{lifecycle::LifecycleConfiguration, lifecycle_rules::LifecycleClock},
        listing::{ListEntry, ListQuery, ListScope},
    },
};
use std::{rc::Rc, time::Instant};
use versions::Versions;

/// Goes over all buckets until the gateway ends.
pub async fn keep(gateway: Rc<Gateway>) {
    loop {
        wait(&gateway).await;
        for bucket in gateway.catalog.buckets() {
            if gateway.draining.get() {
                return;
            }
            apply(&gateway, &bucket).await;
        }
    }
}

/// Waits for the time between two passes, as long as it is said to be now.
async fn wait(gateway: &Gateway) {
    let began = Instant::now();
    loop {
        let day = gateway.live.lifecycle_day.get();
        let interval = (day / LIFECYCLE_PASSES_PER_DAY).max(LIFECYCLE_INTERVAL_MIN);
        let left = interval.saturating_sub(began.elapsed());
        if left.is_zero() {
            return;
        }
        rt::sleep(left.min(LIFECYCLE_LOOK_TIME)).await;
    }
}

async fn apply(gateway: &Gateway, bucket: &BucketRecord) {
    let Some(rules) = bucket
        .configuration
        .lifecycle
        .as_ref()
        .filter(|rules| rules.is_active())
    else {
        return;
    };
    let mut pass = Pass {
        gateway,
        bucket,
        rules,
        clock: LifecycleClock {
            now_unix_ms: unix_ms(),
            day_ms: u64::try_from(gateway.live.lifecycle_day.get().as_millis()).unwrap_or(u64::MAX),
        },
        batch: Batch::default(),
    };
    let ended = pass.run().await;
    let result = pass.batch.result;
    if result.done > 0 || result.failed > 0 {
        tracing::info!(
            bucket = bucket.name,
            expired = result.done,
            changed = result.changed,
            failed = result.failed,
            "lifecycle"
        );
    }
    if let Err(error) = ended {
        // The next pass begins anew.
        tracing::debug!(bucket = bucket.name, %error, "a pass of the lifecycle was cut short");
    }
}

/// One pass over one bucket.
struct Pass<'a> {
    gateway: &'a Gateway,
    bucket: &'a BucketRecord,
    rules: &'a LifecycleConfiguration,
    clock: LifecycleClock,
    batch: Batch,
}

impl Pass<'_> {
    async fn run(&mut self) -> Result<(), S3Error> {
        if self.rules.looks_at_versions() {
            let mut versions = Versions::default();
            let mut query = self.query(ListScope::Versions { after: None });
            while let Some(entries) = self.page(&mut query).await? {
                for entry in entries {
                    if let ListEntry::Version(listed) = entry {
                        versions.take(self.rules, self.clock, *listed, &mut |key, what| {
                            self.batch.add(key, what)
                        });
                    }
                }
                self.batch.send(self.gateway, self.bucket).await?;
            }
            versions.end_key(self.rules, self.clock, &mut |key, what| self.batch.add(key, what));
        }
        if self.rules.looks_at_uploads() {
            let mut query = self.query(ListScope::Uploads { after: None });
            while let Some(entries) = self.page(&mut query).await? {
                for entry in entries {
                    if let ListEntry::Upload(listed) = entry
                        && self
                            .rules
                            .aborts_upload(&listed.key, listed.initiated_unix_ms, self.clock)
                    {
                        self.batch.add(&listed.key, Expired::Upload(listed.upload));
                    }
                }
                self.batch.send(self.gateway, self.bucket).await?;
            }
        }
        self.batch.send(self.gateway, self.bucket).await
    }

    /// What all rules look at begins with this.
    fn query(&self, scope: ListScope) -> Option<ListQuery> {
        let mut prefixes = self
            .rules
            .rules
            .iter()
            .filter(|rule| rule.enabled)
            .map(|rule| rule.prefix());
        let first = prefixes.next()?;
        let common = prefixes.fold(first, |common, prefix| {
            let shared = common
                .char_indices()
                .zip(prefix.chars())
                .find(|((_, one), other)| one != other);
            let end = shared.map_or(common.len().min(prefix.len()), |((at, _), _)| at);
            common.get(..end).unwrap_or_default()
        });
        Some(ListQuery {
            prefix: common.to_owned(),
            limit: LIST_KEYS_MAX,
            scope,
            ..ListQuery::default()
        })
    }

    /// The next page; `None` behind the last one. `OperationAborted` when the rules are others by now: what was seen then is
    /// not all there is, and must not be taken for it.
    async fn page(&self, query: &mut Option<ListQuery>) -> Result<Option<Vec<ListEntry>>, S3Error> {
        let Some(wanted) = query.take() else { return Ok(None) };
        let current = self.gateway.catalog.bucket(&self.bucket.name);
        let is_current = current.is_some_and(|current| {
            current.id == self.bucket.id
                && current.state == BucketState::Active
                && current.configuration == self.bucket.configuration
        });
        if !is_current || self.gateway.draining.get() {
            return Err(ErrorCode::OperationAborted.into());
        }
        let page = fanout::list(self.gateway, BucketId(self.bucket.id), &wanted).await?;
        if page.truncated {
            *query = page.entries.last().map(|last| wanted.continued(last));
        }
        Ok(Some(page.entries))
    }
}
