//! Random operations against the engine and against a sorted map, in step: every answer is compared, through restarts
//! and dead processes. Every sequence follows from its seed; CORELANE_SEED repeats one, CORELANE_MODEL_SEQUENCES sets
//! how many there are.
#![cfg(debug_assertions)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use corelane_mountpath::{
    completion::completion,
    error::StoreError,
    io::{run, spawn, yield_now},
    shard_store::Change,
};
use proto::{
    limits::BLOCK_BYTES,
    s3::{
        bucket::BucketId,
        listing::{ListEntry, ListQuery},
        version::VersionId,
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::atomic::{AtomicU64, Ordering},
};
use support::{
    directory::Directory,
    environment,
    generator::Generator,
    history::{History, Name, fence_name, fence_object, see},
    store::{Body, Object, Options, Reader, Store},
};

const SEQUENCES: u64 = 64;
const STEPS: usize = 90;
/// They mostly wait for the disk.
const THREADS: usize = 4;
/// One after the other and the last there is: a listing must not leave its bucket.
const BUCKETS: [BucketId; 3] = [BucketId(6), BucketId(7), BucketId(u64::MAX)];
const KEY_PARTS: [&str; 10] = ["a", "b", "/", "/", "//", "é", "\u{0}", "\u{10ffff}", "-", "zz"];
/// Repeated to the length limit of keys.
const LONG_KEY: &str = "0123456/";
const DELIMITERS: [&str; 7] = ["", "", "/", "/", "//", "a", "é"];
/// Sizes around which something changes: alignment, copied payloads, pool buffers, blocks.
const BOUNDARIES: [usize; 9] = [
    0,
    8,
    512,
    4096,
    8192,
    32 * 1024,
    64 * 1024,
    BLOCK_BYTES,
    2 * BLOCK_BYTES,
];

struct Model {
    directory: Directory,
    options: Options,
    generator: Generator,
    keys: Vec<String>,
    objects: BTreeMap<Name, Object>,
    fenced: BTreeSet<BucketId>,
    steps: Vec<String>,
    /// Objects opened some time ago, and what they were.
    readers: Vec<(Name, Reader, Object)>,
}

/// What is wrong, or nothing.
type Verdict = Result<(), String>;

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Verdict {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what}: found {found:?}, expected {expected:?}"))
    }
}

fn failed(what: &str) -> impl Fn(StoreError) -> String {
    move |error| format!("{what}: {error}")
}

impl Model {
    fn new(seed: u64) -> Self {
        let mut generator = Generator::new(seed);
        let mut keys: Vec<String> = (0..14)
            .map(|_| {
                let parts = generator.between(1, 5);
                (0..parts).map(|_| *generator.pick(&KEY_PARTS)).collect()
            })
            .collect();
        keys.push(LONG_KEY.repeat(1024 / LONG_KEY.len()));
        Self {
            directory: Directory::new(&format!("model-{seed}")),
            // Mostly without syncs, which take most of the time and change nothing for a process that dies.
            options: Options {
                sync: generator.percent(15),
                direct: generator.percent(75),
                ..Options::default()
            },
            generator,
            keys,
            objects: BTreeMap::new(),
            fenced: BTreeSet::new(),
            steps: Vec::new(),
            readers: Vec::new(),
        }
    }

    async fn run(&mut self) -> Verdict {
        let mut store = self.open().await?;
        for _ in 0..STEPS {
            match self.generator.below(100) {
                0..=34 => self.put(&store).await?,
                35..=44 => self.delete(&store).await?,
                45..=49 => self.several(&store).await?,
                50..=53 => self.fence(&store).await?,
                54..=71 => self.list(&store).await?,
                72..=79 => self.read(&store).await?,
                80..=86 => self.old_reader(&store).await?,
                87..=90 => self.race(&store).await?,
                91..=92 => self.tidy(&store).await?,
                93..=95 => {
                    self.note("close".into());
                    self.readers.clear();
                    store.close().await;
                    drop(store);
                    store = self.open().await?;
                }
                _ => store = self.crash(store).await?,
            }
        }
        self.compare_all(&store).await?;
        self.readers.clear();
        store.close().await;
        Ok(())
    }

    fn note(&mut self, step: String) {
        self.steps
            .push(step.replace(&LONG_KEY.repeat(1024 / LONG_KEY.len()), "<long>"));
    }

    async fn open(&mut self) -> Result<Rc<Store>, String> {
        let (store, found) = Store::open(&self.directory, None, self.options)
            .await
            .map_err(failed("opening"))?;
        expect("damage", found.damage, Vec::new())?;
        self.compare_all(&store).await?;
        Ok(Rc::new(store))
    }

