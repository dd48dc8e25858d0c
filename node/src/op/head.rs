//! HeadObject (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>), and the headers it shares with
//! GetObject.

use super::{
    ObjectRequest,
    version::{locate, write_version_id},
};
use crate::{
    answer::Exchange,
    connection::{After, Connection},
    core::Core,
};
use mountpath::index::entry::ObjectEntry;
use proto::{
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
    let entry = match locate(core, &object, head, query).await {
        Ok(located) => located.entry,
        Err(absent) => return absent.answer(connection, head, exchange).await,
    };
    let served = Served {
        entry: &entry,
        versioning: object.bucket.versioning,
    };
    let bytes = match select(head, &entry) {
        Ok(Selection::NotModified) => served.not_modified(core, &exchange),
        Ok(Selection::Serve(part)) => served.head(core, &exchange, head, query, part),
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
}

/// What of an object is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// 304.
    NotModified,
    /// All of it (`None`), or a range with 206.
    Serve(Option<ByteRange>),
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
        response.header("Last-Modified", &date::http(self.entry.meta.modified_unix_ms));
        write_version_id(response, self.versioning, self.entry.version);
    }

    /// The head of an answer that serves an object or a part of it.
    pub fn head(
        &self,
        core: &Core,
        exchange: &Exchange,
        head: &RequestHead,
        query: &Query,
        part: Option<ByteRange>,
    ) -> Vec<u8> {
        let meta = &self.entry.meta;
        let size = meta.size;
        let mut out = Vec::with_capacity(512);
        let status = if part.is_some() { 206 } else { 200 };
        let mut response = exchange.begin(core, status, &mut out);
        self.validators(&mut response);
        response.header("Accept-Ranges", "bytes");
        if let Some(part) = part {
            let last = part.start + part.length - 1;
            response.header("Content-Range", &format!("bytes {}-{last}/{size}", part.start));
        }
        meta.headers.write(query, &mut response);
        if !meta.tags.is_empty() {
            response.header_u64("x-amz-tagging-count", meta.tags.len() as u64);
        }
        let wants_checksum = head
            .header_str("x-amz-checksum-mode")
            .is_some_and(|mode| mode.eq_ignore_ascii_case("enabled"));
        if let Some(checksum) = meta.checksum.as_ref().filter(|_| wants_checksum && part.is_none()) {
            response.header(checksum.algorithm().header(), &checksum.text());
            response.header("x-amz-checksum-type", checksum.form().name());
        }
        response.finish(Some(part.map_or(size, |part| part.length)), exchange.keep_alive);
        out
    }
}
