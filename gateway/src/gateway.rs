//! What all connections of a gateway share.

use crate::{
    catalog::Catalog,
    clock::DateHeader,
    cluster::Cluster,
    configuration::Configuration,
    core_pool::CorePool,
    handoff::Handoff,
    limits::{BODY_MEMORY_BYTES_MAX, UPLOAD_COUNT_MAX},
    live_settings::LiveSettings,
    memory::{Budget, RelayMemory},
    metrics::RequestCounters,
    non_followers::NonFollowers,
    request_id::RequestIds,
    tls::GatewayTls,
    watchdog::Watchdog,
};
use proto::{
    access_log::switch::Switch,
    auth::ticket::TicketKey,
    error::S3Error,
    http::head::RequestHead,
    s3::address::{Address, Domains},
};
use std::{
    cell::{Cell, OnceCell},
    net::SocketAddr,
    rc::Rc,
    time::Instant,
};

/// What the operator decides.
pub struct Settings {
    /// Nothing is verified: everyone acts as the root user.
    pub anonymous: bool,
    /// Connections are passed to cores on this host.
    pub hands_over: bool,
    /// The domains below which hosts are buckets.
    pub domains: Domains,
    /// Where requests are written down.
    pub access_log: Switch,
    /// What can be changed while the gateway runs.
    pub live: LiveSettings,
    /// All settings, with where they are from.
    pub configuration: Configuration,
}

/// See the module.
pub struct Gateway {
    /// Nothing is verified: everyone acts as the root user.
    pub anonymous: bool,
    /// The domains below which hosts are buckets.
    pub domains: Domains,
    /// Where requests are written down.
    pub access_log: Switch,
    /// What can be changed while the gateway runs.
    pub live: LiveSettings,
    /// All settings, with where they are from.
    pub configuration: Configuration,
    /// Buckets, users, keys.
    pub catalog: Rc<Catalog>,
    /// Nodes and cores.
    pub cluster: Cluster,
    /// Connections to cores.
    pub pool: CorePool,
    /// Channels to cores on this host.
    pub handoff: Handoff,
    /// TLS, on all connections or none: those of clients and those to cores.
    pub tls: Option<Rc<GatewayTls>>,
    /// Seals and opens tickets.
    pub ticket_key: TicketKey,
    /// Ids of requests.
    pub request_ids: RequestIds,
    /// The Date header.
    pub date: DateHeader,
    /// Relay buffers.
    pub relay_memory: Rc<RelayMemory>,
    /// Request bodies being relayed, counted.
    pub uploads: Rc<Budget>,
    /// Bodies the gateway itself reads.
    pub body_memory: Rc<Budget>,
    /// Clients that were seen not to follow a redirect.
    pub non_followers: NonFollowers,
    /// Deadlines of sockets.
    pub watchdog: Watchdog,
    /// Set by SIGTERM: connections end after the request in flight.
    pub draining: Cell<bool>,
    /// Client connections now.
    pub connections: Cell<usize>,
    /// Requests answered.
    pub requests: RequestCounters,
    /// When it started.
    pub started: Instant,
    /// Where clients connect; set once it listens.
    pub listening: OnceCell<SocketAddr>,
}

impl Gateway {
    /// A gateway over a catalog. Called on the runtime: it starts tasks.
    pub fn new(catalog: Rc<Catalog>, ticket_key: TicketKey, settings: Settings, tls: Option<Rc<GatewayTls>>) -> Self {
        let watchdog = Watchdog::default();
        crate::rt::spawn(watchdog.clone().watch());
        Self {
            anonymous: settings.anonymous,
            domains: settings.domains,
            access_log: settings.access_log,
            relay_memory: settings.live.relay_memory(),
            live: settings.live,
            configuration: settings.configuration,
            cluster: Cluster::new(Rc::clone(&catalog)),
            catalog,
            pool: CorePool::new(watchdog.clone(), tls.clone()),
            handoff: Handoff::new(settings.hands_over),
            tls,
            ticket_key,
            request_ids: RequestIds::new(),
            date: DateHeader::default(),
            uploads: Budget::new(UPLOAD_COUNT_MAX),
            body_memory: Budget::new(BODY_MEMORY_BYTES_MAX),
            non_followers: NonFollowers::new(),
            watchdog,
            draining: Cell::new(false),
            connections: Cell::new(0),
            requests: RequestCounters::default(),
            started: Instant::now(),
            listening: OnceCell::new(),
        }
    }
    /// How a request names its bucket. The names that nodes are reached by are no buckets.
    pub fn address(&self, head: &RequestHead) -> Result<Address, S3Error> {
        self.domains
            .address(head.header("host"), |name| self.cluster.is_node_name(name))
    }
}
