//! Passing clients' connections to cores on the same host: the core answers on the client's own socket, and with a lease
//! it goes on doing so until a request comes that is not for it. Then the socket comes back.

mod channel;
mod socket;

use crate::{
    clock,
    cluster::Core,
    connection::Connection,
    gateway::Gateway,
    limits::{LEASE_SETTLE_POLL_TIME, LEASE_SETTLE_TIME},
    records::BucketRecord,
    request::Request,
    rt::{self, Stream},
    server,
};
use channel::{Channel, Incoming, Receiver};
use proto::{
    auth::{
        lease::{Lease, LeasedCredential, LeasedOperations},
        ticket::{Grant, Principal, TicketKey},
    },
    cluster::{
        handoff::{HandedConnection, ReturnedConnection, ToCore, ToGateway},
        map::Uuid,
    },
    limits::{HEARTBEAT_INTERVAL_MS, REVOCATIONS_PER_MESSAGE_MAX},
    s3::address::Address,
};
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr},
    os::fd::OwnedFd,
    rc::Rc,
    time::{Duration, Instant},
};

/// The channels of a gateway.
pub struct Handoff {
    gateway: Uuid,
    channels: RefCell<HashMap<(Uuid, u16), Rc<Channel>>>,
    lost: Cell<Option<Instant>>,
    passes_connections: Cell<bool>,
}

impl Handoff {
    /// Of a gateway that has just started: a new identity, and no channels yet. `passes_connections`: else channels
    /// only tell cores what is revoked.
    pub fn new(passes_connections: bool) -> Self {
        let random = TicketKey::generate_bytes();
        Self {
            gateway: random.first_chunk().copied().unwrap_or_default(),
            channels: RefCell::default(),
            lost: Cell::new(None),
            passes_connections: Cell::new(passes_connections),
        }
    }

    /// Whether connections are passed from now on.
    pub fn set_passing(&self, passes_connections: bool) {
        self.passes_connections.set(passes_connections);
    }

    /// The identity of the gateway.
    pub fn gateway(&self) -> Uuid {
        self.gateway
    }

    /// Whether connections can be passed to a core.
    pub fn reaches(&self, core: &Core) -> bool {
        self.passes_connections.get() && self.channels.borrow().contains_key(&(core.node, core.index))
    }

    fn channel(&self, core: &Core) -> Option<Rc<Channel>> {
        self.channels.borrow().get(&(core.node, core.index)).cloned()
    }

    fn all(&self) -> Vec<Rc<Channel>> {
        self.channels.borrow().values().cloned().collect()
    }
}

/// Passes a request's connection to the core that owns its key; `false`: the core takes none now, and all is as before.
pub fn pass(
    request: &Request<'_>,
    connection: &mut Connection,
    bucket: &BucketRecord,
    core: &Core,
    ticket: &str,
) -> bool {
    let Some(channel) = request.gateway.handoff.channel(core) else {
        return false;
    };
    let message = ToCore::Connection(HandedConnection {
        client: connection.client.to_string(),
        relayed: connection.relayed,
        ticket: ticket.to_owned(),
        lease: lease(request, bucket),
        received: [request.head.raw(), &connection.buffer].concat(),
    });
    channel.send(&message, Some(connection.stream.descriptor()))
}

/// What the core may do on the connection after this request.
fn lease(request: &Request<'_>, bucket: &BucketRecord) -> Option<Lease> {
    let caller = &request.caller;
    let credential = match &caller.verified {
        Some(verified) => LeasedCredential::Key {
            scope: verified.scope.clone(),
            signing_key: verified.signing_key.clone(),
        },
        None if request.gateway.anonymous => LeasedCredential::Anonymous,
        None => return None,
    };
    Some(Lease {
        credential,
        principal: caller.principal(),
        bucket: bucket.grant(),
        host: request.head.header("host").unwrap_or_default().to_vec(),
        bucket_in_host: matches!(request.address, Address::Host(_)),
        operations: LeasedOperations::ALL,
        epoch: request.gateway.catalog.epoch(),
    })
}

/// Opens the channels to the cores of a node that has registered, where there are none yet. One on another host, or of
/// another user, has none.
pub fn connect(gateway: &Rc<Gateway>, node: Uuid) {
    for core in gateway.cluster.cores_of(node) {
        let Some(name) = &core.channel else { continue };
        let known = gateway.handoff.channel(&core);
        if known.is_some_and(|channel| channel.name == *name) {
            continue;
        }
        match Channel::connect(core.node, core.index, name) {
            Ok(channel) => open(gateway, Rc::new(channel), &core),
            Err(error) => tracing::debug!(core = %core.address, %error, "no connections can be passed to a core"),
        }
    }
}

