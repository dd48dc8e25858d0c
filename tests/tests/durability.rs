//! Durability: what was acknowledged is there after a restart and after `kill -9`, whole and unchanged.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    digest::md5_hex,
    process::{signal, wait_for},
    random::{self, Random},
    raw::Connection,
    request::Request,
    store::Store,
};
use rustix::process::Signal;
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
};

const BUCKET: &str = "durable";

/// What must be in the bucket: key to content.
type Model = BTreeMap<String, Vec<u8>>;

#[track_caller]
fn check(store: &Store, model: &Model) {
    assert_eq!(store.keys(BUCKET), model.keys().cloned().collect::<Vec<_>>());
    for (key, content) in model {
        let got = store.get(BUCKET, key).expect_status(200);
        assert!(got.body == *content, "{key} changed");
        assert_eq!(
            got.header("etag"),
            Some(format!("\"{}\"", md5_hex(content)).as_str()),
            "{key}"
        );
        assert_eq!(got.header("x-amz-meta-key"), Some(key.as_str()));
    }
}

fn put(store: &Store, model: &mut Model, key: &str, content: Vec<u8>) {
    let request = Request::object("PUT", BUCKET, key)
        .header("x-amz-meta-key", key)
        .body(content.clone());
    store.send(request).expect_status(200);
    model.insert(key.to_owned(), content);
}

#[test]
fn restarts_and_kills_lose_nothing() {
    let mut store = Store::start();
    store.make_bucket(BUCKET);
    let mut model = Model::new();
    let mut random = Random::new(41);
    let sizes = [0, 1, 100, 4096, 50_000, 131_072, 262_144, 262_145, 600_000, 3_000_000];
    for round in 0..6 {
        for _ in 0..25 {
            let key = format!("dir-{}/key-{}", random.below(3), random.below(40));
            if random.below(5) == 0 {
                store.send(Request::object("DELETE", BUCKET, &key)).expect_status(204);
                model.remove(&key);
            } else {
                let size = *random.choose(&sizes);
                let content = random.bytes(size);
                put(&store, &mut model, &key, content);
            }
        }
        if round % 2 == 0 {
            store.kill9();
            store.start_again();
        } else {
            store.restart();
        }
        check(&store, &model);
    }
    // The bucket list survives as well, and so does what a bucket was not.
    store.send(Request::bucket("HEAD", "never")).expect_status(404);
    assert_eq!(store.stop().code(), Some(0));
}

/// What a writer knows of its keys: the content last acknowledged, and what it was doing when the store was killed.
#[derive(Default)]
struct Writer {
    acknowledged: Model,
    in_flight: Option<(String, Option<Vec<u8>>)>,
}

impl Writer {
    /// Puts, overwrites and deletes its own keys until the connection breaks.
    fn run(&mut self, store: &Store, prefix: &str, random: &mut Random, done: &AtomicUsize) {
        let mut connection = store.connect();
        loop {
            let key = format!("{prefix}/{}", random.below(25));
            let content = (random.below(6) > 0).then(|| {
                let size = *random.choose(&[10, 5_000, 200_000, 400_000]);
                random.bytes(size)
            });
            let request = match &content {
                Some(content) => Request::object("PUT", BUCKET, &key)
                    .header("x-amz-meta-key", &key)
                    .body(content.clone()),
                None => Request::object("DELETE", BUCKET, &key),
            };
            let request = store.signed(request);
            self.in_flight = Some((key.clone(), content.clone()));
            let sent = connection.try_send(&request.to_bytes());
            match sent.and_then(|()| connection.try_receive(&request.method)) {
                Ok(answer) if [200, 204].contains(&answer.status) => {}
                _ => return,
            }
            self.in_flight = None;
            done.fetch_add(1, Ordering::Relaxed);
            match content {
                Some(content) => self.acknowledged.insert(key, content),
                None => self.acknowledged.remove(&key),
            };
        }
    }

    /// What the store must hold, given that it holds either side of what was in flight.
    fn settle(mut self, store: &Store) -> Model {
        if let Some((key, content)) = self.in_flight.take() {
            let got = store.get(BUCKET, &key);
            let is_new = match &content {
                Some(content) => got.status == 200 && got.body == *content,
                None => got.status == 404,
            };
            match (is_new, content) {
                (true, Some(content)) => self.acknowledged.insert(key, content),
                (true, None) => self.acknowledged.remove(&key),
                (false, _) => None,
            };
        }
        self.acknowledged
    }
}

/// Writers run while everything is killed: what they were told is done must be done, and nothing may be half done.
#[test]
fn a_kill_in_the_middle_of_writes_keeps_every_acknowledged_one() {
    let mut store = Store::start();
    store.make_bucket(BUCKET);
    let mut model = Model::new();
    for round in 0..6_u64 {
        let mut writers: Vec<Writer> = (0..4).map(|_| Writer::default()).collect();
        let done = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for (number, writer) in (0_u64..).zip(&mut writers) {
                let (store, done) = (&store, &done);
                let mut random = Random::new(round * 100 + number);
                let prefix = format!("round-{round}/writer-{number}");
                scope.spawn(move || writer.run(store, &prefix, &mut random, done));
            }
            let enough = usize::try_from(20 + 60 * round).unwrap();
            wait_for("writes to be acknowledged", || {
                (done.load(Ordering::Relaxed) >= enough).then_some(())
            });
            for name in ["corelane-node", "corelane-gateway"] {
                signal(store.child_pid(name), Signal::KILL);
            }
        });
        store.kill9();
        store.start_again();
        for writer in writers {
            model.extend(writer.settle(&store));
        }
        check(&store, &model);
    }
}

