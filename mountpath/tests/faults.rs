//! Disks that are full or broken: a refused change changes nothing, a failed sync stops all writing, what was
//! acknowledged is there all the time.
#![cfg(debug_assertions)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use corelane_mountpath::{
    error::StoreError,
    io::{medium::Operation, run, yield_now},
};
use proto::s3::bucket::BucketId;
use rustix::io::Errno;
use std::{collections::BTreeMap, sync::Arc};
use support::{
    directory::Directory,
    environment,
    faults::{Effect, Faults, is_of},
    generator::Generator,
    history::{History, Name, see},
    seed,
    store::{Body, Found, Object, Options, Store, wait_until},
};

const BUCKET: BucketId = BucketId(3);
/// Bodies and sizes that take different ways to the disk.
const WAYS: [(Body, usize); 6] = [
    (Body::Small, 0),
    (Body::Small, 100),
    (Body::Small, 20_000),
    (Body::Buffered, 70_000),
    (Body::Blob, 5000),
    (Body::Blob, 300_000),
];

/// A shard whose disk can be broken, and what it must hold.
struct Patient {
    directory: Directory,
    faults: Arc<Faults>,
    generator: Generator,
    objects: BTreeMap<Name, Object>,
    store: Store,
}

impl Patient {
    /// A healthy shard with an object of every kind.
    async fn new(name: &str) -> Self {
        let directory = Directory::new(name);
        let faults = Faults::new();
        let (store, _) = open(&directory, &faults).await.unwrap();
        let mut patient = Self {
            directory,
            faults,
            generator: Generator::new(seed()),
            objects: BTreeMap::new(),
            store,
        };
        for (index, (body, size)) in WAYS.into_iter().enumerate() {
            patient.put(&format!("old-{index}"), body, size).await.unwrap();
        }
        patient
    }

    async fn put(&mut self, key: &str, body: Body, size: usize) -> Result<(), StoreError> {
        let object = Object::random(&mut self.generator, size);
        self.store.put(BUCKET, key, &object, body).await?;
        self.objects.insert((BUCKET, key.to_owned()), object);
        Ok(())
    }

    fn names(&self) -> Vec<Name> {
        self.objects.keys().cloned().collect()
    }

    /// Everything acknowledged is there and nothing else.
    async fn check(&self) {
        let seen = see(&self.store, &[BUCKET], &self.names()).await.unwrap();
        assert_eq!(seen, self.objects);
    }

    async fn reopen(&mut self) {
        self.store.close().await;
        let (store, found) = open(&self.directory, &self.faults).await.unwrap();
        self.store = store;
        assert_eq!(found.damage, Vec::<String>::new());
    }

    fn blob_files(&self) -> usize {
        (0..256)
            .map(|directory| self.directory.paths().blobs(directory).unwrap().len())
            .sum()
    }

    /// No blob file is there that no object names.
    async fn check_blobs(&self) {
        self.store.merge().await.unwrap();
        assert_eq!(self.store.sweep().await.unwrap(), Vec::<String>::new());
        let mut expected = 0;
        for (bucket, key) in self.objects.keys() {
            expected += usize::from(self.store.is_blob(*bucket, key).await.unwrap());
        }
        wait_until("blobs go", || self.blob_files() == expected).await;
    }
}

async fn open(directory: &Directory, faults: &Arc<Faults>) -> Result<(Store, Found), StoreError> {
    Store::open(directory, Some(faults.clone()), Options::default()).await
}

fn is_write(operation: &Operation<'_>) -> bool {
    matches!(operation, Operation::Write { .. })
}

fn is_allocation(operation: &Operation<'_>) -> bool {
    matches!(operation, Operation::Allocate { .. })
}

fn is_creation(operation: &Operation<'_>) -> bool {
    matches!(operation, Operation::Open { create: true, .. })
}

fn is_read(operation: &Operation<'_>) -> bool {
    matches!(operation, Operation::Read { .. })
}

fn is_sync(operation: &Operation<'_>) -> bool {
    matches!(operation, Operation::Sync { .. })
}

