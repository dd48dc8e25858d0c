//! The index on disk. Calls block: they are made from threads of the index, one that writes and one that reads.

use super::{
    apply,
    backend::{Backend, ChecksummedFile},
    block_file::BlockFile,
    details::ListedRow,
    entry::{BucketState, Checkpoint, Home, IndexKey, Latest, Memtable, ObjectEntry},
    page::{self, Wanted},
    tables::{Reader, STATE},
};
pub use super::{
    apply::{Applied, Changes, SegmentUse},
    error::DatabaseError,
    tables::Totals,
};
use proto::s3::{
    bucket::BucketId,
    listing::{ListPage, ListQuery},
    version::UploadId,
};
use redb::{Durability, ReadableDatabase, ReadableTable, TableError, WriteTransaction};
use std::{
    collections::BTreeMap,
    fmt,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The index of a shard on disk.
pub struct Database {
    // Gone before the engine, which then has no readers to mind.
    readers: Mutex<Readers>,
    engine: redb::Database,
    file: Arc<ChecksummedFile>,
}

/// The view of the last transaction, kept for the next reader.
#[derive(Default)]
struct Readers {
    last: Option<Arc<Reader>>,
    /// Transactions under way: a view kept over the end of one would keep the disk space of what it replaces.
    writers: usize,
    /// Transactions begun so far.
    begun: u64,
}

impl Database {
    /// Opens the database in a file; makes it in an empty one. `cache_bytes` of memory hold its pages.
    pub fn open(file: Arc<dyn BlockFile>, shard: [u8; 16], cache_bytes: usize) -> Result<Self, DatabaseError> {
        let file = Arc::new(ChecksummedFile::open(file, shard)?);
        let engine = redb::Builder::new()
            .set_cache_size(cache_bytes)
            .create_with_backend(Backend(file.clone()))
            .map_err(|error| file.failure().unwrap_or_else(|| error.into()))?;
        let database = Self {
            readers: Mutex::default(),
            engine,
            file,
        };
        database.told(database.make_tables())?;
        Ok(database)
    }

    /// Closes the database, so that the next start is quicker still. Dropping it does the same and tells nobody of errors.
    pub fn close(self) -> Result<(), DatabaseError> {
        let Self { engine, file, readers } = self;
        drop(readers);
        engine
            .close()
            .map_err(|error| file.failure().unwrap_or_else(|| error.into()))
    }

    /// Whether an error has made it refuse everything: it has to be opened again.
    pub fn has_failed(&self) -> bool {
        self.file.failure().is_some()
    }

    /// Up to where the index knows the log; `None`: it knows nothing of it.
    pub fn checkpoint(&self) -> Result<Option<Checkpoint>, DatabaseError> {
        self.read(|reader| Ok(reader.state.checkpoint))
    }

    /// All buckets.
    pub fn buckets(&self) -> Result<Vec<(BucketId, BucketState)>, DatabaseError> {
        self.read(|reader| {
            let mut buckets = Vec::new();
            for row in reader.buckets.iter()? {
                let (bucket, state) = row?;
                buckets.push((BucketId(bucket.value()), BucketState::decode(state.value())?));
            }
            Ok(buckets)
        })
    }

    /// What the objects add up to.
    pub fn totals(&self) -> Result<Totals, DatabaseError> {
        self.read(|reader| Ok(reader.state.totals))
    }

    /// What of each segment is alive. One that is not here holds nothing that is.
    pub fn segments(&self) -> Result<BTreeMap<u64, SegmentUse>, DatabaseError> {
        self.read(|reader| {
            let mut segments = BTreeMap::new();
            for row in reader.segments.iter()? {
                let (segment, live_bytes) = row?;
                let live_bytes = live_bytes.value();
                segments.insert(segment.value(), SegmentUse { live_bytes });
            }
            Ok(segments)
        })
    }

    /// Does all changes in one transaction, which outlives a crash when this returns. After an error it has happened or not.
    pub fn apply(&self, changes: &Changes<'_>) -> Result<Applied, DatabaseError> {
        self.told(self.write(|transaction| apply::apply(transaction, changes)))
    }

    /// What the newest record of each key says.
    pub fn lookup(&self, keys: &[IndexKey]) -> Result<Vec<Option<Latest>>, DatabaseError> {
        self.read(|reader| keys.iter().map(|key| reader.latest(key)).collect())
    }

    /// For each record (key, sequence, home): whether it is the newest of its key and this its place. Memtables count, the newest
    /// first.
    pub fn current(
        &self,
        records: &[(IndexKey, u64, Home)],
        overlays: &[Memtable],
    ) -> Result<Vec<bool>, DatabaseError> {
        self.read(|reader| {
            let is_current = |(key, sequence, home): &(IndexKey, u64, Home)| {
                Ok(page::newest(reader, key, overlays)? == Some((*sequence, *home)))
            };
            records.iter().map(is_current).collect()
        })
    }

    /// A page of a bucket: database and memtables, the newest first, merged; of a key the highest sequence wins. The details
    /// it is asked for tell of no access that is not merged.
    pub fn page(&self, bucket: BucketId, query: &ListQuery, overlays: &[Memtable]) -> Result<ListPage, DatabaseError> {
        Ok(self.page_and_rows(bucket, query, overlays)?.0)
    }

    /// The same with the rows of its objects and versions in order, if the query asks for details.
    pub fn page_and_rows(
        &self,
        bucket: BucketId,
        query: &ListQuery,
        overlays: &[Memtable],
    ) -> Result<(ListPage, Vec<ListedRow>), DatabaseError> {
        self.read(|reader| {
            let mut rows = Vec::new();
            let page = page::page(reader, bucket, query, overlays, &mut rows)?;
            Ok((page, rows))
        })
    }

    /// The next objects after an index key, in order.
    pub fn scan(&self, after: Option<&[u8]>, limit: usize) -> Result<Vec<(IndexKey, Arc<ObjectEntry>)>, DatabaseError> {
        self.read(|reader| {
            let from = after.map_or(Bound::Unbounded, Bound::Excluded);
            let mut objects = Vec::new();
            for row in reader.objects.range::<&[u8]>((from, Bound::Unbounded))?.take(limit) {
                let (key, row) = row?;
                objects.push((
                    key.value().into(),
                    Arc::new(ObjectEntry::decode(key.value(), row.value())?),
                ));
            }
            Ok(objects)
        })
    }

    /// The first rows whose index keys begin with `prefix` and are greater than `after`: database and memtables merged.
    pub fn first_rows(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        wanted: Wanted,
        overlays: &[Memtable],
    ) -> Result<Vec<(IndexKey, Arc<ObjectEntry>)>, DatabaseError> {
        self.read(|reader| page::first_rows(reader, prefix, after, wanted, overlays))
    }

    /// The first upload of which there are parts after this one, as bucket and upload.
    pub fn next_upload_with_parts(
        &self,
        after: Option<(BucketId, UploadId)>,
    ) -> Result<Option<(BucketId, UploadId)>, DatabaseError> {
        self.read(|reader| page::next_upload_with_parts(reader, after))
    }

    /// Which of these uploads a row keeps.
    pub fn uploads_named(&self, uploads: &[UploadId]) -> Result<Vec<bool>, DatabaseError> {
        self.read(|reader| {
            let is_named = |upload: &UploadId| Ok(reader.uploads.get(upload.0)?.is_some());
            uploads.iter().map(is_named).collect()
        })
    }

    /// Which of these blobs an object names.
    pub fn blobs_named(&self, blobs: &[u64]) -> Result<Vec<bool>, DatabaseError> {
        self.read(|reader| {
            let is_named = |blob: &u64| Ok(reader.blobs.get(blob)?.is_some());
            blobs.iter().map(is_named).collect()
        })
    }

    /// The next blobs after one, in order, with the index keys of the objects that name them.
    pub fn blobs(&self, after: Option<u64>, limit: usize) -> Result<Vec<(u64, IndexKey)>, DatabaseError> {
        self.read(|reader| {
            let from = after.map_or(Bound::Unbounded, Bound::Excluded);
            let mut blobs = Vec::new();
            for row in reader.blobs.range::<u64>((from, Bound::Unbounded))?.take(limit) {
                let (blob, key) = row?;
                blobs.push((blob.value(), key.value().into()));
            }
            Ok(blobs)
        })
    }

    /// When each version, by index key and number, was last accessed, in Unix milliseconds.
    pub fn accessed(&self, versions: &[(IndexKey, u64)]) -> Result<Vec<Option<u64>>, DatabaseError> {
        self.read(|reader| {
            let accessed = |(key, number): &(IndexKey, u64)| reader.access(key, *number);
            versions.iter().map(accessed).collect()
        })
    }

    /// How often each key was written over.
    #[cfg(test)]
    pub(crate) fn overwrites(&self, keys: &[IndexKey]) -> Result<Vec<u64>, DatabaseError> {
        self.read(|reader| {
            let overwrites = |key: &IndexKey| Ok(reader.overwrites.get(&**key)?.map_or(0, |row| row.value()));
            keys.iter().map(overwrites).collect()
        })
    }

    /// Rows of objects, tombstones, accesses and overwrites.
    #[cfg(test)]
    pub(crate) fn row_counts(&self) -> Result<[u64; 4], DatabaseError> {
        self.read(Reader::row_counts)
    }

    fn make_tables(&self) -> Result<(), DatabaseError> {
        match self.engine.begin_read()?.open_table(STATE) {
            Ok(_) => Ok(()),
            Err(TableError::TableDoesNotExist(_)) => {
                self.write(|transaction| apply::apply(transaction, &Changes::default()))?;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn write<T>(&self, work: impl FnOnce(&WriteTransaction) -> Result<T, DatabaseError>) -> Result<T, DatabaseError> {
        let mut transaction = self.engine.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        transaction.set_quick_repair(true);
        let _writing = Writing::begin(self);
        let done = work(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }

    fn read<T>(&self, work: impl FnOnce(&Reader) -> Result<T, DatabaseError>) -> Result<T, DatabaseError> {
        self.told(self.reader().and_then(|reader| work(&reader)))
    }

    fn reader(&self) -> Result<Arc<Reader>, DatabaseError> {
        let (is_quiet, begun) = {
            let readers = self.readers();
            if let Some(reader) = &readers.last {
                return Ok(reader.clone());
            }
            (readers.writers == 0, readers.begun)
        };
        let reader = Arc::new(Reader::open(&self.engine.begin_read()?)?);
        let mut readers = self.readers();
        if is_quiet && readers.begun == begun {
            readers.last = Some(reader.clone());
        }
        Ok(reader)
    }

    fn readers(&self) -> MutexGuard<'_, Readers> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what was wrong with the file first: redb tells only the first caller and refuses the later ones.
    fn told<T>(&self, result: Result<T, DatabaseError>) -> Result<T, DatabaseError> {
        result.map_err(|error| self.file.failure().unwrap_or(error))
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Database")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// While it lives, views are not kept.
struct Writing<'d> {
    database: &'d Database,
}

impl<'d> Writing<'d> {
    fn begin(database: &'d Database) -> Self {
        let mut readers = database.readers();
        readers.writers += 1;
        readers.begun += 1;
        readers.last = None;
        Self { database }
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        let mut readers = self.database.readers();
        readers.writers = readers.writers.saturating_sub(1);
    }
}
