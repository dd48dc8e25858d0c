//! An object for the core that copies it: what is kept with it, then its payload (`proto::cluster::source`).

use super::version::FoundObject;
use crate::{
    answer::{Exchange, store_error},
    connection::{After, Connection},
    core::Core,
    send::SendError,
    send_object::ObjectSender,
};
use proto::{
    cluster::source::{SourceAnswer, SourceObject},
    error::{ErrorCode, S3Error},
    http::{range::ByteRange, response::ResponseWriter},
    limits::COPY_BYTES_MAX,
    s3::{bucket::BucketGrant, copy_source::CopyRange, version::VersionId},
    wire::Encoder,
};
use std::rc::Rc;

/// What is to be read.
pub struct Wanted {
    /// The shard that owns the key.
    pub shard: [u8; 16],
    /// The bucket.
    pub bucket: BucketGrant,
    /// The key.
    pub key: String,
    /// Which version; `None`: the newest.
    pub version: Option<VersionId>,
    /// Which bytes; `None`: all.
    pub range: Option<CopyRange>,
}

/// Sends it.
pub async fn run(connection: &mut Connection<'_>, exchange: Exchange, wanted: Wanted) -> After {
    let core = connection.core;
    let prepared = match find(core, &wanted).await {
        Ok(found) => prepare(core, found, &wanted).await,
        Err(error) => Err(error),
    };
    let (answer, sender) = match prepared {
        Ok((object, sender)) => (SourceAnswer::Found(Box::new(object)), sender),
        Err(error) => (SourceAnswer::from(&error), None),
    };
    let bytes = head(core, &exchange, &answer);
    let Some(sender) = sender else {
        return connection.answer(&exchange, &bytes).await;
    };
    let (stream, deadline) = (&mut connection.stream, &connection.deadline);
    match sender.send(stream, deadline, &bytes, &exchange.sent_bytes).await {
        Ok(()) if exchange.keep_alive => After::KeepAlive,
        Ok(()) | Err(SendError::Client) => After::Close,
        Err(SendError::Store { offset, error }) => {
            tracing::error!(bucket = wanted.bucket.name, key = wanted.key, offset, %error, "a copy was cut off");
            connection.stream.close().await;
            After::Close
        }
    }
}

/// Looks the source up, in the words of CopyObject's API page where it is a delete marker.
async fn find(core: &Core, wanted: &Wanted) -> Result<FoundObject, S3Error> {
    let (bucket, key) = (&wanted.bucket, &wanted.key);
    let (shard_index, shard) = core
        .shard(wanted.shard)
        .ok_or_else(|| S3Error::new(ErrorCode::ServiceUnavailable))?;
    let found = shard
        .find(bucket.id, key.as_bytes(), bucket.versioning, wanted.version)
        .await;
    let entry = match (found, wanted.version) {
        (Ok(Some(entry)), Some(_)) if entry.is_delete_marker() => {
            let message = "The source of a copy request may not specifically refer to a delete marker by version id.";
            return Err(S3Error::with_message(ErrorCode::InvalidRequest, message));
        }
        (Ok(Some(entry)), _) if !entry.is_delete_marker() => entry,
        (Ok(_), None) => return Err(ErrorCode::NoSuchKey.into()),
        (Ok(_), Some(_)) => return Err(ErrorCode::NoSuchVersion.into()),
        (Err(error), _) => return Err(store_error(&error, &bucket.name, key)),
    };
    let opened = shard.open_entry(bucket.id, entry);
    Ok(FoundObject {
        shard_index,
        shard: Rc::clone(shard),
        object: opened.map_err(|error| store_error(&error, &bucket.name, key))?,
    })
}

/// What is told of the object, and its payload with the first block loaded, if any is to be sent.
async fn prepare<'c>(
    core: &'c Rc<Core>,
    found: FoundObject,
    wanted: &Wanted,
) -> Result<(SourceObject, Option<ObjectSender<'c>>), S3Error> {
    let bucket = &wanted.bucket;
    let entry = &found.object.entry;
    let meta = &entry.meta;
    let range = match wanted.range {
        Some(range) => range.within(meta.size).ok(),
        None => Some(ByteRange {
            start: 0,
            length: meta.size,
        }),
    };
    let range = range.filter(|range| range.length <= COPY_BYTES_MAX);
    let object = SourceObject {
        modified_unix_ms: meta.modified_unix_ms,
        size: meta.size,
        etag: meta.etag.clone(),
        checksum: meta.checksum.clone(),
        headers: meta.headers.clone(),
        tags: meta.tags.clone(),
        version: bucket.versioning.is_versioned().then_some(entry.version),
        payload_bytes: range.map_or(0, |range| range.length),
    };
    let Some(range) = range.filter(|range| range.length > 0) else {
        return Ok((object, None));
    };
    // What is copied lives on under new checksums: damage must not get that far, whatever the bucket says of reads.
    let mut sender = ObjectSender::new(core, found, bucket.id, true, range);
    match sender.prepare().await {
        Ok(()) => Ok((object, Some(sender))),
        Err(SendError::Store { error, .. }) => Err(store_error(&error, &bucket.name, &wanted.key)),
        Err(SendError::Client) => Err(ErrorCode::InternalError.into()),
    }
}

/// The head of the answer, and what comes before the payload.
fn head(core: &Core, exchange: &Exchange, answer: &SourceAnswer) -> Vec<u8> {
    let mut encoder = Encoder::new();
    answer.encode(&mut encoder);
    let described = encoder.finish();
    let payload_bytes = match answer {
        SourceAnswer::Found(object) => object.payload_bytes,
        SourceAnswer::Refused { .. } => 0,
    };
    let length = u32::try_from(described.len()).unwrap_or(u32::MAX);
    exchange.status.set(200);
    let mut out = Vec::with_capacity(512 + described.len());
    let mut response = ResponseWriter::new(&mut out, 200, &exchange.request_id, &core.http_date());
    response.header("Content-Type", "application/octet-stream");
    response.finish(Some(4 + u64::from(length) + payload_bytes), exchange.keep_alive);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&described);
    out
}
