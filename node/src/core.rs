//! One core: what its connections share. Single-threaded; nothing here is locked or atomic but the stop flag.

use crate::{
    cache::BlockCache, deadline::Deadlines, link::Links, log_filter::LogFilter, md5_lanes::Md5Lanes,
    siblings::Siblings, stats::Counters, tls::CoreTls, window::Window,
};
use mountpath::{
    buffer::{BufferPool, Reservation},
    shard_store::ShardStore,
};
use proto::{access_log::switch::Switch, auth::ticket::TicketKey, http::date};
use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::{Rc, Weak},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

/// A core's state.
pub struct Core {
    /// The node's identity.
    pub node: [u8; 16],
    /// This core's number within the node.
    pub index: u16,
    /// The shards it owns and serves.
    pub shards: Vec<Rc<ShardStore>>,
    /// The shards it owns and cannot serve: what is asked of them is answered 503.
    pub unavailable: Vec<[u8; 16]>,
    /// Opens tickets, seals relay tickets.
    pub ticket_key: TicketKey,
    /// Where requests without a ticket go when no gateway has a channel.
    pub gateways: Vec<SocketAddr>,
    /// Gateways' channels.
    pub links: Links,
    /// The other cores of the node.
    pub siblings: Arc<Siblings>,
    /// TLS, on all its connections or none.
    pub tls: Option<Rc<CoreTls>>,
    /// Verified blocks.
    pub cache: BlockCache,
    /// Buffers uploads are received into.
    pub receiving: BufferPool,
    /// MD5 of uploads.
    pub md5: Rc<Md5Lanes>,
    /// Budget of blocks being read and sent. Apart from what uploads take: a thousand stalled uploads must not keep
    /// anybody from reading.
    pub sending: BufferPool,
    /// Connections' deadlines.
    pub deadlines: Deadlines,
    /// Connections passed through to a gateway right now.
    pub relays: Cell<usize>,
    /// Blobs being received right now, each an open file.
    pub uploads: Cell<usize>,
    /// What it counts.
    pub counters: Counters,
    /// Where requests are written down.
    pub access_log: Switch,
    /// What the log on standard error says.
    pub log_filter: LogFilter,
    stalled: RefCell<Vec<Weak<RefCell<Window>>>>,
    connections: Cell<usize>,
    connections_max: usize,
    stopping: Arc<AtomicBool>,
    request_seed: u64,
    request_count: Cell<u64>,
    unix_ms: Cell<u64>,
    date: RefCell<Rc<str>>,
}

/// What a core is made of.
pub struct CoreParts {
    /// See [`Core`].
    pub node: [u8; 16],
    /// See [`Core`].
    pub index: u16,
    /// See [`Core`].
    pub shards: Vec<Rc<ShardStore>>,
    /// See [`Core`].
    pub unavailable: Vec<[u8; 16]>,
    /// See [`Core`].
    pub ticket_key: TicketKey,
    /// See [`Core`].
    pub gateways: Vec<SocketAddr>,
    /// See [`Core`].
    pub siblings: Arc<Siblings>,
    /// See [`Core`].
    pub tls: Option<Rc<CoreTls>>,
    /// Bytes of memory: three eighths for the cache, three eighths for uploads, one eighth for blocks being sent; the
    /// shards have the rest for their indexes.
    pub memory: usize,
    /// Connections beyond this are closed at once.
    pub connections_max: usize,
    /// Where requests are written down.
    pub access_log: Switch,
    /// See [`Core`].
    pub log_filter: LogFilter,
    /// Set when the node stops.
    pub stopping: Arc<AtomicBool>,
    /// Makes request ids of different cores and starts differ.
    pub request_seed: u64,
}

