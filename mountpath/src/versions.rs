//! Versions of a key: finding one, and changing a key only as long as what was decided on is still true.

use crate::{
    error::StoreError,
    index::{
        entry::ObjectEntry,
        row::{Row, object_key},
    },
    log::watch::Watch,
    record::{ObjectMeta, Placement},
    shard_store::{Change, KeptPayload, Outcome, ShardStore},
};
use proto::{
    limits::BLOCK_BYTES,
    s3::{
        bucket::BucketId,
        version::{VersionId, Versioning},
    },
};
use std::{rc::Rc, sync::Arc};

impl ShardStore {
    /// A version of a key; without an id the newest. It may be a delete marker. When this returns, and until the next
    /// await, it is the truth.
    pub async fn find(
        &self,
        bucket: BucketId,
        key: &[u8],
        versioning: Versioning,
        version: Option<VersionId>,
    ) -> Result<Option<Arc<ObjectEntry>>, StoreError> {
        match version {
            None if versioning.is_versioned() => self.newest(bucket, key).await,
            None | Some(VersionId::Null) => self.lookup(bucket, key).await,
            Some(version) => {
                self.check_available()?;
                let row = Row::of_version(key, version).index_key(bucket);
                let found = self.index.lookup_row(row).await;
                found.map_err(|error| self.judge(error))
            }
        }
    }

    async fn newest(&self, bucket: BucketId, key: &[u8]) -> Result<Option<Arc<ObjectEntry>>, StoreError> {
        loop {
            let watch = self.watch_key(bucket, key);
            let numbered = self.index.newest_numbered(bucket, key, || !watch.has_changed()).await;
            let numbered = numbered.map_err(|error| self.judge(error))?;
            let null = self.lookup(bucket, key).await?;
            if watch.has_changed() {
                continue;
            }
            let number = |entry: &Option<Arc<ObjectEntry>>| entry.as_ref().map(|entry| entry.meta.version_number);
            return Ok(if number(&null) > number(&numbered) {
                null
            } else {
                numbered
            });
        }
    }

    /// Changes a key if `allows` says so of the version it is `about` (`None`: the newest). It is asked again whenever the
    /// key has changed since; the answer that counts is about what the key holds when the change is made.
    pub async fn change_if<E>(
        &self,
        bucket: BucketId,
        key: Vec<u8>,
        versioning: Versioning,
        about: Option<VersionId>,
        mut change: Change,
        mut allows: impl FnMut(Option<&ObjectEntry>) -> Result<(), E>,
    ) -> Result<Result<Outcome, E>, StoreError> {
        loop {
            let watch = self.watch_key(bucket, &key);
            let found = self.find(bucket, &key, versioning, about).await?;
            if let Err(refused) = allows(found.as_deref()) {
                return Ok(Err(refused));
            }
            match self.change_watching(bucket, key.clone(), change, vec![watch]).await? {
                Outcome::Stale(returned) => change = returned,
                outcome => return Ok(Ok(outcome)),
            }
        }
    }

    /// Gives a version other metadata. Its payload, its time and its place among the versions stay.
    pub async fn edit<E>(
        &self,
        bucket: BucketId,
        key: Vec<u8>,
        versioning: Versioning,
        version: Option<VersionId>,
        mut edit: impl FnMut(Option<&ObjectEntry>) -> Result<ObjectMeta, E>,
    ) -> Result<Result<Option<Arc<ObjectEntry>>, E>, StoreError> {
        loop {
            let watch = self.watch_key(bucket, &key);
            let Some(entry) = self.find(bucket, &key, versioning, version).await? else {
                return Ok(edit(None).map(|_| None));
            };
            let mut meta = match edit(Some(&entry)) {
                Ok(meta) => meta,
                Err(refused) => return Ok(Err(refused)),
            };
            meta.modified_unix_ms = entry.meta.modified_unix_ms;
            meta.version_number = entry.meta.version_number;
            let payload = match entry.placement {
                Placement::Inline { .. } => KeptPayload::Copied(self.read_whole(bucket, &entry).await?),
                elsewhere => KeptPayload::InPlace(elsewhere),
            };
            let change = Change::Edit(entry.version, Box::new(meta), payload);
            match self.change_watching(bucket, key.clone(), change, vec![watch]).await? {
                Outcome::Stale(_) => {}
                Outcome::Put(entry) => return Ok(Ok(Some(entry))),
                _ => return Err(StoreError::ReadOnly),
            }
        }
    }

    /// A small payload.
    async fn read_whole(&self, bucket: BucketId, entry: &Arc<ObjectEntry>) -> Result<Vec<u8>, StoreError> {
        let open = self.open_entry(bucket, Arc::clone(entry))?;
        let mut bytes = Vec::new();
        for block in 0..entry.meta.size.div_ceil(BLOCK_BYTES as u64) {
            bytes.extend_from_slice(&self.read_block(&open, block, true).await?);
        }
        Ok(bytes)
    }

    /// Watches everything of a key.
    pub(crate) fn watch_key(&self, bucket: BucketId, key: &[u8]) -> Watch {
        Rc::clone(self.log.watches()).watch(object_key(bucket, key))
    }

    /// Makes a change, unless something watched has changed.
    pub(crate) async fn change_watching(
        &self,
        bucket: BucketId,
        key: Vec<u8>,
        change: Change,
        watches: Vec<Watch>,
    ) -> Result<Outcome, StoreError> {
        self.check_available()?;
        let submitted = self.log.submit_watching(bucket, key, change, watches);
        submitted.wait().await.unwrap_or(Err(StoreError::ReadOnly))
    }
}
