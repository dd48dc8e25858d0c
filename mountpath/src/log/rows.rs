//! What a change of a key does to the rows of the index. All of it is in one batch, so it happens as a whole.

use super::{Change, KeptPayload, NewPayload, NewVersion, queue::Pending, watch::Watches};
use crate::{
    index::row::Row,
    record::{ObjectMeta, Placement},
};
use proto::s3::version::{UploadId, VersionId};

/// What happens to a row.
pub(super) enum RowChange {
    Put(Box<ObjectMeta>, Payload),
    Remove,
}

/// A payload that is to be placed, or lies where it lay.
pub(super) enum Payload {
    New(NewPayload),
    Placed(Placement),
}

/// Whether a change adds to what its bucket holds; one that is being deleted takes none.
pub(super) fn adds(change: &Change) -> bool {
    match change {
        Change::Put(..)
        | Change::Mark(..)
        | Change::Edit(..)
        | Change::BeginUpload(_)
        | Change::PutPart(..)
        | Change::Complete(..) => true,
        Change::Delete(_) | Change::AbortUpload(_) | Change::Fence(_) | Change::Name(_) | Change::Move(..) => false,
    }
}

/// Whether the payload is written from its own buffer.
pub(super) fn is_buffered(change: &Change) -> bool {
    matches!(
        change,
        Change::Put(_, _, NewPayload::Buffered(_)) | Change::PutPart(_, _, _, NewPayload::Buffered(_))
    )
}

/// The rows that a change of `key` puts and removes, each with its record's sequence from `sequence` on.
pub(super) fn of_change(change: Change, key: &[u8], sequence: u64) -> Vec<(Row<'_>, RowChange)> {
    match change {
        Change::Put(version, mut meta, payload) => {
            meta.version_number = sequence;
            vec![(
                new_row(version, key, sequence),
                RowChange::Put(meta, Payload::New(payload)),
            )]
        }
        Change::Mark(version, modified_unix_ms) => {
            let meta = ObjectMeta {
                modified_unix_ms,
                version_number: sequence,
                ..ObjectMeta::default()
            };
            let marker = RowChange::Put(Box::new(meta), Payload::Placed(Placement::Marker));
            vec![(new_row(version, key, sequence), marker)]
        }
        Change::Delete(version) => vec![(Row::of_version(key, version), RowChange::Remove)],
        Change::Edit(version, meta, payload) => {
            let payload = match payload {
                KeptPayload::InPlace(placement) => Payload::Placed(placement),
                KeptPayload::Copied(bytes) => Payload::New(NewPayload::Small(bytes)),
            };
            vec![(Row::of_version(key, version), RowChange::Put(meta, payload))]
        }
        Change::BeginUpload(mut meta) => {
            let upload = UploadId(sequence);
            meta.version_number = sequence;
            meta.multipart.get_or_insert_default().upload = upload;
            let begun = RowChange::Put(meta, Payload::Placed(Placement::Upload { upload }));
            vec![(Row::of_upload(key, upload), begun)]
        }
        Change::PutPart(upload, number, mut meta, payload) => {
            meta.version_number = sequence;
            vec![(Row::Part(upload, number), RowChange::Put(meta, Payload::New(payload)))]
        }
        Change::Complete(version, mut meta, dropped) => {
            meta.version_number = sequence;
            let upload = upload_of(&meta);
            let made = RowChange::Put(meta, Payload::Placed(Placement::Parts { upload }));
            let ends = [(Row::of_upload(key, upload), RowChange::Remove)];
            let drops = dropped
                .into_iter()
                .map(|number| (Row::Part(upload, number), RowChange::Remove));
            [(new_row(version, key, sequence), made)]
                .into_iter()
                .chain(ends)
                .chain(drops)
                .collect()
        }
        Change::AbortUpload(upload) => vec![(Row::of_upload(key, upload), RowChange::Remove)],
        Change::Fence(_) | Change::Name(_) | Change::Move(..) => Vec::new(),
    }
}

fn new_row(version: NewVersion, key: &[u8], sequence: u64) -> Row<'_> {
    let version = match version {
        NewVersion::Null => VersionId::Null,
        NewVersion::Numbered => VersionId::Number(sequence),
    };
    Row::of_version(key, version)
}

fn upload_of(meta: &ObjectMeta) -> UploadId {
    meta.multipart
        .as_ref()
        .map(|multipart| multipart.upload)
        .unwrap_or_default()
}

/// Tells whoever watches what a change is about to change.
pub(super) fn note_watched(pending: &Pending, sequence: u64, watches: &Watches) {
    let note = |row: Row<'_>| watches.note(&row.watched(pending.bucket));
    let key = pending.key.as_slice();
    match &pending.change {
        Change::Put(version, ..) | Change::Mark(version, _) => note(new_row(*version, key, sequence)),
        Change::Delete(version) | Change::Edit(version, ..) => note(Row::of_version(key, *version)),
        Change::PutPart(upload, number, ..) => note(Row::Part(*upload, *number)),
        Change::Complete(version, meta, _) => {
            let upload = upload_of(meta);
            note(new_row(*version, key, sequence));
            note(Row::of_upload(key, upload));
            note(Row::Part(upload, 0));
        }
        Change::AbortUpload(upload) => note(Row::of_upload(key, *upload)),
        Change::BeginUpload(_) | Change::Fence(_) | Change::Name(_) | Change::Move(..) => {}
    }
}
