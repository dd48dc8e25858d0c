//! What the database must say, kept in plain maps and counted anew every time.

use super::support::{key, object, tombstone};
use crate::{
    index::{
        database::{Applied, Changes, Database, SegmentUse, Totals},
        entry::{BucketState, Checkpoint, Home, IndexKey, Latest, Memtable, split_index_key},
    },
    record::Placement,
};
use proto::s3::{
    bucket::BucketId,
    listing::{ListEntry, ListPage, ListQuery, ListedObject, common_prefix},
};
use std::collections::{BTreeMap, BTreeSet};

/// The changes of one transaction, owned.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    pub entries: Memtable,
    pub buckets: Vec<(BucketId, BucketState)>,
    pub accessed: Vec<(IndexKey, u64, u64)>,
    pub drop_tombstones: Vec<(IndexKey, u64)>,
    pub retire_segments: Vec<u64>,
    pub checkpoint: Option<Checkpoint>,
}

impl Batch {
    pub fn changes(&self) -> Changes<'_> {
        Changes {
            entries: Some(&self.entries),
            buckets: &self.buckets,
            accessed: &self.accessed,
            drop_tombstones: &self.drop_tombstones,
            retire_segments: &self.retire_segments,
            dead_uploads: &[],
            checkpoint: self.checkpoint,
        }
    }

    /// Puts a record in, as a memtable would take it.
    pub fn insert(&mut self, key: IndexKey, latest: Latest) {
        if self
            .entries
            .get(&key)
            .is_none_or(|earlier| earlier.sequence() <= latest.sequence())
        {
            self.entries.insert(key, latest);
        }
    }
}

pub const NAMES: [&str; 14] = [
    "a",
    "a/",
    "a/1",
    "a/2",
    "a/b/1",
    "a/b/2",
    "a/c",
    "a0",
    "b",
    "b//",
    "b/é",
    "b/é/x",
    "c",
    "\u{10ffff}/z",
];

/// The record of a sequence: always the same but for its place.
pub fn record(sequence: u64, home: Home) -> (IndexKey, Latest) {
    let name = NAMES[usize::try_from(sequence * 5 % 14).unwrap()];
    let key = key([3, u64::MAX][usize::try_from(sequence / 3 % 2).unwrap()], name);
    let latest = match sequence % 4 {
        0 => tombstone(sequence, home, sequence / 2),
        1 => object(
            sequence,
            home,
            Placement::Blob { blob: sequence * 10 },
            sequence * 100_000,
        ),
        _ => {
            let batch_offset = u32::try_from(home.batch).unwrap() + 8;
            object(sequence, home, Placement::Inline { batch_offset }, sequence)
        }
    };
    (key, latest)
}

/// The model.
#[derive(Debug, Clone, Default)]
pub struct Model {
    pub latest: BTreeMap<IndexKey, Latest>,
    buckets: BTreeMap<u64, BucketState>,
    accessed: BTreeMap<IndexKey, (u64, u64)>,
    overwrites: BTreeMap<IndexKey, u64>,
    segments: BTreeSet<u64>,
    pub checkpoint: Option<Checkpoint>,
}

fn blob(latest: &Latest) -> Option<u64> {
    match latest {
        Latest::Object(entry) => entry.blob(),
        Latest::Tombstone(_) => None,
    }
}

