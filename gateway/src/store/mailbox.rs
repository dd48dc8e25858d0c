//! Hands values from another thread to a task of this one: a queue, and a slot for a single reply.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

struct State<T> {
    queue: VecDeque<T>,
    waker: Option<Waker>,
    closed: bool,
}

/// Puts values in, from any thread. Dropping the last one ends the mailbox.
pub struct Sender<T> {
    state: Arc<Mutex<State<T>>>,
}

/// Takes values out, in order.
pub struct Receiver<T> {
    state: Arc<Mutex<State<T>>>,
}

/// A mailbox.
pub fn mailbox<T>() -> (Sender<T>, Receiver<T>) {
    let state = Arc::new(Mutex::new(State {
        queue: VecDeque::new(),
        waker: None,
        closed: false,
    }));
    (
        Sender {
            state: Arc::clone(&state),
        },
        Receiver { state },
    )
}

/// A panic aborts the process, so a poisoned lock holds nothing half-done.
fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T> Sender<T> {
    /// Puts a value in and wakes the receiver.
    pub fn send(&self, value: T) {
        let waker = {
            let mut state = lock(&self.state);
            state.queue.push_back(value);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let waker = {
            let mut state = lock(&self.state);
            state.closed = true;
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Receiver<T> {
    /// The next value; `None`: the sender is gone.
    pub async fn receive(&mut self) -> Option<T> {
        poll_fn(|context| {
            let mut state = lock(&self.state);
            match state.queue.pop_front() {
                Some(value) => Poll::Ready(Some(value)),
                None if state.closed => Poll::Ready(None),
                None => {
                    state.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}
