//! The newest part of an index, held in memory: of each row the newest record, and how often the row was written.

use super::{
    entry::{IndexKey, Latest},
    row::NULL_ROWS,
};
use imbl::OrdMap;
use std::ops::Deref;

/// Where the kind of a row stands in its index key.
const KIND_AT: usize = size_of::<u64>();

/// Records by row; a clone is a snapshot and costs nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memtable {
    rows: OrdMap<IndexKey, Latest>,
    /// Of the rows that were written other than by their one record here.
    tallies: OrdMap<IndexKey, Tally>,
}

/// How often a null version was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// So many times,
    pub writes: u64,
    /// after the key had held nothing; else on top of what is older than the memtable.
    pub from_nothing: bool,
    /// On top of at least one write that compaction has copied.
    pub after_copy: bool,
}

impl Tally {
    /// Of a row with one record. One that only changes metadata has another number than its version.
    fn of_one(latest: &Latest) -> Self {
        let is_write = matches!(latest, Latest::Object(entry) if entry.meta.version_number == entry.sequence);
        Self {
            writes: u64::from(is_write),
            ..Self::default()
        }
    }

    /// How often the row was written in all, if what is older than the memtable says nothing.
    pub fn alone(self) -> u64 {
        self.writes.saturating_add(u64::from(self.after_copy))
    }
}

impl Memtable {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a record, newer than all of its row.
    pub fn insert(&mut self, key: IndexKey, latest: Latest) {
        let of_one = Tally::of_one(&latest);
        self.insert_tallied(key, latest, of_one, true);
    }

    /// Adds a copy that compaction has made: as new as any of its row, and no change of it.
    pub fn insert_copy(&mut self, key: IndexKey, latest: Latest) {
        let of_copy = Tally {
            after_copy: matches!(latest, Latest::Object(_)),
            ..Tally::default()
        };
        self.insert_tallied(key, latest, of_copy, false);
    }

    fn insert_tallied(&mut self, key: IndexKey, latest: Latest, tally: Tally, is_change: bool) {
        if !counts_writes(&key) {
            self.rows.insert(key, latest);
            return;
        }
        let (sequence, is_object) = (latest.sequence(), matches!(latest, Latest::Object(_)));
        let replaced = self.rows.insert(IndexKey::clone(&key), latest);
        let before = match &replaced {
            Some(replaced) if replaced.sequence() == sequence => return,
            Some(replaced) => self.tally(&key, replaced),
            None if is_change => return,
            None => Tally::default(),
        };
        if is_change && !is_object {
            self.tallies.remove(&key);
            return;
        }
        let tally = Tally {
            writes: before.writes + tally.writes,
            from_nothing: before.from_nothing,
            after_copy: before.after_copy || tally.after_copy,
        };
        self.tallies.insert(key, tally);
    }

    /// How often what a row holds here was written.
    pub fn tally(&self, key: &[u8], latest: &Latest) -> Tally {
        let known = self.tallies.get(key).copied();
        known.unwrap_or_else(|| Tally {
            from_nothing: matches!(latest, Latest::Tombstone(_)),
            ..Tally::of_one(latest)
        })
    }
}

/// Whether a row's writes are counted: null versions are written again, all others once.
pub(crate) fn counts_writes(index_key: &[u8]) -> bool {
    index_key.get(KIND_AT) == Some(&NULL_ROWS)
}

impl Deref for Memtable {
    type Target = OrdMap<IndexKey, Latest>;

    fn deref(&self) -> &Self::Target {
        &self.rows
    }
}

impl FromIterator<(IndexKey, Latest)> for Memtable {
    fn from_iter<I: IntoIterator<Item = (IndexKey, Latest)>>(records: I) -> Self {
        let mut memtable = Self::new();
        for (key, latest) in records {
            memtable.insert(key, latest);
        }
        memtable
    }
}

impl<'m> IntoIterator for &'m Memtable {
    type Item = (&'m IndexKey, &'m Latest);
    type IntoIter = imbl::ordmap::Iter<'m, IndexKey, Latest, imbl::shared_ptr::DefaultSharedPtr>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.iter()
    }
}
