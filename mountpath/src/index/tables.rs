//! The database's tables, opened for reading or for writing.

use super::{
    entry::{Checkpoint, Latest, ObjectEntry, ObjectHead, Tombstone},
    error::DatabaseError,
};
use proto::wire::{Decoder, Encoder, WireError};
use redb::{ReadOnlyTable, ReadTransaction, ReadableTableMetadata, Table, TableDefinition, WriteTransaction};
use std::sync::Arc;

pub(crate) type Bytes = &'static [u8];

/// Index key -> object.
const OBJECTS: TableDefinition<'_, Bytes, Bytes> = TableDefinition::new("objects");
/// Index key -> tombstone. Apart from the objects, so that listings do not wade through them.
const TOMBSTONES: TableDefinition<'_, Bytes, Bytes> = TableDefinition::new("tombstones");
/// Bucket -> what it is called and whether it is fenced.
const BUCKETS: TableDefinition<'_, u64, Bytes> = TableDefinition::new("buckets");
/// Blob -> index key of the object that names it.
const BLOBS: TableDefinition<'_, u64, Bytes> = TableDefinition::new("blobs");
/// Upload -> index key of the row that keeps its parts: the upload's own or the object's that was made of it.
const UPLOADS: TableDefinition<'_, u64, Bytes> = TableDefinition::new("uploads");
/// Segment -> bytes of it that are alive.
const SEGMENTS: TableDefinition<'_, u64, u64> = TableDefinition::new("segments");
/// Index key -> number of the version, time of its last access in Unix milliseconds.
const ACCESSED: TableDefinition<'_, Bytes, (u64, u64)> = TableDefinition::new("accessed");
/// Index key of a null version -> how often it was written over. None: never.
const OVERWRITES: TableDefinition<'_, Bytes, u64> = TableDefinition::new("overwrites");
/// The one row of [`State`].
pub(crate) const STATE: TableDefinition<'_, (), Bytes> = TableDefinition::new("state");

/// What the objects add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Objects.
    pub objects: u64,
    /// Sum of their sizes.
    pub object_bytes: u64,
}

/// What is kept once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub checkpoint: Option<Checkpoint>,
    pub totals: Totals,
    /// No tombstone has, or had, a higher sequence: what is newer need not be looked up among them.
    pub tombstone_sequence_max: u64,
}

impl State {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut fields = Encoder::new();
        fields.option(self.checkpoint, |fields, checkpoint| checkpoint.encode(fields));
        fields
            .u64(self.totals.objects)
            .u64(self.totals.object_bytes)
            .u64(self.tombstone_sequence_max);
        fields.finish()
    }

    pub(crate) fn decode(row: &[u8]) -> Result<Self, WireError> {
        let mut fields = Decoder::new(row);
        let checkpoint = fields.option(Checkpoint::decode)?;
        let totals = Totals {
            objects: fields.u64()?,
            object_bytes: fields.u64()?,
        };
        let tombstone_sequence_max = fields.u64()?;
        fields.finish()?;
        Ok(Self {
            checkpoint,
            totals,
            tombstone_sequence_max,
        })
    }
}

/// The tables in a write transaction.
pub(crate) struct WriteTables<'t> {
    pub objects: Table<'t, Bytes, Bytes>,
    pub tombstones: Table<'t, Bytes, Bytes>,
    pub buckets: Table<'t, u64, Bytes>,
    pub blobs: Table<'t, u64, Bytes>,
    pub uploads: Table<'t, u64, Bytes>,
    pub segments: Table<'t, u64, u64>,
    pub accessed: Table<'t, Bytes, (u64, u64)>,
    pub overwrites: Table<'t, Bytes, u64>,
    pub state: Table<'t, (), Bytes>,
}

impl<'t> WriteTables<'t> {
    /// Opens the tables; those that do not exist are made.
    pub(crate) fn open(transaction: &'t WriteTransaction) -> Result<Self, DatabaseError> {
        Ok(Self {
            objects: transaction.open_table(OBJECTS)?,
            tombstones: transaction.open_table(TOMBSTONES)?,
            buckets: transaction.open_table(BUCKETS)?,
            blobs: transaction.open_table(BLOBS)?,
            uploads: transaction.open_table(UPLOADS)?,
            segments: transaction.open_table(SEGMENTS)?,
            accessed: transaction.open_table(ACCESSED)?,
            overwrites: transaction.open_table(OVERWRITES)?,
            state: transaction.open_table(STATE)?,
        })
    }
}

