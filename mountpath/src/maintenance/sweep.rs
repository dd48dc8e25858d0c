//! Sweeping, once after a start: blobs that no object names are removed, objects whose blob or segment is gone are
//! reported by name.

use crate::{
    error::StoreError,
    index::entry::IndexKey,
    io::yield_now,
    limits::{BLOB_DIRECTORY_COUNT, SCAN_ENTRIES},
    record::Placement,
    shard_store::ShardStore,
};
use std::sync::Arc;

/// What a sweep found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Blobs without an object. They were removed, unless this start found the log damaged.
    pub orphan_blobs: u64,
    /// Objects whose bytes are missing, by bucket and key.
    pub damage: Vec<String>,
}

impl SweepReport {
    /// Writes what was found to the log.
    pub(crate) fn log(&self, shard: &str) {
        if self.orphan_blobs > 0 {
            tracing::info!(shard, blobs = self.orphan_blobs, "blobs that no object names");
        }
        for damage in &self.damage {
            tracing::error!(shard, damage, "stored data is damaged");
        }
    }
}

impl ShardStore {
    /// Removes blobs that no object names and finds objects whose bytes are missing. Blobs of this run are never
    /// touched: their numbers are above all that the start saw.
    pub async fn sweep(&self) -> Result<SweepReport, StoreError> {
        let mut report = SweepReport::default();
        for directory in 0..BLOB_DIRECTORY_COUNT {
            for orphan in self.orphans(directory).await? {
                // After damage to the log a blob may be all that is left of an object.
                if !self.is_log_damaged {
                    self.blobs.give_up(orphan);
                }
                report.orphan_blobs += 1;
            }
            yield_now().await;
        }
        self.forget_orphan_parts().await?;
        self.find_missing_blobs(&mut report).await?;
        self.find_missing_segments(&mut report).await?;
        Ok(report)
    }

    async fn orphans(&self, directory: u64) -> Result<Vec<u64>, StoreError> {
        let (paths, floor) = (Arc::clone(&self.thread_paths), self.first_number);
        self.index
            .threads()
            .write(move |database| {
                let mut old = match paths.blobs(directory) {
                    Ok(blobs) => blobs,
                    Err(error) => return Ok(Err(StoreError::from(error))),
                };
                old.retain(|blob| *blob < floor);
                let named = database.blobs_named(&old)?;
                let orphans = old.into_iter().zip(named).filter(|(_, named)| !named);
                Ok(Ok(orphans.map(|(blob, _)| blob).collect()))
            })
            .await?
    }

    /// Parts of uploads that a crash has left without anything that keeps them.
    async fn forget_orphan_parts(&self) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let next = self
                .index
                .threads()
                .write(move |database| {
                    let Some((bucket, upload)) = database.next_upload_with_parts(after)? else {
                        return Ok(None);
                    };
                    let is_kept = database.uploads_named(&[upload])?.contains(&true);
                    Ok(Some((bucket, upload, is_kept)))
                })
                .await?;
            let Some((bucket, upload, is_kept)) = next else {
                return Ok(());
            };
            // Those of this run have numbers above all that the start saw.
            if !is_kept && upload.0 < self.first_number {
                self.uploads.give_up(bucket, upload);
            }
            after = Some((bucket, upload));
            yield_now().await;
        }
    }

    async fn find_missing_blobs(&self, report: &mut SweepReport) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let paths = Arc::clone(&self.thread_paths);
            let (last, missing) = self
                .index
                .threads()
                .write(move |database| {
                    let rows = database.blobs(after, SCAN_ENTRIES)?;
                    let last = rows.last().map(|(blob, _)| *blob);
                    let missing = rows.into_iter().filter(|(blob, _)| !paths.blob(*blob).exists());
                    Ok((last, missing.collect::<Vec<_>>()))
                })
                .await?;
            for (blob, key) in missing {
                self.report_missing_blob(blob, &key, report).await?;
            }
            if last.is_none() {
                return Ok(());
            }
            after = last;
            yield_now().await;
        }
    }

    /// The row may be older than the key's newest record, which removed the blob.
    async fn report_missing_blob(
        &self,
        blob: u64,
        index_key: &IndexKey,
        report: &mut SweepReport,
    ) -> Result<(), StoreError> {
        let entry = self.index.lookup_row(IndexKey::clone(index_key)).await?;
        if entry.is_some_and(|entry| entry.placement == Placement::Blob { blob }) {
            let name = self.row_name(index_key);
            report.damage.push(format!("{name}: blob {blob:016x} is missing"));
        }
        Ok(())
    }

    async fn find_missing_segments(&self, report: &mut SweepReport) -> Result<(), StoreError> {
        let known = self.index.threads().read(|database| database.segments()).await?;
        let is_missing = |id: &u64| self.segments.file(*id).is_none();
        if !known.iter().any(|(id, info)| info.live_bytes > 0 && is_missing(id)) {
            return Ok(());
        }
        let mut after: Option<IndexKey> = None;
        loop {
            let entries = self.index.scan(after).await?;
            for (index_key, entry) in &entries {
                let inline = matches!(entry.placement, Placement::Inline { .. });
                if inline && is_missing(&entry.home.segment) {
                    let name = self.row_name(index_key);
                    let segment = entry.home.segment;
                    report.damage.push(format!("{name}: segment {segment:016x} is missing"));
                }
            }
            match entries.last() {
                Some((last, _)) => after = Some(Arc::clone(last)),
                None => return Ok(()),
            }
            yield_now().await;
        }
    }
}
