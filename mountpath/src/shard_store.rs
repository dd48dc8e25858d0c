//! One shard: what a core asks of the storage engine.

use crate::{
    completion::{Receiver, remote_completion},
    counters::MaintenanceCounters,
    error::StoreError,
    files::{
        blob::{BlobWriter, Blobs},
        segment::Segments,
        uploads::Uploads,
    },
    index::{
        ShardIndex,
        entry::{Checkpoint, split_index_key},
        row::Row,
        threads::{IndexThreads, leave_the_core},
    },
    io::File,
    layout::ShardPaths,
    limits::{INDEX_MEMORY_BYTES_DEFAULT, SEGMENT_BYTES},
    log::{BeforeBatch, Log, LogParts, Tail},
    maintenance::{self, turns::Turns},
    recovery::{Recovered, recover, reopener},
};
pub use crate::{
    counters::Counters,
    files::blob::NewBlob,
    log::{Change, KeptPayload, NewPayload, NewVersion, Outcome},
    maintenance::{
        scrub::{DamagedObject, ScrubProgress, ScrubReport},
        sweep::SweepReport,
    },
    read::OpenObject,
    recovery::RecoveryReport,
};
use proto::s3::{bucket::BucketId, version::VersionId};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

/// How a shard is run.
#[derive(Debug, Clone, Copy)]
pub struct StoreOptions {
    /// A change is durable before it is acknowledged.
    pub sync: bool,
    /// Bytes of a segment; existing ones keep theirs.
    pub segment_bytes: u64,
    /// Memory of the index, in bytes: recent entries, cached entries and the database's cache, a third each.
    pub memory: usize,
    /// How long after each other passes begin that read and verify everything; `None`: never.
    pub scrub_interval: Option<Duration>,
    /// Merging, compaction and the rest happen by themselves; else somebody calls for them.
    pub maintain: bool,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            sync: true,
            segment_bytes: SEGMENT_BYTES,
            memory: INDEX_MEMORY_BYTES_DEFAULT,
            scrub_interval: None,
            maintain: true,
        }
    }
}

/// A shard, open for service on one core.
pub struct ShardStore {
    uuid: [u8; 16],
    name: String,
    sync: bool,
    paths: Rc<ShardPaths>,
    closed: Cell<bool>,
    unavailable: RefCell<Option<StoreError>>,
    pub(crate) thread_paths: Arc<ShardPaths>,
    pub(crate) segment_bytes: u64,
    pub(crate) maintains: bool,
    pub(crate) recent_bytes: usize,
    pub(crate) first_number: u64,
    pub(crate) is_log_damaged: bool,
    pub(crate) index: Rc<ShardIndex>,
    pub(crate) log: Rc<Log>,
    pub(crate) segments: Rc<Segments>,
    pub(crate) blobs: Rc<Blobs>,
    pub(crate) uploads: Rc<Uploads>,
    pub(crate) scrub_interval: Cell<Option<Duration>>,
    pub(crate) merged: Cell<Checkpoint>,
    pub(crate) merge_turns: Turns,
    pub(crate) compaction_turns: Turns,
    pub(crate) counters: MaintenanceCounters,
}

