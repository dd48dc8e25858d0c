//! The segment log of a shard: changes wait in a queue, everything that waits shares one append and one fdatasync. The
//! appender runs as a task of its own, so that a client that vanishes never cuts a commit in half.

mod append;
mod draft;
pub mod reader;

use crate::{
    buffer::PooledBuffer,
    completion::{Giver, Receiver, completion},
    error::StoreError,
    files::{
        blob::{Blobs, NewBlob},
        segment::{AppendSegment, Segments},
    },
    index::{
        ShardIndex,
        entry::{BucketState, Checkpoint, Home, ObjectEntry},
    },
    io::spawn,
    layout::ShardPaths,
    limits::{
        BATCH_PAYLOAD_BYTES_MAX, BATCH_RECORD_COUNT_MAX, RECENT_ENTRIES_MAX, RECORDS_BYTES_MAX, SPACE_MAKING_BYTES,
    },
    record::{ObjectMeta, Placement, Record},
};
use proto::s3::bucket::BucketId;
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    sync::Arc,
};

/// A payload on its way to the log or already in a blob.
pub enum NewPayload {
    /// A small payload, copied into the batch.
    Small(Vec<u8>),
    /// A payload in a pool buffer: the first bytes of it.
    Buffered(PooledBuffer),
    /// A finished blob.
    Blob(NewBlob),
}

/// What to do with a key.
pub enum Change {
    /// Hold this object.
    Put(Box<ObjectMeta>, NewPayload),
    /// Hold nothing.
    Delete,
    /// Fence the bucket, or lift its fence; the key is empty.
    Fence(bool),
    /// Remember the bucket's name; the key is empty.
    Name(String),
    /// Hold a copy of this record, which keeps its sequence: compaction empties the segment it lies in.
    Move(Box<Record>, Vec<u8>),
}

/// What became of a change.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The object is durable and visible.
    Put(Arc<ObjectEntry>),
    /// The key holds nothing.
    Deleted,
    /// The bucket's state is this.
    Bucket(BucketState),
    /// The copy is durable; the index does not point to it yet.
    Moved {
        /// Where it lies.
        home: Home,
        /// Where its payload lies.
        placement: Option<Placement>,
        /// What it keeps alive.
        footprint: u32,
    },
}

/// A change that waits for its batch.
struct Pending {
    bucket: BucketId,
    key: Vec<u8>,
    change: Change,
    giver: Giver<Result<Outcome, StoreError>>,
}

/// Where the next batch goes.
pub struct Tail {
    /// The segment that is appended to; none before the first append of a run.
    pub segment: Option<Rc<AppendSegment>>,
    /// A segment made ahead.
    pub spare: Option<AppendSegment>,
    /// The next segment's number.
    pub next_segment: u64,
    /// Where the next batch goes.
    pub position: u64,
    /// The next batch's sequence.
    pub next_batch: u64,
    /// The highest batch sequence known to be durable.
    pub durable_batch: u64,
    /// The next number of a record or blob.
    pub next_number: u64,
    /// Where the log ended before this run.
    pub found: Checkpoint,
}

/// What a log counts.
#[derive(Debug, Default)]
pub struct LogCounters {
    /// fdatasync calls that were waited for, of segments and blobs.
    pub syncs: Cell<u64>,
    /// Batches appended.
    pub batches: Cell<u64>,
    /// Records appended.
    pub records: Cell<u64>,
    /// Bytes appended.
    pub appended_bytes: Cell<u64>,
}

/// The log, shared by the shard that feeds it and the task that appends.
pub struct Log {
    shard: [u8; 16],
    paths: Rc<ShardPaths>,
    segment_bytes: u64,
    sync: bool,
    index: Rc<ShardIndex>,
    segments: Rc<Segments>,
    blobs: Rc<Blobs>,
    queue: RefCell<VecDeque<Pending>>,
    tail: RefCell<Tail>,
    appends: Cell<bool>,
    failed: Cell<bool>,
    space_short: Cell<bool>,
    spare_wanted: Cell<bool>,
    merged_bytes: Cell<u64>,
    /// Appends that wait because the index cannot take more; whoever merges wakes them.
    held_up: RefCell<Vec<Giver<()>>>,
    recent_max: Option<usize>,
    counters: LogCounters,
}

/// What a log is made of.
pub struct LogParts {
    /// The shard's identity.
    pub shard: [u8; 16],
    /// Its files.
    pub paths: Rc<ShardPaths>,
    /// Bytes of a segment.
    pub segment_bytes: u64,
    /// A change is acknowledged when it is durable.
    pub sync: bool,
    /// See [`Log`].
    pub index: Rc<ShardIndex>,
    /// See [`Log`].
    pub segments: Rc<Segments>,
    /// See [`Log`].
    pub blobs: Rc<Blobs>,
    /// Where the log ended.
    pub tail: Tail,
    /// Bytes of recent entries at which appends wait for a merge; `None` where nobody merges by himself.
    pub recent_bytes_max: Option<usize>,
}

impl Log {
    /// A log that goes on where it ended.
    pub fn new(parts: LogParts) -> Rc<Self> {
        Rc::new(Self {
            shard: parts.shard,
            paths: parts.paths,
            segment_bytes: parts.segment_bytes,
            sync: parts.sync,
            index: parts.index,
            segments: parts.segments,
            blobs: parts.blobs,
            queue: RefCell::default(),
            tail: RefCell::new(parts.tail),
            appends: Cell::new(false),
            failed: Cell::new(false),
            space_short: Cell::new(false),
            spare_wanted: Cell::new(false),
            merged_bytes: Cell::new(0),
            held_up: RefCell::default(),
            recent_max: parts.recent_bytes_max,
            counters: LogCounters::default(),
        })
    }

