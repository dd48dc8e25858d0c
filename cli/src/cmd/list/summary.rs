//! How many objects there are, and how large they are together.

use super::{
    pages::{Listing, Pages},
    title,
};
use crate::{
    bucket_name::BucketName,
    client::Client,
    error::Result,
    output::{self, OutputArgs, printable, size},
};
use serde_json::json;

/// Objects of a bucket.
#[derive(Debug, Clone, Copy, Default)]
pub struct Summary {
    /// How many; one for all its versions.
    pub objects: u64,
    /// Their bytes together.
    pub bytes: u64,
}

/// Lists a bucket to count.
pub fn summarize(client: &Client, bucket: &BucketName, prefix: &str) -> Result<Summary> {
    let listing = Listing {
        prefix: prefix.to_owned(),
        ..Listing::default()
    };
    let mut summary = Summary::default();
    let mut pages = Pages::new(client, bucket, listing);
    while let Some(page) = pages.next()? {
        for object in &page.objects {
            summary.objects += 1;
            summary.bytes = summary.bytes.saturating_add(object.size);
        }
    }
    Ok(summary)
}

/// Prints it.
pub fn print(client: &Client, output: OutputArgs, bucket: &BucketName, prefix: &str) -> Result<()> {
    let Summary { objects, bytes } = summarize(client, bucket, prefix)?;
    if output.is_json() {
        return output::json(&json!({
            "bucket": bucket.as_str(), "prefix": prefix, "objects": objects, "object_bytes": bytes,
        }));
    }
    let noun = if objects == 1 { "object" } else { "objects" };
    let title = title(bucket, prefix);
    output::line(&format!("{}: {objects} {noun}, {}", printable(&title), size(bytes)))
}
