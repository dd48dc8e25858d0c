//! Listing without I/O: one rule for a shard's page; [`super::merge`] makes one page of the pages of many shards.

mod wire;

use super::{
    properties::LastModified,
    version::{UploadId, VersionId},
};
use crate::digest::{checksum::ChecksumAlgorithm, stored::ChecksumForm};

/// What a listing is of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ListScope {
    /// The objects of a bucket that never had versions.
    #[default]
    Objects,
    /// The newest versions, where they are objects; listed as objects.
    Newest,
    /// The same, listed as versions.
    NewestVersions,
    /// All versions and delete markers, the newest of a key first.
    Versions {
        /// Begin after this version of the key `start_after`; `None`: after all of them.
        after: Option<VersionId>,
    },
    /// Multipart uploads, the oldest of a key first.
    Uploads {
        /// Begin after this upload of the key `start_after`; `None`: after all of them.
        after: Option<UploadId>,
    },
}

/// What a listing asks for, after version differences are resolved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// Only keys that start with this.
    pub prefix: String,
    /// Keys that hold this after the prefix are rolled up; empty: none.
    pub delimiter: String,
    /// Only entries after this key or common prefix, exclusive. A start that lies inside a rolled-up prefix (the marker is the
    /// common prefix itself, or starts with it) skips that whole prefix.
    pub start_after: String,
    /// At most this many entries (keys and common prefixes together).
    pub limit: usize,
    /// What is listed.
    pub scope: ListScope,
    /// Whether objects come with [`ObjectDetails`].
    pub details: bool,
}

impl ListQuery {
    /// The same listing from behind an entry on.
    #[must_use]
    pub fn continued(&self, last: &ListEntry) -> Self {
        let scope = match (self.scope, last) {
            (ListScope::Versions { .. }, ListEntry::Version(listed)) => ListScope::Versions {
                after: Some(listed.version),
            },
            (ListScope::Versions { .. }, _) => ListScope::Versions { after: None },
            (ListScope::Uploads { .. }, ListEntry::Upload(listed)) => ListScope::Uploads {
                after: Some(listed.upload),
            },
            (ListScope::Uploads { .. }, _) => ListScope::Uploads { after: None },
            (scope, _) => scope,
        };
        Self {
            start_after: last.name().to_owned(),
            scope,
            ..self.clone()
        }
    }

    /// Whether the key `start_after` itself may have entries in the listing.
    fn begins_within_key(&self) -> bool {
        matches!(
            self.scope,
            ListScope::Versions { after: Some(_) } | ListScope::Uploads { after: Some(_) }
        )
    }
}

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    /// The key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// Modification time, milliseconds since the epoch.
    pub modified_unix_ms: u64,
    /// ETag without quotes.
    pub etag: String,
    /// What checksum is kept with it.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumForm)>,
    /// Storage class; `None` is STANDARD.
    pub storage_class: Option<String>,
    /// Where the listing asks for them.
    pub details: Option<Box<ObjectDetails>>,
}

/// What listings show only who asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectDetails {
    /// When it was written or last read, milliseconds since the epoch; `None`: it never was here.
    pub accessed_unix_ms: Option<u64>,
    /// How often its key was written since it was made, but for the first time; of a numbered version 0.
    pub overwrites: u64,
}

impl ListedObject {
    /// The time clients are told as LastModified, milliseconds since the epoch. The last access is among the details.
    pub fn shown_unix_ms(&self, last_modified: LastModified) -> u64 {
        match (last_modified, &self.details) {
            (LastModified::Atime, Some(details)) => details.accessed_unix_ms.unwrap_or(0),
            _ => self.modified_unix_ms,
        }
    }
}

/// A version in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedVersion {
    /// The object; of a delete marker key and time.
    pub object: ListedObject,
    /// Which version it is.
    pub version: VersionId,
    /// Whether it is the newest of its key.
    pub is_latest: bool,
    /// Whether it is a delete marker.
    pub is_delete_marker: bool,
    /// The object's tags.
    pub tags: Vec<(String, String)>,
}

/// A multipart upload in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedUpload {
    /// The key.
    pub key: String,
    /// Which upload it is.
    pub upload: UploadId,
    /// When it began, milliseconds since the epoch.
    pub initiated_unix_ms: u64,
    /// Storage class; `None` is STANDARD.
    pub storage_class: Option<String>,
}

/// An entry of a page, in byte order of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListEntry {
    /// An object.
    Object(ListedObject),
    /// A version.
    Version(Box<ListedVersion>),
    /// A multipart upload.
    Upload(ListedUpload),
    /// A rolled-up prefix, delimiter included.
    CommonPrefix(String),
}

impl ListEntry {
    /// The key or the prefix: what pages are ordered by and continue after.
    pub fn name(&self) -> &str {
        match self {
            Self::Object(object) => &object.key,
            Self::Version(listed) => &listed.object.key,
            Self::Upload(listed) => &listed.key,
            Self::CommonPrefix(prefix) => prefix,
        }
    }

