//! One bit of what is on disk turns over, at every kind of place: nobody ever reads wrong bytes, what is lost is named,
//! and the rest serves.
#![cfg(debug_assertions)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use corelane_mountpath::{
    error::StoreError,
    io::run,
    layout::{FormatOptions, Mountpath},
};
use proto::s3::bucket::BucketId;
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};
use support::{
    directory::Directory,
    disk::{Content, Files, Part, Stage, Step, load},
    generator::Generator,
    history::Name,
    seed,
    store::{Body, Object, Options, Store},
    tape::Tape,
};

const BUCKETS: [BucketId; 2] = [BucketId(1), BucketId(2)];
/// The key that is put after a flip.
const EXTRA: &str = "zz-extra";
/// Changes that are committed together, and so are lost together.
const TOGETHER: usize = 4;
const LIVES: usize = 3;
const BLOCK: usize = 4096;
/// They mostly wait for the disk.
const THREADS: usize = 4;

/// A file, a byte and a bit.
type Place = (PathBuf, usize, usize);

/// A shard's files, and all values its keys have had, the newest last.
struct Original {
    directory: Directory,
    files: Files,
    values: BTreeMap<Name, Vec<Option<Object>>>,
}

async fn original(generator: &mut Generator) -> Original {
    let directory = Directory::new("flips");
    let mut values: BTreeMap<Name, Vec<Option<Object>>> = BTreeMap::new();
    let options = Options::default();
    for life in 0..LIVES {
        let (store, _) = Store::open(&directory, None, options).await.unwrap();
        for round in 0..9 {
            let mut waiting = Vec::new();
            let together = if round % 3 == 0 { TOGETHER } else { 1 };
            for index in 0..together {
                // Blobs are in the second bucket alone, and not in the last life: nothing but its own damage tells that
                // the last segment is lost.
                let bucket = if life == LIVES - 1 {
                    BUCKETS[0]
                } else {
                    *generator.pick(&BUCKETS)
                };
                let name = (bucket, format!("key-{}", generator.below(4) * TOGETHER + index));
                let (body, size) = match generator.below(7) {
                    0 => (Body::Buffered, generator.between(1, 50_000)),
                    1 if bucket == BUCKETS[1] => (Body::Blob, generator.between(5000, 200_000)),
                    2 => (Body::Small, generator.between(4096, 20_000)),
                    _ => (Body::Small, generator.between(0, 900)),
                };
                let object = Object::random(generator, size);
                let change = store.prepare(&object, body).await.unwrap();
                waiting.push((name, object, change));
            }
            let submit = |(name, object, change): (Name, Object, _)| {
                let receiver = store.submit(name.0, &name.1, change);
                (name, object, receiver)
            };
            let waiting: Vec<_> = waiting.into_iter().map(submit).collect();
            for (name, object, receiver) in waiting {
                receiver.done().await.unwrap();
                values.entry(name).or_default().push(Some(object));
            }
        }
        let (name, history) = values.iter_mut().nth(life).unwrap();
        store.delete(name.0, &name.1).await.unwrap();
        history.push(None);
        // The last change of all: no later one tells that it was durable, so a damaged one looks like one that was
        // never acknowledged. It changes nothing.
        store.fence(BUCKETS[1], false).await.unwrap();
        store.close().await;
    }
    Original {
        files: load(&directory),
        directory,
        values,
    }
}

/// The files with one bit turned over.
fn flipped(files: &Files, path: &Path, position: usize, bit: usize) -> Files {
    let mut files = files.clone();
    let content = files.get_mut(path).unwrap();
    let byte = byte_at(content, position) ^ (1 << bit);
    content.push(Step::Write {
        position: position as u64,
        bytes: [byte].into(),
        part: Part::Whole,
    });
    files
}

fn byte_at(content: &Content, position: usize) -> u8 {
    content
        .iter()
        .rev()
        .find_map(|step| match step {
            Step::Write {
                position: start, bytes, ..
            } => position
                .checked_sub(usize::try_from(*start).unwrap())
                .and_then(|offset| bytes.get(offset).copied()),
            _ => None,
        })
        .unwrap_or(0)
}

/// Places worth a flip: in every block that holds something one at its beginning and one anywhere; in the first blocks
/// of every segment each byte of the headers.
fn places(files: &Files, generator: &mut Generator) -> Vec<Place> {
    let mut places = BTreeSet::new();
    for (path, content) in files {
        for step in content {
            let Step::Write { position, .. } = step else { continue };
            let start = usize::try_from(*position).unwrap();
            places.insert((path.clone(), start + generator.below(96), generator.below(8)));
            places.insert((path.clone(), start + generator.below(BLOCK), generator.below(8)));
            if is_segment(path) && start < 2 * BLOCK {
                for offset in 0..160 {
                    places.insert((path.clone(), start + offset, generator.below(8)));
                }
            }
        }
    }
    places.into_iter().collect()
}

