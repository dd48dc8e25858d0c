//! What clients did and saw, key by key, and whether one order of it all explains it.

use crate::{
    linear::{self, Effect, Operation, Violation},
    value::{ABSENT, Listed, Value, Version},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    time::Instant,
};

/// Monotonic time, for all clients of a test.
#[derive(Debug)]
pub struct Clock(Instant);

impl Clock {
    /// Begins at 0.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Nanoseconds since the start.
    pub fn now_ns(&self) -> u64 {
        self.0.elapsed().as_nanos().try_into().unwrap()
    }
}

/// What an operation came to for one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The key holds this from then on; [`ABSENT`] is a deletion.
    Wrote(Version),
    /// A read found this.
    Saw(Version),
    /// A listing had the key as this, or did not have it.
    Listed(Option<Listed>),
}

/// An operation of a client on one key. One request on many keys is an event of each.
#[derive(Debug, Clone)]
pub struct Event {
    /// Which client.
    pub client: usize,
    /// Which key.
    pub key: String,
    /// How it was done, for people.
    pub how: &'static str,
    /// What became of it.
    pub outcome: Outcome,
    /// Before it was sent.
    pub invoked_ns: u64,
    /// After it was answered; `None`: it was not.
    pub returned_ns: Option<u64>,
}

/// All that clients did, or one of them.
#[derive(Debug, Default)]
pub struct History {
    events: BTreeMap<String, Vec<Event>>,
    /// Every value ever sent, by what a listing says of it.
    values: BTreeMap<(String, Listed), Vec<Version>>,
}

/// Events around the one that does not fit, in a report.
const REPORTED_EVENTS: usize = 24;

impl History {
    /// Notes an event.
    pub fn note(&mut self, event: Event) {
        self.events.entry(event.key.clone()).or_default().push(event);
    }

    /// Notes a value before it is sent for the first time.
    pub fn note_value(&mut self, value: &Value, listed: Listed) {
        self.values
            .entry((value.key.clone(), listed))
            .or_default()
            .push(value.version);
    }

    /// Takes what another client noted.
    pub fn merge(&mut self, other: Self) {
        for (key, events) in other.events {
            self.events.entry(key).or_default().extend(events);
        }
        for (value, versions) in other.values {
            self.values.entry(value).or_default().extend(versions);
        }
    }

    /// Forgets what happened, but not what was written.
    pub fn forget_events(&mut self) {
        self.events.clear();
    }

