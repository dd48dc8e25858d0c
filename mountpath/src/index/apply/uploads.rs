//! Uploads in a transaction of the index: which row keeps one, and the parts of those that none keeps.

use super::Work;
use crate::index::{
    entry::{IndexKey, ObjectHead, split_index_key},
    error::DatabaseError,
    row::watched_parts,
};
use proto::s3::{bucket::BucketId, listing::prefix_successor, version::UploadId};
use redb::ReadableTable;
use std::ops::Bound;

impl Work<'_> {
    /// A row does not keep an upload any more. What was made of the upload may have taken it over.
    pub(super) fn give_up_upload(&mut self, index_key: &IndexKey, upload: UploadId) -> Result<(), DatabaseError> {
        let keeper = match self.uploads.get(&upload.0) {
            Some(keeper) => keeper.clone(),
            None => self.tables.uploads.get(upload.0)?.map(|row| row.value().into()),
        };
        if keeper.is_none_or(|keeper| keeper == *index_key) {
            self.uploads.insert(upload.0, None);
            if let Some((bucket, _)) = split_index_key(index_key) {
                self.doomed_uploads.push((bucket, upload));
            }
        }
        Ok(())
    }

    /// Forgets the parts of an upload.
    pub(super) fn drop_parts(&mut self, bucket: BucketId, upload: UploadId) -> Result<(), DatabaseError> {
        let from = watched_parts(bucket, upload);
        let until = prefix_successor(&from);
        let until = until.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let mut parts = Vec::new();
        for row in self.tables.objects.range::<&[u8]>((Bound::Included(&*from), until))? {
            let (key, row) = row?;
            parts.push((key.value().to_vec(), ObjectHead::decode(row.value())?));
        }
        for (index_key, head) in parts {
            self.tables.objects.remove(index_key.as_slice())?;
            self.died(head.home, head.footprint);
            if let Some(blob) = head.placement.blob() {
                self.blobs.insert(blob, None);
                self.doomed.push(blob);
            }
        }
        Ok(())
    }

    /// Writes down which row keeps each upload.
    pub(super) fn finish_uploads(&mut self) -> Result<(), DatabaseError> {
        for (upload, index_key) in &self.uploads {
            match index_key {
                Some(index_key) => {
                    self.tables.uploads.insert(upload, &**index_key)?;
                }
                None => {
                    self.tables.uploads.remove(upload)?;
                }
            }
        }
        Ok(())
    }
}
