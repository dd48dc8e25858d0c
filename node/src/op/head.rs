//! HeadObject (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>), and the headers it shares with
//! GetObject.

use super::{
    ObjectRequest, part_read,
    version::{Located, locate, write_version_id},
};
use crate::{
    answer::{Exchange, store_error},
    connection::{After, Connection},
    core::Core,
};
use mountpath::index::entry::ObjectEntry;
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
    s3::{query::Query, version::Versioning},
};

/// Answers HeadObject.
pub async fn run(
    connection: &mut Connection<'_>,
    head: &RequestHead,
    query: &Query,
    exchange: Exchange,
    object: ObjectRequest,
) -> After {
    let core = connection.core;
    let located = match locate(core, &object, head, query).await {
        Ok(located) => located,
        Err(absent) => return absent.answer(connection, head, exchange).await,
    };
    let last_modified_unix_ms = match located.shown_unix_ms(&object).await {
        Ok(unix_ms) => unix_ms,
        Err(error) => return connection.refuse(head, exchange, &error).await,
    };
    let served = Served {
        entry: &located.entry,
        versioning: object.bucket.versioning,
        last_modified_unix_ms,
    };
    let bytes = match select(head, query, &located.entry) {
        Ok(Selection::NotModified) => served.not_modified(core, &exchange),
        Ok(Selection::Serve(portion)) => match part_checksum(head, &object, &located, portion).await {
            Ok(checksum) => served.head(core, &exchange, (head, query), portion, checksum.as_ref()),
            Err(error) => exchange.error(core, &error),
        },
        Err(error) => exchange.error(core, &error),
    };
    connection.answer(&exchange, &bytes).await
}

/// A version that is served.
pub struct Served<'e> {
    /// The version.
    pub entry: &'e ObjectEntry,
    /// Of its bucket.
    pub versioning: Versioning,
    /// What clients are told, milliseconds since the epoch.
    pub last_modified_unix_ms: u64,
}

/// What becomes of a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// 304.
    NotModified,
    /// It is served.
    Serve(Portion),
}

/// What of an object is served.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Portion {
    /// A range, with 206; `None`: all of it.
    pub range: Option<ByteRange>,
    /// A part was asked for, by this number; and how many there are.
    pub part: Option<(u16, usize)>,
    /// The part has no bytes, and so no range.
    pub is_empty: bool,
}

impl Portion {
    /// The bytes that are served of an object of `size` bytes.
    pub fn bytes(self, size: u64) -> ByteRange {
        let length = if self.is_empty { 0 } else { size };
        self.range.unwrap_or(ByteRange { start: 0, length })
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
    if let Some(portion) = part_read::select(head, query, entry)? {
        return Ok(Selection::Serve(portion));
    }
    let applies = range_applies(head, &entry.meta.etag, entry.meta.modified_unix_ms);
    match head.header_str("range").filter(|_| applies) {
        Some(header) => {
            let range = range::resolve(header, entry.meta.size)?;
            Ok(Selection::Serve(Portion {
                range,
                ..Portion::default()
            }))
        }
        None => Ok(Selection::Serve(Portion::default())),
    }
}

/// The checksum of a part that is served, if the request wants it.
pub async fn part_checksum(
    head: &RequestHead,
    object: &ObjectRequest,
    located: &Located,
    portion: Portion,
) -> Result<Option<StoredChecksum>, S3Error> {
    let multipart = located.entry.meta.multipart.as_ref();
    let (Some((number, _)), Some(multipart)) = (portion.part.filter(|_| asks_for_checksum(head)), multipart) else {
        return Ok(None);
    };
    let part = located.shard.part(object.bucket.id, multipart.upload, number).await;
    let part = part.map_err(|error| store_error(&error, &object.bucket.name, &object.key))?;
    Ok(part.and_then(|part| part.meta.checksum.clone()))
}

/// Another value was refused when the request was admitted.
fn asks_for_checksum(head: &RequestHead) -> bool {
    wants_checksum(head).unwrap_or(false)
}

impl Served<'_> {
    /// 304 with what a cache needs to know (RFC 9110 section 15.4.5).
    pub fn not_modified(&self, core: &Core, exchange: &Exchange) -> Vec<u8> {
        exchange.empty(core, 304, |response| {
            self.validators(response);
            let headers = &self.entry.meta.headers;
            for (name, value) in [("Cache-Control", &headers.cache_control), ("Expires", &headers.expires)] {
                if let Some(value) = value {
                    response.header(name, value);
                }
            }
        })
    }

    fn validators(&self, response: &mut ResponseWriter<'_>) {
        response.header_etag(&self.entry.meta.etag);
        response.header("Last-Modified", &date::http(self.last_modified_unix_ms));
        write_version_id(response, self.versioning, self.entry.version);
    }

    /// The head of an answer that serves an object or a part of it; `checksum`: of the part that was asked for.
    pub fn head(
        &self,
        core: &Core,
        exchange: &Exchange,
        (head, query): (&RequestHead, &Query),
        portion: Portion,
        checksum: Option<&StoredChecksum>,
    ) -> Vec<u8> {
        let meta = &self.entry.meta;
        let size = meta.size;
        let mut out = Vec::with_capacity(512);
        let status = if portion.range.is_some() { 206 } else { 200 };
        let mut response = exchange.begin(core, status, &mut out);
        self.validators(&mut response);
        response.header("Accept-Ranges", "bytes");
        if let Some(range) = portion.range {
            response.header("Content-Range", &range.content_range(size));
        }
        if let Some((_, parts_count)) = portion.part {
            response.header_u64("x-amz-mp-parts-count", parts_count as u64);
        }
        meta.headers.write(query, &mut response);
        if !meta.tags.is_empty() {
            response.header_u64("x-amz-tagging-count", meta.tags.len() as u64);
        }
        let bytes = portion.bytes(size);
        let is_whole = portion.part.is_none() && bytes.length == size;
        let of_whole = meta.checksum.as_ref().filter(|_| is_whole && asks_for_checksum(head));
        if let Some(checksum) = checksum.or(of_whole) {
            response.header(checksum.algorithm().header(), &checksum.text());
            response.header("x-amz-checksum-type", checksum.form().name());
        }
        response.finish(Some(bytes.length), exchange.keep_alive);
        out
    }
}
