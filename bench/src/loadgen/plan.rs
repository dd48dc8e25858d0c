//! What a load client is to do: which requests, to which address, by how many clients, and which answers count.

use super::{
    request::{Method, Payload, Request},
    wire::Tls,
};
use std::net::SocketAddr;

/// A closed-loop load.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Concurrent clients, each with a keep-alive connection and one request in flight.
    pub clients: usize,
    /// The requests.
    pub steps: Vec<Step>,
    /// Which of them comes next.
    pub order: Order,
    /// How TLS is spoken.
    pub tls: Tls,
    /// Statuses that count as success.
    pub accept: &'static [u16],
    /// Bytes every answer's body must have; `None`: any number.
    pub answer_bytes: Option<u64>,
}

/// The order in which the steps of a plan are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// One after the other, and again from the first.
    InTurn,
    /// Any of them, each as likely as any other; in the same order in every run.
    Random,
}

/// One operation.
#[derive(Debug, Clone)]
pub enum Step {
    /// One request to one server.
    Straight {
        /// Where to.
        address: SocketAddr,
        /// What is sent.
        request: Request,
    },
    /// First to a gateway, which must answer 307, then to where its Location says.
    Redirected {
        /// The gateway.
        gateway: SocketAddr,
        /// What the gateway gets.
        ask: Request,
        /// What the core gets: the method.
        method: Method,
        /// What the core gets: the body.
        payload: Option<Payload>,
    },
}
