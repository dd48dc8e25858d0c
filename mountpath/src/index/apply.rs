//! One transaction of the index: newer records in, what they replace out, and the books kept right.

mod gap;
mod uploads;

use super::{
    entry::{
        BucketState, Checkpoint, Home, IndexKey, Latest, Memtable, ObjectEntry, ObjectHead, Tally, Tombstone,
        split_index_key,
    },
    error::DatabaseError,
    memtable::counts_writes,
    row::PART_ROWS,
    tables::{Bytes, State, Totals, WriteTables},
};
use crate::record::Placement;
use gap::Gap;
use proto::{
    s3::{bucket::BucketId, version::UploadId},
    wire::WireError,
};
use redb::{AccessGuard, ReadableTable, WriteTransaction};
use std::{collections::BTreeMap, time::Instant};

/// What a transaction puts into the index.
#[derive(Debug, Default, Clone, Copy)]
pub struct Changes<'a> {
    /// Records of objects and tombstones.
    pub entries: Option<&'a Memtable>,
    /// Records of buckets.
    pub buckets: &'a [(BucketId, BucketState)],
    /// Accesses: index key, number of the version, Unix milliseconds. Only those of what the index then holds count.
    pub accessed: &'a [(IndexKey, u64, u64)],
    /// Tombstones no longer needed: index key and sequence. Removed if the key's tombstone still has that sequence.
    pub drop_tombstones: &'a [(IndexKey, u64)],
    /// Uploads whose parts go: nothing is made of them, or it is gone.
    pub dead_uploads: &'a [(BucketId, UploadId)],
    /// Segments to be forgotten. One in which something lives stays, and `Applied` says so.
    pub retire_segments: &'a [u64],
    /// Up to where the index knows the log then; `None`: as before.
    pub checkpoint: Option<Checkpoint>,
}

/// What a transaction has changed.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Applied {
    /// When: whoever hears of two transactions late knows which was later.
    pub applied_at: Option<Instant>,
    /// Blobs of objects that were replaced or deleted and that their successors do not name.
    pub doomed_blobs: Vec<u64>,
    /// The same of uploads.
    pub doomed_uploads: Vec<(BucketId, UploadId)>,
    /// What the objects add up to now.
    pub totals: Totals,
    /// The segments whose use has changed, in order.
    pub segments: Vec<(u64, SegmentUse)>,
}

/// What of a segment is alive.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct SegmentUse {
    /// Footprints of the records in it that the index points to.
    pub live_bytes: u64,
}

/// Puts changes into a transaction.
pub(crate) fn apply(transaction: &WriteTransaction, changes: &Changes<'_>) -> Result<Applied, DatabaseError> {
    let tables = WriteTables::open(transaction)?;
    let state = tables
        .state
        .get(())?
        .map(|row| State::decode(row.value()))
        .transpose()?;
    let mut work = Work {
        tables,
        state: state.unwrap_or_default(),
        segments: BTreeMap::new(),
        blobs: BTreeMap::new(),
        uploads: BTreeMap::new(),
        doomed: Vec::new(),
        doomed_uploads: Vec::new(),
        without_tombstone: Gap::default(),
        without_access: Gap::default(),
        without_overwrites: Gap::default(),
    };
    for (index_key, latest) in changes.entries.into_iter().flatten() {
        match latest {
            Latest::Object(entry) => {
                let tally = changes.entries.map(|entries| entries.tally(index_key, latest));
                work.object(index_key, entry, tally)?;
            }
            Latest::Tombstone(tombstone) => work.tombstone(index_key, tombstone)?,
        }
    }
    for (bucket, state) in changes.buckets {
        work.bucket(*bucket, state)?;
    }
    for (index_key, number, unix_ms) in changes.accessed {
        work.access(index_key, *number, *unix_ms)?;
    }
    for (index_key, sequence) in changes.drop_tombstones {
        work.drop_tombstone(index_key, *sequence)?;
    }
    for (bucket, upload) in changes.dead_uploads {
        work.drop_parts(*bucket, *upload)?;
    }
    work.state.checkpoint = changes.checkpoint.or(work.state.checkpoint);
    work.finish(changes.retire_segments)
}

