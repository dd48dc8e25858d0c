//! ListObjects, both versions.

use crate::{
    answer::Answer,
    list::{fanout, token},
    records::BucketRecord,
    request::Request,
};
use proto::{
    error::{ErrorCode, S3Error},
    limits::LIST_KEYS_MAX,
    s3::{
        bucket::BucketId,
        listing::{ListPage, ListQuery, ListScope},
        properties::LastModified,
        query::Query,
        xml_write::{self, ListResult},
    },
};

/// What both versions ask alike.
struct Common<'q> {
    prefix: &'q str,
    delimiter: Option<&'q str>,
    max_keys: usize,
    url_encoding: bool,
}

impl<'q> Common<'q> {
    fn read(query: &'q Query) -> Result<Self, S3Error> {
        Ok(Self {
            prefix: query.value("prefix").unwrap_or_default(),
            delimiter: query.value("delimiter").filter(|delimiter| !delimiter.is_empty()),
            max_keys: max_keys(query.value("max-keys"))?,
            url_encoding: url_encoding(query.value("encoding-type"))?,
        })
    }
    fn list_query(&self, start_after: String, bucket: &BucketRecord) -> ListQuery {
        ListQuery {
            prefix: self.prefix.to_owned(),
            delimiter: self.delimiter.unwrap_or_default().to_owned(),
            start_after,
            limit: self.max_keys,
            scope: match bucket.configuration.versioning.is_versioned() {
                true => ListScope::Newest,
                false => ListScope::Objects,
            },
            details: bucket.last_modified == LastModified::Atime,
        }
    }
}

/// Serves ListObjects (version 1).
pub async fn serve_v1(request: &Request<'_>) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    let common = Common::read(&request.query)?;
    let marker = request.query.value("marker").unwrap_or_default();
    let query = common.list_query(marker.to_owned(), &bucket);
    let page = fanout::list(request.gateway, BucketId(bucket.id), &query).await?;
    let page = page.shown(bucket.last_modified);
    // Without a delimiter a client continues after the last key (ListObjects' API page, NextMarker).
    let next_marker = last_name(&page).filter(|_| common.delimiter.is_some());
    let owner = bucket.owner();
    let result = ListResult {
        bucket: &bucket.name,
        prefix: common.prefix,
        delimiter: common.delimiter,
        max_keys: common.max_keys,
        url_encoding: common.url_encoding,
        owner: Some(&owner),
        marker,
        next_marker,
        ..ListResult::default()
    };
    Ok(Answer::xml(xml_write::list_objects_v1(&result, &page)))
}

/// Serves ListObjectsV2.
pub async fn serve_v2(request: &Request<'_>) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    let common = Common::read(&request.query)?;
    let start_after = request.query.value("start-after");
    let continuation = request.query.value("continuation-token");
    let after = match continuation {
        Some(given) => token::decode(given)?,
        None => start_after.unwrap_or_default().to_owned(),
    };
    let query = common.list_query(after, &bucket);
    let page = fanout::list(request.gateway, BucketId(bucket.id), &query).await?;
    let page = page.shown(bucket.last_modified);
    let next = last_name(&page).map(token::encode);
    let owner = bucket.owner();
    let wants_owner = request.query.value("fetch-owner") == Some("true");
    let result = ListResult {
        bucket: &bucket.name,
        prefix: common.prefix,
        delimiter: common.delimiter,
        max_keys: common.max_keys,
        url_encoding: common.url_encoding,
        owner: wants_owner.then_some(&owner),
        start_after,
        continuation_token: continuation,
        next_continuation_token: next.as_deref(),
        ..ListResult::default()
    };
    Ok(Answer::xml(xml_write::list_objects_v2(&result, &page)))
}

/// Where a truncated page is continued.
fn last_name(page: &ListPage) -> Option<&str> {
    page.entries.last().filter(|_| page.truncated).map(|entry| entry.name())
}

/// `max-keys`: absent is the maximum, more than the maximum is the maximum.
pub(super) fn max_keys(value: Option<&str>) -> Result<usize, S3Error> {
    let Some(text) = value.filter(|text| !text.is_empty()) else {
        return Ok(LIST_KEYS_MAX);
    };
    let refuse = |message: &'static str| {
        S3Error::with_message(ErrorCode::InvalidArgument, message)
            .field("ArgumentName", "max-keys")
            .field("ArgumentValue", text)
    };
    // S3 counts in 32 bits: a larger number is no integer to it.
    let number: i32 = text
        .parse()
        .map_err(|_| refuse("Provided max-keys not an integer or within integer range"))?;
    let count =
        usize::try_from(number).map_err(|_| refuse("Argument maxKeys must be an integer between 0 and 2147483647"))?;
    Ok(count.min(LIST_KEYS_MAX))
}

/// Whether `encoding-type` asks for URLs' encoding.
pub(super) fn url_encoding(value: Option<&str>) -> Result<bool, S3Error> {
    match value {
        None | Some("") => Ok(false),
        Some("url") => Ok(true),
        Some(other) => Err(no_encoding(other)),
    }
}

/// The error for an `encoding-type` that there is not.
pub(super) fn no_encoding(value: &str) -> S3Error {
    let message = "Invalid Encoding Method specified in Request";
    S3Error::with_message(ErrorCode::InvalidArgument, message)
        .field("ArgumentName", "encoding-type")
        .field("ArgumentValue", value)
}

#[cfg(test)]
mod tests {
    use super::{max_keys, url_encoding};

    #[test]
    fn max_keys_as_s3_reads_it() {
        assert_eq!(max_keys(None), Ok(1000));
        assert_eq!(max_keys(Some("")), Ok(1000));
        assert_eq!(max_keys(Some("0")), Ok(0));
        assert_eq!(max_keys(Some("7")), Ok(7));
        assert_eq!(max_keys(Some("1001")), Ok(1000));
        assert_eq!(max_keys(Some("2147483647")), Ok(1000));
        for bad in ["-1", "2147483648", "x", "1.5", " 1"] {
            assert!(max_keys(Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_url_is_an_encoding() {
        assert_eq!(url_encoding(None), Ok(false));
        assert_eq!(url_encoding(Some("url")), Ok(true));
        assert!(url_encoding(Some("base64")).is_err());
    }
}
