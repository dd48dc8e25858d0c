//! The rows of a kind in key order, from the database and the memtables: of each row the newest record.

use super::{
    details::{ListedRow, note_access},
    entry::{IndexKey, Latest, Memtable, ObjectEntry, ObjectHead, decode_listed, decode_sequence, version_of},
    error::DatabaseError,
    memtable::counts_writes,
    row::prefix,
    tables::{Bytes, Reader},
};
use crate::{limits::LISTING_STEPS_MAX, record::Placement};
use imbl::{ordmap::RangedIter, shared_ptr::DefaultSharedPtr};
use proto::{
    s3::{
        bucket::BucketId,
        listing::{ListedObject, ObjectDetails, prefix_successor},
    },
    wire::WireError,
};
use redb::AccessGuard;
use std::{ops::Bound, sync::Arc};

type StoredRow = (AccessGuard<'static, Bytes>, AccessGuard<'static, Bytes>);

/// See the module.
pub(crate) struct Merge<'a> {
    reader: &'a Reader,
    end: Option<Vec<u8>>,
    rows: redb::Range<'static, Bytes, Bytes>,
    row: Option<StoredRow>,
    /// The newest first.
    layers: Vec<Layer<'a>>,
}

/// A memtable from some key on.
struct Layer<'a> {
    memtable: &'a Memtable,
    rest: RangedIter<'a, IndexKey, Latest, DefaultSharedPtr>,
    head: Option<(&'a IndexKey, &'a Latest)>,
}

/// What a row holds, from wherever its newest record is.
pub(crate) struct Held<'m, 'a> {
    /// The index key.
    pub key: &'m [u8],
    object: Object<'m>,
    merge: &'m Merge<'a>,
}