    /// The bytes of content of a version of a key; none for [`ABSENT`].
    pub fn length(&self, key: &str, version: Version) -> usize {
        let is_it = |(of, _): &&(String, Listed), versions: &Vec<Version>| of == key && versions.contains(&version);
        let found = self.values.iter().find(|(value, versions)| is_it(value, versions));
        found.map_or(0, |((_, listed), _)| listed.length)
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.events.values().map(Vec::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many events have no answer.
    pub fn unanswered(&self) -> usize {
        let events = self.events.values().flatten();
        events.filter(|event| event.returned_ns.is_none()).count()
    }

    /// How many of a key's events overlap another one that writes: what makes a history worth checking.
    pub fn collisions(&self) -> usize {
        let end = |event: &Event| event.returned_ns.unwrap_or(u64::MAX);
        let overlap = |one: &Event, other: &Event| one.invoked_ns < end(other) && other.invoked_ns < end(one);
        let of_key = |events: &Vec<Event>| {
            let writes: Vec<usize> = (0..events.len())
                .filter(|index| matches!(events[*index].outcome, Outcome::Wrote(_)))
                .collect();
            let collides = |index: &usize| {
                writes
                    .iter()
                    .any(|write| write != index && overlap(&events[*write], &events[*index]))
            };
            (0..events.len()).filter(collides).count()
        };
        self.events.values().map(of_key).sum()
    }

    /// Checks every key; `initial` says what the keys held before. What is wrong, with the events around it.
    pub fn check(&self, initial: impl Fn(&str) -> Version) -> Result<(), String> {
        for (key, events) in &self.events {
            self.check_key(key, initial(key), events)?;
        }
        Ok(())
    }

    fn check_key(&self, key: &str, initial: Version, events: &[Event]) -> Result<(), String> {
        let operations: Vec<Operation> = events.iter().map(|event| self.operation(event)).collect();
        linear::check(initial, &operations)
            .map(drop)
            .map_err(|violation| self.report(key, initial, events, &violation))
    }

    fn operation(&self, event: &Event) -> Operation {
        let effect = match &event.outcome {
            Outcome::Wrote(version) => Effect::Writes(*version),
            Outcome::Saw(version) => Effect::Reads(vec![*version]),
            Outcome::Listed(listed) => Effect::Reads(self.versions(&event.key, listed.as_ref())),
        };
        Operation {
            invoked_ns: event.invoked_ns,
            returned_ns: event.returned_ns,
            effect,
        }
    }

    /// The versions a listing may mean: empty contents are all alike.
    fn versions(&self, key: &str, listed: Option<&Listed>) -> Vec<Version> {
        match listed {
            None => vec![ABSENT],
            Some(listed) => {
                let value = (key.to_owned(), listed.clone());
                self.values.get(&value).cloned().unwrap_or_default()
            }
        }
    }

    fn report(&self, key: &str, initial: Version, events: &[Event], violation: &Violation) -> String {
        let culprit = &events[violation.operation];
        let written: BTreeSet<Version> = self
            .values
            .iter()
            .filter(|((of, _), _)| of == key)
            .flat_map(|(_, versions)| versions.iter().copied())
            .collect();
        let unknown = match &culprit.outcome {
            Outcome::Saw(version) => *version != ABSENT && !written.contains(version),
            Outcome::Listed(listed) => self.versions(key, listed.as_ref()).is_empty(),
            Outcome::Wrote(_) => false,
        };
        let mut text = format!(
            "no order of events explains key {key:?}: {}{}\nbefore it the key may have been {:?} (0: absent; {initial} at first)\n",
            describe(culprit),
            if unknown { ", which nobody wrote" } else { "" },
            violation.possible,
        );
        let mut around: Vec<&Event> = events
            .iter()
            .filter(|event| event.invoked_ns <= culprit.returned_ns.unwrap_or(u64::MAX))
            .collect();
        around.sort_by_key(|event| (event.returned_ns.unwrap_or(u64::MAX), event.invoked_ns));
        for event in &around[around.len().saturating_sub(REPORTED_EVENTS)..] {
            writeln!(text, "    {}", describe(event)).unwrap();
        }
        text
    }
}

fn describe(event: &Event) -> String {
    let what = match &event.outcome {
        Outcome::Wrote(ABSENT) => "deleted".to_owned(),
        Outcome::Wrote(version) => format!("wrote {version}"),
        Outcome::Saw(version) => format!("saw {version}"),
        Outcome::Listed(None) => "saw nothing".to_owned(),
        Outcome::Listed(Some(listed)) => format!("saw {} bytes with ETag {}", listed.length, listed.etag),
    };
    let returned = event
        .returned_ns
        .map_or("no answer".to_owned(), |returned_ns| returned_ns.to_string());
    format!(
        "client {} {} {what} [{} ns, {returned}]",
        event.client, event.how, event.invoked_ns
    )
}

#[cfg(test)]
mod tests {
    use super::{Event, History, Outcome};
    use crate::value::{ABSENT, Listed, Value, Version};

    fn listed(version: Version, length: usize) -> Listed {
        let etag = if length == 0 {
            "empty".to_owned()
        } else {
            version.to_string()
        };
        Listed { etag, length }
    }

    /// A history of key `k`: each event ends before the next begins.
    fn history(outcomes: &[Outcome]) -> History {
        let mut history = History::default();
        for (invoked_ns, outcome) in (0..).step_by(10).zip(outcomes) {
            if let Outcome::Wrote(version) = outcome {
                let length = usize::try_from(*version % 2).unwrap() * 100;
                let value = Value {
                    key: "k".to_owned(),
                    version: *version,
                    length,
                };
                history.note_value(&value, listed(*version, length));
            }
            history.note(Event {
                client: 0,
                key: "k".to_owned(),
                how: "test",
                outcome: outcome.clone(),
                invoked_ns,
                returned_ns: Some(invoked_ns + 5),
            });
        }
        history
    }

    fn check(outcomes: &[Outcome]) -> Result<(), String> {
        history(outcomes).check(|_| ABSENT)
    }

    #[test]
    fn reads_and_listings_are_held_against_writes() {
        use Outcome::{Listed as List, Saw, Wrote};
        assert_eq!(check(&[Wrote(1), Saw(1), List(Some(listed(1, 100)))]), Ok(()));
        // Versions 2 and 4 are empty: a listing cannot tell them apart, but from 1 and from nothing.
        let empty = || List(Some(listed(4, 0)));
        assert_eq!(check(&[Wrote(2), empty(), Wrote(4), empty(), Saw(4)]), Ok(()));
        assert_eq!(
            check(&[List(None), Wrote(1), Wrote(ABSENT), List(None), Saw(ABSENT)]),
            Ok(())
        );
        for bad in [
            vec![Wrote(2), Wrote(1), empty()],
            vec![Wrote(1), List(None)],
            vec![Wrote(1), Wrote(3), List(Some(listed(1, 100)))],
            vec![Wrote(1), Wrote(ABSENT), List(Some(listed(1, 100)))],
            vec![Wrote(1), Wrote(3), Saw(1)],
        ] {
            let report = check(&bad).unwrap_err();
            assert!(report.contains("key \"k\"") && !report.contains("nobody"), "{report}");
        }
        for unknown in [Saw(9), List(Some(listed(9, 100))), List(Some(listed(1, 99)))] {
            let report = check(&[Wrote(1), unknown]).unwrap_err();
            assert!(report.contains("nobody wrote"), "{report}");
        }
    }

    #[test]
    fn histories_of_clients_are_put_together() {
        let mut all = history(&[Outcome::Wrote(1)]);
        all.merge(history(&[Outcome::Wrote(3)]));
        // Both wrote at the same time.
        assert_eq!((all.len(), all.collisions()), (2, 2));
        assert_eq!((all.length("k", 3), all.length("k", ABSENT)), (100, 0));
        assert_eq!(all.check(|_| ABSENT), Ok(()));
        all.forget_events();
        assert!(all.is_empty());
        all.merge(history(&[Outcome::Listed(Some(listed(1, 100)))]));
        assert_eq!(all.check(|_| 1), Ok(()));
        assert!(all.check(|_| 3).is_err());
    }
}
