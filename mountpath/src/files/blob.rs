//! Blob files: one large payload each, written O_DIRECT with several buffers in flight, named by a number that is
//! never used again.

use crate::{
    buffer::PooledBuffer,
    completion::{Receiver, completion},
    error::StoreError,
    files::held::{HeldFile, OpenFiles, remove_later},
    io::{File, OpenMode, spawn, sync_directory},
    layout::ShardPaths,
    limits::{BLOB_ALLOCATION_BYTES_MIN, BLOB_WRITES_IN_FLIGHT_MAX, DIRECT_ALIGNMENT, OPEN_BLOBS_MAX},
};
use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    rc::{Rc, Weak},
};

/// The blobs of a shard that somebody reads.
pub struct Blobs {
    paths: Rc<ShardPaths>,
    open: Rc<OpenFiles>,
    held: RefCell<HashMap<u64, Weak<HeldFile>>>,
    forget_at: Cell<usize>,
}

/// Held blobs of which those that are gone are not looked for.
const HELD_UNCHECKED: usize = 1024;

impl Blobs {
    /// Nobody reads any yet.
    pub fn new(paths: Rc<ShardPaths>) -> Self {
        Self {
            paths,
            open: OpenFiles::new(OPEN_BLOBS_MAX),
            held: RefCell::default(),
            forget_at: Cell::new(HELD_UNCHECKED),
        }
    }

    /// A blob's file, to be held while it is read.
    pub fn file(&self, blob: u64) -> Rc<HeldFile> {
        let mut held = self.held.borrow_mut();
        if let Some(file) = held.get(&blob).and_then(Weak::upgrade) {
            return file;
        }
        if held.len() >= self.forget_at.get() {
            held.retain(|_, file| file.strong_count() > 0);
            self.forget_at.set(2 * held.len().max(HELD_UNCHECKED));
        }
        let medium = self.paths.medium().clone();
        let file = HeldFile::new(self.paths.blob(blob), medium, Rc::clone(&self.open));
        held.insert(blob, Rc::downgrade(&file));
        file
    }

    /// Removes a blob that no object names any more, when its last reader is done.
    pub fn give_up(&self, blob: u64) {
        match self.held.borrow().get(&blob).and_then(Weak::upgrade) {
            Some(file) => file.give_up(),
            None => remove_later(self.paths.medium().clone(), self.paths.blob(blob)),
        }
    }
}

/// A blob that is complete and durable and that no record names yet. Dropped without `keep`, it is removed.
#[derive(Debug)]
pub struct NewBlob {
    id: u64,
    size: u64,
    paths: Rc<ShardPaths>,
    kept: bool,
}

impl NewBlob {
    /// Its number.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// A record names it, or may do so after a failed sync: the file stays.
    pub fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for NewBlob {
    fn drop(&mut self) {
        if !self.kept {
            remove_later(self.paths.medium().clone(), self.paths.blob(self.id));
        }
    }
}

/// Writes a blob. Dropped before `finish`, it leaves nothing behind.
pub struct BlobWriter {
    blob: NewBlob,
    file: Rc<File>,
    allocated: u64,
    position: u64,
    in_flight: VecDeque<Receiver<Result<(), StoreError>>>,
}

impl BlobWriter {
    /// Creates the file of a blob that will have `size` bytes.
    pub async fn create(paths: Rc<ShardPaths>, id: u64, size: u64) -> Result<Self, StoreError> {
        let file = Rc::new(File::open(paths.medium(), &paths.blob(id), OpenMode::CreateNew).await?);
        let size = size.next_multiple_of(DIRECT_ALIGNMENT as u64);
        let blob = NewBlob {
            id,
            size,
            paths,
            kept: false,
        };
        Ok(Self {
            blob,
            file,
            allocated: 0,
            position: 0,
            in_flight: VecDeque::new(),
        })
    }

    /// Writes the first `length` bytes of a buffer after what was written before; only the last buffer may hold a
    /// length that is no multiple of the alignment. Returns when another buffer may be brought, not when this one is
    /// on disk.
    pub async fn write(&mut self, mut buffer: PooledBuffer, length: usize) -> Result<(), StoreError> {
        while self.in_flight.len() >= BLOB_WRITES_IN_FLIGHT_MAX {
            self.settle_one().await?;
        }
        let padded = length.next_multiple_of(DIRECT_ALIGNMENT);
        self.reserve(self.position + padded as u64).await?;
        if let Some(padding) = buffer.bytes_mut().get_mut(length..padded) {
            padding.fill(0);
        }
        buffer.truncate(padded);
        let Some(shared) = buffer.share() else {
            return Err(StoreError::Io("the buffer is gone".into()));
        };
        let (giver, receiver) = completion();
        let file = Rc::clone(&self.file);
        let position = self.position;
        self.position += length as u64;
        spawn(async move {
            let result = file.write_at(shared, position).await.map_err(StoreError::from);
            drop(buffer);
            giver.give(result);
        });
        self.in_flight.push_back(receiver);
        Ok(())
    }

    /// Reserves space ahead of the writes, twice what has come: a declared size alone reserves nothing, or a few
    /// stalled clients could fill the disk.
    async fn reserve(&mut self, needed: u64) -> Result<(), StoreError> {
        if needed > self.allocated {
            self.allocated = (2 * needed + BLOB_ALLOCATION_BYTES_MIN).min(self.blob.size.max(needed));
            self.file.allocate(self.allocated).await?;
        }
        Ok(())
    }

    async fn settle_one(&mut self) -> Result<(), StoreError> {
        match self.in_flight.pop_front() {
            Some(receiver) => receiver.wait().await.unwrap_or(Err(StoreError::ReadOnly)),
            None => Ok(()),
        }
    }

    /// Waits for all writes and makes file and name durable if `sync`; the record that names the blob may be appended
    /// then.
    pub async fn finish(mut self, sync: bool) -> Result<NewBlob, StoreError> {
        while !self.in_flight.is_empty() {
            self.settle_one().await?;
        }
        if sync {
            self.file.fdatasync().await?;
            let paths = &self.blob.paths;
            sync_directory(paths.medium(), &paths.blob_directory(self.blob.id)).await?;
        }
        // The file is closed here: only files that readers open are counted and bounded.
        Ok(self.blob)
    }
}