impl Core {
    /// A core ready to serve.
    pub fn new(parts: CoreParts) -> Rc<Self> {
        let core = Rc::new(Self {
            node: parts.node,
            index: parts.index,
            shards: parts.shards,
            unavailable: parts.unavailable,
            ticket_key: parts.ticket_key,
            gateways: parts.gateways,
            links: Links::default(),
            siblings: parts.siblings,
            tls: parts.tls,
            cache: BlockCache::new(parts.memory / 8 * 3),
            receiving: BufferPool::new(parts.memory / 8 * 3),
            md5: Rc::new(Md5Lanes::new()),
            sending: BufferPool::new(parts.memory / 8),
            deadlines: Deadlines::default(),
            relays: Cell::new(0),
            uploads: Cell::new(0),
            counters: Counters::default(),
            access_log: parts.access_log,
            log_filter: parts.log_filter,
            stalled: RefCell::default(),
            connections: Cell::new(0),
            connections_max: parts.connections_max,
            stopping: parts.stopping,
            request_seed: parts.request_seed,
            request_count: Cell::new(0),
            unix_ms: Cell::new(0),
            date: RefCell::new(Rc::from("")),
        });
        core.tell_time();
        for shard in &core.shards {
            let md5 = Rc::clone(&core.md5);
            shard.set_before_batch(Rc::new(move || md5.hash_small()));
        }
        core
    }

    /// What is done every so often: the clock, late connections, what nobody needs any more.
    pub fn sweep(&self) {
        self.tell_time();
        self.deadlines.sweep(self.is_stopping());
        self.md5.sweep();
        self.stalled.borrow_mut().retain(|window| window.strong_count() > 0);
        if self.connections.get() == 0 {
            self.receiving.trim();
        }
    }

    /// Client connections open now.
    pub fn connection_count(&self) -> usize {
        self.connections.get()
    }

    /// Counts a connection for as long as the value lives; `None` when there are too many.
    pub fn count_connection(self: &Rc<Self>) -> Option<CountedConnection> {
        if self.connections.get() >= self.connections_max {
            return None;
        }
        self.connections.set(self.connections.get() + 1);
        Some(CountedConnection(Rc::clone(self)))
    }

    /// Whether the node is stopping: connections close after the request they are in.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// The shard of this identity and its index here.
    pub fn shard(&self, uuid: [u8; 16]) -> Option<(u16, &Rc<ShardStore>)> {
        let index = self.shards.iter().position(|shard| shard.uuid() == uuid)?;
        Some((u16::try_from(index).ok()?, self.shards.get(index)?))
    }

    /// A request id: 16 hex digits, unique among cores and starts.
    pub fn next_request_id(&self) -> String {
        let count = self.request_count.get() + 1;
        self.request_count.set(count);
        format!(
            "{:016X}",
            self.request_seed
                .wrapping_add(count.wrapping_mul(0x9E37_79B9_7F4A_7C15))
        )
    }

    /// The Date header's value, as of the last sweep.
    pub fn http_date(&self) -> Rc<str> {
        Rc::clone(&self.date.borrow())
    }

    /// Seconds since the epoch, as of the last sweep; exact enough for what is far away.
    pub fn unix_s(&self) -> u64 {
        self.unix_ms.get() / 1000
    }

    /// Milliseconds since the epoch, as of the last sweep.
    pub fn unix_ms(&self) -> u64 {
        self.unix_ms.get()
    }

    /// Looks at the clock for everybody.
    fn tell_time(&self) {
        let now_ms = unix_ms();
        if self.unix_ms.replace(now_ms) / 1000 != now_ms / 1000 {
            *self.date.borrow_mut() = Rc::from(date::http(now_ms).as_str());
        }
    }

    /// Reserves memory for loading; when there is none, stalled clients' windows are emptied first.
    pub async fn reserve(&self, bytes: usize) -> Reservation {
        if let Some(reservation) = self.sending.try_reserve(bytes) {
            return reservation;
        }
        self.reclaim_stalled();
        self.sending.reserve(bytes).await
    }

    /// Remembers a window whose client does not read, to be emptied when memory is short.
    pub fn note_stalled(&self, window: &Rc<RefCell<Window>>) {
        if self.sending.is_contended() {
            window.borrow_mut().release_if_stalled();
            return;
        }
        self.stalled.borrow_mut().push(Rc::downgrade(window));
    }

    /// Empties the windows of clients that do not read.
    fn reclaim_stalled(&self) {
        for window in self.stalled.borrow_mut().drain(..) {
            if let Some(window) = window.upgrade() {
                window.borrow_mut().release_if_stalled();
            }
        }
    }
}

/// One of a core's connections.
pub struct CountedConnection(Rc<Core>);

impl Drop for CountedConnection {
    fn drop(&mut self) {
        self.0.connections.set(self.0.connections.get() - 1);
    }
}

/// Milliseconds since the epoch.
pub fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
