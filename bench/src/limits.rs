//! Every fixed number of the benchmark, in one place. Sizes are bytes unless the name says otherwise.

use std::time::Duration;

/// The processor both servers are pinned to.
pub const SERVER_CORE: usize = 0;
/// The processor the load client is pinned to.
pub const CLIENT_CORE: usize = 1;

/// Objects consist of this many pseudo-random bytes, repeated, each object from another offset.
pub const PATTERN_BYTES: usize = 1024 * 1024;
/// Distance between the pattern offsets of two objects; odd, so that 4 KiB objects differ in every block.
pub const PATTERN_STRIDE_BYTES: u64 = 4099;
/// Buffer a response's head (and a small body with it) is received into. Heads above this are an error.
pub const RESPONSE_HEAD_BYTES_MAX: usize = 8 * 1024;
/// Most bytes of a body dropped by one receive call.
pub const DISCARD_BYTES: usize = 4 * 1024 * 1024;
/// Response header lines parsed at most.
pub const RESPONSE_HEADER_COUNT_MAX: usize = 64;
/// Bytes of an error answer's body quoted in a message.
pub const ERROR_TEXT_BYTES_MAX: usize = 400;

/// Most events taken from one epoll_wait.
pub const EVENTS_MAX: usize = 64;
/// How long one epoll_wait sleeps at most, so that the end of a window is noticed.
pub const WAIT_MS: u64 = 20;
/// No byte moved for this long: the server hangs, and the run fails.
pub const STALL_MAX: Duration = Duration::from_secs(20);
/// Unmeasured load before each window.
pub const WARM_UP: Duration = Duration::from_millis(400);
/// How long requests in flight may take to finish after a window.
pub const DRAIN_MAX: Duration = Duration::from_secs(30);
/// Longest window: tickets (300 s) are fetched once before it.
pub const WINDOW_S_MAX: u64 = 200;

/// Longest window of a command that waits for a number of bytes.
pub const WINDOW_MAX: Duration = Duration::from_secs(60);

/// How long a server may take to start.
pub const START_MAX: Duration = Duration::from_secs(30);
/// How long a server may take to stop before it is killed.
pub const STOP_MAX: Duration = Duration::from_secs(15);
/// Pause between two looks at whether a server has started or stopped.
pub const POLL_PAUSE: Duration = Duration::from_millis(20);
/// Last lines of a server's log quoted when it fails.
pub const LOG_LINES_QUOTED: usize = 8;
/// Reads and writes while objects are created give up after this.
pub const SET_UP_TIMEOUT: Duration = Duration::from_secs(60);

/// The client was the bottleneck of a window when it was busier than this.
pub const CLIENT_BOUND_BUSY: f64 = 0.95;
/// The load average of the last minute above which the report warns of noise.
pub const LOAD_AVERAGE_QUIET: f64 = 0.5;
/// Share of the core the other, idle server may use during a window before the report mentions it.
pub const IDLE_BUSY_MAX: f64 = 0.02;
/// Processor time that went to neither server nor client, above which the report calls a cell disturbed.
pub const STRANGERS_BUSY_MAX: f64 = 0.1;
/// Throughput ratios of the rounds further apart than this factor are called noisy.
pub const WIDE_SPREAD: f64 = 1.2;

/// Open files the ordinary commands need, with room.
pub const OPEN_FILES: u64 = 8192;
/// Size of the file the disk probe writes to.
pub const DISK_PROBE_BYTES: u64 = 16 * 1024 * 1024;
/// One write of the disk probe.
pub const DISK_WRITE_BYTES: usize = 4096;

/// Receive buffer of a stalled client, so that the kernel keeps little for it.
pub const STALLED_RECEIVE_BYTES: usize = 4096;
/// Stalled clients connect in bursts of this many, which a listen queue of the usual length holds...
pub const STALLED_BURST: usize = 64;
/// ... with this pause between, in which the server can accept them: here their number matters, not their arrival.
pub const STALLED_PAUSE: Duration = Duration::from_millis(4);
/// Open files beside those of stalled clients.
pub const OPEN_FILES_SPARE: u64 = 1024;

/// Life of the tickets the benchmark seals itself: longer than any run.
pub const OWN_TICKET_LIFE_S: u64 = 24 * 3600;

/// Files the disk probe of one file an object writes over in turn.
pub const DISK_PROBE_FILES: u64 = 1024;
/// Length of each of the disk's own probes.
pub const DISK_PROBE: Duration = Duration::from_secs(1);
/// Least that fio writes: less is over before it says anything.
pub const FIO_BYTES_MIN: u64 = 256 * 1024 * 1024;
/// Longest run of fio, in seconds; a slow disk takes less than it was to take then.
pub const FIO_RUN_S_MAX: u64 = 120;