enum Object<'m> {
    Row(&'m [u8]),
    Entry(&'m Arc<ObjectEntry>),
}

impl Held<'_, '_> {
    /// As a listing shows it.
    pub(crate) fn listed(&self, name: &str) -> Result<ListedObject, WireError> {
        match self.object {
            Object::Row(row) => decode_listed(name, row),
            Object::Entry(entry) => Ok(entry.listed(name)),
        }
    }

    /// The same with what is only shown who asks for it.
    pub(crate) fn listed_with_details(
        &self,
        name: &str,
        rows: &mut Vec<ListedRow>,
    ) -> Result<ListedObject, DatabaseError> {
        let mut listed = self.listed(name)?;
        let row = ListedRow {
            version: version_of(self.key),
            number: self.version()?.0,
        };
        let mut details = ObjectDetails {
            accessed_unix_ms: Some(listed.modified_unix_ms),
            overwrites: self.merge.overwrites(self.key)?,
        };
        if let Some(unix_ms) = self.merge.reader.access(self.key, row.number)? {
            note_access(&mut details, unix_ms);
        }
        listed.details = Some(Box::new(details));
        rows.push(row);
        Ok(listed)
    }

    /// The number of the version, and where its payload lies.
    pub(crate) fn version(&self) -> Result<(u64, Placement), WireError> {
        match self.object {
            Object::Row(row) => ObjectHead::decode(row).map(|head| (head.version_number, head.placement)),
            Object::Entry(entry) => Ok((entry.meta.version_number, entry.placement)),
        }
    }

    /// All of it but, maybe, its block checksums.
    pub(crate) fn entry_without_blocks(&self) -> Result<Arc<ObjectEntry>, WireError> {
        match self.object {
            Object::Row(row) => {
                let mut entry = ObjectEntry::decode(self.key, row)?;
                entry.meta.block_checksums = Vec::new();
                Ok(Arc::new(entry))
            }
            Object::Entry(entry) => Ok(Arc::clone(entry)),
        }
    }

    /// All of it.
    pub(crate) fn entry(&self) -> Result<Arc<ObjectEntry>, WireError> {
        match self.object {
            Object::Row(row) => ObjectEntry::decode(self.key, row).map(Arc::new),
            Object::Entry(entry) => Ok(Arc::clone(entry)),
        }
    }
}

/// Whether the key at the front of a merge is to be shown.
enum Verdict {
    Row,
    Layer(usize),
    Hidden,
}

impl<'a> Merge<'a> {
    /// The rows of a bucket of this kind from an index key on.
    pub(crate) fn open(
        reader: &'a Reader,
        (bucket, kind): (BucketId, u8),
        from: Bound<&[u8]>,
        overlays: &'a [Memtable],
    ) -> Result<Self, DatabaseError> {
        let end = prefix_successor(&prefix(bucket, kind));
        let mut rows = reader.objects.range::<&[u8]>((from, until(&end)))?;
        Ok(Self {
            reader,
            row: rows.next().transpose()?,
            rows,
            layers: overlays
                .iter()
                .map(|memtable| Layer::open(memtable, from, until(&end)))
                .collect(),
            end,
        })
    }

    /// What the first row from here on holds; moves past those that hold nothing.
    pub(crate) fn held(&mut self) -> Result<Option<Held<'_, 'a>>, DatabaseError> {
        let verdict = loop {
            let Some(key) = self.key() else {
                return Ok(None);
            };
            match self.judge(key)? {
                Verdict::Hidden => self.step()?,
                verdict => break verdict,
            }
        };
        let merge = &*self;
        Ok(match verdict {
            Verdict::Row => merge.row.as_ref().map(|(key, row)| Held {
                key: key.value(),
                object: Object::Row(row.value()),
                merge,
            }),
            Verdict::Layer(index) => merge.layers.get(index).and_then(|layer| match layer.head {
                Some((key, Latest::Object(entry))) => Some(Held {
                    key,
                    object: Object::Entry(entry),
                    merge,
                }),
                _ => None,
            }),
            Verdict::Hidden => None,
        })
    }

    /// The smallest key of all sources.
    fn key(&self) -> Option<&[u8]> {
        let row = self.row.as_ref().map(|(key, _)| key.value());
        let layers = self.layers.iter().filter_map(|layer| layer.head).map(|(key, _)| &**key);
        layers.chain(row).min()
    }

    fn judge(&self, key: &[u8]) -> Result<Verdict, DatabaseError> {
        let mut newest: Option<(usize, &Latest)> = None;
        for (index, layer) in self.layers.iter().enumerate() {
            if let Some((candidate, latest)) = layer.head
                && **candidate == *key
                && newest.is_none_or(|(_, newest)| latest.sequence() > newest.sequence())
            {
                newest = Some((index, latest));
            }
        }
        let row = self.row.as_ref().filter(|(candidate, _)| candidate.value() == key);
        let Some((index, latest)) = newest else {
            return Ok(Verdict::Row);
        };
        if let Some((_, row)) = row {
            if decode_sequence(row.value())? > latest.sequence() {
                return Ok(Verdict::Row);
            }
        } else if latest.sequence() < self.reader.state.tombstone_sequence_max
            && let Some(tombstone) = self.reader.tombstone(key)?
            && tombstone.sequence > latest.sequence()
        {
            return Ok(Verdict::Hidden);
        }
        Ok(match latest {
            Latest::Object(_) => Verdict::Layer(index),
            Latest::Tombstone(_) => Verdict::Hidden,
        })
    }

    /// How often the row at the front, of this key, was written over.
    fn overwrites(&self, key: &[u8]) -> Result<u64, DatabaseError> {
        if !counts_writes(key) {
            return Ok(0);
        }
        let row = self.row.as_ref().filter(|(candidate, _)| candidate.value() == key);
        let stored = row.map(|(_, row)| decode_sequence(row.value())).transpose()?;
        let mut writes: u64 = 0;
        for layer in &self.layers {
            let Some((_, latest)) = layer.head.filter(|(candidate, _)| ***candidate == *key) else {
                continue;
            };
            if stored.is_some_and(|stored| latest.sequence() <= stored) {
                // It was merged since the snapshot was taken.
                continue;
            }
            let Latest::Object(_) = latest else {
                return Ok(writes.saturating_sub(1));
            };
            let tally = layer.memtable.tally(key, latest);
            writes = writes.saturating_add(tally.writes);
            if tally.from_nothing {
                return Ok(writes.saturating_sub(1));
            }
        }
        if stored.is_some() {
            let before = self.reader.overwrites.get(key)?.map_or(0, |row| row.value());
            writes = writes.saturating_add(before).saturating_add(1);
        }
        Ok(writes.saturating_sub(1))
    }

    /// Moves past the row at the front.
    pub(crate) fn step(&mut self) -> Result<(), DatabaseError> {
        // The row's key may lie in a page that goes when the row does, so the row moves last.
        let Some(key) = self.key() else {
            return Ok(());
        };
        let is_row = self.row.as_ref().is_some_and(|(candidate, _)| candidate.value() == key);
        let are_layers: Vec<bool> = self
            .layers
            .iter()
            .map(|layer| layer.head.is_some_and(|(candidate, _)| **candidate == *key))
            .collect();
        for (layer, _) in self
            .layers
            .iter_mut()
            .zip(are_layers)
            .filter(|(_, is_at_key)| *is_at_key)
        {
            layer.head = layer.rest.next();
        }
        if is_row {
            self.row = self.rows.next().transpose()?;
        }
        Ok(())
    }

    /// Moves to the first row whose index key is not less than this one.
    pub(crate) fn seek(&mut self, key: &[u8]) -> Result<(), DatabaseError> {
        let past_end = self.end.as_ref().is_some_and(|end| key >= end.as_slice());
        if past_end {
            self.row = None;
            self.layers.clear();
            return Ok(());
        }
        for step in 0.. {
            match &self.row {
                Some((candidate, _)) if candidate.value() < key => {}
                _ => break,
            }
            if step == LISTING_STEPS_MAX {
                self.rows = self
                    .reader
                    .objects
                    .range::<&[u8]>((Bound::Included(key), until(&self.end)))?;
            }
            self.row = self.rows.next().transpose()?;
        }
        for layer in &mut self.layers {
            layer.seek(key, until(&self.end));
        }
        Ok(())
    }
}

fn until(end: &Option<Vec<u8>>) -> Bound<&[u8]> {
    end.as_ref()
        .map_or(Bound::Unbounded, |end| Bound::Excluded(end.as_slice()))
}

impl<'a> Layer<'a> {
    fn open(memtable: &'a Memtable, from: Bound<&[u8]>, until: Bound<&[u8]>) -> Self {
        let mut rest = memtable.range::<_, [u8]>((from, until));
        Self {
            memtable,
            head: rest.next(),
            rest,
        }
    }

    fn seek(&mut self, key: &[u8], until: Bound<&[u8]>) {
        for step in 0.. {
            match self.head {
                Some((candidate, _)) if **candidate < *key => {}
                _ => break,
            }
            if step == LISTING_STEPS_MAX {
                *self = Self::open(self.memtable, Bound::Included(key), until);
                break;
            }
            self.head = self.rest.next();
        }
    }
}
