//! The database against the model.

use super::{
    model::{Batch, Model, NAMES, page_of, record},
    simulated_file::SimulatedFile,
    support::{CACHE_BYTES, SHARD, key, object, tombstone},
};
use crate::{
    index::{
        database::{Changes, Database, SegmentUse},
        entry::{BucketState, Checkpoint, Home, IndexKey, Latest, Memtable},
    },
    record::Placement,
};
use proptest::{collection::vec, prelude::*};
use proto::s3::{
    bucket::BucketId,
    listing::{ListEntry, ListQuery},
};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

/// A record put into a batch: sequence, segment, batch.
type Put = (u64, u64, u64);

fn puts() -> impl Strategy<Value = Vec<Put>> {
    vec((1..60_u64, 1..6_u64, 0..4_u64), 0..25)
}

fn bucket_state(bucket: u64, sequence: u64, segment: u64) -> (BucketId, BucketState) {
    let home = Home {
        segment,
        batch: sequence * 8,
    };
    let state = BucketState {
        sequence,
        home,
        footprint: 64,
        name: format!("bucket-{bucket}"),
        fenced: sequence.is_multiple_of(2),
    };
    (BucketId(bucket), state)
}

fn home((_, segment, batch): Put) -> Home {
    Home {
        segment,
        batch: batch * 4096,
    }
}

fn batch_of(puts: &[Put], others: &[Put], number: u64, model: &Model) -> Batch {
    let mut batch = Batch::default();
    for put in puts {
        let (key, latest) = record(put.0, home(*put));
        batch.insert(key, latest);
    }
    for (index, other) in others.iter().enumerate() {
        let (key, latest) = record(other.0, home(*other));
        match index % 4 {
            0 => batch.buckets.push(bucket_state(other.2, other.0, other.1)),
            1 => batch.drop_tombstones.push((key, other.0)),
            2 => batch.accessed.push((key, latest.sequence(), other.1 * 1000)),
            _ if model.is_unused(other.1) && batch.retire_segments.is_empty() => {
                // Only what holds nothing is retired, and nothing comes into it any more.
                let is_used = batch.entries.iter().any(|(_, latest)| latest.home().segment == other.1)
                    || others.iter().step_by(4).any(|bucket| bucket.1 == other.1);
                if !is_used {
                    batch.retire_segments.push(other.1);
                }
            }
            _ => {}
        }
    }
    batch.checkpoint = (!number.is_multiple_of(3)).then_some(Checkpoint {
        segment: number,
        position: number * 4096,
        next_batch: number + 1,
        next_number: number + 2,
    });
    batch
}

