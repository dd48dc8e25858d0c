//! Access keys that were removed lately: what cores must know as long as tickets made for them live.

use crate::clock::unix_ms;
use proto::{cluster::handoff::Revocation, limits::TICKET_LIFE_S};
use std::collections::VecDeque;

/// The removals, numbered from the first since the start.
#[derive(Debug, Default)]
pub struct Revocations {
    /// How many have been forgotten.
    forgotten: u64,
    kept: VecDeque<Revocation>,
}

impl Revocations {
    /// Notes one; forgets those that no living ticket can be from before.
    pub fn note(&mut self, access_key: &str) {
        let revoked_unix_ms = unix_ms();
        let oldest = revoked_unix_ms.saturating_sub(2 * TICKET_LIFE_S * 1000);
        while self.kept.front().is_some_and(|first| first.revoked_unix_ms < oldest) {
            self.kept.pop_front();
            self.forgotten += 1;
        }
        self.kept.push_back(Revocation {
            access_key: access_key.to_owned(),
            revoked_unix_ms,
        });
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
    use super::Revocations;

    #[test]
    fn each_is_told_once() {
        let mut revocations = Revocations::default();
        for key in ["a", "b", "c"] {
            revocations.note(key);
        }
        let (first, told) = revocations.after(0, 2);
        let (second, told) = revocations.after(told, 2);
        let keys: Vec<&str> = first.iter().chain(&second).map(|one| one.access_key.as_str()).collect();
        assert_eq!((keys, told), (vec!["a", "b", "c"], 3));
        assert!(revocations.after(told, 2).0.is_empty());
        revocations.note("d");
        assert_eq!(revocations.after(told, 2).0.len(), 1);
    }
}
