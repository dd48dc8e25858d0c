//! HeadObject (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>), and the headers it shares with
//! GetObject.

use super::ObjectRequest;
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
    let bytes = match select(head, &found.object.entry) {
        Ok(Selection::NotModified) => not_modified(core, &exchange, &found.object.entry),
        Ok(Selection::Serve(part)) => object_head(core, &exchange, head, query, &found.object.entry, part),
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

/// What of an object is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// 304.
    NotModified,
    /// All of it (`None`), or a range with 206.
    Serve(Option<ByteRange>),
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

/// Evaluates conditions and Range.
pub fn select(head: &RequestHead, entry: &ObjectEntry) -> Result<Selection, S3Error> {
    match evaluate_read(head, &entry.meta.etag, entry.meta.modified_unix_ms) {
        ReadCondition::NotModified => return Ok(Selection::NotModified),
        ReadCondition::PreconditionFailed(condition) => {
            return Err(S3Error::new(ErrorCode::PreconditionFailed).field("Condition", condition));
        }
        ReadCondition::Serve => {}
    }
    let applies = range_applies(head, &entry.meta.etag, entry.meta.modified_unix_ms);
    match head.header_str("range").filter(|_| applies) {
        Some(header) => range::resolve(header, entry.meta.size).map(Selection::Serve),
        None => Ok(Selection::Serve(None)),
    }
}

/// 304 with the validators.
pub fn not_modified(core: &Core, exchange: &Exchange, entry: &ObjectEntry) -> Vec<u8> {
    exchange.empty(core, 304, |response| validators(response, entry))
}

fn validators(response: &mut ResponseWriter<'_>, entry: &ObjectEntry) {
    response.header_etag(&entry.meta.etag);
    response.header("Last-Modified", &date::http(entry.meta.modified_unix_ms));
}

/// The head of an answer that serves an object or a part of it.
pub fn object_head(
    core: &Core,
    exchange: &Exchange,
    head: &RequestHead,
    query: &Query,
    entry: &ObjectEntry,
    part: Option<ByteRange>,
) -> Vec<u8> {
    let size = entry.meta.size;
    let mut out = Vec::with_capacity(512);
    let status = if part.is_some() { 206 } else { 200 };
    let mut response = exchange.begin(core, status, &mut out);
    validators(&mut response, entry);
    response.header("Accept-Ranges", "bytes");
    if let Some(part) = part {
        let last = part.start + part.length - 1;
        response.header("Content-Range", &format!("bytes {}-{last}/{size}", part.start));
    }
    entry.meta.headers.write(query, &mut response);
    let wants_checksum = head
        .header_str("x-amz-checksum-mode")
        .is_some_and(|mode| mode.eq_ignore_ascii_case("enabled"));
    if let Some(checksum) = entry
        .meta
        .checksum
        .as_ref()
        .filter(|_| wants_checksum && part.is_none())
    {
        response.header(checksum.algorithm().header(), &checksum.text());
        response.header("x-amz-checksum-type", checksum.form().name());
    }
    response.finish(Some(part.map_or(size, |part| part.length)), exchange.keep_alive);
    out
}
