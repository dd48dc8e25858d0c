//! Pages of a bucket: the database merged with memtables. A page costs what it holds, since rolled-up prefixes are skipped by
//! seeking.

use super::{
    details::ListedRow,
    entry::{Home, IndexKey, Memtable, ObjectEntry, split_index_key},
    error::DatabaseError,
    merge::{Held, Merge},
    row::{NULL_ROWS, PART_ROWS, Row, UPLOAD_ROWS, object_key, prefix, seek_name, watched_parts},
    tables::Reader,
    version_page,
};
use proto::s3::{
    bucket::BucketId,
    listing::{
        ListEntry, ListPage, ListQuery, ListScope, ListedUpload, PageBuilder, ScanStep, prefix_successor, scan_start,
    },
    version::UploadId,
};
use std::{ops::Bound, sync::Arc};

/// Sequence and place of the newest record of a row.
pub(crate) fn newest(
    reader: &Reader,
    index_key: &[u8],
    overlays: &[Memtable],
) -> Result<Option<(u64, Home)>, DatabaseError> {
    let mut newest: Option<(u64, Home)> = None;
    for latest in overlays.iter().filter_map(|overlay| overlay.get(index_key)) {
        // Of the same record's places the newest overlay knows the newest.
        if newest.is_none_or(|(sequence, _)| latest.sequence() > sequence) {
            newest = Some((latest.sequence(), latest.home()));
        }
    }
    let stored = match reader.object_head(index_key)? {
        Some(head) => Some((head.sequence, head.home)),
        None => reader
            .tombstone(index_key)?
            .map(|tombstone| (tombstone.sequence, tombstone.home)),
    };
    Ok(match (newest, stored) {
        (Some(newest), Some(stored)) if stored.0 > newest.0 => Some(stored),
        (newest, stored) => newest.or(stored),
    })
}

/// A page of a bucket; `rows`: those of its objects and versions are added, if it comes with details.
pub(crate) fn page(
    reader: &Reader,
    bucket: BucketId,
    query: &ListQuery,
    overlays: &[Memtable],
    rows: &mut Vec<ListedRow>,
) -> Result<ListPage, DatabaseError> {
    match query.scope {
        ListScope::Objects => objects(reader, bucket, query, overlays, rows),
        ListScope::Newest | ListScope::NewestVersions | ListScope::Versions { .. } => {
            version_page::page(reader, bucket, query, overlays, rows)
        }
        ListScope::Uploads { .. } => uploads(reader, bucket, query, overlays),
    }
}

fn objects(
    reader: &Reader,
    bucket: BucketId,
    query: &ListQuery,
    overlays: &[Memtable],
    rows: &mut Vec<ListedRow>,
) -> Result<ListPage, DatabaseError> {
    let (start, inclusive) = scan_start(query);
    let start = object_key(bucket, &start);
    let from = if inclusive {
        Bound::Included(&*start)
    } else {
        Bound::Excluded(&*start)
    };
    let mut merge = Merge::open(reader, (bucket, NULL_ROWS), from, overlays)?;
    let mut builder = PageBuilder::new(query);
    while let Some(held) = merge.held()? {
        let key = held.key.get(OBJECT_KEY_AT..).map(std::str::from_utf8);
        let step = match key {
            Some(Ok(key)) => offer(&mut builder, key, || {
                let listed = match query.details {
                    true => held.listed_with_details(key, rows)?,
                    false => held.listed(key)?,
                };
                Ok(ListEntry::Object(listed))
            })?,
            // S3 keys are UTF-8; no other can be listed.
            _ => ScanStep::Next,
        };
        match step {
            ScanStep::Next => merge.step()?,
            ScanStep::Seek(next) => merge.seek(&object_key(bucket, &next))?,
            ScanStep::Stop => break,
        }
    }
    Ok(builder.finish())
}

/// Where the key begins in the index key of a null version.
const OBJECT_KEY_AT: usize = size_of::<u64>() + 1;

