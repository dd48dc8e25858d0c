//! Every limit of the command line, in one place.

use std::time::Duration;

/// Locked memory an executor's rings need, in bytes (glommio refuses to start below it).
pub const MEMLOCK_BYTES_PER_EXECUTOR: u64 = 512 * 1024;
/// How long a lock is tried: a killed store lets go of its files a little after its death.
pub const LOCK_RETRY: Duration = Duration::from_secs(5);
/// Pause between two tries of a lock.
pub const LOCK_RETRY_PAUSE: Duration = Duration::from_millis(50);
/// How long a store whose processes all run may take until it reports health.
pub const HEALTH_WAIT: Duration = Duration::from_secs(60);
/// Pause between two looks at the store's health.
pub const HEALTH_PAUSE: Duration = Duration::from_millis(20);
/// Longest wait for one answer about the store's health.
pub const HEALTH_REQUEST: Duration = Duration::from_secs(2);
/// How long the gateway alone may finish its requests before the node is told to stop as well.
pub const GATEWAY_DRAIN: Duration = Duration::from_secs(5);
/// How long all processes together may take to finish before they are killed.
pub const DRAIN: Duration = Duration::from_secs(15);
/// Longest line a child may print before it is ready, in bytes.
pub const READY_LINE_BYTES_MAX: usize = 256 * 1024;
/// Longest wait for an answer to a command.
pub const COMMAND_REQUEST: Duration = Duration::from_secs(30);
/// Longest wait for a connection to the store.
pub const CONNECT: Duration = Duration::from_secs(10);
/// Shortest and longest access key.
pub const ACCESS_KEY_CHARS: std::ops::RangeInclusive<usize> = 3..=128;
/// Shortest secret key.
pub const SECRET_KEY_CHARS_MIN: usize = 8;
/// Longest secret key.
pub const SECRET_KEY_CHARS_MAX: usize = 128;
/// Life of a certificate that is made here. macOS and iOS refuse server certificates of more than 825 days, whoever signed
/// them (<https://support.apple.com/en-us/103769>); nobody else wants less of one that is trusted by hand.
pub const CERTIFICATE_DAYS: u64 = 825;
/// How far a new certificate's validity begins in the past, for clients whose clock is late.
pub const CERTIFICATE_BACKDATE: Duration = Duration::from_secs(3600);
/// A certificate that ends in less is spoken of at every start.
pub const CERTIFICATE_WARNING: Duration = Duration::from_secs(30 * 24 * 3600);
/// How often a call that failed for now is tried again.
pub const RETRY_COUNT_MAX: u32 = 6;
/// The first pause before another try; each one is twice as long.
pub const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause before another try.
pub const RETRY_PAUSE_MAX: Duration = Duration::from_secs(5);
/// How late an interrupt may be noticed while a try is waited for.
pub const INTERRUPT_LOOK: Duration = Duration::from_millis(50);
/// How long an upload of nothing may take.
pub const UPLOAD_BASE: Duration = Duration::from_secs(60);
/// The slowest line that uploads are good for, in bytes a second and request.
pub const UPLOAD_BYTES_PER_S_MIN: u64 = 32 * 1024;
/// Longest wait for what costs the store more than other requests: completing an upload, copying, deleting a thousand.
pub const COMPLETION: Duration = Duration::from_secs(15 * 60);
/// Largest XML answer that is read: a page of 1,000 names of 1,024 bytes, every byte escaped, and what is said of them.
pub const ANSWER_XML_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Deepest XML answer that is read.
pub const ANSWER_XML_DEPTH_MAX: usize = 16;
/// Size of a part unless told otherwise; larger files go up in parts, larger objects come down in ranges.
pub const PART_BYTES: u64 = 16 * 1024 * 1024;
/// Largest part that --part-size takes: parts lie in memory while they are sent.
pub const PART_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Most payload in memory at a time, in bytes; one part may be more.
pub const TRANSFER_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Most requests at a time unless told otherwise.
pub const JOBS_DEFAULT_MAX: usize = 16;
/// Most requests at a time.
pub const JOBS_MAX: usize = 256;
/// Most files and objects that wait for their turn: a folder of millions is not held in memory.
pub const QUEUE_MAX: usize = 4096;
/// How many bytes are read from a connection or a file at a time.
pub const TRANSFER_BUFFER_BYTES: usize = 256 * 1024;
/// Part of an object that one request copies, in bytes, where it is copied in parts.
pub const COPY_PART_BYTES: u64 = 512 * 1024 * 1024;
/// Parts of a stream of unknown length after which parts get larger.
pub const STREAM_PARTS_PER_STEP: u64 = 1000;
/// Most keys a listing is asked for at once; the store gives no more.
pub const LIST_PAGE_KEYS: u64 = 1000;
