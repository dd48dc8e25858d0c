//! Reading: objects looked up, held open and read block by block; pages of a bucket.

use crate::{
    error::StoreError,
    files::{held::HeldFile, uploads::HeldUpload},
    index::entry::ObjectEntry,
    io::ReadBuffer,
    record::Placement,
    shard_store::ShardStore,
};
use proto::{
    digest::hasher::block_checksum,
    limits::BLOCK_BYTES,
    s3::{
        bucket::BucketId,
        listing::{ListPage, ListQuery},
    },
};
use std::{rc::Rc, sync::Arc};

/// An object to be read: what it reads from stays on disk while this lives.
#[derive(Debug, Clone)]
pub struct OpenObject {
    /// The object.
    pub entry: Arc<ObjectEntry>,
    source: Source,
}

/// What holds a payload.
#[derive(Debug, Clone)]
enum Source {
    File(Rc<HeldFile>),
    /// Rows of their own, to be opened one by one; held so that they stay.
    Parts(#[allow(dead_code)] Rc<HeldUpload>),
    Nothing,
}

impl ShardStore {
    /// The null version of a key. When this returns, and until the next await, it is the truth.
    pub async fn lookup(&self, bucket: BucketId, key: &[u8]) -> Result<Option<Arc<ObjectEntry>>, StoreError> {
        self.check_available()?;
        let found = self.index.lookup(bucket, key).await;
        found.map_err(|error| self.judge(error))
    }

    /// Opens the null version of a key, to be read.
    pub async fn open_object(&self, bucket: BucketId, key: &[u8]) -> Result<Option<OpenObject>, StoreError> {
        let found = self.lookup(bucket, key).await?;
        found.map(|entry| self.open_entry(bucket, entry)).transpose()
    }

    /// Opens what a row of the bucket holds, to be read; before anything is awaited since it was found. An object made of
    /// parts holds their rows; each is read by itself.
    pub fn open_entry(&self, bucket: BucketId, entry: Arc<ObjectEntry>) -> Result<OpenObject, StoreError> {
        let source = match entry.placement {
            Placement::Blob { blob } => Source::File(self.blobs.file(blob)),
            Placement::Inline { .. } => {
                let segment = entry.home.segment;
                let missing = || StoreError::Damaged(format!("segment {segment:016x} is missing"));
                Source::File(self.segments.file(segment).ok_or_else(missing)?)
            }
            Placement::Parts { upload } => Source::Parts(self.uploads.hold(bucket, upload)),
            Placement::Marker | Placement::Upload { .. } => Source::Nothing,
        };
        Ok(OpenObject { entry, source })
    }

    /// Reads a block of an object's payload and verifies it against its checksum if `verify`.
    pub async fn read_block(&self, object: &OpenObject, block: u64, verify: bool) -> Result<ReadBuffer, StoreError> {
        let damaged = |reason: &str| StoreError::Damaged(format!("block {block}: {reason}"));
        let meta = &object.entry.meta;
        let start = block
            .checked_mul(BLOCK_BYTES as u64)
            .ok_or_else(|| damaged("no such block"))?;
        let left = meta.size.checked_sub(start).ok_or_else(|| damaged("no such block"))?;
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(BLOCK_BYTES);
        let payload = match object.entry.placement {
            Placement::Inline { batch_offset } => object.entry.home.batch + u64::from(batch_offset),
            _ => 0,
        };
        let Source::File(file) = &object.source else {
            return Err(damaged("it is not in a file"));
        };
        let bytes = match file.read(payload + start, length).await {
            Ok(bytes) => bytes,
            Err(error) => return Err(self.explain(error).await),
        };
        if bytes.len() != length {
            return Err(damaged("the file is shorter than the object"));
        }
        if verify {
            let index = usize::try_from(block).map_err(|_| damaged("no such block"))?;
            let expected = meta.block_checksums.get(index).ok_or_else(|| damaged("no checksum"))?;
            if block_checksum(&bytes) != *expected {
                return Err(damaged("the checksum does not match"));
            }
        }
        Ok(bytes)
    }

    /// A sorted page of a bucket.
    pub async fn page(&self, bucket: BucketId, query: &ListQuery) -> Result<ListPage, StoreError> {
        self.check_available()?;
        let page = self.index.page(bucket, query).await;
        page.map_err(|error| self.judge(error))
    }

    /// Notes that a version of a key was read, milliseconds since the epoch; not while too many reads wait to be written down.
    pub fn touch(&self, bucket: BucketId, key: &[u8], entry: &ObjectEntry, unix_ms: u64) {
        self.index.touch(bucket, key, entry, unix_ms);
    }

    /// The same, and if too many wait, it waits as well.
    pub async fn touch_surely(
        &self,
        bucket: BucketId,
        key: &[u8],
        entry: &ObjectEntry,
        unix_ms: u64,
    ) -> Result<(), StoreError> {
        while !self.index.touch(bucket, key, entry, unix_ms) {
            self.merge().await?;
        }
        Ok(())
    }

    /// When a version of a key was written or last read, whichever is later, in milliseconds since the epoch.
    pub async fn accessed(&self, bucket: BucketId, key: &[u8], entry: &ObjectEntry) -> Result<u64, StoreError> {
        self.check_available()?;
        let accessed = self.index.accessed(bucket, key, entry).await;
        let accessed = accessed.map_err(|error| self.judge(error))?;
        Ok(accessed.unwrap_or(0).max(entry.meta.modified_unix_ms))
    }

    /// A file that is missing may be missing with the whole disk.
    async fn explain(&self, error: StoreError) -> StoreError {
        if matches!(error, StoreError::Damaged(_)) {
            self.check_mountpath().await;
        }
        self.unavailable().unwrap_or(error)
    }
}
