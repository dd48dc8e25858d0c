//! Whether what clients saw of one key could have happened one after the other: linearizability of a register (Herlihy
//! and Wing 1990). Searched as Wing and Gong do (1993), each configuration once and no operation sooner than its return
//! demands (Lowe, "Testing for Linearizability", 2016). Values that are written once leave little to search: see
//! [`Search::lead_on`].

#[cfg(test)]
mod tests;

use crate::value::Version;
use std::collections::{BTreeSet, HashMap, HashSet};

/// What an operation does to the register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Makes it this.
    Writes(Version),
    /// Finds it to be one of these; a listing may not tell which.
    Reads(Vec<Version>),
}

/// An operation of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Before its first byte was sent.
    pub invoked_ns: u64,
    /// After its last byte was received. `None`: it never was, so the operation may have happened at any time from then
    /// on, or not at all.
    pub returned_ns: Option<u64>,
    /// What it does.
    pub effect: Effect,
}

/// No order of the operations explains them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The first read, by return, that fits nothing that came before or was under way.
    pub operation: usize,
    /// What it might have found.
    pub possible: BTreeSet<Version>,
}

/// Most operations in flight at once.
const OPEN_MAX: usize = 64;

/// What the register is, and which of the open operations (bits of their places) have happened.
type Configuration = (Version, u64);

/// Whether some order explains the operations, given what the register is at first.
pub fn check(initial: Version, operations: &[Operation]) -> Result<(), Violation> {
    if is_explained(initial, operations) {
        return Ok(());
    }
    let mut returns: Vec<(u64, usize)> = operations
        .iter()
        .enumerate()
        .filter_map(|(index, operation)| Some((operation.returned_ns?, index)))
        .collect();
    returns.sort_unstable();
    // What is explained is explained at any time before, when less had returned.
    let (mut good, mut bad) = (0, returns.len());
    while good + 1 < bad {
        let middle = good.midpoint(bad);
        match is_explained(initial, &until(operations, &returns[..middle], None)) {
            true => good = middle,
            false => bad = middle,
        }
    }
    let culprit = returns[bad - 1].1;
    let fits = |version: &Version| is_explained(initial, &until(operations, &returns[..bad], Some(*version)));
    Err(Violation {
        operation: culprit,
        possible: recent(initial, operations, operations[culprit].invoked_ns)
            .into_iter()
            .filter(fits)
            .collect(),
    })
}

/// What was written and not certainly written over by this time.
fn recent(initial: Version, operations: &[Operation], now_ns: u64) -> BTreeSet<Version> {
    let returned_ns = |operation: &Operation| operation.returned_ns.unwrap_or(u64::MAX);
    let done = operations
        .iter()
        .filter(|operation| matches!(operation.effect, Effect::Writes(_)) && returned_ns(operation) < now_ns);
    let last_begun_ns = done.map(|operation| operation.invoked_ns).max();
    let mut versions: BTreeSet<Version> = last_begun_ns.is_none().then_some(initial).into_iter().collect();
    for operation in operations {
        if let Effect::Writes(version) = operation.effect
            && last_begun_ns.is_none_or(|last_begun_ns| returned_ns(operation) >= last_begun_ns)
        {
            versions.insert(version);
        }
    }
    versions
}

/// The operations as far as they had come when these had returned; the last of them, a read, may have found something
/// else.
fn until(operations: &[Operation], returns: &[(u64, usize)], last_found: Option<Version>) -> Vec<Operation> {
    let Some((now_ns, last)) = returns.last() else {
        return Vec::new();
    };
    let mut has_returned = vec![false; operations.len()];
    for (_, index) in returns {
        has_returned[*index] = true;
    }
    let mut known = Vec::new();
    for (index, operation) in operations.iter().enumerate() {
        let mut operation = operation.clone();
        if !has_returned[index] {
            operation.returned_ns = None;
        }
        if let (Some(version), true) = (last_found, index == *last) {
            operation.effect = Effect::Reads(vec![version]);
        }
        if operation.invoked_ns <= *now_ns {
            known.push(operation);
        }
    }
    known
}

fn is_explained(initial: Version, operations: &[Operation]) -> bool {
    let mut events: Vec<(u64, bool, usize)> = Vec::with_capacity(operations.len() * 2);
    for (index, operation) in operations.iter().enumerate() {
        let is_lost_read = operation.returned_ns.is_none() && matches!(operation.effect, Effect::Reads(_));
        if !is_lost_read {
            events.push((operation.invoked_ns, false, index));
            events.extend(operation.returned_ns.map(|returned_ns| (returned_ns, true, index)));
        }
    }
    // What returns in the nanosecond in which another is invoked may come after it: invocations first.
    events.sort_unstable();
    let mut search = Search::new(initial, operations, &events);
    let mut possible = HashSet::from([(initial, 0)]);
    for (now, (_, returns, index)) in events.into_iter().enumerate() {
        search.now = now;
        if returns {
            possible = search.close(index, possible);
        } else {
            search.open(index);
        }
        if possible.is_empty() {
            return false;
        }
    }
    true
}

/// A version that is written once, in the whole history.
#[derive(Debug, Default)]
struct Use {
    writers: usize,
    /// The last invocation of a read that found it and nothing else, as the position of that event in time.
    last_sure_read: Option<usize>,
}

struct Search<'o> {
    operations: &'o [Operation],
    uses: HashMap<Version, Use>,
    /// Of each write, the position of the last invocation of a read that may find what it wrote.
    last_reads: Vec<Option<usize>>,
    /// The operations that have been invoked and have not returned, each in a place of its own.
    places: Vec<Option<usize>>,
    /// The position of the event that is looked at.
    now: usize,
}

