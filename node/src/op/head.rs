//! HeadObject (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>), and the headers it shares with
//! GetObject.

use super::{ObjectRequest, part_read};
use crate::{
    answer::{Exchange, store_error},
    connection::{After, Connection},
    core::Core,
};
use mountpath::{
    index::entry::ObjectEntry,
    shard_store::{OpenObject, ShardStore},
};
use proto::{
    auth::payload::wants_checksum,
    digest::stored::StoredChecksum,
    error::{ErrorCode, S3Error},
    http::{
        conditional::{ReadCondition, evaluate_read, range_applies},
        date,
        head::RequestHead,
        range::{self, ByteRange},
        response::ResponseWriter,
    },
    s3::query::Query,
};
use std::rc::Rc;

/// Answers HeadObject.
pub async fn run(
    connection: &mut Connection<'_>,
    head: &RequestHead,
    query: &Query,
    exchange: Exchange,
    object: ObjectRequest,
) -> After {
    let core = connection.core;
    let found = match find(core, &object).await {
        Ok(found) => found,
        Err(error) => return connection.refuse(head, exchange, &error).await,
    };
    let entry = &found.object.entry;
    let bytes = match select(head, query, entry) {
        Ok(Selection::NotModified) => not_modified(core, &exchange, entry),
        Ok(Selection::Serve(served)) => match part_checksum(head, &object, &found, served).await {
            Ok(checksum) => object_head(core, &exchange, (head, query), entry, served, checksum.as_ref()),
            Err(error) => exchange.error(core, &error),
        },
        Err(error) => exchange.error(core, &error),
    };
    connection.answer(&exchange, &bytes).await
}

/// An object and where it is.
pub struct FoundObject {
    /// The shard's index on its core.
    pub shard_index: u16,
    /// The shard.
    pub shard: Rc<ShardStore>,
    /// The object, held open.
    pub object: OpenObject,
}

/// What becomes of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// 304.
    NotModified,
    /// It is served.
    Serve(Served),
}

/// What of an object is served.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Served {
    /// A range, with 206; `None`: all of it.
    pub range: Option<ByteRange>,
    /// A part was asked for, by this number; and how many there are.
    pub part: Option<(u16, usize)>,
    /// The part has no bytes, and so no range.
    pub is_empty: bool,
}

impl Served {
    /// The bytes that are served of an object of `size` bytes.
    pub fn bytes(self, size: u64) -> ByteRange {
        let length = if self.is_empty { 0 } else { size };
        self.range.unwrap_or(ByteRange { start: 0, length })
    }
}

/// Looks the object up; `NoSuchKey`, or `NoSuchBucket` when the bucket is being deleted.
pub async fn find(core: &Core, object: &ObjectRequest) -> Result<FoundObject, S3Error> {
    let (shard_index, shard) = core
        .shard(object.shard)
        .ok_or_else(|| S3Error::new(ErrorCode::ServiceUnavailable))?;
    match shard.open_object(object.bucket.id, object.key.as_bytes()).await {
        Ok(Some(found)) => Ok(FoundObject {
            shard_index,
            shard: Rc::clone(shard),
            object: found,
        }),
        Ok(None) => Err(S3Error::new(ErrorCode::NoSuchKey).field("Key", object.key.as_str())),
        Err(error) => Err(store_error(&error, &object.bucket.name, &object.key)),
    }
}

/// Evaluates conditions, partNumber and Range.
pub fn select(head: &RequestHead, query: &Query, entry: &ObjectEntry) -> Result<Selection, S3Error> {
    match evaluate_read(head, &entry.meta.etag, entry.meta.modified_unix_ms) {
        ReadCondition::NotModified => return Ok(Selection::NotModified),
        ReadCondition::PreconditionFailed(condition) => {
            return Err(S3Error::new(ErrorCode::PreconditionFailed).field("Condition", condition));
        }
        ReadCondition::Serve => {}
    }
    if let Some(served) = part_read::select(head, query, entry)? {
        return Ok(Selection::Serve(served));
    }
    let applies = range_applies(head, &entry.meta.etag, entry.meta.modified_unix_ms);
    match head.header_str("range").filter(|_| applies) {
        Some(header) => {
            let range = range::resolve(header, entry.meta.size)?;
            Ok(Selection::Serve(Served {
                range,
                ..Served::default()
            }))
        }
        None => Ok(Selection::Serve(Served::default())),
    }
}

/// The checksum of a part that is served, if the request wants it.
pub async fn part_checksum(
    head: &RequestHead,
    object: &ObjectRequest,
    found: &FoundObject,
    served: Served,
) -> Result<Option<StoredChecksum>, S3Error> {
    let multipart = found.object.entry.meta.multipart.as_ref();
    let (Some((number, _)), Some(multipart)) = (served.part.filter(|_| asks_for_checksum(head)), multipart) else {
        return Ok(None);
    };
    let part = found.shard.part(object.bucket.id, multipart.upload, number).await;
    let part = part.map_err(|error| store_error(&error, &object.bucket.name, &object.key))?;
    Ok(part.and_then(|part| part.meta.checksum.clone()))
}

/// Another value was refused when the request was admitted.
fn asks_for_checksum(head: &RequestHead) -> bool {
    wants_checksum(head).unwrap_or(false)
}

/// 304 with the validators.
pub fn not_modified(core: &Core, exchange: &Exchange, entry: &ObjectEntry) -> Vec<u8> {
    exchange.empty(core, 304, |response| validators(response, entry))
}

fn validators(response: &mut ResponseWriter<'_>, entry: &ObjectEntry) {
    response.header_etag(&entry.meta.etag);
    response.header("Last-Modified", &date::http(entry.meta.modified_unix_ms));
}

/// The head of an answer that serves an object or a part of it; `checksum`: of the part that was asked for.
pub fn object_head(
    core: &Core,
    exchange: &Exchange,
    (head, query): (&RequestHead, &Query),
    entry: &ObjectEntry,
    served: Served,
    checksum: Option<&StoredChecksum>,
) -> Vec<u8> {
    let size = entry.meta.size;
    let mut out = Vec::with_capacity(512);
    let status = if served.range.is_some() { 206 } else { 200 };
    exchange.status.set(status);
    let mut response = ResponseWriter::new(&mut out, status, &exchange.request_id, &core.http_date());
    validators(&mut response, entry);
    response.header("Accept-Ranges", "bytes");
    if let Some(range) = served.range {
        response.header("Content-Range", &range.content_range(size));
    }
    if let Some((_, parts_count)) = served.part {
        response.header_u64("x-amz-mp-parts-count", parts_count as u64);
    }
    entry.meta.headers.write(query, &mut response);
    let of_whole = entry.meta.checksum.as_ref();
    let bytes = served.bytes(size);
    let is_whole = served.part.is_none() && bytes.length == size;
    if let Some(checksum) = checksum.or(of_whole.filter(|_| is_whole && asks_for_checksum(head))) {
        response.header(checksum.algorithm().header(), &checksum.text());
        response.header("x-amz-checksum-type", checksum.form().name());
    }
    response.finish(Some(bytes.length), exchange.keep_alive);
    out
}
