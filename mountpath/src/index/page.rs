//! Reads that merge the database with memtables.

use super::{
    entry::{Home, IndexKey, Latest, Memtable, ObjectEntry, decode_listed, decode_sequence, index_key},
    error::DatabaseError,
    tables::{Bytes, Reader},
};
use crate::limits::LISTING_STEPS_MAX;
use imbl::{ordmap::RangedIter, shared_ptr::DefaultSharedPtr};
use proto::{
    s3::{
        bucket::BucketId,
        listing::{ListEntry, ListPage, ListQuery, ListedObject, PageBuilder, ScanStep, scan_start},
    },
    wire::WireError,
};
use redb::AccessGuard;
use std::ops::Bound;

/// Sequence and place of the newest record of a key.
pub(crate) fn newest(
    reader: &Reader,
    index_key: &[u8],
    overlays: &[Memtable],
) -> Result<Option<(u64, Home)>, DatabaseError> {
    let mut newest: Option<(u64, Home)> = None;
    for latest in overlays.iter().filter_map(|overlay| overlay.get(index_key)) {
        // Of the same record's places the newest overlay knows the newest.
        if newest.is_none_or(|(sequence, _)| latest.sequence() > sequence) {
            newest = Some((latest.sequence(), latest.home()));
        }
    }
    let stored = match reader.object_head(index_key)? {
        Some(head) => Some((head.sequence, head.home)),
        None => reader
            .tombstone(index_key)?
            .map(|tombstone| (tombstone.sequence, tombstone.home)),
    };
    Ok(match (newest, stored) {
        (Some(newest), Some(stored)) if stored.0 > newest.0 => Some(stored),
        (newest, stored) => newest.or(stored),
    })
}

/// A page of a bucket; costs what it holds, since rolled-up prefixes are skipped by seeking.
pub(crate) fn page(
    reader: &Reader,
    bucket: BucketId,
    query: &ListQuery,
    overlays: &[Memtable],
) -> Result<ListPage, DatabaseError> {
    let mut builder = PageBuilder::new(query);
    let (start, inclusive) = scan_start(query);
    let start = index_key(bucket, &start);
    let from = if inclusive {
        Bound::Included(&*start)
    } else {
        Bound::Excluded(&*start)
    };
    let mut merge = Merge::open(reader, bucket, from, overlays)?;
    while let Some(newest) = merge.newest()? {
        let mut undecoded = None;
        let step = match newest
            .key
            .get(BUCKET_BYTES..)
            .and_then(|key| std::str::from_utf8(key).ok())
        {
            Some(key) => builder.offer(key, || {
                ListEntry::Object(newest.listed(key).unwrap_or_else(|error| {
                    undecoded = Some(error);
                    placeholder(key)
                }))
            }),
            // S3 keys are UTF-8; no other can be listed.
            None => ScanStep::Next,
        };
        if let Some(error) = undecoded {
            return Err(error.into());
        }
        match step {
            ScanStep::Next => merge.step()?,
            ScanStep::Seek(next) => merge.seek(&index_key(bucket, &next))?,
            ScanStep::Stop => break,
        }
    }
    Ok(builder.finish())
}

const BUCKET_BYTES: usize = size_of::<u64>();

/// Stands where a row could not be decoded, until the error is returned.
fn placeholder(key: &str) -> ListedObject {
    ListedObject {
        key: key.to_owned(),
        size: 0,
        modified_unix_ms: 0,
        etag: String::new(),
        storage_class: None,
    }
}

type Row = (AccessGuard<'static, Bytes>, AccessGuard<'static, Bytes>);

/// The database's objects and the memtables' records in key order.
struct Merge<'a> {
    reader: &'a Reader,
    end: Option<[u8; BUCKET_BYTES]>,
    rows: redb::Range<'static, Bytes, Bytes>,
    row: Option<Row>,
    /// The newest first.
    layers: Vec<Layer<'a>>,
}

/// A memtable from some key on.
struct Layer<'a> {
    memtable: &'a Memtable,
    rest: RangedIter<'a, IndexKey, Latest, DefaultSharedPtr>,
    head: Option<(&'a IndexKey, &'a Latest)>,
}

/// The object a key holds, from wherever its newest record is.
struct Newest<'m> {
    key: &'m [u8],
    object: Object<'m>,
}

enum Object<'m> {
    Row(&'m [u8]),
    Entry(&'m ObjectEntry),
}

impl Newest<'_> {
    fn listed(&self, key: &str) -> Result<ListedObject, WireError> {
        match self.object {
            Object::Row(row) => decode_listed(key, row),
            Object::Entry(entry) => Ok(entry.listed(key)),
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
    fn open(
        reader: &'a Reader,
        bucket: BucketId,
        from: Bound<&[u8]>,
        overlays: &'a [Memtable],
    ) -> Result<Self, DatabaseError> {
        let end = bucket.0.checked_add(1).map(u64::to_be_bytes);
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

    /// The first object from here on; moves past keys that hold none.
    fn newest(&mut self) -> Result<Option<Newest<'_>>, DatabaseError> {
        let verdict = loop {
            let Some(key) = self.key() else {
                return Ok(None);
            };
            match self.judge(key)? {
                Verdict::Hidden => self.step()?,
                verdict => break verdict,
            }
        };
        Ok(match verdict {
            Verdict::Row => self.row.as_ref().map(|(key, row)| Newest {
                key: key.value(),
                object: Object::Row(row.value()),
            }),
            Verdict::Layer(index) => self.layers.get(index).and_then(|layer| match layer.head {
                Some((key, Latest::Object(entry))) => Some(Newest {
                    key,
                    object: Object::Entry(entry),
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

    /// Moves past the key at the front.
    fn step(&mut self) -> Result<(), DatabaseError> {
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

    /// Moves to the first key that is not less than this one.
    fn seek(&mut self, key: &[u8]) -> Result<(), DatabaseError> {
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

fn until(end: &Option<[u8; BUCKET_BYTES]>) -> Bound<&[u8]> {
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
