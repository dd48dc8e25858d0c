//! The gateways on this host that have a channel to this core: the connections they pass, the leases they vouch for, and
//! the way back.

use crate::{
    admission::{Admission, Admitted, Authority, Work},
    arrival::{Arrival, Beginning},
    channel::{Channel, Incoming},
    connection::{Connection, Pass},
    core::{Core, unix_ms},
    limits::{CHANNELS_PER_CORE_MAX, SWEEP_INTERVAL},
    rt::{self, Listener, Stream},
};
use proto::{
    auth::ticket::{Grant, Ticket},
    cluster::{
        handoff::{ReturnedConnection, Revocation, Revoked, ToCore, ToGateway},
        map::{ShardMap, Uuid},
        placement,
    },
    http::head::RequestHead,
    limits::{LEASE_LIFE_MS, TICKET_LIFE_S},
    s3::{bucket::BucketId, properties::Access},
};
use rustix::time::{ClockId, clock_gettime};
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    io,
    os::fd::AsFd,
    rc::Rc,
};

/// A gateway's channel, and what it last said.
pub struct Link {
    gateway: Uuid,
    channel: Rc<Channel>,
    epoch: Cell<u64>,
    trusted_until_ms: Cell<u64>,
    shard_map: RefCell<Rc<ShardMap>>,
}

impl Link {
    fn new(gateway: Uuid, channel: Rc<Channel>) -> Self {
        Self {
            gateway,
            channel,
            epoch: Cell::new(0),
            trusted_until_ms: Cell::new(0),
            shard_map: RefCell::default(),
        }
    }

    /// Whether leases of an epoch are good now.
    fn trusts(&self, epoch: u64) -> bool {
        self.epoch.get() == epoch && monotonic_ms() < self.trusted_until_ms.get()
    }

    fn give_back(&self, returned: ReturnedConnection, descriptor: impl AsFd) -> bool {
        let message = ToGateway::Connection(returned).encode();
        self.channel.send(&message, Some(descriptor.as_fd()))
    }
}

/// A core's links.
#[derive(Default)]
pub struct Links {
    open: RefCell<Vec<Rc<Link>>>,
    /// When access keys were removed, in milliseconds since the epoch: tickets made for them up to then are worth
    /// nothing.
    revoked: RefCell<HashMap<String, u64>>,
    /// What the objects of buckets are open to, and since when: tickets made up to then know another `access`.
    accesses: RefCell<HashMap<BucketId, (Access, u64)>>,
}

impl Links {
    /// Whether the key a ticket was made for has been removed since.
    pub fn is_revoked(&self, ticket: &Ticket) -> bool {
        let revoked = self.revoked.borrow();
        let at = revoked.get(&ticket.principal.access_key);
        at.is_some_and(|revoked_unix_ms| ticket.issued_unix_ms <= *revoked_unix_ms)
    }

    /// What a bucket's `access` became after a ticket was made; `None`: the ticket knows it.
    pub fn access_since(&self, bucket: BucketId, issued_unix_ms: u64) -> Option<Access> {
        let accesses = self.accesses.borrow();
        let (access, changed_unix_ms) = accesses.get(&bucket)?;
        (issued_unix_ms <= *changed_unix_ms).then_some(*access)
    }

    fn revoke(&self, revocations: Vec<Revocation>) {
        let mut revoked = self.revoked.borrow_mut();
        let mut accesses = self.accesses.borrow_mut();
        let oldest = unix_ms().saturating_sub(2 * TICKET_LIFE_S * 1000);
        revoked.retain(|_, revoked_unix_ms| *revoked_unix_ms >= oldest);
        accesses.retain(|_, (_, changed_unix_ms)| *changed_unix_ms >= oldest);
        for Revocation { what, revoked_unix_ms } in revocations {
            match what {
                Revoked::Key(access_key) => {
                    revoked.insert(access_key, revoked_unix_ms);
                }
                Revoked::Access(bucket, access) => {
                    accesses.insert(bucket, (access, revoked_unix_ms));
                }
            }
        }
    }

    fn of(&self, gateway: Uuid) -> Option<Rc<Link>> {
        self.open.borrow().iter().find(|link| link.gateway == gateway).cloned()
    }

    /// The gateway a connection came from; else any.
    fn way_back(&self, pass: &Pass) -> Option<Rc<Link>> {
        let of_origin = pass.gateway.and_then(|gateway| self.of(gateway));
        of_origin.or_else(|| self.open.borrow().first().cloned())
    }

    /// Passes a connection to a gateway, with the head of its next request; `false`: there is none, it takes none, or
    /// the connection speaks TLS, whose state cannot come along.
    pub fn give_back(&self, connection: &Connection<'_>, head: &RequestHead) -> bool {
        let pass = &connection.pass;
        if connection.stream.is_tls() {
            return false;
        }
        let Some(link) = self.way_back(pass) else {
            return false;
        };
        let returned = ReturnedConnection {
            client: connection.client(),
            relayed: pass.is_relayed(),
            refused: false,
            received: [head.raw(), connection.inbox.unread()].concat(),
        };
        link.give_back(returned, connection.stream.descriptor())
    }