    /// Puts a change in line, to be committed with whatever else waits.
    pub fn submit(
        self: &Rc<Self>,
        bucket: BucketId,
        key: Vec<u8>,
        change: Change,
    ) -> Receiver<Result<Outcome, StoreError>> {
        let (giver, receiver) = completion();
        self.queue.borrow_mut().push_back(Pending {
            bucket,
            key,
            change,
            giver,
        });
        if !self.appends.replace(true) {
            let log = Rc::clone(self);
            spawn(async move {
                log.run().await;
                log.appends.set(false);
            });
        }
        receiver
    }

    /// Commits until nothing waits.
    async fn run(&self) {
        loop {
            // On a full disk no merge may ever come: PUTs are refused then, and deletes go on.
            while self.is_held_up() && !self.failed.get() && !self.space_short.get() {
                let (giver, receiver) = completion();
                self.held_up.borrow_mut().push(giver);
                receiver.wait().await;
            }
            let pending = self.take_batch();
            if pending.is_empty() {
                return;
            }
            self.commit(pending).await;
        }
    }

    fn is_held_up(&self) -> bool {
        let recent = self.index.recent();
        self.recent_max
            .is_some_and(|limit| recent.memory_bytes() > limit || recent.entry_count() > 2 * RECENT_ENTRIES_MAX)
    }

    /// A merge has ended: appends may go on.
    pub fn release(&self) {
        self.held_up.borrow_mut().drain(..).for_each(|giver| giver.give(()));
    }

    fn take_batch(&self) -> Vec<Pending> {
        let payload_max = BATCH_PAYLOAD_BYTES_MAX.min(usize::try_from(self.segment_bytes / 4).unwrap_or(usize::MAX));
        let mut queue = self.queue.borrow_mut();
        let (mut taken, mut payload_bytes, mut record_bytes) = (Vec::new(), 0usize, 0usize);
        while let Some(next) = queue.front() {
            let (payload, record) = sizes(next);
            let full = payload_bytes + payload > payload_max
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

    /// A number for a blob.
    pub fn take_number(&self) -> u64 {
        let mut tail = self.tail.borrow_mut();
        let number = tail.next_number;
        tail.next_number += 1;
        number
    }

    /// Whether no change is under way: what the index says is all there is.
    pub fn is_settled(&self) -> bool {
        !self.appends.get()
    }

    /// Whether writes were stopped by a failed write or sync.
    pub fn has_failed(&self) -> bool {
        self.failed.get()
    }

    /// Stops all writes.
    pub fn fail(&self) {
        self.failed.set(true);
        self.release();
    }

    /// Whether the disk had no room for another segment when it was tried last.
    pub fn is_space_short(&self) -> bool {
        self.space_short.get()
    }

    /// The disk has no room for what the shard needs itself.
    pub fn note_space_short(&self) {
        self.space_short.set(true);
    }

    /// Bytes left in the segment that is appended to.
    pub fn room(&self) -> u64 {
        let tail = self.tail.borrow();
        let size = tail.segment.as_ref().map_or(0, |segment| segment.size);
        size.saturating_sub(tail.position)
    }

    /// Whether a segment should be made ahead.
    pub fn wants_spare(&self) -> bool {
        self.spare_wanted.get() || self.space_short.get()
    }

    /// What it has counted.
    pub fn counters(&self) -> &LogCounters {
        &self.counters
    }

    /// Bytes appended since the last merge.
    pub fn unmerged_bytes(&self) -> u64 {
        self.counters.appended_bytes.get() - self.merged_bytes.get()
    }

    /// How far everything is published at this moment; a merge that takes what is recent now covers that.
    pub fn checkpoint(&self) -> Checkpoint {
        let tail = self.tail.borrow();
        match &tail.segment {
            Some(segment) => Checkpoint {
                segment: segment.id,
                position: tail.position,
                next_batch: tail.next_batch,
                next_number: tail.next_number,
            },
            None => Checkpoint {
                next_number: tail.next_number,
                ..tail.found
            },
        }
    }

    /// A merge takes what was appended so far.
    pub fn note_merge(&self) {
        self.merged_bytes.set(self.counters.appended_bytes.get());
    }

    /// What only deletes and compaction may use of the last segment while the disk is full.
    fn space_making_bytes(&self) -> u64 {
        SPACE_MAKING_BYTES.min(self.segment_bytes / 4)
    }

    fn count_sync(&self) {
        self.counters.syncs.set(self.counters.syncs.get() + 1);
    }
}

/// Upper bounds of a change's inline payload and record, in bytes.
fn sizes(pending: &Pending) -> (usize, usize) {
    /// Fixed fields of any record.
    const FIXED_BYTES: usize = 64;
    let key = pending.key.len() + FIXED_BYTES;
    match &pending.change {
        Change::Delete | Change::Fence(_) => (0, key),
        Change::Name(name) => (0, key + name.len()),
        Change::Put(meta, payload) => {
            let inline = match payload {
                NewPayload::Small(bytes) => bytes.len(),
                NewPayload::Buffered(buffer) => buffer.size(),
                NewPayload::Blob(_) => 0,
            };
            (inline, key + meta.encoded_bytes_max())
        }
        Change::Move(record, payload) => (payload.len(), key + record.encoded_bytes_max()),
    }
}
