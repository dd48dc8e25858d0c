//! Start-up of a shard, blocking, on a thread of its own: the index is opened, or made anew when it is lost; what the log
//! holds beyond it is applied; a torn tail is cut off. Nothing is served before.

mod replay;

use crate::{
    error::StoreError,
    files::segment::SegmentInfo,
    index::{
        block_file::BlockFile,
        database::{Changes, Database, DatabaseError, SegmentUse, Totals},
        entry::{BucketState, Checkpoint},
        threads::Reopen,
    },
    io::{
        OpenMode,
        blocking::{BlockingFile, remove, sync_directory},
    },
    layout::ShardPaths,
    limits::NUMBER_GAP_AT_START,
};
use proto::s3::bucket::BucketId;
use replay::Replay;
use std::{collections::BTreeMap, io, sync::Arc};

/// What recovery found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Objects the shard holds.
    pub objects: u64,
    /// Batches of the log that the index did not know yet.
    pub batches: u64,
    /// Bytes of an unacknowledged tail that were cut off.
    pub torn_bytes: u64,
    /// Why the index was made anew from the log, if it was.
    pub rebuilt: Option<String>,
    /// What is lost, by name: acknowledged batches that cannot be read, segments that are missing.
    pub damage: Vec<String>,
}

/// A shard as recovery leaves it.
pub struct Recovered {
    /// The index, up to the end of the log.
    pub database: Database,
    /// Buckets.
    pub buckets: Vec<(BucketId, BucketState)>,
    /// Objects and bytes.
    pub totals: Totals,
    /// Segments on disk.
    pub segments: BTreeMap<u64, SegmentInfo>,
    /// Where the log ended, and the next numbers.
    pub checkpoint: Checkpoint,
    /// The next segment's number.
    pub next_segment: u64,
    /// What was found.
    pub report: RecoveryReport,
}

/// Opens a shard's index and brings it up to the log.
pub fn recover(paths: &ShardPaths, shard: [u8; 16], cache_bytes: usize) -> Result<Recovered, StoreError> {
    let mut report = RecoveryReport::default();
    let database = open_index(paths, shard, cache_bytes, &mut report)?;
    let known = database.checkpoint()?;
    let start = known.unwrap_or(Checkpoint {
        segment: 0,
        position: 0,
        next_batch: 1,
        next_number: 1,
    });
    let live = database.segments()?;
    let mut ids = paths.segments()?;
    ids.retain(|id| *id >= start.segment || live.contains_key(id) || !remove_dead(paths, *id));
    report_missing(&ids, &live, start, &mut report);

    let mut replay = Replay::new(paths, shard, &database, start, known.is_none());
    for id in ids.iter().copied().filter(|id| *id >= start.segment) {
        replay.segment(id, &mut report)?;
    }
    let foreign = std::mem::take(&mut replay.foreign);
    let mut end = replay.finish(&mut report)?;
    // Numbers that were given out and never reached the log are not used again.
    end.next_number = end.next_number.saturating_add(NUMBER_GAP_AT_START);
    let applied = database.apply(&Changes {
        checkpoint: Some(end),
        ..Changes::default()
    })?;

    let live = database.segments()?;
    let mut segments = BTreeMap::new();
    for id in paths.segments()?.into_iter().filter(|id| !foreign.contains(id)) {
        let info = SegmentInfo {
            bytes: std::fs::metadata(paths.segment(id))?.len(),
            live_bytes: live.get(&id).map_or(0, |segment| segment.live_bytes),
            ..SegmentInfo::default()
        };
        segments.insert(id, info);
    }
    report.objects = applied.totals.objects;
    Ok(Recovered {
        buckets: database.buckets()?,
        totals: applied.totals,
        next_segment: ids.last().copied().unwrap_or(0).max(end.segment) + 1,
        database,
        segments,
        checkpoint: end,
        report,
    })
}

/// A segment below the checkpoint that the index does not name holds nothing that lives.
fn remove_dead(paths: &ShardPaths, id: u64) -> bool {
    match remove(paths.medium(), &paths.segment(id)) {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(segment = id, %error, "a segment that holds nothing could not be removed");
            false
        }
    }
}

fn report_missing(ids: &[u64], live: &BTreeMap<u64, SegmentUse>, start: Checkpoint, report: &mut RecoveryReport) {
    for (id, segment) in live {
        if segment.live_bytes > 0 && ids.binary_search(id).is_err() {
            report.damage.push(format!(
                "segment {id:016x} is missing, and {} bytes of objects with it",
                segment.live_bytes
            ));
        }
    }
    if start.segment > 0 && ids.binary_search(&start.segment).is_err() {
        report.damage.push(format!(
            "segment {:016x} is missing, where the log went on at byte {}",
            start.segment, start.position
        ));
    }
}

/// Opens the index. One that is damaged is thrown away: the log has everything.
fn open_index(
    paths: &ShardPaths,
    shard: [u8; 16],
    cache_bytes: usize,
    report: &mut RecoveryReport,
) -> Result<Database, StoreError> {
    let path = paths.index();
    match BlockingFile::open(paths.medium(), &path, OpenMode::ReadWrite) {
        Ok(file) => match Database::open(Arc::new(file), shard, cache_bytes) {
            Err(DatabaseError::Damaged(reason)) => {
                tracing::warn!(index = %path.display(), reason, "the index is damaged and is made anew from the log");
                report.rebuilt = Some(reason);
                remove(paths.medium(), &path)?;
            }
            other => return Ok(other?),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if !paths.segments()?.is_empty() {
                report.rebuilt = Some("it is missing".to_owned());
            }
        }
        Err(error) => return Err(error.into()),
    }
    let file = BlockingFile::open(paths.medium(), &path, OpenMode::CreateNew)?;
    sync_directory(paths.medium(), paths.root())?;
    Ok(Database::open(Arc::new(file), shard, cache_bytes)?)
}

/// Opens the index of a running shard again.
pub fn reopener(paths: ShardPaths, shard: [u8; 16], cache_bytes: usize) -> Reopen {
    Box::new(move || {
        let file = BlockingFile::open(paths.medium(), &paths.index(), OpenMode::ReadWrite)?;
        Database::open(Arc::new(file), shard, cache_bytes)
    })
}

impl BlockFile for BlockingFile {
    fn len(&self) -> io::Result<u64> {
        BlockingFile::len(self)
    }
    fn read_exact_at(&self, bytes: &mut [u8], position: u64) -> io::Result<()> {
        BlockingFile::read_exact_at(self, bytes, position)
    }
    fn write_all_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        BlockingFile::write_all_at(self, bytes, position)
    }
    fn set_len(&self, size: u64) -> io::Result<()> {
        BlockingFile::set_len(self, size)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.fdatasync()
    }
}
