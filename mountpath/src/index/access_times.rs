//! When versions were last read: noted in memory, written down by merges, looked up where a bucket shows them.

use super::{
    ShardIndex,
    entry::{Latest, ObjectEntry},
    row::{Row, newest_key, object_key},
};
use crate::error::StoreError;
use proto::s3::{bucket::BucketId, version::VersionId};

impl ShardIndex {
    /// Notes that a version of a key was read; `false`: it was not noted, since too many are until the next merge.
    pub fn touch(&self, bucket: BucketId, key: &[u8], entry: &ObjectEntry, unix_ms: u64) -> bool {
        if self.recent.borrow().is_full_of_touched() {
            return false;
        }
        let number = entry.meta.version_number;
        let index_key = match entry.version {
            VersionId::Null => {
                let touch = |index_key: &[u8]| self.cache.touch(index_key, number, unix_ms);
                if self.recent.borrow().with_key(bucket, key, touch) == Some(false) {
                    return true;
                }
                object_key(bucket, key)
            }
            version => {
                let index_key = Row::of_version(key, version).index_key(bucket);
                // The newest is kept under the name of its key.
                let name = newest_key(&index_key).unwrap_or_default();
                let of_newest = self.cache.touch(name, number, unix_ms);
                if of_newest.or_else(|| self.cache.touch(&index_key, number, unix_ms)) == Some(false) {
                    return true;
                }
                index_key
            }
        };
        self.recent.borrow_mut().touch(index_key, number, unix_ms);
        true
    }

    /// When a version of a key was last read, milliseconds since the epoch; `None`: never.
    pub async fn accessed(&self, bucket: BucketId, key: &[u8], entry: &ObjectEntry) -> Result<Option<u64>, StoreError> {
        let number = entry.meta.version_number;
        let index_key = Row::of_version(key, entry.version).index_key(bucket);
        let touched = self.recent.borrow().touched(&index_key);
        if let Some((of, unix_ms)) = touched
            && of == number
        {
            return Ok(Some(unix_ms));
        }
        // What the database has, if this was written since the last merge, is of what it replaced.
        let is_new = |latest: &Latest| matches!(latest, Latest::Object(entry) if entry.sequence == number);
        if self.recent.borrow().latest(&index_key).is_some_and(is_new) {
            return Ok(None);
        }
        let rows = self
            .threads
            .read(move |database| database.accessed(&[(index_key, number)]))
            .await?;
        Ok(rows.into_iter().next().flatten())
    }
}
