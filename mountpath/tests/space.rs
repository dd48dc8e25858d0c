//! Space of what was overwritten and deleted comes back while the shard serves, and nobody who reads notices.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use corelane_mountpath::{
    io::{run, sleep},
    shard_store::ShardStore,
};
use proto::s3::bucket::BucketId;
use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt, path::Path, time::Duration};
use support::{
    directory::Directory,
    generator::Generator,
    seed,
    store::{Body, Object, Options, Store},
};

const BUCKET: BucketId = BucketId(4);

/// Bytes that the files of a directory take on the disk.
fn disk_bytes(directory: &Path) -> u64 {
    let mut bytes = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => bytes += disk_bytes(&path),
            Ok(found) => bytes += found.blocks() * 512,
            // It was removed meanwhile.
            Err(_) => {}
        }
    }
    bytes
}

struct Shard {
    directory: Directory,
    store: Store,
    objects: BTreeMap<String, Object>,
    generator: Generator,
}

impl Shard {
    async fn new(name: &str, options: Options) -> Self {
        let directory = Directory::new(name);
        let (store, _) = Store::open(&directory, None, options).await.unwrap();
        Self {
            directory,
            store,
            objects: BTreeMap::new(),
            generator: Generator::new(seed()),
        }
    }

    /// Puts some keys at once, so that they share syncs.
    async fn put_all(&mut self, keys: impl Iterator<Item = String>, low: usize, high: usize) {
        let mut waiting = Vec::new();
        for key in keys {
            let size = self.generator.between(low, high);
            let object = Object::random(&mut self.generator, size);
            let body = if size > 256 * 1024 { Body::Blob } else { Body::Small };
            let change = self.store.prepare(&object, body).await.unwrap();
            waiting.push(self.store.submit(BUCKET, &key, change));
            self.objects.insert(key, object);
        }
        for receiver in waiting {
            receiver.done().await.unwrap();
        }
    }

    fn live_bytes(&self) -> u64 {
        self.objects.values().map(|object| object.bytes.len() as u64).sum()
    }

    async fn check(&self) {
        for (key, object) in &self.objects {
            let read = self.store.read(BUCKET, key).await.unwrap();
            assert_eq!(read.as_ref(), Some(object), "{key}");
        }
        let listed = self.store.keys(BUCKET, 100).await.unwrap();
        let expected: Vec<_> = self
            .objects
            .iter()
            .map(|(key, object)| (key.clone(), object.etag.clone()))
            .collect();
        assert_eq!(listed, expected);
    }
}

/// What a shard takes beside objects: the segment that is appended to, the one made ahead, the index.
const FIXED_BYTES: u64 = 6 << 20;

#[test]
fn disk_use_stays_below_twice_what_lives_under_steady_overwriting() {
    run(async {
        let options = Options {
            maintain: true,
            ..Options::default()
        };
        let mut shard = Shard::new("overwriting", options).await;
        let key = |number: usize| format!("key-{number:04}");
        shard.put_all((0..1200).map(key), 100, 40_000).await;
        shard
            .put_all((0..6).map(|number| format!("large-{number}")), 1 << 20, 3 << 20)
            .await;
        let mut most = 0;
        // Eight times over, in an order without any locality.
        for round in 0..160 {
            let keys: Vec<String> = (0..60).map(|_| key(shard.generator.below(1200))).collect();
            shard.put_all(keys.into_iter(), 100, 40_000).await;
            if round % 4 == 0 {
                let large = format!("large-{}", shard.generator.below(6));
                shard.put_all([large].into_iter(), 1 << 20, 3 << 20).await;
            }
            // As a disk would that is slower than this one's cache.
            sleep(Duration::from_millis(20)).await;
            let used = disk_bytes(shard.directory.root()).saturating_sub(FIXED_BYTES);
            most = most.max(used * 100 / shard.live_bytes());
        }
        println!(
            "at most {most} % of the live bytes, {:?}",
            shard.store.engine().counters()
        );
        assert!(most < 200, "{most} % of the live bytes");
        assert!(shard.store.engine().counters().compacted_segments > 10);
        shard.check().await;
        shard.store.close().await;
    })
    .unwrap();
}

#[test]
fn what_is_deleted_gives_its_space_back() {
    run(async {
        let mut shard = Shard::new("deleting", Options::default()).await;
        shard
            .put_all((0..1000).map(|number| format!("key-{number}")), 4096, 4096)
            .await;
        shard
            .put_all((0..5).map(|number| format!("large-{number}")), 2 << 20, 2 << 20)
            .await;
        let full = disk_bytes(shard.directory.root());
        let keys: Vec<String> = shard.objects.keys().filter(|key| *key != "key-500").cloned().collect();
        for key in &keys {
            shard.store.delete(BUCKET, key).await.unwrap();
            shard.objects.remove(key);
        }
        // Twice: a deletion itself is only forgotten when what it deleted is gone.
        for _ in 0..2 {
            shard.put_all(["turn".to_owned()].into_iter(), 900_000, 900_000).await;
            shard.store.merge().await.unwrap();
            shard.store.compact().await.unwrap();
        }
        sleep(Duration::from_millis(50)).await;
        let left = disk_bytes(shard.directory.root());
        assert!(left * 3 < full, "{left} bytes of {full} are left");
        shard.check().await;
        // A start without an index reads all that is left of the log: nothing deleted is back.
        shard.store.close().await;
        fs::remove_file(shard.directory.paths().index()).unwrap();
        let (store, found) = Store::open(&shard.directory, None, Options::default()).await.unwrap();
        assert_eq!(found.damage, Vec::<String>::new());
        shard.store = store;
        shard.check().await;
    })
    .unwrap();
}