fn uploads(
    reader: &Reader,
    bucket: BucketId,
    query: &ListQuery,
    overlays: &[Memtable],
) -> Result<ListPage, DatabaseError> {
    let (start, inclusive) = scan_start(query);
    let within = match query.scope {
        ListScope::Uploads { after } => after.filter(|_| inclusive && start == query.start_after.as_bytes()),
        _ => None,
    };
    let start = match within {
        Some(after) => Row::of_upload(&start, after).index_key(bucket).to_vec(),
        None => seek_name(bucket, UPLOAD_ROWS, &start, !inclusive),
    };
    let from = match within {
        Some(_) => Bound::Excluded(start.as_slice()),
        None => Bound::Included(start.as_slice()),
    };
    let mut merge = Merge::open(reader, (bucket, UPLOAD_ROWS), from, overlays)?;
    let mut builder = PageBuilder::new(query);
    while let Some(held) = merge.held()? {
        let step = match split_index_key(held.key).and_then(|(_, row)| Row::decode(row)) {
            Some(Row::Upload(key, upload)) => match std::str::from_utf8(&key) {
                Ok(key) => offer(&mut builder, key, || listed_upload(&held, key, upload))?,
                Err(_) => ScanStep::Next,
            },
            _ => ScanStep::Next,
        };
        match step {
            ScanStep::Next => merge.step()?,
            ScanStep::Seek(next) => merge.seek(&seek_name(bucket, UPLOAD_ROWS, &next, false))?,
            ScanStep::Stop => break,
        }
    }
    Ok(builder.finish())
}

fn listed_upload(held: &Held<'_, '_>, key: &str, upload: UploadId) -> Result<ListEntry, DatabaseError> {
    let listed = held.listed(key)?;
    Ok(ListEntry::Upload(ListedUpload {
        key: listed.key,
        upload,
        initiated_unix_ms: listed.modified_unix_ms,
        storage_class: listed.storage_class,
    }))
}

/// How many rows are wanted, and how much of them.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// At most so many.
    pub limit: usize,
    /// Entries may lack their block checksums: of ten thousand parts they would take gigabytes.
    pub without_blocks: bool,
}

/// The first rows whose index keys begin with `prefix` and are greater than `after`.
pub(crate) fn first_rows(
    reader: &Reader,
    prefix: &[u8],
    after: Option<&[u8]>,
    wanted: Wanted,
    overlays: &[Memtable],
) -> Result<Vec<(IndexKey, Arc<ObjectEntry>)>, DatabaseError> {
    let mut rows = Vec::new();
    let Some((bucket, row)) = split_index_key(prefix) else {
        return Ok(rows);
    };
    let Some(kind) = row.first() else {
        return Ok(rows);
    };
    let from = after.map_or(Bound::Included(prefix), Bound::Excluded);
    let mut merge = Merge::open(reader, (bucket, *kind), from, overlays)?;
    while rows.len() < wanted.limit {
        match merge.held()? {
            Some(held) if held.key.starts_with(prefix) => {
                let entry = match wanted.without_blocks {
                    true => held.entry_without_blocks()?,
                    false => held.entry()?,
                };
                rows.push((held.key.into(), entry));
            }
            _ => break,
        }
        merge.step()?;
    }
    Ok(rows)
}

/// The first upload of which the database has parts after this one.
pub(crate) fn next_upload_with_parts(
    reader: &Reader,
    after: Option<(BucketId, UploadId)>,
) -> Result<Option<(BucketId, UploadId)>, DatabaseError> {
    let (mut bucket, mut from) = match after {
        None => (BucketId(0), prefix(BucketId(0), PART_ROWS)),
        Some((bucket, upload)) => (
            bucket,
            prefix_successor(&watched_parts(bucket, upload)).unwrap_or_default(),
        ),
    };
    loop {
        let next = reader.objects.range::<&[u8]>(from.as_slice()..)?.next().transpose()?;
        let Some((key, _)) = next else {
            return Ok(None);
        };
        let Some((found, row)) = split_index_key(key.value()) else {
            return Ok(None);
        };
        if let Some(Row::Part(upload, _)) = Row::decode(row) {
            return Ok(Some((found, upload)));
        }
        // Other rows of this bucket come before its parts; it has none if they come after.
        bucket = match found == bucket && *key.value() > *prefix(bucket, PART_ROWS) {
            true => BucketId(found.0.saturating_add(1)),
            false => found,
        };
        from = prefix(bucket, PART_ROWS);
    }
}

/// Offers an entry that may turn out not to be readable.
pub(crate) fn offer(
    builder: &mut PageBuilder<'_>,
    key: &str,
    entry: impl FnOnce() -> Result<ListEntry, DatabaseError>,
) -> Result<ScanStep, DatabaseError> {
    let mut undecoded = None;
    let step = builder.offer(key, || {
        entry().unwrap_or_else(|error| {
            undecoded = Some(error);
            // Stands there until the error is returned.
            ListEntry::CommonPrefix(key.to_owned())
        })
    });
    match undecoded {
        Some(error) => Err(error),
        None => Ok(step),
    }
}
