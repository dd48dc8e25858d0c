//! Time-outs without a timer per request: each connection stores a deadline, a sweeper of the core shuts down the
//! sockets whose deadline has passed, and whoever waits on them sees the end of the connection.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
    time::{Duration, Instant},
};

/// A connection's deadline. The socket is shut down through a duplicate handle, so that a closed descriptor's number
/// can never be another connection's.
#[derive(Debug)]
pub struct Deadline {
    expires: Cell<Instant>,
    idle: Cell<bool>,
    socket: rustix::fd::OwnedFd,
}

impl Deadline {
    /// The connection must make progress within `duration` from now.
    pub fn set(&self, duration: Duration) {
        self.idle.set(false);
        self.expires.set(Instant::now() + duration);
    }

    /// The connection rests between requests: it may be closed at once when the node stops.
    pub fn rest(&self, duration: Duration) {
        self.expires.set(Instant::now() + duration);
        self.idle.set(true);
    }

    fn shut_down(&self) {
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
    }
}

/// The deadlines of a core.
#[derive(Debug, Default)]
pub struct Deadlines {
    all: RefCell<Vec<Weak<Deadline>>>,
}

impl Deadlines {
    /// A deadline for a socket.
    pub fn add(&self, socket: rustix::fd::OwnedFd, duration: Duration) -> Rc<Deadline> {
        let deadline = Rc::new(Deadline {
            expires: Cell::new(Instant::now() + duration),
            idle: Cell::new(false),
            socket,
        });
        self.all.borrow_mut().push(Rc::downgrade(&deadline));
        deadline
    }

    /// Shuts down what is late, and what rests when `stopping`.
    pub fn sweep(&self, stopping: bool) {
        let now = Instant::now();
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
