//! Histories made by hand, and many made at random.

use super::{Effect, Operation, Violation, check};
use crate::{
    random::Random,
    value::{ABSENT, Version},
};

fn write(version: Version, invoked_ns: u64, returned_ns: u64) -> Operation {
    Operation {
        invoked_ns,
        returned_ns: Some(returned_ns),
        effect: Effect::Writes(version),
    }
}

fn read(version: Version, invoked_ns: u64, returned_ns: u64) -> Operation {
    Operation {
        invoked_ns,
        returned_ns: Some(returned_ns),
        effect: Effect::Reads(vec![version]),
    }
}

fn lost(version: Version, invoked_ns: u64) -> Operation {
    Operation {
        invoked_ns,
        returned_ns: None,
        effect: Effect::Writes(version),
    }
}

#[track_caller]
fn good(operations: &[Operation]) {
    assert_eq!(check(ABSENT, operations), Ok(()));
}

/// The index of the operation that does not fit.
#[track_caller]
fn bad(operations: &[Operation], culprit: usize) {
    let violation = check(ABSENT, operations).unwrap_err();
    assert_eq!(violation.operation, culprit, "{violation:?}");
}

#[test]
fn good_histories() {
    good(&[]);
    good(&[read(ABSENT, 0, 1), write(1, 2, 3), read(1, 4, 5)]);
    good(&[write(1, 0, 1), write(ABSENT, 2, 3), read(ABSENT, 4, 5), write(2, 6, 7)]);
    // Overlapping writes in either order.
    good(&[write(1, 0, 10), write(2, 0, 10), read(1, 11, 12)]);
    good(&[write(1, 0, 10), write(2, 0, 10), read(2, 11, 12)]);
    good(&[write(1, 0, 10), write(2, 0, 10)]);
    // A read that overlaps a write sees either side of it, and another one then sees the same or newer.
    good(&[write(1, 0, 10), read(ABSENT, 1, 2), read(1, 3, 4)]);
    // The order the writes returned in is not the order they happened in.
    good(&[write(1, 0, 20), write(2, 1, 10), read(2, 11, 12), read(1, 13, 14)]);
    // What returns when another is invoked overlaps it.
    good(&[write(1, 0, 5), read(ABSENT, 5, 6)]);
}

#[test]
fn bad_histories() {
    // Stale.
    bad(&[write(1, 0, 1), write(2, 2, 3), read(1, 4, 5)], 2);
    // Never written.
    bad(&[write(1, 0, 1), read(9, 2, 3)], 1);
    // Lost, and come back from the dead.
    bad(&[write(1, 0, 1), read(ABSENT, 2, 3)], 1);
    bad(&[write(1, 0, 1), write(ABSENT, 2, 3), read(1, 4, 5)], 2);
    // From the future.
    bad(&[read(1, 0, 1), write(1, 2, 3)], 0);
    // New, then old, while the write is still under way.
    bad(&[write(1, 0, 10), read(1, 1, 2), read(ABSENT, 3, 4)], 2);
    // Two readers that disagree on the order of two writes.
    let disagree = [write(1, 0, 10), write(2, 0, 10), read(1, 11, 12), read(2, 13, 14)];
    bad(&disagree, 3);
    // A value that was seen and written over, while its write is still under way and another one begins.
    bad(
        &[
            write(1, 0, 30),
            read(1, 1, 2),
            write(2, 3, 4),
            read(1, 5, 6),
            write(3, 5, 8),
        ],
        3,
    );
    // A, B, A again, written once each.
    bad(
        &[
            write(1, 0, 30),
            write(2, 0, 30),
            read(1, 1, 2),
            read(2, 3, 4),
            read(1, 5, 6),
        ],
        4,
    );
}

#[test]
fn what_never_returned_may_have_happened_at_any_time_or_not_at_all() {
    good(&[write(1, 0, 1), lost(2, 2), read(1, 3, 4)]);
    good(&[write(1, 0, 1), lost(2, 2), read(2, 3, 4)]);
    good(&[write(1, 0, 1), lost(2, 2), write(3, 3, 4), read(2, 5, 6)]);
    // But only once, and not before it was sent.
    bad(
        &[
            write(1, 0, 1),
            lost(2, 2),
            read(2, 3, 4),
            write(3, 5, 6),
            read(3, 7, 8),
            read(2, 9, 10),
        ],
        5,
    );
    bad(&[lost(2, 5), read(2, 1, 2)], 1);
    bad(&[write(1, 0, 1), lost(2, 2), lost(ABSENT, 2), read(4, 3, 4)], 3);
}