/// What `put-durable` is to reach...
pub const PUT_DURABLE_GOAL_PER_S: f64 = 20_000.0;
/// ... with this many clients.
pub const PUT_DURABLE_GOAL_CLIENTS: usize = 64;
/// What passing a connection to its core is to cost at most, in microseconds of processor time.
pub const WAYS_HANDOFF_GOAL_US: f64 = 15.0;
/// How many signed requests a second a gateway is to redirect.
pub const WAYS_REDIRECT_GOAL_PER_S: f64 = 40_000.0;
/// What 1 MiB through the gateway is to reach of the direct way.
pub const WAYS_PROXY_GOAL: f64 = 0.6;
/// What MD5 ETags are to reach of the speed without.
pub const ETAG_GOAL: f64 = 0.9;
/// The cells of `etag`, and by how many clients: small objects by as many as make full batches, large ones by as many as
/// there are lanes.
pub const ETAG_CLIENTS: [(&str, usize); 3] = [("put-4k", 64), ("put-1m", 32), ("put-64m", 16)];
/// What `put-large` is to reach of fio's throughput with objects of 64 MiB.
pub const PUT_LARGE_GOAL: f64 = 0.95;
/// What a mountpath may take on the disk under a load of overwriting, in live bytes.
pub const SPACE_GOAL: f64 = 2.0;
/// Seconds a node may take to start by the number of its objects, the fewest first.
pub const RESTART_GOALS_S: [(u64, f64); 2] = [(1_000_000, 2.0), (10_000_000, 5.0)];

/// What `lease` is to reach, of the requests a second straight to the cores.
pub const LEASE_GOAL: f64 = 0.7;
/// Objects that `lease` reads.
pub const LEASE_OBJECTS: usize = 1024;
/// Objects of 4 KiB that `mixed` reads: 64 MiB, a quarter of the cache that one core has by default.
pub const MIXED_HOT_OBJECTS: usize = 16 * 1024;
/// The same with `--cold`: 1 GiB, four times that cache.
pub const MIXED_COLD_OBJECTS: usize = 256 * 1024;
/// Clients that create them.
pub const MIXED_FILL_CLIENTS: usize = 64;

/// Sizes of the small objects `space` overwrites: these and all between them.
pub const SPACE_OBJECT_BYTES_MIN: u64 = 4 * 1024;
/// The largest of them.
pub const SPACE_OBJECT_BYTES_MAX: u64 = 64 * 1024;
/// Size of those that are kept in files of their own.
pub const SPACE_BLOB_BYTES: u64 = 4 * 1024 * 1024;
/// Clients that overwrite them.
pub const SPACE_CLIENTS: usize = 32;
/// Pause between two looks at the disk.
pub const SPACE_SAMPLE_PAUSE: Duration = Duration::from_millis(250);
/// Looks shown in the table, of all that were taken.
pub const SPACE_ROWS: usize = 13;

/// Objects of one folder among those `restart` fills a mountpath with.
pub const SAMPLES_PER_SHARD: u64 = 100;
/// Objects under way at once while it is filled: enough for full batches.
pub const FILL_IN_FLIGHT_MAX: usize = 8192;
/// How often the filling says how far it is, in objects.
pub const FILL_SAY_EVERY: u64 = 50_000;
/// How long it may take over that many.
pub const FILL_PATIENCE: Duration = Duration::from_secs(120);
/// Bytes an object takes in a mountpath beside its payload: record, index, padding.
pub const FILL_OVERHEAD_BYTES: u64 = 1024;
/// How long a node may take to start in `restart`.
pub const RESTART_MAX: Duration = Duration::from_secs(600);
/// Length of the load under which `restart` kills a node.
pub const RESTART_LOAD: Duration = Duration::from_secs(1);

/// Names a second that `list` is to reach through all pages of a bucket, by one client, 1,000 a page.
pub const LIST_GOAL_NAMES_PER_S: f64 = 600_000.0;
/// Names asked for in a page: S3's maximum.
pub const LIST_PAGE_NAMES: u64 = 1000;
/// Names in each folder of the bucket `list` fills.
pub const LIST_FOLDER_NAMES: u64 = 1000;
/// Size of each of its objects.
pub const LIST_OBJECT_BYTES: u64 = 16;
/// Clients that create them.
pub const LIST_FILL_CLIENTS: usize = 256;
/// Objects whose requests are made at a time, which takes a kilobyte each.
pub const LIST_FILL_STEPS: u64 = 50_000;
/// How long one page is asked for again and again.
pub const LIST_PAGE_WINDOW: Duration = Duration::from_secs(2);
/// Before `list` measures, the server must have been at rest for this long, with nothing left to merge...
pub const SETTLE_PAUSE: Duration = Duration::from_secs(1);
/// ... which is when it uses no more than this share of a processor...
pub const SETTLED_BUSY_MAX: f64 = 0.02;
/// ... or this time has passed.
pub const SETTLE_MAX: Duration = Duration::from_secs(90);
/// The start of an XML answer, in which all but its entries stands.
pub const XML_START_BYTES: usize = 4096;

/// The smallest part of a multipart upload but the last, and how large those of `objects` are
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>).
pub const PART_BYTES_MIN: u64 = 5 * 1024 * 1024;
/// The largest.
pub const PART_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;
/// The largest object that is copied in one request.
pub const COPY_BYTES_MAX: u64 = 5 * 1024 * 1024 * 1024;
/// Room `objects` leaves on the disk beside what it stores.
pub const OBJECTS_SPARE_BYTES: u64 = 256 * 1024 * 1024;
/// Size of the objects whose changes are conditional.
pub const CONDITIONAL_OBJECT_BYTES: u64 = 16;

/// Objects each client of `put-large` sends in a window at least.
pub const PUT_LARGE_TURNS_MIN: u64 = 2;
