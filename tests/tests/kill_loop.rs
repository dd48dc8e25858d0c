//! `kill -9` again and again, at any moment: what clients were told is done stays done, what they saw stays true, and
//! nothing else appears.
//!
//! `CORELANE_KILLS` says how often (200 by default, split over the tests of this file; for thousands use `cargo test`, which
//! has no time limit); `CORELANE_SEED` repeats a run, as far as threads and processes can be repeated. A run that fails
//! keeps its directory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    client::{Ports, Way, learn_lanes},
    cluster::Cluster,
    history::History,
    lanes::Lanes,
    process::wait_for,
    random::{self, Random},
    request::Request,
    store::cores,
    value::{ABSENT, Version},
    worker::{Trouble, Work, Worker},
};
use proto::limits::INLINE_OBJECT_BYTES_MAX;
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

const BUCKET: &str = "killed";
/// Keys that are written all the time, and keys that are written now and then.
const HOT_KEYS: usize = 30;
const COLD_KEYS: usize = 120;
const NARROW_KEYS: usize = 4;
/// Contents: none, in the log's batch, in the log from their own buffer, and in files of their own.
const LENGTHS: &[(usize, usize)] = &[
    (10, 0),
    (25, 100),
    (25, 4 << 10),
    (20, 40 << 10),
    (17, 300 << 10),
    (3, 2 << 20),
];
const CLIENTS_MAX: usize = 6;
const READERS: usize = 4;
const LOAD_MAX: Duration = Duration::from_millis(220);

/// What a test of this file is about.
struct Setting {
    mountpaths: usize,
    node_arguments: &'static [&'static str],
    /// Of all kills.
    percent: usize,
}

/// How a round goes.
#[derive(Debug)]
struct Round {
    clients: usize,
    load: Duration,
    /// Small contents on a handful of keys: what is seen the moment before the kill.
    is_narrow: bool,
    /// SIGTERM first, and SIGKILL so much later.
    stop_before: Option<Duration>,
    gateway: GatewayKill,
    kills_at_start: usize,
    on_fixed_ports: bool,
    max_keys: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GatewayKill {
    No,
    BeforeNode,
    AfterNode,
}

impl Round {
    fn new(random: &mut Random) -> Self {
        Self {
            clients: 1 + random.below(CLIENTS_MAX),
            load: up_to(random, LOAD_MAX),
            is_narrow: random.below(3) == 0,
            stop_before: (random.below(8) == 0).then(|| up_to(random, Duration::from_millis(60))),
            gateway: match random.below(6) {
                0 => GatewayKill::BeforeNode,
                1 => GatewayKill::AfterNode,
                _ => GatewayKill::No,
            },
            kills_at_start: (1 + random.below(3)) * usize::from(random.below(4) == 0),
            on_fixed_ports: random.below(2) == 0,
            max_keys: *random.choose(&[7, 100, 1000]),
        }
    }
}

/// The store, and what it must hold.
struct Loop {
    cluster: Cluster,
    work: Work,
    random: Random,
    /// What each key held when it was last looked at.
    held: BTreeMap<String, Version>,
    /// Of the round, and of all rounds what was written.
    history: History,
    start_time: Duration,
    kills: usize,
    /// Events, and those of them without an answer.
    events: (usize, usize),
}

impl Loop {
    fn new(setting: &Setting, seed: u64) -> Self {
        let cluster = Cluster::start(setting.mountpaths, setting.node_arguments);
        cluster.send(Request::bucket("PUT", BUCKET)).expect_status(200);
        let keys: Vec<String> = (0..HOT_KEYS)
            .map(|number| format!("hot/{number:02}"))
            .chain((0..COLD_KEYS).map(|number| format!("cold/ä {number:03}")))
            .collect();
        let mut lanes = Lanes::new(&cluster.cluster_key_file());
        learn_lanes(&mut lanes, cluster.ports().gateway, BUCKET, &keys);
        assert!(lanes.shards() >= 2, "the keys of this test are to be on several shards");
        Self {
            cluster,
            held: keys.iter().map(|key| (key.clone(), ABSENT)).collect(),
            work: Work::new(BUCKET, keys, lanes),
            random: Random::new(seed),
            history: History::default(),
            start_time: Duration::from_millis(60),
            kills: 0,
            events: (0, 0),
        }
    }

