//! PutObjectTagging (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html>), and how the tags of a
//! version are replaced.

use super::{
    ObjectRequest,
    version::{Absent, hidden_by_marker, no_such, requested, write_version_id},
    xml_body,
};
use crate::{
    answer::{Exchange, store_error},
    connection::{After, Connection},
    core::Core,
    limits::TAGGING_BODY_BYTES_MAX,
    receive::{self, Upload},
};
use mountpath::{index::entry::ObjectEntry, record::ObjectMeta};
use proto::{
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
    s3::{query::Query, tagging::TagSet, version::VersionId},
};
use std::sync::Arc;

/// Replaces the tags of a version, durably.
pub async fn run(
    connection: &mut Connection<'_>,
    head: &RequestHead,
    query: &Query,
    exchange: Exchange,
    object: ObjectRequest,
    upload: Upload,
) -> After {
    let core = connection.core;
    let read = xml_body::read(connection, head, &exchange, &upload, TAGGING_BODY_BYTES_MAX).await;
    let body = match read {
        Ok(body) => body,
        Err(unread) => {
            let Some(decoder) = unread.decoder else {
                return connection.refuse(head, exchange, &unread.error).await;
            };
            return receive::refuse(connection, exchange, decoder, &unread.error).await;
        }
    };
    let tags = match TagSet::from_xml(&body) {
        Ok(tags) => tags,
        Err(error) => {
            let bytes = exchange.error(core, &error);
            return connection.answer(&exchange, &bytes).await;
        }
    };
    match replace(core, &object, head, query, &tags).await {
        Ok(version) => {
            let bytes = exchange.empty(core, 200, |response| {
                write_version_id(response, object.bucket.versioning, version);
            });
            connection.answer(&exchange, &bytes).await
        }
        Err(absent) => absent.answer_read(connection, exchange).await,
    }
}

/// Gives the version that the request is about these tags; which it is.
pub async fn replace(
    core: &Core,
    object: &ObjectRequest,
    head: &RequestHead,
    query: &Query,
    tags: &TagSet,
) -> Result<VersionId, Absent> {
    let version = requested(query)?;
    let (_, shard) = core
        .shard(object.shard)
        .ok_or_else(|| S3Error::new(ErrorCode::ServiceUnavailable))?;
    let bucket = &object.bucket;
    let mut marker = None;
    let edit = |found: Option<&ObjectEntry>| match found {
        Some(entry) if entry.is_delete_marker() => {
            marker = Some(Arc::new(entry.clone()));
            Err(hidden_by_marker(object, head, version))
        }
        Some(entry) => Ok(ObjectMeta {
            tags: tags.clone().into_tags(),
            ..entry.meta.clone()
        }),
        None => Err(no_such(object, version)),
    };
    let key = object.key.clone().into_bytes();
    let edited = shard.edit(bucket.id, key, bucket.versioning, version, edit).await;
    match edited.map_err(|error| store_error(&error, &bucket.name, &object.key))? {
        Ok(Some(entry)) => Ok(entry.version),
        Ok(None) => Err(no_such(object, version).into()),
        Err(error) => Err(Absent::new(error, marker)),
    }
}
