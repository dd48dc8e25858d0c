//! Power is lost at every moment of a workload: whatever the disk then holds of what was not synced, everything
//! acknowledged is there, nothing else is, and the shard goes on.
#![cfg(debug_assertions)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use corelane_mountpath::{
    completion::completion,
    error::StoreError,
    io::{run, spawn, yield_now},
    shard_store::Change,
};
use proto::s3::{bucket::BucketId, version::VersionId};
use std::{cell::RefCell, collections::HashSet, rc::Rc};
use support::{
    directory::Directory,
    disk::{Files, Stage, load},
    environment,
    generator::Generator,
    history::{History, Name, fence_name, fence_object, see},
    power::lose_power,
    seed,
    store::{Body, Object, Options, Store},
    tape::{Recording, Tape},
};

const BUCKETS: [BucketId; 3] = [BucketId(1), BucketId(2), BucketId(u64::MAX)];
/// The bucket that is only fenced.
const FENCED: BucketId = BUCKETS[2];
const LIVES: usize = 4;
/// So that there are several.
const SMALL_SEGMENTS: Options = Options {
    sync: true,
    segment_bytes: 128 * 1024,
    maintain: false,
    direct: true,
};
/// Threads that lose power, each on a directory of its own: they mostly wait for the disk.
const THREADS: usize = 4;
/// Power is lost up to so many times in a row, each time while the shard recovers from the time before.
const LOSSES_MAX: usize = 3;

/// A shard at work, recorded.
struct Workload {
    directory: Directory,
    tape: std::sync::Arc<Tape>,
    history: Rc<RefCell<History>>,
    generator: Generator,
    options: Options,
}

impl Workload {
    async fn open(&self) -> Store {
        let (store, found) = Store::open(&self.directory, Some(self.tape.clone()), self.options)
            .await
            .unwrap();
        assert_eq!(found.damage, Vec::<String>::new());
        let names = self.history.borrow().names();
        let seen = see(&store, &BUCKETS, &names).await.unwrap();
        let tick = self.tape.tick();
        self.history.borrow().check(&seen, tick).unwrap();
        self.history.borrow_mut().observed(&seen, tick);
        store
    }

    /// A few changes at once. `cut_short`: the process dies meanwhile.
    async fn round(&mut self, store: &Rc<Store>, cut_short: bool) {
        let mut waiting = Vec::new();
        for _ in 0..self.generator.between(1, 5) {
            let (name, object) = self.choose();
            let body = object.as_ref().map(|object| choose_body(&mut self.generator, object));
            let (giver, receiver) = completion();
            let (store, history, tape) = (Rc::clone(store), Rc::clone(&self.history), self.tape.clone());
            spawn(async move {
                giver.give(change(&store, &history, &tape, name, object, body).await);
            });
            waiting.push(receiver);
        }
        if cut_short {
            for _ in 0..self.generator.below(40) {
                yield_now().await;
            }
            store.crash().await;
        }
        for receiver in waiting {
            let result = receiver.wait().await.unwrap();
            assert!(result.is_ok() || cut_short, "{result:?}");
        }
    }

    /// What a shard does for itself, now and then.
    async fn tidy(&mut self, store: &Store) {
        if self.generator.percent(30) {
            store.merge().await.unwrap();
            if self.generator.percent(60) {
                store.compact().await.unwrap();
            }
        }
    }

    fn choose(&mut self) -> (Name, Option<Object>) {
        let generator = &mut self.generator;
        if generator.percent(4) {
            return (fence_name(FENCED), generator.percent(60).then(fence_object));
        }
        let name = (*generator.pick(&BUCKETS[..2]), format!("key-{}", generator.below(9)));
        if generator.percent(25) {
            return (name, None);
        }
        let size = match generator.below(10) {
            0 => 0,
            1..=5 => generator.between(1, 600),
            6 => *generator.pick(&[4095, 4096, 4097, 8192]),
            7 => generator.between(4097, 30_000),
            8 => generator.between(30_000, 70_000),
            _ => generator.between(128 * 1024, 140_000),
        };
        (name, Some(Object::random(generator, size)))
    }
}