    fn round(&mut self) {
        let round = Round::new(&mut self.random);
        eprintln!("after {} kills: {round:?}", self.kills);
        self.load_and_kill(&round);
        if round.gateway != GatewayKill::No {
            self.cluster.start_gateway();
        }
        for _ in 0..round.kills_at_start {
            // Mostly before it serves, and sometimes just after.
            let moment = up_to(&mut self.random, self.start_time * 5 / 4);
            self.cluster
                .kill_node_at_start(round.on_fixed_ports, || thread::sleep(moment));
            self.kills += 1;
        }
        let began = Instant::now();
        self.cluster.start_node(round.on_fixed_ports);
        self.start_time = began.elapsed();
        self.look_at_everything(round.max_keys);
        self.cluster.assert_no_errors();
    }

    /// Clients work until the node is killed under them.
    fn load_and_kill(&mut self, round: &Round) {
        let Self {
            cluster,
            work,
            random,
            history,
            kills,
            ..
        } = self;
        let work: &Work = work;
        let killed = AtomicBool::new(false);
        let ports = cluster.ports();
        let (ends, ended_from_ns) = thread::scope(|scope| {
            let clients: Vec<_> = (0..round.clients)
                .map(|number| {
                    let worker = Worker::new(work, number, ports.clone());
                    let random = Random::new(random.next_u64());
                    let killed = &killed;
                    let step: Step = if round.is_narrow { narrow_step } else { step };
                    scope.spawn(move || run(worker, random, killed, step))
                })
                .collect();
            thread::sleep(round.load);
            let ended_from_ns = work.clock.now_ns();
            if let Some(pause) = round.stop_before {
                cluster.ask_node_to_stop();
                thread::sleep(pause);
            }
            if round.gateway == GatewayKill::BeforeNode {
                cluster.kill_gateway();
            }
            cluster.kill_node();
            *kills += 1;
            killed.store(true, Ordering::Relaxed);
            if round.gateway == GatewayKill::AfterNode {
                cluster.kill_gateway();
            }
            let ends: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
            (ends, ended_from_ns)
        });
        for (of_client, trouble) in ends {
            history.merge(of_client);
            if let Some(Trouble { at_ns, what }) = trouble {
                assert!(at_ns >= ended_from_ns, "an answer before the kill: {what}");
            }
        }
    }

    /// GET of every key and a listing.
    fn look_at_everything(&mut self, max_keys: usize) {
        let ports = self.cluster.ports();
        let before = std::mem::take(&mut self.held);
        for (of_reader, seen) in get_all(&self.work, &ports, &mut self.random) {
            self.history.merge(of_reader);
            self.held.extend(seen);
        }
        let mut lister = Worker::new(&self.work, CLIENTS_MAX + READERS, ports);
        if let Err(trouble) = lister.list(Way::Gateway, max_keys) {
            panic!("LIST: {trouble:?}");
        }
        self.history.merge(lister.into_history());
        if let Err(report) = self.history.check(|key| before[key]) {
            panic!("{report}");
        }
        self.events.0 += self.history.len();
        self.events.1 += self.history.unanswered();
        self.history.forget_events();
    }

    /// What was overwritten, deleted or never finished leaves no file behind.
    fn wait_for_no_more_files_than_objects(&self) {
        let length = |(key, version): (&String, &Version)| self.history.length(key, *version);
        let is_large = |length: &usize| u64::try_from(*length).unwrap() > INLINE_OBJECT_BYTES_MAX;
        let large = self.held.iter().map(length).filter(is_large).count();
        wait_for("as many files as large objects", || {
            (self.cluster.blob_count() == large).then_some(())
        });
    }
}

/// What every key holds, by readers that share the keys.
fn get_all(work: &Work, ports: &Ports, random: &mut Random) -> Vec<(History, Vec<(String, Version)>)> {
    let get = |worker: &mut Worker<'_>, random: &mut Random, key: &String| {
        let way = *random.choose(&[Way::Gateway, Way::Lane, Way::Lane]);
        match worker.get(way, key) {
            Ok(version) => (key.clone(), version),
            Err(trouble) => panic!("GET of {key}: {trouble:?}"),
        }
    };
    thread::scope(|scope| {
        let readers: Vec<_> = (0..READERS)
            .map(|reader| {
                let mut worker = Worker::new(work, CLIENTS_MAX + reader, ports.clone());
                let mut random = Random::new(random.next_u64());
                let keys = work.keys.iter().skip(reader).step_by(READERS);
                scope.spawn(move || {
                    let seen = keys.map(|key| get(&mut worker, &mut random, key)).collect();
                    (worker.into_history(), seen)
                })
            })
            .collect();
        readers.into_iter().map(|reader| reader.join().unwrap()).collect()
    })
}

