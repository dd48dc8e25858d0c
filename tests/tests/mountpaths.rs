//! Several disks, and one of them is away or broken: the others serve, what it holds answers 503, and nothing is ever
//! formatted in its place.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    command::run,
    directory::{Directory, files},
    raw::Response,
    request::Request,
    sign::now_unix_s,
    store::{Store, direct, location, serve_command},
    tickets::{cluster_key, open, parts},
    xml,
};
use proto::{
    auth::ticket::{Grant, Principal, Ticket},
    s3::{bucket::BucketId, listing::ListQuery},
};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

const BUCKET: &str = "spread";
const KEYS: usize = 40;
const MARKER: &str = "corelane.format";

/// A store on two directories with objects on both.
struct TwoDisks {
    store: Store,
    second: PathBuf,
    /// Keeps what is moved away on the same file system.
    directory: Directory,
}

fn content(key: &str) -> Vec<u8> {
    key.repeat(100).into_bytes()
}

fn keys() -> impl Iterator<Item = String> {
    (0..KEYS).map(|number| format!("key-{number:02}"))
}

impl TwoDisks {
    fn start(route: &str) -> Self {
        let directory = Directory::new();
        let second = directory.join("second");
        let store = Store::start_with(&["--route", route, "--data", second.to_str().unwrap()]);
        store.make_bucket(BUCKET);
        for key in keys() {
            let put = Request::object("PUT", BUCKET, &key).body(content(&key));
            store.send_following(put).expect_status(200);
        }
        Self {
            store,
            second,
            directory,
        }
    }

    fn get(&self, key: &str) -> Response {
        self.store.send_following(Request::object("GET", BUCKET, key))
    }

    fn list(&self) -> Response {
        self.store.send(Request::bucket("GET", BUCKET).query("list-type", "2"))
    }

    fn away(&self) -> PathBuf {
        self.directory.join("away")
    }

    /// All is there.
    #[track_caller]
    fn check_whole(&self) {
        for key in keys() {
            assert!(self.get(&key).expect_status(200).body == content(&key), "{key} changed");
        }
        let listed = xml::texts(&self.list().expect_status(200).text(), "Key");
        assert_eq!(listed, keys().collect::<Vec<_>>());
        assert_eq!(self.health(), (200, "ok".to_owned()));
    }

    /// A part is there and the rest answers 503, whatever is asked; returns the keys that are not there.
    #[track_caller]
    fn check_reduced(&self) -> Vec<String> {
        let (mut served, mut missing) = (Vec::new(), Vec::new());
        for key in keys() {
            let answer = self.get(&key);
            if answer.status == 200 {
                assert!(answer.body == content(&key), "{key} changed");
                served.push(key);
            } else {
                answer.expect_error(503, "ServiceUnavailable");
                missing.push(key);
            }
        }
        assert!(!served.is_empty() && !missing.is_empty(), "{served:?} {missing:?}");
        let (kept, lost) = (&served[0], &missing[0]);
        let send = |request: Request| self.store.send_following(request);
        send(Request::object("PUT", BUCKET, kept).body(content(kept))).expect_status(200);
        send(Request::object("PUT", BUCKET, lost).body("new")).expect_error(503, "ServiceUnavailable");
        send(Request::object("DELETE", BUCKET, lost)).expect_error(503, "ServiceUnavailable");
        assert_eq!(send(Request::object("HEAD", BUCKET, lost)).status, 503);
        assert_eq!(send(Request::object("HEAD", BUCKET, kept)).status, 200);
        let batch = format!(
            "<Delete><Object><Key>{lost}</Key></Object><Object><Key>never-{kept}-{lost}</Key></Object></Delete>"
        );
        let batch = Request::bucket("POST", BUCKET)
            .subresource("delete")
            .body(batch)
            .content_md5();
        let deleted = self.store.send(batch).expect_status(200).text();
        assert!(
            xml::texts(&deleted, "Code").contains(&"ServiceUnavailable".to_owned()),
            "{deleted}"
        );
        // A listing without what is away would look complete, and so would a bucket that seems empty.
        self.list().expect_error(503, "ServiceUnavailable");
        self.store
            .send(Request::bucket("GET", BUCKET))
            .expect_error(503, "ServiceUnavailable");
        self.store
            .send(Request::bucket("DELETE", BUCKET))
            .expect_error(503, "ServiceUnavailable");
        self.store.send(Request::bucket("HEAD", BUCKET)).expect_status(200);
        assert_eq!(self.health(), (503, "degraded".to_owned()));
        let metrics = self.store.send(Request::new("GET", "/v1/metrics")).expect_status(200);
        let metrics = metrics.text();
        let up = |value| {
            let of_shards = metrics.lines().filter(|line| line.starts_with("corelane_shard_up{"));
            of_shards.filter(|line| line.ends_with(value)).count()
        };
        assert!(up(" 0") > 0 && up(" 1") > 0, "{metrics}");
        missing
    }

