//! Compaction: a segment of which little lives is emptied into the log's end, and its file goes. Reading happens on the
//! index's writing thread, appending in the core's background queue; readers in flight hold the file as long as they
//! need it.

use crate::{
    error::StoreError,
    files::segment::SegmentInfo,
    index::{
        entry::{Home, IndexKey, index_key},
        indexed::Indexed,
    },
    limits::{
        COMPACTION_BEHIND_PERCENT, COMPACTION_CHUNK_BYTES, COMPACTION_LIVE_PERCENT_MAX, COMPACTION_LOG_PERCENT,
        COMPACTION_RECORDS_MAX, COMPACTION_SEGMENTS_MAX, SCAN_ENTRIES,
    },
    log::{Change, Outcome, reader::SegmentReader},
    record::{Action, Placement, Record},
    shard_store::ShardStore,
};
use std::sync::Arc;

/// What emptying segments has brought so far.
#[derive(Default)]
struct Emptied {
    moved: Vec<Indexed>,
    dropped: Vec<(IndexKey, u64)>,
}

/// A record and where it lies.
struct Lying {
    record: Record,
    home: Home,
}

impl ShardStore {
    /// Reclaims the segments that are worth it, a few at a time; returns the bytes they gave back, `None` if there was
    /// nothing to do.
    pub async fn compact(&self) -> Result<Option<u64>, StoreError> {
        let _turn = self.compaction_turns.take().await;
        self.segments.remove_retired().await?;
        if self.log.has_failed() {
            return Ok(None);
        }
        let victims = self.victims();
        if victims.is_empty() {
            self.note_garbage();
            return Ok(None);
        }
        let mut emptied = Emptied::default();
        for (id, info) in &victims {
            if info.live_bytes > 0 {
                self.empty(*id, &mut emptied).await?;
            }
        }
        let ids: Vec<u64> = victims.iter().map(|(id, _)| *id).collect();
        let left = self.relocate(&mut emptied, ids).await?;
        let mut reclaimed = 0;
        for (id, info) in victims {
            if left.contains(&id) {
                self.keep(id, info);
                continue;
            }
            reclaimed += info.bytes;
            self.segments.retire(id);
            self.counters.compacted.set(self.counters.compacted.get() + 1);
        }
        self.segments.remove_retired().await?;
        self.note_garbage();
        Ok(Some(reclaimed))
    }

    /// A segment of which something lives after all was copied: records that were replaced, as the next merge will tell the
    /// index, or records that cannot be read.
    fn keep(&self, id: u64, info: SegmentInfo) {
        if info.emptied_at_merge.is_some() {
            tracing::error!(
                shard = self.name(),
                segment = id,
                "a segment cannot be read as a whole and is kept"
            );
        }
        let merges = self.counters.merges.get();
        self.segments.update(id, |known| {
            known.unreadable = info.emptied_at_merge.is_some();
            known.emptied_at_merge = Some(merges);
        });
    }

    /// Lets the index point to what was copied; returns the segments of which something lives still.
    async fn relocate(&self, emptied: &mut Emptied, segments: Vec<u64>) -> Result<Vec<u64>, StoreError> {
        let moved = std::mem::take(&mut emptied.moved);
        let dropped = std::mem::take(&mut emptied.dropped);
        let applied = self.index.relocate(moved, dropped, segments.clone()).await;
        let applied = applied.map_err(|error| self.judge(error))?;
        self.note_applied(&applied);
        let lives = |id: &u64| {
            let mut of_segment = applied.segments.iter().filter(|(segment, _)| segment == id);
            of_segment.any(|(_, segment)| segment.live_bytes > 0)
        };
        Ok(segments.into_iter().filter(lives).collect())
    }

    /// The segments to reclaim next: those of which nothing lives, and, when the log is much longer than what lives in it,
    /// those of which least does. Those that a start would have to replay are left alone.
    fn victims(&self) -> Vec<(u64, SegmentInfo)> {
        let (merged, merges) = (self.merged.get().segment, self.counters.merges.get());
        let mut eligible = self.segments.below(merged);
        eligible.retain(|(_, info)| !info.unreadable && info.emptied_at_merge != Some(merges));
        eligible.sort_by_key(|(_, info)| info.live_bytes * 1000 / info.bytes.max(1));
        let bytes = self.segments.totals().bytes;
        let wanted = self.live_bytes() * COMPACTION_LOG_PERCENT / 100 + self.segment_bytes;
        let mut excess = bytes.saturating_sub(wanted);
        // On a full disk the copies must fit what is left.
        let mut room = if self.log.is_space_short() {
            self.log.room() / 2
        } else {
            self.segment_bytes
        };
        eligible.retain(|(_, info)| {
            let gains = info.live_bytes * 100 < info.bytes * COMPACTION_LIVE_PERCENT_MAX;
            let chosen = info.live_bytes == 0 || (excess > 0 && gains && info.live_bytes <= room);
            if chosen {
                room -= info.live_bytes;
                excess = excess.saturating_sub(info.bytes - info.live_bytes.min(info.bytes));
            }
            chosen
        });
        eligible.truncate(COMPACTION_SEGMENTS_MAX);
        eligible
    }

    /// Bytes of the log that live, as far as is known: what is not merged yet does.
    fn live_bytes(&self) -> u64 {
        self.segments.totals().live_bytes + self.log.unmerged_live_bytes()
    }

