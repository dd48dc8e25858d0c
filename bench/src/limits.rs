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
