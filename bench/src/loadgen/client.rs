//! One closed-loop client: takes a step of the plan, follows its redirect, checks the answer, takes the next.

use super::{
    connection::{Answer, Connection, Progress, Scratch},
    plan::{Plan, Step},
    request::{Method, Payload, Request},
};
use crate::error::{BenchError, Context, Result};
use rustix::event::epoll::{self, EventData, EventFlags};
use std::{
    net::SocketAddr,
    os::fd::{BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

/// A client, with one connection to each address it has talked to.
#[derive(Debug)]
pub struct Client<'a> {
    number: u32,
    plan: &'a Plan,
    epoll: BorrowedFd<'a>,
    connections: Vec<Connection>,
    task: Option<Task<'a>>,
    reconnects: u64,
}

#[derive(Debug)]
struct Task<'a> {
    step: &'a Step,
    begun: Instant,
    /// Index of the connection in use.
    slot: usize,
    /// The request made from a Location; `None` while the plan's own is in use.
    followed: Option<Request>,
}

/// What a turn brought.
#[derive(Debug)]
pub enum Turn {
    /// Not finished.
    Pending,
    /// The step is done, after this long.
    Done(Duration),
}

/// A Location, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The address as it stands in the URL.
    pub authority: String,
    /// The same as a socket address.
    pub address: SocketAddr,
    /// Path and query.
    pub target: String,
}

impl<'a> Client<'a> {
    /// A client that has not connected yet; `number` tells it apart in `epoll`.
    pub fn new(number: u32, plan: &'a Plan, epoll: &'a OwnedFd) -> Self {
        use std::os::fd::AsFd;
        Self {
            number,
            plan,
            epoll: epoll.as_fd(),
            connections: Vec::new(),
            task: None,
            reconnects: 0,
        }
    }

    /// The client and connection an epoll event is about.
    pub fn addressee(data: EventData) -> (usize, usize) {
        let token = data.u64();
        ((token >> 32) as usize, (token & u64::from(u32::MAX)) as usize)
    }

    /// A step is under way.
    pub fn is_busy(&self) -> bool {
        self.task.is_some()
    }

    /// How often a server closed a connection and it was opened again.
    pub fn reconnects(&self) -> u64 {
        self.reconnects
    }

    /// Begins a step and sends as much of it as the socket takes.
    pub fn begin(&mut self, step: &'a Step, scratch: &mut Scratch, moved: &mut u64) -> Result<Turn> {
        let address = match step {
            Step::Straight { address, .. } => *address,
            Step::Redirected { gateway, .. } => *gateway,
        };
        let slot = self.connection_to(address)?;
        self.task = Some(Task {
            step,
            begun: Instant::now(),
            slot,
            followed: None,
        });
        self.begin_on(slot);
        self.advance(scratch, moved)
    }

    /// Takes an epoll event for the connection in `slot`.
    pub fn wake(&mut self, slot: usize, flags: EventFlags, scratch: &mut Scratch, moved: &mut u64) -> Result<Turn> {
        if let Some(connection) = self.connections.get_mut(slot) {
            connection.wake(flags);
        }
        match &self.task {
            Some(task) if task.slot == slot => self.advance(scratch, moved),
            _ => Ok(Turn::Pending),
        }
    }

    fn advance(&mut self, scratch: &mut Scratch, moved: &mut u64) -> Result<Turn> {
        loop {
            let Some(task) = &self.task else {
                return Ok(Turn::Pending);
            };
            let slot = task.slot;
            let Some(connection) = self.connections.get_mut(slot) else {
                return Ok(Turn::Pending);
            };
            match connection.advance(task.request(), scratch, moved)? {
                Progress::Pending => return Ok(Turn::Pending),
                Progress::Closed => {
                    self.reopen(slot)?;
                    self.begin_on(slot);
                }
                Progress::Answered(answer) => {
                    let address = connection.address();
                    if answer.close {
                        self.reopen(slot)?;
                    }
                    if let Some(took) = self.answered(address, answer)? {
                        return Ok(Turn::Done(took));
                    }
                }
            }
        }
    }

