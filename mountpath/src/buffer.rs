//! The bounded pool of payload buffers of one core. Sizes shrink as the pool fills, so that a few fast clients get
//! large buffers and a thousand slow ones still get one each.

use crate::io::AlignedBuffer;
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    future::poll_fn,
    rc::Rc,
    task::{Poll, Waker},
};

/// The sizes buffers come in, in bytes, largest first. The smallest is what every connection is guaranteed.
pub const BUFFER_SIZES: [usize; 3] = [1024 * 1024, 256 * 1024, 64 * 1024];
/// Free buffers kept for reuse, in bytes; the rest goes back to the allocator.
const FREE_BYTES_MAX: usize = 16 * 1024 * 1024;

struct Shared {
    limit: usize,
    used: Cell<usize>,
    free: RefCell<[Vec<AlignedBuffer>; BUFFER_SIZES.len()]>,
    free_bytes: Cell<usize>,
    waiters: RefCell<VecDeque<Rc<Waiter>>>,
}

struct Waiter {
    waker: RefCell<Option<Waker>>,
    bytes: usize,
    granted: Cell<bool>,
    gone: Cell<bool>,
}

/// A pool; clones are the same pool.
#[derive(Clone)]
pub struct BufferPool(Rc<Shared>);

/// Bytes of the pool's budget, given back when dropped.
pub struct Reservation {
    pool: BufferPool,
    bytes: usize,
}

/// A buffer of the pool, given back when dropped.
pub struct PooledBuffer {
    buffer: Option<Rc<AlignedBuffer>>,
    class: usize,
    reservation: Reservation,
}

impl BufferPool {
    /// A pool of at most `limit` bytes, at least two of the largest buffers.
    pub fn new(limit: usize) -> Self {
        Self(Rc::new(Shared {
            limit: limit.max(2 * BUFFER_SIZES[0]),
            used: Cell::new(0),
            free: RefCell::default(),
            free_bytes: Cell::new(0),
            waiters: RefCell::default(),
        }))
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.0.used.get()
    }

    /// Bytes the pool may use.
    pub fn limit(&self) -> usize {
        self.0.limit
    }

    /// Whether somebody waits for memory.
    pub fn is_contended(&self) -> bool {
        self.0.waiters.borrow().iter().any(|waiter| !waiter.gone.get())
    }

    /// Reserves budget if it is there now and nobody waits before.
    pub fn try_reserve(&self, bytes: usize) -> Option<Reservation> {
        if self.is_contended() || self.0.used.get().saturating_add(bytes) > self.0.limit {
            return None;
        }
        self.0.used.set(self.0.used.get() + bytes);
        Some(Reservation {
            pool: self.clone(),
            bytes,
        })
    }

