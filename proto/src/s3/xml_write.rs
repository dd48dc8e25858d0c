//! XML answers, as AWS writes them (element order, the 2006-03-01 namespace, quoted ETags).

use super::{
    listing::{ListEntry, ListPage, ListedObject},
    version::VersionId,
    xml_document::Document,
};
use crate::{
    error::S3Error,
    http::{date, percent},
};

/// An owner or grantee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// 64 hex digits.
    pub id: String,
    /// Display name.
    pub display_name: String,
}

/// `<Error>`, with Resource, RequestId and HostId after the code's own fields. Unlike all others it has no namespace.
pub fn error(error: &S3Error, resource: &str, request_id: &str) -> Vec<u8> {
    let mut document = Document::new();
    document.element("Error", |document| {
        document.text("Code", error.code.as_str());
        document.text("Message", &error.message);
        for (name, value) in &error.fields {
            document.text(name, value);
        }
        document.text("Resource", resource);
        document.text("RequestId", request_id);
        document.text("HostId", request_id);
    });
    document.finish()
}

/// What a listing of buckets answers with besides them.
#[derive(Debug, Clone, Copy, Default)]
pub struct BucketPage<'a> {
    /// The prefix asked for.
    pub prefix: Option<&'a str>,
    /// The token to continue with, when more buckets follow.
    pub continuation_token: Option<&'a str>,
    /// The region of the buckets, where it is to be named.
    pub region: Option<&'a str>,
}

/// `<ListAllMyBucketsResult>`; buckets as (name, creation in ms), sorted by name.
pub fn list_buckets(owner: &Owner, buckets: &[(String, u64)], page: BucketPage<'_>) -> Vec<u8> {
    let mut document = Document::new();
    document.root("ListAllMyBucketsResult", |document| {
        write_owner(document, owner);
        document.element("Buckets", |document| {
            for (name, created_unix_ms) in buckets {
                document.element("Bucket", |document| {
                    document.text("Name", name);
                    document.text("CreationDate", &date::iso8601(*created_unix_ms));
                    if let Some(region) = page.region {
                        document.text("BucketRegion", region);
                    }
                });
            }
        });
        if let Some(token) = page.continuation_token {
            document.text("ContinuationToken", token);
        }
        if let Some(prefix) = page.prefix {
            document.text("Prefix", prefix);
        }
    });
    document.finish()
}

/// `<LocationConstraint>`; `us-east-1` is an empty element, as AWS does.
pub fn location(region: &str) -> Vec<u8> {
    let mut document = Document::new();
    document.root_text("LocationConstraint", if region == "us-east-1" { "" } else { region });
    document.finish()
}

/// `<AccessControlPolicy>` with the owner's FULL_CONTROL.
pub fn acl_owner_full_control(owner: &Owner) -> Vec<u8> {
    let mut document = Document::new();
    document.root("AccessControlPolicy", |document| {
        write_owner(document, owner);
        document.element("AccessControlList", |document| {
            document.element("Grant", |document| {
                document.element_with_attributes(
                    "Grantee",
                    &[
                        ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"),
                        ("xsi:type", "CanonicalUser"),
                    ],
                    |document| {
                        document.text("ID", &owner.id);
                        document.text("DisplayName", &owner.display_name);
                    },
                );
                document.text("Permission", "FULL_CONTROL");
            });
        });
    });
    document.finish()
}

/// `<Tagging>` with an empty TagSet.
pub fn tagging_empty() -> Vec<u8> {
    let mut document = Document::new();
    document.root("Tagging", |document| document.text("TagSet", ""));
    document.finish()
}

/// An empty document of this root element in S3's namespace, such as `BucketLoggingStatus`, `NotificationConfiguration`, `AccelerateConfiguration`.
pub fn empty(root: &str) -> Vec<u8> {
    let mut document = Document::new();
    document.root_text(root, "");
    document.finish()
}

/// A list of configurations of which there are none.
pub fn empty_list(root: &str) -> Vec<u8> {
    let mut document = Document::new();
    document.root(root, |document| document.text("IsTruncated", "false"));
    document.finish()
}

/// What a listing answer echoes.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)]
pub struct ListResult<'a> {
    pub bucket: &'a str,
    pub prefix: &'a str,
    pub delimiter: Option<&'a str>,
    pub max_keys: usize,
    /// `encoding-type=url` was asked for.
    pub url_encoding: bool,
    /// With every key, when asked for (v1 always).
    pub owner: Option<&'a Owner>,
    /// v1: the marker sent.
    pub marker: &'a str,
    /// v2: the start-after sent.
    pub start_after: Option<&'a str>,
    /// v2: the continuation token sent.
    pub continuation_token: Option<&'a str>,
    /// v2: the token to continue with, when truncated.
    pub next_continuation_token: Option<&'a str>,
    /// v1: NextMarker, when truncated and a delimiter was sent.
    pub next_marker: Option<&'a str>,
}

