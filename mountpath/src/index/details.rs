//! What a page shows only who asks for it: when objects were last accessed and how often keys were written. Accesses that
//! are not merged yet lie on the core, where a page looks last.

use super::{entry::IndexKey, recent::Recent, row::Row};
use proto::s3::{
    bucket::BucketId,
    listing::{ListEntry, ListPage, ObjectDetails},
    version::VersionId,
};

/// The row that an entry of a page is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedRow {
    /// Which version of its key it is.
    pub version: VersionId,
    /// The number of that version: another one under the same key has another.
    pub number: u64,
}

/// Adds the accesses that are not merged to the details of a page; `rows` are those of its objects and versions, in order.
pub(crate) fn add_recent_accesses(bucket: BucketId, page: &mut ListPage, rows: &[ListedRow], recent: &Recent) {
    let objects = page.entries.iter_mut().filter_map(|entry| match entry {
        ListEntry::Object(object) => Some(object),
        ListEntry::Version(listed) => Some(&mut listed.object),
        ListEntry::Upload(_) | ListEntry::CommonPrefix(_) => None,
    });
    for (object, row) in objects.zip(rows) {
        let key = object.key.as_bytes();
        let touched = match row.version {
            VersionId::Null => recent.with_key(bucket, key, |index_key| recent.touched(index_key)),
            version => {
                let index_key: IndexKey = Row::of_version(key, version).index_key(bucket);
                recent.touched(&index_key)
            }
        };
        if let (Some((number, unix_ms)), Some(details)) = (touched, &mut object.details)
            && number == row.number
        {
            note_access(details, unix_ms);
        }
    }
}

/// The latest access counts.
pub(crate) fn note_access(details: &mut ObjectDetails, unix_ms: u64) {
    details.accessed_unix_ms = Some(details.accessed_unix_ms.map_or(unix_ms, |known| known.max(unix_ms)));
}