    /// Checks an answer. `None`: it was a redirect, and the request to its Location has begun.
    fn answered(&mut self, from: SocketAddr, answer: Answer) -> Result<Option<Duration>> {
        let Some(task) = self.task.take() else { return Ok(None) };
        match task.step {
            Step::Redirected { method, payload, .. } if task.followed.is_none() => {
                let location = Location::of(from, &answer)?;
                let slot = self.connection_to(location.address)?;
                let followed = Some(location.request(*method, payload.clone()));
                self.task = Some(Task { slot, followed, ..task });
                self.begin_on(slot);
                Ok(None)
            }
            _ => {
                check(self.plan, from, &answer)?;
                Ok(Some(task.begun.elapsed()))
            }
        }
    }

    fn begin_on(&mut self, slot: usize) {
        if let Some(connection) = self.connections.get_mut(slot) {
            connection.begin();
        }
    }

    fn connection_to(&mut self, address: SocketAddr) -> Result<usize> {
        if let Some(slot) = self
            .connections
            .iter()
            .position(|connection| connection.address() == address)
        {
            return Ok(slot);
        }
        let slot = self.connections.len();
        let connection = Connection::open(address, &self.plan.tls)?;
        self.watch(&connection, slot)?;
        self.connections.push(connection);
        Ok(slot)
    }

    fn reopen(&mut self, slot: usize) -> Result<()> {
        let Some(closed) = self.connections.get(slot) else {
            return Ok(());
        };
        let connection = Connection::open(closed.address(), &self.plan.tls)?;
        self.watch(&connection, slot)?;
        if let Some(place) = self.connections.get_mut(slot) {
            *place = connection;
        }
        self.reconnects += 1;
        Ok(())
    }

    fn watch(&self, connection: &Connection, slot: usize) -> Result<()> {
        let token = u64::from(self.number) << 32 | slot as u64;
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        epoll::add(self.epoll, connection.descriptor(), EventData::new_u64(token), flags).context("epoll_ctl")
    }
}

impl Task<'_> {
    fn request(&self) -> &Request {
        match (&self.followed, self.step) {
            (Some(followed), _) => followed,
            (None, Step::Straight { request, .. } | Step::Redirected { ask: request, .. }) => request,
        }
    }
}

impl Location {
    /// The Location of a 307; anything else is an error.
    pub fn of(server: SocketAddr, answer: &Answer) -> Result<Self> {
        let failure = |what: String| BenchError::Answer {
            server: server.to_string(),
            what,
            text: format!("a 307 with a Location was expected; {}", answer.text),
        };
        match (&answer.location, answer.status) {
            (Some(location), 307) => Self::parse(location).ok_or_else(|| failure("an unusable Location".to_owned())),
            _ => Err(failure(answer.status.to_string())),
        }
    }

    fn parse(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"))?;
        let (authority, _) = rest.split_once('/')?;
        let target = rest.get(authority.len()..)?.to_owned();
        Some(Self {
            authority: authority.to_owned(),
            address: authority.parse().ok()?,
            target,
        })
    }

    /// The request that follows the redirect.
    pub fn request(&self, method: Method, payload: Option<Payload>) -> Request {
        self.request_with(method, &[], payload)
    }

    /// The same with further headers.
    pub fn request_with(&self, method: Method, headers: &[(&str, &str)], payload: Option<Payload>) -> Request {
        Request::new(method, &self.authority, &self.target, headers, payload)
    }
}

fn check(plan: &Plan, from: SocketAddr, answer: &Answer) -> Result<()> {
    let fitting = plan.answer_bytes.is_none_or(|bytes| bytes == answer.body_bytes);
    if plan.accept.contains(&answer.status) && fitting {
        return Ok(());
    }
    Err(BenchError::Answer {
        server: from.to_string(),
        what: format!("{} with {} bytes", answer.status, answer.body_bytes),
        text: answer.text.clone(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_taken_apart() {
        let location = Location::parse("http://127.0.0.1:51081/b/k?corelane-ticket=abc").unwrap();
        assert_eq!(location.authority, "127.0.0.1:51081");
        assert_eq!(location.address.port(), 51081);
        assert_eq!(location.target, "/b/k?corelane-ticket=abc");
        assert_eq!(Location::parse("https://127.0.0.1:1/b").unwrap().target, "/b");
        assert!(Location::parse("ftp://127.0.0.1:1/b").is_none());
        assert!(Location::parse("http://127.0.0.1:1").is_none());
    }
}
