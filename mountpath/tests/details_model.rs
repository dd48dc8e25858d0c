//! What listings tell in detail, against plain counters: how often a key was written, and when an object was last read;
//! through merges, also in the midst of a listing, compaction, clean stops and dead processes. Every sequence follows from
//! its seed; CORELANE_SEED repeats one.
#![cfg(debug_assertions)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use corelane_mountpath::{
    index::entry::ObjectEntry,
    io::{run, spawn},
    record::ObjectMeta,
    shard_store::{Change, NewVersion, ShardStore},
};
use proto::s3::{
    bucket::BucketId,
    listing::{ListEntry, ListQuery, ListScope},
    version::{VersionId, Versioning},
};
use std::{collections::BTreeMap, rc::Rc};
use support::{
    directory::Directory,
    environment,
    generator::Generator,
    store::{Body, Object, Options, Store, wait_until},
};

const SEQUENCES: u64 = 16;
const STEPS: usize = 150;
const BUCKET: BucketId = BucketId(5);
const KEYS: [&str; 7] = ["a", "a/", "a/b", "a\0", "b/c", "b/d", "é"];
/// After everything that is written here.
const LATER_UNIX_MS: u64 = 4_000_000_000_000;

/// What is known of a key that holds an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    writes: u64,
    accessed_unix_ms: u64,
    /// What a process that dies leaves of it.
    merged_unix_ms: u64,
}

struct Model {
    directory: Directory,
    generator: Generator,
    keys: BTreeMap<String, Known>,
    now_unix_ms: u64,
    steps: Vec<String>,
}

impl Model {
    fn new(name: &str, seed: u64) -> Self {
        Self {
            directory: Directory::new(&format!("{name}-{seed}")),
            generator: Generator::new(seed),
            keys: BTreeMap::new(),
            now_unix_ms: LATER_UNIX_MS,
            steps: Vec::new(),
        }
    }

    async fn open(&self) -> Rc<Store> {
        let options = Options {
            sync: false,
            ..Options::default()
        };
        let (store, found) = Store::open(&self.directory, None, options).await.unwrap();
        assert_eq!(found.damage, Vec::<String>::new());
        Rc::new(store)
    }

    async fn step(&mut self, store: &Rc<Store>) -> Option<Rc<Store>> {
        let key = (*self.generator.pick(&KEYS)).to_owned();
        match self.generator.below(100) {
            0..=34 => self.put(store, key).await,
            35..=42 => {
                self.steps.push(format!("delete {key:?}"));
                store.delete(BUCKET, &key).await.unwrap();
                self.keys.remove(&key);
            }
            43..=48 => self.tag(store.engine(), key).await,
            49..=68 => self.read(store.engine(), key).await,
            69..=78 => self.list(store.engine()).await,
            79..=84 => {
                self.steps.push("merge under a listing".to_owned());
                let merging = Rc::clone(store);
                spawn(async move { merging.merge().await.unwrap() });
                self.list(store.engine()).await;
                // What the spawned merge took is all merged once another has followed it.
                self.merge(store).await;
            }
            85..=90 => {
                self.steps.push("merge".to_owned());
                self.merge(store).await;
            }
            91..=94 => {
                self.steps.push("merge, compact".to_owned());
                self.merge(store).await;
                store.compact().await.unwrap();
            }
            95..=96 => {
                self.steps.push("clean stop".to_owned());
                store.close().await;
                self.all_is_merged();
                return Some(self.open().await);
            }
            _ => {
                self.steps.push("crash".to_owned());
                store.crash().await;
                for known in self.keys.values_mut() {
                    known.accessed_unix_ms = known.merged_unix_ms;
                }
                return Some(self.open().await);
            }
        }
        None
    }

    async fn merge(&mut self, store: &Store) {
        store.merge().await.unwrap();
        self.all_is_merged();
    }

    fn all_is_merged(&mut self) {
        for known in self.keys.values_mut() {
            known.merged_unix_ms = known.accessed_unix_ms;
        }
    }

    async fn put(&mut self, store: &Store, key: String) {
        let size = *self.generator.pick(&[0, 10, 70_000, 300_000]);
        let object = Object::random(&mut self.generator, size);
        let body = *self
            .generator
            .pick(&[Body::Small, Body::Small, Body::Blob, Body::Parts]);
        self.steps.push(format!("put {key:?} {object:?} {body:?}"));
        store.put(BUCKET, &key, &object, body).await.unwrap();
        let writes = self.keys.get(&key).map_or(0, |known| known.writes);
        let known = Known {
            writes: writes + 1,
            accessed_unix_ms: object.modified_unix_ms,
            merged_unix_ms: object.modified_unix_ms,
        };
        self.keys.insert(key, known);
    }

