//! Watches: whoever decides something on what a key holds learns whether that has changed since it was looked at. A
//! change counts twice, when it is accepted into a batch and when it is published: in between, a lookup still finds what
//! was there before.

use crate::index::entry::IndexKey;
use std::{cell::RefCell, collections::HashMap, rc::Rc};

/// What is watched in a shard.
#[derive(Debug, Default)]
pub struct Watches(RefCell<HashMap<IndexKey, Watched>>);

#[derive(Debug, Default)]
struct Watched {
    watchers: usize,
    changes: u64,
}

impl Watches {
    /// Watches a name from now on.
    pub fn watch(self: &Rc<Self>, name: IndexKey) -> Watch {
        let mut watched = self.0.borrow_mut();
        let entry = watched.entry(IndexKey::clone(&name)).or_default();
        entry.watchers += 1;
        let seen = entry.changes;
        drop(watched);
        Watch {
            watches: Rc::clone(self),
            name,
            seen,
        }
    }

    /// Whether nothing is watched.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// Something changes.
    pub fn note(&self, name: &[u8]) {
        if let Some(watched) = self.0.borrow_mut().get_mut(name) {
            watched.changes += 1;
        }
    }
}

/// A watched name; ends when dropped.
#[derive(Debug)]
pub struct Watch {
    watches: Rc<Watches>,
    name: IndexKey,
    seen: u64,
}

impl Watch {
    /// Whether it has changed since the watch began.
    pub fn has_changed(&self) -> bool {
        let watched = self.watches.0.borrow();
        watched
            .get(&self.name)
            .is_none_or(|watched| watched.changes != self.seen)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut watched = self.watches.0.borrow_mut();
        if let Some(entry) = watched.get_mut(&self.name) {
            entry.watchers -= 1;
            if entry.watchers == 0 {
                watched.remove(&self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Watches;
    use std::{rc::Rc, sync::Arc};

    #[test]
    fn changes_are_seen_by_whoever_watched_before() {
        let watches = Rc::new(Watches::default());
        watches.note(b"a");
        assert!(watches.is_empty());
        let first = watches.watch(Arc::from(*b"a"));
        let other = watches.watch(Arc::from(*b"b"));
        assert!(!first.has_changed());
        watches.note(b"a");
        let second = watches.watch(Arc::from(*b"a"));
        assert!(first.has_changed() && !second.has_changed() && !other.has_changed());
        drop((first, second, other));
        assert!(watches.is_empty());
    }
}
