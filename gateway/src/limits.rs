//! Every limit of the gateway, in one place; the protocol's own are in `proto::limits`.

use proto::limits::{LEASE_LIFE_MS, REQUEST_HEAD_BYTES_MAX, XML_BODY_BYTES_MAX};
use std::time::Duration;

/// Most client connections at a time; lowered at start when RLIMIT_NOFILE cannot hold them.
pub const CONNECTION_COUNT_MAX: usize = 20_000;
/// File descriptors kept aside for the store, the log and the listener.
pub const DESCRIPTOR_RESERVE: u64 = 128;
/// Connections waiting to be accepted.
pub const LISTEN_BACKLOG: i32 = 4096;
/// Connections taken from it in one turn of the ring.
pub const ACCEPTS_AT_ONCE: usize = 64;
/// The same of the port of web sites.
pub const WEBSITE_ACCEPTS_AT_ONCE: usize = 16;
/// Entries of the io_uring submission queue.
pub const RING_ENTRIES: u32 = 4096;

/// First size of a connection's head buffer; it grows up to REQUEST_HEAD_BYTES_MAX.
pub const HEAD_BUFFER_BYTES: usize = 4 * 1024;
/// Relay buffer while few bodies are relayed, unless `net.http.read_buffer_size` and `write_buffer_size` say otherwise.
pub const RELAY_BUFFER_BYTES: usize = 64 * 1024;
/// Smallest relay buffer, used when very many are.
pub const RELAY_BUFFER_BYTES_MIN: usize = 8 * 1024;
/// While relays hold less than this, every buffer has the size it is to have; above it they shrink.
pub const RELAY_MEMORY_BYTES_TARGET: usize = 128 * 1024 * 1024;
/// All relay buffers together; beyond it requests are answered `SlowDown`.
pub const RELAY_MEMORY_BYTES_MAX: usize = 384 * 1024 * 1024;
/// First buffer for a core's response to GET: head and a small object in one receive.
pub const RESPONSE_BUFFER_BYTES: usize = 16 * 1024;
/// First buffer for a core's response to what has no body to return; held while a body goes up.
pub const SHORT_RESPONSE_BUFFER_BYTES: usize = 2 * 1024;
/// Relay buffers kept for reuse.
pub const RELAY_BUFFERS_SPARE_MAX: usize = 64;

/// Plaintext encrypted for one send.
pub const TLS_BATCH_BYTES_MAX: usize = RELAY_BUFFER_BYTES;
/// The same once many peers do not take what is sent: one record.
pub const TLS_BATCH_BYTES_MIN: usize = 16 * 1024;
/// Encrypted and unsent bytes from which on batches are small.
pub const TLS_UNSENT_BYTES: usize = 8 * 1024 * 1024;
/// Ciphertext received at once: little when there is little room for its plaintext, since what has none is held.
pub const TLS_RECEIVE_BYTES_MIN: usize = 8 * 1024;
/// Ciphertext received at once for a large buffer; there is one such buffer.
pub const TLS_RECEIVE_BYTES_MAX: usize = RELAY_BUFFER_BYTES;
/// Ciphertext received at once for the admin API.
pub const ADMIN_RECEIVE_BYTES: usize = 4 * 1024;

/// All request bodies the gateway itself reads, together (DeleteObjects, CreateBucket).
pub const BODY_MEMORY_BYTES_MAX: usize = 128 * 1024 * 1024;
/// Largest CreateBucketConfiguration.
pub const BUCKET_CONFIGURATION_BYTES_MAX: usize = 64 * 1024;
/// Largest configuration of a bucket: 1,000 lifecycle rules, if they are not very long.
pub const SUBRESOURCE_BYTES_MAX: usize = 2 * 1024 * 1024;
/// How often a change of a bucket's configuration is tried while others change it, too.
pub const CONFIGURE_ATTEMPTS_MAX: usize = 16;
/// Largest NodeInfo: SHARD_COUNT_MAX shards and as many cores.
pub const REGISTRATION_BYTES_MAX: usize = 256 * 1024;
/// Largest JSON body of the admin API.
pub const ADMIN_BODY_BYTES_MAX: usize = 64 * 1024;
/// How often the admin API looks at an object that is written in between.
pub const OBJECT_LOOKS_MAX: usize = 4;
/// Largest answer of a core to an internal message: a page of LIST_KEYS_MAX keys.
pub const MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// An unread request body up to this size is read and thrown away, so that its connection can be kept.
pub const BODY_DRAIN_BYTES_MAX: u64 = 256 * 1024;
/// What is read and thrown away of a connection that closes after its answer, so that the answer arrives.
pub const LINGER_BYTES_MAX: u64 = 1024 * 1024;

