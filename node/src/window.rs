//! What a GET holds of its object ahead of what it has sent.

use crate::cache::Block;
use mountpath::{buffer::Reservation, completion::Receiver, error::StoreError};
use std::collections::VecDeque;

/// A block in memory.
pub struct Loaded {
    /// The bytes, verified.
    pub block: Block,
    _memory: Option<Reservation>,
}

impl Loaded {
    /// A block and, unless it came out of the cache, the budget it takes until it is sent.
    pub fn new(block: Block, memory: Option<Reservation>) -> Self {
        Self { block, _memory: memory }
    }
}

/// A place in the window.
pub enum Slot {
    /// Being read.
    Loading(Receiver<Result<Loaded, StoreError>>),
    /// Read and verified.
    Loaded(Loaded),
    /// Could not be read, or is damaged.
    Failed(StoreError),
}

/// The blocks a GET holds ahead of what it has sent.
#[derive(Default)]
pub struct Window {
    /// Blocks in order.
    pub slots: VecDeque<Slot>,
    /// The block the first slot holds.
    pub first: u64,
    stalled: bool,
    noted: bool,
}

impl Window {
    /// Lets go of all blocks if the client does not read at the moment; they are loaded again when needed. The core has
    /// forgotten the window by then, and is told of it anew when the client stalls again.
    pub fn release_if_stalled(&mut self) {
        self.noted = false;
        if self.stalled {
            self.slots.clear();
        }
    }

    /// Marks the client as reading or not; whether the core should note it as stalled.
    pub fn set_stalled(&mut self, stalled: bool) -> bool {
        self.stalled = stalled;
        let note = stalled && !self.noted && !self.slots.is_empty();
        self.noted |= note;
        note
    }
}