impl Model {
    /// Applies a batch; returns the blobs that nobody names any more.
    pub fn apply(&mut self, batch: &Batch) -> Applied {
        let before = self.segment_uses();
        let mut doomed = BTreeSet::new();
        for (key, latest) in &batch.entries {
            let earlier = self.latest.get(key);
            if earlier.is_some_and(|earlier| earlier.sequence() > latest.sequence()) {
                continue;
            }
            if earlier.is_none_or(|earlier| earlier.sequence() < latest.sequence()) {
                self.accessed.remove(key);
                let tally = batch.entries.tally(key, latest);
                let was_held = matches!(earlier, Some(Latest::Object(_))) && !tally.from_nothing;
                let known = self.overwrites.remove(key).filter(|_| was_held).unwrap_or(0);
                let overwrites = known + tally.writes.saturating_sub(u64::from(!was_held));
                if overwrites > 0 && matches!(latest, Latest::Object(_)) {
                    self.overwrites.insert(key.clone(), overwrites);
                }
            }
            doomed.extend(earlier.and_then(blob).filter(|earlier| Some(*earlier) != blob(latest)));
            self.segments.insert(latest.home().segment);
            self.latest.insert(key.clone(), latest.clone());
        }
        for (bucket, state) in &batch.buckets {
            if self
                .buckets
                .get(&bucket.0)
                .is_none_or(|earlier| earlier.sequence <= state.sequence)
            {
                self.segments.insert(state.home.segment);
                self.buckets.insert(bucket.0, state.clone());
            }
        }
        for (key, sequence, unix_ms) in &batch.accessed {
            if matches!(self.latest.get(key), Some(Latest::Object(entry)) if entry.sequence == *sequence) {
                let row = self.accessed.entry(key.clone()).or_default();
                *row = (
                    *sequence,
                    if row.0 == *sequence {
                        row.1.max(*unix_ms)
                    } else {
                        *unix_ms
                    },
                );
            }
        }
        for (key, sequence) in &batch.drop_tombstones {
            if matches!(self.latest.get(key), Some(Latest::Tombstone(row)) if row.sequence == *sequence) {
                self.latest.remove(key);
            }
        }
        for segment in &batch.retire_segments {
            self.segments.remove(segment);
        }
        self.checkpoint = batch.checkpoint.or(self.checkpoint);
        let after = self.segment_uses();
        Applied {
            applied_at: None,
            doomed_blobs: doomed.into_iter().collect(),
            doomed_uploads: Vec::new(),
            totals: self.totals(),
            segments: after
                .into_iter()
                .filter(|(segment, uses)| before.get(segment) != Some(uses))
                .collect(),
        }
    }

    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for latest in self.latest.values() {
            if let Latest::Object(entry) = latest {
                totals.objects += 1;
                totals.object_bytes += entry.meta.size;
            }
        }
        totals
    }

    pub fn segment_uses(&self) -> BTreeMap<u64, SegmentUse> {
        let mut uses: BTreeMap<u64, SegmentUse> = self
            .segments
            .iter()
            .map(|segment| (*segment, SegmentUse::default()))
            .collect();
        let entries = self.latest.values().map(|latest| (latest.home(), latest.footprint()));
        let buckets = self.buckets.values().map(|state| (state.home, state.footprint));
        for (home, footprint) in entries.chain(buckets) {
            uses.entry(home.segment).or_default().live_bytes += u64::from(footprint);
        }
        uses
    }

    /// Whether nothing in it lies in this segment.
    pub fn is_unused(&self, segment: u64) -> bool {
        self.segment_uses()
            .get(&segment)
            .is_none_or(|uses| uses.live_bytes == 0)
    }

    /// Keys with the numbers of the versions that they hold.
    pub fn numbered(&self, keys: &[IndexKey]) -> Vec<(IndexKey, u64)> {
        let number = |key: &IndexKey| self.latest.get(key).map_or(0, Latest::sequence);
        keys.iter().map(|key| (key.clone(), number(key))).collect()
    }

    /// With memtables over it, the newest first.
    pub fn overlaid(&self, overlays: &[Memtable]) -> BTreeMap<IndexKey, Latest> {
        let mut merged = self.latest.clone();
        for (key, latest) in overlays.iter().rev().flatten() {
            if merged
                .get(key)
                .is_none_or(|earlier| earlier.sequence() <= latest.sequence())
            {
                merged.insert(key.clone(), latest.clone());
            }
        }
        merged
    }

    /// Fails unless the database says just this.
    pub fn verify(&self, database: &Database) {
        let keys: Vec<IndexKey> = NAMES
            .iter()
            .flat_map(|name| [key(3, name), key(u64::MAX, name)])
            .chain(self.latest.keys().cloned())
            .collect();
        let expected: Vec<Option<Latest>> = keys.iter().map(|key| self.latest.get(key).cloned()).collect();
        assert_eq!(database.lookup(&keys).unwrap(), expected);
        let expected: Vec<Option<u64>> = keys.iter().map(|key| self.accessed.get(key).map(|row| row.1)).collect();
        assert_eq!(database.accessed(&self.numbered(&keys)).unwrap(), expected);
        let expected: Vec<u64> = keys
            .iter()
            .map(|key| self.overwrites.get(key).copied().unwrap_or(0))
            .collect();
        assert_eq!(database.overwrites(&keys).unwrap(), expected);
        assert_eq!(database.totals().unwrap(), self.totals());
        let objects = self.totals().objects;
        let rows = [
            objects,
            self.latest.len() as u64 - objects,
            self.accessed.len() as u64,
            self.overwrites.len() as u64,
        ];
        assert_eq!(database.row_counts().unwrap(), rows);
        assert_eq!(database.checkpoint().unwrap(), self.checkpoint);
        assert_eq!(database.segments().unwrap(), self.segment_uses());
        let expected: Vec<_> = self
            .buckets
            .iter()
            .map(|(id, state)| (BucketId(*id), state.clone()))
            .collect();
        assert_eq!(database.buckets().unwrap(), expected);

        let objects: Vec<_> = self
            .latest
            .iter()
            .filter_map(|(key, latest)| match latest {
                Latest::Object(entry) => Some((key.clone(), entry.clone())),
                Latest::Tombstone(_) => None,
            })
            .collect();
        let mut scanned = Vec::new();
        loop {
            let after = scanned.last().map(|(key, _): &(IndexKey, _)| key.clone());
            let next = database.scan(after.as_deref(), 3 + scanned.len()).unwrap();
            if next.is_empty() {
                break;
            }
            scanned.extend(next);
        }
        assert_eq!(scanned, objects);

        let mut blobs: Vec<(u64, IndexKey)> = objects
            .iter()
            .filter_map(|(key, entry)| entry.blob().map(|blob| (blob, key.clone())))
            .collect();
        blobs.sort();
        assert_eq!(database.blobs(None, usize::MAX).unwrap(), blobs);
        if let Some((first, _)) = blobs.first() {
            assert_eq!(database.blobs(Some(*first), 2).unwrap(), blobs[1..blobs.len().min(3)]);
            assert_eq!(database.blobs_named(&[*first, first + 1]).unwrap(), [true, false]);
        }
    }
}