impl ShardStore {
    /// Recovers the shard and opens it.
    pub async fn open(
        paths: ShardPaths,
        uuid: [u8; 16],
        options: StoreOptions,
    ) -> Result<(Rc<Self>, RecoveryReport), StoreError> {
        File::probe_device(paths.medium(), &paths.marker()).await?;
        let part = options.memory / 3;
        let recovered = on_a_thread({
            let paths = paths.clone();
            move || recover(&paths, uuid, part)
        })
        .await?;
        let Recovered {
            database,
            buckets,
            totals,
            segments,
            checkpoint,
            next_segment,
            report,
        } = recovered;
        let name = paths.root().display().to_string();
        let reopen = reopener(paths.clone(), uuid, part);
        let thread_paths = Arc::new(paths.clone());
        let paths = Rc::new(paths);
        let index = Rc::new(ShardIndex::new(
            IndexThreads::start(database, reopen)?,
            buckets,
            totals,
            part,
        ));
        let segments = Rc::new(Segments::new(Rc::clone(&paths), &segments));
        let blobs = Rc::new(Blobs::new(Rc::clone(&paths)));
        let uploads = Uploads::new(Rc::clone(&index));
        let log = Log::new(LogParts {
            shard: uuid,
            paths: Rc::clone(&paths),
            segment_bytes: options.segment_bytes,
            sync: options.sync,
            index: Rc::clone(&index),
            segments: Rc::clone(&segments),
            blobs: Rc::clone(&blobs),
            uploads: Rc::clone(&uploads),
            tail: Tail {
                // A new segment is begun by the first append: an old one may end where a torn batch was cut off.
                segment: None,
                newest_begun: 0,
                spare: None,
                next_segment,
                position: 0,
                next_batch: checkpoint.next_batch,
                durable_batch: checkpoint.next_batch.saturating_sub(1),
                next_number: checkpoint.next_number,
                found: checkpoint,
            },
            recent_bytes_max: options.maintain.then_some(2 * part),
        });
        let store = Rc::new(Self {
            uuid,
            name,
            sync: options.sync,
            paths,
            closed: Cell::new(false),
            unavailable: RefCell::default(),
            thread_paths,
            segment_bytes: options.segment_bytes,
            maintains: options.maintain,
            recent_bytes: part,
            first_number: checkpoint.next_number,
            is_log_damaged: !report.damage.is_empty(),
            index,
            log,
            segments,
            blobs,
            uploads,
            scrub_interval: Cell::new(options.scrub_interval),
            merged: Cell::new(checkpoint),
            merge_turns: Turns::default(),
            compaction_turns: Turns::default(),
            counters: MaintenanceCounters::default(),
        });
        if options.maintain {
            maintenance::start(&store);
        }
        Ok((store, report))
    }

    /// From now on everything is read and verified this often; `None`: never.
    pub fn set_scrub_interval(&self, interval: Option<Duration>) {
        self.scrub_interval.set(interval);
    }

    /// The shard's identity.
    pub fn uuid(&self) -> [u8; 16] {
        self.uuid
    }

    /// The shard's directory, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Remembers a bucket's name, for messages. To be called before a PUT into the bucket is submitted.
    pub fn note_bucket(&self, bucket: BucketId, name: &str) {
        if !self.index.is_noted(bucket) {
            // Whatever becomes of it: without it, messages have the bucket's number.
            drop(self.submit(bucket, Vec::new(), Change::Name(name.to_owned())));
        }
    }

    /// Begins a blob of `size` bytes.
    pub async fn create_blob(&self, size: u64) -> Result<BlobWriter, StoreError> {
        self.check_available()?;
        if self.is_read_only() {
            return Err(StoreError::ReadOnly);
        }
        BlobWriter::create(Rc::clone(&self.paths), self.log.take_number(), size).await
    }

    /// Makes a blob's bytes durable, as the record that names it will be.
    pub async fn finish_blob(&self, writer: BlobWriter) -> Result<NewBlob, StoreError> {
        let blob = writer.finish(self.sync).await?;
        if self.sync {
            self.counters.blob_syncs.set(self.counters.blob_syncs.get() + 1);
        }
        Ok(blob)
    }

    /// Changes a key. The future may be dropped: the change then still happens or not, as a whole.
    pub async fn change(&self, bucket: BucketId, key: Vec<u8>, change: Change) -> Result<Outcome, StoreError> {
        self.check_available()?;
        self.submit(bucket, key, change)
            .wait()
            .await
            .unwrap_or(Err(StoreError::ReadOnly))
    }

    /// Puts a change in line, to be committed with whatever else waits; the outcome comes through the receiver.
    pub fn submit(&self, bucket: BucketId, key: Vec<u8>, change: Change) -> Receiver<Result<Outcome, StoreError>> {
        self.log.submit(bucket, key, change)
    }

