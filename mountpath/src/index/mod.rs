//! The ordered index of a shard: which object each key holds. Derived from the log. The newest entries are in memory,
//! the rest in a database on threads of its own; what was looked up lately is kept, so that the core rarely asks.

mod access_times;
mod apply;
mod backend;
pub mod block_file;
pub mod cache;
mod checksums;
pub mod database;
pub mod details;
pub mod entry;
pub mod error;
mod file_header;
pub mod indexed;
pub mod memtable;
mod merge;
mod merging;
pub mod page;
pub mod recent;
pub mod row;
mod tables;
#[cfg(test)]
mod tests;
pub mod threads;
mod version_page;

use crate::{
    error::StoreError,
    index::{
        cache::EntryCache,
        database::Totals,
        details::add_recent_accesses,
        entry::{BucketState, Home, IndexKey, Latest, ObjectEntry},
        page::Wanted,
        recent::Recent,
        row::{NUMBERED_ROWS, name_prefix, newest_key, object_key},
        threads::IndexThreads,
    },
    limits::{DETAILED_PAGE_TRIES, SCAN_ENTRIES},
    record::Placement,
};
use proto::s3::{
    bucket::BucketId,
    listing::{ListPage, ListQuery},
    version::UploadId,
};
use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// The first row, to be read.
const ONE_WHOLE: Wanted = Wanted {
    limit: 1,
    without_blocks: false,
};

/// The index of a shard, on its core.
pub struct ShardIndex {
    recent: RefCell<Recent>,
    cache: EntryCache,
    buckets: RefCell<HashMap<BucketId, BucketState>>,
    noted: RefCell<HashSet<BucketId>>,
    totals: Cell<Totals>,
    /// Rises whenever the database changes: what was asked before may be old news by then.
    generation: Cell<u64>,
    threads: IndexThreads,
}

impl ShardIndex {
    /// The index over a recovered database. `cache_bytes` bounds the cached entries.
    pub fn new(
        threads: IndexThreads,
        buckets: Vec<(BucketId, BucketState)>,
        totals: Totals,
        cache_bytes: usize,
    ) -> Self {
        Self {
            recent: RefCell::default(),
            cache: EntryCache::new(cache_bytes),
            buckets: RefCell::new(buckets.into_iter().collect()),
            noted: RefCell::default(),
            totals: Cell::new(totals),
            generation: Cell::new(0),
            threads,
        }
    }

    /// The threads, for what asks the database itself.
    pub fn threads(&self) -> &IndexThreads {
        &self.threads
    }

    /// What is known of a key's null version without asking the database; `None`: it has to be asked.
    pub fn known(&self, bucket: BucketId, key: &[u8]) -> Option<Option<Arc<ObjectEntry>>> {
        let recent = self.recent.borrow();
        recent.with_key(bucket, key, |index_key| self.known_in(&recent, index_key))
    }

    fn known_in(&self, recent: &Recent, index_key: &[u8]) -> Option<Option<Arc<ObjectEntry>>> {
        if let Some(entry) = self.cache.entry(index_key) {
            return Some(Some(entry));
        }
        match recent.latest(index_key)? {
            Latest::Object(entry) => Some(Some(Arc::clone(entry))),
            Latest::Tombstone(_) => Some(None),
        }
    }

    /// The null version of a key. When this returns, and until the next await, it is the truth.
    pub async fn lookup(&self, bucket: BucketId, key: &[u8]) -> Result<Option<Arc<ObjectEntry>>, StoreError> {
        match self.known(bucket, key) {
            Some(known) => Ok(known),
            None => self.lookup_row(object_key(bucket, key)).await,
        }
    }

    /// What a row holds. When this returns, and until the next await, it is the truth.
    pub async fn lookup_row(&self, index_key: IndexKey) -> Result<Option<Arc<ObjectEntry>>, StoreError> {
        loop {
            let known = self.known_in(&self.recent.borrow(), &index_key);
            if let Some(known) = known {
                return Ok(known);
            }
            let generation = self.generation.get();
            let found = self.threads.lookup(Arc::clone(&index_key)).await?;
            // Meanwhile the row may have changed, and that change may even have been merged: then it is asked again.
            let known = self.known_in(&self.recent.borrow(), &index_key);
            if let Some(known) = known {
                return Ok(known);
            }
            if self.generation.get() == generation {
                return Ok(match found {
                    Some(Latest::Object(entry)) => {
                        self.cache.insert(index_key, Arc::clone(&entry));
                        Some(entry)
                    }
                    _ => None,
                });
            }
        }
    }

    /// The newest numbered version of a key, as long as `is_current` says that nothing has changed.
    pub async fn newest_numbered(
        &self,
        bucket: BucketId,
        key: &[u8],
        is_current: impl Fn() -> bool,
    ) -> Result<Option<Arc<ObjectEntry>>, StoreError> {
        let name: IndexKey = name_prefix(bucket, NUMBERED_ROWS, key).into();
        loop {
            if let Some(entry) = self.cache.entry(&name) {
                return Ok(Some(entry));
            }
            let generation = self.generation.get();
            let found = self.first_rows(&name, None, ONE_WHOLE).await?;
            if self.generation.get() == generation || !is_current() {
                let newest = found.into_iter().next().map(|(_, entry)| entry);
                if let Some(entry) = newest.as_ref().filter(|_| is_current()) {
                    self.cache.insert(Arc::clone(&name), Arc::clone(entry));
                }
                return Ok(newest);
            }
        }
    }

