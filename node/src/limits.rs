//! The data plane's limits and time-outs, in one place. Bytes unless the name says otherwise.

use std::time::Duration;

/// Connections one core accepts; more are closed at once.
pub const CONNECTIONS_PER_CORE_MAX: usize = 16_384;
/// Connections that may wait to be accepted on a core's port.
pub const LISTEN_BACKLOG: i32 = 4096;
/// Bytes a socket takes before the client's window has room for them (TCP_NOTSENT_LOWAT). Without it ten thousand
/// clients that do not read fill the kernel's TCP memory, and everybody is slowed down.
pub const UNSENT_BYTES_MAX: u32 = 256 * 1024;
/// Descriptors kept for segments, registration and everything else that is not a client's connection or an open blob.
pub const DESCRIPTORS_RESERVED: usize = 1024;
/// Blobs one core receives at once, each an open file; more get SlowDown.
pub const UPLOADS_PER_CORE_MAX: usize = 1024;
/// What a connection's receive buffer starts with; it grows to the head limit only while a head needs it.
pub const INBOX_BYTES_MIN: usize = 4 * 1024;
/// How far ahead framing is read: what overshoots into payload is copied.
pub const FRAMING_READ_BYTES: usize = 256;
/// Payloads up to this size are received into plain memory and copied into the log's batch.
pub const SMALL_PUT_BYTES_MAX: u64 = 32 * 1024;
/// Blocks a GET loads ahead of what it sends: 1 MiB.
pub const SEND_WINDOW_BLOCKS: usize = 8;
/// What a stalled client's connection keeps of the payload; the rest is loaded again when it reads on.
pub const STALLED_TAIL_BYTES: usize = 512;
/// Memory of a node by default, split by core: three eighths for the read cache, three eighths for uploads, one eighth for
/// blocks being sent, one eighth for the indexes of its shards.
pub const NODE_MEMORY_BYTES_DEFAULT: usize = 512 * 1024 * 1024;
/// Background passes over everything that is stored begin this long after each other: a week.
pub const SCRUB_INTERVAL_S_DEFAULT: u64 = 7 * 24 * 3600;
/// Least memory of a shard's index.
pub const SHARD_INDEX_BYTES_MIN: usize = 3 * 1024 * 1024;
/// Least memory a core needs.
pub const CORE_MEMORY_BYTES_MIN: usize = 16 * 1024 * 1024;
/// Payloads below this size are cached as plain memory, not as the aligned buffer they were read into.
pub const CACHE_COPY_BYTES_MAX: usize = 32 * 1024;
/// Registered I/O memory of an executor. Small, so that the usual 8 MiB memlock limit holds many cores.
pub const EXECUTOR_IO_BYTES: usize = 256 * 1024;
/// Submission queue entries of an executor's rings.
pub const RING_DEPTH: usize = 256;
/// Connections of a core that may be passed through to a gateway at once.
pub const RELAYS_PER_CORE_MAX: usize = 1024;
/// Connections that may wait for a core to take them from a sibling.
pub const MOVES_WAITING_MAX: usize = 4096;
/// Gateways that may have a channel to a core.
pub const CHANNELS_PER_CORE_MAX: usize = 64;
/// Buffer of one direction of a relayed connection.
pub const RELAY_BUFFER_BYTES: usize = 16 * 1024;
/// Plaintext encrypted for one send: many TLS records in one system call.
pub const TLS_BATCH_BYTES_MAX: usize = 256 * 1024;
/// The same once many clients of a core do not read: one record.
pub const TLS_BATCH_BYTES_MIN: usize = 16 * 1024;
/// Encrypted and unsent bytes of a core from which on batches are small.
pub const TLS_UNSENT_BYTES: usize = 8 * 1024 * 1024;
/// Ciphertext received at once: little when there is little room for its plaintext, since what has none is held.
pub const TLS_RECEIVE_BYTES_MIN: usize = 8 * 1024;
/// Ciphertext received at once for a large buffer; one such buffer a core.
pub const TLS_RECEIVE_BYTES_MAX: usize = 128 * 1024;
/// Unread body that is still taken in after an error answer, so that the connection can be kept.
pub const DRAIN_BYTES_MAX: u64 = 64 * 1024;
/// Expired entries taken away at the same time.
pub const EXPIRIES_AT_ONCE: usize = 64;
/// An internal message's body.
pub const MESSAGE_BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A head must arrive within this time of its first byte.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// A kept-alive connection may rest this long.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// A body, in or out, must make progress within this time.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// A relayed connection may rest this long.
pub const RELAY_TIMEOUT: Duration = Duration::from_secs(300);
/// How long a PUT waits for a buffer before it is answered SlowDown.
pub const BUFFER_WAIT: Duration = Duration::from_secs(10);
/// A copy must be done within this time: its client waits for the answer all the while.
pub const COPY_TIMEOUT: Duration = Duration::from_secs(600);
/// Parts of an upload read from the index at once.
pub const PARTS_PAGE: usize = 256;
/// Parts whose checksums are combined before others get their turn.
pub const COMBINED_PARTS: usize = 16;
/// How often completing an upload starts over because one of its parts was uploaded again meanwhile.
pub const COMPLETE_TRIES: usize = 4;
/// How often deadlines are looked at.
pub const SWEEP_INTERVAL: Duration = Duration::from_millis(250);
/// How long requests in flight may take when the node stops.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);
/// A port held by another process is tried again this long: io_uring lets go of sockets late after a kill.
pub const BIND_WAIT: Duration = Duration::from_secs(5);
/// How often a node tells its gateways that it lives.
pub const REGISTER_INTERVAL: Duration = Duration::from_secs(1);
/// How long a closing connection still takes in what its client sends, so that the answer is not lost to a reset.
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(2);
/// How much of it.
pub const LINGER_BYTES_MAX: usize = 1024 * 1024;

/// How long an executor may sleep at most. glommio 0.9 goes to sleep on tasks that are ready when its turn is over before
/// it began: when the thread did not run for the length of a turn between arming that timer and looking at it.
pub const NAP_TIME_MAX: Duration = Duration::from_millis(20);

/// Largest body of PutObjectTagging: far more than ten tags of the longest keys and values take, every character escaped.
pub const TAGGING_BODY_BYTES_MAX: usize = 256 * 1024;