    /// Changes neither the count nor the time.
    async fn tag(&mut self, engine: &ShardStore, key: String) {
        self.steps.push(format!("tag {key:?}"));
        let tags = vec![("colour".to_owned(), self.generator.next().to_string())];
        let edit = |entry: Option<&ObjectEntry>| {
            Ok::<_, ()>(ObjectMeta {
                tags: tags.clone(),
                ..entry.ok_or(())?.meta.clone()
            })
        };
        let edited = engine.edit(BUCKET, key.clone().into_bytes(), Versioning::Unversioned, None, edit);
        let edited = edited.await.unwrap();
        assert_eq!(edited.is_ok(), self.keys.contains_key(&key));
    }

    async fn read(&mut self, engine: &ShardStore, key: String) {
        self.now_unix_ms += 1000;
        self.steps.push(format!("read {key:?} at {}", self.now_unix_ms));
        let found = engine.lookup(BUCKET, key.as_bytes()).await.unwrap();
        let known = self.keys.get_mut(&key);
        assert_eq!(found.is_some(), known.is_some());
        if let (Some(entry), Some(known)) = (found, known) {
            let accessed = engine.accessed(BUCKET, key.as_bytes(), &entry).await.unwrap();
            assert_eq!(accessed, known.accessed_unix_ms);
            engine.touch(BUCKET, key.as_bytes(), &entry, self.now_unix_ms);
            known.accessed_unix_ms = self.now_unix_ms;
        }
    }

    async fn list(&mut self, engine: &ShardStore) {
        let mut query = ListQuery {
            limit: self.generator.between(1, 5),
            scope: *self.generator.pick(&[
                ListScope::Objects,
                ListScope::Newest,
                ListScope::Versions { after: None },
            ]),
            details: true,
            ..ListQuery::default()
        };
        self.steps.push(format!("list {query:?}"));
        let mut found = BTreeMap::new();
        loop {
            let page = engine.page(BUCKET, &query).await.unwrap();
            for entry in &page.entries {
                let object = match entry {
                    ListEntry::Object(object) => object,
                    ListEntry::Version(listed) => &listed.object,
                    other => panic!("nobody asked for {:?}", other.name()),
                };
                let details = object.details.as_ref().unwrap();
                found.insert(
                    object.key.clone(),
                    (details.overwrites + 1, details.accessed_unix_ms.unwrap()),
                );
            }
            match page.entries.last().filter(|_| page.truncated) {
                Some(last) => query = query.continued(last),
                None => break,
            }
        }
        let expected = self.keys.iter();
        let expected: BTreeMap<_, _> = expected
            .map(|(key, known)| (key.clone(), (known.writes, known.accessed_unix_ms)))
            .collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn details_are_what_plain_counters_say() {
    let seeds = match environment("CORELANE_SEED") {
        Some(seed) => seed..=seed,
        None => 1..=SEQUENCES,
    };
    for seed in seeds {
        let mut model = Model::new("details", seed);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            run(async {
                let mut store = model.open().await;
                for _ in 0..STEPS {
                    if let Some(reopened) = model.step(&store).await {
                        store = reopened;
                    }
                }
                model.list(store.engine()).await;
                store.close().await;
            })
            .unwrap();
        }));
        if outcome.is_err() {
            let from = model.steps.len().saturating_sub(25);
            panic!("CORELANE_SEED={seed}, after:\n  {}", model.steps[from..].join("\n  "));
        }
    }
}

/// Without an index the log says how often a key was written, as far as it still has what was written over.
#[test]
fn an_index_made_anew_counts_again() {
    let mut model = Model::new("details-anew", 1);
    run(async {
        let store = model.open().await;
        for (key, writes) in [("a", 3), ("a/", 1), ("b/c", 2)] {
            for _ in 0..writes {
                model.put(&store, key.to_owned()).await;
            }
        }
        store.delete(BUCKET, "b/c").await.unwrap();
        model.keys.remove("b/c");
        model.put(&store, "b/c".to_owned()).await;
        model.tag(store.engine(), "a".to_owned()).await;
        store.close().await;
        std::fs::remove_file(model.directory.paths().index()).unwrap();
        let store = model.open().await;
        model.list(store.engine()).await;
        store.close().await;
    })
    .unwrap();
}

