//! Wall-clock time, and the Date header formatted once a second.

use rustix::time::{ClockId, clock_gettime};
use std::{
    cell::RefCell,
    rc::Rc,
    time::{SystemTime, UNIX_EPOCH},
};

/// Milliseconds since the Unix epoch.
pub fn unix_ms() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

/// Seconds since the Unix epoch.
pub fn unix_s() -> u64 {
    unix_ms() / 1000
}

/// CLOCK_MONOTONIC in milliseconds: one clock for all processes of a host.
pub fn monotonic_ms() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    seconds * 1000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1_000_000
}

/// The Date header of responses.
#[derive(Debug, Default)]
pub struct DateHeader {
    current: RefCell<(u64, Rc<str>)>,
}

impl DateHeader {
    /// The value now.
    pub fn now(&self) -> Rc<str> {
        let second = unix_s();
        let mut current = self.current.borrow_mut();
        if current.0 != second {
            *current = (second, proto::http::date::http(second.saturating_mul(1000)).into());
        }
        Rc::clone(&current.1)
    }
}
