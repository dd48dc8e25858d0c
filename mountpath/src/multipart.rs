//! Multipart uploads: an upload is a row, and so is every part. What is made of an upload names it, and copies nothing.

use crate::{
    error::StoreError,
    index::{
        entry::{IndexKey, ObjectEntry, split_index_key},
        page::Wanted,
        row::{Row, watched_parts, watched_upload},
    },
    log::watch::Watch,
    record::{Multipart, ObjectMeta},
    shard_store::{Change, NewPayload, Outcome, ShardStore},
};
use proto::{
    limits::PART_COUNT_MAX,
    s3::{
        bucket::BucketId,
        version::{UploadId, Versioning},
    },
};
use std::{rc::Rc, sync::Arc};

/// A part and its number.
pub type Part = (u16, Arc<ObjectEntry>);

impl ShardStore {
    /// Begins an upload to a key, with what its object will have.
    pub async fn create_upload(
        &self,
        bucket: BucketId,
        key: Vec<u8>,
        meta: ObjectMeta,
    ) -> Result<UploadId, StoreError> {
        match self.change(bucket, key, Change::BeginUpload(Box::new(meta))).await? {
            Outcome::Put(entry) => Ok(UploadId(entry.sequence)),
            _ => Err(StoreError::ReadOnly),
        }
    }

    /// An upload to a key, if it is still one.
    pub async fn upload(
        &self,
        bucket: BucketId,
        key: &[u8],
        upload: UploadId,
    ) -> Result<Option<Arc<ObjectEntry>>, StoreError> {
        self.row(Row::of_upload(key, upload).index_key(bucket)).await
    }

    /// Stores a part, in place of one that had its number; `None`: the upload is gone.
    pub async fn put_part(
        &self,
        bucket: BucketId,
        key: Vec<u8>,
        upload: UploadId,
        number: u16,
        meta: Box<ObjectMeta>,
        payload: NewPayload,
    ) -> Result<Option<Arc<ObjectEntry>>, StoreError> {
        let mut change = Change::PutPart(upload, number, meta, payload);
        loop {
            let watch = self.watch(watched_upload(bucket, upload));
            if self.upload(bucket, &key, upload).await?.is_none() {
                return Ok(None);
            }
            // What it replaces is brought into memory, so that its space comes back at once and not at the next merge.
            self.part(bucket, upload, number).await?;
            match self.change_watching(bucket, key.clone(), change, vec![watch]).await? {
                Outcome::Stale(returned) => change = returned,
                Outcome::Put(entry) => return Ok(Some(entry)),
                _ => return Err(StoreError::ReadOnly),
            }
        }
    }

    /// A part of an upload, or of the object that was made of it.
    pub async fn part(
        &self,
        bucket: BucketId,
        upload: UploadId,
        number: u16,
    ) -> Result<Option<Arc<ObjectEntry>>, StoreError> {
        self.row(Row::Part(upload, number).index_key(bucket)).await
    }

    /// The first parts with numbers above `after`, in order; to be listed, not to be read.
    pub async fn parts(
        &self,
        bucket: BucketId,
        upload: UploadId,
        after: u16,
        limit: usize,
    ) -> Result<Vec<Part>, StoreError> {
        self.check_available()?;
        let prefix = watched_parts(bucket, upload);
        let from = (after > 0).then(|| Row::Part(upload, after).index_key(bucket));
        let wanted = Wanted {
            limit,
            without_blocks: true,
        };
        let rows = self.index.first_rows(&prefix, from, wanted).await;
        let rows = rows.map_err(|error| self.judge(error))?;
        let numbered = rows.into_iter().filter_map(|(index_key, entry)| {
            match split_index_key(&index_key).and_then(|(_, row)| Row::decode(row)) {
                Some(Row::Part(_, number)) => Some((number, entry)),
                _ => None,
            }
        });
        Ok(numbered.collect())
    }

    /// Makes an object of an upload, in one step with the end of the upload. `decide` sees the upload, all its parts and
    /// the key's newest version, and gives the object's metadata with the parts chosen; the others go. It is asked again
    /// when one of them has changed since. `None`: the upload is gone.
    pub async fn complete_upload<E>(
        &self,
        bucket: BucketId,
        key: Vec<u8>,
        versioning: Versioning,
        upload: UploadId,
        mut decide: impl FnMut(&ObjectEntry, &[Part], Option<&ObjectEntry>) -> Result<ObjectMeta, E>,
    ) -> Result<Result<Option<Arc<ObjectEntry>>, E>, StoreError> {
        loop {
            let watches = vec![
                self.watch_key(bucket, &key),
                self.watch(watched_upload(bucket, upload)),
                self.watch(watched_parts(bucket, upload)),
            ];
            let Some(begun) = self.upload(bucket, &key, upload).await? else {
                return Ok(Ok(None));
            };
            let parts = self.parts(bucket, upload, 0, PART_COUNT_MAX).await?;
            let newest = self.find(bucket, &key, versioning, None).await?;
            let mut meta = match decide(&begun, &parts, newest.as_deref()) {
                Ok(meta) => meta,
                Err(refused) => return Ok(Err(refused)),
            };
            let multipart = meta.multipart.get_or_insert_default();
            multipart.upload = upload;
            let dropped = dropped(multipart, &parts);
            let change = Change::Complete(versioning.into(), Box::new(meta), dropped);
            match self.change_watching(bucket, key.clone(), change, watches).await? {
                Outcome::Stale(_) => {}
                Outcome::Put(entry) => return Ok(Ok(Some(entry))),
                _ => return Err(StoreError::ReadOnly),
            }
        }
    }

    /// Ends an upload, and its parts go; `false`: it was gone.
    pub async fn abort_upload(&self, bucket: BucketId, key: Vec<u8>, upload: UploadId) -> Result<bool, StoreError> {
        loop {
            let watch = self.watch(watched_upload(bucket, upload));
            if self.upload(bucket, &key, upload).await?.is_none() {
                return Ok(false);
            }
            let change = Change::AbortUpload(upload);
            match self.change_watching(bucket, key.clone(), change, vec![watch]).await? {
                Outcome::Stale(_) => {}
                _ => return Ok(true),
            }
        }
    }

    async fn row(&self, index_key: IndexKey) -> Result<Option<Arc<ObjectEntry>>, StoreError> {
        self.check_available()?;
        let found = self.index.lookup_row(index_key).await;
        found.map_err(|error| self.judge(error))
    }

    fn watch(&self, name: IndexKey) -> Watch {
        Rc::clone(self.log.watches()).watch(name)
    }
}

/// The parts that were not chosen; those that were are in the order of their numbers.
fn dropped(chosen: &Multipart, parts: &[Part]) -> Vec<u16> {
    let is_chosen = |number: u16| chosen.parts.binary_search_by_key(&number, |part| part.number).is_ok();
    let numbers = parts.iter().map(|(number, _)| *number);
    numbers.filter(|number| !is_chosen(*number)).collect()
}