    async fn compare_all(&self, store: &Store) -> Verdict {
        let names: Vec<Name> = self.all_names();
        let seen = see(store, &BUCKETS, &names).await?;
        expect("everything", seen, self.everything())
    }

    fn all_names(&self) -> Vec<Name> {
        let of = |bucket: &BucketId| self.keys.iter().map(|key| (*bucket, key.clone())).collect::<Vec<_>>();
        BUCKETS.iter().flat_map(of).collect()
    }

    fn everything(&self) -> BTreeMap<Name, Object> {
        let fences = self.fenced.iter().map(|bucket| (fence_name(*bucket), fence_object()));
        self.objects.clone().into_iter().chain(fences).collect()
    }

    fn name(&mut self) -> Name {
        (*self.generator.pick(&BUCKETS), self.generator.pick(&self.keys).clone())
    }

    fn object(&mut self) -> (Object, Body) {
        let boundary = *self.generator.pick(&BOUNDARIES);
        let size = match self.generator.below(10) {
            0..=3 => self.generator.between(0, 700),
            4 => self.generator.between(700, 3 * BLOCK_BYTES),
            _ => (boundary + self.generator.below(3)).saturating_sub(1),
        };
        let object = Object::random(&mut self.generator, size);
        let body = match size {
            0..=32_768 => *self
                .generator
                .pick(&[Body::Small, Body::Small, Body::Small, Body::Buffered, Body::Blob]),
            _ => *self.generator.pick(&[Body::Buffered, Body::Blob]),
        };
        // An empty buffer cannot be had.
        (
            object,
            if size == 0 && body == Body::Buffered {
                Body::Small
            } else {
                body
            },
        )
    }

    /// What a PUT comes to, and its effect.
    fn apply_put(&mut self, name: &Name, object: Object, result: Result<(), StoreError>) -> Verdict {
        match (result, self.fenced.contains(&name.0)) {
            (Ok(_), false) => {
                self.objects.insert(name.clone(), object);
                Ok(())
            }
            (Err(StoreError::Fenced), true) => Ok(()),
            (other, fenced) => Err(format!("put {name:?}: {other:?}, fenced: {fenced}")),
        }
    }

    async fn put(&mut self, store: &Store) -> Verdict {
        let (name, (object, mut body)) = (self.name(), self.object());
        if self.generator.percent(15) && !self.fenced.contains(&name.0) {
            body = Body::Parts;
        }
        self.note(format!("put {name:?} {object:?} {body:?}"));
        let result = store.put(name.0, &name.1, &object, body).await;
        self.apply_put(&name, object, result)?;
        // Not always: what was never read is not open yet.
        if self.generator.percent(50) {
            let held = store.read(name.0, &name.1).await.map_err(failed("reading back"))?;
            expect("read back", held.as_ref(), self.objects.get(&name))?;
        }
        Ok(())
    }

    async fn delete(&mut self, store: &Store) -> Verdict {
        let name = self.name();
        self.note(format!("delete {name:?}"));
        store.delete(name.0, &name.1).await.map_err(failed("delete"))?;
        self.objects.remove(&name);
        let held = store.read(name.0, &name.1).await.map_err(failed("reading back"))?;
        expect("read back", held, None)
    }

    /// Changes in one batch, of few keys: their order decides.
    async fn several(&mut self, store: &Store) -> Verdict {
        let names = [self.name(), self.name(), self.name()];
        let mut waiting: Vec<(Name, Option<Object>, Change)> = Vec::new();
        for _ in 0..self.generator.between(2, 12) {
            let name = self.generator.pick(&names).clone();
            let object = self.generator.percent(70).then(|| self.object());
            self.note(format!("at once: {name:?} {object:?}"));
            let change = match &object {
                Some((object, body)) => store.prepare(object, *body).await.map_err(failed("preparing"))?,
                None => Change::Delete(VersionId::Null),
            };
            waiting.push((name, object.map(|(object, _)| object), change));
        }
        let submit = |(name, object, change): (Name, Option<Object>, Change)| {
            let receiver = store.submit(name.0, &name.1, change);
            (name, object, receiver)
        };
        let waiting: Vec<_> = waiting.into_iter().map(submit).collect();
        for (name, object, receiver) in waiting {
            let result = receiver.done().await;
            match object {
                Some(object) => self.apply_put(&name, object, result)?,
                None => {
                    result.map_err(failed("delete"))?;
                    self.objects.remove(&name);
                }
            }
        }
        for name in names {
            let held = store.read(name.0, &name.1).await.map_err(failed("reading back"))?;
            expect("read back", held.as_ref(), self.objects.get(&name))?;
        }
        Ok(())
    }

