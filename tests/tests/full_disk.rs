//! A disk that is full: writes are refused in an orderly way, nothing that was acknowledged is lost, and what is deleted
//! makes room again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{process::wait_for, random::Random, raw::Response, request::Request, store::Store};
use std::collections::BTreeMap;

const BUCKET: &str = "full";
/// Room for a segment or two of each shard and some large objects.
const DISK_BYTES: u64 = 256 * 1024 * 1024;
/// Room for several segments of each shard.
const LOG_DISK_BYTES: u64 = 512 * 1024 * 1024;

/// Key to content of everything that was acknowledged.
type Model = BTreeMap<String, Vec<u8>>;

fn put(store: &Store, key: &str, content: &[u8]) -> Response {
    store.send(Request::object("PUT", BUCKET, key).body(content))
}

/// Every shard has begun its log.
fn begin(store: &Store) -> Model {
    store.make_bucket(BUCKET);
    let mut model = Model::new();
    for number in 0..32 {
        let (key, content) = (format!("small/{number:02}"), vec![number; 1000]);
        put(store, &key, &content).expect_status(200);
        model.insert(key, content);
    }
    model
}

/// Puts objects of this size until none fits; every shard has refused one then.
fn fill(store: &Store, model: &mut Model, prefix: &str, bytes: usize) {
    let mut random = Random::new(7);
    let mut refusals_in_a_row = 0;
    let mut number = 0;
    while refusals_in_a_row < 16 {
        let key = format!("{prefix}/{number:05}");
        let content = random.bytes(bytes);
        let answer = put(store, &key, &content);
        number += 1;
        if answer.status == 200 {
            refusals_in_a_row = 0;
            model.insert(key, content);
        } else {
            answer.expect_error(503, "SlowDown");
            refusals_in_a_row += 1;
        }
        assert!(
            (number * bytes) as u64 <= 4 * LOG_DISK_BYTES,
            "the disk does not fill up"
        );
    }
    assert!(!model.is_empty());
}

#[track_caller]
fn check(store: &Store, model: &Model) {
    assert_eq!(store.keys(BUCKET), model.keys().cloned().collect::<Vec<_>>());
    for (key, content) in model {
        assert!(
            store.get(BUCKET, key).expect_status(200).body == *content,
            "{key} changed"
        );
    }
}

/// Deletes every object below a prefix but the first ones.
#[track_caller]
fn delete(store: &Store, model: &mut Model, prefix: &str) {
    let doomed: Vec<String> = model
        .keys()
        .filter(|key| key.starts_with(prefix))
        .skip(3)
        .cloned()
        .collect();
    assert!(!doomed.is_empty());
    for key in doomed {
        store.send(Request::object("DELETE", BUCKET, &key)).expect_status(204);
        model.remove(&key);
    }
}

/// Puts objects again; space that was given back may take a moment to be there.
#[track_caller]
fn put_again(store: &Store, model: &mut Model, bytes: usize) {
    for number in 0..16 {
        let (key, content) = (format!("again/{number:02}"), vec![number; bytes]);
        wait_for("space", || (put(store, &key, &content).status == 200).then_some(()));
        model.insert(key, content);
    }
}

#[test]
fn large_objects_fill_a_disk_and_make_room() {
    let Some(mut store) = Store::start_on_small_disk(DISK_BYTES, &["--route", "proxy"]) else {
        return;
    };
    let mut model = begin(&store);
    fill(&store, &mut model, "large", 1024 * 1024);
    check(&store, &model);
    assert!(store.log().contains("the mountpath is full"), "{}", store.log());
    delete(&store, &mut model, "large/");
    put_again(&store, &mut model, 1024 * 1024);
    check(&store, &model);
    // Full, it starts again.
    fill(&store, &mut model, "more", 1024 * 1024);
    store.restart();
    check(&store, &model);
}

/// Fills the disk with objects that lie in the log, whose space only compaction gives back.
fn small_objects(restarted: bool) {
    let Some(mut store) = Store::start_on_small_disk(LOG_DISK_BYTES, &["--route", "proxy"]) else {
        return;
    };
    let mut model = begin(&store);
    fill(&store, &mut model, "inline", 200_000);
    check(&store, &model);
    if restarted {
        store.restart();
        check(&store, &model);
    }
    delete(&store, &mut model, "inline/");
    put_again(&store, &mut model, 200_000);
    check(&store, &model);
    store.restart();
    check(&store, &model);
}

#[test]
fn small_objects_fill_a_disk_and_make_room() {
    small_objects(false);
}

#[test]
fn a_full_disk_makes_room_after_a_restart() {
    small_objects(true);
}