    /// Whether changes submitted now wait for the end of a batch being appended.
    pub fn is_appending(&self) -> bool {
        self.log.is_appending()
    }

    /// Has this done each time before a batch is taken.
    pub fn set_before_batch(&self, before_batch: BeforeBatch) {
        self.log.set_before_batch(before_batch);
    }

    /// Whether no change is under way: what the index says is all there is.
    pub fn is_settled(&self) -> bool {
        self.log.is_settled()
    }

    /// Whether a bucket takes no writes.
    pub fn is_fenced(&self, bucket: BucketId) -> bool {
        self.index.is_fenced(bucket)
    }

    /// Whether writes were stopped by a failed write or sync.
    pub fn is_read_only(&self) -> bool {
        self.log.has_failed()
    }

    /// Why nothing is served, if so.
    pub fn unavailable(&self) -> Option<StoreError> {
        self.unavailable.borrow().clone()
    }

    /// A clean stop: everything is merged, access times too, and the index closed. Nothing may be changed any more.
    pub async fn close(&self) -> Result<(), StoreError> {
        if self.closed.replace(true) {
            return Ok(());
        }
        let merged = self.merge().await;
        let spare = self.log.drop_spare().await;
        self.log.fail();
        self.index.threads().stop();
        merged.and(spare)
    }

    /// Whether the shard was closed.
    pub fn is_closed(&self) -> bool {
        self.closed.get()
    }

    /// A row's name, for messages.
    pub(crate) fn row_name(&self, index_key: &[u8]) -> String {
        let Some((bucket, row)) = split_index_key(index_key) else {
            return "no row".to_owned();
        };
        format!("bucket {} {}", self.index.bucket_name(bucket), described(row))
    }

    pub(crate) fn check_available(&self) -> Result<(), StoreError> {
        match &*self.unavailable.borrow() {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    /// Takes the shard out of service where an error leaves no other way; other shards go on.
    pub(crate) fn judge(&self, error: StoreError) -> StoreError {
        let is_final = matches!(error, StoreError::Unavailable(_) | StoreError::IndexDamaged(_));
        if is_final && !self.is_closed() && self.unavailable.borrow().is_none() {
            tracing::error!(shard = self.name, %error, "the shard is out of service until a restart");
            if matches!(error, StoreError::IndexDamaged(_))
                && let Err(error) = std::fs::remove_file(self.paths.index())
            {
                tracing::error!(shard = self.name, %error, "the damaged index could not be removed; remove it before the next start");
            }
            *self.unavailable.borrow_mut() = Some(error.clone());
            self.log.fail();
        }
        error
    }

    /// Looks whether the mountpath is still there: a disk that is gone answers nothing, and must not be written to by
    /// name.
    pub(crate) async fn check_mountpath(&self) {
        let marker = self.paths.marker();
        let looked = self.index.threads().read(move |_| Ok(marker.metadata().err())).await;
        if let Ok(Some(error)) = looked {
            self.judge(StoreError::Unavailable(format!("its mountpath is gone: {error}")));
        }
    }
}

/// What a row is about, for messages: an object by its key.
pub(crate) fn described(row: &[u8]) -> String {
    let text = String::from_utf8_lossy;
    match Row::decode(row) {
        Some(Row::Null(key)) => format!("key {:?}", text(&key)),
        Some(Row::Numbered(key, number)) => format!("key {:?} version {}", text(&key), VersionId::Number(number)),
        Some(Row::Upload(key, upload)) => format!("key {:?} upload {upload}", text(&key)),
        Some(Row::Part(upload, number)) => format!("upload {upload} part {number}"),
        None => format!("row {row:x?}"),
    }
}

/// Runs what blocks on a thread, off the core.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let (giver, receiver) = remote_completion();
    std::thread::Builder::new().name("recovery".to_owned()).spawn(move || {
        leave_the_core();
        giver.give(work());
    })?;
    let ended = || {
        Err(StoreError::Unavailable(
            "its recovery has ended without a result".to_owned(),
        ))
    };
    receiver.wait().await.unwrap_or_else(ended)
}
