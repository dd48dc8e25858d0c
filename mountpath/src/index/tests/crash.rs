//! A crash at any moment leaves the last transaction, or the one under way.

use super::{
    scenario::{SMALL_CACHE_BYTES, Scenario},
    simulated_file::{Operation, Replay, SimulatedFile},
    support::{Numbers, SHARD},
};
use crate::index::{
    backend::{Backend, ChecksummedFile},
    database::{Database, DatabaseError},
};
use std::{env, io, sync::Arc};

#[test]
fn a_crash_at_any_moment_leaves_a_whole_transaction() {
    // More by hand.
    let rounds = env::var("INDEX_CRASH_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap());
    let scenario = Scenario::new(1, 6, 12);
    let file = SimulatedFile::new(Vec::new());
    scenario.run(&file, 0).unwrap();
    let operations = file.operations();
    assert!(operations.len() > 300);
    let lengths = operations.iter().filter_map(|operation| match operation {
        Operation::SetLen(length) => Some(*length),
        _ => None,
    });
    assert!(!lengths.is_sorted(), "the file also becomes shorter");

    for round in 0..rounds {
        let mut numbers = Numbers(round);
        let mut replay = Replay::default();
        for (index, operation) in operations.iter().enumerate() {
            replay.step(operation);
            let applied = usize::try_from(replay.mark).unwrap();
            let file = SimulatedFile::new(replay.crash(&mut numbers));
            let database = Database::open(file.clone(), SHARD, SMALL_CACHE_BYTES)
                .unwrap_or_else(|error| panic!("round {round}, operation {index}: {error}"));
            let found = scenario.applied(&database);
            assert!(found == applied || found == applied + 1, "{found} of {applied}");
            drop(database);
            // Now and then all the rest goes on from there.
            if numbers.below(16) == 0 {
                scenario.run(&file, found).unwrap();
                let database = Database::open(file, SHARD, SMALL_CACHE_BYTES).unwrap();
                assert_eq!(scenario.applied(&database), scenario.batches.len());
            }
        }
    }
}

/// A start after a kill does not go through the whole database.
#[test]
fn a_killed_database_needs_no_repair() {
    let scenario = Scenario::new(7, 3, 200);
    let file = SimulatedFile::new(Vec::new());
    let database = Database::open(file.clone(), SHARD, SMALL_CACHE_BYTES).unwrap();
    for batch in &scenario.batches {
        database.apply(&batch.changes()).unwrap();
        let killed = ChecksummedFile::open(SimulatedFile::new(file.bytes()), SHARD).unwrap();
        redb::Builder::new()
            .set_repair_callback(redb::RepairSession::abort)
            .create_with_backend(Backend(Arc::new(killed)))
            .unwrap();
    }
}

/// Any operation may fail, reads too: nothing worse comes of it than the error, and the file is as after a crash.
#[test]
fn an_error_of_any_operation_is_told_and_harms_nothing() {
    let scenario = Scenario::new(2, 5, 10);
    let mut operations = 0;
    for (kind, expected) in [
        (io::ErrorKind::StorageFull, DatabaseError::NoSpace),
        (io::ErrorKind::TimedOut, DatabaseError::Io("timed out".to_owned())),
    ] {
        let mut numbers = Numbers(3);
        for left in 0.. {
            // In steps, or it takes long.
            operations = left * 3 + numbers.below(3);
            let file = SimulatedFile::new(Vec::new());
            file.fail_after(operations, kind);
            match scenario.run(&file, 0) {
                Ok(()) if !file.has_failed() => break,
                // A write that could be done later, or the end of a database that was closed by dropping it.
                Ok(()) => {}
                Err(error) => assert_eq!(error, expected),
            }
            let mut replay = Replay::default();
            for operation in file.operations() {
                replay.step(&operation);
            }
            let applied = usize::try_from(replay.mark).unwrap();
            for contents in [file.bytes(), replay.crash(&mut numbers)] {
                let file = SimulatedFile::new(contents);
                let database = Database::open(file, SHARD, SMALL_CACHE_BYTES).unwrap();
                let found = scenario.applied(&database);
                assert!(found == applied || found == applied + 1, "{found} of {applied}");
            }
        }
    }
    assert!(operations > 100);
}
