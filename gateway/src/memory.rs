//! Bounded memory: a budget of bytes for bodies, and the buffers that relay them. The more relays there are, the smaller
//! the buffer each gets, so that thousands of stalled clients neither exhaust memory nor shut others out.

use crate::limits::{
    RELAY_BUFFER_BYTES, RELAY_BUFFER_BYTES_MIN, RELAY_BUFFERS_SPARE_MAX, RELAY_MEMORY_BYTES_MAX,
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
    /// `net.http.read_buffer_size`.
    reading_bytes: Cell<usize>,
    /// `net.http.write_buffer_size`.
    writing_bytes: Cell<usize>,
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
            reading_bytes: Cell::new(RELAY_BUFFER_BYTES),
            writing_bytes: Cell::new(RELAY_BUFFER_BYTES),
        })
    }
    /// Sets the size of buffers that clients' bodies are read into, and of those that answers are written from.
    pub fn set_sizes(&self, reading_bytes: usize, writing_bytes: usize) {
        self.reading_bytes.set(reading_bytes);
        self.writing_bytes.set(writing_bytes);
        self.spare.borrow_mut().clear();
    }
    /// A buffer to read a client's body into; `None` when all relay memory is in use.
    pub fn take_for_reading(self: &Rc<Self>) -> Option<RelayBuffer> {
        self.take(self.reading_bytes.get())
    }
    /// A buffer to write an answer from; `None` when all relay memory is in use.
    pub fn take_for_writing(self: &Rc<Self>) -> Option<RelayBuffer> {
        self.take(self.writing_bytes.get())
    }
    /// A buffer of at most `bytes_max`; `None` when all relay memory is in use.
    pub fn take(self: &Rc<Self>, bytes_max: usize) -> Option<RelayBuffer> {
        let size = self.size_max().min(bytes_max);
        let reservation = self.budget.reserve(size)?;
        let mut spare = self.spare.borrow_mut();
        let is_kept = [&self.reading_bytes, &self.writing_bytes]
            .iter()
            .any(|kept| kept.get() == size);
        let fitting = is_kept.then(|| spare.iter().rposition(|bytes| bytes.capacity() == size));
        let bytes = fitting
            .flatten()
            .map_or_else(|| Vec::with_capacity(size), |index| spare.swap_remove(index));
        Some(RelayBuffer {
            bytes,
            memory: Rc::clone(self),
            _reservation: reservation,
        })
    }
    /// Shrinks in proportion once more than the target is in use.
    fn size_max(&self) -> usize {
        let used = self.budget.used();
        if used <= RELAY_MEMORY_BYTES_TARGET {
            return usize::MAX;
        }
        let left = RELAY_MEMORY_BYTES_MAX.saturating_sub(used);
        let share = RELAY_BUFFER_BYTES * left / (RELAY_MEMORY_BYTES_MAX - RELAY_MEMORY_BYTES_TARGET);
        share.max(RELAY_BUFFER_BYTES_MIN)
    }
}

impl Drop for RelayBuffer {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        let mut spare = self.memory.spare.borrow_mut();
        let sizes = [&self.memory.reading_bytes, &self.memory.writing_bytes].map(Cell::get);
        if sizes.contains(&bytes.capacity()) && spare.len() < RELAY_BUFFERS_SPARE_MAX {
            bytes.clear();
            spare.push(bytes);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Budget, RELAY_BUFFER_BYTES, RELAY_BUFFER_BYTES_MIN, RELAY_MEMORY_BYTES_MAX, RelayMemory};

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
        while let Some(buffer) = memory.take_for_reading() {
            held.push(buffer);
        }
        assert_eq!(held.first().unwrap().bytes.capacity(), RELAY_BUFFER_BYTES);
        assert_eq!(held.last().unwrap().bytes.capacity(), RELAY_BUFFER_BYTES_MIN);
        let total: usize = held.iter().map(|buffer| buffer.bytes.capacity()).sum();
        assert!(total <= RELAY_MEMORY_BYTES_MAX);
        assert!(held.len() > 10_000, "{} stalled relays fit", held.len());
        drop(held);
        assert_eq!(memory.take_for_reading().unwrap().bytes.capacity(), RELAY_BUFFER_BYTES);
    }

    #[test]
    fn buffers_have_the_sizes_that_are_set() {
        let memory = RelayMemory::new();
        let before = memory.take_for_writing().unwrap();
        memory.set_sizes(128 * 1024, 16 * 1024);
        // It is no spare one for what comes now.
        drop(before);
        assert_eq!(memory.take_for_reading().unwrap().bytes.capacity(), 128 * 1024);
        assert_eq!(memory.take_for_writing().unwrap().bytes.capacity(), 16 * 1024);
        let spares: Vec<usize> = memory.spare.borrow().iter().map(Vec::capacity).collect();
        assert_eq!(spares, [128 * 1024, 16 * 1024]);
        drop(memory.take_for_reading().unwrap());
        assert_eq!(memory.spare.borrow().len(), 2, "a spare one was used");
    }
}
