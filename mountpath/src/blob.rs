//! Blob files: one large payload each, written O_DIRECT with several buffers in flight, named by a number that is
//! never used again.

use crate::{
    buffer::PooledBuffer,
    completion::{Receiver, completion},
    error::StoreError,
    io::{File, OpenMode, ReadBuffer, remove, spawn, sync_directory},
    layout::ShardPaths,
    limits::{BLOB_ALLOCATION_BYTES_MIN, BLOB_WRITES_IN_FLIGHT_MAX, DIRECT_ALIGNMENT},
};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
};

/// A committed blob. The file is removed when its object was replaced and the last holder lets go.
#[derive(Debug)]
pub struct Blob {
    id: u64,
    paths: Rc<ShardPaths>,
    file: RefCell<Option<Rc<File>>>,
    doomed: Cell<bool>,
}

impl Blob {
    /// The blob of this number.
    pub fn new(paths: Rc<ShardPaths>, id: u64) -> Rc<Self> {
        Rc::new(Self {
            id,
            paths,
            file: RefCell::new(None),
            doomed: Cell::new(false),
        })
    }

    /// The blob's number.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Removes the file once nobody holds the blob any more.
    pub fn doom(&self) {
        self.doomed.set(true);
    }

    /// Closes the file until the next read.
    pub fn close(&self) {
        self.file.borrow_mut().take();
    }

    /// Whether the file is open.
    pub fn is_open(&self) -> bool {
        self.file.borrow().is_some()
    }

    /// Reads payload bytes, opening the file if it is not open.
    pub async fn read(&self, position: u64, length: usize) -> Result<ReadBuffer, StoreError> {
        let open = self.file.borrow().clone();
        let file = match open {
            Some(file) => file,
            None => {
                let file = Rc::new(File::open(self.paths.medium(), &self.paths.blob(self.id), OpenMode::Read).await?);
                *self.file.borrow_mut() = Some(Rc::clone(&file));
                file
            }
        };
        Ok(file.read_at(position, length).await?)
    }
}

impl Drop for Blob {
    fn drop(&mut self) {
        if self.doomed.get() {
            remove_later(&self.paths, self.id);
        }
    }
}

fn remove_later(paths: &Rc<ShardPaths>, id: u64) {
    let paths = Rc::clone(paths);
    spawn(async move {
        if let Err(error) = remove(paths.medium(), &paths.blob(id)).await {
            tracing::warn!(blob = id, %error, "a blob file could not be removed; the next start sweeps it");
        }
    });
}

/// Writes a blob. Dropped before `finish`, it leaves nothing behind.
pub struct BlobWriter {
    id: u64,
    paths: Rc<ShardPaths>,
    file: Rc<File>,
    size: u64,
    allocated: u64,
    position: u64,
    in_flight: VecDeque<Receiver<Result<(), StoreError>>>,
    kept: bool,
}

impl BlobWriter {
    /// Creates the file of a blob that will have `size` bytes.
    pub async fn create(paths: Rc<ShardPaths>, id: u64, size: u64) -> Result<Self, StoreError> {
        let file = Rc::new(File::open(paths.medium(), &paths.blob(id), OpenMode::CreateNew).await?);
        let size = size.next_multiple_of(DIRECT_ALIGNMENT as u64);
        Ok(Self {
            id,
            paths,
            file,
            size,
            allocated: 0,
            position: 0,
            in_flight: VecDeque::new(),
            kept: false,
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
            self.allocated = (2 * needed + BLOB_ALLOCATION_BYTES_MIN).min(self.size.max(needed));
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

    /// Waits for all writes and makes file and name durable; the record that names the blob may be appended then.
    pub async fn finish(mut self, sync: bool) -> Result<Rc<Blob>, StoreError> {
        while !self.in_flight.is_empty() {
            self.settle_one().await?;
        }
        if sync {
            self.file.fdatasync().await?;
            sync_directory(self.paths.medium(), &self.paths.blob_directory(self.id)).await?;
        }
        self.kept = true;
        // The file is closed here: only files that readers open are counted and bounded.
        Ok(Blob::new(Rc::clone(&self.paths), self.id))
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        if !self.kept {
            remove_later(&self.paths, self.id);
        }
    }
}