/// The tables as one transaction left them.
pub(crate) struct Reader {
    pub objects: ReadOnlyTable<Bytes, Bytes>,
    pub buckets: ReadOnlyTable<u64, Bytes>,
    pub blobs: ReadOnlyTable<u64, Bytes>,
    pub uploads: ReadOnlyTable<u64, Bytes>,
    pub segments: ReadOnlyTable<u64, u64>,
    pub accessed: ReadOnlyTable<Bytes, (u64, u64)>,
    pub overwrites: ReadOnlyTable<Bytes, u64>,
    pub state: State,
    /// `None`: there are none.
    tombstones: Option<ReadOnlyTable<Bytes, Bytes>>,
}

impl Reader {
    /// Opens the tables.
    pub(crate) fn open(transaction: &ReadTransaction) -> Result<Self, DatabaseError> {
        let state = transaction.open_table(STATE)?;
        let state = state
            .get(())?
            .ok_or_else(|| DatabaseError::Damaged("the state is gone".to_owned()))?;
        let tombstones = transaction.open_table(TOMBSTONES)?;
        Ok(Self {
            objects: transaction.open_table(OBJECTS)?,
            buckets: transaction.open_table(BUCKETS)?,
            blobs: transaction.open_table(BLOBS)?,
            uploads: transaction.open_table(UPLOADS)?,
            segments: transaction.open_table(SEGMENTS)?,
            accessed: transaction.open_table(ACCESSED)?,
            overwrites: transaction.open_table(OVERWRITES)?,
            state: State::decode(state.value())?,
            tombstones: if tombstones.is_empty()? { None } else { Some(tombstones) },
        })
    }

    /// When the version of a row with this number was last accessed, in Unix milliseconds.
    pub(crate) fn access(&self, index_key: &[u8], number: u64) -> Result<Option<u64>, DatabaseError> {
        let row = self.accessed.get(index_key)?.map(|row| row.value());
        Ok(row.filter(|(of, _)| *of == number).map(|(_, unix_ms)| unix_ms))
    }

    /// The object a key holds.
    pub(crate) fn object(&self, index_key: &[u8]) -> Result<Option<Arc<ObjectEntry>>, DatabaseError> {
        let row = self.objects.get(index_key)?;
        row.map(|row| Ok(Arc::new(ObjectEntry::decode(index_key, row.value())?)))
            .transpose()
    }

    /// The start of the row of the object a key holds.
    pub(crate) fn object_head(&self, index_key: &[u8]) -> Result<Option<ObjectHead>, DatabaseError> {
        let row = self.objects.get(index_key)?;
        row.map(|row| Ok(ObjectHead::decode(row.value())?)).transpose()
    }

    /// The tombstone of a key.
    pub(crate) fn tombstone(&self, index_key: &[u8]) -> Result<Option<Tombstone>, DatabaseError> {
        let Some(tombstones) = &self.tombstones else {
            return Ok(None);
        };
        let row = tombstones.get(index_key)?;
        row.map(|row| Ok(Tombstone::decode(row.value())?)).transpose()
    }

    /// Rows of objects, tombstones, accesses and overwrites.
    #[cfg(test)]
    pub(crate) fn row_counts(&self) -> Result<[u64; 4], DatabaseError> {
        let tombstones = self.tombstones.as_ref().map_or(Ok(0), ReadableTableMetadata::len)?;
        Ok([
            self.objects.len()?,
            tombstones,
            self.accessed.len()?,
            self.overwrites.len()?,
        ])
    }

    /// What the newest record of a key says.
    pub(crate) fn latest(&self, index_key: &[u8]) -> Result<Option<Latest>, DatabaseError> {
        match self.object(index_key)? {
            Some(entry) => Ok(Some(Latest::Object(entry))),
            None => Ok(self.tombstone(index_key)?.map(Latest::Tombstone)),
        }
    }
}
