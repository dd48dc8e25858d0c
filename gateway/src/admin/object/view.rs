//! An object as the admin API shows it.

use proto::{
    http::date::iso8601,
    s3::{
        listing::{ListEntry, ListedObject, ListedVersion},
        version::Versioning,
    },
};
use serde::Serialize;

/// See the module.
#[derive(Debug, Serialize)]
pub struct ObjectView {
    name: String,
    size: u64,
    etag: String,
    checksum: Option<ChecksumView>,
    modified: String,
    accessed: Option<String>,
    version: String,
    latest: bool,
    delete_marker: bool,
    storage_class: String,
}

/// The checksum that an ETag is.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct ChecksumView {
    #[serde(rename = "type")]
    kind: &'static str,
    value: String,
}

impl ObjectView {
    /// Of an entry of a listing with details; `None`: it is no object.
    pub fn new(entry: &ListEntry, versioning: Versioning) -> Option<Self> {
        match entry {
            ListEntry::Object(object) => Some(Self::of(object, None, versioning)),
            ListEntry::Version(listed) => Some(Self::of(&listed.object, Some(listed), versioning)),
            ListEntry::Upload(_) | ListEntry::CommonPrefix(_) => None,
        }
    }

    fn of(object: &ListedObject, listed: Option<&ListedVersion>, versioning: Versioning) -> Self {
        let is_delete_marker = listed.is_some_and(|listed| listed.is_delete_marker);
        let details = object.details.as_ref().filter(|_| !is_delete_marker);
        let version = match listed.filter(|_| versioning.is_versioned()) {
            Some(listed) => listed.version.to_string(),
            None => (1 + details.map_or(0, |details| details.overwrites)).to_string(),
        };
        Self {
            name: object.key.clone(),
            size: object.size,
            checksum: checksum(&object.etag),
            etag: object.etag.clone(),
            modified: iso8601(object.modified_unix_ms),
            accessed: details.and_then(|details| details.accessed_unix_ms).map(iso8601),
            version,
            latest: listed.is_none_or(|listed| listed.is_latest),
            delete_marker: is_delete_marker,
            storage_class: object.storage_class.clone().unwrap_or_else(|| "STANDARD".to_owned()),
        }
    }
}

/// The checksum that an ETag without quotes is.
fn checksum(etag: &str) -> Option<ChecksumView> {
    let is_hex = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let (value, kind) = match etag.split_once('-') {
        None if etag.len() == 32 => (etag, "md5"),
        Some((value, "x")) => (value, kind_of_marked(value)?),
        Some((value, parts)) if value.len() == 32 && parts_of(parts).is_some() => (value, "md5-of-parts"),
        _ => return None,
    };
    is_hex(value).then(|| ChecksumView {
        kind,
        value: value.to_owned(),
    })
}

/// What an ETag that ends with `-x` is begins with, by its length: of buckets whose `checksum.type` is not md5.
fn kind_of_marked(value: &str) -> Option<&'static str> {
    Some(match value.len() {
        8 => "crc32c",
        32 => "xxhash",
        64 => "sha256",
        128 => "sha512",
        _ => return None,
    })
}

/// How many parts an object was uploaded in, as its ETag says; `None`: in one piece.
pub fn parts(etag: &str) -> Option<u32> {
    parts_of(etag.split_once('-')?.1)
}

fn parts_of(text: &str) -> Option<u32> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{checksum, parts};

    #[test]
    fn etags_are_checksums() {
        let kind = |etag: &str| checksum(etag).map(|checksum| checksum.kind);
        let hex = |length: usize| "0a".repeat(length / 2);
        for (etag, expected) in [
            (hex(32), Some("md5")),
            (hex(32) + "-x", Some("xxhash")),
            (hex(8) + "-x", Some("crc32c")),
            (hex(64) + "-x", Some("sha256")),
            (hex(128) + "-x", Some("sha512")),
            (hex(32) + "-7", Some("md5-of-parts")),
            (hex(30), None),
            (hex(30) + "-x", None),
            (hex(30) + "-7", None),
            (hex(32) + "-y", None),
            ("g".repeat(32), None),
            (String::new(), None),
        ] {
            assert_eq!(kind(&etag), expected, "{etag}");
        }
        assert_eq!(checksum(&(hex(8) + "-x")).map(|checksum| checksum.value), Some(hex(8)));
        assert_eq!((parts(&hex(32)), parts(&(hex(32) + "-7"))), (None, Some(7)));
        assert_eq!(parts(&(hex(32) + "-x")), None);
    }
}
