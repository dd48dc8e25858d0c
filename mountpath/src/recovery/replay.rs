//! Applies the log's tail to the index, a bounded number of records at a time.

use super::RecoveryReport;
use crate::{
    error::StoreError,
    files::segment::HEADER_BYTES,
    index::{
        database::{Changes, Database},
        entry::{BucketState, Checkpoint, Home, Latest, Memtable},
        indexed::Indexed,
    },
    io::blocking::remove,
    layout::ShardPaths,
    limits::REPLAY_ENTRIES_MAX,
    log::reader::{Found, HeaderState, SegmentReader},
    record::{Action, Placement, Record},
};
use proto::s3::bucket::BucketId;
use std::collections::BTreeMap;

/// A segment and the batches of it that are to be applied.
struct Newest {
    reader: SegmentReader,
    /// Where they begin.
    start: u64,
    batches: Vec<Found>,
}

/// The log's tail on its way into the index.
pub(super) struct Replay<'r> {
    paths: &'r ShardPaths,
    shard: [u8; 16],
    database: &'r Database,
    from: Checkpoint,
    is_rebuild: bool,
    end: Checkpoint,
    /// The newest segment with batches and what it holds: it may end in a torn batch, which shows only when it is known
    /// that none follows.
    newest: Option<Newest>,
    durable_batch: u64,
    last_seen: Option<(u64, u64)>,
    entries: Memtable,
    buckets: BTreeMap<BucketId, BucketState>,
    doomed_blobs: Vec<u64>,
    /// Segments that are not this shard's.
    pub(super) foreign: Vec<u64>,
}

impl<'r> Replay<'r> {
    pub(super) fn new(
        paths: &'r ShardPaths,
        shard: [u8; 16],
        database: &'r Database,
        from: Checkpoint,
        is_rebuild: bool,
    ) -> Self {
        Self {
            paths,
            shard,
            database,
            from,
            is_rebuild,
            end: from,
            newest: None,
            durable_batch: from.next_batch.saturating_sub(1),
            last_seen: None,
            entries: Memtable::new(),
            buckets: BTreeMap::new(),
            doomed_blobs: Vec::new(),
            foreign: Vec::new(),
        }
    }

    /// Takes in the next segment. One without a batch is removed: nothing of it was acknowledged.
    pub(super) fn segment(&mut self, id: u64, report: &mut RecoveryReport) -> Result<(), StoreError> {
        let (mut reader, header) = SegmentReader::open(self.paths, self.shard, id)?;
        if header == HeaderState::Foreign {
            let damage = format!("segment {id:016x} belongs to another shard and is left alone");
            report.damage.push(damage);
            self.foreign.push(id);
            return Ok(());
        }
        let continues = id == self.from.segment;
        let mut start = HEADER_BYTES;
        if continues {
            start = self.from.position.max(HEADER_BYTES);
            reader.seek(start);
            if reader.size() < self.from.position {
                report.damage.push(format!(
                    "segment {id:016x} ends at byte {}, before what was acknowledged up to byte {}",
                    reader.size(),
                    self.from.position
                ));
            }
        }
        let mut found = Vec::new();
        while let Some(batch) = reader.next_batch()? {
            self.note_gap(&batch, report);
            self.durable_batch = self.durable_batch.max(batch.header.durable_sequence);
            found.push(batch);
        }
        if header == HeaderState::Damaged && (continues || !found.is_empty()) {
            report.damage.push(format!(
                "the header of segment {id:016x} is damaged; its batches are not"
            ));
        }
        if found.is_empty() && !continues {
            drop(reader);
            return Ok(remove(self.paths.medium(), &self.paths.segment(id))?);
        }
        let newest = Newest {
            reader,
            start,
            batches: found,
        };
        if let Some(mut before) = self.newest.replace(newest) {
            // Batches follow it, so it was complete; what no later batch knows to be durable is looked at all the same.
            for batch in before.batches {
                if batch.header.sequence <= self.durable_batch || before.reader.payloads_intact(&batch)? {
                    self.apply(batch, report)?;
                }
            }
        }
        Ok(())
    }