fn up_to(random: &mut Random, most: Duration) -> Duration {
    Duration::from_nanos(random.next_u64() % u64::try_from(most.as_nanos()).unwrap())
}

type Step = fn(&mut Worker<'_>, &mut Random) -> Result<(), Trouble>;

/// One client's requests, until the first that has no answer.
fn run(mut worker: Worker<'_>, mut random: Random, killed: &AtomicBool, step: Step) -> (History, Option<Trouble>) {
    let mut trouble = None;
    while trouble.is_none() && !killed.load(Ordering::Relaxed) {
        trouble = step(&mut worker, &mut random).err();
    }
    (worker.into_history(), trouble)
}

fn step(worker: &mut Worker<'_>, random: &mut Random) -> Result<(), Trouble> {
    let way = *random.choose(&[Way::Gateway, Way::Lane]);
    let key = key(worker.work(), random);
    match random.below(100) {
        0..55 => worker.put(way, &key, length(random)),
        55..68 => worker.delete(way, &key),
        68..72 => {
            let keys: Vec<String> = (0..1 + random.below(6))
                .map(|_| self::key(worker.work(), random))
                .collect();
            worker.delete_many(Way::Gateway, &keys)
        }
        72..94 => worker.get(way, &key).map(drop),
        94..98 => worker.head(way, &key).map(drop),
        _ => worker.list(Way::Gateway, 1000),
    }
}

fn narrow_step(worker: &mut Worker<'_>, random: &mut Random) -> Result<(), Trouble> {
    let key = random.choose(&worker.work().keys[worker.work().keys.len() - NARROW_KEYS..]);
    match random.below(10) {
        0..2 => worker.put(Way::Lane, key, *random.choose(&[0, 100, 4 << 10])),
        2..4 => worker.delete(Way::Lane, key),
        _ => worker.get(Way::Lane, key).map(drop),
    }
}

fn key(work: &Work, random: &mut Random) -> String {
    let is_hot = random.below(3) > 0;
    let keys: Vec<&String> = work
        .keys
        .iter()
        .filter(|key| key.starts_with("hot") == is_hot)
        .collect();
    (*random.choose(&keys)).clone()
}

fn length(random: &mut Random) -> usize {
    let mut at = random.below(LENGTHS.iter().map(|(weight, _)| weight).sum());
    for (weight, length) in LENGTHS {
        if at < *weight {
            return *length;
        }
        at -= weight;
    }
    0
}

fn kill_loop(setting: &Setting) {
    let wanted = std::env::var("CORELANE_KILLS").map_or(200, |text| text.parse().expect("CORELANE_KILLS is a number"));
    let wanted = (wanted * setting.percent).div_ceil(100);
    let mut kills = Loop::new(setting, random::seed());
    while kills.kills < wanted {
        kills.round();
    }
    // A clean stop is one more way to end.
    kills.cluster.stop_node();
    kills.cluster.start_node(false);
    kills.look_at_everything(1000);
    kills.cluster.assert_no_errors();
    kills.wait_for_no_more_files_than_objects();
    let (events, unanswered) = kills.events;
    eprintln!(
        "{} kills, {events} events, {unanswered} of them unanswered",
        kills.kills
    );
}

#[test]
fn kills_lose_nothing_and_invent_nothing() {
    let mountpaths = if cores() == 1 { 2 } else { 1 };
    kill_loop(&Setting {
        mountpaths,
        node_arguments: &[],
        percent: 60,
    });
}

#[test]
fn kills_on_several_mountpaths_lose_nothing() {
    kill_loop(&Setting {
        mountpaths: 2,
        node_arguments: &[],
        percent: 20,
    });
}

/// Without a sync the kernel has what was acknowledged, and it outlives the process.
#[test]
fn kills_without_syncs_lose_nothing() {
    kill_loop(&Setting {
        mountpaths: 2,
        node_arguments: &["--durability", "none"],
        percent: 20,
    });
}
