//! The event loop that drives all clients of a plan through a window of time.

use super::{
    client::{Client, Turn},
    connection::Scratch,
    histogram::Histogram,
    plan::Plan,
};
use crate::{
    error::{BenchError, Context, Result},
    limits::{EVENTS_MAX, STALL_MAX, WAIT_MS},
};
use rustix::{
    buffer::spare_capacity,
    event::{
        Timespec,
        epoll::{self, CreateFlags, Event},
    },
    io::Errno,
};
use std::{
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

/// The clients of one plan.
pub struct LoadGenerator<'a> {
    plan: &'a Plan,
    epoll: &'a OwnedFd,
    clients: Vec<Client<'a>>,
    scratch: Scratch,
    events: Vec<Event>,
    next_step: usize,
    tally: Tally,
}

/// What was counted since it was last taken.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Steps finished.
    pub requests: u64,
    /// Payload bytes sent or received, those of unfinished steps too.
    pub payload_bytes: u64,
    /// From the first byte sent to the last received, redirects included.
    pub latency: Histogram,
}

/// Makes the epoll instance that a generator borrows.
pub fn poller() -> Result<OwnedFd> {
    epoll::create(CreateFlags::CLOEXEC).context("epoll_create1")
}

impl<'a> LoadGenerator<'a> {
    /// Clients that have not begun.
    pub fn new(plan: &'a Plan, epoll: &'a OwnedFd) -> Self {
        let clients = (0..)
            .take(plan.clients)
            .map(|number| Client::new(number, plan, epoll))
            .collect();
        Self {
            plan,
            epoll,
            clients,
            scratch: Scratch::default(),
            events: Vec::with_capacity(EVENTS_MAX),
            next_step: 0,
            tally: Tally::default(),
        }
    }

    /// Keeps every client busy for `window` and returns what was counted, and the time it took. May be called again.
    pub fn drive(&mut self, window: Duration) -> Result<(Tally, Duration)> {
        self.tally = Tally::default();
        let begun = Instant::now();
        for number in 0..self.clients.len() {
            if self.clients.get(number).is_some_and(|client| !client.is_busy()) {
                self.begin(number)?;
            }
        }
        let mut watch = StallWatch::new();
        while begun.elapsed() < window {
            self.turn(true)?;
            watch.look(&self.tally)?;
        }
        Ok((std::mem::take(&mut self.tally), begun.elapsed()))
    }

    /// Begins nothing new and waits until what is under way has finished.
    pub fn drain(&mut self, patience: Duration) -> Result<()> {
        let begun = Instant::now();
        while self.clients.iter().any(Client::is_busy) {
            if begun.elapsed() > patience {
                return Err(BenchError::Server(
                    "requests in flight did not finish after the load ended".to_owned(),
                ));
            }
            self.turn(false)?;
        }
        Ok(())
    }

    /// How often servers closed connections.
    pub fn reconnects(&self) -> u64 {
        self.clients.iter().map(Client::reconnects).sum()
    }

    fn turn(&mut self, refill: bool) -> Result<()> {
        let wait = Timespec {
            tv_sec: 0,
            tv_nsec: (WAIT_MS * 1_000_000) as i64,
        };
        let mut events = std::mem::take(&mut self.events);
        events.clear();
        match epoll::wait(self.epoll, spare_capacity(&mut events), Some(&wait)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("epoll_wait"),
        }
        for event in &events {
            let (number, slot) = Client::addressee(event.data);
            let Some(client) = self.clients.get_mut(number) else {
                continue;
            };
            let turn = client.wake(slot, event.flags, &mut self.scratch, &mut self.tally.payload_bytes)?;
            if let Turn::Done(took) = turn {
                self.record(took);
                if refill {
                    self.begin(number)?;
                }
            }
        }
        self.events = events;
        Ok(())
    }

    fn begin(&mut self, number: usize) -> Result<()> {
        loop {
            let step = self.plan.steps.get(self.next_step % self.plan.steps.len().max(1));
            self.next_step = self.next_step.wrapping_add(1);
            let (Some(step), Some(client)) = (step, self.clients.get_mut(number)) else {
                return Ok(());
            };
            match client.begin(step, &mut self.scratch, &mut self.tally.payload_bytes)? {
                Turn::Pending => return Ok(()),
                Turn::Done(took) => self.record(took),
            }
        }
    }

    fn record(&mut self, took: Duration) {
        self.tally.requests += 1;
        self.tally.latency.record(took);
    }
}

/// Notices a server that has stopped answering.
struct StallWatch {
    payload_bytes: u64,
    requests: u64,
    since: Instant,
}

impl StallWatch {
    fn new() -> Self {
        Self {
            payload_bytes: 0,
            requests: 0,
            since: Instant::now(),
        }
    }

    fn look(&mut self, tally: &Tally) -> Result<()> {
        if (tally.payload_bytes, tally.requests) != (self.payload_bytes, self.requests) {
            *self = Self {
                payload_bytes: tally.payload_bytes,
                requests: tally.requests,
                since: Instant::now(),
            };
        } else if self.since.elapsed() > STALL_MAX {
            return Err(BenchError::Server(format!(
                "no byte moved for {} s: the server hangs",
                STALL_MAX.as_secs()
            )));
        }
        Ok(())
    }
}