#[test]
fn many_small_objects_survive_together() {
    let mut store = Store::start();
    store.make_bucket(BUCKET);
    let count = 3000;
    std::thread::scope(|scope| {
        for lane in 0..8 {
            let store = &store;
            scope.spawn(move || {
                let mut connection = store.connect();
                for number in (lane..count).step_by(8) {
                    let key = format!("{number:06}");
                    let put = store.signed(Request::object("PUT", BUCKET, &key).body(format!("content {number}")));
                    connection.send(&put.to_bytes());
                    connection.receive("PUT").expect_status(200);
                }
            });
        }
    });
    store.kill9();
    store.start_again();
    let keys = store.keys(BUCKET);
    assert_eq!(
        keys,
        (0..count).map(|number| format!("{number:06}")).collect::<Vec<_>>()
    );
    let mut connection = store.connect();
    for number in (0..count).step_by(37) {
        connection.send(
            &store
                .signed(Request::object("GET", BUCKET, &format!("{number:06}")))
                .to_bytes(),
        );
        let got = connection.receive("GET").expect_status(200);
        assert_eq!(got.text(), format!("content {number}"));
    }
}

/// The content of the large object at a block: every block differs, so that a misplaced one shows.
fn block(number: u64) -> Vec<u8> {
    random::bytes(0xB10C ^ number, BLOCK)
}

const BLOCK: usize = 1 << 20;

#[test]
fn an_object_of_1_gib_comes_back_after_a_kill() {
    let mut store = Store::start();
    store.make_bucket(BUCKET);
    let blocks = 1024_u64;
    let size = blocks * u64::try_from(BLOCK).unwrap();
    let put = store.signed(
        Request::object("PUT", BUCKET, "giant")
            .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
            .header("Content-Length", size.to_string()),
    );
    let mut connection = store.connect();
    connection.send(&put.head());
    // The same few blocks with their number in front: making 1 GiB of random bytes is not what is tested.
    let numbered = |number: u64| {
        let mut content = block(number % 7);
        content[..8].copy_from_slice(&number.to_le_bytes());
        content
    };
    let mut base: Vec<Vec<u8>> = (0..7).map(block).collect();
    for number in 0..blocks {
        let content = &mut base[usize::try_from(number % 7).unwrap()];
        content[..8].copy_from_slice(&number.to_le_bytes());
        connection.send(content);
    }
    connection.receive("PUT").expect_status(200);
    store.kill9();
    store.start_again();
    let head = store.send(Request::object("HEAD", BUCKET, "giant")).expect_status(200);
    assert_eq!(head.header("content-length"), Some(size.to_string().as_str()));
    let mut random = Random::new(51);
    let mut sampled = vec![0, blocks - 2];
    sampled.extend((0..40).map(|_| random.next_u64() % (blocks - 1)));
    for number in sampled {
        let offset = number * u64::try_from(BLOCK).unwrap() + random.next_u64() % 5000;
        let end = offset + 1_200_000.min(size - offset - 1);
        let part = store
            .send(Request::object("GET", BUCKET, "giant").header("Range", format!("bytes={offset}-{end}")))
            .expect_status(206)
            .body;
        let both = [numbered(number), numbered(number + 1), numbered(number + 2)].concat();
        let start = usize::try_from(offset).unwrap() % BLOCK;
        assert!(part == both[start..start + part.len()], "bytes {offset}-{end} differ");
    }
    // All of it once, as a reader that streams.
    let mut connection = Connection::open(store.port());
    connection.send(&store.signed(Request::object("GET", BUCKET, "giant")).to_bytes());
    assert_eq!(connection.receive_head().unwrap().0, 200);
    for number in 0..blocks {
        let got = connection.take(BLOCK).unwrap();
        assert_eq!(got[..8], number.to_le_bytes(), "block {number}");
    }
}

#[test]
fn several_mountpaths_hold_one_store() {
    let second = corelane_tests::directory::Directory::new();
    let path = second.join("second");
    let mut store = Store::start_with(&["--data", path.to_str().unwrap()]);
    store.make_bucket(BUCKET);
    let mut model = Model::new();
    for number in 0..60 {
        let size = if number % 10 == 0 { 500_000 } else { 300 };
        put(
            &store,
            &mut model,
            &format!("key-{number}"),
            random::bytes(number, size),
        );
    }
    store.kill9();
    store.start_again();
    check(&store, &model);
    assert!(path.join("corelane.format").is_file());
    assert!(!path.join("control").exists());
}
