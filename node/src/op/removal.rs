//! What deleting a key or a version of it comes to
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeletingObjectVersions.html>).

use super::version::check;
use crate::{answer::store_error, core::unix_ms};
use mountpath::{
    error::StoreError,
    shard_store::{Change, NewVersion, Outcome, ShardStore},
};
use proto::{
    error::{ErrorCode, S3Error},
    http::conditional::WriteCondition,
    s3::{bucket::BucketGrant, version::VersionId},
};

/// A key or version to be deleted.
#[derive(Debug, Clone)]
pub struct Removal {
    /// The bucket.
    pub bucket: BucketGrant,
    /// The key.
    pub key: String,
    /// The version to remove for good; `None`: the object, which leaves a delete marker where versions are kept.
    pub version: Option<VersionId>,
    /// What must be true of the newest version.
    pub condition: Option<WriteCondition>,
}

impl Removal {
    /// The change that does it, whatever is there.
    pub fn change(&self) -> Change {
        match (self.version, self.bucket.versioning) {
            (Some(version), _) => Change::Delete(version),
            (None, versioning) if versioning.is_versioned() => Change::Mark(NewVersion::from(versioning), unix_ms()),
            (None, _) => Change::Delete(VersionId::Null),
        }
    }

    /// Whether its change can be submitted without looking at the key: what is there matters to nobody.
    pub fn is_plain(&self) -> bool {
        self.version.is_none() && self.condition.is_none()
    }

    /// Deletes, durably; the delete marker that was made, or removed. That nothing is there is no error.
    pub async fn run(&self, shard: &ShardStore) -> Result<Option<VersionId>, S3Error> {
        let (bucket, key) = (&self.bucket, self.key.as_bytes());
        let told = |error: StoreError| store_error(&error, &bucket.name, &self.key);
        // Where a marker is made, what is there says nothing.
        let makes_marker = self.version.is_none() && bucket.versioning.is_versioned();
        let target = match makes_marker {
            true => None,
            false => {
                let found = shard.find(bucket.id, key, bucket.versioning, self.version).await;
                let found = found.map_err(told)?;
                // A key that holds nothing, with nothing under way, needs no tombstone and no sync.
                if found.is_none() && self.condition.is_none() && shard.is_settled() {
                    return Ok(None);
                }
                found
            }
        };
        let change = self.change();
        let key = key.to_vec();
        let outcome = match &self.condition {
            None => shard.change(bucket.id, key, change).await.map_err(told)?,
            Some(condition) => {
                let allows = |newest: Option<&_>| check(condition, newest);
                let changed = shard
                    .change_if(bucket.id, key, bucket.versioning, None, change, allows)
                    .await;
                changed.map_err(told)?.map_err(|error| self.name_key(error))?
            }
        };
        Ok(match outcome {
            Outcome::Put(marker) => Some(marker.version),
            _ => target
                .filter(|entry| entry.is_delete_marker())
                .map(|entry| entry.version),
        })
    }

    fn name_key(&self, error: S3Error) -> S3Error {
        match error.code {
            ErrorCode::NoSuchKey => error.field("Key", self.key.as_str()),
            _ => error,
        }
    }
}
