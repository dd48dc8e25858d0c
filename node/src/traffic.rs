//! Bytes that go in and out of a core's connections.

use std::cell::Cell;

/// Bytes that came and went on a core's port.
#[derive(Debug, Default)]
pub struct Traffic {
    received: Cell<u64>,
    sent: Cell<u64>,
}

impl Traffic {
    /// Bytes that came.
    pub fn received(&self) -> u64 {
        self.received.get()
    }

    /// Bytes that went.
    pub fn sent(&self) -> u64 {
        self.sent.get()
    }

    /// More came.
    pub fn receive(&self, bytes: usize) {
        self.received.set(self.received.get() + bytes as u64);
    }

    /// More went.
    pub fn send(&self, bytes: usize) {
        self.sent.set(self.sent.get() + bytes as u64);
    }
}