#[test]
fn a_read_that_cannot_tell_versions_apart_fits_any_of_them() {
    let either = |invoked_ns, returned_ns| Operation {
        invoked_ns,
        returned_ns: Some(returned_ns),
        effect: Effect::Reads(vec![1, 2]),
    };
    good(&[write(1, 0, 1), either(2, 3), write(2, 4, 5), either(6, 7)]);
    bad(&[write(3, 0, 1), either(2, 3)], 1);
    bad(
        &[
            write(1, 0, 1),
            write(3, 2, 9),
            either(3, 4),
            read(3, 5, 6),
            either(7, 8),
        ],
        4,
    );
}

#[test]
fn long_histories_of_many_clients_are_checked() {
    let mut operations = Vec::new();
    for round in 0..100 {
        let start = round * 100;
        for client in 0..8 {
            operations.push(write(round * 8 + client + 1, start + client, start + 50 + client));
            operations.push(read(round * 8 + client + 1, start + 50, start + 90));
        }
    }
    // Each round eight writes and eight reads overlap; a last read fits no more.
    assert!(check(ABSENT, &operations).is_ok());
    operations.push(read(1, 1_000_000, 1_000_001));
    assert_eq!(check(ABSENT, &operations).unwrap_err().operation, operations.len() - 1);
}

/// Tries every order that keeps what returned before another was invoked before it, one by one.
fn by_force(version: Version, operations: &[Operation], left: u32) -> bool {
    let is_left = |index: &usize| left & (1 << index) != 0;
    let all: Vec<usize> = (0..operations.len()).filter(is_left).collect();
    let has_returned = |index: &usize| operations[*index].returned_ns.is_some();
    !all.iter().any(has_returned)
        || all.iter().any(|index| {
            let operation = &operations[*index];
            let must_wait = |other: &usize| {
                let returned_ns = operations[*other].returned_ns;
                returned_ns.is_some_and(|returned_ns| returned_ns < operation.invoked_ns)
            };
            let next = match &operation.effect {
                Effect::Writes(next) => *next,
                Effect::Reads(found) if found.contains(&version) => version,
                Effect::Reads(_) => return false,
            };
            !all.iter().any(must_wait) && by_force(next, operations, left & !(1 << index))
        })
}

fn random_history(random: &mut Random) -> Vec<Operation> {
    // Some histories write every value once, as stores are tested; in others values come again.
    let versions = 3 + random.next_u64() % 2 * 5;
    (0..1 + random.next_u64() % 8)
        .map(|number| {
            let invoked_ns = random.next_u64() % 12;
            let returned_ns = invoked_ns + 1 + random.next_u64() % 8;
            let version = random.next_u64() % versions;
            let written = if versions == 8 && random.below(4) > 0 {
                number + 1
            } else {
                version
            };
            match random.below(10) {
                0..4 => write(written, invoked_ns, returned_ns),
                4 => lost(written, invoked_ns),
                5 => Operation {
                    effect: Effect::Reads(vec![version, 3]),
                    ..read(version, invoked_ns, returned_ns)
                },
                _ => read(version, invoked_ns, returned_ns),
            }
        })
        .collect()
}

#[test]
fn the_search_agrees_with_trying_every_order() {
    let mut random = Random::new(71);
    let mut explained = 0;
    let rounds = 30_000;
    for round in 0..rounds {
        let operations = random_history(&mut random);
        let expected = by_force(ABSENT, &operations, (1 << operations.len()) - 1);
        let found = check(ABSENT, &operations);
        assert_eq!(found.is_ok(), expected, "round {round}: {operations:?}");
        explained += u32::from(expected);
        let Err(Violation { operation, possible }) = found else {
            continue;
        };
        // The culprit is a read, and it alone is to blame: with another value all was well until then.
        assert!(
            matches!(operations[operation].effect, Effect::Reads(_)),
            "round {round}"
        );
        assert!(!possible.is_empty(), "round {round}: {operations:?}");
    }
    assert!(
        (rounds / 5..rounds * 4 / 5).contains(&explained),
        "{explained} are good"
    );
}
