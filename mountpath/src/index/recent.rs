//! What happened since the last merge: the newest record of each key, buckets, access times. While a merge runs, what
//! it takes stays visible here.

use super::{
    entry::{BucketState, Checkpoint, IndexKey, Latest, Memtable},
    row::NULL_ROWS,
};
use crate::{limits::TOUCHED_MAX, record::Placement};
use proto::s3::{bucket::BucketId, version::UploadId};
use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Instant,
};

/// What is not merged.
#[derive(Default)]
pub struct Recent {
    active: Layer,
    merging: Option<Arc<Merging>>,
    /// After a failed merge the next one takes the same again.
    merge_runs: bool,
    key: RefCell<Vec<u8>>,
}

#[derive(Default)]
struct Layer {
    entries: Memtable,
    buckets: BTreeMap<BucketId, BucketState>,
    accessed: HashMap<IndexKey, (u64, u64)>,
    memory_bytes: usize,
    blob_bytes: u64,
    dead_uploads: Vec<(BucketId, UploadId)>,
    since: Option<Instant>,
    touched_since: Option<Instant>,
}

/// What a merge takes.
pub struct Merging {
    /// Records.
    pub entries: Memtable,
    /// Buckets.
    pub buckets: Vec<(BucketId, BucketState)>,
    /// Access times by row: the number of the version, milliseconds since the epoch.
    pub accessed: HashMap<IndexKey, (u64, u64)>,
    /// Uploads whose parts nothing keeps any more.
    pub dead_uploads: Vec<(BucketId, UploadId)>,
    /// How far the log was published when this was taken.
    pub checkpoint: Checkpoint,
}

impl Recent {
    /// Runs `with` on the index key of a key's null version, made in a buffer that is kept.
    pub fn with_key<T>(&self, bucket: BucketId, key: &[u8], with: impl FnOnce(&[u8]) -> T) -> T {
        let mut buffer = self.key.borrow_mut();
        buffer.clear();
        buffer.extend_from_slice(&bucket.0.to_be_bytes());
        buffer.push(NULL_ROWS);
        buffer.extend_from_slice(key);
        with(&buffer)
    }

    /// The newest record of a key.
    pub fn latest(&self, key: &[u8]) -> Option<&Latest> {
        let active = self.active.entries.get(key);
        active.or_else(|| self.merging.as_ref()?.entries.get(key))
    }

    /// The layers, newest first, as they are now.
    pub fn overlays(&self) -> Vec<Memtable> {
        let merging = self.merging.as_ref().map(|merging| merging.entries.clone());
        [self.active.entries.clone()].into_iter().chain(merging).collect()
    }

    /// Adds a record, newer than all of its key.
    pub fn insert(&mut self, key: IndexKey, latest: Latest) {
        let layer = &mut self.active;
        layer.since.get_or_insert_with(Instant::now);
        layer.memory_bytes += key.len();
        if let Latest::Object(entry) = &latest {
            layer.memory_bytes += entry.memory_bytes();
            if matches!(entry.placement, Placement::Blob { .. }) {
                layer.blob_bytes += entry.meta.size;
            }
        }
        layer.entries.insert(key, latest);
    }

    /// Adds a bucket's state.
    pub fn insert_bucket(&mut self, bucket: BucketId, state: BucketState) {
        self.active.since.get_or_insert_with(Instant::now);
        self.active.buckets.insert(bucket, state);
    }

    /// Adds an upload whose parts are to be forgotten: all that it ever had were added before.
    pub fn insert_dead_upload(&mut self, bucket: BucketId, upload: UploadId) {
        self.active.since.get_or_insert_with(Instant::now);
        self.active.dead_uploads.push((bucket, upload));
    }

    /// Whether there are so many access times that no more are taken until the next merge.
    pub fn is_full_of_touched(&self) -> bool {
        self.active.accessed.len() >= 2 * TOUCHED_MAX
    }

    /// Adds the access time of a version.
    pub fn touch(&mut self, key: IndexKey, number: u64, unix_ms: u64) {
        self.active.touched_since.get_or_insert_with(Instant::now);
        self.active.accessed.insert(key, (number, unix_ms));
    }

    /// The access time of a row that is not merged: the number of the version, milliseconds since the epoch.
    pub fn touched(&self, key: &[u8]) -> Option<(u64, u64)> {
        let active = self.active.accessed.get(key);
        active.or_else(|| self.merging.as_ref()?.accessed.get(key)).copied()
    }

    /// Takes what is to be merged; `None` when there is nothing. After a failed merge the same is taken again.
    pub fn freeze(&mut self, checkpoint: Checkpoint) -> Option<Arc<Merging>> {
        if self.merge_runs {
            return None;
        }
        if self.merging.is_none() {
            if self.active.since.is_none() && self.active.accessed.is_empty() {
                return None;
            }
            let layer = std::mem::take(&mut self.active);
            self.merging = Some(Arc::new(Merging {
                entries: layer.entries,
                buckets: layer.buckets.into_iter().collect(),
                dead_uploads: layer.dead_uploads,
                accessed: layer.accessed,
                checkpoint,
            }));
        }
        self.merge_runs = true;
        self.merging.clone()
    }

    /// The merge has ended.
    pub fn merged(&mut self, succeeded: bool) {
        self.merge_runs = false;
        if succeeded {
            self.merging = None;
        }
    }

    /// Records not taken by a merge yet.
    pub fn entry_count(&self) -> usize {
        self.active.entries.len()
    }

    /// Bytes of memory they take, about.
    pub fn memory_bytes(&self) -> usize {
        self.active.memory_bytes
    }

    /// Bytes of the blobs they name.
    pub fn blob_bytes(&self) -> u64 {
        self.active.blob_bytes
    }

    /// Access times not taken by a merge yet.
    pub fn touched_count(&self) -> usize {
        self.active.accessed.len()
    }

    /// When the oldest record that no merge has taken came; the same of access times.
    pub fn since(&self) -> (Option<Instant>, Option<Instant>) {
        (self.active.since, self.active.touched_since)
    }

    /// Whether a merge has taken something that is not in the database yet.
    pub fn is_merging(&self) -> bool {
        self.merging.is_some()
    }
}
