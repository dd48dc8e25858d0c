//! A run of transactions that make the file grow and shrink, for the tests of crashes, errors and damage.

use super::{
    model::{Batch, Model},
    simulated_file::SimulatedFile,
    support::{Numbers, SHARD, key, object, tombstone},
};
use crate::{
    index::{
        database::{Database, DatabaseError},
        entry::{BucketState, Checkpoint, Home},
    },
    record::Placement,
};
use proto::s3::bucket::BucketId;
use std::sync::Arc;

/// So small that pages are written before the end of a transaction.
pub const SMALL_CACHE_BYTES: usize = 64 * 1024;

/// Batches, and what the database says after each; the first of `models` is the empty one.
#[derive(Debug)]
pub struct Scenario {
    pub batches: Vec<Batch>,
    pub models: Vec<Model>,
}

impl Scenario {
    /// Of so many records a batch, every fourth batch of more.
    pub fn new(seed: u64, batches: u64, records: u64) -> Self {
        let mut numbers = Numbers(seed);
        let mut scenario = Self {
            batches: Vec::new(),
            models: vec![Model::default()],
        };
        let mut sequence = 0;
        for number in 1..=batches {
            let mut batch = Batch::default();
            let count = if number % 4 == 2 { records * 4 } else { records };
            let home = Home {
                segment: number,
                batch: 4096,
            };
            for _ in 0..count {
                sequence += 1;
                let key = key(numbers.below(2), &format!("some/key/{:05}", numbers.below(records * 6)));
                let latest = match numbers.below(8) {
                    0 => tombstone(sequence, home, number),
                    // Rows longer than a page.
                    1 => object(sequence, home, Placement::Blob { blob: sequence }, 60 << 20),
                    _ => object(sequence, home, Placement::Inline { batch_offset: 8 }, sequence),
                };
                batch.insert(key, latest);
            }
            if number % 4 == 0 {
                // Nearly all of it goes.
                for key in scenario.models[scenario.models.len() - 1].latest.keys().skip(5) {
                    sequence += 1;
                    batch.insert(key.clone(), tombstone(sequence, home, number));
                }
            }
            batch.accessed.extend(
                batch
                    .entries
                    .iter()
                    .step_by(3)
                    .map(|(key, latest)| (key.clone(), latest.sequence(), number)),
            );
            let state = BucketState {
                sequence,
                home,
                footprint: 80,
                name: "bucket".into(),
                fenced: false,
            };
            batch.buckets.push((BucketId(number % 2), state));
            batch.checkpoint = Some(Checkpoint {
                segment: number,
                position: number,
                next_batch: sequence,
                next_number: sequence,
            });
            let mut model = scenario.models[scenario.models.len() - 1].clone();
            model.apply(&batch);
            scenario.batches.push(batch);
            scenario.models.push(model);
        }
        scenario
    }

    /// Applies the batches from one on, marking in the file how many have been applied; with a stop in the middle.
    pub fn run(&self, file: &Arc<SimulatedFile>, from: usize) -> Result<(), DatabaseError> {
        let mut database = Database::open(file.clone(), SHARD, SMALL_CACHE_BYTES)?;
        for (index, batch) in self.batches.iter().enumerate().skip(from) {
            database.apply(&batch.changes())?;
            file.mark(index as u64 + 1);
            if index + 2 == self.batches.len() {
                database.close()?;
                database = Database::open(file.clone(), SHARD, SMALL_CACHE_BYTES)?;
            }
        }
        database.close()
    }

    /// How many batches the database has; fails unless it says what it should then.
    pub fn applied(&self, database: &Database) -> usize {
        let checkpoint = database.checkpoint().unwrap();
        let applied = checkpoint.map_or(0, |checkpoint| usize::try_from(checkpoint.position).unwrap());
        self.models[applied].verify(database);
        applied
    }
}