    /// The first rows whose index keys begin with `prefix` and are greater than `after`, with what they hold.
    pub async fn first_rows(
        &self,
        prefix: &[u8],
        after: Option<IndexKey>,
        wanted: Wanted,
    ) -> Result<Vec<(IndexKey, Arc<ObjectEntry>)>, StoreError> {
        let overlays = self.recent.borrow().overlays();
        let prefix = prefix.to_vec();
        self.threads
            .read(move |database| database.first_rows(&prefix, after.as_deref(), wanted, &overlays))
            .await
    }

    /// A page of a bucket.
    pub async fn page(&self, bucket: BucketId, query: &ListQuery) -> Result<ListPage, StoreError> {
        let mut tries = DETAILED_PAGE_TRIES;
        loop {
            let generation = self.generation.get();
            let overlays = self.recent.borrow().overlays();
            let asked = query.clone();
            let (mut page, rows) = self
                .threads
                .read(move |database| database.page_and_rows(bucket, &asked, &overlays))
                .await?;
            // An access that was merged meanwhile may be in neither of the two places by now.
            if query.details && self.generation.get() != generation && tries > 0 {
                tries -= 1;
                continue;
            }
            add_recent_accesses(bucket, &mut page, &rows, &self.recent.borrow());
            return Ok(page);
        }
    }

    /// The next merged objects in key order after `after`, a few at a time; none at the end.
    pub async fn scan(&self, after: Option<IndexKey>) -> Result<Vec<(IndexKey, Arc<ObjectEntry>)>, StoreError> {
        self.threads
            .read(move |database| database.scan(after.as_deref(), SCAN_ENTRIES))
            .await
    }

    /// Which of these records the index points to.
    pub async fn current(&self, records: Vec<(IndexKey, u64, Home)>) -> Result<Vec<bool>, StoreError> {
        let overlays = self.recent.borrow().overlays();
        self.threads
            .read(move |database| database.current(&records, &overlays))
            .await
    }

    /// Makes a durable change visible. Returns where what it replaced lies, if that is known already; what is not known
    /// is found when the change is merged.
    pub fn publish(&self, index_key: IndexKey, latest: Latest) -> Option<Placement> {
        let replaced = self.known_in(&self.recent.borrow(), &index_key).flatten();
        self.publish_newest(&index_key, &latest);
        match &latest {
            Latest::Object(entry) => self.cache.insert(Arc::clone(&index_key), Arc::clone(entry)),
            Latest::Tombstone(_) => self.cache.remove(&index_key),
        }
        self.recent.borrow_mut().insert(index_key, latest);
        replaced.map(|entry| entry.placement)
    }

    /// Keeps the newest numbered version of a key true, where it is cached.
    fn publish_newest(&self, index_key: &[u8], latest: &Latest) {
        let Some(name) = newest_key(index_key) else {
            return;
        };
        match (latest, self.cache.entry(name)) {
            (Latest::Object(entry), Some(cached)) if entry.meta.version_number >= cached.meta.version_number => {
                self.cache.insert(name.into(), Arc::clone(entry));
            }
            // One that is new is the newest there is.
            (Latest::Object(entry), None) if entry.meta.version_number == entry.sequence => {
                self.cache.insert(name.into(), Arc::clone(entry));
            }
            (Latest::Object(_), _) => {}
            (Latest::Tombstone(_), _) => self.cache.remove(name),
        }
    }

    /// The parts of an upload are to be forgotten with the next merge.
    pub fn forget_parts(&self, bucket: BucketId, upload: UploadId) {
        self.recent.borrow_mut().insert_dead_upload(bucket, upload);
    }

    /// Makes a bucket's durable state known.
    pub fn publish_bucket(&self, bucket: BucketId, state: BucketState) {
        self.recent.borrow_mut().insert_bucket(bucket, state.clone());
        self.buckets.borrow_mut().insert(bucket, state);
    }

    /// A bucket's state.
    pub fn bucket(&self, bucket: BucketId) -> Option<BucketState> {
        self.buckets.borrow().get(&bucket).cloned()
    }

    /// A bucket's name, or its number where no name is known.
    pub fn bucket_name(&self, bucket: BucketId) -> String {
        match self.buckets.borrow().get(&bucket) {
            Some(state) if !state.name.is_empty() => state.name.clone(),
            _ => format!("number {}", bucket.0),
        }
    }

    /// Whether a bucket's name is known, or was asked for before.
    pub fn is_noted(&self, bucket: BucketId) -> bool {
        let known = self
            .buckets
            .borrow()
            .get(&bucket)
            .is_some_and(|state| !state.name.is_empty());
        known || !self.noted.borrow_mut().insert(bucket)
    }

    /// Whether a bucket takes no writes.
    pub fn is_fenced(&self, bucket: BucketId) -> bool {
        self.buckets.borrow().get(&bucket).is_some_and(|state| state.fenced)
    }

    /// Objects and their bytes, as of the last merge.
    pub fn totals(&self) -> Totals {
        self.totals.get()
    }

    /// What is not merged yet.
    pub fn recent(&self) -> std::cell::Ref<'_, Recent> {
        self.recent.borrow()
    }
}
