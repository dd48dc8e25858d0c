//! The accept loop, from the first connection to the last answer after SIGTERM.

use crate::{
    connection,
    gateway::Gateway,
    limits::{BUSY_RETRY_TIME, CONNECTION_COUNT_MAX, DESCRIPTOR_RESERVE, DRAIN_TIME},
    rt::{self, Listener, Termination},
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{
    future::{Future, poll_fn},
    io,
    net::SocketAddr,
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

/// Serves until SIGTERM or SIGINT, then lets requests in flight finish.
pub async fn serve(gateway: Rc<Gateway>, listener: Listener, mut termination: Termination) {
    {
        let mut accepting = pin!(accept(&gateway, &listener));
        let mut terminated = pin!(termination.wait());
        poll_fn(|context| {
            if terminated.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
            accepting.as_mut().poll(context)
        })
        .await;
    }
    drop(listener);
    gateway.draining.set(true);
    tracing::info!(connections = gateway.connections.get(), "shutting down");
    let deadline = Instant::now() + DRAIN_TIME;
    while gateway.connections.get() > 0 && Instant::now() < deadline {
        gateway.watchdog.expire_idle();
        rt::sleep(Duration::from_millis(20)).await;
    }
}

async fn accept(gateway: &Rc<Gateway>, listener: &Listener) {
    let connections_max = raise_descriptor_limit();
    tracing::debug!(connections_max, "accepting");
    let mut was_full = false;
    loop {
        // At the limit, new connections wait in the backlog.
        let is_full = gateway.connections.get() >= connections_max;
        if is_full && !was_full {
            tracing::warn!(connections_max, "no more connections are accepted until some end");
        }
        was_full = is_full;
        if is_full {
            rt::sleep(Duration::from_millis(20)).await;
            continue;
        }
        match listener.accept(&gateway.watchdog).await {
            Ok((stream, peer)) => connection::spawn(gateway, stream, peer.ip()),
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
