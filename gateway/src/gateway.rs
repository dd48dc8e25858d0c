//! What all connections of a gateway share.

use crate::{
    catalog::Catalog,
    clock::DateHeader,
    cluster::Cluster,
    config::RouteMode,
    core_pool::CorePool,
    limits::{BODY_MEMORY_BYTES_MAX, UPLOAD_COUNT_MAX},
    memory::{Budget, RelayMemory},
    metrics::RequestCounters,
    non_followers::NonFollowers,
    request_id::RequestIds,
    rt::Watchdog,
    tls::GatewayTls,
};
use proto::auth::ticket::TicketKey;
use std::{cell::Cell, rc::Rc};

/// See the module.
pub struct Gateway {
    /// Nothing is verified: everyone acts as the root user.
    pub anonymous: bool,
    /// How object requests reach their core.
    pub route: RouteMode,
    /// Buckets, users, keys.
    pub catalog: Rc<Catalog>,
    /// Nodes and cores.
    pub cluster: Cluster,
    /// Connections to cores.
    pub pool: CorePool,
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
}

impl Gateway {
    /// A gateway over a catalog. Called on the runtime: it starts tasks.
    pub fn new(
        catalog: Rc<Catalog>,
        ticket_key: TicketKey,
        route: RouteMode,
        anonymous: bool,
        tls: Option<Rc<GatewayTls>>,
    ) -> Self {
        let watchdog = Watchdog::default();
        crate::rt::spawn(watchdog.clone().watch());
        Self {
            anonymous,
            route,
            cluster: Cluster::new(Rc::clone(&catalog)),
            catalog,
            pool: CorePool::new(watchdog.clone(), tls.clone()),
            tls,
            ticket_key,
            request_ids: RequestIds::new(),
            date: DateHeader::default(),
            relay_memory: RelayMemory::new(),
            uploads: Budget::new(UPLOAD_COUNT_MAX),
            body_memory: Budget::new(BODY_MEMORY_BYTES_MAX),
            non_followers: NonFollowers::new(),
            watchdog,
            draining: Cell::new(false),
            connections: Cell::new(0),
            requests: RequestCounters::default(),
        }
    }
}
