//! Time-outs without a timer per request: each connection stores a deadline, a sweeper of the core shuts down the
//! sockets whose deadline has passed, and whoever waits on them sees the end of the connection.

use crate::rt::SocketNumber;
use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
    time::{Duration, Instant},
};

/// A connection's deadline. It knows the socket only until the connection lets go of it, so that a closed descriptor's
/// number can never be another connection's.
#[derive(Debug)]
pub struct Deadline {
    clock: Rc<Cell<Instant>>,
    expires: Cell<Instant>,
    idle: Cell<bool>,
    socket: Cell<Option<SocketNumber>>,
}

impl Deadline {
    /// The connection must make progress within `duration` from now.
    pub fn set(&self, duration: Duration) {
        self.idle.set(false);
        self.expires.set(self.clock.get() + duration);
    }

    /// The connection rests between requests: it may be closed at once when the node stops.
    pub fn rest(&self, duration: Duration) {
        self.expires.set(self.clock.get() + duration);
        self.idle.set(true);
    }

    /// The connection is about to close its socket: the sweeper must not touch it any more.
    pub fn disarm(&self) {
        self.socket.set(None);
    }

    fn shut_down(&self) {
        if let Some(socket) = self.socket.take() {
            socket.shut_down();
        }
    }
}

/// The deadlines of a core. They count from the last sweep: a request then costs no look at the clock, and a time-out is
/// late by a sweep interval at most.
#[derive(Debug)]
pub struct Deadlines {
    clock: Rc<Cell<Instant>>,
    all: RefCell<Vec<Weak<Deadline>>>,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            clock: Rc::new(Cell::new(Instant::now())),
            all: RefCell::default(),
        }
    }
}

impl Deadlines {
    /// A deadline for a socket.
    pub fn add(&self, socket: SocketNumber, duration: Duration) -> Rc<Deadline> {
        let deadline = Rc::new(Deadline {
            clock: Rc::clone(&self.clock),
            expires: Cell::new(self.clock.get() + duration),
            idle: Cell::new(false),
            socket: Cell::new(Some(socket)),
        });
        self.all.borrow_mut().push(Rc::downgrade(&deadline));
        deadline
    }

    /// Shuts down what is late, and what rests when `stopping`.
    pub fn sweep(&self, stopping: bool) {
        let now = Instant::now();
        self.clock.set(now);
        self.all.borrow_mut().retain(|deadline| {
            let Some(deadline) = deadline.upgrade() else {
                return false;
            };
            if deadline.expires.get() <= now || (stopping && deadline.idle.get()) {
                deadline.shut_down();
                return false;
            }
            true
        });
    }
}