    fn health(&self) -> (u16, String) {
        let answer = self
            .store
            .send_as_is(&self.store.addressed(Request::new("GET", "/v1/health")));
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        (answer.status, body["status"].as_str().unwrap().to_owned())
    }

    /// An error that names the second directory was logged after so many bytes of log.
    #[track_caller]
    fn check_log(&self, from: usize) {
        let log = self.store.log();
        let name = self.second.display().to_string();
        let named = log[from..]
            .lines()
            .any(|line| line.contains("ERROR") && line.contains(&name));
        assert!(named, "{log}");
        let warned = log[from..].lines().any(|line| line.starts_with("warning: "));
        assert!(warned, "{log}");
    }
}

#[test]
fn a_disk_that_is_away_or_broken_leaves_the_others_serving() {
    let mut disks = TwoDisks::start("proxy");
    let (second, away) = (disks.second.clone(), disks.away());
    let marker = second.join(MARKER);
    let marker_text = fs::read_to_string(&marker).unwrap();
    type Step<'s> = Box<dyn Fn() + 's>;
    let cases: [(&str, Step<'_>, Step<'_>); 4] = [
        (
            "the directory is gone",
            Box::new(|| fs::rename(&second, &away).unwrap()),
            Box::new(|| {
                assert!(!second.exists(), "the directory was made");
                fs::rename(&away, &second).unwrap();
            }),
        ),
        (
            "the directory is empty, as after an unmount",
            Box::new(|| {
                fs::rename(&second, &away).unwrap();
                fs::create_dir(&second).unwrap();
            }),
            Box::new(|| {
                let held: Vec<_> = fs::read_dir(&second).unwrap().collect();
                assert!(held.is_empty(), "an unmounted directory was written to: {held:?}");
                fs::remove_dir(&second).unwrap();
                fs::rename(&away, &second).unwrap();
            }),
        ),
        (
            "something else is there",
            Box::new(|| {
                fs::rename(&second, &away).unwrap();
                fs::create_dir(&second).unwrap();
                fs::write(second.join("thesis.txt"), "years of work").unwrap();
            }),
            Box::new(|| {
                assert_eq!(files(&second).len(), 1);
                fs::remove_dir_all(&second).unwrap();
                fs::rename(&away, &second).unwrap();
            }),
        ),
        (
            "the marker is damaged",
            Box::new(|| fs::write(&marker, marker_text.replace("node = ", "node = x")).unwrap()),
            Box::new(|| fs::write(&marker, &marker_text).unwrap()),
        ),
    ];
    let mut lost = Vec::new();
    for (what, damage, repair) in &cases {
        assert!(disks.store.stop().success());
        damage();
        let from = disks.store.log().len();
        disks.store.start_again();
        let missing = disks.check_reduced();
        disks.check_log(from);
        assert!(lost.is_empty() || lost == missing, "{what}");
        lost = missing;
        assert!(disks.store.stop().success());
        repair();
        disks.store.start_again();
        disks.check_whole();
    }
}

#[test]
fn an_unreadable_directory_is_like_one_that_is_away() {
    let mut disks = TwoDisks::start("proxy");
    assert!(disks.store.stop().success());
    let log = disks.second.join("shard-000/log");
    let moved = disks.directory.join("log");
    fs::rename(&log, &moved).unwrap();
    fs::write(&log, "not a directory").unwrap();
    disks.store.start_again();
    disks.check_reduced();
    assert!(disks.store.stop().success());
    fs::remove_file(&log).unwrap();
    fs::rename(&moved, &log).unwrap();
    disks.store.start_again();
    disks.check_whole();
    if rustix::process::geteuid().is_root() {
        // Permissions do not stop root.
        return;
    }
    assert!(disks.store.stop().success());
    fs::set_permissions(&disks.second, fs::Permissions::from_mode(0o000)).unwrap();
    disks.store.start_again();
    disks.check_reduced();
    assert!(disks.store.stop().success());
    fs::set_permissions(&disks.second, fs::Permissions::from_mode(0o700)).unwrap();
    disks.store.start_again();
    disks.check_whole();
}