struct Work<'t> {
    tables: WriteTables<'t>,
    state: State,
    /// Live bytes that came to and went from each segment.
    segments: BTreeMap<u64, (u64, u64)>,
    /// Who names a blob now; written at the end, in order.
    blobs: BTreeMap<u64, Option<IndexKey>>,
    /// The same of uploads.
    uploads: BTreeMap<u64, Option<IndexKey>>,
    doomed: Vec<u64>,
    doomed_uploads: Vec<(BucketId, UploadId)>,
    without_tombstone: Gap,
    without_access: Gap,
    without_overwrites: Gap,
}

impl Work<'_> {
    fn object(&mut self, index_key: &IndexKey, entry: &ObjectEntry, tally: Option<Tally>) -> Result<(), DatabaseError> {
        let tombstone = self
            .without_tombstone
            .find(&self.tables.tombstones, index_key, Tombstone::decode)?;
        if let Some(tombstone) = tombstone.transpose()? {
            if tombstone.sequence > entry.sequence {
                return Ok(());
            }
            self.tables.tombstones.remove(&**index_key)?;
            self.died(tombstone.home, tombstone.footprint);
        }
        let row = entry.encode();
        // One descent for the usual case. In the unusual one the newer row is put back.
        let displaced = self.tables.objects.insert(&**index_key, row.as_slice())?;
        let replaced = match Displaced::of(displaced, entry.sequence)? {
            Displaced::Newer(row) => {
                self.tables.objects.insert(&**index_key, row.as_slice())?;
                return Ok(());
            }
            Displaced::Older(head) => Some(head),
            Displaced::Nothing => None,
        };
        self.lives(entry.home, entry.footprint);
        if counts(index_key, entry.placement) {
            self.count(entry.meta.size)?;
        }
        if let Some(blob) = entry.blob() {
            self.blobs.insert(blob, Some(index_key.clone()));
        }
        if let Some(upload) = entry.placement.upload() {
            self.uploads.insert(upload.0, Some(index_key.clone()));
        }
        let is_same = replaced.is_some_and(|head| head.sequence == entry.sequence);
        if let Some(tally) = tally.filter(|_| !is_same && counts_writes(index_key)) {
            self.written(index_key, tally, replaced.is_some())?;
        }
        if let Some(head) = replaced {
            self.replaced(index_key, &head, Some(entry))?;
        }
        Ok(())
    }

    fn tombstone(&mut self, index_key: &IndexKey, tombstone: &Tombstone) -> Result<(), DatabaseError> {
        let displaced = self.tables.objects.remove(&**index_key)?;
        match Displaced::of(displaced, tombstone.sequence)? {
            Displaced::Newer(row) => {
                self.tables.objects.insert(&**index_key, row.as_slice())?;
                return Ok(());
            }
            Displaced::Older(head) => {
                self.replaced(index_key, &head, None)?;
                self.set_overwrites(index_key, 0)?;
            }
            Displaced::Nothing => {}
        }
        let row = tombstone.encode();
        let replaced = self.tables.tombstones.insert(&**index_key, row.as_slice())?;
        if let Some(earlier) = decoded(replaced, Tombstone::decode)? {
            if earlier.sequence > tombstone.sequence {
                let row = earlier.encode();
                self.tables.tombstones.insert(&**index_key, row.as_slice())?;
                return Ok(());
            }
            self.died(earlier.home, earlier.footprint);
        }
        self.without_tombstone.filled(index_key);
        self.lives(tombstone.home, tombstone.footprint);
        self.state.tombstone_sequence_max = self.state.tombstone_sequence_max.max(tombstone.sequence);
        Ok(())
    }

    /// Counts the writes of a null version that is new here or, if the row held one, newer.
    fn written(&mut self, index_key: &IndexKey, tally: Tally, was_held: bool) -> Result<(), DatabaseError> {
        if was_held && !tally.from_nothing {
            if tally.writes == 0 {
                return Ok(());
            }
            let known = self
                .without_overwrites
                .find(&self.tables.overwrites, index_key, |overwrites| overwrites)?;
            return self.set_overwrites(index_key, known.unwrap_or(0).saturating_add(tally.writes));
        }
        self.set_overwrites(index_key, tally.alone().saturating_sub(1))
    }

    fn set_overwrites(&mut self, index_key: &IndexKey, overwrites: u64) -> Result<(), DatabaseError> {
        if overwrites > 0 {
            self.tables.overwrites.insert(&**index_key, overwrites)?;
            self.without_overwrites.filled(index_key);
        } else if self
            .without_overwrites
            .find(&self.tables.overwrites, index_key, |_| ())?
            .is_some()
        {
            self.tables.overwrites.remove(&**index_key)?;
        }
        Ok(())
    }

    /// What a row held is gone; it holds this now.
    fn replaced(
        &mut self,
        index_key: &IndexKey,
        head: &ObjectHead,
        entry: Option<&ObjectEntry>,
    ) -> Result<(), DatabaseError> {
        let placement = entry.map(|entry| entry.placement);
        let number = entry.map(|entry| entry.meta.version_number);
        self.died(head.home, head.footprint);
        if counts(index_key, head.placement) {
            let totals = &mut self.state.totals;
            totals.objects = totals.objects.checked_sub(1).ok_or_else(miscounted)?;
            totals.object_bytes = totals.object_bytes.checked_sub(head.size).ok_or_else(miscounted)?;
        }
        let blob = placement.and_then(Placement::blob);
        if let Some(earlier) = head.placement.blob().filter(|earlier| Some(*earlier) != blob) {
            self.blobs.insert(earlier, None);
            self.doomed.push(earlier);
        }
        let upload = placement.and_then(Placement::upload);
        if let Some(earlier) = head.placement.upload().filter(|earlier| Some(*earlier) != upload) {
            self.give_up_upload(index_key, earlier)?;
        }
        if number != Some(head.version_number)
            && self
                .without_access
                .find(&self.tables.accessed, index_key, |_| ())?
                .is_some()
        {
            self.tables.accessed.remove(&**index_key)?;
        }
        Ok(())
    }

    fn count(&mut self, size: u64) -> Result<(), DatabaseError> {
        let totals = &mut self.state.totals;
        totals.objects = totals.objects.checked_add(1).ok_or_else(miscounted)?;
        totals.object_bytes = totals.object_bytes.checked_add(size).ok_or_else(miscounted)?;
        Ok(())
    }

    fn bucket(&mut self, bucket: BucketId, state: &BucketState) -> Result<(), DatabaseError> {
        let row = state.encode();
        let replaced = self.tables.buckets.insert(bucket.0, row.as_slice())?;
        if let Some(earlier) = decoded(replaced, BucketState::decode)? {
            if earlier.sequence > state.sequence {
                let row = earlier.encode();
                self.tables.buckets.insert(bucket.0, row.as_slice())?;
                return Ok(());
            }
            self.died(earlier.home, earlier.footprint);
        }
        self.lives(state.home, state.footprint);
        Ok(())
    }

    fn access(&mut self, index_key: &IndexKey, number: u64, unix_ms: u64) -> Result<(), DatabaseError> {
        let object = self.tables.objects.get(&**index_key)?;
        let current = object.map(|row| ObjectHead::decode(row.value())).transpose()?;
        if current.is_none_or(|current| current.version_number != number) {
            return Ok(());
        }
        let earlier = self.tables.accessed.insert(&**index_key, (number, unix_ms))?;
        let earlier = earlier.map(|row| row.value());
        if let Some((earlier_number, earlier_unix_ms)) = earlier
            && earlier_number == number
            && earlier_unix_ms > unix_ms
        {
            self.tables.accessed.insert(&**index_key, (number, earlier_unix_ms))?;
        }
        Ok(())
    }

    fn drop_tombstone(&mut self, index_key: &IndexKey, sequence: u64) -> Result<(), DatabaseError> {
        let tombstone = self
            .without_tombstone
            .find(&self.tables.tombstones, index_key, Tombstone::decode)?;
        if let Some(tombstone) = tombstone.transpose()?
            && tombstone.sequence == sequence
        {
            self.tables.tombstones.remove(&**index_key)?;
            self.died(tombstone.home, tombstone.footprint);
        }
        Ok(())
    }

    fn lives(&mut self, home: Home, footprint: u32) {
        self.segments.entry(home.segment).or_default().0 += u64::from(footprint);
    }

    fn died(&mut self, home: Home, footprint: u32) {
        self.segments.entry(home.segment).or_default().1 += u64::from(footprint);
    }

    fn finish(mut self, retire_segments: &[u64]) -> Result<Applied, DatabaseError> {
        for (blob, index_key) in &self.blobs {
            match index_key {
                Some(index_key) => {
                    self.tables.blobs.insert(blob, &**index_key)?;
                }
                None => {
                    self.tables.blobs.remove(blob)?;
                }
            }
        }
        self.finish_uploads()?;
        let mut segments = Vec::new();
        for (segment, (came, went)) in &self.segments {
            let before = self.tables.segments.get(segment)?.map(|row| row.value());
            let live_bytes = match before {
                // A record of a segment that is already gone from the books.
                None => came.saturating_sub(*went),
                Some(before) => before
                    .checked_add(*came)
                    .and_then(|sum| sum.checked_sub(*went))
                    .ok_or_else(miscounted)?,
            };
            if before.is_none() && *came == 0 {
                continue;
            }
            if before != Some(live_bytes) {
                self.tables.segments.insert(segment, live_bytes)?;
                segments.push((*segment, SegmentUse { live_bytes }));
            }
        }
        for segment in retire_segments {
            let live_bytes = self.tables.segments.get(segment)?.map(|row| row.value());
            match live_bytes {
                Some(0) => {
                    self.tables.segments.remove(segment)?;
                }
                Some(live_bytes) if !segments.iter().any(|(changed, _)| changed == segment) => {
                    segments.push((*segment, SegmentUse { live_bytes }));
                }
                _ => {}
            }
        }
        let row = self.state.encode();
        self.tables.state.insert((), row.as_slice())?;
        Ok(Applied {
            applied_at: Some(Instant::now()),
            doomed_blobs: self.doomed,
            doomed_uploads: self.doomed_uploads,
            totals: self.state.totals,
            segments,
        })
    }
}