    /// A missing batch below a later durable mark was acknowledged: it is corruption, and said so. Only without an index
    /// the part of the log is read that compaction removes segments from: batches may be missing there where segments
    /// are.
    fn note_gap(&mut self, batch: &Found, report: &mut RecoveryReport) {
        let (expected, segment) = self
            .last_seen
            .map_or((self.from.next_batch, self.from.segment), |(segment, sequence)| {
                (sequence + 1, segment)
            });
        let was_compacted = self.is_rebuild && batch.segment > segment + 1;
        let lost = batch.header.sequence > expected && batch.header.durable_sequence >= expected;
        if lost && !was_compacted {
            report.damage.push(format!(
                "batches {expected} to {} of the log are damaged (before segment {:016x}, byte {})",
                batch.header.sequence - 1,
                batch.segment,
                batch.position
            ));
        }
        self.last_seen = Some((batch.segment, batch.header.sequence));
    }

    /// Cuts a torn tail off, applies the rest; returns where the log ends.
    pub(super) fn finish(mut self, report: &mut RecoveryReport) -> Result<Checkpoint, StoreError> {
        if let Some(newest) = self.newest.take() {
            let Newest {
                mut reader,
                start: mut end,
                batches,
            } = newest;
            for batch in batches {
                // A batch that no later one knows to be durable may have its header but not its payloads.
                if batch.header.sequence > self.durable_batch && !reader.payloads_intact(&batch)? {
                    let (segment, position) = (batch.segment, batch.position);
                    tracing::info!(segment, position, "a torn batch was cut off");
                    break;
                }
                end = batch.end();
                self.apply(batch, report)?;
            }
            if reader.size() > end {
                report.torn_bytes = reader.torn_bytes(end)?;
                reader.cut(end)?;
            }
        }
        self.flush()?;
        for blob in std::mem::take(&mut self.doomed_blobs) {
            // One that is gone already was removed before the crash.
            let _ = remove(self.paths.medium(), &self.paths.blob(blob));
        }
        Ok(self.end)
    }

    fn apply(&mut self, mut batch: Found, report: &mut RecoveryReport) -> Result<(), StoreError> {
        report.batches += 1;
        let home = Home {
            segment: batch.segment,
            batch: batch.position,
        };
        self.end.segment = batch.segment;
        self.end.position = batch.end();
        self.end.next_batch = batch.header.sequence + 1;
        // As they happened, not as they are laid out: writes are counted.
        batch.records.sort_by_key(|(record, _)| record.sequence);
        // A record with a number that was given out before this batch is a copy.
        let fresh_from = self.end.next_number;
        for (record, footprint) in batch.records {
            self.end.next_number = self.end.next_number.max(record.sequence + 1);
            if let Action::Put(_, Placement::Blob { blob }) = &record.action {
                self.end.next_number = self.end.next_number.max(blob.saturating_add(1));
            }
            self.record(record, home, footprint, fresh_from);
        }
        if self.entries.len() >= REPLAY_ENTRIES_MAX {
            self.flush()?;
        }
        Ok(())
    }

    fn record(&mut self, record: Record, home: Home, footprint: u32, fresh_from: u64) {
        let (key, latest) = match Indexed::new(record, home, footprint) {
            Indexed::Entry(key, latest) => (key, latest),
            Indexed::Bucket(bucket, state) => {
                let known = self.buckets.get(&bucket);
                if known.is_none_or(|known| known.sequence <= state.sequence) {
                    self.buckets.insert(bucket, state);
                }
                return;
            }
        };
        match self.entries.get(&key) {
            // An equal sequence is a copy that compaction made: the later home counts.
            Some(known) if known.sequence() > latest.sequence() => return,
            Some(Latest::Object(known)) => {
                let replaced = known.blob();
                let named = matches!(&latest, Latest::Object(entry) if entry.blob() == replaced);
                self.doomed_blobs.extend(replaced.filter(|_| !named));
            }
            _ => {}
        }
        match latest.sequence() < fresh_from {
            true => self.entries.insert_copy(key, latest),
            false => self.entries.insert(key, latest),
        }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        let entries = std::mem::take(&mut self.entries);
        let buckets: Vec<_> = std::mem::take(&mut self.buckets).into_iter().collect();
        if entries.is_empty() && buckets.is_empty() {
            return Ok(());
        }
        let applied = self.database.apply(&Changes {
            entries: Some(&entries),
            buckets: &buckets,
            checkpoint: Some(self.end),
            ..Changes::default()
        })?;
        self.doomed_blobs.extend(applied.doomed_blobs);
        Ok(())
    }
}