fn query() -> impl Strategy<Value = ListQuery> {
    let text = prop_oneof![
        Just(String::new()),
        (0..NAMES.len()).prop_map(|index| NAMES[index].to_owned()),
        "[a-c/é]{0,3}",
    ];
    let delimiter = prop_oneof![Just(""), Just("/"), Just("b/"), Just("é")];
    (text.clone(), delimiter, text, 0..8_usize).prop_map(|(prefix, delimiter, start_after, limit)| ListQuery {
        prefix,
        delimiter: delimiter.to_owned(),
        start_after,
        limit,
        ..ListQuery::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_database_says_what_the_model_says(
        batches in vec((puts(), vec((1..60_u64, 1..6_u64, 0..4_u64), 0..8)), 1..6),
        overlays in vec(puts(), 0..3),
        queries in vec(query(), 1..12),
        reopen in any::<bool>(),
    ) {
        let file = SimulatedFile::new(Vec::new());
        let mut database = Database::open(file.clone(), SHARD, CACHE_BYTES).unwrap();
        let mut model = Model::default();
        for (number, (puts, others)) in (1..).zip(&batches) {
            let batch = batch_of(puts, others, number, &model);
            let mut applied = database.apply(&batch.changes()).unwrap();
            applied.doomed_blobs.sort_unstable();
            applied.applied_at = None;
            prop_assert_eq!(applied, model.apply(&batch));
            model.verify(&database);
        }
        if reopen {
            database.close().unwrap();
            database = Database::open(file, SHARD, CACHE_BYTES).unwrap();
            model.verify(&database);
        }

        let overlays: Vec<Memtable> =
            overlays.iter().map(|puts| batch_of(puts, &[], 0, &model).entries).collect();
        let merged = model.overlaid(&overlays);
        for query in &queries {
            for bucket in [3, 4, u64::MAX] {
                let page = database.page(BucketId(bucket), query, &overlays).unwrap();
                prop_assert_eq!(page, page_of(&merged, bucket, query), "{:?}", query);
            }
        }
        let mut records: Vec<(IndexKey, u64, Home)> = Vec::new();
        for sequence in 1..60 {
            for segment in 1..6 {
                let home = Home { segment, batch: 4096 };
                records.push((record(sequence, home).0, sequence, home));
            }
        }
        let expected: Vec<bool> = records
            .iter()
            .map(|(key, sequence, home)| {
                merged.get(key).is_some_and(|latest| (latest.sequence(), latest.home()) == (*sequence, *home))
            })
            .collect();
        prop_assert_eq!(database.current(&records, &overlays).unwrap(), expected);
    }
}

/// Many keys under many prefixes, so that seeks go over leaves; half of them in memtables.
#[test]
fn long_listings_are_paged_through() {
    let database = Database::open(SimulatedFile::new(Vec::new()), SHARD, CACHE_BYTES).unwrap();
    let home = Home { segment: 1, batch: 0 };
    let placement = Placement::Inline { batch_offset: 8 };
    let (mut stored, mut newer, mut newest) = (Memtable::new(), Memtable::new(), Memtable::new());
    for number in 1..=3000_u64 {
        // Prefixes of 1 to some hundred keys.
        let key = key(5, &format!("p/{:03}/{number:05}", number * number / 9000));
        let layer = match number % 7 {
            0 => &mut newest,
            1 | 2 => &mut newer,
            _ => &mut stored,
        };
        layer.insert(key.clone(), object(number, home, placement, number));
        if number % 5 == 0 {
            // The very first key after a prefix.
            let next = self::key(5, &format!("p/{:03}0", number * number / 9000));
            stored.insert(next, object(number + 3000, home, placement, number));
        }
        if number % 11 == 0 {
            newest.insert(key, tombstone(number + 5000, home, 0));
        }
    }
    let changes = Changes {
        entries: Some(&stored),
        ..Changes::default()
    };
    database.apply(&changes).unwrap();
    let overlays = [newest, newer];
    let mut model = Model::default();
    model.apply(&Batch {
        entries: stored,
        ..Batch::default()
    });
    let merged = model.overlaid(&overlays);
    for (delimiter, limit) in [("", 97), ("/", 7), ("0", 13), ("1", 1000)] {
        let mut query = ListQuery {
            prefix: "p/".into(),
            delimiter: delimiter.into(),
            start_after: String::new(),
            limit,
            ..ListQuery::default()
        };
        loop {
            let page = database.page(BucketId(5), &query, &overlays).unwrap();
            assert_eq!(page, page_of(&merged, 5, &query));
            match page.entries.last().map(ListEntry::name) {
                Some(name) if page.truncated => query.start_after = name.to_owned(),
                _ => break,
            }
        }
    }
}

/// Tells a thread to end, even if a test fails.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// The newest access of the object that is there counts.
#[test]
fn accesses_belong_to_an_object() {
    let database = Database::open(SimulatedFile::new(Vec::new()), SHARD, CACHE_BYTES).unwrap();
    let index_key = key(1, "k");
    let home = Home { segment: 1, batch: 0 };
    let placement = Placement::Inline { batch_offset: 8 };
    let access = |entries: Option<Latest>, accessed: &[(u64, u64)]| {
        let entries: Memtable = entries.into_iter().map(|latest| (index_key.clone(), latest)).collect();
        let accessed: Vec<_> = accessed
            .iter()
            .map(|(sequence, unix_ms)| (index_key.clone(), *sequence, *unix_ms))
            .collect();
        let changes = Changes {
            entries: Some(&entries),
            accessed: &accessed,
            ..Changes::default()
        };
        database.apply(&changes).unwrap();
        let number = match &database.lookup(std::slice::from_ref(&index_key)).unwrap()[0] {
            Some(Latest::Object(entry)) => entry.meta.version_number,
            _ => 0,
        };
        database.accessed(&[(index_key.clone(), number)]).unwrap()[0]
    };
    assert_eq!(access(None, &[(5, 100)]), None);
    assert_eq!(access(Some(object(5, home, placement, 1)), &[]), None);
    assert_eq!(access(None, &[(5, 100), (6, 200)]), Some(100));
    assert_eq!(access(None, &[(5, 90)]), Some(100));
    assert_eq!(access(None, &[(5, 110), (5, 105)]), Some(110));
    let elsewhere = Home { segment: 2, batch: 0 };
    assert_eq!(access(Some(object(5, elsewhere, placement, 1)), &[]), Some(110));
    assert_eq!(
        access(Some(object(7, home, placement, 1)), &[(5, 120), (7, 50)]),
        Some(50)
    );
    assert_eq!(access(Some(tombstone(8, home, 1)), &[(7, 60)]), None);
    assert_eq!(database.row_counts().unwrap(), [0, 1, 0, 0]);
}

/// Only a segment of which nothing lives is forgotten.
#[test]
fn segments_are_forgotten_when_nothing_of_them_lives() {
    let database = Database::open(SimulatedFile::new(Vec::new()), SHARD, CACHE_BYTES).unwrap();
    let put = |sequence: u64, segment: u64, retire_segments: &[u64]| {
        let home = Home { segment, batch: 0 };
        let entries = Memtable::from_iter([(key(1, "k"), tombstone(sequence, home, 1))]);
        let changes = Changes {
            entries: Some(&entries),
            retire_segments,
            ..Changes::default()
        };
        database.apply(&changes).unwrap().segments
    };
    let (used, dead) = (SegmentUse { live_bytes: 96 }, SegmentUse::default());
    assert_eq!(put(1, 1, &[]), [(1, used)]);
    assert_eq!(put(2, 2, &[1]), [(1, dead), (2, used)]);
    assert_eq!(put(3, 3, &[3]), [(2, dead), (3, used)]);
    assert_eq!(put(4, 4, &[3]), [(3, dead), (4, used)]);
    let segments: Vec<u64> = database.segments().unwrap().into_keys().collect();
    assert_eq!(segments, [2, 4]);
}

/// What is read while transactions happen is always the whole of one of them, and never older than what was applied before.
#[test]
fn readers_see_transactions_whole_and_in_order() {
    let database = Database::open(SimulatedFile::new(Vec::new()), SHARD, 256 * 1024).unwrap();
    let keys: Vec<IndexKey> = (0..300).map(|number| key(1, &format!("key-{number:04}"))).collect();
    let write = |sequence: u64| {
        let home = Home {
            segment: sequence,
            batch: 0,
        };
        let placement = Placement::Inline { batch_offset: 0 };
        let entries: Memtable = keys
            .iter()
            .map(|key| (key.clone(), object(sequence, home, placement, sequence)))
            .collect();
        let changes = Changes {
            entries: Some(&entries),
            ..Changes::default()
        };
        database.apply(&changes).unwrap();
    };
    write(1);
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let _done = Done(&is_done);
        scope.spawn(|| {
            let mut seen = 1;
            while !is_done.load(Ordering::Acquire) {
                let found = database.lookup(&keys).unwrap();
                let sequences: Vec<u64> = found
                    .iter()
                    .map(|latest| latest.as_ref().map_or(0, Latest::sequence))
                    .collect();
                assert!(sequences.iter().all(|sequence| *sequence == sequences[0]));
                assert!(sequences[0] >= seen);
                seen = sequences[0];
                let query = ListQuery {
                    limit: 1000,
                    ..ListQuery::default()
                };
                let page = database.page(BucketId(1), &query, &[]).unwrap();
                assert_eq!(page.entries.len(), keys.len());
            }
        });
        for sequence in 2..40 {
            write(sequence);
            let found = database.lookup(&keys[..1]).unwrap();
            assert_eq!(found[0].as_ref().map(Latest::sequence), Some(sequence));
        }
    });
    assert_eq!(
        database
            .segments()
            .unwrap()
            .values()
            .filter(|uses| uses.live_bytes > 0)
            .count(),
        1
    );
}