#[test]
fn a_shard_that_cannot_be_opened_is_left_out_alone() {
    let mut disks = TwoDisks::start("proxy");
    assert!(disks.store.stop().success());
    // A segment that cannot be read.
    let segment = disks.second.join("shard-000/log/00000000000000ff.seg");
    fs::create_dir(&segment).unwrap();
    let from = disks.store.log().len();
    disks.store.start_again();
    disks.check_reduced();
    disks.check_log(from);
    assert!(disks.store.stop().success());
    fs::remove_dir(&segment).unwrap();
    disks.store.start_again();
    disks.check_whole();
}

/// Tickets that were made when all was well reach cores that have lost the shard.
#[test]
fn a_core_answers_503_for_a_shard_it_has_lost() {
    let mut disks = TwoDisks::start("redirect");
    let tickets: BTreeMap<String, String> = keys()
        .map(|key| {
            let get = Request::object("GET", BUCKET, &key);
            let location = location(&disks.store, get);
            (key, location)
        })
        .collect();
    let opened: BTreeMap<String, Ticket> = tickets
        .iter()
        .map(|(key, location)| (key.clone(), open(&disks.store, location)))
        .collect();
    assert!(disks.store.stop().success());
    fs::rename(&disks.second, disks.away()).unwrap();
    disks.store.start_again();
    let missing = disks.check_reduced();
    let mut degraded = Vec::new();
    for (key, location) in &tickets {
        let ticket = &opened[key];
        let port = disks.store.core_ports()[usize::from(ticket.core)];
        let answer = direct(port, "GET", &parts(location).1, "");
        if missing.contains(key) {
            answer.expect_error(503, "ServiceUnavailable");
            degraded.push((port, ticket));
        } else {
            answer.expect_status(200);
        }
    }
    let Grant::Object { object, .. } = &degraded[0].1.grant else {
        panic!("not for an object");
    };
    let bucket = object.bucket.id;
    let key = cluster_key(&disks.store);
    for (port, ticket) in &degraded {
        for (path, grant) in [
            ("list", list(bucket)),
            ("fence", Grant::Fence { bucket, fenced: true }),
            ("fence", Grant::Fence { bucket, fenced: false }),
        ] {
            let message = Ticket {
                expires_unix_s: now_unix_s() + 60,
                shard: [0; 16],
                principal: Principal::default(),
                proxied: false,
                grant,
                ..(*ticket).clone()
            };
            let target = format!("/_corelane/{path}?corelane-ticket={}", key.seal(&message));
            direct(*port, "POST", &target, "").expect_error(503, "ServiceUnavailable");
        }
    }
}

fn list(bucket: BucketId) -> Grant {
    let query = ListQuery {
        limit: 10,
        ..ListQuery::default()
    };
    Grant::List { bucket, query }
}

/// Starts on these directories and expects a refusal in one line.
#[track_caller]
fn refused(data: &[&Path], text: &str) {
    let mut command = serve_command();
    command.args(["--port", "0"]);
    for path in data {
        command.arg("--data").arg(path);
    }
    let ended = run(command);
    assert_eq!(ended.code, 1, "{ended}");
    let errors: Vec<&str> = ended
        .stderr
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    assert!(errors.len() == 1 && errors[0].contains(text), "no {text:?}: {ended}");
}

#[test]
fn only_the_same_set_is_served() {
    let mut disks = TwoDisks::start("proxy");
    assert!(disks.store.stop().success());
    let first = disks.store.data();
    let third = disks.directory.join("third");
    refused(
        &[&first, &disks.second, &third],
        "the set of data directories has changed",
    );
    assert!(!third.exists());
    fs::create_dir(&third).unwrap();
    refused(
        &[&first, &disks.second, &third],
        "the set of data directories has changed",
    );
    refused(&[&first], "the set of data directories has changed");
    assert!(fs::read_dir(&third).unwrap().next().is_none());
    // Without the first directory, which has the credentials and the buckets, nothing is made in its place.
    let away = disks.away();
    fs::rename(&first, &away).unwrap();
    refused(&[&first, &disks.second], "mount its disk");
    assert!(!first.exists());
    fs::create_dir(&first).unwrap();
    refused(&[&first, &disks.second], "mount its disk");
    assert!(fs::read_dir(&first).unwrap().next().is_none());
    fs::remove_dir(&first).unwrap();
    fs::rename(&away, &first).unwrap();
    // With nothing left to serve it does not start.
    for marker in [first.join(MARKER), disks.second.join(MARKER)] {
        fs::rename(&marker, marker.with_extension("kept")).unwrap();
    }
    refused(&[&first, &disks.second], "cannot be used");
    for marker in [first.join(MARKER), disks.second.join(MARKER)] {
        fs::rename(marker.with_extension("kept"), &marker).unwrap();
    }
    disks.store.start_again();
    disks.check_whole();
}
