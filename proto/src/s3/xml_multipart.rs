//! XML answers of multipart uploads and copies, as AWS writes them.

use super::{
    listing::{ListEntry, ListPage, ListedUpload},
    version::UploadId,
    xml_document::Document,
    xml_write::{Owner, url_encoded, write_owner},
};
use crate::{
    digest::checksum::ChecksumAlgorithm,
    digest::stored::{ChecksumForm, StoredChecksum},
    http::date,
};

/// `<InitiateMultipartUploadResult>`.
pub fn initiate_result(bucket: &str, key: &str, upload: UploadId) -> Vec<u8> {
    let mut document = Document::new();
    document.root("InitiateMultipartUploadResult", |document| {
        document.text("Bucket", bucket);
        document.text("Key", key);
        document.text("UploadId", &upload.to_string());
    });
    document.finish()
}

/// `<CompleteMultipartUploadResult>`; the ETag without quotes.
pub fn complete_result(
    location: &str,
    bucket: &str,
    key: &str,
    etag: &str,
    checksum: Option<&StoredChecksum>,
) -> Vec<u8> {
    let mut document = Document::new();
    document.root("CompleteMultipartUploadResult", |document| {
        document.text("Location", location);
        document.text("Bucket", bucket);
        document.text("Key", key);
        document.quoted("ETag", etag);
        write_checksum(document, checksum, true);
    });
    document.finish()
}

/// `<CopyObjectResult>`; the ETag without quotes.
pub fn copy_object_result(etag: &str, modified_unix_ms: u64, checksum: Option<&StoredChecksum>) -> Vec<u8> {
    let mut document = Document::new();
    document.root("CopyObjectResult", |document| {
        document.text("LastModified", &date::iso8601(modified_unix_ms));
        document.quoted("ETag", etag);
        write_checksum(document, checksum, true);
    });
    document.finish()
}

/// `<CopyPartResult>`; the ETag without quotes.
pub fn copy_part_result(etag: &str, modified_unix_ms: u64, checksum: Option<&StoredChecksum>) -> Vec<u8> {
    let mut document = Document::new();
    document.root("CopyPartResult", |document| {
        document.text("LastModified", &date::iso8601(modified_unix_ms));
        document.quoted("ETag", etag);
        write_checksum(document, checksum, false);
    });
    document.finish()
}

/// What ListParts echoes, and the upload it is of.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct PartsResult<'a> {
    pub bucket: &'a str,
    pub key: &'a str,
    pub upload: UploadId,
    pub part_number_marker: u16,
    pub max_parts: usize,
    /// More parts follow the last one.
    pub truncated: bool,
    pub initiator: &'a Owner,
    pub owner: &'a Owner,
    /// `None` is STANDARD.
    pub storage_class: Option<&'a str>,
    pub checksum: Option<(ChecksumAlgorithm, ChecksumForm)>,
    /// In order of their numbers.
    pub parts: &'a [ListedPart],
}

/// A part in ListParts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPart {
    /// Its number.
    pub number: u16,
    /// Milliseconds since the epoch.
    pub modified_unix_ms: u64,
    /// Without quotes.
    pub etag: String,
    /// Bytes.
    pub size: u64,
    /// Its checksum, if it has one.
    pub checksum: Option<StoredChecksum>,
}