    /// What a shard does for itself changes nothing that anybody sees.
    async fn tidy(&mut self, store: &Store) -> Verdict {
        self.note("merge".into());
        store.merge().await.map_err(failed("merging"))?;
        if self.generator.percent(70) {
            let reclaimed = store.compact().await.map_err(failed("compacting"))?;
            self.note(format!("compact: {reclaimed} bytes"));
        }
        if self.generator.percent(30) {
            let damage = store.sweep().await.map_err(failed("sweeping"))?;
            expect("damage", damage, Vec::new())?;
        }
        self.compare_all(store).await
    }

    async fn fence(&mut self, store: &Store) -> Verdict {
        let (bucket, fenced) = (*self.generator.pick(&BUCKETS), self.generator.percent(40));
        self.note(format!("fence {bucket:?} {fenced}"));
        store.fence(bucket, fenced).await.map_err(failed("fence"))?;
        if fenced {
            self.fenced.insert(bucket);
        } else {
            self.fenced.remove(&bucket);
        }
        expect("is fenced", store.is_fenced(bucket), fenced)
    }

    async fn list(&mut self, store: &Store) -> Verdict {
        let (bucket, query) = (*self.generator.pick(&BUCKETS), self.query());
        self.note(format!("list {bucket:?} {query:?}"));
        let page = store.list(bucket, &query).await.map_err(failed("list"))?;
        let describe = |entry: &ListEntry| match entry {
            ListEntry::Object(object) => (object.key.clone(), Some((object.etag.clone(), object.size))),
            other => (other.name().to_owned(), None),
        };
        let found: Vec<_> = page.entries.iter().map(describe).collect();
        expect("page", (found, page.truncated), self.expected_page(bucket, &query))
    }

    fn query(&mut self) -> ListQuery {
        let key = self.generator.pick(&self.keys).clone();
        let cuts: Vec<usize> = key.char_indices().map(|(position, _)| position).take(6).collect();
        let prefix = match self.generator.below(3) {
            0 => String::new(),
            _ => key[..*self.generator.pick(&cuts)].to_owned(),
        };
        let start_after = match self.generator.below(5) {
            0 => self.generator.pick(&self.keys).clone(),
            1 => key[..*self.generator.pick(&cuts)].to_owned(),
            2 => format!("{key}\u{10ffff}"),
            _ => String::new(),
        };
        let limit = match self.generator.below(3) {
            0 => self.generator.below(4),
            1 => self.generator.between(1, 12),
            _ => 1000,
        };
        ListQuery {
            prefix,
            delimiter: (*self.generator.pick(&DELIMITERS)).to_owned(),
            start_after,
            limit,
            ..ListQuery::default()
        }
    }

    /// The page by the plainest reading of the rules.
    #[allow(clippy::type_complexity)]
    fn expected_page(&self, bucket: BucketId, query: &ListQuery) -> (Vec<(String, Option<(String, u64)>)>, bool) {
        let mut entries = BTreeMap::new();
        for ((_, key), object) in self.objects.iter().filter(|((of, _), _)| *of == bucket) {
            let Some(rest) = key.strip_prefix(&query.prefix) else {
                continue;
            };
            let rolled_up = rest.find(&query.delimiter).filter(|_| !query.delimiter.is_empty());
            let (name, entry) = match rolled_up {
                Some(position) => {
                    let end = query.prefix.len() + position + query.delimiter.len();
                    (key[..end].to_owned(), None)
                }
                None => (key.clone(), Some((object.etag.clone(), object.bytes.len() as u64))),
            };
            if name > query.start_after {
                entries.insert(name, entry);
            }
        }
        let truncated = query.limit > 0 && entries.len() > query.limit;
        (entries.into_iter().take(query.limit).collect(), truncated)
    }

    async fn read(&mut self, store: &Store) -> Verdict {
        let name = self.name();
        let (first, count) = (self.generator.below(4), self.generator.between(1, 4));
        self.note(format!("read {name:?} blocks {first} + {count}"));
        let reader = store.reader(name.0, &name.1).await.map_err(failed("open"))?;
        let found = match &reader {
            Some(reader) => Some(reader.read(first as u64, count as u64).await.map_err(failed("read"))?),
            None => None,
        };
        let expected = self.objects.get(&name).map(|object| {
            let length = object.bytes.len();
            let start = (first * BLOCK_BYTES).min(length);
            let end = ((first + count) * BLOCK_BYTES).min(length);
            Object {
                bytes: object.bytes[start..end].into(),
                ..object.clone()
            }
        });
        expect("read", found, expected)
    }

