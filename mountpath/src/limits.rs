//! The engine's limits and sizes, in one place. Bytes unless the name says otherwise.

use std::time::Duration;

/// Alignment of everything written O_DIRECT.
pub const DIRECT_ALIGNMENT: usize = 4096;
/// A segment file. A batch never crosses into the next segment.
pub const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
/// A batch closes when it holds this much payload, so that one commit never waits for more than a few milliseconds of
/// writing.
pub const BATCH_PAYLOAD_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most records in one batch.
pub const BATCH_RECORD_COUNT_MAX: usize = 4096;
/// Largest records region of a batch: a 5 GiB object's block checksums take 320 KiB.
pub const RECORDS_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Payloads up to this size are copied into the batch buffer, so that many small objects are one write; larger ones
/// are written from the buffer the socket filled.
pub const COPIED_PAYLOAD_BYTES_MAX: usize = 32 * 1024;
/// How much is read of the log at a time.
pub const LOG_READ_BYTES: usize = 1024 * 1024;
/// Writes of one blob that may be in flight at once.
pub const BLOB_WRITES_IN_FLIGHT_MAX: usize = 6;
/// Least space reserved ahead of a blob's writes.
pub const BLOB_ALLOCATION_BYTES_MIN: u64 = 4 * 1024 * 1024;
/// Directories a shard's blobs are spread over.
pub const BLOB_DIRECTORY_COUNT: u64 = 256;
/// Blob files a shard keeps open for readers.
pub const OPEN_BLOBS_MAX: usize = 512;
/// Segments a shard keeps open for readers: 8 GiB of small objects without opening a file.
pub const OPEN_SEGMENTS_MAX: usize = 128;
/// Last part of the log's last segment that only deletes and compaction may use while the disk is full: they make
/// space.
pub const SPACE_MAKING_BYTES: u64 = 8 * 1024 * 1024;
/// How long a lock held by another process is waited for, in seconds: io_uring lets go of files late after a kill.
pub const LOCK_WAIT_S: u64 = 5;
/// Most shards of one mountpath.
pub const SHARDS_PER_MOUNTPATH_MAX: usize = 1024;

/// Memory of a shard's index by default: recent entries, cached entries and the database's cache, a third each.
pub const INDEX_MEMORY_BYTES_DEFAULT: usize = 32 * 1024 * 1024;
/// Recent entries are merged into the database when there are this many, whatever their size: a start after a crash
/// replays at most about twice as many.
pub const RECENT_ENTRIES_MAX: usize = 64 * 1024;
/// Recent entries are merged when the log has grown by this much since.
pub const RECENT_LOG_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Recent entries are merged when they have blobs of this size in all: what they replaced is only known then.
pub const RECENT_BLOB_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Recent entries are merged when they are this old.
pub const RECENT_AGE_MAX: Duration = Duration::from_secs(5);
/// Access times not written yet; when there are more, the index is merged.
pub const TOUCHED_MAX: usize = 32 * 1024;
/// Access times alone are written this often.
pub const TOUCHED_AGE_MAX: Duration = Duration::from_secs(60);
/// An access time is noted once in each of these periods for a cached object, in milliseconds: what clients see of it has
/// whole seconds.
pub const TOUCH_RESOLUTION_MS: u64 = 1000;
/// How often a page with access times is read again when merges come between.
pub const DETAILED_PAGE_TRIES: usize = 8;
/// Records of the log that one transaction of a start applies.
pub const REPLAY_ENTRIES_MAX: usize = 128 * 1024;
/// Numbers of records and blobs skipped at a start: those that were given out before a crash and never reached the log
/// are not used again.
pub const NUMBER_GAP_AT_START: u64 = 1 << 32;

/// Share of a core that background work gets when requests want the rest; they have 1000.
pub const BACKGROUND_SHARES: usize = 20;
/// Longest file that can be an index whose creation was interrupted: redb begins with 72 KiB.
pub const INDEX_CREATION_BYTES_MAX: u64 = 1024 * 1024;
/// Rows of the index a listing steps over one by one, before it seeks past what is left of a rolled-up prefix.
pub const LISTING_STEPS_MAX: usize = 16;

/// How often a shard looks for work in the background.
pub const MAINTENANCE_INTERVAL: Duration = Duration::from_millis(250);
/// How often it looks whether its mountpath is still there.
pub const MOUNTPATH_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// The log is compacted when it is this many percent of what lives in it.
pub const COMPACTION_LOG_PERCENT: u64 = 130;
/// A segment is worth copying when less than this many percent of it live.
pub const COMPACTION_LIVE_PERCENT_MAX: u64 = 80;
/// Writers wait for compaction when the log is this many percent of what lives in it.
pub const COMPACTION_BEHIND_PERCENT: u64 = 150;
/// Segments emptied before the index is told.
pub const COMPACTION_SEGMENTS_MAX: usize = 64;
/// Records copied before the index is told; about 400 bytes of memory each.
pub const COMPACTION_RECORDS_MAX: usize = 16 * 1024;
/// Live bytes that are copied in one go before other work gets its turn.
pub const COMPACTION_CHUNK_BYTES: usize = 1024 * 1024;
/// Objects that a scrub or a sweep asks the index for at a time.
pub const SCAN_ENTRIES: usize = 256;

const _: () = assert!(COPIED_PAYLOAD_BYTES_MAX < BATCH_PAYLOAD_BYTES_MAX);
const _: () = assert!(SEGMENT_BYTES >= 4 * (BATCH_PAYLOAD_BYTES_MAX + RECORDS_BYTES_MAX) as u64);
const _: () = assert!(SPACE_MAKING_BYTES < SEGMENT_BYTES);
const _: () = assert!(proto::limits::BLOCK_BYTES.is_multiple_of(DIRECT_ALIGNMENT));
