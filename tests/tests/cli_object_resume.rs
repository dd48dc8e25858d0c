//! Transfers that are cut off: what was moved already is not moved again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    command::Clients,
    directory::program,
    process::signal,
    random::Random,
    relay::{Mischief, Relay},
    store::Store,
    xml,
};
use rustix::process::Signal;
use std::process::{Child, Command, Output, Stdio};

const MIB: usize = 1024 * 1024;
/// Two parts of 5 MiB pass, and some of the third.
const LIMIT: u64 = 12 * 1024 * 1024;

struct Scene {
    store: Store,
    clients: Clients,
    relay: Relay,
    body: Vec<u8>,
}

/// A bucket behind a relay, and a file of 23 MiB.
fn scene(mischief: Mischief) -> Scene {
    let store = Store::start_with(&["--durability", "none"]);
    store.make_bucket("bck");
    let clients = Clients::new(&store);
    let body = Random::new(11).bytes(23 * MIB);
    std::fs::write(clients.home().join("file"), &body).unwrap();
    Scene {
        relay: Relay::start(store.port(), mischief),
        store,
        clients,
        body,
    }
}

impl Scene {
    /// One part at a time, through the relay.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.clients.command(&program("corelane"));
        command
            .args(["object"])
            .args(words)
            .args(["--jobs", "1", "--part-size", "5MiB", "--json"])
            .env("CORELANE_ENDPOINT", format!("http://127.0.0.1:{}", self.relay.port()))
            .env("CORELANE_ACCESS_KEY", self.clients.access_key())
            .env("CORELANE_SECRET_KEY", self.clients.secret_key())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Begins, and comes back when the relay holds it up.
    fn begin(&self, words: &[&str]) -> Child {
        let child = self.command(words).spawn().unwrap();
        self.relay.wait_until_it_holds();
        child
    }

    /// The first object of what a command says that succeeds.
    fn done(&self, words: &[&str]) -> serde_json::Value {
        let output = self.command(words).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        answer["objects"][0].clone()
    }

