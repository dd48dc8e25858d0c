//! The event loop that drives all clients of one or several plans through a window of time.

use super::{
    client::{Client, Turn},
    connection::Scratch,
    histogram::Histogram,
    plan::{Order, Plan, Step},
    random::Random,
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

/// The clients of some plans, which run side by side.
pub struct LoadGenerator<'a> {
    epoll: &'a OwnedFd,
    loads: Vec<Load<'a>>,
    clients: Vec<Member<'a>>,
    scratch: Scratch,
    events: Vec<Event>,
}

/// A plan and how far it has come.
struct Load<'a> {
    plan: &'a Plan,
    next_step: usize,
    /// Steps that may still begin; `None`: any number.
    steps_left: Option<usize>,
    random: Random,
    tally: Tally,
    watch: StallWatch,
}

/// A client, and the index of the load it belongs to.
struct Member<'a> {
    load: usize,
    client: Client<'a>,
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
    /// Clients of one plan that have not begun.
    pub fn new(plan: &'a Plan, epoll: &'a OwnedFd) -> Self {
        Self::side_by_side(&[plan], epoll)
    }

    /// Clients of several plans that have not begun.
    pub fn side_by_side(plans: &[&'a Plan], epoll: &'a OwnedFd) -> Self {
        let loads_of_clients = plans
            .iter()
            .enumerate()
            .flat_map(|(load, plan)| std::iter::repeat_n((load, *plan), plan.clients));
        let clients = (0..)
            .zip(loads_of_clients)
            .map(|(number, (load, plan))| Member {
                load,
                client: Client::new(number, plan, epoll),
            })
            .collect();
        Self {
            epoll,
            loads: plans.iter().map(|plan| Load::new(plan)).collect(),
            clients,
            scratch: Scratch::default(),
            events: Vec::with_capacity(EVENTS_MAX),
        }
    }

    /// Keeps every client busy for `window` and returns what was counted of each plan, and the time it took. May be
    /// called again.
    pub fn drive(&mut self, window: Duration) -> Result<(Vec<Tally>, Duration)> {
        self.drive_while(|_, elapsed| Ok(elapsed < window))
    }

    /// The same for as long as `go_on` says, which is asked every few milliseconds and told the payload bytes moved and
    /// the time passed so far.
    pub fn drive_while(
        &mut self,
        mut go_on: impl FnMut(u64, Duration) -> Result<bool>,
    ) -> Result<(Vec<Tally>, Duration)> {
        let begun = Instant::now();
        self.begin_all()?;
        while go_on(
            self.loads.iter().map(|load| load.tally.payload_bytes).sum(),
            begun.elapsed(),
        )? {
            self.turn(true)?;
        }
        Ok((self.take_tallies(), begun.elapsed()))
    }

    /// Takes every step of every plan exactly once, in turn, and returns when all have finished.
    pub fn run_once(&mut self) -> Result<Vec<Tally>> {
        for load in &mut self.loads {
            load.next_step = 0;
            load.steps_left = Some(load.plan.steps.len());
        }
        self.begin_all()?;
        while self.is_busy() {
            self.turn(true)?;
        }
        for load in &mut self.loads {
            load.steps_left = None;
        }
        Ok(self.take_tallies())
    }

    /// Begins nothing new and waits until what is under way has finished.
    pub fn drain(&mut self, patience: Duration) -> Result<()> {
        let begun = Instant::now();
        while self.is_busy() {
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
        self.clients.iter().map(|member| member.client.reconnects()).sum()
    }

    fn is_busy(&self) -> bool {
        self.clients.iter().any(|member| member.client.is_busy())
    }

    fn begin_all(&mut self) -> Result<()> {
        for load in &mut self.loads {
            load.tally = Tally::default();
            load.watch = StallWatch::new();
        }
        for number in 0..self.clients.len() {
            if self.clients.get(number).is_some_and(|member| !member.client.is_busy()) {
                self.begin(number)?;
            }
        }
        Ok(())
    }

    fn take_tallies(&mut self) -> Vec<Tally> {
        self.loads
            .iter_mut()
            .map(|load| std::mem::take(&mut load.tally))
            .collect()
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
            let Some((client, load)) = member(&mut self.clients, &mut self.loads, number) else {
                continue;
            };
            let moved = &mut load.tally.payload_bytes;
            let turn = client.wake(slot, event.flags, &mut self.scratch, moved)?;
            if let Turn::Done(took) = turn {
                load.tally.record(took);
                if refill {
                    self.begin(number)?;
                }
            }
        }
        self.events = events;
        self.look_for_stalls()
    }

    /// Looks at the loads that have something under way.
    fn look_for_stalls(&mut self) -> Result<()> {
        for (index, load) in self.loads.iter_mut().enumerate() {
            let is_busy = || {
                let mut members = self.clients.iter().filter(|member| member.load == index);
                members.any(|member| member.client.is_busy())
            };
            load.watch.look(&load.tally, is_busy)?;
        }
        Ok(())
    }

    fn begin(&mut self, number: usize) -> Result<()> {
        loop {
            let Some((client, load)) = member(&mut self.clients, &mut self.loads, number) else {
                return Ok(());
            };
            let Some(step) = load.take_step() else {
                return Ok(());
            };
            match client.begin(step, &mut self.scratch, &mut load.tally.payload_bytes)? {
                Turn::Pending => return Ok(()),
                Turn::Done(took) => load.tally.record(took),
            }
        }
    }
}

/// A client with its load; not a method, since the generator's buffers are borrowed beside them.
fn member<'b, 'a>(
    clients: &'b mut [Member<'a>],
    loads: &'b mut [Load<'a>],
    number: usize,
) -> Option<(&'b mut Client<'a>, &'b mut Load<'a>)> {
    let Member { load, client } = clients.get_mut(number)?;
    Some((client, loads.get_mut(*load)?))
}

impl<'a> Load<'a> {
    fn new(plan: &'a Plan) -> Self {
        Self {
            plan,
            next_step: 0,
            steps_left: None,
            random: Random::default(),
            tally: Tally::default(),
            watch: StallWatch::new(),
        }
    }

    fn take_step(&mut self) -> Option<&'a Step> {
        let count = self.plan.steps.len();
        if let Some(left) = &mut self.steps_left {
            *left = left.checked_sub(1)?;
        }
        let index = match (self.steps_left, self.plan.order) {
            (None, Order::Random) => usize::try_from(self.random.below(count as u64)).unwrap_or(0),
            _ => {
                let index = self.next_step % count.max(1);
                self.next_step = self.next_step.wrapping_add(1);
                index
            }
        };
        self.plan.steps.get(index)
    }
}

impl Tally {
    fn record(&mut self, took: Duration) {
        self.requests += 1;
        self.latency.record(took);
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

    fn look(&mut self, tally: &Tally, is_busy: impl Fn() -> bool) -> Result<()> {
        if (tally.payload_bytes, tally.requests) != (self.payload_bytes, self.requests) {
            *self = Self {
                payload_bytes: tally.payload_bytes,
                requests: tally.requests,
                since: Instant::now(),
            };
        } else if self.since.elapsed() > STALL_MAX && is_busy() {
            return Err(BenchError::Server(format!(
                "no byte moved for {} s: the server hangs",
                STALL_MAX.as_secs()
            )));
        }
        Ok(())
    }
}
