//! Many clients on few keys: whatever they do at the same time, each key behaves as if one thing had happened after the
//! other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    client::{Ports, Way, learn_lanes},
    history::{Event, History, Outcome},
    lanes::Lanes,
    random::{self, Random},
    store::{Store, cores},
    value::{ABSENT, Version},
    worker::{Trouble, Work, Worker},
};
use std::thread;

const BUCKET: &str = "history";

/// A mix of operations; the numbers are weights.
struct Mix {
    clients: usize,
    operations: usize,
    keys: &'static [&'static str],
    lengths: &'static [usize],
    put: usize,
    delete: usize,
    delete_many: usize,
    get: usize,
    head: usize,
    list: usize,
    max_keys: &'static [usize],
}

const BALANCED: Mix = Mix {
    clients: 8,
    operations: 500,
    keys: &["a", "b/ü", "b/ü/c", "d%2F", "e f"],
    lengths: &[0, 100, 100, 4 << 10, 40 << 10],
    put: 30,
    delete: 10,
    delete_many: 5,
    get: 40,
    head: 5,
    list: 10,
    max_keys: &[1, 2, 1000],
};

/// One key that everybody wants.
const ONE_KEY: Mix = Mix {
    clients: 12,
    operations: 300,
    keys: &["only"],
    lengths: &[0, 64, 5000],
    ..BALANCED
};

/// Contents of every way to store them, of which a reader may see the middle of the next.
const LARGE: Mix = Mix {
    clients: 6,
    operations: 150,
    keys: &["small", "large", "larger"],
    lengths: &[100, 40 << 10, 256 << 10, (256 << 10) + 1, 300 << 10, 1 << 20, 3 << 20],
    put: 35,
    get: 50,
    delete: 5,
    delete_many: 2,
    list: 3,
    ..BALANCED
};

/// Deletions and listings that meet.
const DELETIONS: Mix = Mix {
    keys: &["0", "1", "2", "3", "4", "5"],
    lengths: &[0, 100, 33_000],
    operations: 300,
    put: 30,
    delete: 10,
    delete_many: 20,
    get: 15,
    head: 5,
    list: 20,
    ..BALANCED
};

impl Mix {
    fn step(&self, worker: &mut Worker<'_>, way: Way, random: &mut Random) -> Result<(), Trouble> {
        // Listings and DeleteObjects know no lane.
        let signed_way = if way == Way::Lane { Way::Gateway } else { way };
        let key = *random.choose(self.keys);
        let weights = [self.put, self.delete, self.delete_many, self.get, self.head, self.list];
        match weighted(&weights, random) {
            0 => worker.put(way, key, *random.choose(self.lengths)),
            1 => worker.delete(way, key),
            2 => {
                let mut keys: Vec<String> = self.keys.iter().map(|key| (*key).to_owned()).collect();
                keys.retain(|_| random.below(2) == 0);
                keys.push(key.to_owned());
                worker.delete_many(signed_way, &keys)
            }
            3 => worker.get(way, key).map(drop),
            4 => worker.head(way, key).map(drop),
            _ => worker.list(signed_way, *random.choose(self.max_keys)),
        }
    }
}

fn weighted(weights: &[usize], random: &mut Random) -> usize {
    let mut at = random.below(weights.iter().sum());
    for (index, weight) in weights.iter().enumerate() {
        if at < *weight {
            return index;
        }
        at -= weight;
    }
    0
}

/// Runs a mix twice, with two seeds, on a new store, and checks what the clients saw.
fn check(mix: &Mix, ways: &[Way]) {
    let mut random = Random::new(random::seed());
    for round in 0..2 {
        let store = Store::start();
        store.make_bucket(BUCKET);
        let keys: Vec<String> = mix.keys.iter().map(|key| (*key).to_owned()).collect();
        let mut lanes = Lanes::new(&store.data().join("control/cluster.key"));
        learn_lanes(&mut lanes, store.port(), BUCKET, &keys);
        let work = Work::new(BUCKET, keys, lanes);
        let ports = Ports {
            gateway: store.port(),
            cores: store.core_ports().to_vec(),
        };
        let mut history = History::default();
        let histories: Vec<History> = thread::scope(|scope| {
            let clients: Vec<_> = (0..mix.clients)
                .map(|number| {
                    let mut worker = Worker::new(&work, number, ports.clone());
                    let mut random = Random::new(random.next_u64());
                    scope.spawn(move || {
                        for _ in 0..mix.operations {
                            let way = *random.choose(ways);
                            if let Err(trouble) = mix.step(&mut worker, way, &mut random) {
                                panic!("nothing was killed, and yet: {}", trouble.what);
                            }
                        }
                        worker.into_history()
                    })
                })
                .collect();
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });
        for of_client in histories {
            history.merge(of_client);
        }
        let (events, collisions) = (history.len(), history.collisions());
        eprintln!("round {round}: {events} events, {collisions} of them overlap a write");
        assert!(collisions > events / 10, "the clients kept out of each other's way");
        if let Err(report) = history.check(|_| ABSENT) {
            panic!("{report}");
        }
        refuses_a_lie(history, &work);
    }
}

/// The same history with one read that is not true is refused: the check means something.
fn refuses_a_lie(mut history: History, work: &Work) {
    let first: Version = ABSENT + 1;
    let now_ns = work.clock.now_ns();
    let lie = |key: &str, outcome: Outcome| Event {
        client: usize::MAX,
        key: key.to_owned(),
        how: "lie",
        outcome,
        invoked_ns: now_ns,
        returned_ns: Some(now_ns + 1),
    };
    let key = &work.keys[0];
    // Whatever the key holds now, it is not what it holds and nothing at once.
    history.note(lie(key, Outcome::Wrote(first + 1_000_000)));
    history.note(lie(key, Outcome::Saw(first)));
    assert!(history.check(|_| ABSENT).is_err());
}

#[test]
fn a_balanced_mix() {
    check(&BALANCED, &[Way::Gateway, Way::Lane]);
}

#[test]
fn one_key_that_everybody_wants() {
    check(&ONE_KEY, &[Way::Gateway, Way::Lane]);
}

#[test]
fn large_contents_change_under_their_readers() {
    check(&LARGE, &[Way::Gateway, Way::Lane]);
}

#[test]
fn deletions_and_listings_meet() {
    check(&DELETIONS, &[Way::Gateway, Way::Lane]);
}

#[test]
fn every_way_to_a_key_leads_to_the_same_key() {
    let mix = Mix {
        operations: 200,
        ..BALANCED
    };
    let relays = (0..cores()).map(Way::Relay);
    check(
        &mix,
        &[Way::Gateway, Way::Lane].into_iter().chain(relays).collect::<Vec<_>>(),
    );
}
