//! Work that only one task at a time may do.

use crate::completion::{Giver, completion};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
};

/// Whose turn it is.
#[derive(Debug, Default)]
pub struct Turns {
    taken: Cell<bool>,
    waiting: RefCell<VecDeque<Giver<()>>>,
}

/// A turn; ends when dropped.
#[derive(Debug)]
pub struct Turn<'t>(&'t Turns);

impl Turns {
    /// Waits for a turn.
    pub async fn take(&self) -> Turn<'_> {
        while self.taken.get() {
            let (giver, receiver) = completion();
            self.waiting.borrow_mut().push_back(giver);
            receiver.wait().await;
        }
        self.taken.set(true);
        Turn(self)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.taken.set(false);
        // All are woken: one of them may be gone, and the turn must not be lost with it.
        self.0.waiting.borrow_mut().drain(..).for_each(|giver| giver.give(()));
    }
}
