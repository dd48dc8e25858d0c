//! The accept loop and each connection's requests, from the first connection to the last answer after SIGTERM.

use crate::{
    admin,
    connection::{Connection, Counted, Next, NextHead},
    dispatch,
    gateway::Gateway,
    limits::{
        ACCEPTS_AT_ONCE, BUSY_RETRY_TIME, CONNECTION_COUNT_MAX, DESCRIPTOR_RESERVE, DRAIN_TIME, HEAD_TIME,
        WEBSITE_ACCEPTS_AT_ONCE,
    },
    rt::{self, Listener, Stream, Termination},
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{
    cell::Cell,
    future::{Future, poll_fn},
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    rc::Rc,
    task::Poll,
    time::{Duration, Instant},
};

/// Listens; a busy port is retried for a while, because the kernel lets go of a killed ring's sockets late.
pub async fn bind(address: SocketAddr) -> io::Result<Listener> {
    let deadline = Instant::now() + BUSY_RETRY_TIME;
    loop {
        match Listener::bind(address) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < deadline => {
                rt::sleep(Duration::from_millis(100)).await;
            }
            other => return other,
        }
    }
}

/// Where clients connect.
pub struct Listeners {
    /// To S3 and the admin API.
    pub s3: Listener,
    /// To buckets as web sites.
    pub website: Option<Listener>,
}

/// Serves until SIGTERM or SIGINT, then lets requests in flight finish.
pub async fn serve(gateway: Rc<Gateway>, listeners: Listeners, mut termination: Termination) {
    {
        let mut accepting = pin!(accept(&gateway, &listeners));
        let mut terminated = pin!(termination.wait());
        poll_fn(|context| {
            if terminated.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
            accepting.as_mut().poll(context)
        })
        .await;
    }
    drop(listeners);
    gateway.draining.set(true);
    tracing::info!(connections = gateway.connections.get(), "shutting down");
    let deadline = Instant::now() + DRAIN_TIME;
    while gateway.connections.get() > 0 && Instant::now() < deadline {
        gateway.watchdog.expire_idle();
        rt::sleep(Duration::from_millis(20)).await;
    }
}

/// Many accepts wait at the same time: one alone takes one connection a turn of the ring, and with many busy
/// connections, whose data each turn moves, a burst of new ones would wait for seconds.
async fn accept(gateway: &Rc<Gateway>, listeners: &Listeners) {
    let connections_max = raise_descriptor_limit();
    tracing::debug!(connections_max, "accepting");
    let was_full = Cell::new(false);
    let sites = listeners.website.iter().map(|listener| (listener, true));
    let places = std::iter::repeat_n((&listeners.s3, false), ACCEPTS_AT_ONCE)
        .chain(sites.flat_map(|place| std::iter::repeat_n(place, WEBSITE_ACCEPTS_AT_ONCE)));
    let mut acceptors: Vec<_> = places
        .map(|place| Box::pin(accept_one_by_one(gateway, place, connections_max, &was_full)))
        .collect();
    poll_fn(|context| {
        for acceptor in &mut acceptors {
            // None ever ends.
            let _ = acceptor.as_mut().poll(context);
        }
        Poll::<()>::Pending
    })
    .await;
}

async fn accept_one_by_one(
    gateway: &Rc<Gateway>,
    (listener, is_website): (&Listener, bool),
    connections_max: usize,
    was_full: &Cell<bool>,
) {
    loop {
        // At the limit, new connections wait in the backlog.
        let is_full = gateway.connections.get() >= connections_max;
        if is_full && !was_full.get() {
            tracing::warn!(connections_max, "no more connections are accepted until some end");
        }
        was_full.set(is_full);
        if is_full {
            rt::sleep(Duration::from_millis(20)).await;
            continue;
        }
        match listener.accept(&gateway.watchdog).await {
            Ok((stream, peer)) => spawn(gateway, stream, peer.ip(), is_website),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                rt::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Raises RLIMIT_NOFILE to its hard limit. How many client connections it holds: a quarter is left for connections to
/// cores, since most clients are idle most of the time.
fn raise_descriptor_limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "RLIMIT_NOFILE cannot be raised");
        }
    }
    let Some(descriptors) = getrlimit(Resource::Nofile).current else {
        return CONNECTION_COUNT_MAX;
    };
    let fitting =
        usize::try_from(descriptors.saturating_sub(DESCRIPTOR_RESERVE) / 4 * 3).unwrap_or(CONNECTION_COUNT_MAX);
    fitting.clamp(1, CONNECTION_COUNT_MAX)
}

/// Serves a connection as a task of its own.
pub fn spawn(gateway: &Rc<Gateway>, mut stream: Stream, client: IpAddr, is_website: bool) {
    if let Some(tls) = &gateway.tls
        && let Err(error) = stream.begin_tls(tls)
    {
        return tracing::warn!(%error, "TLS cannot begin");
    }
    let mut connection = Connection::new(stream, client);
    connection.is_website = is_website;
    spawn_connection(gateway, connection);
}

/// The same for one that has been somewhere else.
pub fn spawn_connection(gateway: &Rc<Gateway>, connection: Connection) {
    let counted = Counted::new(gateway);
    let gateway = Rc::clone(gateway);
    rt::spawn(async move {
        serve_connection(gateway, connection).await;
        drop(counted);
    });
}

/// Serves a connection to its end.
async fn serve_connection(gateway: Rc<Gateway>, mut connection: Connection) {
    if let Err(error) = connection.stream.handshake(HEAD_TIME).await {
        return connection.handshake_failed(&error).await;
    }
    loop {
        let head = match connection.next_head().await {
            NextHead::Head(head) => head,
            NextHead::Closed => return connection.stream.writer.shutdown(),
            NextHead::Refused(error) => return connection.refuse(&gateway, error).await,
        };
        // Boxed: an idle connection's task stays small.
        let next = Box::pin(dispatch::dispatch(&gateway, &mut connection, &head)).await;
        connection.served += 1;
        match next {
            Next::KeepAlive if !gateway.draining.get() => {}
            Next::KeepAlive | Next::Close => return connection.stream.writer.shutdown(),
            Next::Passed => return connection.stream.let_go(),
            Next::Linger => return connection.linger().await,
            Next::Admin => return Box::pin(admin::serve(gateway, connection, head)).await,
        }
    }
}