fn is_directory_sync(operation: &Operation<'_>) -> bool {
    matches!(operation, Operation::SyncDirectory { .. })
}

type Kind = fn(&Operation<'_>) -> bool;

#[test]
fn a_full_disk_refuses_changes_whole_and_takes_them_again() {
    run(async {
        let mut patient = Patient::new("full").await;
        for (kind, fresh) in [
            (is_write as Kind, false),
            (is_allocation, true),
            (is_creation, true),
            (is_write, true),
        ] {
            for (way, (body, size)) in WAYS.into_iter().enumerate() {
                // The first change of a life begins a segment.
                if fresh {
                    patient.reopen().await;
                }
                let effect = *patient.generator.pick(&[Effect::Nothing, Effect::Half]);
                patient.faults.fail(Errno::NOSPC, effect, kind);
                for key in ["new", "old-0", "old-5"] {
                    let result = patient.put(key, body, size).await;
                    assert!(
                        matches!(result, Err(StoreError::NoSpace)),
                        "way {way}, {key}: {result:?}"
                    );
                }
                patient.check().await;
                assert!(patient.faults.heal() >= 3);
                assert!(!patient.store.is_read_only());
                patient.put("new", body, size).await.unwrap();
                patient.put("old-5", body, size).await.unwrap();
                patient.store.delete(BUCKET, "new").await.unwrap();
                patient.objects.remove(&(BUCKET, "new".into()));
                patient.check().await;
                patient.check_blobs().await;
            }
            patient.reopen().await;
            patient.check().await;
        }
    })
    .unwrap();
}

#[test]
fn a_failed_sync_stops_writing_until_the_next_start() {
    run(async {
        let mut patient = Patient::new("sync").await;
        for (body, size) in WAYS {
            patient.put("before", Body::Small, 10).await.unwrap();
            // The syncs of a blob fail the upload alone: nothing else lies in its file.
            patient.faults.fail_some(Errno::IO, Effect::Nothing, 0, 1, |operation| {
                is_sync(operation) && is_of(operation, "seg")
            });
            let failed = patient.put("failed", body, size).await;
            assert!(matches!(failed, Err(StoreError::ReadOnly)), "{failed:?}");
            assert_eq!(patient.faults.heal(), 1);
            assert!(patient.store.is_read_only());
            for (body, size) in WAYS {
                let refused = patient.put("refused", body, size).await;
                assert!(matches!(refused, Err(StoreError::ReadOnly)), "{refused:?}");
            }
            assert!(matches!(
                patient.store.delete(BUCKET, "old-1").await,
                Err(StoreError::ReadOnly)
            ));
            patient.check().await;
            patient.reopen().await;
            // The change whose sync failed has happened or not, whole: its bytes were verified by reading them.
            let mut seen = see(&patient.store, &[BUCKET], &patient.names()).await.unwrap();
            seen.remove(&(BUCKET, "failed".into()));
            assert_eq!(seen, patient.objects);
            patient.store.delete(BUCKET, "failed").await.unwrap();
            patient.put("after", body, size).await.unwrap();
            patient.check().await;
            patient.check_blobs().await;
        }
    })
    .unwrap();
}

#[test]
fn a_write_that_fails_is_not_acknowledged_and_harms_nothing_else() {
    run(async {
        let mut patient = Patient::new("write").await;
        for effect in [Effect::Nothing, Effect::Half, Effect::Everything] {
            for (body, size) in WAYS {
                // The last write of a change is the one of its record.
                for skip in 0..2 {
                    patient.faults.fail_some(Errno::IO, effect, skip, 1, is_write);
                    let result = patient.put("failed", body, size).await;
                    assert_eq!(result.is_err(), patient.faults.heal() > 0, "{result:?}");
                    // It may come back at the next start, but not over a later change.
                    if patient.store.is_read_only() {
                        patient.reopen().await;
                    }
                    patient.put("failed", Body::Small, 5).await.unwrap();
                    patient.put("old-1", body, size).await.unwrap();
                    patient.check().await;
                }
            }
            patient.reopen().await;
            patient.check().await;
            patient.check_blobs().await;
        }
    })
    .unwrap();
}

/// A write may have happened although it failed: until the next start has decided, nothing the record names may go.
#[test]
fn a_write_that_failed_but_happened_is_whole_after_the_next_start() {
    run(async {
        let mut patient = Patient::new("uncertain").await;
        for (body, size) in WAYS {
            // The first change of a life writes the segment's header too.
            patient.put("first", Body::Small, 10).await.unwrap();
            let key = (BUCKET, "old-5".to_owned());
            let object = Object::random(&mut patient.generator, size);
            patient.faults.fail(Errno::IO, Effect::Everything, |operation| {
                is_write(operation) && is_of(operation, "seg")
            });
            let result = patient.store.put(key.0, &key.1, &object, body).await;
            assert!(result.is_err());
            for _ in 0..100 {
                yield_now().await;
            }
            patient.faults.heal();
            patient.reopen().await;
            let found = patient.store.read(key.0, &key.1).await.unwrap().unwrap();
            assert!(found == object || found == patient.objects[&key], "{found:?}");
            patient.objects.insert(key, found);
            patient.check().await;
        }
    })
    .unwrap();
}

#[test]
fn a_failed_upload_leaves_nothing_behind() {
    run(async {
        let mut patient = Patient::new("upload").await;
        let before = patient.blob_files();
        let kinds: [Kind; 5] = [is_creation, is_allocation, is_write, is_sync, is_directory_sync];
        for error in [Errno::IO, Errno::NOSPC] {
            for kind in kinds {
                for skip in [0, 2] {
                    let of_blob = move |operation: &Operation<'_>| {
                        kind(operation) && (is_of(operation, "blob") || is_directory_sync(operation))
                    };
                    patient.faults.fail_some(error, Effect::Half, skip, 1, of_blob);
                    let result = patient.put("old-2", Body::Blob, 400_000).await;
                    let met = patient.faults.heal();
                    assert_eq!(result.is_err(), met > 0, "{error} {skip}: {result:?}");
                    if met > 0 {
                        assert_eq!(matches!(result, Err(StoreError::NoSpace)), error == Errno::NOSPC);
                    }
                    patient.check().await;
                    patient.check_blobs().await;
                    assert!(!patient.store.is_read_only());
                }
            }
        }
        patient.put("old-2", Body::Small, 10).await.unwrap();
        wait_until("the upload's blob goes", || patient.blob_files() == before).await;
        patient.reopen().await;
        patient.check().await;
    })
    .unwrap();
}

