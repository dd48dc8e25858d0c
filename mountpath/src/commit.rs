//! The appender of a shard: everything that waits shares one append and one fdatasync. It runs as a task of its own,
//! so that a client that vanishes never cuts a commit in half.

use crate::{
    batch::{BatchHeader, HEADER_BYTES},
    blob::Blob,
    buffer::PooledBuffer,
    completion::Giver,
    error::StoreError,
    index::{Index, ObjectEntry, Payload},
    io::AlignedBuffer,
    layout::ShardPaths,
    limits::{
        BATCH_PAYLOAD_BYTES_MAX, BATCH_RECORD_COUNT_MAX, COPIED_PAYLOAD_BYTES_MAX, DIRECT_ALIGNMENT, RECORDS_BYTES_MAX,
        SEGMENT_BYTES,
    },
    record::{Action, ObjectMeta, Placement, Record},
    segment::{self, Segment},
};
use proto::s3::bucket::BucketId;
use std::{cell::RefCell, collections::VecDeque, rc::Rc};

/// A payload on its way to the log or already in a blob.
pub enum NewPayload {
    /// A small payload, copied into the batch.
    Small(Vec<u8>),
    /// A payload in a pool buffer: the first bytes of it.
    Buffered(PooledBuffer),
    /// A finished blob.
    Blob(Rc<Blob>),
}

/// What to do with a key.
pub enum Change {
    /// Hold this object.
    Put(Box<ObjectMeta>, NewPayload),
    /// Hold nothing.
    Delete,
    /// Fence the bucket, or lift its fence.
    Fence(bool),
}

/// What became of a change.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The object is durable and visible.
    Put(Rc<ObjectEntry>),
    /// The key holds nothing; whether it held something before.
    Deleted(bool),
    /// The fence stands (or is lifted).
    Fenced,
}

/// A change that waits for its batch.
pub struct Pending {
    pub bucket: BucketId,
    pub key: Vec<u8>,
    pub change: Change,
    pub giver: Giver<Result<Outcome, StoreError>>,
}

/// Where the next batch goes.
pub struct Tail {
    pub segment: Option<Rc<Segment>>,
    pub next_segment: u64,
    pub position: u64,
    pub next_batch: u64,
    pub durable_batch: u64,
    pub next_record: u64,
}

/// The appender's state, shared with the shard that feeds it.
pub struct Appender {
    pub shard: [u8; 16],
    pub paths: Rc<ShardPaths>,
    pub index: Rc<RefCell<Index>>,
    pub queue: RefCell<VecDeque<Pending>>,
    pub tail: RefCell<Tail>,
    pub sync: bool,
    pub failed: std::cell::Cell<bool>,
    pub sync_count: std::cell::Cell<u64>,
}

/// A batch being laid out: records first, then copied payloads, then payloads written from their own buffers.
struct Layout {
    records: Vec<u8>,
    record_count: u32,
    copied: Vec<(usize, Vec<u8>)>,
    direct: Vec<(usize, PooledBuffer)>,
    length: usize,
    members: Vec<Member>,
}

struct Member {
    bucket: BucketId,
    key: Vec<u8>,
    sequence: u64,
    action: Action,
    blob: Option<Rc<Blob>>,
    giver: Giver<Result<Outcome, StoreError>>,
}

impl Appender {
    /// Commits until nothing waits.
    pub async fn run(self: Rc<Self>) {
        loop {
            let pending = self.take_batch();
            if pending.is_empty() {
                return;
            }
            self.commit(pending).await;
        }
    }

    fn take_batch(&self) -> Vec<Pending> {
        let mut queue = self.queue.borrow_mut();
        let (mut taken, mut payload_bytes, mut record_bytes) = (Vec::new(), 0usize, 0usize);
        while let Some(next) = queue.front() {
            let (payload, record) = sizes(next);
            let full = payload_bytes + payload > BATCH_PAYLOAD_BYTES_MAX
                || record_bytes + record > RECORDS_BYTES_MAX
                || taken.len() >= BATCH_RECORD_COUNT_MAX;
            if full && !taken.is_empty() {
                break;
            }
            payload_bytes += payload;
            record_bytes += record;
            taken.extend(queue.pop_front());
        }
        taken
    }

    async fn commit(&self, pending: Vec<Pending>) {
        if self.failed.get() {
            for change in pending {
                reject(change, StoreError::ReadOnly);
            }
            return;
        }
        let layout = self.lay_out(pending);
        if layout.members.is_empty() {
            return;
        }
        let (length, record_count) = (layout.length, layout.record_count);
        let Layout {
            records,
            copied,
            direct,
            members,
            ..
        } = layout;
        match self.append(records, record_count, copied, direct, length).await {
            Ok((segment, position)) => self.publish(members, &segment, position),
            Err(error) => {
                for member in members {
                    doom_unless_uncertain(member.blob.as_deref(), &error);
                    member.giver.give(Err(error.clone()));
                }
            }
        }
    }

