//! A value that one task of a core waits for and another task, or another thread, gives, once.

use std::{
    cell::RefCell,
    future::poll_fn,
    rc::Rc,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

#[derive(Debug)]
struct Slot<T> {
    value: Option<T>,
    waker: Option<Waker>,
    giver_gone: bool,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self {
            value: None,
            waker: None,
            giver_gone: false,
        }
    }
}

impl<T> Slot<T> {
    /// The giver is gone; who is to be woken.
    fn leave(&mut self) -> Option<Waker> {
        self.giver_gone = true;
        self.waker.take()
    }

    fn poll(&mut self, context: &Context<'_>) -> Poll<Option<T>> {
        if let Some(value) = self.value.take() {
            return Poll::Ready(Some(value));
        }
        if self.giver_gone {
            return Poll::Ready(None);
        }
        self.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

/// The side that gives.
#[derive(Debug)]
pub struct Giver<T>(Rc<RefCell<Slot<T>>>);

/// The side that waits.
#[derive(Debug)]
pub struct Receiver<T>(Rc<RefCell<Slot<T>>>);

/// A connected pair.
pub fn completion<T>() -> (Giver<T>, Receiver<T>) {
    let slot = Rc::new(RefCell::new(Slot::default()));
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
        let waker = self.0.borrow_mut().leave();
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
        poll_fn(|context| self.0.borrow_mut().poll(context)).await
    }
}

/// The side that gives, on any thread.
#[derive(Debug)]
pub struct RemoteGiver<T>(Arc<Mutex<Slot<T>>>);

/// The side that waits for what another thread gives.
#[derive(Debug)]
pub struct RemoteReceiver<T>(Arc<Mutex<Slot<T>>>);

/// A connected pair across threads. The lock is held for a few instructions on either side.
pub fn remote_completion<T>() -> (RemoteGiver<T>, RemoteReceiver<T>) {
    let slot = Arc::new(Mutex::new(Slot::default()));
    (RemoteGiver(Arc::clone(&slot)), RemoteReceiver(slot))
}

fn lock<T>(slot: &Mutex<Slot<T>>) -> MutexGuard<'_, Slot<T>> {
    // Nothing panics while it holds the lock, and the slot is whole at every moment.
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> RemoteGiver<T> {
    /// Gives the value; dropped unseen when nobody waits any more.
    pub fn give(self, value: T) {
        lock(&self.0).value = Some(value);
    }
}

impl<T> Drop for RemoteGiver<T> {
    fn drop(&mut self) {
        let waker = lock(&self.0).leave();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> RemoteReceiver<T> {
    /// The value; `None` when the giver went away without one.
    pub async fn wait(self) -> Option<T> {
        poll_fn(|context| lock(&self.0).poll(context)).await
    }
}