    fn uploads(&self) -> usize {
        let request = corelane_tests::request::Request::bucket("GET", "bck").subresource("uploads");
        xml::texts(&self.store.send(request).text(), "UploadId").len()
    }
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

const PUT: &[&str] = &["put", "file", "bck/key"];
const GET: &[&str] = &["get", "bck/key", "back"];

#[test]
fn a_killed_put_goes_on() {
    let scene = scene(Mischief::HoldUp(LIMIT));
    kill(scene.begin(PUT));
    assert_eq!(scene.uploads(), 1);
    scene.relay.behave();
    let done = scene.done(PUT);
    assert_eq!(done["resumed_bytes"], 10 * MIB);
    assert!(scene.store.get("bck", "key").expect_status(200).body == scene.body);
    assert_eq!(scene.uploads(), 0);
    // There is nothing left to go on with.
    assert!(scene.done(PUT).get("resumed_bytes").is_none());
}

#[test]
fn a_put_of_another_content_begins_anew() {
    let scene = scene(Mischief::HoldUp(LIMIT));
    kill(scene.begin(PUT));
    let other = Random::new(12).bytes(scene.body.len());
    std::fs::write(scene.clients.home().join("file"), &other).unwrap();
    scene.relay.behave();
    assert!(scene.done(PUT).get("resumed_bytes").is_none());
    assert!(scene.store.get("bck", "key").expect_status(200).body == other);
    assert_eq!(scene.uploads(), 0);
}

/// The same size and time, but other bytes: the checksums of the parts tell.
#[test]
fn parts_are_compared_before_they_are_kept() {
    let scene = scene(Mischief::HoldUp(LIMIT));
    let path = scene.clients.home().join("file");
    let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
    kill(scene.begin(PUT));
    let mut other = scene.body.clone();
    other[100] ^= 1;
    std::fs::write(&path, &other).unwrap();
    std::fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(modified)
        .unwrap();
    scene.relay.behave();
    assert_eq!(scene.done(PUT)["resumed_bytes"], 5 * MIB);
    assert!(scene.store.get("bck", "key").expect_status(200).body == other);
}

#[test]
fn a_killed_get_goes_on() {
    let scene = scene(Mischief::HoldDown(LIMIT));
    scene.store.put("bck", "key", scene.body.clone());
    kill(scene.begin(GET));
    assert!(!scene.clients.home().join("back").exists());
    scene.relay.behave();
    let done = scene.done(GET);
    assert_eq!(done["resumed_bytes"], 10 * MIB);
    assert!(std::fs::read(scene.clients.home().join("back")).unwrap() == scene.body);
    assert_eq!(hidden(&scene), 0);
}

#[test]
fn a_get_of_an_object_that_changed_begins_anew() {
    let scene = scene(Mischief::HoldDown(LIMIT));
    scene.store.put("bck", "key", scene.body.clone());
    kill(scene.begin(GET));
    let other = Random::new(13).bytes(scene.body.len());
    scene.store.put("bck", "key", other.clone());
    scene.relay.behave();
    assert!(scene.done(GET).get("resumed_bytes").is_none());
    assert!(std::fs::read(scene.clients.home().join("back")).unwrap() == other);
    assert_eq!(hidden(&scene), 0, "what there was of the old one is gone");
}

#[test]
fn what_lies_damaged_on_this_side_is_found_out() {
    let scene = scene(Mischief::HoldDown(LIMIT));
    scene.store.put("bck", "key", scene.body.clone());
    kill(scene.begin(GET));
    let part = hidden_files(&scene)
        .into_iter()
        .find(|path| path.extension().is_some_and(|end| end == "part"));
    let part = part.unwrap();
    let mut bytes = std::fs::read(&part).unwrap();
    bytes[1000] ^= 1;
    std::fs::write(&part, bytes).unwrap();
    scene.relay.behave();
    let output = scene.command(GET).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(!scene.clients.home().join("back").exists());
    // Nothing of it is used again.
    assert!(scene.done(GET).get("resumed_bytes").is_none());
    assert!(std::fs::read(scene.clients.home().join("back")).unwrap() == scene.body);
}

#[test]
fn connections_that_break_are_made_again() {
    let scene = scene(Mischief::CutDown(3_000_000));
    scene.store.put("bck", "key", scene.body.clone());
    let done = scene.done(GET);
    assert_eq!(done["size"], scene.body.len());
    assert!(std::fs::read(scene.clients.home().join("back")).unwrap() == scene.body);
    let output = scene.command(&["get", "bck/key", "-"]).output().unwrap();
    assert!(output.status.success() && output.stdout == scene.body);
}

#[test]
fn ctrl_c_leaves_what_can_be_continued_and_says_so() {
    let scene = scene(Mischief::HoldUp(LIMIT));
    let child = scene.begin(PUT);
    signal(child.id(), Signal::INT);
    scene.relay.behave();
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("interrupted; the same command"), "{stderr}");
    let resumed = scene.done(PUT)["resumed_bytes"].as_u64().unwrap();
    assert!(resumed >= 10 * MIB as u64, "{resumed}");
    assert!(scene.store.get("bck", "key").expect_status(200).body == scene.body);
}

#[test]
fn an_interrupted_stream_leaves_nothing() {
    let scene = scene(Mischief::HoldUp(LIMIT));
    let mut child = scene
        .command(&["put", "-", "bck/key"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let body = scene.body.clone();
    let writer = std::thread::spawn(move || std::io::Write::write_all(&mut input, &body));
    scene.relay.wait_until_it_holds();
    signal(child.id(), Signal::INT);
    scene.relay.behave();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let _ = writer.join().unwrap();
    assert_eq!(scene.uploads(), 0);
    scene.store.get("bck", "key").expect_error(404, "NoSuchKey");
}

fn hidden_files(scene: &Scene) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(scene.clients.home()).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(".corelane"))
        .collect()
}

fn hidden(scene: &Scene) -> usize {
    hidden_files(scene).len()
}
