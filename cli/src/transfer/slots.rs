//! How much is under way at a time: requests, and payload in memory.

use crate::limits::TRANSFER_BYTES_MAX;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Room for requests that carry payload.
pub struct Slots {
    requests_max: usize,
    taken: Mutex<Taken>,
    freed: Condvar,
}

#[derive(Default)]
struct Taken {
    requests: usize,
    bytes: u64,
}

/// Room for one request, until it is dropped.
pub struct Slot<'s> {
    slots: &'s Slots,
    bytes: u64,
}

impl Slots {
    /// For so many requests at a time.
    pub fn new(requests_max: usize) -> Self {
        Self {
            requests_max,
            taken: Mutex::default(),
            freed: Condvar::new(),
        }
    }

    /// Waits for room for a request with so many bytes in memory. One alone may have more than there is room for.
    pub fn take(&self, bytes: u64) -> Slot<'_> {
        let is_full = |taken: &mut Taken| {
            taken.requests > 0
                && (taken.requests >= self.requests_max || taken.bytes.saturating_add(bytes) > TRANSFER_BYTES_MAX)
        };
        let mut taken = self
            .freed
            .wait_while(self.lock(), is_full)
            .unwrap_or_else(PoisonError::into_inner);
        taken.requests += 1;
        taken.bytes = taken.bytes.saturating_add(bytes);
        Slot { slots: self, bytes }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut taken = self.slots.lock();
        taken.requests = taken.requests.saturating_sub(1);
        taken.bytes = taken.bytes.saturating_sub(self.bytes);
        drop(taken);
        self.slots.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::Slots;
    use crate::limits::TRANSFER_BYTES_MAX;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn no_more_than_allowed_are_under_way() {
        let (slots, running, most) = (Slots::new(3), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let _slot = slots.take(1);
                        most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        running.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!((1..=3).contains(&most.load(Ordering::SeqCst)));
    }

    #[test]
    fn one_alone_may_be_larger_than_the_room() {
        let slots = Slots::new(2);
        drop(slots.take(TRANSFER_BYTES_MAX + 1));
        let _small = slots.take(1);
        let _another = slots.take(1);
    }
}
