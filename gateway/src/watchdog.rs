//! Deadlines of sockets: a watchdog shuts down what is late, because cancelling a receive on the ring can lose the bytes
//! it already took.

use crate::{limits::WATCHDOG_INTERVAL, rt};
use rustix::net::Shutdown;
use std::{
    cell::{Cell, RefCell},
    io,
    os::fd::{BorrowedFd, RawFd},
    rc::{Rc, Weak},
    time::Instant,
};

/// Checks the deadlines of all sockets.
#[derive(Clone, Default)]
pub struct Watchdog {
    sockets: Rc<RefCell<Vec<Weak<Deadlines>>>>,
}

impl Watchdog {
    /// The deadlines of a socket. Whoever holds them also holds the socket, and drops them first.
    pub fn watch_over(&self, descriptor: RawFd) -> Rc<Deadlines> {
        let deadlines = Rc::new(Deadlines {
            descriptor,
            read: Cell::new(None),
            write: Cell::new(None),
            idle: Cell::new(false),
            expired: Cell::new(false),
        });
        self.sockets.borrow_mut().push(Rc::downgrade(&deadlines));
        deadlines
    }
    /// Checks for ever.
    pub async fn watch(self) {
        loop {
            rt::sleep(WATCHDOG_INTERVAL).await;
            let now = Instant::now();
            self.sockets.borrow_mut().retain(|socket| match socket.upgrade() {
                Some(deadlines) => {
                    deadlines.enforce(now);
                    true
                }
                None => false,
            });
        }
    }
    /// Ends every socket's current wait for a request, as if its time were up.
    pub fn expire_idle(&self) {
        for deadlines in self.sockets.borrow().iter().filter_map(Weak::upgrade) {
            if deadlines.idle.get() {
                deadlines.expire(Shutdown::Read);
            }
        }
    }
}

/// The deadlines of one socket. Dropped before the socket's descriptor is: both halves name it first.
pub struct Deadlines {
    descriptor: RawFd,
    /// When waiting for bytes ends; `None`: never.
    pub read: Cell<Option<Instant>>,
    /// When sending must have made progress.
    pub write: Cell<Option<Instant>>,
    /// Nobody waits but for the next request.
    pub idle: Cell<bool>,
    /// A deadline has passed.
    pub expired: Cell<bool>,
}

impl Deadlines {
    fn enforce(&self, now: Instant) {
        if self.write.get().is_some_and(|deadline| deadline <= now) {
            self.expire(Shutdown::Both);
        } else if self.read.get().is_some_and(|deadline| deadline <= now) {
            self.expire(Shutdown::Read);
        }
    }
    /// A shut-down socket completes the pending operation: a receive with 0 bytes, a send with EPIPE.
    fn expire(&self, how: Shutdown) {
        self.expired.set(true);
        self.read.set(None);
        self.write.set(None);
        let _ = rustix::net::shutdown(self.descriptor(), how);
    }
    /// The socket.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        // SAFETY: the halves that hold this value also hold the socket, and drop this value first.
        unsafe { BorrowedFd::borrow_raw(self.descriptor) }
    }
    /// The error, unless it came of the deadline.
    pub fn explain(&self, error: io::Error) -> io::Error {
        if error.kind() == io::ErrorKind::UnexpectedEof && self.expired.get() {
            self.timed_out()
        } else {
            error
        }
    }
    /// What an operation fails with that the deadline ended.
    pub fn timed_out(&self) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, "the peer made no progress in time")
    }
}