async fn change(
    store: &Store,
    history: &RefCell<History>,
    tape: &Tape,
    name: Name,
    object: Option<Object>,
    body: Option<Body>,
) -> Result<(), StoreError> {
    let is_fence = name == fence_name(FENCED);
    if let (Some(object), Some(Body::Parts)) = (&object, body) {
        let upload = store.upload(name.0, &name.1, object).await?;
        let ticket = history.borrow_mut().submitted(&name, Some(object.clone()), tape.tick());
        store.complete(name.0, &name.1, object, upload).await?;
        history.borrow_mut().acknowledged(&ticket, tape.tick());
        return Ok(());
    }
    let change = match (&object, body) {
        _ if is_fence => Change::Fence(object.is_some()),
        (Some(object), Some(body)) => store.prepare(object, body).await?,
        _ => Change::Delete(VersionId::Null),
    };
    let ticket = history.borrow_mut().submitted(&name, object, tape.tick());
    let key = if is_fence { "" } else { &name.1 };
    store.submit(name.0, key, change).done().await?;
    history.borrow_mut().acknowledged(&ticket, tape.tick());
    Ok(())
}

fn choose_body(generator: &mut Generator, object: &Object) -> Body {
    match object.bytes.len() {
        _ if generator.percent(12) => Body::Parts,
        0..=300 => Body::Small,
        301..=32_768 => *generator.pick(&[Body::Small, Body::Small, Body::Buffered, Body::Blob]),
        _ => *generator.pick(&[Body::Buffered, Body::Blob]),
    }
}

/// Lives of a shard: one ends cleanly, the others with a dead process in the middle of changes.
async fn record(name: &str, seed: u64, options: Options, rounds: usize) -> (Directory, Files, Recording, History) {
    let directory = Directory::new(name);
    let base = load(&directory);
    let tape = Tape::new(directory.root());
    let mut workload = Workload {
        tape,
        directory,
        history: Rc::default(),
        generator: Generator::new(seed),
        options,
    };
    for life in 0..LIVES {
        let store = Rc::new(workload.open().await);
        for round in 1..=rounds {
            workload.round(&store, life > 0 && round == rounds).await;
            if round < rounds {
                workload.tidy(&store).await;
            }
        }
        if life == 0 {
            store.close().await;
        }
    }
    let history = workload.history.take();
    (workload.directory, base, workload.tape.take(), history)
}

/// Opens the shard on what a cut left, checks it, changes it, and opens it again, or loses power again on the way.
async fn survive(
    stage: &mut Stage,
    mut files: Files,
    mut history: History,
    options: Options,
    generator: &mut Generator,
    touched: &mut HashSet<std::path::PathBuf>,
) -> Result<(), String> {
    for loss in 1.. {
        stage.show(&files, touched);
        let tape = Tape::new(stage.directory.root());
        let result = live(stage, &mut history, &tape, options, generator).await;
        let recording = tape.take();
        touched.extend(recording.touched());
        result.map_err(|reason| format!("after loss {loss}: {reason}"))?;
        if loss >= LOSSES_MAX || !generator.percent(40) {
            break;
        }
        let cut = generator.between(0, recording.ticks);
        files = lose_power(&files, &recording, cut, generator);
        history = history.after(cut);
    }
    Ok(())
}

/// Opens what is there, checks it, puts one more object, and does it all again.
async fn live(
    stage: &Stage,
    history: &mut History,
    tape: &std::sync::Arc<Tape>,
    options: Options,
    generator: &mut Generator,
) -> Result<(), String> {
    for turn in 0..2 {
        let (store, found) = Store::open(&stage.directory, Some(tape.clone()), options)
            .await
            .map_err(|error| format!("opening {turn}: {error}"))?;
        let result = look_and_change(&store, history, tape, generator).await;
        if generator.percent(50) {
            store.close().await;
        } else {
            store.crash().await;
        }
        result.map_err(|reason| format!("opening {turn}: {reason}"))?;
        if !found.damage.is_empty() {
            return Err(format!("opening {turn}: damage reported: {:?}", found.damage));
        }
    }
    Ok(())
}

