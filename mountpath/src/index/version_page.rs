//! Pages of versions: the null version and the numbered versions of a key lie in different places, and the number of the
//! null version says where among the others it belongs.

use super::{
    details::ListedRow,
    entry::{Memtable, split_index_key},
    error::DatabaseError,
    merge::Merge,
    page::offer,
    row::{NULL_ROWS, NUMBERED_ROWS, Row, object_key, seek_name},
    tables::Reader,
};
use crate::record::Placement;
use proto::s3::{
    bucket::BucketId,
    listing::{ListEntry, ListPage, ListQuery, ListScope, ListedVersion, PageBuilder, ScanStep, scan_start},
    version::VersionId,
};
use std::ops::Bound;

/// A page of versions, or of the newest ones that are objects.
pub(crate) fn page(
    reader: &Reader,
    bucket: BucketId,
    query: &ListQuery,
    overlays: &[Memtable],
    rows: &mut Vec<ListedRow>,
) -> Result<ListPage, DatabaseError> {
    let (start, inclusive) = scan_start(query);
    let marker = match query.scope {
        ListScope::Versions { after } => after.filter(|_| inclusive && start == query.start_after.as_bytes()),
        _ => None,
    };
    let mut builder = PageBuilder::new(query);
    let mut versions = Versions::open(reader, bucket, (&start, inclusive), overlays)?;
    let mut after = marker;
    while let Some(key) = versions.next_key()? {
        let step = match std::str::from_utf8(&key) {
            Ok(name) => {
                let marker = after.take().filter(|_| key == start);
                versions.offer(&mut builder, name, marker, rows)?
            }
            // S3 keys are UTF-8; no other can be listed.
            Err(_) => ScanStep::Next,
        };
        match step {
            ScanStep::Next => versions.seek(&key, true)?,
            ScanStep::Seek(next) => versions.seek(&next, false)?,
            ScanStep::Stop => break,
        }
    }
    Ok(builder.finish())
}

/// Both kinds of versions, side by side.
struct Versions<'a> {
    bucket: BucketId,
    null: Merge<'a>,
    numbered: Merge<'a>,
}

/// One version of a key, on its way into a page.
#[derive(Clone, Copy)]
struct Candidate {
    number: u64,
    version: VersionId,
    placement: Placement,
}

impl<'a> Versions<'a> {
    fn open(
        reader: &'a Reader,
        bucket: BucketId,
        (start, inclusive): (&[u8], bool),
        overlays: &'a [Memtable],
    ) -> Result<Self, DatabaseError> {
        let open = |kind| {
            let from = seek_name(bucket, kind, start, !inclusive);
            Merge::open(reader, (bucket, kind), Bound::Included(from.as_slice()), overlays)
        };
        Ok(Self {
            bucket,
            null: open(NULL_ROWS)?,
            numbered: open(NUMBERED_ROWS)?,
        })
    }

    /// The next key that has versions.
    fn next_key(&mut self) -> Result<Option<Vec<u8>>, DatabaseError> {
        let null = key_at(&mut self.null)?;
        let numbered = key_at(&mut self.numbered)?;
        Ok(match (null, numbered) {
            (Some(null), Some(numbered)) => Some(null.min(numbered)),
            (null, numbered) => null.or(numbered),
        })
    }

    /// Moves both to the first key that is not less than this one, or greater than it.
    fn seek(&mut self, key: &[u8], after: bool) -> Result<(), DatabaseError> {
        self.null.seek(&seek_name(self.bucket, NULL_ROWS, key, after))?;
        self.numbered.seek(&seek_name(self.bucket, NUMBERED_ROWS, key, after))
    }

