//! The read cache of a core: verified blocks of payload in memory, bounded in bytes.

use crate::limits::CACHE_COPY_BYTES_MAX;
use mountpath::io::ReadBuffer;
use quick_cache::{Weighter, unsync::Cache};
use std::{
    cell::{Cell, RefCell},
    ops::Deref,
    rc::Rc,
};

/// A block of an object's version: sequences are never used twice within a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlockKey {
    /// The shard's index on this core.
    pub shard: u16,
    /// The record's sequence.
    pub sequence: u64,
    /// The block's number.
    pub block: u64,
}

/// Verified bytes; clones share them.
#[derive(Debug, Clone)]
pub enum Block {
    /// A small payload, exactly its bytes.
    Small(Rc<[u8]>),
    /// A block in the buffer it was read into.
    Read(ReadBuffer),
}

impl Block {
    /// Keeps small payloads as plain memory: a 100-byte object must not hold 4 KiB.
    pub fn new(bytes: ReadBuffer) -> Self {
        if bytes.len() <= CACHE_COPY_BYTES_MAX {
            Self::Small(Rc::from(&*bytes))
        } else {
            Self::Read(bytes)
        }
    }
}

impl Deref for Block {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Self::Small(bytes) => bytes,
            Self::Read(bytes) => bytes,
        }
    }
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<BlockKey, Block> for ByBytes {
    fn weight(&self, _: &BlockKey, block: &Block) -> u64 {
        /// Key, list links and allocation headers of an entry.
        const ENTRY_BYTES: u64 = 128;
        block.len() as u64 + ENTRY_BYTES
    }
}

/// Blocks by key.
pub struct BlockCache {
    blocks: RefCell<Cache<BlockKey, Block, ByBytes>>,
    hits: Cell<u64>,
    misses: Cell<u64>,
}

impl BlockCache {
    /// A cache of at most `bytes`.
    pub fn new(bytes: usize) -> Self {
        const TYPICAL_ENTRY_BYTES: usize = 16 * 1024;
        let blocks = Cache::with_weighter(bytes / TYPICAL_ENTRY_BYTES, bytes as u64, ByBytes);
        Self {
            blocks: RefCell::new(blocks),
            hits: Cell::new(0),
            misses: Cell::new(0),
        }
    }

    /// The block, if it is here.
    pub fn block(&self, key: BlockKey) -> Option<Block> {
        let found = self.blocks.borrow_mut().get(&key).cloned();
        let counter = if found.is_some() { &self.hits } else { &self.misses };
        counter.set(counter.get() + 1);
        found
    }

    /// Keeps a verified block.
    pub fn insert(&self, key: BlockKey, block: Block) {
        self.blocks.borrow_mut().insert(key, block);
    }

    /// Blocks that were found.
    pub fn hits(&self) -> u64 {
        self.hits.get()
    }

    /// Blocks that were looked for in vain.
    pub fn misses(&self) -> u64 {
        self.misses.get()
    }

    /// Bytes held.
    pub fn used_bytes(&self) -> u64 {
        self.blocks.borrow().weight()
    }

    /// Most bytes held.
    pub fn limit_bytes(&self) -> u64 {
        self.blocks.borrow().capacity()
    }
}
