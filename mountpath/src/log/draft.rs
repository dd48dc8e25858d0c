//! What a batch will hold: each change is decided, and everything gets its place. Records come first, then copied
//! payloads, then payloads that are written from their own buffers.

use super::{
    Change, Log, NewPayload, Outcome,
    queue::{Pending, sizes},
};
use crate::{
    batch::HEADER_BYTES,
    buffer::PooledBuffer,
    completion::Giver,
    error::StoreError,
    files::blob::NewBlob,
    limits::DIRECT_ALIGNMENT,
    record::{Action, ObjectMeta, Placement, Record, footprint, payload_alignment},
};
use proto::s3::bucket::BucketId;
use std::collections::HashMap;

/// A batch being laid out.
pub(super) struct Draft {
    pub records: Vec<u8>,
    pub record_count: u32,
    pub copied: Vec<(usize, Vec<u8>)>,
    pub direct: Vec<(usize, PooledBuffer)>,
    pub length: usize,
    pub members: Vec<Member>,
}

/// A change in a batch.
pub(super) struct Member {
    pub record: Record,
    pub is_move: bool,
    pub footprint: u32,
    pub blob: Option<NewBlob>,
    pub giver: Giver<Result<Outcome, StoreError>>,
}

/// A bucket's name and whether it is fenced, as the changes of a batch leave it.
type BucketStates = HashMap<BucketId, (String, bool)>;

impl Log {
    /// Decides each change against the index and the changes before it in the batch, and gives every payload its place.
    /// `segment` is where the batch will go.
    pub(super) fn draft(&self, pending: Vec<Pending>, segment: u64) -> Draft {
        let mut buckets = BucketStates::new();
        let accepted: Vec<(u64, Pending)> = pending
            .into_iter()
            .filter_map(|change| self.accept(change, &mut buckets))
            .map(|change| (self.sequence(&change), change))
            .collect();
        let records_bytes: usize = accepted.iter().map(|(_, change)| sizes(change).1).sum();
        let offset = (HEADER_BYTES + records_bytes).next_multiple_of(DIRECT_ALIGNMENT);
        let mut draft = Draft {
            records: Vec::with_capacity(records_bytes),
            record_count: 0,
            copied: Vec::new(),
            direct: Vec::new(),
            length: offset,
            members: Vec::with_capacity(accepted.len()),
        };
        // Payloads that are written from their own buffers come last, so that everything copied is one write.
        let (buffered, rest): (Vec<_>, Vec<_>) = accepted
            .into_iter()
            .partition(|(_, change)| matches!(change.change, Change::Put(_, NewPayload::Buffered(_))));
        let mut states = BucketStates::new();
        for (sequence, change) in rest.into_iter().chain(buffered) {
            self.place(sequence, change, segment, &mut draft, &mut states);
        }
        // What arrived last becomes visible last.
        draft.members.sort_by_key(|member| member.record.sequence);
        draft.length = draft.length.next_multiple_of(DIRECT_ALIGNMENT);
        draft
    }

    /// A PUT into a fenced bucket is refused; a fence and a PUT may meet in one batch, and the order of arrival decides.
    fn accept(&self, change: Pending, buckets: &mut BucketStates) -> Option<Pending> {
        match &change.change {
            Change::Put(..) if self.bucket_state(change.bucket, buckets).1 => {
                change.giver.give(Err(StoreError::Fenced));
                None
            }
            Change::Fence(fenced) => {
                let name = self.bucket_state(change.bucket, buckets).0;
                buckets.insert(change.bucket, (name, *fenced));
                Some(change)
            }
            _ => Some(change),
        }
    }

    /// Numbers are given in the order of arrival; a copy keeps the number it has.
    fn sequence(&self, change: &Pending) -> u64 {
        match &change.change {
            Change::Move(record, _) => record.sequence,
            _ => self.take_number(),
        }
    }

    fn bucket_state(&self, bucket: BucketId, of_batch: &BucketStates) -> (String, bool) {
        let known = || {
            let state = self.index.bucket(bucket);
            state.map(|state| (state.name, state.fenced)).unwrap_or_default()
        };
        of_batch.get(&bucket).cloned().unwrap_or_else(known)
    }

    fn place(&self, sequence: u64, pending: Pending, segment: u64, draft: &mut Draft, states: &mut BucketStates) {
        let Pending {
            bucket,
            key,
            change,
            giver,
        } = pending;
        let mut blob_held = None;
        let mut is_move = false;
        let action = match change {
            Change::Delete => Action::Delete {
                origin_segment: segment,
            },
            Change::Fence(fenced) => {
                let name = self.bucket_state(bucket, states).0;
                states.insert(bucket, (name.clone(), fenced));
                Action::Bucket { name, fenced }
            }
            Change::Name(name) => {
                let fenced = self.bucket_state(bucket, states).1;
                states.insert(bucket, (name.clone(), fenced));
                Action::Bucket { name, fenced }
            }
            Change::Put(meta, NewPayload::Blob(blob)) => {
                let placement = Placement::Blob { blob: blob.id() };
                blob_held = Some(blob);
                Action::Put(meta, placement)
            }
            Change::Put(meta, NewPayload::Small(bytes)) => {
                let placement = draft.place_copy(&meta, bytes);
                Action::Put(meta, placement)
            }
            Change::Put(meta, NewPayload::Buffered(buffer)) => {
                let placement = draft.place_buffer(&meta, buffer);
                Action::Put(meta, placement)
            }
            Change::Move(record, payload) => {
                is_move = true;
                match record.action {
                    Action::Put(meta, Placement::Inline { .. }) => {
                        let placement = draft.place_copy(&meta, payload);
                        Action::Put(meta, placement)
                    }
                    other => other,
                }
            }
        };
        let record = Record {
            sequence,
            bucket,
            key,
            action,
        };
        let start = draft.records.len();
        record.encode(&mut draft.records);
        draft.record_count += 1;
        let footprint = footprint(draft.records.len() - start, &record.action);
        draft.members.push(Member {
            record,
            is_move,
            footprint,
            blob: blob_held,
            giver,
        });
    }
}

impl Draft {
    fn place_copy(&mut self, meta: &ObjectMeta, bytes: Vec<u8>) -> Placement {
        let start = self.length.next_multiple_of(payload_alignment(meta.size));
        self.length = start + bytes.len();
        self.copied.push((start, bytes));
        inline(start)
    }

    fn place_buffer(&mut self, meta: &ObjectMeta, mut buffer: PooledBuffer) -> Placement {
        let start = self.length.next_multiple_of(DIRECT_ALIGNMENT);
        let used = usize::try_from(meta.size).unwrap_or(usize::MAX).min(buffer.size());
        let padded = used.next_multiple_of(DIRECT_ALIGNMENT);
        if let Some(padding) = buffer.bytes_mut().get_mut(used..padded) {
            padding.fill(0);
        }
        buffer.truncate(padded);
        self.length = start + padded;
        self.direct.push((start, buffer));
        inline(start)
    }
}

fn inline(start: usize) -> Placement {
    Placement::Inline {
        // A batch is at most a segment long.
        batch_offset: u32::try_from(start).unwrap_or(u32::MAX),
    }
}