    /// Passes a connection back that this core has no room for. Without a way back it is closed.
    pub fn refuse(&self, arrival: Arrival) {
        let Arrival { descriptor, beginning } = arrival;
        let Some(link) = self.way_back(&beginning.pass) else {
            return;
        };
        let head = beginning.admitted.map(|admitted| admitted.0.raw().to_vec());
        let returned = ReturnedConnection {
            relayed: beginning.pass.is_relayed(),
            client: beginning.pass.client.unwrap_or_default(),
            refused: true,
            received: [head.unwrap_or_default(), beginning.received].concat(),
        };
        link.give_back(returned, descriptor);
    }
}

/// What a connection's lease makes of a request; `None`: nothing.
pub fn admit_leased(core: &Core, head: &RequestHead, pass: &mut Pass) -> Option<Admission> {
    let lease = pass.lease.as_ref()?;
    let link = core.links.of(pass.gateway?)?;
    if !link.trusts(lease.epoch) {
        pass.lease = None;
        return None;
    }
    let (object, query) = lease.open(head, unix_ms() / 1000)?;
    let map = link.shard_map.borrow();
    let owner = placement::owner(&map, object.bucket.id, object.key.as_bytes())?;
    let entry = map.shards.get(owner).filter(|entry| entry.node == core.node)?;
    let admitted = Admitted {
        principal: lease.principal.clone(),
        authority: Authority::Lease,
        shard: entry.shard,
        work: Work::Object(object),
        query,
    };
    let owner = core.siblings.owner(&entry.shard)?;
    core.counters.handoff.leased.add(1);
    Some(if owner == core.index {
        Admission::Here(admitted)
    } else {
        Admission::Sibling(owner, admitted)
    })
}

/// Accepts gateways' channels for as long as the core runs.
pub async fn accept(core: Rc<Core>, listener: Listener) {
    loop {
        match listener.accept_unix().await {
            Ok(stream) => {
                let core = Rc::clone(&core);
                rt::spawn(async move {
                    if let Err(error) = serve(&core, stream).await {
                        tracing::warn!(%error, "a gateway's channel ended");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a gateway's channel could not be accepted");
                rt::sleep(SWEEP_INTERVAL).await;
            }
        }
    }
}

async fn serve(core: &Rc<Core>, stream: Stream) -> io::Result<()> {
    let channel = Rc::new(Channel::new(stream)?);
    let mut incoming = Incoming::default();
    let mut link: Option<Rc<Link>> = None;
    let outcome = loop {
        match channel.receive(&mut incoming).await {
            Ok(true) => {}
            Ok(false) => break Ok(()),
            Err(error) => break Err(error),
        }
        if let Err(error) = take(core, &channel, &mut incoming, &mut link) {
            break Err(error);
        }
    };
    if let Some(link) = link {
        core.links.open.borrow_mut().retain(|other| !Rc::ptr_eq(other, &link));
    }
    outcome
}

/// Does what all complete messages say.
fn take(
    core: &Rc<Core>,
    channel: &Rc<Channel>,
    incoming: &mut Incoming,
    link: &mut Option<Rc<Link>>,
) -> io::Result<()> {
    let malformed = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    while let Some(bytes) = incoming.message().map_err(malformed)? {
        let message = ToCore::decode(bytes).map_err(malformed)?;
        match (message, &link) {
            (ToCore::Hello { ticket }, None) => *link = Some(welcome(core, channel, &ticket)?),
            (ToCore::ShardMap(map), Some(link)) => *link.shard_map.borrow_mut() = Rc::new(map),
            (ToCore::Revoked(revocations), Some(_)) => core.links.revoke(revocations),
            (ToCore::Heartbeat { epoch, sent_ms }, Some(link)) => {
                link.epoch.set(epoch);
                link.trusted_until_ms.set(sent_ms.saturating_add(LEASE_LIFE_MS));
                channel.send(&ToGateway::Acknowledged { epoch }.encode(), None);
            }
            (ToCore::Connection(handed), Some(link)) => {
                let descriptor = incoming.descriptor().ok_or(io::ErrorKind::InvalidData)?;
                let pass = Pass {
                    ticket: Some(handed.ticket),
                    lease: handed.lease.map(Box::new),
                    gateway: Some(link.gateway),
                    client: Some(handed.client),
                    relayed: handed.relayed,
                };
                let beginning = Beginning {
                    received: handed.received,
                    admitted: None,
                    pass,
                };
                core.counters.handoff.handed.add(1);
                Arrival { descriptor, beginning }.serve(core);
            }
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
    Ok(())
}

/// Lets a gateway in that has a ticket for it.
fn welcome(core: &Core, channel: &Rc<Channel>, ticket: &str) -> io::Result<Rc<Link>> {
    let ticket = core
        .ticket_key
        .open(ticket, unix_ms() / 1000)
        .map_err(io::Error::other)?;
    let Grant::Channel { gateway } = ticket.grant else {
        return Err(io::ErrorKind::PermissionDenied.into());
    };
    let mut open = core.links.open.borrow_mut();
    // One that has started over its channel has no use for the old one.
    open.retain(|link| link.gateway != gateway);
    if ticket.node != core.node || ticket.core != core.index || open.len() >= CHANNELS_PER_CORE_MAX {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let link = Rc::new(Link::new(gateway, Rc::clone(channel)));
    open.push(Rc::clone(&link));
    Ok(link)
}

/// CLOCK_MONOTONIC in milliseconds: one clock for all processes of a host.
fn monotonic_ms() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    seconds * 1000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1_000_000
}