    /// Reserves budget, waiting in order of arrival.
    pub async fn reserve(&self, bytes: usize) -> Reservation {
        if let Some(reservation) = self.try_reserve(bytes) {
            return reservation;
        }
        let waiter = Rc::new(Waiter {
            waker: RefCell::default(),
            bytes: bytes.min(self.0.limit),
            granted: Cell::new(false),
            gone: Cell::new(false),
        });
        self.0.waiters.borrow_mut().push_back(Rc::clone(&waiter));
        let place = Place {
            pool: self,
            waiter: &waiter,
        };
        poll_fn(|context| {
            if waiter.granted.get() {
                return Poll::Ready(());
            }
            *waiter.waker.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
        let bytes = waiter.bytes;
        std::mem::forget(place);
        Reservation {
            pool: self.clone(),
            bytes,
        }
    }

    /// The size a transfer of `wanted` bytes gets now: the smallest that holds it, and smaller ones as the pool fills.
    fn class_for(&self, wanted: u64) -> usize {
        let free = self.0.limit - self.0.used.get().min(self.0.limit);
        let by_pressure = if free / 3 * 4 > self.0.limit {
            0
        } else if free * 2 > self.0.limit {
            1
        } else {
            2
        };
        let by_need = BUFFER_SIZES
            .iter()
            .rposition(|size| *size as u64 >= wanted)
            .unwrap_or(0);
        by_pressure.max(by_need)
    }

    /// A buffer for a transfer of `wanted` more bytes, if there is budget now.
    pub fn try_take(&self, wanted: u64) -> Option<PooledBuffer> {
        let class = self.class_for(wanted);
        let size = *BUFFER_SIZES.get(class)?;
        let reservation = self.try_reserve(size)?;
        Some(self.build(class, size, reservation))
    }

    /// A buffer for a transfer of `wanted` more bytes; waits for the smallest size when there is no budget.
    pub async fn take(&self, wanted: u64) -> PooledBuffer {
        if let Some(buffer) = self.try_take(wanted) {
            return buffer;
        }
        let class = BUFFER_SIZES.len() - 1;
        let size = BUFFER_SIZES[BUFFER_SIZES.len() - 1];
        let reservation = self.reserve(size).await;
        self.build(class, size, reservation)
    }

    fn build(&self, class: usize, size: usize, reservation: Reservation) -> PooledBuffer {
        let reused = self.0.free.borrow_mut().get_mut(class).and_then(Vec::pop);
        if reused.is_some() {
            self.0.free_bytes.set(self.0.free_bytes.get() - size);
        }
        let buffer = reused.unwrap_or_else(|| AlignedBuffer::allocate(size));
        PooledBuffer {
            buffer: Some(Rc::new(buffer)),
            class,
            reservation,
        }
    }

    /// Gives free buffers back to the allocator; called when a core is idle.
    pub fn trim(&self) {
        self.0.free.borrow_mut().iter_mut().for_each(Vec::clear);
        self.0.free_bytes.set(0);
    }

    fn release(&self, bytes: usize) {
        self.0.used.set(self.0.used.get().saturating_sub(bytes));
        loop {
            let next = {
                let mut waiters = self.0.waiters.borrow_mut();
                let Some(first) = waiters.front() else { break };
                if !first.gone.get() && self.0.used.get() + first.bytes > self.0.limit {
                    break;
                }
                waiters.pop_front()
            };
            let Some(waiter) = next else { break };
            if waiter.gone.get() {
                continue;
            }
            self.0.used.set(self.0.used.get() + waiter.bytes);
            waiter.granted.set(true);
            if let Some(waker) = waiter.waker.borrow_mut().take() {
                waker.wake();
            }
        }
    }
}

/// A waiter's place in the queue; leaving early gives back what was granted meanwhile.
struct Place<'p> {
    pool: &'p BufferPool,
    waiter: &'p Rc<Waiter>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.waiter.gone.set(true);
        if self.waiter.granted.get() {
            self.pool.release(self.waiter.bytes);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.pool.release(self.bytes);
    }
}

impl Reservation {
    /// Bytes reserved.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl PooledBuffer {
    /// All bytes.
    pub fn bytes(&self) -> &[u8] {
        self.buffer.as_ref().map_or(&[], |buffer| buffer.bytes())
    }
    /// All bytes, to be filled; empty while a write still holds the buffer.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.buffer
            .as_mut()
            .and_then(Rc::get_mut)
            .map_or(&mut [], AlignedBuffer::bytes_mut)
    }
    /// Size in bytes.
    pub fn size(&self) -> usize {
        self.bytes().len()
    }
    /// Cuts the length to what is to be written; the buffer is not reused afterwards.
    pub fn truncate(&mut self, length: usize) {
        if let Some(buffer) = self.buffer.as_mut().and_then(Rc::get_mut) {
            buffer.truncate(length);
        }
    }
    /// A shared handle for a write.
    pub fn share(&self) -> Option<Rc<AlignedBuffer>> {
        self.buffer.clone()
    }
}

impl Drop for PooledBuffer {
    fn drop(&mut self) {
        let Some(buffer) = self.buffer.take().and_then(|shared| Rc::try_unwrap(shared).ok()) else {
            return;
        };
        let pool = &self.reservation.pool.0;
        let size = buffer.bytes().len();
        if BUFFER_SIZES.get(self.class) == Some(&size) && pool.free_bytes.get() + size <= FREE_BYTES_MAX {
            pool.free_bytes.set(pool.free_bytes.get() + size);
            if let Some(list) = pool.free.borrow_mut().get_mut(self.class) {
                list.push(buffer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BUFFER_SIZES, BufferPool};

    #[test]
    fn sizes_shrink_under_pressure_and_budget_returns() {
        let pool = BufferPool::new(8 << 20);
        let mut held = Vec::new();
        while let Some(buffer) = pool.try_take(1 << 30) {
            held.push(buffer);
        }
        assert_eq!(pool.used(), 8 << 20);
        let sizes: Vec<usize> = held.iter().map(|buffer| buffer.size()).collect();
        assert!(sizes.is_sorted_by(|a, b| a >= b));
        assert_eq!(sizes.last(), BUFFER_SIZES.last());
        held.clear();
        assert_eq!(pool.used(), 0);
        assert_eq!(pool.try_take(10).map(|buffer| buffer.size()), Some(64 * 1024));
    }

    #[test]
    fn nothing_is_granted_beyond_the_limit() {
        let pool = BufferPool::new(2 << 20);
        let first = pool.try_reserve(2 << 20);
        assert!(first.is_some());
        assert!(pool.try_reserve(1).is_none());
        drop(first);
        assert!(pool.try_reserve(1).is_some());
    }
}