/// Request bodies relayed at a time; beyond it requests are answered `SlowDown`. Each holds a connection and perhaps a file
/// at its core, where stalled clients must not use up the descriptors.
pub const UPLOAD_COUNT_MAX: usize = 4096;
/// Kept-alive connections a core.
pub const CORE_IDLE_CONNECTIONS_MAX: usize = 256;
/// Longest idle time of a kept-alive connection to a core; below the core's own 75 s.
pub const CORE_IDLE_TIME: Duration = Duration::from_secs(30);
/// Time for a connection to a core.
pub const CORE_CONNECT_TIME: Duration = Duration::from_secs(5);
/// Time for a core to begin its answer once it has the whole request.
pub const CORE_ANSWER_TIME: Duration = Duration::from_secs(60);

/// Time for a core that takes no more of a request to say why.
pub const CORE_REFUSAL_TIME: Duration = Duration::from_secs(5);

/// Time for a core to take changed settings.
pub const CONFIGURE_TIME: Duration = Duration::from_secs(3);
/// Time for a core to say what it counts; one that does not is left out of the metrics.
pub const STATS_TIME: Duration = Duration::from_secs(3);

/// Time for a whole request head.
pub const HEAD_TIME: Duration = Duration::from_secs(30);
/// Time between two requests of a connection.
pub const IDLE_TIME: Duration = Duration::from_secs(75);
/// Time without a byte of progress in a body, either way. A little less than a core's own 60 s: it is the gateway that knows
/// which side stopped, and tells.
pub const BODY_PROGRESS_TIME: Duration = Duration::from_secs(55);
/// Time for what a closing connection still sends.
pub const LINGER_TIME: Duration = Duration::from_secs(2);
/// Time for a whole admin request.
pub const ADMIN_TIME: Duration = Duration::from_secs(30);
/// How often deadlines are checked: what a time-out can be late by.
pub const WATCHDOG_INTERVAL: Duration = Duration::from_millis(500);
/// Time for requests in flight after SIGTERM.
pub const DRAIN_TIME: Duration = Duration::from_secs(10);
/// How often lifecycle rules are applied in one of their days.
pub const LIFECYCLE_PASSES_PER_DAY: u32 = 24;
/// How often it is looked whether the time between two passes is over: it may be changed meanwhile.
pub const LIFECYCLE_LOOK_TIME: Duration = Duration::from_secs(1);
/// The shortest time between two passes.
pub const LIFECYCLE_INTERVAL_MIN: Duration = Duration::from_millis(200);
/// How long a busy port or a locked store is retried at start.
pub const BUSY_RETRY_TIME: Duration = Duration::from_secs(5);

/// A node is live this long after its last registration.
pub const NODE_LIVE_TIME: Duration = Duration::from_secs(5);
/// Most nodes known at a time.
pub const NODE_COUNT_MAX: usize = 1024;
/// Most buckets of one user (S3's default quota was 100, its maximum 1,000).
pub const USER_BUCKET_COUNT_MAX: usize = 1000;
/// Most access keys.
pub const ACCESS_KEY_COUNT_MAX: usize = 100_000;
/// Longest user and tenant name, in bytes.
pub const USER_NAME_BYTES_MAX: usize = 64;
/// Bucket ids taken from the store's counter at a time.
pub const BUCKET_ID_RANGE: u64 = 64;
/// Most transactions in one durable commit of the store.
pub const COMMIT_BATCH_MAX: usize = 64;
/// The store's cache, in bytes: everything is held in memory by the catalog anyway.
pub const STORE_CACHE_BYTES: usize = 4 * 1024 * 1024;
/// Clients remembered as unable to follow redirects.
pub const NON_FOLLOWER_COUNT_MAX: usize = 10_000;
/// How long such a client is remembered.
pub const NON_FOLLOWER_TIME: Duration = Duration::from_secs(600);
/// How long the change of a permission waits for cores that do not acknowledge it: their leases are dead by then.
pub const LEASE_SETTLE_TIME: Duration = Duration::from_millis(LEASE_LIFE_MS + 50);
/// How often it looks whether they have.
pub const LEASE_SETTLE_POLL_TIME: Duration = Duration::from_millis(2);
/// Largest file with rows of the redirect table.
pub const REDIRECT_TABLE_BYTES_MAX: u64 = 1024 * 1024;
/// Most rows in it: each costs a look at every request.
pub const REDIRECT_ROWS_MAX: usize = 1000;
/// Entries asked of a core above its even share of a page.
pub const LIST_PAGE_SLACK: usize = 16;

const _: () = assert!(HEAD_BUFFER_BYTES <= REQUEST_HEAD_BYTES_MAX);
const _: () = assert!(RELAY_BUFFER_BYTES_MIN <= RELAY_BUFFER_BYTES);
const _: () = assert!(RELAY_MEMORY_BYTES_TARGET < RELAY_MEMORY_BYTES_MAX);
const _: () = assert!(SUBRESOURCE_BYTES_MAX <= XML_BODY_BYTES_MAX);
const _: () = assert!(XML_BODY_BYTES_MAX < BODY_MEMORY_BYTES_MAX);
