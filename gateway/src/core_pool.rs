//! Kept-alive connections to cores.

use crate::{
    limits::{CORE_CONNECT_TIME, CORE_IDLE_CONNECTIONS_MAX, CORE_IDLE_TIME},
    rt::{self, Stream},
    tls::GatewayTls,
    watchdog::Watchdog,
};
use std::{cell::RefCell, collections::HashMap, io, net::SocketAddr, rc::Rc, time::Instant};

struct Idle {
    stream: Stream,
    since: Instant,
}

/// See the module.
pub struct CorePool {
    idle: Rc<RefCell<HashMap<SocketAddr, Vec<Idle>>>>,
    watchdog: Watchdog,
    tls: Option<Rc<GatewayTls>>,
}

impl CorePool {
    /// An empty pool, and a task that closes what has been idle too long. `tls`: what the cores speak.
    pub fn new(watchdog: Watchdog, tls: Option<Rc<GatewayTls>>) -> Self {
        let idle: Rc<RefCell<HashMap<SocketAddr, Vec<Idle>>>> = Rc::default();
        let trimmed = Rc::downgrade(&idle);
        rt::spawn(async move {
            while let Some(idle) = trimmed.upgrade() {
                idle.borrow_mut().retain(|_, connections| {
                    connections.retain(|connection| connection.since.elapsed() < CORE_IDLE_TIME);
                    !connections.is_empty()
                });
                drop(idle);
                rt::sleep(CORE_IDLE_TIME / 4).await;
            }
        });
        Self { idle, watchdog, tls }
    }
    /// A kept-alive connection that still looks open.
    pub fn reuse(&self, address: SocketAddr) -> Option<Stream> {
        let mut idle = self.idle.borrow_mut();
        let connections = idle.get_mut(&address)?;
        while let Some(connection) = connections.pop() {
            if connection.since.elapsed() < CORE_IDLE_TIME && !connection.stream.reader.is_stale() {
                return Some(connection.stream);
            }
        }
        None
    }
    /// A new connection.
    pub async fn connect(&self, address: SocketAddr) -> io::Result<Stream> {
        Stream::connect(address, CORE_CONNECT_TIME, &self.watchdog, self.tls.as_ref()).await
    }
    /// Keeps a connection whose last answer was read to its end.
    pub fn keep(&self, address: SocketAddr, stream: Stream) {
        let mut idle = self.idle.borrow_mut();
        let connections = idle.entry(address).or_default();
        if connections.len() < CORE_IDLE_CONNECTIONS_MAX {
            connections.push(Idle {
                stream,
                since: Instant::now(),
            });
        }
    }
}