/// The page of these records, the plain way.
pub fn page_of(records: &BTreeMap<IndexKey, Latest>, bucket: u64, query: &ListQuery) -> ListPage {
    let mut names = BTreeMap::new();
    for (index_key, latest) in records {
        let (in_bucket, row) = split_index_key(index_key).unwrap();
        let key = &row[1..];
        let key = std::str::from_utf8(key).unwrap();
        let Latest::Object(entry) = latest else {
            continue;
        };
        if in_bucket.0 != bucket || !key.starts_with(&query.prefix) {
            continue;
        }
        match common_prefix(key, &query.prefix, &query.delimiter) {
            Some(prefix) => names.insert(prefix.to_owned(), ListEntry::CommonPrefix(prefix.to_owned())),
            None => names.insert(
                key.to_owned(),
                ListEntry::Object(ListedObject {
                    key: key.to_owned(),
                    size: entry.meta.size,
                    modified_unix_ms: entry.meta.modified_unix_ms,
                    etag: entry.meta.etag.clone(),
                    checksum: entry
                        .meta
                        .checksum
                        .as_ref()
                        .map(|checksum| (checksum.algorithm(), checksum.form())),
                    storage_class: entry.meta.headers.storage_class.clone(),
                    details: None,
                }),
            ),
        };
    }
    let mut entries: Vec<ListEntry> = names
        .into_iter()
        .filter(|(name, _)| query.start_after.is_empty() || *name > query.start_after)
        .map(|(_, entry)| entry)
        .collect();
    let truncated = query.limit > 0 && entries.len() > query.limit;
    entries.truncate(query.limit);
    ListPage { entries, truncated }
}
