//! What a shard counts.

use crate::shard_store::ShardStore;
use std::cell::Cell;

/// What a shard's own work counts.
#[derive(Debug, Default)]
pub(crate) struct MaintenanceCounters {
    pub merges: Cell<u64>,
    pub compacted: Cell<u64>,
    pub damaged: Cell<u64>,
    pub blob_syncs: Cell<u64>,
}

/// What a shard has counted since it was opened, and what it holds now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// fdatasync calls of log and blobs.
    pub syncs: u64,
    /// Batches appended.
    pub batches: u64,
    /// Records appended.
    pub records: u64,
    /// Bytes appended to the log.
    pub appended_bytes: u64,
    /// Objects, as of the last merge.
    pub objects: u64,
    /// Bytes of their payloads.
    pub object_bytes: u64,
    /// Bytes of the log.
    pub log_bytes: u64,
    /// Bytes of the log that live, as of the last merge.
    pub log_live_bytes: u64,
    /// Records not merged into the index yet.
    pub recent_entries: u64,
    /// Merges.
    pub merges: u64,
    /// Segments reclaimed.
    pub compacted_segments: u64,
    /// Damaged objects met.
    pub damaged_objects: u64,
}

impl ShardStore {
    /// What was counted, and what there is.
    pub fn counters(&self) -> Counters {
        let (log, own) = (self.log.counters(), &self.counters);
        let (totals, segments) = (self.index.totals(), self.segments.totals());
        Counters {
            syncs: log.syncs.get() + own.blob_syncs.get(),
            batches: log.batches.get(),
            records: log.records.get(),
            appended_bytes: log.appended_bytes.get(),
            objects: totals.objects,
            object_bytes: totals.object_bytes,
            log_bytes: segments.bytes,
            log_live_bytes: segments.live_bytes,
            recent_entries: self.index.recent().entry_count() as u64,
            merges: own.merges.get(),
            compacted_segments: own.compacted.get(),
            damaged_objects: own.damaged.get(),
        }
    }

    /// Counts a damaged object that a reader met.
    pub fn note_damage(&self) {
        self.counters.damaged.set(self.counters.damaged.get() + 1);
    }
}