fn open(gateway: &Rc<Gateway>, channel: Rc<Channel>, core: &Core) {
    let grant = Grant::Channel {
        gateway: gateway.handoff.gateway,
    };
    let ticket = crate::ticketing::for_core(&gateway.ticket_key, core, Principal::default(), grant);
    if !channel.send(&ToCore::Hello { ticket }, None) {
        return;
    }
    beat(gateway, &channel);
    let place = (channel.node, channel.core);
    gateway.handoff.channels.borrow_mut().insert(place, Rc::clone(&channel));
    let gateway = Rc::clone(gateway);
    rt::spawn(async move {
        if let Err(error) = serve(&gateway, &channel).await {
            tracing::warn!(core = channel.core, %error, "a core's channel ended");
        }
        let mut channels = gateway.handoff.channels.borrow_mut();
        if channels
            .get(&place)
            .is_some_and(|current| Rc::ptr_eq(current, &channel))
        {
            channels.remove(&place);
            gateway.handoff.lost.set(Some(Instant::now()));
        }
    });
}

/// Takes what a core says until its channel ends.
async fn serve(gateway: &Rc<Gateway>, channel: &Channel) -> io::Result<()> {
    let mut receiver = Receiver::default();
    loop {
        match channel.receive(&mut receiver).await? {
            Incoming::End => return Ok(()),
            Incoming::Message(ToGateway::Acknowledged { epoch }, _) => {
                channel.acknowledged.set(epoch.max(channel.acknowledged.get()));
            }
            Incoming::Message(ToGateway::Connection(returned), Some(descriptor)) => {
                if let Err(error) = take_back(gateway, returned, descriptor) {
                    tracing::warn!(%error, "a connection that a core passed back cannot be used");
                }
            }
            Incoming::Message(ToGateway::Connection(_), None) => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

fn take_back(gateway: &Rc<Gateway>, returned: ReturnedConnection, descriptor: OwnedFd) -> io::Result<()> {
    let stream = Stream::from_descriptor(descriptor, &gateway.watchdog)?;
    let client = returned
        .client
        .parse::<std::net::SocketAddr>()
        .map(|address| address.ip());
    let client = client.or_else(|_| returned.client.parse());
    let mut connection = Connection::new(stream, client.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
    connection.buffer = returned.received;
    connection.relayed = returned.relayed;
    connection.refused = returned.refused;
    // Not its first request: nothing in it says where it came from.
    connection.served = 1;
    server::spawn_connection(gateway, connection);
    Ok(())
}

/// Tells all cores again and again that their leases are good.
pub async fn keep(gateway: Rc<Gateway>) {
    loop {
        rt::sleep(Duration::from_millis(HEARTBEAT_INTERVAL_MS)).await;
        for channel in gateway.handoff.all() {
            beat(&gateway, &channel);
        }
    }
}

/// Tells a core what has changed since it was told last, and that leases of this epoch are good.
fn beat(gateway: &Gateway, channel: &Channel) {
    let map = gateway.catalog.shard_map();
    if channel.map_version.get() != map.version {
        if !channel.send(&ToCore::ShardMap((*map).clone()), None) {
            return;
        }
        channel.map_version.set(map.version);
    }
    loop {
        let (revocations, told) = gateway
            .catalog
            .revocations_after(channel.revocations.get(), REVOCATIONS_PER_MESSAGE_MAX);
        if revocations.is_empty() {
            break;
        }
        if !channel.send(&ToCore::Revoked(revocations), None) {
            return;
        }
        channel.revocations.set(told);
    }
    let heartbeat = ToCore::Heartbeat {
        epoch: gateway.catalog.epoch(),
        sent_ms: clock::monotonic_ms(),
    };
    channel.send(&heartbeat, None);
}

/// Returns when no core acts any more on what the catalog has just taken back: all have acknowledged it, or the leases
/// they have are dead.
pub async fn settle(gateway: &Gateway) {
    let epoch = gateway.catalog.epoch();
    let started = Instant::now();
    for channel in gateway.handoff.all() {
        beat(gateway, &channel);
    }
    loop {
        let channels = gateway.handoff.all();
        let is_known = channels.iter().all(|channel| channel.acknowledged.get() >= epoch);
        let lost = gateway.handoff.lost.get();
        let has_lost_one = lost.is_some_and(|lost| lost.elapsed() < LEASE_SETTLE_TIME);
        if (is_known && !has_lost_one) || started.elapsed() >= LEASE_SETTLE_TIME {
            return;
        }
        rt::sleep(LEASE_SETTLE_POLL_TIME).await;
    }
}
