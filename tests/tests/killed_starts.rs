//! Starts on what a killed process left, one after the other and without a clean stop in between.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    client::{Ports, Way},
    cluster::Cluster,
    command::run,
    directory::{Directory, program},
    history::History,
    lanes::Lanes,
    process::{children, is_running, wait_for},
    random::{self, Random},
    request::Request,
    store::{Store, serve_command},
    value::{ABSENT, Version},
    worker::{Work, Worker},
};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

const BUCKET: &str = "killed";

fn ports(store: &Store) -> Ports {
    Ports {
        gateway: store.port(),
        cores: store.core_ports().to_vec(),
    }
}

fn pause(random: &mut Random, most_ms: u64) {
    thread::sleep(Duration::from_micros(random.next_u64() % (most_ms * 1000)));
}

/// Reads every key and lists them; what they hold.
fn look(store: &Store, work: &Work, history: &mut History) -> BTreeMap<String, Version> {
    let mut worker = Worker::new(work, 1, ports(store));
    let held = work
        .keys
        .iter()
        .map(|key| (key.clone(), worker.get(Way::Gateway, key).unwrap()))
        .collect();
    worker.list(Way::Gateway, 1000).unwrap();
    history.merge(worker.into_history());
    held
}

#[test]
fn a_store_that_never_stops_cleanly_keeps_everything() {
    let mut random = Random::new(random::seed());
    let mut store = Store::start();
    store.make_bucket(BUCKET);
    let keys = (0..40).map(|number| format!("key-{number:02}")).collect();
    let lanes = Lanes::new(&store.data().join("control/cluster.key"));
    let work = Work::new(BUCKET, keys, lanes);
    let mut history = History::default();
    let mut held: BTreeMap<String, Version> = work.keys.iter().map(|key| (key.clone(), ABSENT)).collect();
    for round in 0..12 {
        // Now and then nothing at all happens between two kills.
        let changes = *random.choose(&[0, 1, 30]);
        let mut worker = Worker::new(&work, 0, ports(&store));
        for _ in 0..changes {
            let key = random.choose(&work.keys);
            match random.below(4) {
                0 => worker.delete(Way::Gateway, key).unwrap(),
                _ => {
                    let length = *random.choose(&[0, 100, 5000, 50_000, 300_000, 1_000_000]);
                    worker.put(Way::Gateway, key, length).unwrap();
                }
            }
        }
        history.merge(worker.into_history());
        match round % 4 {
            0 => store.kill9(),
            1 => store.kill9_one("corelane-node"),
            2 => store.kill9_one("corelane-gateway"),
            _ => store.kill9_one("corelane"),
        }
        for _ in 0..random.below(3) {
            store.kill9_at_start(|| pause(&mut random, 250));
        }
        store.start_again();
        let now_held = look(&store, &work, &mut history);
        if let Err(report) = history.check(|key| held[key]) {
            panic!("round {round}: {report}");
        }
        history.forget_events();
        held = now_held;
    }
    assert!(!store.log().contains(" ERROR "), "the store logged an error");
}

#[test]
fn a_store_killed_at_its_first_start_starts() {
    let mut random = Random::new(random::seed());
    for _ in 0..4 {
        let directory = Directory::new();
        let serve = || {
            let mut command = serve_command();
            command
                .args(["--json", "--port", "0", "--cores", "1", "--data"])
                .arg(directory.join("data"))
                .stdout(Stdio::piped());
            command.spawn().unwrap()
        };
        for _ in 0..4 {
            let mut killed = serve();
            pause(&mut random, 250);
            let children = children(killed.id());
            killed.kill().unwrap();
            killed.wait().unwrap();
            wait_for("the children to end", || {
                children.iter().all(|(child, _)| !is_running(*child)).then_some(())
            });
        }
        let mut whole = serve();
        let mut line = String::new();
        BufReader::new(whole.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(line.starts_with("READY "), "{line}");
        whole.kill().unwrap();
        whole.wait().unwrap();
    }
}

#[test]
fn a_node_killed_while_it_formats_starts_and_serves() {
    let mut random = Random::new(random::seed());
    for _ in 0..6 {
        let mut cluster = Cluster::start_without_node(2, &[]);
        for _ in 0..4 {
            cluster.kill_node_at_start(false, || pause(&mut random, 120));
        }
        cluster.start_node(false);
        cluster.send(Request::bucket("PUT", BUCKET)).expect_status(200);
        for key in ["a", "b", "c"] {
            cluster
                .send(Request::object("PUT", BUCKET, key).body(key))
                .expect_status(200);
        }
        cluster.kill_node();
        cluster.start_node(true);
        for key in ["a", "b", "c"] {
            let got = cluster.send(Request::object("GET", BUCKET, key)).expect_status(200);
            assert_eq!(got.text(), key);
        }
        cluster.assert_no_errors();
    }
}

#[test]
fn durability_is_sync_or_none() {
    let directory = Directory::new();
    std::fs::write(directory.join("cluster.key"), "5a".repeat(32)).unwrap();
    let mut command = Command::new(program("corelane-node"));
    command
        .arg("--mountpath")
        .arg(directory.join("data"))
        .arg("--cluster-key-file")
        .arg(directory.join("cluster.key"))
        .args(["--gateway", "127.0.0.1:1", "--durability", "sometimes"]);
    let ended = run(command).fails_with("sometimes");
    assert_eq!(ended.code, 2, "{ended}");
    assert!(
        ended.stderr.contains("sync") && ended.stderr.contains("none"),
        "{ended}"
    );
    assert!(!directory.join("data").exists());
    // What was written without syncs is there for a node that syncs, after a stop and after a kill, and the other way
    // round.
    for first in ["none", "sync"] {
        let mut cluster = Cluster::start(1, &["--durability", first]);
        cluster.send(Request::bucket("PUT", BUCKET)).expect_status(200);
        let sizes = [0, 100, 40_000, 300_000];
        for (number, durability) in ["sync", "none", "sync", "none"].into_iter().enumerate() {
            for size in sizes {
                let request = Request::object("PUT", BUCKET, &format!("{number}-{size}"));
                cluster
                    .send(request.body(random::bytes(u64::try_from(number).unwrap(), size)))
                    .expect_status(200);
            }
            if number % 2 == 0 {
                cluster.stop_node();
            } else {
                cluster.kill_node();
            }
            cluster.set_node_arguments(&["--durability", durability]);
            cluster.start_node(false);
            for written in 0..=number {
                for size in sizes {
                    let got = cluster
                        .send(Request::object("GET", BUCKET, &format!("{written}-{size}")))
                        .expect_status(200);
                    assert!(
                        got.body == random::bytes(u64::try_from(written).unwrap(), size),
                        "{written}-{size}"
                    );
                }
            }
        }
        cluster.assert_no_errors();
    }
}