/// `<ListPartsResult>`.
pub fn list_parts_result(result: &PartsResult<'_>) -> Vec<u8> {
    let mut document = Document::with_capacity(1024 + result.parts.len() * 256);
    document.root("ListPartsResult", |document| {
        document.text("Bucket", result.bucket);
        document.text("Key", result.key);
        document.text("UploadId", &result.upload.to_string());
        document.element("Initiator", |document| {
            document.text("ID", &result.initiator.id);
            document.text("DisplayName", &result.initiator.display_name);
        });
        write_owner(document, result.owner);
        document.text("StorageClass", result.storage_class.unwrap_or("STANDARD"));
        document.number("PartNumberMarker", result.part_number_marker);
        let next = result.parts.last().map_or(0, |part| part.number);
        document.number("NextPartNumberMarker", next);
        document.number("MaxParts", result.max_parts);
        document.text("IsTruncated", if result.truncated { "true" } else { "false" });
        for part in result.parts {
            document.element("Part", |document| {
                document.number("PartNumber", part.number);
                document.text("LastModified", &date::iso8601(part.modified_unix_ms));
                document.quoted("ETag", &part.etag);
                document.number("Size", part.size);
                write_checksum(document, part.checksum.as_ref(), false);
            });
        }
        if let Some((algorithm, form)) = result.checksum {
            document.text("ChecksumAlgorithm", algorithm.name());
            document.text("ChecksumType", form.name());
        }
    });
    document.finish()
}

/// What ListMultipartUploads echoes.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct UploadsResult<'a> {
    pub bucket: &'a str,
    pub prefix: &'a str,
    pub delimiter: Option<&'a str>,
    pub key_marker: &'a str,
    pub upload_id_marker: &'a str,
    pub max_uploads: usize,
    /// `encoding-type=url` was asked for.
    pub url_encoding: bool,
    /// Who has begun all uploads, and owns them: the bucket's owner.
    pub owner: &'a Owner,
}

/// `<ListMultipartUploadsResult>`.
pub fn list_uploads_result(result: &UploadsResult<'_>, page: &ListPage) -> Vec<u8> {
    let mut document = Document::with_capacity(1024 + page.entries.len() * 512);
    document.root("ListMultipartUploadsResult", |document| {
        document.text("Bucket", result.bucket);
        result.write_name(document, "KeyMarker", result.key_marker);
        document.text("UploadIdMarker", result.upload_id_marker);
        if let Some(last) = page.entries.last().filter(|_| page.truncated) {
            result.write_name(document, "NextKeyMarker", last.name());
            let upload = match last {
                ListEntry::Upload(listed) => listed.upload.to_string(),
                _ => String::new(),
            };
            document.text("NextUploadIdMarker", &upload);
        }
        if let Some(delimiter) = result.delimiter {
            result.write_name(document, "Delimiter", delimiter);
        }
        result.write_name(document, "Prefix", result.prefix);
        if result.url_encoding {
            document.text("EncodingType", "url");
        }
        document.number("MaxUploads", result.max_uploads);
        document.text("IsTruncated", if page.truncated { "true" } else { "false" });
        for entry in &page.entries {
            if let ListEntry::Upload(listed) = entry {
                document.element("Upload", |document| result.write_upload(document, listed));
            }
        }
        for entry in &page.entries {
            if let ListEntry::CommonPrefix(prefix) = entry {
                document.element("CommonPrefixes", |document| {
                    result.write_name(document, "Prefix", prefix)
                });
            }
        }
    });
    document.finish()
}

impl UploadsResult<'_> {
    fn write_upload(&self, document: &mut Document, listed: &ListedUpload) {
        self.write_name(document, "Key", &listed.key);
        document.text("UploadId", &listed.upload.to_string());
        document.element("Initiator", |document| {
            document.text("ID", &self.owner.id);
            document.text("DisplayName", &self.owner.display_name);
        });
        write_owner(document, self.owner);
        document.text("StorageClass", listed.storage_class.as_deref().unwrap_or("STANDARD"));
        document.text("Initiated", &date::iso8601(listed.initiated_unix_ms));
    }

    fn write_name(&self, document: &mut Document, element: &str, name: &str) {
        match self.url_encoding {
            true => document.text(element, &url_encoded(name)),
            false => document.text(element, name),
        }
    }
}

/// The element of a checksum, and its type where an answer has one.
fn write_checksum(document: &mut Document, checksum: Option<&StoredChecksum>, with_type: bool) {
    if let Some(checksum) = checksum {
        document.text(&format!("Checksum{}", checksum.algorithm().name()), &checksum.text());
        if with_type {
            document.text("ChecksumType", checksum.form().name());
        }
    }
}