#[test]
fn a_blob_that_cannot_be_removed_goes_at_the_next_start() {
    run(async {
        let mut patient = Patient::new("remove").await;
        patient.faults.fail(Errno::IO, Effect::Nothing, |operation| {
            matches!(operation, Operation::Remove { .. })
        });
        patient.put("old-4", Body::Small, 10).await.unwrap();
        patient.store.delete(BUCKET, "old-5").await.unwrap();
        patient.objects.remove(&(BUCKET, "old-5".into()));
        patient.check().await;
        patient.store.close().await;
        patient.faults.heal();
        patient.reopen().await;
        patient.check().await;
        patient.check_blobs().await;
    })
    .unwrap();
}

#[test]
fn a_read_that_fails_is_an_error_and_works_again() {
    run(async {
        let mut patient = Patient::new("read").await;
        patient.reopen().await;
        for (bucket, key) in patient.objects.keys() {
            patient.faults.fail(Errno::IO, Effect::Nothing, is_read);
            let result = patient.store.read(*bucket, key).await;
            let empty = patient.objects[&(*bucket, key.clone())].bytes.is_empty();
            assert_eq!(result.is_err(), patient.faults.heal() > 0, "{key}: {result:?}");
            assert!(result.is_err() || empty, "{key} was read from nowhere");
            patient.check().await;
        }
    })
    .unwrap();
}