/// What a search for one return takes for granted.
struct Step {
    /// The operation that has to happen now.
    wanted: u64,
    /// Writes of values that no read to come can find, each with the reads under way that may find its value.
    passing: Vec<(u64, u64)>,
}

impl<'o> Search<'o> {
    fn new(initial: Version, operations: &'o [Operation], events: &[(u64, bool, usize)]) -> Self {
        let mut uses: HashMap<Version, Use> = HashMap::new();
        uses.entry(initial).or_default().writers += 1;
        let mut writes: HashMap<Version, Vec<usize>> = HashMap::new();
        for (index, operation) in operations.iter().enumerate() {
            if let Effect::Writes(version) = operation.effect {
                uses.entry(version).or_default().writers += 1;
                writes.entry(version).or_default().push(index);
            }
        }
        let mut last_reads = vec![None; operations.len()];
        // When the latest of the writes that have returned was invoked: what had returned by then is written over.
        let mut written_over_ns = None;
        for (position, (_, returns, index)) in events.iter().enumerate() {
            match &operations[*index].effect {
                Effect::Writes(_) if *returns => {
                    written_over_ns = written_over_ns.max(Some(operations[*index].invoked_ns))
                }
                Effect::Reads(found) if !returns => {
                    if let [version] = found.as_slice() {
                        uses.entry(*version).or_default().last_sure_read = Some(position);
                    }
                    for write in found.iter().flat_map(|version| writes.get(version)).flatten() {
                        let is_there = operations[*write]
                            .returned_ns
                            .is_none_or(|at_ns| Some(at_ns) >= written_over_ns);
                        if is_there {
                            last_reads[*write] = Some(position);
                        }
                    }
                }
                _ => {}
            }
        }
        Self {
            operations,
            uses,
            last_reads,
            places: Vec::new(),
            now: 0,
        }
    }

    fn open(&mut self, index: usize) {
        match self.places.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(index),
            None => self.places.push(Some(index)),
        }
        assert!(self.places.len() <= OPEN_MAX, "more than {OPEN_MAX} operations at once");
    }

    /// The configurations in which an operation has happened, at last; its place is free from then on.
    fn close(&mut self, index: usize, from: HashSet<Configuration>) -> HashSet<Configuration> {
        let place = self.places.iter().position(|held| *held == Some(index)).unwrap();
        let step = self.step(1 << place);
        let (mut seen, mut reached) = (HashSet::new(), HashSet::new());
        let mut left: Vec<Configuration> = from.into_iter().collect();
        while let Some((version, happened)) = left.pop() {
            // A read changes nothing, so it may as well happen as soon as it can.
            let happened = happened | self.reads_of(version);
            if happened & step.wanted != 0 {
                reached.insert((version, happened & !step.wanted));
            } else if seen.insert((version, happened)) {
                self.lead_on(version, happened, &step, &mut left);
            }
        }
        self.places[place] = None;
        reached
    }

    fn step(&self, wanted: u64) -> Step {
        let mut passing = Vec::new();
        for (place, held) in self.places.iter().enumerate() {
            let Some(index) = *held else { continue };
            let is_read_later = self.last_reads[index].is_some_and(|last| last > self.now);
            if let (Effect::Writes(version), false) = (&self.operations[index].effect, is_read_later) {
                passing.push((1 << place, self.reads_of(*version)));
            }
        }
        Step { wanted, passing }
    }

    /// Adds what one more write makes of a configuration. Three things keep these few:
    /// - a value that is written once and has reads to come is not left;
    /// - a write whose value has no reads to come happens, with those under way, right before another write, unless it
    ///   is its turn now;
    /// - of writes of the same value the one that returns first goes first.
    fn lead_on(&self, version: Version, happened: u64, step: &Step, left: &mut Vec<Configuration>) {
        if self.must_stay(version) {
            return;
        }
        let (mut passing, mut in_passing) = (0, 0);
        for (bit, reads) in step.passing.iter().filter(|(bit, _)| happened & bit == 0) {
            passing |= bit;
            in_passing |= bit | reads;
        }
        let mut first: Vec<(Version, u64, u64)> = Vec::new();
        for (bit, operation) in self.open_operations().filter(|(bit, _)| happened & bit == 0) {
            let Effect::Writes(version) = operation.effect else {
                continue;
            };
            let is_its_turn = (bit | self.reads_of(version)) & step.wanted != 0;
            if passing & bit == 0 || is_its_turn {
                let returned_ns = operation.returned_ns.unwrap_or(u64::MAX);
                match first.iter_mut().find(|(of, _, _)| *of == version) {
                    Some((_, earliest_ns, _)) if *earliest_ns <= returned_ns => {}
                    Some(later) => *later = (version, returned_ns, bit),
                    None => first.push((version, returned_ns, bit)),
                }
            }
        }
        let after = |(version, _, bit)| (version, happened | bit | in_passing);
        left.extend(first.into_iter().map(after));
    }

    /// The reads under way that may have found this.
    fn reads_of(&self, version: Version) -> u64 {
        self.open_operations()
            .filter(|(_, operation)| matches!(&operation.effect, Effect::Reads(found) if found.contains(&version)))
            .fold(0, |bits, (bit, _)| bits | bit)
    }

    fn must_stay(&self, version: Version) -> bool {
        self.uses.get(&version).is_some_and(|of_version| {
            of_version.writers == 1 && of_version.last_sure_read.is_some_and(|last| last > self.now)
        })
    }

    fn open_operations(&self) -> impl Iterator<Item = (u64, &'o Operation)> {
        let operations = self.operations;
        let places = self.places.iter().enumerate();
        places.filter_map(move |(place, held)| Some((1 << place, &operations[(*held)?])))
    }
}
