//! `<ListVersionsResult>` (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html>).

use super::{
    listing::{ListEntry, ListPage, ListedVersion},
    xml_document::Document,
    xml_write::{Owner, url_encoded, write_checksum, write_owner},
};
use crate::http::date;

/// What the answer echoes.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct VersionsResult<'a> {
    pub bucket: &'a str,
    pub prefix: &'a str,
    pub delimiter: Option<&'a str>,
    pub max_keys: usize,
    pub key_marker: &'a str,
    pub version_id_marker: &'a str,
    /// `encoding-type=url` was asked for.
    pub url_encoding: bool,
    /// The owner of all versions.
    pub owner: &'a Owner,
}

/// Writes a page of versions, delete markers in between; the markers to continue with come from its last entry.
pub fn list_versions(result: &VersionsResult<'_>, page: &ListPage) -> Vec<u8> {
    let names: usize = page.entries.iter().map(|entry| entry.name().len()).sum();
    let mut document = Document::with_capacity(1024 + names + page.entries.len() * 512);
    document.root("ListVersionsResult", |document| {
        document.text("Name", result.bucket);
        result.write_name(document, "Prefix", result.prefix);
        result.write_name(document, "KeyMarker", result.key_marker);
        document.text("VersionIdMarker", result.version_id_marker);
        if let Some(last) = page.entries.last().filter(|_| page.truncated) {
            result.write_name(document, "NextKeyMarker", last.name());
            if let ListEntry::Version(listed) = last {
                document.text("NextVersionIdMarker", &listed.version.to_string());
            }
        }
        document.number("MaxKeys", result.max_keys);
        if let Some(delimiter) = result.delimiter {
            result.write_name(document, "Delimiter", delimiter);
        }
        if result.url_encoding {
            document.text("EncodingType", "url");
        }
        document.text("IsTruncated", boolean(page.truncated));
        for entry in &page.entries {
            if let ListEntry::Version(listed) = entry {
                result.write_version(document, listed);
            }
        }
        for entry in &page.entries {
            if let ListEntry::CommonPrefix(prefix) = entry {
                document.element("CommonPrefixes", |document| {
                    result.write_name(document, "Prefix", prefix);
                });
            }
        }
    });
    document.finish()
}

impl VersionsResult<'_> {
    fn write_version(&self, document: &mut Document, listed: &ListedVersion) {
        let object = &listed.object;
        let element = match listed.is_delete_marker {
            true => "DeleteMarker",
            false => "Version",
        };
        document.element(element, |document| {
            self.write_name(document, "Key", &object.key);
            document.text("VersionId", &listed.version.to_string());
            document.text("IsLatest", boolean(listed.is_latest));
            document.text("LastModified", &date::iso8601(object.modified_unix_ms));
            if !listed.is_delete_marker {
                document.quoted("ETag", &object.etag);
                write_checksum(document, object);
                document.number("Size", object.size);
                document.text("StorageClass", object.storage_class.as_deref().unwrap_or("STANDARD"));
            }
            write_owner(document, self.owner);
        });
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

fn boolean(value: bool) -> &'static str {
    match value {
        true => "true",
        false => "false",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{VersionsResult, list_versions};
    use crate::{
        digest::{checksum::ChecksumAlgorithm, stored::ChecksumForm},
        s3::{
            listing::{ListEntry, ListPage, ListedObject, ListedVersion},
            version::VersionId,
            xml_write::Owner,
        },
    };

    fn version(key: &str, version: VersionId, is_latest: bool, is_delete_marker: bool) -> ListEntry {
        ListEntry::Version(Box::new(ListedVersion {
            object: ListedObject {
                key: key.to_owned(),
                size: 5,
                modified_unix_ms: 1_795_435_200_042,
                etag: "e".to_owned(),
                checksum: Some((ChecksumAlgorithm::Crc32, ChecksumForm::FullObject)),
                storage_class: None,
                details: None,
            },
            version,
            is_latest,
            is_delete_marker,
            tags: Vec::new(),
        }))
    }

    fn written(page: &ListPage, url_encoding: bool) -> String {
        let owner = Owner {
            id: "o".to_owned(),
            display_name: "n".to_owned(),
        };
        let result = VersionsResult {
            bucket: "b",
            prefix: "p ",
            delimiter: Some("/"),
            max_keys: 3,
            key_marker: "k&",
            version_id_marker: "null",
            url_encoding,
            owner: &owner,
        };
        String::from_utf8(list_versions(&result, page)).unwrap()
    }

    const OWNER: &str = "<Owner><ID>o</ID><DisplayName>n</DisplayName></Owner>";

    #[test]
    fn versions_and_delete_markers_stay_in_order() {
        let page = ListPage {
            entries: vec![
                version("p a", VersionId::Number(11), true, true),
                version("p a", VersionId::Null, false, false),
                ListEntry::CommonPrefix("p b/".to_owned()),
                version("p c", VersionId::Number(10), true, false),
            ],
            truncated: true,
        };
        let date = "<LastModified>2026-11-23T12:00:00.042Z</LastModified>";
        let checksum = "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>";
        let rest =
            format!("<ETag>&quot;e&quot;</ETag>{checksum}<Size>5</Size><StorageClass>STANDARD</StorageClass>{OWNER}");
        assert_eq!(
            written(&page, false).split_once('\n').unwrap().1,
            format!(
                "<ListVersionsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name><Prefix>p </Prefix>\
                 <KeyMarker>k&amp;</KeyMarker><VersionIdMarker>null</VersionIdMarker><NextKeyMarker>p c</NextKeyMarker>\
                 <NextVersionIdMarker>000000000000000a</NextVersionIdMarker><MaxKeys>3</MaxKeys><Delimiter>/</Delimiter>\
                 <IsTruncated>true</IsTruncated>\
                 <DeleteMarker><Key>p a</Key><VersionId>000000000000000b</VersionId><IsLatest>true</IsLatest>{date}{OWNER}</DeleteMarker>\
                 <Version><Key>p a</Key><VersionId>null</VersionId><IsLatest>false</IsLatest>{date}{rest}</Version>\
                 <Version><Key>p c</Key><VersionId>000000000000000a</VersionId><IsLatest>true</IsLatest>{date}{rest}</Version>\
                 <CommonPrefixes><Prefix>p b/</Prefix></CommonPrefixes></ListVersionsResult>"
            )
        );
    }

    #[test]
    fn a_page_may_end_in_a_prefix() {
        let mut page = ListPage {
            entries: vec![ListEntry::CommonPrefix("p b/".to_owned())],
            truncated: true,
        };
        let truncated = written(&page, true);
        assert!(
            truncated.contains("<NextKeyMarker>p+b/</NextKeyMarker><MaxKeys>"),
            "{truncated}"
        );
        assert!(
            truncated.contains("<Prefix>p+</Prefix><KeyMarker>k%26</KeyMarker>"),
            "{truncated}"
        );
        assert!(truncated.contains("<EncodingType>url</EncodingType>"), "{truncated}");
        page.truncated = false;
        assert!(!written(&page, true).contains("NextKeyMarker"));
    }
}