/// Each version has its own access time.
#[test]
fn versions_are_accessed_one_by_one() {
    const LIMIT: usize = 10;
    let mut model = Model::new("details-versions", 1);
    run(async {
        let mut store = model.open().await;
        let mut numbers = Vec::new();
        for _ in 0..3 {
            let object = Object::random(&mut model.generator, 10);
            let Change::Put(_, meta, payload) = store.prepare(&object, Body::Small).await.unwrap() else {
                panic!("a PUT is no PUT");
            };
            let change = Change::Put(NewVersion::Numbered, meta, payload);
            store.engine().change(BUCKET, b"k".to_vec(), change).await.unwrap();
            let newest = store.engine().find(BUCKET, b"k", Versioning::Enabled, None).await;
            numbers.push(newest.unwrap().unwrap().version);
        }
        let read = async |store: &Store, version: Option<VersionId>, unix_ms: u64| {
            let engine = store.engine();
            let found = engine.find(BUCKET, b"k", Versioning::Enabled, version).await;
            engine.touch(BUCKET, b"k", &found.unwrap().unwrap(), unix_ms);
        };
        let listed = async |store: &Store, scope: ListScope| {
            let query = ListQuery {
                limit: LIMIT,
                scope,
                details: true,
                ..ListQuery::default()
            };
            let page = store.engine().page(BUCKET, &query).await.unwrap();
            let accessed = page.entries.into_iter().map(|entry| match entry {
                ListEntry::Object(object) => object.details.unwrap().accessed_unix_ms.unwrap(),
                ListEntry::Version(listed) => listed.object.details.unwrap().accessed_unix_ms.unwrap(),
                other => panic!("nobody asked for {:?}", other.name()),
            });
            accessed
                .map(|unix_ms| unix_ms.saturating_sub(LATER_UNIX_MS))
                .collect::<Vec<u64>>()
        };
        let all = ListScope::Versions { after: None };
        read(&store, Some(numbers[0]), LATER_UNIX_MS + 1000).await;
        assert_eq!(listed(&store, all).await, [0, 0, 1000]);
        read(&store, None, LATER_UNIX_MS + 2000).await;
        assert_eq!(listed(&store, all).await, [2000, 0, 1000]);
        assert_eq!(listed(&store, ListScope::Newest).await, [2000]);
        store.close().await;
        store = model.open().await;
        assert_eq!(listed(&store, all).await, [2000, 0, 1000]);
        let delete = Change::Delete(numbers[2]);
        store.engine().change(BUCKET, b"k".to_vec(), delete).await.unwrap();
        read(&store, None, LATER_UNIX_MS + 3000).await;
        assert_eq!(listed(&store, all).await, [3000, 1000]);
        assert_eq!(listed(&store, ListScope::Newest).await, [3000]);
        wait_until("changes end", || store.engine().is_settled()).await;
        store.close().await;
    })
    .unwrap();
}

/// In a batch, payloads that are written from their own buffers come last, whatever came first.
#[test]
fn writes_that_shared_a_batch_are_counted_again() {
    let mut model = Model::new("details-batch", 1);
    run(async {
        let store = model.open().await;
        model.put(&store, "a".to_owned()).await;
        let mut waiting = Vec::new();
        for body in [Body::Buffered, Body::Small, Body::Buffered, Body::Small] {
            let object = Object::random(&mut model.generator, 50_000);
            let change = store.prepare(&object, body).await.unwrap();
            waiting.push((change, object));
        }
        let mut begun = Vec::new();
        for (index, (change, object)) in waiting.into_iter().enumerate() {
            if index == 2 {
                begun.push(store.submit(BUCKET, "a", Change::Delete(VersionId::Null)));
            }
            begun.push(store.submit(BUCKET, "a", change));
            let known = Known {
                writes: 2,
                accessed_unix_ms: object.modified_unix_ms,
                merged_unix_ms: object.modified_unix_ms,
            };
            model.keys.insert("a".to_owned(), known);
        }
        for waiting in begun {
            waiting.done().await.unwrap();
        }
        model.list(store.engine()).await;
        store.crash().await;
        let store = model.open().await;
        model.list(store.engine()).await;
        store.close().await;
    })
    .unwrap();
}
