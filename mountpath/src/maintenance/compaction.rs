//! Compaction: a segment of which little lives is emptied into the log's end, and its file goes. Reading happens on the
//! index's writing thread, appending in the core's background queue; readers in flight hold the file as long as they
//! need it.

use crate::{
    error::StoreError,
    files::segment::SegmentInfo,
    index::{
        Moved,
        entry::{BucketState, Home, IndexKey, Latest, ObjectEntry, Tombstone, index_key},
    },
    limits::{COMPACTION_CHUNK_BYTES, COMPACTION_LOG_PERCENT, SCAN_ENTRIES},
    log::{Change, Outcome, reader::SegmentReader},
    record::{Action, ObjectMeta, Placement, Record},
    shard_store::ShardStore,
};
use std::{collections::BTreeMap, sync::Arc};

/// What emptying a segment has brought so far.
#[derive(Default)]
struct Emptied {
    moved: Vec<Moved>,
    dropped: Vec<(IndexKey, u64)>,
}

/// A record and where it lies.
struct Lying {
    record: Record,
    home: Home,
}

impl ShardStore {
    /// Reclaims one segment if it is worth it; returns the bytes it gave back.
    pub async fn compact(&self) -> Result<Option<u64>, StoreError> {
        let _turn = self.compaction_turns.take().await;
        self.segments.remove_retired().await?;
        if self.log.has_failed() {
            return Ok(None);
        }
        let infos = self.segments.infos();
        let Some((id, info)) = self.victim(&infos) else {
            return Ok(None);
        };
        let appended = self.log.counters().appended_bytes.get();
        let emptied = if info.live_bytes == 0 {
            Emptied::default()
        } else {
            self.empty(id).await?
        };
        let applied = self.index.relocate(emptied.moved, emptied.dropped, id).await;
        let applied = applied.map_err(|error| self.judge(error))?;
        self.note_applied(&applied);
        let left = applied.segments.iter().find(|(segment, _)| *segment == id);
        if left.is_some_and(|(_, segment)| segment.live_bytes > 0) {
            tracing::error!(
                shard = self.name(),
                segment = id,
                "a segment cannot be read as a whole and is kept"
            );
            self.segments.update(id, |info| info.unreadable = true);
            return Ok(None);
        }
        self.segments.retire(id);
        self.segments.remove_retired().await?;
        self.counters.compacted.set(self.counters.compacted.get() + 1);
        let copied = self.log.counters().appended_bytes.get() - appended;
        tracing::debug!(
            shard = self.name(),
            segment = id,
            bytes = info.bytes,
            copied,
            "a segment was reclaimed"
        );
        Ok(Some(info.bytes))
    }

    /// The segment to reclaim, if any: one of which nothing lives, or, when the log is much longer than what lives in it,
    /// the one of which least does. Those that a start would have to replay are left alone.
    fn victim(&self, infos: &BTreeMap<u64, SegmentInfo>) -> Option<(u64, SegmentInfo)> {
        let merged = self.merged.get().segment;
        let eligible = || {
            let below = infos.range(..merged);
            below.filter(|(_, info)| !info.unreadable)
        };
        if let Some((id, info)) = eligible().find(|(_, info)| info.live_bytes == 0) {
            return Some((*id, *info));
        }
        let bytes: u64 = infos.values().map(|info| info.bytes).sum();
        let live: u64 = infos.values().map(|info| info.live_bytes).sum();
        // What is not merged yet lives as far as anybody knows.
        let live = live + self.log.unmerged_bytes();
        if bytes * 100 <= live * COMPACTION_LOG_PERCENT + self.segment_bytes * 100 {
            return None;
        }
        let (id, info) = eligible().min_by_key(|(_, info)| info.live_bytes * 1000 / info.bytes.max(1))?;
        // Copying nearly everything would gain nothing, and on a full disk the copies must fit what is left.
        let gains = info.live_bytes * 10 < info.bytes * 9;
        let fits = !self.log.is_space_short() || info.live_bytes * 2 < self.log.room();
        (gains && fits).then_some((*id, *info))
    }

    /// Copies everything that lives in a segment to the log's end.
    async fn empty(&self, id: u64) -> Result<Emptied, StoreError> {
        let mut emptied = Emptied::default();
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
                return Ok(emptied);
            }
            reader = self.move_records(returned, records, &mut emptied).await?;
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
                    let key = index_key(record.bucket, &record.key);
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
            .map(|Lying { record, home }| (index_key(record.bucket, &record.key), record.sequence, *home))
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
    fn is_forgettable(&self, record: &Record, emptied: u64) -> bool {
        match record.action {
            Action::Delete { origin_segment } => self
                .segments
                .oldest_but(emptied)
                .is_none_or(|oldest| oldest > origin_segment),
            _ => false,
        }
    }

    async fn append_copies(&self, records: Vec<(Record, Vec<u8>)>, emptied: &mut Emptied) -> Result<(), StoreError> {
        let mut waiting = Vec::new();
        for (record, payload) in records {
            let (bucket, key) = (record.bucket, record.key.clone());
            let change = Change::Move(Box::new(record.clone()), payload);
            waiting.push((record, self.log.submit(bucket, key, change)));
        }
        for (record, receiver) in waiting {
            let outcome = receiver.wait().await.unwrap_or(Err(StoreError::ReadOnly))?;
            emptied.moved.extend(relocated(record, outcome));
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

/// The index entry of a copy.
fn relocated(record: Record, outcome: Outcome) -> Option<Moved> {
    let Outcome::Moved {
        home,
        placement,
        footprint,
    } = outcome
    else {
        return None;
    };
    let sequence = record.sequence;
    let key = index_key(record.bucket, &record.key);
    Some(match record.action {
        Action::Put(meta, before) => {
            let meta: ObjectMeta = *meta;
            let entry = ObjectEntry {
                sequence,
                home,
                footprint,
                placement: placement.unwrap_or(before),
                meta,
            };
            Moved::Entry(key, Latest::Object(Arc::new(entry)))
        }
        Action::Delete { origin_segment } => Moved::Entry(
            key,
            Latest::Tombstone(Tombstone {
                sequence,
                home,
                footprint,
                origin_segment,
            }),
        ),
        Action::Bucket { name, fenced } => Moved::Bucket(
            record.bucket,
            BucketState {
                sequence,
                home,
                footprint,
                name,
                fenced,
            },
        ),
    })
}
