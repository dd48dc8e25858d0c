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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// So many times,
    pub writes: u64,
    /// after the key had held nothing; else on top of what is older than the memtable.
    pub from_nothing: bool,
}

impl Tally {
    /// Of a row with one record. What only changes metadata, or is a copy, has another number than its version.
    fn of_one(latest: &Latest) -> Self {
        let is_write = matches!(latest, Latest::Object(entry) if entry.meta.version_number == entry.sequence);
        Self {
            writes: u64::from(is_write),
            from_nothing: false,
        }
    }
}

impl Memtable {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a record: newer than all of its row, or the newest in another place.
    pub fn insert(&mut self, key: IndexKey, latest: Latest) {
        if !counts_writes(&key) {
            self.rows.insert(key, latest);
            return;
        }
        let (sequence, of_one) = (latest.sequence(), Tally::of_one(&latest));
        let is_object = matches!(latest, Latest::Object(_));
        let Some(replaced) = self.rows.insert(IndexKey::clone(&key), latest) else {
            return;
        };
        if replaced.sequence() == sequence {
            return;
        }
        let before = match replaced {
            Latest::Object(_) => self.tally(&key, &replaced),
            Latest::Tombstone(_) => Tally {
                writes: 0,
                from_nothing: true,
            },
        };
        if is_object {
            let tally = Tally {
                writes: before.writes + of_one.writes,
                ..before
            };
            self.tallies.insert(key, tally);
        } else {
            self.tallies.remove(&key);
        }
    }

    /// How often the object that a row holds here was written.
    pub fn tally(&self, key: &[u8], latest: &Latest) -> Tally {
        let known = self.tallies.get(key).copied();
        known.unwrap_or_else(|| Tally::of_one(latest))
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