/// Whether what a row holds is an object to those who count.
fn counts(index_key: &[u8], placement: Placement) -> bool {
    let is_part = || split_index_key(index_key).is_some_and(|(_, row)| row.first() == Some(&PART_ROWS));
    !matches!(placement, Placement::Marker | Placement::Upload { .. }) && !is_part()
}

/// The object's row that a record took the place of.
enum Displaced {
    Nothing,
    Older(ObjectHead),
    /// It should not have: this is the row.
    Newer(Vec<u8>),
}

impl Displaced {
    fn of(row: Option<AccessGuard<'_, Bytes>>, sequence: u64) -> Result<Self, DatabaseError> {
        let Some(row) = row else {
            return Ok(Self::Nothing);
        };
        let head = ObjectHead::decode(row.value())?;
        Ok(if head.sequence > sequence {
            Self::Newer(row.value().to_vec())
        } else {
            Self::Older(head)
        })
    }
}

fn decoded<T>(
    row: Option<AccessGuard<'_, Bytes>>,
    decode: impl FnOnce(&[u8]) -> Result<T, WireError>,
) -> Result<Option<T>, WireError> {
    row.map(|row| decode(row.value())).transpose()
}

fn miscounted() -> DatabaseError {
    DatabaseError::Damaged("the books do not add up".to_owned())
}