    /// Decides each change against the index and gives every payload its place in the batch.
    fn lay_out(&self, pending: Vec<Pending>) -> Layout {
        let mut drafts = Vec::new();
        // A fence and a PUT of its bucket may meet in one batch: the order of arrival decides.
        let mut fences: Vec<(BucketId, bool)> = Vec::new();
        for change in pending {
            let fenced = fences
                .iter()
                .rev()
                .find(|(bucket, _)| *bucket == change.bucket)
                .map(|(_, fenced)| *fenced);
            let fenced = fenced.unwrap_or_else(|| self.index.borrow().is_fenced(change.bucket));
            match &change.change {
                Change::Put(..) if fenced => reject(change, StoreError::Fenced),
                Change::Fence(state) => {
                    fences.push((change.bucket, *state));
                    drafts.push(change);
                }
                _ => drafts.push(change),
            }
        }
        let records_bytes: usize = drafts.iter().map(|draft| sizes(draft).1).sum();
        let mut offset = (HEADER_BYTES + records_bytes).next_multiple_of(DIRECT_ALIGNMENT);
        let mut layout = Layout {
            records: Vec::with_capacity(records_bytes),
            record_count: 0,
            copied: Vec::new(),
            direct: Vec::new(),
            length: offset,
            members: Vec::with_capacity(drafts.len()),
        };
        // Payloads that are written from their own buffers come last, so that everything copied is one write.
        let (buffered, rest): (Vec<_>, Vec<_>) = drafts
            .into_iter()
            .partition(|draft| matches!(draft.change, Change::Put(_, NewPayload::Buffered(_))));
        for draft in rest.into_iter().chain(buffered) {
            self.place(draft, &mut layout, &mut offset);
        }
        layout.length = offset.next_multiple_of(DIRECT_ALIGNMENT);
        layout
    }

    fn place(&self, draft: Pending, layout: &mut Layout, offset: &mut usize) {
        let mut blob_held = None;
        let action = match draft.change {
            Change::Delete => Action::Delete,
            Change::Fence(fenced) => Action::Fence(fenced),
            Change::Put(meta, NewPayload::Blob(blob)) => {
                let placement = Placement::Blob { blob: blob.id() };
                blob_held = Some(blob);
                Action::Put(meta, placement)
            }
            Change::Put(meta, NewPayload::Small(bytes)) => {
                *offset = offset.next_multiple_of(if bytes.len() < DIRECT_ALIGNMENT {
                    8
                } else {
                    DIRECT_ALIGNMENT
                });
                let placement = Placement::Inline {
                    batch_offset: u32::try_from(*offset).unwrap_or(u32::MAX),
                };
                let start = *offset;
                *offset += bytes.len();
                layout.copied.push((start, bytes));
                Action::Put(meta, placement)
            }
            Change::Put(meta, NewPayload::Buffered(mut buffer)) => {
                *offset = offset.next_multiple_of(DIRECT_ALIGNMENT);
                let placement = Placement::Inline {
                    batch_offset: u32::try_from(*offset).unwrap_or(u32::MAX),
                };
                let used = usize::try_from(meta.size).unwrap_or(usize::MAX).min(buffer.size());
                let padded = used.next_multiple_of(DIRECT_ALIGNMENT);
                if let Some(padding) = buffer.bytes_mut().get_mut(used..padded) {
                    padding.fill(0);
                }
                buffer.truncate(padded);
                let start = *offset;
                *offset += padded;
                layout.direct.push((start, buffer));
                Action::Put(meta, placement)
            }
        };
        let sequence = {
            let mut tail = self.tail.borrow_mut();
            let sequence = tail.next_record;
            tail.next_record += 1;
            sequence
        };
        let record = Record {
            sequence,
            bucket: draft.bucket,
            key: draft.key,
            action,
        };
        record.encode(&mut layout.records);
        layout.record_count += 1;
        let Record {
            bucket, key, action, ..
        } = record;
        layout.members.push(Member {
            bucket,
            key,
            sequence,
            action,
            blob: blob_held,
            giver: draft.giver,
        });
    }

