//! A client that retries nothing: what it was not told, it does not know.

use crate::{
    lanes::Lanes,
    raw::{Connection, Response},
    request::Request,
    sign::Signer,
    store::{ACCESS_KEY, SECRET_KEY},
};
use std::{collections::BTreeMap, io};

/// Where a store listens.
#[derive(Debug, Clone)]
pub struct Ports {
    /// The gateway.
    pub gateway: u16,
    /// The cores, by index.
    pub cores: Vec<u16>,
}

/// How a request travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Signed, to the gateway, which carries it to the core and back.
    Gateway,
    /// Signed, to the core of this index, which passes the connection to the gateway.
    Relay(usize),
    /// With a ticket, to the key's core.
    Lane,
}

/// Keeps its connections open.
#[derive(Debug)]
pub struct Client<'l> {
    ports: Ports,
    lanes: &'l Lanes,
    connections: BTreeMap<u16, Connection>,
}

impl<'l> Client<'l> {
    /// Without a connection yet.
    pub fn new(ports: Ports, lanes: &'l Lanes) -> Self {
        Self {
            ports,
            lanes,
            connections: BTreeMap::new(),
        }
    }

    /// Sends an object's request. An error: whether it was done is not known.
    pub fn send_object(&mut self, way: Way, key: &str, request: Request) -> io::Result<Response> {
        match way {
            Way::Lane => {
                let port = self.ports.cores[self.lanes.core(key)];
                let request = request.header("Host", format!("127.0.0.1:{port}"));
                self.exchange(port, &self.lanes.with_ticket(key, request))
            }
            Way::Gateway | Way::Relay(_) => self.send(way, request),
        }
    }

    /// Signs and sends a request. An error: whether it was done is not known.
    pub fn send(&mut self, way: Way, request: Request) -> io::Result<Response> {
        let port = match way {
            Way::Relay(core) => self.ports.cores[core],
            Way::Gateway | Way::Lane => self.ports.gateway,
        };
        self.exchange(port, &signed(port, request))
    }

    fn exchange(&mut self, port: u16, request: &Request) -> io::Result<Response> {
        let mut connection = match self.connections.remove(&port) {
            Some(connection) => connection,
            None => Connection::try_open(port)?,
        };
        // A store may answer before it has read the body, and close: then the answer is what counts.
        let sent = connection.try_send(&request.to_bytes());
        let answer = connection
            .try_receive(&request.method)
            .map_err(|error| sent.err().unwrap_or(error))?;
        if answer.header("connection") != Some("close") {
            self.connections.insert(port, connection);
        }
        Ok(answer)
    }
}

/// The request, addressed to a port of this machine and signed as the first user.
pub fn signed(port: u16, request: Request) -> Request {
    let request = request
        .header("Host", format!("127.0.0.1:{port}"))
        .header("User-Agent", "corelane-tests");
    Signer::new(ACCESS_KEY, SECRET_KEY).sign(request)
}

/// Learns the lanes of keys from the gateway's redirects.
#[track_caller]
pub fn learn_lanes(lanes: &mut Lanes, gateway: u16, bucket: &str, keys: &[String]) {
    let mut connection = Connection::open(gateway);
    for key in keys {
        let request = Request::object("GET", bucket, key).header("x-corelane-route", "redirect");
        connection.send(&signed(gateway, request).to_bytes());
        let answer = connection.receive("GET").expect_status(307);
        lanes.learn(key, answer.header("location").expect("a Location"));
    }
}
