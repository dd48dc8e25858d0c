//! A bucket's objects, page by page, over `/v1/buckets/{bucket}/objects`.

use crate::{
    bucket_name::BucketName, client::Client, cmd::bucket::view::explain, error::Result, limits::LIST_PAGE_KEYS,
};
use reqwest::Method;
use serde::{Deserialize, Serialize};

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// Only names that begin so.
    pub prefix: String,
    /// Empty: none.
    pub delimiter: String,
    /// All versions, and delete markers.
    pub versions: bool,
    /// At most so many objects and prefixes.
    pub limit: Option<u64>,
}

/// An object, or one version of it, as the store describes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Object {
    /// Its key.
    pub name: String,
    /// In bytes.
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    /// Unless the bucket has none.
    pub checksum: Option<Checksum>,
    /// When it was written, in ISO 8601.
    pub modified: String,
    /// When it was last written or read.
    pub accessed: Option<String>,
    /// The version id, or how often it was written.
    pub version: String,
    /// Whether it is what a GET without a version gets.
    pub latest: bool,
    /// Whether it says that the object was deleted.
    pub delete_marker: bool,
    /// Such as `STANDARD`.
    pub storage_class: String,
}

/// A checksum of an object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Checksum {
    /// Such as `md5`.
    #[serde(rename = "type")]
    pub kind: String,
    /// In hex.
    pub value: String,
}

/// A part of a listing.
#[derive(Debug, Clone, Deserialize)]
pub struct Page {
    /// By name; versions of a name from the newest.
    pub objects: Vec<Object>,
    /// What names have in common up to the delimiter.
    #[serde(default)]
    pub prefixes: Vec<String>,
    continuation: Option<String>,
}

/// The pages of a listing.
pub struct Pages<'a> {
    client: &'a Client,
    bucket: &'a BucketName,
    listing: Listing,
    /// `None`: there are no more.
    next: Option<Position>,
}

enum Position {
    Start,
    Continuation(String),
}

impl<'a> Pages<'a> {
    /// From the beginning. Nothing is sent yet.
    pub fn new(client: &'a Client, bucket: &'a BucketName, listing: Listing) -> Self {
        Self {
            client,
            bucket,
            listing,
            next: Some(Position::Start),
        }
    }

    /// The next page; `None` behind the last one.
    pub fn next(&mut self) -> Result<Option<Page>> {
        if self.listing.limit == Some(0) {
            return Ok(None);
        }
        let Some(position) = self.next.take() else {
            return Ok(None);
        };
        let max_keys = self
            .listing
            .limit
            .unwrap_or(LIST_PAGE_KEYS)
            .min(LIST_PAGE_KEYS)
            .to_string();
        let mut query = vec![("max_keys", max_keys.as_str())];
        if !self.listing.prefix.is_empty() {
            query.push(("prefix", &self.listing.prefix));
        }
        if !self.listing.delimiter.is_empty() {
            query.push(("delimiter", &self.listing.delimiter));
        }
        if self.listing.versions {
            query.push(("versions", "true"));
        }
        if let Position::Continuation(continuation) = &position {
            query.push(("continuation", continuation));
        }
        let path = format!("/v1/buckets/{}/objects", self.bucket);
        let page: Page = self
            .client
            .send_for(&Method::GET, &path, &query, None)
            .map_err(|error| explain(error, self.bucket))?;
        if let Some(limit) = &mut self.listing.limit {
            let got = page.objects.len().saturating_add(page.prefixes.len());
            *limit = limit.saturating_sub(u64::try_from(got).unwrap_or(u64::MAX));
        }
        self.next = page.continuation.clone().map(Position::Continuation);
        Ok(Some(page))
    }
}
