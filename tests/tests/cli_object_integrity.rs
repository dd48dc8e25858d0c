//! Bytes that change on the way are noticed, whichever way they go, and nothing of them is kept.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    command::{Clients, Ended},
    random::Random,
    relay::{Mischief, Relay},
    store::{ACCESS_KEY, SECRET_KEY, Store},
    xml,
};

const MIB: usize = 1024 * 1024;

/// Runs a command through a relay that does this; its directory has a file of so many bytes.
fn through(store: &Store, mischief: Mischief, size: usize, words: &[&str]) -> (Ended, Clients) {
    let relay = Relay::start(store.port(), mischief);
    let clients = Clients::at(relay.port(), ACCESS_KEY, SECRET_KEY);
    std::fs::write(clients.home().join("file"), Random::new(21).bytes(size)).unwrap();
    (clients.corelane(words), clients)
}

#[test]
fn a_bit_that_flips_on_the_way_down_is_noticed() {
    let store = Store::start_with(&["--durability", "none"]);
    store.make_bucket("bck");
    let clients = Clients::new(&store);
    clients.corelane(&["bucket", "create", "xxh"]).ok();
    for bucket in ["bck", "xxh"] {
        store.put(bucket, "small", Random::new(1).bytes(100_000));
        store.put(bucket, "large", Random::new(2).bytes(11 * MIB));
        for object in [format!("{bucket}/small"), format!("{bucket}/large")] {
            let words = ["object", "get", &object, "back", "--part-size", "5MiB"];
            let (ended, clients) = through(&store, Mischief::FlipDown(50_000), 0, &words);
            assert_eq!(ended.code, 1, "{object}: {ended}");
            assert!(ended.stderr.contains("checksum differs"), "{ended}");
            let names: Vec<_> = std::fs::read_dir(clients.home())
                .unwrap()
                .map(|entry| entry.unwrap().file_name())
                .filter(|name| name != "file")
                .collect();
            assert!(names.is_empty(), "{names:?}");
            let words = ["object", "get", &object, "-"];
            let (ended, _) = through(&store, Mischief::FlipDown(50_000), 0, &words);
            assert_eq!(ended.code, 1, "{object}");
        }
    }
}

#[test]
fn an_older_file_stays_when_what_came_is_wrong() {
    let store = Store::start();
    store.make_bucket("bck");
    store.put("bck", "key", Random::new(1).bytes(100_000));
    let (ended, clients) = through(
        &store,
        Mischief::FlipDown(50_000),
        10,
        &["object", "get", "bck/key", "file"],
    );
    assert_eq!(ended.code, 1, "{ended}");
    assert_eq!(std::fs::read(clients.home().join("file")).unwrap().len(), 10);
}

#[test]
fn a_bit_that_flips_on_the_way_up_is_noticed_by_the_store() {
    let store = Store::start_with(&["--durability", "none"]);
    store.make_bucket("bck");
    for size in [100_000, 11 * MIB] {
        let words = ["object", "put", "file", "bck/key", "--part-size", "5MiB"];
        let (ended, _) = through(&store, Mischief::FlipUp(50_000), size, &words);
        assert_eq!(ended.code, 1, "{size}: {ended}");
        assert!(ended.stderr.contains("bck/key"), "{ended}");
        store.get("bck", "key").expect_error(404, "NoSuchKey");
        let uploads = store.send(corelane_tests::request::Request::bucket("GET", "bck").subresource("uploads"));
        assert!(xml::texts(&uploads.text(), "UploadId").is_empty());
    }
}