    async fn append(
        &self,
        records: Vec<u8>,
        record_count: u32,
        copied: Vec<(usize, Vec<u8>)>,
        direct: Vec<(usize, PooledBuffer)>,
        length: usize,
    ) -> Result<(Rc<Segment>, u64), StoreError> {
        let segment = self.segment_for(length as u64).await?;
        let (position, sequence, durable_sequence) = {
            let tail = self.tail.borrow();
            (tail.position, tail.next_batch, tail.durable_batch)
        };
        let head_length = direct.first().map_or(length, |(offset, _)| *offset);
        let mut head = AlignedBuffer::allocate(head_length);
        if let Some(region) = head.bytes_mut().get_mut(HEADER_BYTES..HEADER_BYTES + records.len()) {
            region.copy_from_slice(&records);
        }
        for (offset, payload) in &copied {
            if let Some(region) = head.bytes_mut().get_mut(*offset..offset + payload.len()) {
                region.copy_from_slice(payload);
            }
        }
        let header = BatchHeader {
            shard: self.shard,
            segment: segment.id(),
            sequence,
            durable_sequence,
            length: u32::try_from(length).map_err(|_| StoreError::Io("the batch is too long".into()))?,
            records_length: u32::try_from(records.len()).map_err(|_| StoreError::Io("too many records".into()))?,
            record_count,
        };
        header
            .seal(head.bytes_mut())
            .map_err(|error| StoreError::Io(error.to_string()))?;
        // Payload buffers first: the header that makes them reachable is not waited for any less, but a crash in
        // between then leaves no header at all.
        for (offset, buffer) in &direct {
            let Some(shared) = buffer.share() else {
                return Err(StoreError::Io("the buffer is gone".into()));
            };
            segment.file().write_at(shared, position + *offset as u64).await?;
        }
        segment.file().write_at(Rc::new(head), position).await?;
        if self.sync {
            if let Err(error) = segment.file().fdatasync().await {
                // After a failed sync the page cache may claim clean what the disk never got: never retry.
                self.failed.set(true);
                tracing::error!(%error, "fdatasync failed; the shard is read-only until a restart");
                return Err(StoreError::ReadOnly);
            }
            self.sync_count.set(self.sync_count.get() + 1);
        }
        let mut tail = self.tail.borrow_mut();
        tail.position += length as u64;
        tail.next_batch += 1;
        tail.durable_batch = sequence;
        Ok((segment, position))
    }

    /// The segment that has room for `length` bytes; a full one is cut to what it holds and a new one begun.
    async fn segment_for(&self, length: u64) -> Result<Rc<Segment>, StoreError> {
        let (current, position) = {
            let tail = self.tail.borrow();
            (tail.segment.clone(), tail.position)
        };
        if let Some(segment) = &current {
            if position + length <= SEGMENT_BYTES {
                return Ok(Rc::clone(segment));
            }
            segment.file().truncate(position).await?;
        }
        let id = self.tail.borrow().next_segment;
        self.tail.borrow_mut().next_segment += 1;
        let segment = Segment::create(&self.paths, self.shard, id).await?;
        let mut tail = self.tail.borrow_mut();
        tail.segment = Some(Rc::clone(&segment));
        tail.position = segment::HEADER_BYTES;
        Ok(segment)
    }

    /// Makes durable changes visible, in order, and answers who waits.
    fn publish(&self, members: Vec<Member>, segment: &Rc<Segment>, position: u64) {
        for member in members {
            let Member {
                bucket,
                key,
                sequence,
                action,
                blob,
                giver,
            } = member;
            let mut index = self.index.borrow_mut();
            let (replaced, outcome) = match action {
                Action::Put(meta, placement) => {
                    let payload = match (placement, blob) {
                        (Placement::Blob { blob: id }, None) => Payload::Blob(Blob::new(Rc::clone(&self.paths), id)),
                        (Placement::Blob { .. }, Some(blob)) => Payload::Blob(blob),
                        (Placement::Inline { batch_offset }, _) => Payload::Inline {
                            segment: Rc::clone(segment),
                            position: position + u64::from(batch_offset),
                        },
                    };
                    let entry = Rc::new(ObjectEntry {
                        sequence,
                        meta,
                        payload,
                    });
                    (index.put(bucket, &key, Rc::clone(&entry)), Outcome::Put(entry))
                }
                Action::Delete => {
                    let replaced = index.delete(bucket, &key);
                    let existed = replaced.is_some();
                    (replaced, Outcome::Deleted(existed))
                }
                Action::Fence(fenced) => {
                    index.set_fence(bucket, fenced);
                    (None, Outcome::Fenced)
                }
            };
            drop(index);
            if let Some(Payload::Blob(blob)) = replaced.as_deref().map(|entry| &entry.payload) {
                blob.doom();
            }
            giver.give(Ok(outcome));
        }
    }
}

fn reject(pending: Pending, error: StoreError) {
    if let Change::Put(_, NewPayload::Blob(blob)) = &pending.change {
        doom_unless_uncertain(Some(blob), &error);
    }
    pending.giver.give(Err(error));
}

/// A blob whose record was refused goes. After a failed sync the record may yet be on disk, so the blob stays for the
/// next start to decide.
fn doom_unless_uncertain(blob: Option<&Blob>, error: &StoreError) {
    if let Some(blob) = blob.filter(|_| !matches!(error, StoreError::ReadOnly)) {
        blob.doom();
    }
}

/// Upper bounds of a change's inline payload and record, in bytes.
fn sizes(pending: &Pending) -> (usize, usize) {
    let key = pending.key.len();
    match &pending.change {
        Change::Delete | Change::Fence(_) => (0, key + 64),
        Change::Put(meta, payload) => {
            let inline = match payload {
                NewPayload::Small(bytes) => bytes.len(),
                NewPayload::Buffered(buffer) => buffer.size(),
                NewPayload::Blob(_) => 0,
            };
            (inline, key + meta.encoded_bytes_max())
        }
    }
}

const _: () = assert!(COPIED_PAYLOAD_BYTES_MAX <= u32::MAX as usize);
