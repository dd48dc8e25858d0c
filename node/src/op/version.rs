//! Versions, as operations on objects look for them and as their answers name them
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html>).

use super::ObjectRequest;
use crate::{
    answer::{Exchange, store_error},
    connection::{After, Connection},
    core::{Core, unix_ms},
};
use mountpath::{
    error::StoreError,
    index::entry::ObjectEntry,
    shard_store::{OpenObject, ShardStore},
};
use proto::{
    error::{ErrorCode, S3Error},
    http::{conditional::WriteCondition, date, head::RequestHead, response::ResponseWriter},
    s3::{
        bucket::BucketId,
        properties::LastModified,
        query::Query,
        version::{UploadId, VersionId, Versioning},
    },
};
use std::{rc::Rc, sync::Arc};

/// A version that is an object, and where it is.
pub struct Located {
    /// The shard's index on its core.
    pub shard_index: u16,
    /// The shard.
    pub shard: Rc<ShardStore>,
    /// The object. Until the next await it is what the key holds.
    pub entry: Arc<ObjectEntry>,
}

/// An object, held open: it stays as it is.
pub struct FoundObject {
    /// The shard's index on its core.
    pub shard_index: u16,
    /// The shard.
    pub shard: Rc<ShardStore>,
    /// The object.
    pub object: OpenObject,
}

impl Located {
    /// The time clients are told as LastModified, milliseconds since the epoch. Only where a bucket shows accesses they are
    /// looked up, so what was found may have changed since.
    pub async fn shown_unix_ms(&self, object: &ObjectRequest) -> Result<u64, S3Error> {
        let bucket = &object.bucket;
        if bucket.last_modified == LastModified::Mtime {
            return Ok(self.entry.meta.modified_unix_ms);
        }
        let accessed = self.shard.accessed(bucket.id, object.key.as_bytes(), &self.entry).await;
        accessed.map_err(|error| store_error(&error, &bucket.name, &object.key))
    }

    /// Notes that the object is read, now; returns the time that clients are then told as LastModified.
    pub async fn touch(&self, core: &Core, object: &ObjectRequest) -> u64 {
        let (bucket, key, entry) = (&object.bucket, object.key.as_bytes(), &self.entry);
        if bucket.last_modified == LastModified::Mtime {
            self.shard.touch(bucket.id, key, entry, core.unix_ms());
            return entry.meta.modified_unix_ms;
        }
        // The core's own clock is a little behind, maybe in the second before.
        let now_unix_ms = unix_ms();
        let touched = self.shard.touch_surely(bucket.id, key, entry, now_unix_ms).await;
        if let Err(error) = touched {
            // No reason not to serve it.
            tracing::warn!(bucket = bucket.name, key = object.key, %error, "an access was not noted");
        }
        entry.meta.modified_unix_ms.max(now_unix_ms)
    }

    /// Opens it; before anything is awaited.
    pub fn open(&self, bucket: BucketId) -> Result<FoundObject, StoreError> {
        Ok(FoundObject {
            shard_index: self.shard_index,
            shard: Rc::clone(&self.shard),
            object: self.shard.open_entry(bucket, Arc::clone(&self.entry))?,
        })
    }
}

/// Why there is no object to be seen.
pub struct Absent {
    error: Box<S3Error>,
    delete_marker: Option<Arc<ObjectEntry>>,
}

impl From<S3Error> for Absent {
    fn from(error: S3Error) -> Self {
        Self {
            error: Box::new(error),
            delete_marker: None,
        }
    }
}

/// The version that a request names.
pub fn requested(query: &Query) -> Result<Option<VersionId>, S3Error> {
    query.value("versionId").map(VersionId::parse).transpose()
}

