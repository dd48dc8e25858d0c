//! What a batch will hold: each change is decided, and everything gets its place. Records come first, close behind them
//! small payloads, then copied payloads of whole blocks, then payloads that are written from their own buffers.

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
    /// Bytes of small payloads. Until all records are here, nobody knows where they begin: places are counted from there.
    small_length: usize,
    /// The same of payloads of whole blocks.
    large_length: usize,
    /// Where in `records` the places of payloads stand, record by record.
    places: Vec<usize>,
    /// Small payloads, until they have their place among the copied ones.
    small: Vec<(usize, Vec<u8>)>,
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
        let mut draft = Draft {
            records: Vec::with_capacity(records_bytes),
            record_count: 0,
            copied: Vec::new(),
            direct: Vec::new(),
            length: 0,
            members: Vec::with_capacity(accepted.len()),
            small_length: 0,
            large_length: 0,
            places: Vec::new(),
            small: Vec::new(),
        };
        // Payloads that are written from their own buffers come last, so that everything copied is one write.
        let (buffered, rest): (Vec<_>, Vec<_>) = accepted
            .into_iter()
            .partition(|(_, change)| rows::is_buffered(&change.change));
        let mut states = BucketStates::new();
        for (sequence, change) in rest.into_iter().chain(buffered) {
            self.place(sequence, change, segment, &mut draft, &mut states);
        }
        draft.settle();
        // What arrived last becomes visible last.
        draft
            .members
            .sort_by_key(|member| member.records.first().map(|(record, _)| record.sequence));
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
        let end = record.encode(&mut self.records);
        if matches!(record.action, Action::Put(_, Placement::Inline { .. })) {
            // A place is the last of a record's fields.
            self.places.push(end - size_of::<u32>());
        }
        self.record_count += 1;
        let footprint = footprint(self.records.len() - start, &record.action);
        member.records.push((record, footprint));
    }

    fn place_copy(&mut self, meta: &ObjectMeta, bytes: Vec<u8>) -> Placement {
        let length = if is_small(meta) {
            &mut self.small_length
        } else {
            &mut self.large_length
        };
        let start = length.next_multiple_of(payload_alignment(meta.size));
        *length = start + bytes.len();
        let copied = if is_small(meta) {
            &mut self.small
        } else {
            &mut self.copied
        };
        copied.push((start, bytes));
        inline(start)
    }

    fn place_buffer(&mut self, meta: &ObjectMeta, mut buffer: PooledBuffer) -> Placement {
        let used = usize::try_from(meta.size).unwrap_or(usize::MAX).min(buffer.size());
        if is_small(meta) {
            return self.place_copy(meta, buffer.bytes().get(..used).unwrap_or_default().to_vec());
        }
        let start = self.large_length.next_multiple_of(DIRECT_ALIGNMENT);
        let padded = used.next_multiple_of(DIRECT_ALIGNMENT);
        if let Some(padding) = buffer.bytes_mut().get_mut(used..padded) {
            padding.fill(0);
        }
        buffer.truncate(padded);
        self.large_length = start + padded;
        self.direct.push((start, buffer));
        inline(start)
    }

    /// Gives everything its place from the start of the batch: now it is known how long the records are.
    fn settle(&mut self) {
        let small_start = HEADER_BYTES + self.records.len();
        let large_start = (small_start + self.small_length).next_multiple_of(DIRECT_ALIGNMENT);
        self.length = (large_start + self.large_length).next_multiple_of(DIRECT_ALIGNMENT);
        for (place, _) in &mut self.copied {
            *place += large_start;
        }
        for (place, _) in &mut self.direct {
            *place += large_start;
        }
        let small = std::mem::take(&mut self.small);
        self.copied
            .extend(small.into_iter().map(|(place, bytes)| (small_start + place, bytes)));
        let mut places = self.places.iter();
        for (record, _) in self.members.iter_mut().flat_map(|member| &mut member.records) {
            let Action::Put(meta, Placement::Inline { batch_offset }) = &mut record.action else {
                continue;
            };
            let start = if is_small(meta) { small_start } else { large_start };
            // A batch is at most a segment long.
            *batch_offset = batch_offset.saturating_add(u32::try_from(start).unwrap_or(u32::MAX));
            let encoded = places
                .next()
                .and_then(|&at| self.records.get_mut(at..at + size_of::<u32>()));
            if let Some(encoded) = encoded {
                encoded.copy_from_slice(&batch_offset.to_le_bytes());
            }
        }
    }
}

fn inline(start: usize) -> Placement {
    Placement::Inline {
        // A batch is at most a segment long.
        batch_offset: u32::try_from(start).unwrap_or(u32::MAX),
    }
}

/// Whether a payload shares blocks with others.
fn is_small(meta: &ObjectMeta) -> bool {
    payload_alignment(meta.size) < DIRECT_ALIGNMENT
}
