//! The segment log of a shard: changes wait in a queue, everything that waits shares one append and one fdatasync. The
//! appender runs as a task of its own, so that a client that vanishes never cuts a commit in half.

mod append;
mod draft;
mod queue;
pub mod reader;
mod rows;
mod tail;
pub mod watch;

use crate::{
    buffer::PooledBuffer,
    completion::{Giver, Receiver, completion},
    error::StoreError,
    files::{
        blob::{Blobs, NewBlob},
        segment::{AppendSegment, Segments},
        uploads::Uploads,
    },
    index::{
        ShardIndex,
        entry::{BucketState, Checkpoint, ObjectEntry},
        indexed::Indexed,
    },
    io::{let_others_run, spawn},
    layout::ShardPaths,
    limits::{RECENT_ENTRIES_MAX, SPACE_MAKING_BYTES},
    record::{ObjectMeta, Placement, Record},
};
use proto::s3::{
    bucket::BucketId,
    version::{UploadId, VersionId, Versioning},
};
use queue::Pending;
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    sync::Arc,
};
use watch::{Watch, Watches};

/// A payload on its way to the log or already in a blob.
pub enum NewPayload {
    /// A small payload, copied into the batch.
    Small(Vec<u8>),
    /// A payload in a pool buffer: the first bytes of it.
    Buffered(PooledBuffer),
    /// A finished blob.
    Blob(NewBlob),
}

/// Which version of a key a write makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewVersion {
    /// The null version, in place of the one before.
    Null,
    /// One more.
    Numbered,
}

impl From<Versioning> for NewVersion {
    fn from(versioning: Versioning) -> Self {
        match versioning {
            Versioning::Enabled => Self::Numbered,
            Versioning::Unversioned | Versioning::Suspended => Self::Null,
        }
    }
}

/// What to do with a key.
pub enum Change {
    /// Hold this object.
    Put(NewVersion, Box<ObjectMeta>, NewPayload),
    /// Hold a delete marker, made at this time in milliseconds since the epoch.
    Mark(NewVersion, u64),
    /// Hold a version no longer.
    Delete(VersionId),
    /// Hold a version with other metadata. Only with a watch: what lies elsewhere must still be its payload.
    Edit(VersionId, Box<ObjectMeta>, KeptPayload),
    /// Begin an upload.
    BeginUpload(Box<ObjectMeta>),
    /// Hold a part of an upload. Only with a watch.
    PutPart(UploadId, u16, Box<ObjectMeta>, NewPayload),
    /// Hold an object made of parts; the upload ends, and the other parts go. Only with a watch.
    Complete(NewVersion, Box<ObjectMeta>, Vec<u16>),
    /// End an upload, and with it its parts.
    AbortUpload(UploadId),
    /// Fence the bucket, or lift its fence; the key is empty.
    Fence(bool),
    /// Remember the bucket's name; the key is empty.
    Name(String),
    /// Hold a copy of this record, which keeps its sequence: compaction empties the segment it lies in.
    Move(Box<Record>, Vec<u8>),
}

/// A payload that stays where it is.
pub enum KeptPayload {
    /// Outside of the log.
    InPlace(Placement),
    /// In the log: it is copied, since a record and its payload lie together.
    Copied(Vec<u8>),
}

/// What became of a change.
pub enum Outcome {
    /// The row is durable and visible.
    Put(Arc<ObjectEntry>),
    /// The row holds nothing.
    Deleted,
    /// Something that was watched has changed; nothing was done.
    Stale(Change),
    /// The bucket's state is this.
    Bucket(BucketState),
    /// The copy is durable; the index does not point to it yet.
    Moved(Indexed),
}

/// Where the next batch goes.
pub struct Tail {
    /// The segment that is appended to; none before the first append of a run.
    pub segment: Option<Rc<AppendSegment>>,
    /// The number of the segment that was begun last; one made ahead has a higher one, or numbers would not rise along
    /// the log.
    pub newest_begun: u64,
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
    uploads: Rc<Uploads>,
    queue: RefCell<VecDeque<Pending>>,
    tail: RefCell<Tail>,
    appends: Cell<bool>,
    failed: Cell<bool>,
    space_short: Cell<bool>,
    spare_wanted: Cell<bool>,
    /// Footprints of everything published but copies, since the start and when the last merge began.
    published_bytes: Cell<u64>,
    merged_bytes: Cell<u64>,
    /// Appends that wait because the index cannot take more; whoever merges wakes them.
    held_up: RefCell<Vec<Giver<()>>>,
    recent_max: Option<usize>,
    is_behind: Cell<bool>,
    counters: LogCounters,
    watches: Rc<Watches>,
    before_batch: RefCell<Option<BeforeBatch>>,
}

