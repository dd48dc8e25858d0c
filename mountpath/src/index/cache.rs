//! Entries that were looked up or written lately, bounded in bytes. What is here is always the newest.

use super::entry::{IndexKey, ObjectEntry};
use crate::limits::TOUCH_RESOLUTION_MS;
use quick_cache::{Weighter, unsync::Cache};
use std::{
    cell::{Cell, RefCell},
    sync::Arc,
};

#[derive(Debug, Clone)]
struct Cached {
    entry: Arc<ObjectEntry>,
    touched_unix_ms: Cell<u64>,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<IndexKey, Cached> for ByBytes {
    fn weight(&self, key: &IndexKey, cached: &Cached) -> u64 {
        key.len() as u64 + cached.entry.memory_bytes() as u64
    }
}

/// Entries by key.
pub struct EntryCache(RefCell<Cache<IndexKey, Cached, ByBytes>>);

impl EntryCache {
    /// A cache of at most `bytes`.
    pub fn new(bytes: usize) -> Self {
        const TYPICAL_ENTRY_BYTES: usize = 512;
        let cache = Cache::with_weighter(bytes / TYPICAL_ENTRY_BYTES, bytes as u64, ByBytes);
        Self(RefCell::new(cache))
    }

    /// The entry of a key, if it is here.
    pub fn entry(&self, key: &[u8]) -> Option<Arc<ObjectEntry>> {
        self.0.borrow_mut().get(key).map(|cached| Arc::clone(&cached.entry))
    }

    /// Keeps an entry.
    pub fn insert(&self, key: IndexKey, entry: Arc<ObjectEntry>) {
        let cached = Cached {
            entry,
            touched_unix_ms: Cell::new(0),
        };
        self.0.borrow_mut().insert(key, cached);
    }

    /// Forgets a key.
    pub fn remove(&self, key: &[u8]) {
        self.0.borrow_mut().remove(key);
    }

    /// Lets the entry of a key, if it is still the same record, point to its new home.
    pub fn relocate(&self, key: &IndexKey, moved: &Arc<ObjectEntry>) {
        let same = self.entry(key).is_some_and(|entry| entry.sequence == moved.sequence);
        if same {
            self.insert(Arc::clone(key), Arc::clone(moved));
        }
    }

    /// Whether an access of the version with this number, kept under the key, is news; `None`: it is not here.
    pub fn touch(&self, key: &[u8], number: u64, unix_ms: u64) -> Option<bool> {
        let cache = self.0.borrow_mut();
        let cached = cache
            .get(key)
            .filter(|cached| cached.entry.meta.version_number == number)?;
        let before = cached.touched_unix_ms.replace(unix_ms);
        // The clock may jump back: any other time is news.
        Some(unix_ms / TOUCH_RESOLUTION_MS != before / TOUCH_RESOLUTION_MS)
    }
}
