//! Scrubbing: every object is read and verified, and what is damaged is reported by bucket and key.

use crate::{
    error::StoreError,
    index::{
        entry::{IndexKey, split_index_key},
        row::Row,
    },
    io::yield_now,
    record::{Placement, block_count},
    shard_store::{ShardStore, described},
};
use proto::s3::bucket::BucketId;
use std::sync::Arc;

/// How far a scrub is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScrubProgress {
    /// Objects read.
    pub objects: u64,
    /// Bytes of payload read.
    pub bytes: u64,
    /// Objects there are, about.
    pub objects_total: u64,
    /// Bytes of payload there are, about.
    pub bytes_total: u64,
}

/// A damaged object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedObject {
    /// The bucket's name, or its number where no name is known.
    pub bucket: String,
    /// The key; of what is not a null version, what it is.
    pub key: String,
    /// What is wrong.
    pub reason: String,
}

/// What a scrub found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScrubReport {
    /// Objects read.
    pub objects: u64,
    /// Bytes of payload read.
    pub bytes: u64,
    /// Objects that cannot be read as they were written.
    pub damaged: Vec<DamagedObject>,
}

impl ShardStore {
    /// Reads and verifies every object; `progress` hears of it every so often. Objects that change meanwhile may be left
    /// out: what was written since was verified when it came.
    pub async fn scrub(&self, mut progress: impl FnMut(ScrubProgress)) -> Result<ScrubReport, StoreError> {
        self.merge().await?;
        let totals = self.index.totals();
        let mut report = ScrubReport::default();
        let mut after: Option<IndexKey> = None;
        loop {
            let entries = self.index.scan(after).await?;
            for (index_key, _) in &entries {
                self.scrub_row(index_key, &mut report).await?;
                progress(ScrubProgress {
                    objects: report.objects,
                    bytes: report.bytes,
                    objects_total: totals.objects,
                    bytes_total: totals.object_bytes,
                });
            }
            match entries.last() {
                Some((last, _)) => after = Some(Arc::clone(last)),
                None => return Ok(report),
            }
        }
    }

    async fn scrub_row(&self, index_key: &IndexKey, report: &mut ScrubReport) -> Result<(), StoreError> {
        let Some((bucket, row)) = split_index_key(index_key) else {
            return Ok(());
        };
        let verified = self.verify_row(bucket, index_key, report).await;
        let reason = match verified {
            Ok(()) => return Ok(()),
            Err(StoreError::Damaged(reason) | StoreError::Io(reason)) => reason,
            Err(other) => return Err(other),
        };
        let damaged = DamagedObject {
            bucket: self.index.bucket_name(bucket),
            key: match Row::decode(row) {
                Some(Row::Null(key)) => String::from_utf8_lossy(&key).into_owned(),
                _ => described(row),
            },
            reason,
        };
        tracing::error!(
            bucket = damaged.bucket,
            key = damaged.key,
            reason = damaged.reason,
            "a damaged object was found"
        );
        self.counters.damaged.set(self.counters.damaged.get() + 1);
        report.damaged.push(damaged);
        Ok(())
    }

    async fn verify_row(
        &self,
        bucket: BucketId,
        index_key: &IndexKey,
        report: &mut ScrubReport,
    ) -> Result<(), StoreError> {
        let Some(entry) = self.index.lookup_row(IndexKey::clone(index_key)).await? else {
            return Ok(());
        };
        // Parts are rows of their own; delete markers and uploads have no payload.
        if !matches!(entry.placement, Placement::Inline { .. } | Placement::Blob { .. }) {
            return Ok(());
        }
        let object = self.open_entry(bucket, entry)?;
        report.objects += 1;
        for block in 0..block_count(object.entry.meta.size) {
            let bytes = self.read_block(&object, block, true).await?;
            report.bytes += bytes.len() as u64;
            yield_now().await;
        }
        Ok(())
    }
}
