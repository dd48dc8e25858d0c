//! What has lately taken something from tickets: cores must know it as long as those live.

use crate::clock::unix_ms;
use proto::{
    cluster::handoff::{Revocation, Revoked},
    limits::TICKET_LIFE_S,
};
use std::collections::VecDeque;

/// The revocations, numbered from the first since the start.
#[derive(Debug, Default)]
pub struct Revocations {
    /// How many have been forgotten.
    forgotten: u64,
    kept: VecDeque<Revocation>,
}

impl Revocations {
    /// Notes one; forgets those that no living ticket can be from before.
    pub fn note(&mut self, what: Revoked) {
        let revoked_unix_ms = unix_ms();
        let oldest = revoked_unix_ms.saturating_sub(2 * TICKET_LIFE_S * 1000);
        while self.kept.front().is_some_and(|first| first.revoked_unix_ms < oldest) {
            self.kept.pop_front();
            self.forgotten += 1;
        }
        self.kept.push_back(Revocation { what, revoked_unix_ms });
    }

    /// At most `most` of those after the first `told`, and how many are told with them.
    pub fn after(&self, told: u64, most: usize) -> (Vec<Revocation>, u64) {
        let begin = usize::try_from(told.saturating_sub(self.forgotten)).unwrap_or(usize::MAX);
        let found: Vec<Revocation> = self.kept.iter().skip(begin).take(most).cloned().collect();
        let told = told.max(self.forgotten) + u64::try_from(found.len()).unwrap_or(0);
        (found, told)
    }
}

#[cfg(test)]
mod tests {
    use super::{Revocations, Revoked};

    #[test]
    fn each_is_told_once() {
        let mut revocations = Revocations::default();
        for key in ["a", "b", "c"] {
            revocations.note(Revoked::Key(key.to_owned()));
        }
        let (first, told) = revocations.after(0, 2);
        let (second, told) = revocations.after(told, 2);
        let what: Vec<Revoked> = first.into_iter().chain(second).map(|one| one.what).collect();
        let keys = ["a", "b", "c"].map(|key| Revoked::Key(key.to_owned())).to_vec();
        assert_eq!((what, told), (keys, 3));
        assert!(revocations.after(told, 2).0.is_empty());
        revocations.note(Revoked::Key("d".to_owned()));
        assert_eq!(revocations.after(told, 2).0.len(), 1);
    }
}
