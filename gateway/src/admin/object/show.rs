//! `GET /v1/buckets/{bucket}/objects/{key}`: an object and what is kept with it.

use super::{
    super::{call::Call, reply::Reply},
    head::{self, HeadView},
    list::newest,
    view::{self, ObjectView},
};
use crate::{gateway::Gateway, limits::OBJECT_LOOKS_MAX, list::fanout, records::BucketRecord};
use proto::{
    error::{ErrorCode, S3Error},
    limits::LIST_KEYS_MAX,
    s3::{
        bucket::BucketId,
        listing::{ListEntry, ListQuery, ListScope, ListedVersion},
        name::ObjectKey,
        properties::Permission,
        version::{VersionId, Versioning},
    },
};
use serde::Serialize;

/// The parameters of its query.
pub const QUERY: &[&str] = &["version"];

#[derive(Serialize)]
struct ObjectDetailsView {
    #[serde(flatten)]
    object: ObjectView,
    #[serde(flatten)]
    head: HeadView,
    parts: Option<u32>,
}

/// 200 with the object. One part of it comes from the index and the other from the object: it is looked at again
/// when a write came between.
pub async fn serve(call: &Call<'_>) -> Result<Reply, S3Error> {
    let bucket = call.bucket()?;
    bucket.access.check(Permission::Read)?;
    let key = call.key()?;
    let version = call.query.value("version").map(VersionId::parse).transpose()?;
    for _ in 0..OBJECT_LOOKS_MAX {
        let entry = find(call.gateway, &bucket, &key, version).await?;
        let (etag, found) = match &entry {
            ListEntry::Object(object) => (object.etag.as_str(), None),
            ListEntry::Version(listed) => (listed.object.etag.as_str(), Some(&**listed)),
            ListEntry::Upload(_) | ListEntry::CommonPrefix(_) => return Err(ErrorCode::InternalError.into()),
        };
        let Some(object) = ObjectView::new(&entry, bucket.configuration.versioning) else {
            return Err(ErrorCode::InternalError.into());
        };
        let head = match found.is_some_and(|listed| listed.is_delete_marker) {
            true => HeadView::default(),
            false => {
                let (etag_now, head) = match head::look(call.gateway, &bucket, &key, version_of(&bucket, found)).await {
                    // It was taken away since.
                    Err(error) if error.code == ErrorCode::NoSuchKey => continue,
                    other => other?,
                };
                if etag_now != etag {
                    continue;
                }
                head
            }
        };
        let parts = view::parts(etag);
        return Ok(Reply::json(200, &ObjectDetailsView { object, head, parts }));
    }
    let message = "The object is being written all the time. Try again.";
    Err(S3Error::with_message(ErrorCode::OperationAborted, message))
}

/// Only where there are versions is one asked for by its id.
fn version_of(bucket: &BucketRecord, found: Option<&ListedVersion>) -> Option<VersionId> {
    let found = found.filter(|_| bucket.configuration.versioning.is_versioned());
    found.map(|listed| listed.version)
}

/// The entry of a key's newest version, if that is an object, or of the version asked for.
async fn find(
    gateway: &Gateway,
    bucket: &BucketRecord,
    key: &ObjectKey,
    version: Option<VersionId>,
) -> Result<ListEntry, S3Error> {
    let name = key.as_str();
    let Some(version) = version else {
        let query = query(name, newest(bucket.configuration.versioning), 1);
        // Of all names that begin with the key, it is the first.
        let page = fanout::list(gateway, BucketId(bucket.id), &query).await?;
        let first = page.entries.into_iter().next();
        return first
            .filter(|entry| entry.name() == name)
            .ok_or_else(|| S3Error::new(ErrorCode::NoSuchKey).field("Key", name));
    };
    let after = match version {
        // Versions go downwards: the one behind this is the one asked for, if it is there.
        VersionId::Number(number) => number.checked_add(1).map(VersionId::Number),
        VersionId::Null => None,
    };
    let missing = || {
        S3Error::new(ErrorCode::NoSuchVersion)
            .field("Key", name)
            .field("VersionId", version.to_string())
    };
    if bucket.configuration.versioning == Versioning::Unversioned && version != VersionId::Null {
        return Err(missing());
    }
    let mut query = query(name, ListScope::Versions { after }, LIST_KEYS_MAX);
    if after.is_some() {
        query.start_after = name.to_owned();
        query.limit = 1;
    }
    loop {
        let page = fanout::list(gateway, BucketId(bucket.id), &query).await?;
        let last = page.entries.last().cloned();
        let wanted = |entry: &ListEntry| match entry {
            ListEntry::Version(listed) => listed.object.key == name && listed.version == version,
            _ => false,
        };
        if let Some(found) = page.entries.into_iter().find(wanted) {
            return Ok(found);
        }
        // The null version may be anywhere among the key's.
        match last.filter(|last| after.is_none() && page.truncated && last.name() == name) {
            Some(last) => query = query.continued(&last),
            None => return Err(missing()),
        }
    }
}

fn query(key: &str, scope: ListScope, limit: usize) -> ListQuery {
    ListQuery {
        prefix: key.to_owned(),
        limit,
        scope,
        details: true,
        ..ListQuery::default()
    }
}