    /// Offers the versions of the key at the front, those behind the marker, until the page says something else than `Next`.
    fn offer(
        &mut self,
        builder: &mut PageBuilder<'_>,
        key: &str,
        marker: Option<VersionId>,
        rows: &mut Vec<ListedRow>,
    ) -> Result<ScanStep, DatabaseError> {
        let scope = builder.scope();
        let newest_only = matches!(scope, ListScope::Newest | ListScope::NewestVersions);
        let with_details = builder.with_details();
        let null = self.null_candidate(key)?;
        let mut numbered = self.numbered_candidate(key)?;
        let newest = null
            .map(|candidate| candidate.number)
            .max(numbered.map(|candidate| candidate.number));
        let below = match marker {
            None => u64::MAX,
            Some(VersionId::Number(number)) => number,
            // Without the null version nobody knows where it was: the page goes on with the next key.
            Some(VersionId::Null) => null.map_or(0, |candidate| candidate.number),
        };
        if marker.is_some() && below > 0 {
            // Versions are found from the newest on: the first row with a lower number.
            let row = Row::of_version(key.as_bytes(), VersionId::Number(below - 1));
            self.numbered.seek(&row.index_key(self.bucket))?;
            numbered = self.numbered_candidate(key)?;
        }
        let is_open = |candidate: &Candidate| marker.is_none() || candidate.number < below;
        let mut null = null.filter(is_open);
        let mut numbered = numbered.filter(is_open);
        loop {
            let takes_null = match (&null, &numbered) {
                (Some(null), Some(numbered)) => null.number > numbered.number,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => return Ok(ScanStep::Next),
            };
            let Some(candidate) = (if takes_null { null.take() } else { numbered }) else {
                return Ok(ScanStep::Next);
            };
            if newest_only && candidate.placement == Placement::Marker {
                return Ok(ScanStep::Next);
            }
            let merge = if takes_null { &mut self.null } else { &mut self.numbered };
            let is_latest = newest == Some(candidate.number);
            let Some(held) = merge.held()? else {
                return Ok(ScanStep::Next);
            };
            let step = offer(builder, key, || {
                let detailed = match with_details {
                    true => Some(held.listed_with_details(key, rows)?),
                    false => None,
                };
                if scope == ListScope::Newest {
                    return Ok(ListEntry::Object(match detailed {
                        Some(object) => object,
                        None => held.listed(key)?,
                    }));
                }
                let entry = held.entry()?;
                Ok(ListEntry::Version(Box::new(ListedVersion {
                    object: detailed.unwrap_or_else(|| entry.listed(key)),
                    version: candidate.version,
                    is_latest,
                    is_delete_marker: entry.is_delete_marker(),
                    tags: entry.meta.tags.clone(),
                })))
            })?;
            if step != ScanStep::Next || newest_only {
                return Ok(step);
            }
            if !takes_null {
                self.numbered.step()?;
                numbered = self.numbered_candidate(key)?;
            }
        }
    }

    fn null_candidate(&mut self, key: &str) -> Result<Option<Candidate>, DatabaseError> {
        let wanted = object_key(self.bucket, key.as_bytes());
        let Some(held) = self.null.held()?.filter(|held| *held.key == *wanted) else {
            return Ok(None);
        };
        let (number, placement) = held.version()?;
        Ok(Some(Candidate {
            number,
            version: VersionId::Null,
            placement,
        }))
    }

    fn numbered_candidate(&mut self, key: &str) -> Result<Option<Candidate>, DatabaseError> {
        let Some(held) = self.numbered.held()? else {
            return Ok(None);
        };
        let row = split_index_key(held.key).and_then(|(_, row)| Row::decode(row));
        let Some(Row::Numbered(of_key, number)) = row.filter(|row| is_of(row, key)) else {
            return Ok(None);
        };
        drop(of_key);
        let (_, placement) = held.version()?;
        Ok(Some(Candidate {
            number,
            version: VersionId::Number(number),
            placement,
        }))
    }
}

fn is_of(row: &Row<'_>, key: &str) -> bool {
    matches!(row, Row::Null(of_key) | Row::Numbered(of_key, _) if **of_key == *key.as_bytes())
}

/// The key of the row at the front.
fn key_at(merge: &mut Merge<'_>) -> Result<Option<Vec<u8>>, DatabaseError> {
    while let Some(held) = merge.held()? {
        let row = split_index_key(held.key).and_then(|(_, row)| Row::decode(row));
        if let Some(Row::Null(key) | Row::Numbered(key, _)) = row {
            return Ok(Some(key.into_owned()));
        }
        merge.step()?;
    }
    Ok(None)
}