/// Looks for the version that a request is about. `NoSuchKey` or `NoSuchVersion` where there is none; a delete marker is
/// `NoSuchKey` as the newest version and `MethodNotAllowed` by its id; `NoSuchBucket` when the bucket is being deleted.
pub async fn locate(core: &Core, object: &ObjectRequest, head: &RequestHead, query: &Query) -> Result<Located, Absent> {
    let version = requested(query)?;
    let (shard_index, shard) = core
        .shard(object.shard)
        .ok_or_else(|| S3Error::new(ErrorCode::ServiceUnavailable))?;
    let bucket = &object.bucket;
    let found = shard
        .find(bucket.id, object.key.as_bytes(), bucket.versioning, version)
        .await
        .map_err(|error| store_error(&error, &bucket.name, &object.key))?;
    match found {
        Some(entry) if entry.is_delete_marker() => Err(Absent {
            error: Box::new(hidden_by_marker(object, head, version)),
            delete_marker: Some(entry),
        }),
        Some(entry) => Ok(Located {
            shard_index,
            shard: Rc::clone(shard),
            entry,
        }),
        None => Err(no_such(object, version).into()),
    }
}

/// What S3 says of a version that is not there.
pub fn no_such(object: &ObjectRequest, version: Option<VersionId>) -> S3Error {
    match version {
        None => S3Error::new(ErrorCode::NoSuchKey).field("Key", object.key.as_str()),
        Some(version) => S3Error::new(ErrorCode::NoSuchVersion)
            .field("Key", object.key.as_str())
            .field("VersionId", version.to_string()),
    }
}

/// What S3 says of a delete marker where an object is wanted.
pub fn hidden_by_marker(object: &ObjectRequest, head: &RequestHead, version: Option<VersionId>) -> S3Error {
    match version {
        None => no_such(object, None),
        Some(_) => S3Error::new(ErrorCode::MethodNotAllowed)
            .field("Method", head.method_name())
            .field("ResourceType", "DeleteMarker"),
    }
}

impl Absent {
    /// With what has been found out elsewhere.
    pub fn new(error: S3Error, delete_marker: Option<Arc<ObjectEntry>>) -> Self {
        Self {
            error: Box::new(error),
            delete_marker,
        }
    }

    /// Answers with it to a request without a body.
    pub async fn answer(self, connection: &mut Connection<'_>, head: &RequestHead, exchange: Exchange) -> After {
        match &self.delete_marker {
            None => connection.refuse(head, exchange, &self.error).await,
            Some(_) => self.answer_read(connection, exchange).await,
        }
    }

    /// Answers with it to a request whose body was read. Of a delete marker the headers tell that it is one, and which.
    pub async fn answer_read(self, connection: &mut Connection<'_>, exchange: Exchange) -> After {
        let bytes = exchange.error_with(connection.core, &self.error, |response| {
            let Some(marker) = &self.delete_marker else {
                return;
            };
            response.header("x-amz-delete-marker", "true");
            response.header("x-amz-version-id", &marker.version.to_string());
            if self.error.code == ErrorCode::MethodNotAllowed {
                response.header("Allow", "DELETE");
                response.header("Last-Modified", &date::http(marker.meta.modified_unix_ms));
            }
        });
        connection.answer(&exchange, &bytes).await
    }
}

/// Names a version in an answer about a bucket that has versions.
pub fn write_version_id(response: &mut ResponseWriter<'_>, versioning: Versioning, version: VersionId) {
    if versioning.is_versioned() {
        response.header("x-amz-version-id", &version.to_string());
    }
}

/// Holds a condition against the newest version of a key.
pub fn check(condition: &WriteCondition, newest: Option<&ObjectEntry>) -> Result<(), S3Error> {
    match newest {
        Some(entry) if entry.is_delete_marker() => condition.check_delete_marker(),
        Some(ObjectEntry { meta, .. }) => condition.check(Some((&meta.etag, meta.modified_unix_ms, meta.size))),
        None => condition.check(None),
    }
}

/// The same when an upload is completed: an object that was deleted since the upload began is a conflict where there must
/// be none ("Concurrent deletes during multipart uploads" in
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>).
pub fn check_since(condition: &WriteCondition, newest: Option<&ObjectEntry>, upload: UploadId) -> Result<(), S3Error> {
    let was_deleted = |entry: &ObjectEntry| entry.is_delete_marker() && entry.meta.version_number > upload.0;
    match condition {
        WriteCondition::IsAbsent if newest.is_some_and(was_deleted) => Err(condition.conflict()),
        _ => check(condition, newest),
    }
}