    /// Opens an object to be read later, or reads one that was opened before and may have been replaced or moved since.
    async fn old_reader(&mut self, store: &Store) -> Verdict {
        if self.readers.is_empty() || self.generator.percent(60) {
            let name = self.name();
            self.note(format!("open {name:?}"));
            let reader = store.reader(name.0, &name.1).await.map_err(failed("open"))?;
            let object = self.objects.get(&name).cloned();
            expect("opened", reader.is_some(), object.is_some())?;
            self.readers
                .extend(reader.zip(object).map(|(reader, object)| (name, reader, object)));
            return Ok(());
        }
        let index = self.generator.below(self.readers.len());
        let (name, reader, object) = self.readers.swap_remove(index);
        self.note(format!("read {name:?} as it was with ETag {}", object.etag));
        let found = reader.read(0, u64::MAX).await.map_err(failed("old reader"))?;
        expect("old reader", found, object)
    }

    /// A reader sees an object as it was before or after a change, whole.
    async fn race(&mut self, store: &Rc<Store>) -> Verdict {
        let name = match self.objects.keys().nth(self.generator.below(self.objects.len().max(1))) {
            Some(name) => name.clone(),
            None => self.name(),
        };
        let before = self.objects.get(&name).cloned();
        let (giver, receiver) = completion();
        let (reader, place, turns) = (Rc::clone(store), name.clone(), self.generator.below(6));
        self.note(format!("race for {name:?}"));
        spawn(async move {
            for _ in 0..turns {
                yield_now().await;
            }
            giver.give(reader.read(place.0, &place.1).await);
        });
        if self.generator.percent(70) {
            let (object, mut body) = self.object();
            if self.generator.percent(20) && !self.fenced.contains(&name.0) {
                body = Body::Parts;
            }
            let result = store.put(name.0, &name.1, &object, body).await;
            self.apply_put(&name, object, result)?;
        } else {
            store.delete(name.0, &name.1).await.map_err(failed("delete"))?;
            self.objects.remove(&name);
        }
        let found = receiver.wait().await.unwrap().map_err(failed("racing read"))?;
        let after = self.objects.get(&name).cloned();
        if found == before || found == after {
            Ok(())
        } else {
            Err(format!("racing read: {found:?} is neither {before:?} nor {after:?}"))
        }
    }

    /// The process dies with changes under way: each has happened or not, in order.
    async fn crash(&mut self, store: Rc<Store>) -> Result<Rc<Store>, String> {
        let mut history = History::default();
        history.observed(&self.everything(), 0);
        let mut waiting = Vec::new();
        for _ in 0..self.generator.below(6) {
            let name = self.name();
            let put = self.generator.percent(70) && !self.fenced.contains(&name.0);
            let object = put.then(|| self.object());
            self.note(format!("under way: {name:?} {object:?}"));
            let change = match &object {
                Some((object, body)) => store.prepare(object, *body).await.map_err(failed("preparing"))?,
                None => Change::Delete(VersionId::Null),
            };
            let ticket = history.submitted(&name, object.map(|(object, _)| object), 0);
            waiting.push((ticket, store.submit(name.0, &name.1, change)));
        }
        for _ in 0..self.generator.below(10) {
            yield_now().await;
        }
        self.note("crash".into());
        self.readers.clear();
        store.crash().await;
        for (ticket, receiver) in waiting {
            if receiver.done().await.is_ok() {
                history.acknowledged(&ticket, 0);
            }
        }
        drop(store);
        let (store, found) = Store::open(&self.directory, None, self.options)
            .await
            .map_err(failed("opening"))?;
        expect("damage", found.damage, Vec::new())?;
        let names = self.all_names();
        let mut seen = see(&store, &BUCKETS, &names).await?;
        history.check(&seen, 0)?;
        for bucket in BUCKETS {
            seen.remove(&fence_name(bucket));
        }
        self.objects = seen;
        Ok(Rc::new(store))
    }
}

fn sequence(seed: u64) -> Result<usize, String> {
    let mut model = Model::new(seed);
    match run(model.run()).unwrap() {
        Ok(()) => Ok(model.steps.len()),
        Err(reason) => {
            let from = model.steps.len().saturating_sub(15);
            Err(format!(
                "CORELANE_SEED={seed}: {reason}\nafter:\n  {}",
                model.steps[from..].join("\n  ")
            ))
        }
    }
}

#[test]
fn the_engine_answers_as_a_sorted_map_does() {
    let seeds = match environment("CORELANE_SEED") {
        Some(seed) => seed..=seed,
        None => 1..=environment("CORELANE_MODEL_SEQUENCES").unwrap_or(SEQUENCES),
    };
    let (next, end) = (AtomicU64::new(*seeds.start()), *seeds.end());
    let work = || {
        let mut steps = 0;
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > end {
                return Ok(steps);
            }
            steps += sequence(seed)?;
        }
    };
    let results: Vec<Result<usize, String>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let steps: usize = results
        .into_iter()
        .map(|result| result.unwrap_or_else(|reason| panic!("{reason}")))
        .sum();
    println!("{steps} steps in the sequences {seeds:?}");
}