/// Any operation of a start may fail: the next start finds everything nevertheless.
#[test]
fn a_start_that_fails_loses_nothing() {
    run(async {
        for kind in [|_: &Operation<'_>| true, is_read as Kind] {
            let mut patient = Patient::new("start").await;
            for skip in 0..60 {
                // Something to cut, something to sweep.
                patient.put("old-3", Body::Blob, 9000).await.unwrap();
                let object = Object::random(&mut patient.generator, 6000);
                let orphan = patient.store.prepare(&object, Body::Blob).await.unwrap();
                patient.store.crash().await;
                drop(orphan);
                let error = *patient.generator.pick(&[Errno::IO, Errno::NOSPC]);
                patient.faults.fail_some(error, Effect::Half, skip, 1, kind);
                let opened = open(&patient.directory, &patient.faults).await;
                let met = patient.faults.heal();
                if let Ok((store, found)) = opened {
                    assert_eq!(found.damage, Vec::<String>::new(), "operation {skip}");
                    patient.store = store;
                    patient.check().await;
                }
                patient.reopen().await;
                patient.check().await;
                if met == 0 {
                    break;
                }
            }
            patient.check_blobs().await;
        }
    })
    .unwrap();
}

#[test]
fn the_later_change_wins_even_if_the_clock_goes_backwards() {
    run(async {
        let mut patient = Patient::new("clock").await;
        for (body, size) in WAYS {
            let mut object = Object::random(&mut patient.generator, size);
            for modified_unix_ms in [u64::MAX, 1_795_000_000_000, 5, 0] {
                object = Object {
                    modified_unix_ms,
                    ..Object::random(&mut patient.generator, size)
                };
                patient.store.put(BUCKET, "clock", &object, body).await.unwrap();
            }
            patient.objects.insert((BUCKET, "clock".into()), object);
            patient.check().await;
            patient.reopen().await;
            patient.check().await;
        }
    })
    .unwrap();
}

/// Faults of every kind at any time.
async fn random_faults(seed: u64) {
    let directory = Directory::new(&format!("random-faults-{seed}"));
    let faults = Faults::new();
    let mut generator = Generator::new(seed);
    let mut history = History::default();
    for life in 0..6 {
        faults.fail_randomly(generator.clone(), 3);
        let opened = open(&directory, &faults).await;
        let met = faults.heal();
        let (store, found) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                assert!(met > 0, "seed {seed}, life {life}: {error}");
                open(&directory, &faults).await.unwrap()
            }
        };
        assert_eq!(found.damage, Vec::<String>::new(), "seed {seed}, life {life}");
        let seen = see(&store, &[BUCKET], &history.names()).await;
        let seen = seen.unwrap_or_else(|reason| panic!("seed {seed}, life {life}: {reason}"));
        history
            .check(&seen, 0)
            .unwrap_or_else(|reason| panic!("seed {seed}, life {life}: {reason}"));
        history.observed(&seen, 0);
        let chance = generator.between(1, 12);
        for change in 0..25 {
            faults.fail_randomly(Generator::new(generator.next()), chance);
            let key = format!("key-{}", generator.below(6));
            let name = (BUCKET, key.clone());
            let (body, size) = *generator.pick(&WAYS);
            let object = Object::random(&mut generator, size);
            let put = generator.percent(75);
            let ticket = history.submitted(&name, put.then(|| object.clone()), 0);
            let result = if put {
                store.put(BUCKET, &key, &object, body).await
            } else {
                store.delete(BUCKET, &key).await.map(drop)
            };
            if result.is_ok() {
                history.acknowledged(&ticket, 0);
            }
            let read = store.read(BUCKET, &key).await;
            faults.heal();
            if let Ok(read) = read {
                let seen = read.into_iter().map(|object| (name.clone(), object)).collect();
                let mut only = history.clone();
                only.keep(&name);
                only.check(&seen, 0)
                    .unwrap_or_else(|reason| panic!("seed {seed}, life {life}, change {change}: {reason}"));
            }
        }
        if generator.percent(50) {
            store.close().await;
        } else {
            store.crash().await;
        }
    }
}

#[test]
fn faults_at_any_time_lose_nothing_acknowledged() {
    let count = environment("CORELANE_FAULT_SEEDS").unwrap_or(20);
    for seed in seed()..seed() + count {
        run(random_faults(seed)).unwrap();
    }
}
