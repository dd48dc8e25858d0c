//! The engine's limits and sizes, in one place. Bytes unless the name says otherwise.

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
/// Share of a core that background work gets when requests want the rest; they have 1000.
pub const BACKGROUND_SHARES: usize = 20;
/// How much recovery reads at a time.
pub const RECOVERY_READ_BYTES: usize = 1024 * 1024;
/// Writes of one blob that may be in flight at once.
pub const BLOB_WRITES_IN_FLIGHT_MAX: usize = 3;
/// Least space reserved ahead of a blob's writes.
pub const BLOB_ALLOCATION_BYTES_MIN: u64 = 4 * 1024 * 1024;
/// Directories a shard's blobs are spread over.
pub const BLOB_DIRECTORY_COUNT: u64 = 256;
/// Blob files a shard keeps open for readers.
pub const OPEN_BLOBS_MAX: usize = 512;
/// How long a lock held by another process is waited for, in seconds: io_uring lets go of files late after a kill.
pub const LOCK_WAIT_S: u64 = 5;
/// Most shards of one mountpath.
pub const SHARDS_PER_MOUNTPATH_MAX: usize = 1024;

const _: () = assert!(COPIED_PAYLOAD_BYTES_MAX < BATCH_PAYLOAD_BYTES_MAX);
const _: () = assert!(SEGMENT_BYTES >= 4 * (BATCH_PAYLOAD_BYTES_MAX + RECORDS_BYTES_MAX) as u64);
const _: () = assert!(proto::limits::BLOCK_BYTES.is_multiple_of(DIRECT_ALIGNMENT));