    /// Whether it may stand behind `last` in a page: versions and uploads of one key have the same name.
    pub fn follows(&self, last: &Self) -> bool {
        match (last, self) {
            (Self::Version(_), Self::Version(_)) | (Self::Upload(_), Self::Upload(_)) => last.name() <= self.name(),
            _ => last.name() < self.name(),
        }
    }
}

/// A sorted page of one shard, core or the whole bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListPage {
    /// Sorted by name; only versions and uploads of a key have the same.
    pub entries: Vec<ListEntry>,
    /// Whether more follows the last entry.
    pub truncated: bool,
}

impl ListPage {
    /// Lets its objects and versions show as modified what clients are told as LastModified.
    #[must_use]
    pub fn shown(mut self, last_modified: LastModified) -> Self {
        for entry in &mut self.entries {
            let object = match entry {
                ListEntry::Object(object) => object,
                ListEntry::Version(listed) => &mut listed.object,
                ListEntry::Upload(_) | ListEntry::CommonPrefix(_) => continue,
            };
            object.modified_unix_ms = object.shown_unix_ms(last_modified);
        }
        self
    }
}

/// The common prefix `key` is rolled up into, if any.
pub fn common_prefix<'k>(key: &'k str, prefix: &str, delimiter: &str) -> Option<&'k str> {
    if delimiter.is_empty() {
        return None;
    }
    let position = key.strip_prefix(prefix)?.find(delimiter)?;
    key.get(..prefix.len() + position + delimiter.len())
}

/// The smallest string greater than every string that starts with `prefix`, for seeking past a rolled-up prefix; `None` when there is none.
/// Byte-wise, hence bytes.
pub fn prefix_successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let kept = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut successor = prefix.get(..=kept)?.to_vec();
    *successor.last_mut()? += 1;
    Some(successor)
}

/// Where a scan must start: the smallest key bytes that can be in the page, and whether that bound is inclusive.
pub fn scan_start(query: &ListQuery) -> (Vec<u8>, bool) {
    let start_is_key = common_prefix(&query.start_after, &query.prefix, &query.delimiter).is_none();
    if query.begins_within_key() && start_is_key && query.start_after >= query.prefix {
        return (query.start_after.as_bytes().to_vec(), true);
    }
    if query.start_after.as_bytes() < query.prefix.as_bytes() || query.start_after.is_empty() {
        return (query.prefix.as_bytes().to_vec(), true);
    }
    common_prefix(&query.start_after, &query.prefix, &query.delimiter)
        .and_then(|rolled_up| prefix_successor(rolled_up.as_bytes()))
        .map_or_else(|| (query.start_after.as_bytes().to_vec(), false), |seek| (seek, true))
}

/// Builds a page from keys met in byte order: the shard feeds every key it seeks to and is told where to seek next. It sees one
/// entry more than the page holds, so that `truncated` is the truth.
#[derive(Debug)]
pub struct PageBuilder<'q> {
    query: &'q ListQuery,
    page: ListPage,
}

/// What a scan does after a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScanStep {
    /// Go on with the next key.
    Next,
    /// Seek to this byte string (inclusive): the rest of a rolled-up prefix is skipped.
    Seek(Vec<u8>),
    /// The page is complete or the keys left the prefix.
    Stop,
}

impl<'q> PageBuilder<'q> {
    /// An empty page for `query`.
    pub fn new(query: &'q ListQuery) -> Self {
        Self {
            query,
            page: ListPage::default(),
        }
    }
    /// What is listed.
    pub fn scope(&self) -> ListScope {
        self.query.scope
    }
    /// Whether objects are listed with their details.
    pub fn with_details(&self) -> bool {
        self.query.details
    }
    /// Offers the next key in order, or the next version or upload of one; `entry` is called only when it enters the page.
    pub fn offer(&mut self, key: &str, entry: impl FnOnce() -> ListEntry) -> ScanStep {
        let query = self.query;
        if query.limit == 0 {
            return ScanStep::Stop;
        }
        if !key.starts_with(&query.prefix) {
            return if key < query.prefix.as_str() {
                ScanStep::Seek(query.prefix.as_bytes().to_vec())
            } else {
                ScanStep::Stop
            };
        }
        let rolled_up = common_prefix(key, &query.prefix, &query.delimiter);
        // An empty start_after starts before every name, and no name is empty.
        let name = rolled_up.unwrap_or(key);
        let last = self.page.entries.last();
        let is_new = match last {
            None => {
                let is_start = rolled_up.is_none() && name == query.start_after && query.begins_within_key();
                name > query.start_after.as_str() || is_start
            }
            Some(ListEntry::Version(_) | ListEntry::Upload(_)) if rolled_up.is_none() => true,
            Some(last) => name > last.name(),
        };
        if is_new && self.page.entries.len() >= query.limit {
            self.page.truncated = true;
            return ScanStep::Stop;
        }
        if is_new {
            self.page.entries.push(match rolled_up {
                Some(prefix) => ListEntry::CommonPrefix(prefix.to_owned()),
                None => entry(),
            });
        }
        match rolled_up {
            Some(prefix) => prefix_successor(prefix.as_bytes()).map_or(ScanStep::Stop, ScanStep::Seek),
            None => ScanStep::Next,
        }
    }
    /// The page.
    pub fn finish(self) -> ListPage {
        self.page
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;
