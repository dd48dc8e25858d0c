//! What is in a bucket, page by page.

use super::{CallResult, Failure, PREFIX, Store, path, xml::Element};
use crate::{bucket_name::BucketName, client::Call};
use proto::http::percent;
use reqwest::Method;

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Without quotes.
    pub etag: String,
}

/// A version, or a delete marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedVersion {
    /// Its key.
    pub key: String,
    /// Its id.
    pub version: String,
}

impl Store {
    /// Hands over the objects whose keys begin so, a page at a time, until `each` fails.
    pub fn list(
        &self,
        bucket: &BucketName,
        prefix: &str,
        mut each: impl FnMut(Vec<Listed>) -> CallResult<()>,
    ) -> CallResult<()> {
        let mut token: Option<String> = None;
        loop {
            let mut query = vec![("list-type", "2"), ("encoding-type", "url"), ("prefix", prefix)];
            query.extend(token.as_deref().map(|token| ("continuation-token", token)));
            let page = self.call_for_xml(&of_bucket(bucket).with_query(&query), "ListBucketResult")?;
            let objects: Option<Vec<Listed>> = page.all("Contents").map(listed).collect();
            each(objects.ok_or_else(|| Failure::odd("Contents"))?)?;
            token = page.text("NextContinuationToken").map(str::to_owned);
            if page.text("IsTruncated") != Some("true") || token.is_none() {
                return Ok(());
            }
        }
    }

    /// The same with all versions and delete markers.
    pub fn list_versions(
        &self,
        bucket: &BucketName,
        prefix: &str,
        mut each: impl FnMut(Vec<ListedVersion>) -> CallResult<()>,
    ) -> CallResult<()> {
        let mut after: Option<(String, String)> = None;
        loop {
            let mut query = vec![("versions", ""), ("encoding-type", "url"), ("prefix", prefix)];
            if let Some((key, version)) = &after {
                query.push(("key-marker", key));
                query.push(("version-id-marker", version));
            }
            let page = self.call_for_xml(&of_bucket(bucket).with_query(&query), "ListVersionsResult")?;
            let versions: Option<Vec<ListedVersion>> = page
                .all("Version")
                .chain(page.all("DeleteMarker"))
                .map(listed_version)
                .collect();
            each(versions.ok_or_else(|| Failure::odd("Version"))?)?;
            let next = page.text("NextKeyMarker").and_then(decoded);
            let next = next.zip(page.text("NextVersionIdMarker").map(str::to_owned));
            if page.text("IsTruncated") != Some("true") || next.is_none() || next == after {
                return Ok(());
            }
            after = next;
        }
    }
}

pub(super) fn of_bucket(bucket: &BucketName) -> Call {
    Call::new(Method::GET, path::of_bucket(PREFIX, bucket.as_str()))
}

fn listed(element: &Element) -> Option<Listed> {
    Some(Listed {
        key: decoded(element.text("Key")?)?,
        size: element.text("Size")?.parse().ok()?,
        etag: element.text("ETag")?.trim_matches('"').to_owned(),
    })
}

fn listed_version(element: &Element) -> Option<ListedVersion> {
    Some(ListedVersion {
        key: decoded(element.text("Key")?)?,
        version: element.text("VersionId")?.to_owned(),
    })
}

/// A key as `encoding-type=url` writes it.
fn decoded(text: &str) -> Option<String> {
    String::from_utf8(percent::decode(&text.replace('+', " "))?).ok()
}
