//! A value that one task of a core waits for and another task, or another thread, gives, once.

use std::{
    cell::RefCell,
    future::poll_fn,
    rc::Rc,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

#[derive(Debug)]
struct Slot<T> {
    value: Option<T>,
    waker: Option<Waker>,
    giver_gone: bool,
}

/// The side that gives.
#[derive(Debug)]
pub struct Giver<T>(Rc<RefCell<Slot<T>>>);

/// The side that waits.
#[derive(Debug)]
pub struct Receiver<T>(Rc<RefCell<Slot<T>>>);

/// A connected pair.
pub fn completion<T>() -> (Giver<T>, Receiver<T>) {
    let slot = Rc::new(RefCell::new(Slot {
        value: None,
        waker: None,
        giver_gone: false,
    }));
    (Giver(Rc::clone(&slot)), Receiver(slot))
}

impl<T> Giver<T> {
    /// Gives the value; dropped unseen when nobody waits any more.
    pub fn give(self, value: T) {
        self.0.borrow_mut().value = Some(value);
    }
}

impl<T> Drop for Giver<T> {
    fn drop(&mut self) {
        let waker = {
            let mut slot = self.0.borrow_mut();
            slot.giver_gone = true;
            slot.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Receiver<T> {
    /// The value if it was given already.
    pub fn try_take(&mut self) -> Option<T> {
        self.0.borrow_mut().value.take()
    }

    /// The value; `None` when the giver went away without one.
    pub async fn wait(self) -> Option<T> {
        poll_fn(|context| {
            let mut slot = self.0.borrow_mut();
            if let Some(value) = slot.value.take() {
                return Poll::Ready(Some(value));
            }
            if slot.giver_gone {
                return Poll::Ready(None);
            }
            slot.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

#[derive(Debug)]
struct RemoteSlot<T> {
    value: Option<T>,
    waker: Option<Waker>,
    giver_gone: bool,
}

/// The side that gives, on any thread.
#[derive(Debug)]
pub struct RemoteGiver<T>(Arc<Mutex<RemoteSlot<T>>>);

/// The side that waits for what another thread gives.
#[derive(Debug)]
pub struct RemoteReceiver<T>(Arc<Mutex<RemoteSlot<T>>>);

/// A connected pair across threads. The lock is held for a few instructions on either side.
pub fn remote_completion<T>() -> (RemoteGiver<T>, RemoteReceiver<T>) {
    let slot = Arc::new(Mutex::new(RemoteSlot {
        value: None,
        waker: None,
        giver_gone: false,
    }));
    (RemoteGiver(Arc::clone(&slot)), RemoteReceiver(slot))
}

impl<T> RemoteSlot<T> {
    fn lock(slot: &Mutex<Self>) -> MutexGuard<'_, Self> {
        // Nothing panics while it holds the lock, and the slot is whole at every moment.
        slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> RemoteGiver<T> {
    /// Gives the value; dropped unseen when nobody waits any more.
    pub fn give(self, value: T) {
        RemoteSlot::lock(&self.0).value = Some(value);
    }
}

impl<T> Drop for RemoteGiver<T> {
    fn drop(&mut self) {
        let waker = {
            let mut slot = RemoteSlot::lock(&self.0);
            slot.giver_gone = true;
            slot.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> RemoteReceiver<T> {
    /// The value; `None` when the giver went away without one.
    pub async fn wait(self) -> Option<T> {
        poll_fn(|context| {
            let mut slot = RemoteSlot::lock(&self.0);
            if let Some(value) = slot.value.take() {
                return Poll::Ready(Some(value));
            }
            if slot.giver_gone {
                return Poll::Ready(None);
            }
            slot.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}