#[test]
fn a_reader_keeps_a_segment_that_is_reclaimed() {
    run(async {
        let mut shard = Shard::new("reading", Options::default()).await;
        let key = |number: usize| format!("key-{number}");
        shard.put_all((0..200).map(key), 20_000, 20_000).await;
        let before = shard.objects.get("key-3").unwrap().clone();
        let engine = std::rc::Rc::clone(shard.store.engine());
        let open = engine.open_object(BUCKET, b"key-3").await.unwrap().unwrap();
        shard.put_all((0..200).map(key), 20_000, 20_000).await;
        shard.put_all((0..200).map(key), 20_000, 20_000).await;
        shard.store.merge().await.unwrap();
        assert!(shard.store.compact().await.unwrap() > 1 << 20);
        let block = engine.read_block(&open, 0, true).await.unwrap();
        assert_eq!(*block, *before.bytes);
        let segment = shard.directory.paths().segment(open.entry.home.segment);
        assert!(segment.exists(), "it is held");
        drop(open);
        shard.store.compact().await.unwrap();
        assert!(!segment.exists(), "nobody holds it");
        shard.check().await;
    })
    .unwrap();
}

#[test]
fn access_times_survive_a_clean_stop() {
    run(async {
        let mut shard = Shard::new("accessed", Options::default()).await;
        shard
            .put_all((0..3).map(|number| format!("key-{number}")), 10, 10)
            .await;
        let engine = std::rc::Rc::clone(shard.store.engine());
        let read = |key: &'static str, unix_ms| {
            let engine = &engine;
            async move {
                let open = engine.open_object(BUCKET, key.as_bytes()).await.unwrap().unwrap();
                engine.touch(BUCKET, key.as_bytes(), &open.entry, unix_ms);
            }
        };
        let (first, second, third) = (LATER_UNIX_MS, LATER_UNIX_MS + 700, LATER_UNIX_MS + 5000);
        read("key-0", first).await;
        read("key-1", second).await;
        read("key-1", third).await;
        assert_eq!(accessed(&engine, "key-1").await, third);
        shard.store.close().await;
        drop(engine);
        let (store, _) = Store::open(&shard.directory, None, Options::default()).await.unwrap();
        shard.store = store;
        let engine = shard.store.engine();
        assert_eq!(accessed(engine, "key-0").await, first);
        assert_eq!(accessed(engine, "key-1").await, third);
        assert!(accessed(engine, "key-2").await < LATER_UNIX_MS);
        // Another object under the key was never read.
        shard.put_all(["key-1".to_owned()].into_iter(), 10, 10).await;
        assert!(accessed(shard.store.engine(), "key-1").await < LATER_UNIX_MS);
        shard.store.close().await;
    })
    .unwrap();
}

/// After everything that is written here.
const LATER_UNIX_MS: u64 = 4_000_000_000_000;

async fn accessed(engine: &ShardStore, key: &str) -> u64 {
    let entry = engine.lookup(BUCKET, key.as_bytes()).await.unwrap().unwrap();
    engine.accessed(BUCKET, key.as_bytes(), &entry).await.unwrap()
}

#[test]
fn a_scrub_names_what_is_damaged() {
    run(async {
        let mut shard = Shard::new("scrub", Options::default()).await;
        shard.store.engine().note_bucket(BUCKET, "training");
        shard
            .put_all((0..20).map(|number| format!("key-{number}")), 5000, 5000)
            .await;
        shard.put_all(["large".to_owned()].into_iter(), 1 << 20, 1 << 20).await;
        let engine = std::rc::Rc::clone(shard.store.engine());
        let open = engine.open_object(BUCKET, b"key-7").await.unwrap().unwrap();
        let segment = shard.directory.paths().segment(open.entry.home.segment);
        let mut calls = 0;
        let report = engine.scrub(|progress| calls += u64::from(progress.objects <= progress.objects_total));
        let report = report.await.unwrap();
        assert_eq!((report.objects, report.damaged.len(), calls), (21, 0, 21));
        shard.store.close().await;
        drop((open, engine));
        let bytes = fs::read(&segment).unwrap();
        let object = shard.objects.get("key-7").unwrap();
        let at = bytes.windows(5000).position(|window| *window == *object.bytes).unwrap();
        let mut bytes = bytes;
        bytes[at + 4321] ^= 4;
        fs::write(&segment, bytes).unwrap();
        let (store, _) = Store::open(&shard.directory, None, Options::default()).await.unwrap();
        let report = store.engine().scrub(|_| {}).await.unwrap();
        let damaged: Vec<_> = report
            .damaged
            .iter()
            .map(|object| (object.bucket.as_str(), object.key.as_str()))
            .collect();
        assert_eq!((report.objects, damaged), (21, vec![("training", "key-7")]));
        assert_eq!(store.engine().counters().damaged_objects, 1);
        store.close().await;
    })
    .unwrap();
}

/// A log of small objects that are never replaced holds little but what lives, so there is nothing to compact.
#[test]
fn what_is_never_replaced_is_never_compacted() {
    run(async {
        let options = Options {
            sync: false,
            maintain: true,
            ..Options::default()
        };
        let mut shard = Shard::new("filling", options).await;
        for round in 0..40 {
            let keys = (0..1000).map(|number| format!("round-{round:04}/object-{number:06}"));
            shard.put_all(keys, 100, 101).await;
        }
        for _ in 0..20 {
            sleep(Duration::from_millis(50)).await;
        }
        let counters = shard.store.engine().counters();
        assert_eq!(counters.compacted_segments, 0, "{counters:?}");
        shard.check().await;
        shard.store.close().await;
    })
    .unwrap();
}