/// What is done each time before the log takes what waits. Whether somebody can go on by it, to join the batch.
pub type BeforeBatch = Rc<dyn Fn() -> bool>;

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
    /// See [`Log`].
    pub uploads: Rc<Uploads>,
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
            uploads: parts.uploads,
            queue: RefCell::default(),
            tail: RefCell::new(parts.tail),
            appends: Cell::new(false),
            failed: Cell::new(false),
            space_short: Cell::new(false),
            spare_wanted: Cell::new(false),
            published_bytes: Cell::new(0),
            merged_bytes: Cell::new(0),
            held_up: RefCell::default(),
            recent_max: parts.recent_bytes_max,
            is_behind: Cell::new(false),
            counters: LogCounters::default(),
            watches: Rc::default(),
            before_batch: RefCell::default(),
        })
    }

    /// Whether a batch is being appended: what is submitted now waits for its end.
    pub fn is_appending(&self) -> bool {
        self.appends.get()
    }

    /// Has this done each time before a batch is taken.
    pub fn set_before_batch(&self, before_batch: BeforeBatch) {
        *self.before_batch.borrow_mut() = Some(before_batch);
    }

    /// Puts a change in line, to be committed with whatever else waits.
    pub fn submit(
        self: &Rc<Self>,
        bucket: BucketId,
        key: Vec<u8>,
        change: Change,
    ) -> Receiver<Result<Outcome, StoreError>> {
        self.submit_watching(bucket, key, change, Vec::new())
    }

    /// The same for a change that is given back when something watched has changed.
    pub fn submit_watching(
        self: &Rc<Self>,
        bucket: BucketId,
        key: Vec<u8>,
        change: Change,
        watches: Vec<Watch>,
    ) -> Receiver<Result<Outcome, StoreError>> {
        let (giver, receiver) = completion();
        let is_copy = matches!(change, Change::Move(..));
        self.queue.borrow_mut().push_back(Pending {
            bucket,
            key,
            change,
            watches,
            giver,
        });
        if is_copy {
            self.release();
        }
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
            let before_batch = self.before_batch.borrow().clone();
            let others_go_on = before_batch.is_some_and(|before_batch| before_batch());
            if others_go_on {
                let_others_run().await;
            }
            if self.queue.borrow().is_empty() {
                if others_go_on {
                    continue;
                }
                return;
            }
            // On a full disk no merge may ever come: PUTs are refused then, and deletes go on.
            let is_held_up = self.is_held_up() && !self.failed.get() && !self.space_short.get();
            let pending = if is_held_up {
                self.take_copies()
            } else {
                self.take_batch()
            };
            if pending.is_empty() {
                let (giver, receiver) = completion();
                self.held_up.borrow_mut().push(giver);
                receiver.wait().await;
                continue;
            }
            self.commit(pending).await;
        }
    }

    fn is_held_up(&self) -> bool {
        let recent = self.index.recent();
        self.is_behind.get()
            || self
                .recent_max
                .is_some_and(|limit| recent.memory_bytes() > limit || recent.entry_count() > 2 * RECENT_ENTRIES_MAX)
    }

    /// Whether appends wait because compaction has to catch up.
    pub fn set_behind(&self, is_behind: bool) {
        self.is_behind.set(is_behind);
        if !is_behind {
            self.release();
        }
    }

    /// A merge has ended: appends may go on.
    pub fn release(&self) {
        self.held_up.borrow_mut().drain(..).for_each(|giver| giver.give(()));
    }

    /// A number for a blob.
    pub fn take_number(&self) -> u64 {
        self.take_numbers(1)
    }

    /// The first of so many numbers in a row.
    fn take_numbers(&self, count: u64) -> u64 {
        let mut tail = self.tail.borrow_mut();
        let number = tail.next_number;
        tail.next_number += count;
        number
    }

    /// What is watched.
    pub fn watches(&self) -> &Rc<Watches> {
        &self.watches
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

    /// Bytes of the log that live at most of what no merge has taken to its end.
    pub fn unmerged_live_bytes(&self) -> u64 {
        self.published_bytes.get() - self.merged_bytes.get()
    }

    /// What a merge that begins now takes, for `note_merged`.
    pub fn published_bytes(&self) -> u64 {
        self.published_bytes.get()
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

    /// A merge has ended that took what was published then.
    pub fn note_merged(&self, published_bytes: u64) {
        self.merged_bytes.set(published_bytes);
    }

    /// What only deletes and compaction may use of the last segment while the disk is full.
    fn space_making_bytes(&self) -> u64 {
        SPACE_MAKING_BYTES.min(self.segment_bytes / 4)
    }

    fn count_sync(&self) {
        self.counters.syncs.set(self.counters.syncs.get() + 1);
    }
}