/// `<ListBucketResult>` of ListObjects (v1).
pub fn list_objects_v1(result: &ListResult<'_>, page: &ListPage) -> Vec<u8> {
    let mut document = Document::with_capacity(list_bytes(page));
    document.root("ListBucketResult", |document| {
        document.text("Name", result.bucket);
        result.write_name(document, "Prefix", result.prefix);
        result.write_name(document, "Marker", result.marker);
        if let Some(next_marker) = result.next_marker {
            result.write_name(document, "NextMarker", next_marker);
        }
        result.write_common(document, page);
    });
    document.finish()
}

/// `<ListBucketResult>` of ListObjectsV2.
pub fn list_objects_v2(result: &ListResult<'_>, page: &ListPage) -> Vec<u8> {
    let mut document = Document::with_capacity(list_bytes(page));
    document.root("ListBucketResult", |document| {
        document.text("Name", result.bucket);
        result.write_name(document, "Prefix", result.prefix);
        if let Some(start_after) = result.start_after {
            result.write_name(document, "StartAfter", start_after);
        }
        if let Some(token) = result.continuation_token {
            document.text("ContinuationToken", token);
        }
        if let Some(token) = result.next_continuation_token {
            document.text("NextContinuationToken", token);
        }
        document.number("KeyCount", page.entries.len());
        result.write_common(document, page);
    });
    document.finish()
}

impl ListResult<'_> {
    /// What both versions share.
    fn write_common(&self, document: &mut Document, page: &ListPage) {
        document.number("MaxKeys", self.max_keys);
        if let Some(delimiter) = self.delimiter {
            self.write_name(document, "Delimiter", delimiter);
        }
        if self.url_encoding {
            document.text("EncodingType", "url");
        }
        document.text("IsTruncated", if page.truncated { "true" } else { "false" });
        for entry in &page.entries {
            if let ListEntry::Object(object) = entry {
                document.element("Contents", |document| self.write_object(document, object));
            }
        }
        for entry in &page.entries {
            if let ListEntry::CommonPrefix(prefix) = entry {
                document.element("CommonPrefixes", |document| self.write_name(document, "Prefix", prefix));
            }
        }
    }

    fn write_object(&self, document: &mut Document, object: &ListedObject) {
        self.write_name(document, "Key", &object.key);
        document.text("LastModified", &date::iso8601(object.modified_unix_ms));
        document.quoted("ETag", &object.etag);
        write_checksum(document, object);
        document.number("Size", object.size);
        if let Some(owner) = self.owner {
            write_owner(document, owner);
        }
        document.text("StorageClass", object.storage_class.as_deref().unwrap_or("STANDARD"));
    }

    /// A key or a part of one, in the encoding asked for.
    fn write_name(&self, document: &mut Document, element: &str, name: &str) {
        if self.url_encoding {
            document.text(element, &url_encoded(name));
        } else {
            document.text(element, name);
        }
    }
}

/// S3's `encoding-type=url`: percent-encoding that keeps `/` and `*`, encodes `~`, and writes a space as `+`.
pub(super) fn url_encoded(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' | b'/' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => percent::push_escape(byte, &mut out),
        }
    }
    out
}

/// About what a listing takes, to allocate once.
fn list_bytes(page: &ListPage) -> usize {
    let names: usize = page.entries.iter().map(|entry| entry.name().len()).sum();
    1024 + names + page.entries.len() * 256
}

/// Which checksum is kept with an object, for clients that then ask for it.
pub(super) fn write_checksum(document: &mut Document, object: &ListedObject) {
    if let Some((algorithm, form)) = object.checksum {
        document.text("ChecksumAlgorithm", algorithm.name());
        document.text("ChecksumType", form.name());
    }
}

pub(super) fn write_owner(document: &mut Document, owner: &Owner) {
    document.element("Owner", |document| {
        document.text("ID", &owner.id);
        document.text("DisplayName", &owner.display_name);
    });
}

/// One line of a DeleteResult.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteOutcome {
    /// The key.
    pub key: String,
    /// The version id that was asked for.
    pub version_id: Option<String>,
    /// The delete marker that was made, or removed; or why nothing happened.
    pub result: Result<Option<VersionId>, S3Error>,
}

/// `<DeleteResult>`; `quiet` leaves out successes.
pub fn delete_result(outcomes: &[DeleteOutcome], quiet: bool) -> Vec<u8> {
    let mut document = Document::new();
    document.root("DeleteResult", |document| {
        for outcome in outcomes {
            match &outcome.result {
                Ok(_) if quiet => {}
                Ok(delete_marker) => document.element("Deleted", |document| {
                    document.text("Key", &outcome.key);
                    write_version_id(document, outcome);
                    if let Some(delete_marker) = delete_marker {
                        document.text("DeleteMarker", "true");
                        document.text("DeleteMarkerVersionId", &delete_marker.to_string());
                    }
                }),
                Err(error) => document.element("Error", |document| {
                    document.text("Key", &outcome.key);
                    write_version_id(document, outcome);
                    document.text("Code", error.code.as_str());
                    document.text("Message", &error.message);
                }),
            }
        }
    });
    document.finish()
}

fn write_version_id(document: &mut Document, outcome: &DeleteOutcome) {
    if let Some(version_id) = &outcome.version_id {
        document.text("VersionId", version_id);
    }
}
