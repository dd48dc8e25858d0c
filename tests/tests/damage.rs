//! Damage on the disk: a damaged object answers 500 or is cut off, is named in the log and by a scrub, and never gives
//! wrong bytes; everything else is served. A mountpath that goes away while the store serves takes only its own along.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    client::learn_lanes,
    command::run,
    directory::{Directory, files, program},
    lanes::Lanes,
    process::wait_for,
    raw::Connection,
    request::Request,
    store::{Store, cores},
};
use std::{fs, path::Path, process::Command};

const BUCKET: &str = "training";

fn content(key: &str, length: usize) -> Vec<u8> {
    key.bytes().chain(*b"-0123456789").cycle().take(length).collect()
}

/// Turns a bit over in the file below `data` that holds `bytes`, at `offset` within them.
#[track_caller]
fn damage(data: &Path, bytes: &[u8], offset: usize) {
    let start = &bytes[..64];
    for (path, _) in files(data) {
        let mut held = fs::read(&path).unwrap();
        if let Some(at) = held.windows(start.len()).position(|window| window == start) {
            held[at + offset] ^= 0x10;
            fs::write(&path, held).unwrap();
            return;
        }
    }
    panic!("no file holds the object");
}

fn scrub(data: &Path, json: bool) -> (Option<i32>, String) {
    let mut command = Command::new(program("corelane-node"));
    command.args(["scrub", "--mountpath"]).arg(data);
    if json {
        command.arg("--json");
    }
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_damaged_object_is_named_and_never_served() {
    let mut store = Store::start_with(&["--route", "proxy"]);
    store.make_bucket(BUCKET);
    let (small, large, fine) = (
        content("small", 5000),
        content("large", 1 << 20),
        content("fine", 300_000),
    );
    for (key, bytes) in [("small", &small), ("large", &large), ("fine", &fine)] {
        store.put(BUCKET, key, bytes.clone()).expect_status(200);
    }
    store.stop();
    assert_eq!(
        scrub(&store.data(), false),
        (Some(0), "3 objects read (1353576 bytes), 0 damaged\n".to_owned())
    );
    damage(&store.data(), &small, 4321);
    damage(&store.data(), &large, 900_000);

    let (status, said) = scrub(&store.data(), false);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("damaged: training/small: block 0"), "{said}");
    assert!(said.contains("damaged: training/large: block 6"), "{said}");
    assert!(!said.contains("fine"), "{said}");
    let (status, said) = scrub(&store.data(), true);
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (status, report["damaged"].as_array().unwrap().len()),
        (Some(2), 2),
        "{said}"
    );

    store.start_again();
    store.get(BUCKET, "small").expect_error(500, "InternalError");
    // The damage lies behind what is out already: the connection is cut before the first wrong byte.
    let mut connection = store.connect();
    connection.send(&store.signed(Request::object("GET", BUCKET, "large")).to_bytes());
    let (status, _) = connection.receive_head().unwrap();
    let body = connection.receive_to_end();
    assert_eq!(status, 200);
    assert!(
        body.len() < large.len() && large.starts_with(&body),
        "{} bytes",
        body.len()
    );
    assert!(store.get(BUCKET, "fine").expect_status(200).body == fine);
    let intact = Request::object("GET", BUCKET, "large").header("Range", "bytes=0-99999");
    assert!(store.send(intact).expect_status(206).body == large[..100_000]);
    let log = store.log();
    for key in ["small", "large"] {
        let named = |line: &str| line.contains("ERROR") && line.contains(BUCKET) && line.contains(key);
        assert!(log.lines().any(named), "{key} is not named in {log}");
    }
    store.put(BUCKET, "small", fine.clone()).expect_status(200);
    assert!(store.get(BUCKET, "small").expect_status(200).body == fine);
}

/// `checksum.validate_warm_get` off: what is on the disk is sent as it is, and is not taken for verified later.
#[test]
fn unverified_bytes_never_enter_the_cache() {
    let mut store = Store::start();
    store.make_bucket(BUCKET);
    let small = content("small", 5000);
    let put = Request::object("PUT", BUCKET, "small").body(small.clone());
    store.send_following(put).expect_status(200);
    store.stop();
    damage(&store.data(), &small, 4321);
    store.start_again();
    let mut lanes = Lanes::new(&store.data().join("control/cluster.key"));
    learn_lanes(&mut lanes, store.port(), BUCKET, &["small".to_owned()]);
    let port = store.core_ports()[lanes.core("small")];
    let get = |lanes: &Lanes| {
        let request = Request::object("GET", BUCKET, "small").header("Host", format!("127.0.0.1:{port}"));
        let mut connection = Connection::open(port);
        connection.send(&lanes.with_ticket("small", request).to_bytes());
        connection.receive("GET")
    };
    lanes.validate_warm_get(false);
    let mut damaged = small.clone();
    damaged[4321] ^= 0x10;
    assert!(get(&lanes).expect_status(200).body == damaged);
    lanes.validate_warm_get(true);
    get(&lanes).expect_error(500, "InternalError");
}

#[test]
fn a_scrub_refuses_what_is_no_mountpath_or_in_use() {
    let directory = Directory::new();
    let scrub = |path: &Path| {
        let mut command = Command::new(program("corelane-node"));
        command.args(["scrub", "--mountpath"]).arg(path);
        run(command)
    };
    scrub(directory.path()).fails_with("is not a mountpath");
    let store = Store::start();
    scrub(&store.data()).fails_with("in use by another process");
}

#[test]
fn a_mountpath_that_disappears_takes_only_its_own_objects_along() {
    let directory = Directory::new();
    let second = directory.join("second");
    let store = Store::start_with(&["--route", "proxy", "--data", second.to_str().unwrap()]);
    store.make_bucket(BUCKET);
    let keys: Vec<String> = (0..40).map(|number| format!("key-{number:02}")).collect();
    for key in &keys {
        store.put(BUCKET, key, content(key, 100)).expect_status(200);
    }
    fs::rename(&second, directory.join("away")).unwrap();
    // It is looked for once a second, by each of its shards.
    wait_for("the shards to be out of service", || {
        let noticed = store.log().matches("the shard is out of service").count();
        (noticed == cores()).then_some(())
    });
    let (mut served, mut lost) = (0, 0);
    for key in &keys {
        let answer = store.get(BUCKET, key);
        match answer.status {
            200 => {
                assert!(answer.body == content(key, 100), "{key} changed");
                store.put(BUCKET, key, content(key, 200));
                served += 1;
            }
            _ => {
                answer.expect_error(503, "ServiceUnavailable");
                let put = Request::object("PUT", BUCKET, key).body("new");
                store.send(put).expect_status(503);
                lost += 1;
            }
        }
    }
    assert!(served > 0 && lost > 0, "{served} served, {lost} lost");
    store
        .send(Request::bucket("GET", BUCKET).query("list-type", "2"))
        .expect_status(503);
    assert!(store.log().contains("its mountpath is gone"), "{}", store.log());
}
