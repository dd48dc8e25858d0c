//! Bounded memory: a budget of bytes for bodies, and the buffers that relay them. The more relays there are, the smaller
//! the buffer each gets, so that thousands of stalled clients neither exhaust memory nor shut others out.

use crate::limits::{
    RELAY_BUFFER_BYTES_MAX, RELAY_BUFFER_BYTES_MIN, RELAY_BUFFERS_SPARE_MAX, RELAY_MEMORY_BYTES_MAX,
    RELAY_MEMORY_BYTES_TARGET,
};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

/// A number of bytes, or of anything else, that can be handed out.
#[derive(Debug)]
pub struct Budget {
    used: Cell<usize>,
    total: usize,
}

/// Bytes taken from a [`Budget`]; given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: Rc<Budget>,
    bytes: usize,
}

impl Budget {
    /// A budget of this many bytes.
    pub fn new(total: usize) -> Rc<Self> {
        Rc::new(Self {
            used: Cell::new(0),
            total,
        })
    }
    /// Takes bytes, if there are as many left.
    pub fn reserve(self: &Rc<Self>, bytes: usize) -> Option<Reservation> {
        let used = self.used.get().checked_add(bytes)?;
        (used <= self.total).then(|| {
            self.used.set(used);
            Reservation {
                budget: Rc::clone(self),
                bytes,
            }
        })
    }
    /// Bytes handed out.
    pub fn used(&self) -> usize {
        self.used.get()
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.used.set(self.budget.used.get().saturating_sub(self.bytes));
    }
}

/// Hands out relay buffers.
#[derive(Debug)]
pub struct RelayMemory {
    budget: Rc<Budget>,
    spare: RefCell<Vec<Vec<u8>>>,
}

/// An empty buffer to relay with. `bytes` may be taken out for an operation and must then be put back.
#[derive(Debug)]
pub struct RelayBuffer {
    /// The buffer.
    pub bytes: Vec<u8>,
    memory: Rc<RelayMemory>,
    _reservation: Reservation,
}

impl RelayMemory {
    /// With the budget of the limits.
    pub fn new() -> Rc<Self> {
        Rc::new(Self {
            budget: Budget::new(RELAY_MEMORY_BYTES_MAX),
            spare: RefCell::default(),
        })
    }
    /// A buffer of at most `bytes_max`; `None` when all relay memory is in use.
    pub fn take(self: &Rc<Self>, bytes_max: usize) -> Option<RelayBuffer> {
        let size = self.buffer_size().min(bytes_max);
        let reservation = self.budget.reserve(size)?;
        let spare = (size == RELAY_BUFFER_BYTES_MAX)
            .then(|| self.spare.borrow_mut().pop())
            .flatten();
        Some(RelayBuffer {
            bytes: spare.unwrap_or_else(|| Vec::with_capacity(size)),
            memory: Rc::clone(self),
            _reservation: reservation,
        })
    }
    /// Shrinks in proportion once more than the target is in use.
    fn buffer_size(&self) -> usize {
        let used = self.budget.used();
        if used <= RELAY_MEMORY_BYTES_TARGET {
            return RELAY_BUFFER_BYTES_MAX;
        }
        let left = RELAY_MEMORY_BYTES_MAX.saturating_sub(used);
        let share = RELAY_BUFFER_BYTES_MAX * left / (RELAY_MEMORY_BYTES_MAX - RELAY_MEMORY_BYTES_TARGET);
        share.max(RELAY_BUFFER_BYTES_MIN)
    }
}

impl Drop for RelayBuffer {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        let mut spare = self.memory.spare.borrow_mut();
        if bytes.capacity() == RELAY_BUFFER_BYTES_MAX && spare.len() < RELAY_BUFFERS_SPARE_MAX {
            bytes.clear();
            spare.push(bytes);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Budget, RELAY_BUFFER_BYTES_MAX, RELAY_BUFFER_BYTES_MIN, RELAY_MEMORY_BYTES_MAX, RelayMemory};

    #[test]
    fn budget_is_kept_and_given_back() {
        let budget = Budget::new(10);
        let first = budget.reserve(6).unwrap();
        assert!(budget.reserve(5).is_none());
        drop(first);
        assert!(budget.reserve(10).is_some());
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn buffers_shrink_under_load_and_end() {
        let memory = RelayMemory::new();
        let mut held = Vec::new();
        while let Some(buffer) = memory.take(usize::MAX) {
            held.push(buffer);
        }
        assert_eq!(held.first().unwrap().bytes.capacity(), RELAY_BUFFER_BYTES_MAX);
        assert_eq!(held.last().unwrap().bytes.capacity(), RELAY_BUFFER_BYTES_MIN);
        let total: usize = held.iter().map(|buffer| buffer.bytes.capacity()).sum();
        assert!(total <= RELAY_MEMORY_BYTES_MAX);
        assert!(held.len() > 10_000, "{} stalled relays fit", held.len());
        drop(held);
        assert_eq!(
            memory.take(usize::MAX).unwrap().bytes.capacity(),
            RELAY_BUFFER_BYTES_MAX
        );
    }
}
