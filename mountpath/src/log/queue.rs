//! Changes that wait, and how many of them make a batch.

use super::{Change, KeptPayload, Log, NewPayload, Outcome, watch::Watch};
use crate::{
    completion::Giver,
    error::StoreError,
    limits::{BATCH_PAYLOAD_BYTES_MAX, BATCH_RECORD_COUNT_MAX, RECORDS_BYTES_MAX},
    record::ObjectMeta,
};
use proto::s3::bucket::BucketId;
use std::collections::VecDeque;

/// A change that waits for its batch.
pub(super) struct Pending {
    pub bucket: BucketId,
    pub key: Vec<u8>,
    pub change: Change,
    /// What must not have changed since it was decided.
    pub watches: Vec<Watch>,
    pub giver: Giver<Result<Outcome, StoreError>>,
}

impl Log {
    /// The next batch: changes from the front of the queue, within the limits of a batch.
    pub(super) fn take_batch(&self) -> Vec<Pending> {
        let mut queue = self.queue.borrow_mut();
        let mut room = Room::new(self.segment_bytes);
        let mut taken = Vec::new();
        while queue.front().is_some_and(|next| room.takes(next)) {
            taken.extend(queue.pop_front());
        }
        taken
    }

    /// A batch of what compaction waits for, past everything that has to wait for compaction.
    pub(super) fn take_copies(&self) -> Vec<Pending> {
        let mut queue = self.queue.borrow_mut();
        let mut room = Room::new(self.segment_bytes);
        let (mut copies, mut rest) = (Vec::new(), VecDeque::with_capacity(queue.len()));
        for pending in queue.drain(..) {
            if matches!(pending.change, Change::Move(..)) && room.takes(&pending) {
                copies.push(pending);
            } else {
                rest.push_back(pending);
            }
        }
        *queue = rest;
        copies
    }
}

/// What a batch still takes.
struct Room {
    payload_bytes: usize,
    record_bytes: usize,
    records: usize,
    is_empty: bool,
}

impl Room {
    fn new(segment_bytes: u64) -> Self {
        let of_segment = usize::try_from(segment_bytes / 4).unwrap_or(usize::MAX);
        Self {
            payload_bytes: BATCH_PAYLOAD_BYTES_MAX.min(of_segment),
            record_bytes: RECORDS_BYTES_MAX,
            records: BATCH_RECORD_COUNT_MAX,
            is_empty: true,
        }
    }

    /// Whether a change goes in; the first always does. Once one does not, none does.
    fn takes(&mut self, change: &Pending) -> bool {
        let (payload, record) = sizes(change);
        let fits = payload <= self.payload_bytes && record <= self.record_bytes && self.records > 0;
        if !fits && !self.is_empty {
            self.records = 0;
            return false;
        }
        self.is_empty = false;
        self.payload_bytes = self.payload_bytes.saturating_sub(payload);
        self.record_bytes = self.record_bytes.saturating_sub(record);
        self.records -= 1;
        true
    }
}

/// How many records a change makes.
pub(super) fn record_count(change: &Change) -> usize {
    match change {
        // The object, the end of the upload, and of each part that is not wanted.
        Change::Complete(_, _, dropped) => 2 + dropped.len(),
        _ => 1,
    }
}

/// Upper bounds of a change's inline payload and records, in bytes.
pub(super) fn sizes(pending: &Pending) -> (usize, usize) {
    /// Fixed fields of any record.
    const FIXED_BYTES: usize = 96;
    // A zero byte of a key takes two in the key of a row.
    let key = 2 * pending.key.len() + FIXED_BYTES;
    match &pending.change {
        Change::Delete(_) | Change::Fence(_) | Change::AbortUpload(_) => (0, key),
        Change::Mark(..) => (0, key + ObjectMeta::default().encoded_bytes_max()),
        Change::Name(name) => (0, key + name.len()),
        Change::Put(_, meta, payload) | Change::PutPart(_, _, meta, payload) => {
            let inline = match payload {
                NewPayload::Small(bytes) => bytes.len(),
                NewPayload::Buffered(buffer) => buffer.size(),
                NewPayload::Blob(_) => 0,
            };
            (inline, key + meta.encoded_bytes_max())
        }
        Change::Edit(_, meta, payload) => {
            let inline = match payload {
                KeptPayload::InPlace(_) => 0,
                KeptPayload::Copied(bytes) => bytes.len(),
            };
            (inline, key + meta.encoded_bytes_max())
        }
        Change::BeginUpload(meta) => (0, key + meta.encoded_bytes_max()),
        Change::Complete(_, meta, dropped) => {
            let ends = key + FIXED_BYTES * dropped.len();
            (0, key + meta.encoded_bytes_max() + ends)
        }
        Change::Move(record, payload) => (payload.len(), key + record.encoded_bytes_max()),
    }
}