async fn look_and_change(
    store: &Store,
    history: &mut History,
    tape: &Tape,
    generator: &mut Generator,
) -> Result<(), String> {
    let seen = see(store, &BUCKETS, &history.names()).await?;
    let tick = tape.tick();
    history.check(&seen, tick)?;
    history.observed(&seen, tick);
    let name = (*generator.pick(&BUCKETS[..2]), format!("key-{}", generator.below(12)));
    let size = generator.between(0, 9000);
    let object = Object::random(generator, size);
    let body = choose_body(generator, &object);
    let failed = |error| format!("one more object: {error}");
    if body == Body::Parts {
        let upload = store.upload(name.0, &name.1, &object).await.map_err(failed)?;
        let ticket = history.submitted(&name, Some(object.clone()), tape.tick());
        let completed = store.complete(name.0, &name.1, &object, upload).await;
        completed.map_err(failed)?;
        history.acknowledged(&ticket, tape.tick());
    } else {
        let change = store.prepare(&object, body).await.map_err(failed)?;
        let ticket = history.submitted(&name, Some(object), tape.tick());
        store.submit(name.0, &name.1, change).done().await.map_err(failed)?;
        history.acknowledged(&ticket, tape.tick());
    }
    let seen = see(store, &BUCKETS, &history.names()).await?;
    history.check(&seen, tape.tick())
}

/// Loses power after every tick; the violations that the threads met first.
fn lose_power_everywhere(name: &str, seed: u64, options: Options, rounds: usize, per_cut: u64) -> Vec<String> {
    let (directory, base, recording, history) = run(record(name, seed, options, rounds)).unwrap();
    let lose = async |thread: usize| {
        let mut stage = Stage::new(Directory::like(&directory, &format!("{name}-stage-{thread}")));
        let mut touched = HashSet::new();
        for round in 0..per_cut {
            for cut in (thread..=recording.ticks).step_by(THREADS) {
                let generator = &mut Generator::new(seed ^ (round << 48) ^ ((cut as u64) << 24));
                let files = lose_power(&base, &recording, cut, generator);
                let history = history.after(cut);
                if let Err(reason) = survive(&mut stage, files, history, options, generator, &mut touched).await {
                    let before = recording.last_before(cut, 12).join("\n  ");
                    let ticks = recording.ticks;
                    return Some(format!(
                        "seed {seed}, round {round}, power lost after tick {cut} of {ticks}: {reason}\n  {before}"
                    ));
                }
            }
        }
        None
    };
    let violations: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| scope.spawn(move || run(lose(thread)).unwrap()))
            .collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.join().unwrap())
            .collect()
    });
    println!(
        "seed {seed}: power was lost after each of {} ticks, {per_cut} times",
        recording.ticks
    );
    violations
}

#[test]
fn what_was_acknowledged_survives_the_loss_of_power() {
    let per_cut = environment("CORELANE_POWER_LOSS_ROUNDS").unwrap_or(1);
    let violations = lose_power_everywhere("power", seed(), SMALL_SEGMENTS, 7, per_cut);
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn nothing_acknowledged_is_lost_without_o_direct() {
    let buffered = Options {
        direct: false,
        ..SMALL_SEGMENTS
    };
    let violations = lose_power_everywhere("power-buffered", seed(), buffered, 3, 1);
    assert!(violations.is_empty(), "{}", violations.join("\n"));
}

#[test]
fn an_engine_that_does_not_sync_is_caught() {
    let violations = lose_power_everywhere(
        "power-unsynced",
        seed(),
        Options {
            sync: false,
            ..SMALL_SEGMENTS
        },
        3,
        3,
    );
    assert!(!violations.is_empty(), "the tests of power loss see nothing");
}
