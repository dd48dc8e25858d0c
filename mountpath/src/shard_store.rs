//! One shard: what a core asks of the storage engine.

use crate::{
    blob::{Blob, BlobWriter},
    commit::{Appender, Pending},
    completion::{Receiver, completion},
    error::StoreError,
    index::{Index, ObjectEntry, Payload},
    io::{File, ReadBuffer, spawn},
    layout::ShardPaths,
    limits::OPEN_BLOBS_MAX,
    recovery::recover,
};
pub use crate::{
    commit::{Change, NewPayload, Outcome},
    recovery::RecoveryReport,
};
use proto::{
    digest::hasher::block_checksum,
    limits::BLOCK_BYTES,
    s3::{
        bucket::BucketId,
        listing::{ListPage, ListQuery},
    },
};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::{Rc, Weak},
};

/// A shard, open for service on one core.
pub struct ShardStore {
    uuid: [u8; 16],
    appender: Rc<Appender>,
    appending: Rc<Cell<bool>>,
    open_blobs: RefCell<VecDeque<Weak<Blob>>>,
}

impl ShardStore {
    /// Recovers the shard and opens it. `sync`: a change is durable before it is acknowledged.
    pub async fn open(paths: ShardPaths, uuid: [u8; 16], sync: bool) -> Result<(Self, RecoveryReport), StoreError> {
        let paths = Rc::new(paths);
        File::probe_device(paths.medium(), &paths.marker()).await?;
        let (index, tail, report) = recover(&paths, uuid).await?;
        let appender = Appender {
            shard: uuid,
            paths,
            index: Rc::new(RefCell::new(index)),
            queue: RefCell::default(),
            tail: RefCell::new(tail),
            sync,
            failed: Cell::new(false),
            sync_count: Cell::new(0),
        };
        let store = Self {
            uuid,
            appender: Rc::new(appender),
            appending: Rc::new(Cell::new(false)),
            open_blobs: RefCell::default(),
        };
        Ok((store, report))
    }

    /// The shard's identity.
    pub fn uuid(&self) -> [u8; 16] {
        self.uuid
    }

    /// The object a key holds.
    pub fn object(&self, bucket: BucketId, key: &[u8]) -> Option<Rc<ObjectEntry>> {
        self.index().borrow().object(bucket, key).cloned()
    }

    /// Objects the shard holds.
    pub fn object_count(&self) -> usize {
        self.index().borrow().len()
    }

    /// Whether a bucket takes no writes.
    pub fn is_fenced(&self, bucket: BucketId) -> bool {
        self.index().borrow().is_fenced(bucket)
    }

    /// Whether writes were stopped by a failed sync.
    pub fn is_read_only(&self) -> bool {
        self.appender.failed.get()
    }

    /// fdatasync calls of the log so far.
    pub fn sync_count(&self) -> u64 {
        self.appender.sync_count.get()
    }

    /// A sorted page of a bucket.
    pub fn page(&self, bucket: BucketId, query: &ListQuery) -> ListPage {
        self.index().borrow().page(bucket, query)
    }

    /// Begins a blob of `size` bytes.
    pub async fn create_blob(&self, size: u64) -> Result<BlobWriter, StoreError> {
        if self.is_read_only() {
            return Err(StoreError::ReadOnly);
        }
        let id = {
            let mut tail = self.appender.tail.borrow_mut();
            let id = tail.next_record;
            tail.next_record += 1;
            id
        };
        BlobWriter::create(Rc::clone(&self.appender.paths), id, size).await
    }

    /// Makes a blob's bytes durable, as the record that names it will be.
    pub async fn finish_blob(&self, writer: BlobWriter) -> Result<Rc<Blob>, StoreError> {
        writer.finish(self.appender.sync).await
    }

    /// Changes a key. The future may be dropped: the change then still happens or not, as a whole.
    pub async fn change(&self, bucket: BucketId, key: Vec<u8>, change: Change) -> Result<Outcome, StoreError> {
        self.submit(bucket, key, change)
            .wait()
            .await
            .unwrap_or(Err(StoreError::ReadOnly))
    }

    /// Whether no change is under way: what the index says is all there is.
    pub fn is_settled(&self) -> bool {
        !self.appending.get()
    }

    /// Puts a change in line, to be committed with whatever else waits; the outcome comes through the receiver.
    pub fn submit(&self, bucket: BucketId, key: Vec<u8>, change: Change) -> Receiver<Result<Outcome, StoreError>> {
        let (giver, receiver) = completion();
        self.appender.queue.borrow_mut().push_back(Pending {
            bucket,
            key,
            change,
            giver,
        });
        if !self.appending.replace(true) {
            let (appender, appending) = (Rc::clone(&self.appender), Rc::clone(&self.appending));
            spawn(async move {
                appender.run().await;
                appending.set(false);
            });
        }
        receiver
    }

    /// Reads a block of an object's payload and verifies it against its checksum if `verify`.
    pub async fn read_block(&self, entry: &ObjectEntry, block: u64, verify: bool) -> Result<ReadBuffer, StoreError> {
        let damaged = |reason: &str| StoreError::Damaged(format!("block {block}: {reason}"));
        let start = block
            .checked_mul(BLOCK_BYTES as u64)
            .ok_or_else(|| damaged("no such block"))?;
        let left = entry
            .meta
            .size
            .checked_sub(start)
            .ok_or_else(|| damaged("no such block"))?;
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(BLOCK_BYTES);
        let bytes = match &entry.payload {
            Payload::Inline { segment, position } => segment.read(position + start, length).await?,
            Payload::Blob(blob) => {
                self.note_open(blob);
                blob.read(start, length).await?
            }
        };
        if bytes.len() != length {
            return Err(damaged("the file is shorter than the object"));
        }
        if verify {
            let index = usize::try_from(block).map_err(|_| damaged("no such block"))?;
            let expected = entry
                .meta
                .block_checksums
                .get(index)
                .ok_or_else(|| damaged("no checksum"))?;
            if block_checksum(&bytes) != *expected {
                return Err(damaged("the checksum does not match"));
            }
        }
        Ok(bytes)
    }

    /// Bounds the files kept open for readers: the one opened longest ago is closed.
    fn note_open(&self, blob: &Rc<Blob>) {
        if blob.is_open() {
            return;
        }
        let mut open = self.open_blobs.borrow_mut();
        open.push_back(Rc::downgrade(blob));
        if open.len() > OPEN_BLOBS_MAX
            && let Some(oldest) = open.pop_front().and_then(|oldest| oldest.upgrade())
        {
            oldest.close();
        }
    }

    fn index(&self) -> &Rc<RefCell<Index>> {
        &self.appender.index
    }
}