    /// Lets writers wait when compaction has fallen behind, and as long as it can do something about it.
    pub(crate) fn note_garbage(&self) {
        let bytes = self.segments.totals().bytes;
        let limit = self.live_bytes() * COMPACTION_BEHIND_PERCENT + 4 * self.segment_bytes * 100;
        let is_behind = self.maintains && bytes * 100 > limit && !self.victims().is_empty();
        self.log.set_behind(is_behind);
    }

    /// Copies everything that lives in a segment to the log's end.
    async fn empty(&self, id: u64, emptied: &mut Emptied) -> Result<(), StoreError> {
        let (paths, shard) = (Arc::clone(&self.thread_paths), self.uuid());
        let (mut reader, _) = self
            .index
            .threads()
            .write(move |_| Ok(SegmentReader::open(&paths, shard, id)))
            .await??;
        loop {
            let read = move |_: &_| Ok(next_records(reader));
            let (returned, records) = self.index.threads().write(read).await??;
            if records.is_empty() {
                return Ok(());
            }
            reader = self.move_records(returned, records, emptied).await?;
            if emptied.moved.len() >= COMPACTION_RECORDS_MAX {
                self.relocate(emptied, Vec::new()).await?;
            }
        }
    }

    async fn move_records(
        &self,
        mut reader: SegmentReader,
        records: Vec<Lying>,
        emptied: &mut Emptied,
    ) -> Result<SegmentReader, StoreError> {
        let mut living = self.living(records).await?.into_iter().peekable();
        while living.peek().is_some() {
            let (mut chunk, mut bytes) = (Vec::new(), 0);
            while let Some(lying) = living.next_if(|_| bytes < COMPACTION_CHUNK_BYTES) {
                let record = &lying.record;
                if self.is_forgettable(record, lying.home.segment) {
                    let key = index_key(record.bucket, &record.row);
                    emptied.dropped.push((key, record.sequence));
                    continue;
                }
                bytes += inline_bytes(record);
                chunk.push(lying);
            }
            let read = move |_: &_| Ok(with_payloads(reader, chunk));
            let (returned, records) = self.index.threads().write(read).await??;
            reader = returned;
            self.append_copies(records, emptied).await?;
        }
        Ok(reader)
    }

    /// The records that the index points to.
    async fn living(&self, records: Vec<Lying>) -> Result<Vec<Lying>, StoreError> {
        let of_keys = records.iter().filter(|lying| !is_of_bucket(&lying.record));
        let asked = of_keys
            .map(|Lying { record, home }| (index_key(record.bucket, &record.row), record.sequence, *home))
            .collect();
        let mut answers = self.index.current(asked).await?.into_iter();
        let living = records.into_iter().filter(|Lying { record, home }| {
            if is_of_bucket(record) {
                let state = self.index.bucket(record.bucket);
                state.is_some_and(|state| state.sequence == record.sequence && state.home == *home)
            } else {
                answers.next().unwrap_or(true)
            }
        });
        Ok(living.collect())
    }

    /// A deletion may be forgotten when no other segment is as old as it: none can hold what it deleted.
    fn is_forgettable(&self, record: &Record, segment: u64) -> bool {
        match record.action {
            Action::Delete { origin_segment } => self
                .segments
                .oldest_but(segment)
                .is_none_or(|oldest| oldest > origin_segment),
            _ => false,
        }
    }

    async fn append_copies(&self, records: Vec<(Record, Vec<u8>)>, emptied: &mut Emptied) -> Result<(), StoreError> {
        let mut waiting = Vec::new();
        for (record, payload) in records {
            // The record says which row it is; its length is counted as that of a key.
            let (bucket, row) = (record.bucket, record.row.clone());
            let change = Change::Move(Box::new(record), payload);
            waiting.push(self.log.submit(bucket, row, change));
        }
        for receiver in waiting {
            let outcome = receiver.wait().await.unwrap_or(Err(StoreError::ReadOnly))?;
            if let Outcome::Moved(copy) = outcome {
                emptied.moved.push(copy);
            }
        }
        Ok(())
    }
}

fn is_of_bucket(record: &Record) -> bool {
    matches!(record.action, Action::Bucket { .. })
}

fn inline_bytes(record: &Record) -> usize {
    match &record.action {
        Action::Put(meta, Placement::Inline { .. }) => usize::try_from(meta.size).unwrap_or(0),
        _ => 0,
    }
}

/// The records of the next batches, a bounded number; none at the segment's end.
fn next_records(mut reader: SegmentReader) -> Result<(SegmentReader, Vec<Lying>), StoreError> {
    let mut records = Vec::new();
    while records.len() < SCAN_ENTRIES {
        let Some(found) = reader.next_batch()? else { break };
        let home = Home {
            segment: found.segment,
            batch: found.position,
        };
        let lying = found.records.into_iter().map(|(record, _)| Lying { record, home });
        records.extend(lying);
    }
    Ok((reader, records))
}

/// Reads what is to be copied. Damaged bytes are copied as they are, so that they stay known to be damaged.
fn with_payloads(mut reader: SegmentReader, records: Vec<Lying>) -> Result<WithPayloads, StoreError> {
    let mut read = Vec::with_capacity(records.len());
    for Lying { record, home } in records {
        let payload = reader.payload(home.batch, &record)?;
        read.push((record, payload));
    }
    Ok((reader, read))
}

type WithPayloads = (SegmentReader, Vec<(Record, Vec<u8>)>);
