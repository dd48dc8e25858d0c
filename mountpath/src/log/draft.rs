//! What a batch will hold: each change is decided, and everything gets its place. Records come first, then copied
//! payloads, then payloads that are written from their own buffers.

use super::{
    Change, Log, NewPayload, Outcome,
    queue::{Pending, record_count, sizes},
    rows::{self, Payload, RowChange},
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
    /// Its records, with the bytes of the log each keeps alive; the first says what became of it.
    pub records: Vec<(Record, u32)>,
    pub is_move: bool,
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
            .partition(|(_, change)| rows::is_buffered(&change.change));
        let mut states = BucketStates::new();
        for (sequence, change) in rest.into_iter().chain(buffered) {
            self.place(sequence, change, segment, &mut draft, &mut states);
        }
        // What arrived last becomes visible last.
        draft
            .members
            .sort_by_key(|member| member.records.first().map(|(record, _)| record.sequence));
        draft.length = draft.length.next_multiple_of(DIRECT_ALIGNMENT);
        draft
    }

    /// A PUT into a fenced bucket is refused; a fence and a PUT may meet in one batch, and the order of arrival decides.
    /// So it does of changes that depend on what others change. Numbers are given in that order.
    fn accept(&self, change: Pending, buckets: &mut BucketStates) -> Option<(u64, Pending)> {
        if rows::adds(&change.change) && self.bucket_state(change.bucket, buckets).1 {
            change.giver.give(Err(StoreError::Fenced));
            return None;
        }
        if change.watches.iter().any(|watch| watch.has_changed()) {
            change.giver.give(Ok(Outcome::Stale(change.change)));
            return None;
        }
        if let Change::Fence(fenced) = &change.change {
            let name = self.bucket_state(change.bucket, buckets).0;
            buckets.insert(change.bucket, (name, *fenced));
        }
        let sequence = match &change.change {
            // A copy keeps the number it has.
            Change::Move(record, _) => record.sequence,
            other => self.take_numbers(record_count(other) as u64),
        };
        if !self.watches.is_empty() {
            rows::note_watched(&change, sequence, &self.watches);
        }
        Some((sequence, change))
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
            ..
        } = pending;
        let mut member = Member {
            records: Vec::new(),
            is_move: matches!(change, Change::Move(..)),
            blob: None,
            giver,
        };
        let rows = match change {
            Change::Fence(fenced) => {
                let name = self.bucket_state(bucket, states).0;
                states.insert(bucket, (name.clone(), fenced));
                draft.add(&mut member, bucket_record(sequence, bucket, name, fenced));
                Vec::new()
            }
            Change::Name(name) => {
                let fenced = self.bucket_state(bucket, states).1;
                states.insert(bucket, (name.clone(), fenced));
                draft.add(&mut member, bucket_record(sequence, bucket, name, fenced));
                Vec::new()
            }
            Change::Move(record, payload) => {
                let mut record = *record;
                if let Action::Put(meta, placement @ Placement::Inline { .. }) = &mut record.action {
                    *placement = draft.place_copy(meta, payload);
                }
                draft.add(&mut member, record);
                Vec::new()
            }
            change => rows::of_change(change, &key, sequence),
        };
        for (sequence, (row, change)) in (sequence..).zip(rows) {
            let action = draft.action(change, segment, &mut member);
            let row = row.encode();
            draft.add(
                &mut member,
                Record {
                    sequence,
                    bucket,
                    row,
                    action,
                },
            );
        }
        draft.members.push(member);
    }
}

fn bucket_record(sequence: u64, bucket: BucketId, name: String, fenced: bool) -> Record {
    Record {
        sequence,
        bucket,
        row: Vec::new(),
        action: Action::Bucket { name, fenced },
    }
}

impl Draft {
    /// What a record does, with a place for its payload.
    fn action(&mut self, change: RowChange, segment: u64, member: &mut Member) -> Action {
        match change {
            RowChange::Remove => Action::Delete {
                origin_segment: segment,
            },
            RowChange::Put(meta, payload) => {
                let placement = match payload {
                    Payload::Placed(placement) => placement,
                    Payload::New(NewPayload::Blob(blob)) => {
                        let placement = Placement::Blob { blob: blob.id() };
                        member.blob = Some(blob);
                        placement
                    }
                    Payload::New(NewPayload::Small(bytes)) => self.place_copy(&meta, bytes),
                    Payload::New(NewPayload::Buffered(buffer)) => self.place_buffer(&meta, buffer),
                };
                Action::Put(meta, placement)
            }
        }
    }

    fn add(&mut self, member: &mut Member, record: Record) {
        let start = self.records.len();
        record.encode(&mut self.records);
        self.record_count += 1;
        let footprint = footprint(self.records.len() - start, &record.action);
        member.records.push((record, footprint));
    }

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