impl Original {
    /// What is wrong with a shard in which something may be damaged.
    async fn check(&self, store: &Store, damage: &[String], lost_max: usize) -> Result<(), String> {
        let mut lost = Vec::new();
        for (name, values) in &self.values {
            match store.read(name.0, &name.1).await {
                Ok(found) if Some(&found) == values.last() => {}
                Ok(found) if found.is_none() || values.contains(&found) => {
                    if damage.is_empty() {
                        return Err(format!("{name:?} holds {found:?} and no damage was reported"));
                    }
                    lost.push(name);
                }
                Ok(found) => return Err(format!("{name:?} was read as {found:?}")),
                Err(StoreError::Damaged(_)) => lost.push(name),
                // An older object, come back since its successor is lost, whose blob has gone since.
                Err(_) if !damage.is_empty() => lost.push(name),
                Err(error) => return Err(format!("{name:?}: {error}")),
            }
        }
        if lost.len() > lost_max {
            return Err(format!("{lost:?} were lost with one bit; {damage:?}"));
        }
        for bucket in BUCKETS {
            let listed = store
                .keys(bucket, 5)
                .await
                .map_err(|error| format!("listing: {error}"))?;
            for (key, etag) in listed {
                let name = (bucket, key);
                let values = self.values.get(&name).map_or(&[][..], Vec::as_slice);
                let known = values.iter().flatten().any(|object| object.etag == etag);
                if !known {
                    return Err(format!("{name:?} is listed with the ETag {etag:?}"));
                }
            }
        }
        Ok(())
    }

    /// Opens a shard with one bit turned over and looks at everything. `change`: puts one more object and opens again.
    async fn survive(&self, stage: &Stage, tape: &Arc<Tape>, lost_max: usize, change: bool) -> Result<(), String> {
        let open = async || {
            let opened = Store::open(&stage.directory, Some(tape.clone()), Options::default()).await;
            opened.map_err(|error| format!("opening: {error}"))
        };
        let (store, found) = open().await?;
        let mut result = self.check(&store, &found.damage, lost_max).await;
        let left: BTreeSet<PathBuf> = stage.directory.files().into_iter().collect();
        let gone: Vec<&PathBuf> = self.files.keys().filter(|path| !left.contains(*path)).collect();
        if result.is_ok() && !gone.is_empty() {
            result = Err(format!("{gone:?} were removed"));
        }
        let object = Object::random(&mut Generator::new(5), 6000);
        if change && result.is_ok() {
            let put = store.put(BUCKETS[0], EXTRA, &object, Body::Small).await;
            result = put.map_err(|error| format!("one more: {error}"));
        }
        store.close().await;
        result?;
        if change {
            let (store, _) = open().await?;
            let read = store.read(BUCKETS[0], EXTRA).await;
            store.close().await;
            if !matches!(&read, Ok(Some(read)) if *read == object) {
                return Err(format!("one more object was read as {read:?}"));
            }
        }
        Ok(())
    }

    /// Flips one bit after the other; what went wrong.
    async fn flip(&self, places: &[Place], stage: &str, generator: &mut Generator) -> Vec<String> {
        let mut stage = Stage::new(Directory::like(&self.directory, stage));
        let mut touched = HashSet::new();
        let mut violations = Vec::new();
        for (path, position, bit) in places {
            stage.show(&flipped(&self.files, path, *position, *bit), &touched);
            let tape = Tape::new(stage.directory.root());
            let lost_max = if is_segment(path) && *position < BLOCK {
                usize::MAX
            } else {
                TOGETHER
            };
            let result = self.survive(&stage, &tape, lost_max, generator.percent(15)).await;
            touched.extend(tape.take().touched());
            if let Err(reason) = result {
                violations.push(format!("{path:?}, byte {position}, bit {bit}: {reason}"));
            }
        }
        violations
    }
}

fn is_segment(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "seg")
}

#[test]
fn a_flipped_bit_is_never_served() {
    let seed = seed();
    let mut generator = Generator::new(seed);
    let original = run(original(&mut generator)).unwrap();
    let places = places(&original.files, &mut generator);
    let chunks = places.chunks(places.len().div_ceil(THREADS)).enumerate();
    let violations: Vec<String> = std::thread::scope(|scope| {
        let flip = |(index, places)| {
            let (original, mut generator) = (&original, Generator::new(generator.clone().next() + index as u64));
            scope.spawn(move || run(original.flip(places, &format!("flips-stage-{index}"), &mut generator)).unwrap())
        };
        let threads: Vec<_> = chunks.map(flip).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    println!("seed {seed}: {} bits were flipped", places.len());
    let (count, first) = (violations.len(), &violations[..violations.len().min(20)]);
    assert!(
        count == 0,
        "seed {seed}: {count} violations, the first:\n{}",
        first.join("\n")
    );
}

/// Nothing takes a mountpath whose marker is damaged for an empty directory.
#[test]
fn a_flipped_bit_in_the_marker_is_refused_or_harmless() {
    let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("flips-marker-{}", std::process::id()));
    let format = || FormatOptions {
        node: [1; 16],
        shard_count: 1,
    };
    let mountpath = Mountpath::open(&root, format).unwrap();
    let (shards, marker) = (mountpath.shards().to_vec(), mountpath.shard_paths(0).marker());
    drop(mountpath);
    let text = fs::read(&marker).unwrap();
    let mut refused = 0;
    for position in 0..text.len() {
        for bit in 0..8 {
            let mut damaged = text.clone();
            damaged[position] ^= 1 << bit;
            fs::write(&marker, &damaged).unwrap();
            match Mountpath::open(&root, || panic!("a damaged mountpath is formatted")) {
                // Another identity: no segment of the shard passes for its own, so nothing wrong is read.
                Ok(mountpath) => assert!(mountpath.shards().len() == 1),
                Err(_) => refused += 1,
            }
        }
    }
    fs::write(&marker, &text).unwrap();
    let mountpath = Mountpath::open(&root, || panic!("it is formatted")).unwrap();
    assert_eq!(mountpath.shards(), shards);
    assert!(refused > 0);
    drop(mountpath);
    fs::remove_dir_all(&root).unwrap();
}
