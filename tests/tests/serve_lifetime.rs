//! A store's life from start to stop: readiness, credentials, signals, and the end of one of its processes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    directory::Directory,
    process::{children, is_running, neighbouring_ports, signal, wait_for},
    raw::Connection,
    request::Request,
    sign::Signer,
    store::{ACCESS_KEY, SECRET_KEY, Store, serve_command},
};
use rustix::process::Signal;
use std::{
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Starts `corelane serve`, runs `release` while it tries to start, and expects it to become ready.
fn ready_after(mut command: Command, release: impl FnOnce()) {
    let mut serve = command.stdout(Stdio::piped()).spawn().unwrap();
    // Long enough for a first try to fail; it would succeed all the same if it came late.
    std::thread::sleep(Duration::from_millis(700));
    release();
    let mut line = String::new();
    BufReader::new(serve.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(line.starts_with("READY "), "{line}");
    signal(serve.id(), Signal::TERM);
    assert_eq!(serve.wait().unwrap().code(), Some(0));
}

#[test]
fn ports_and_locks_that_are_let_go_in_time_are_waited_for() {
    let directory = Directory::new();
    let [taken, next] = neighbouring_ports();
    let port = taken.local_addr().unwrap().port();
    drop(next);
    let mut command = serve_command();
    command
        .args(["--json", "--cores", "1", "--port", &port.to_string(), "--data"])
        .arg(directory.join("data"));
    ready_after(command, || drop(taken));

    let mut store = Store::start();
    let mut command = serve_command();
    command
        .args(["--json", "--cores", "1", "--port", "0", "--data"])
        .arg(store.data());
    ready_after(command, || assert_eq!(store.stop().code(), Some(0)));
}

#[test]
fn credentials_are_kept_to_their_owner() {
    let mut store = Store::start();
    let control = store.data().join("control");
    assert_eq!(mode(&control), 0o700);
    for file in ["credentials.json", "cluster.key"] {
        assert_eq!(mode(&control.join(file)), 0o600, "{file}");
    }
    let key = std::fs::read_to_string(control.join("cluster.key")).unwrap();
    assert_eq!(key.trim().len(), 64);
    store.make_bucket("bucket");
    store.put("bucket", "key", "content");
    store.get("bucket", "key");
    // Rights that were widened are taken back.
    std::fs::set_permissions(control.join("credentials.json"), std::fs::Permissions::from_mode(0o644)).unwrap();
    store.restart();
    assert_eq!(mode(&control.join("credentials.json")), 0o600);
    let log = store.log();
    assert!(
        !log.contains(SECRET_KEY) && !log.contains(key.trim()),
        "a secret is in the log"
    );
    for pid in [
        store.pid(),
        store.child_pid("corelane-gateway"),
        store.child_pid("corelane-node"),
    ] {
        let flags = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
        assert!(
            !flags.contains(SECRET_KEY) && !flags.contains(key.trim()),
            "a secret is in a process list"
        );
    }
}

#[test]
fn credentials_are_made_once_and_printed_with_lines_that_work() {
    let directory = Directory::new();
    let data = directory.join("data");
    let mut printed = Vec::new();
    for _ in 0..2 {
        let mut serve = serve_command()
            .env_remove("CORELANE_ACCESS_KEY")
            .env_remove("CORELANE_SECRET_KEY")
            .args(["--port", "0", "--cores", "1", "--data"])
            .arg(&data)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines: Vec<String> = BufReader::new(serve.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap)
            .take_while(|line| line != "Ctrl-C stops it.")
            .collect();
        let value = |name: &str| {
            let line = lines.iter().find(|line| line.contains(name)).unwrap();
            line.split_whitespace().last().unwrap().to_owned()
        };
        let keys = (value("Access key"), value("Secret key"));
        assert_eq!((keys.0.len(), keys.1.len()), (20, 40), "{lines:?}");
        for client in ["s3cmd ", "aws ", "python3 -c 'import boto3", "curl -L "] {
            assert!(
                lines.iter().any(|line| line.starts_with(client)),
                "no line for {client}: {lines:?}"
            );
        }
        signal(serve.id(), Signal::INT);
        assert_eq!(serve.wait().unwrap().code(), Some(0));
        printed.push(keys);
    }
    assert_eq!(printed[0], printed[1]);
}

#[test]
fn health_is_200_when_requests_succeed() {
    let store = Store::start();
    let plain = store.addressed(Request::new("GET", "/v1/health"));
    let answer = store.send_as_is(&plain).expect_status(200);
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap()["status"],
        "ok"
    );
}

#[test]
fn a_signal_lets_requests_finish_and_ends_with_0() {
    for stop in [Signal::TERM, Signal::INT] {
        let mut store = Store::start_with(&["--route", "proxy"]);
        store.make_bucket("bucket");
        let body = vec![1; 600_000];
        let request = store.signed(Request::object("PUT", "bucket", "in-flight").body(body.clone()));
        let mut connection = store.connect();
        connection.send(&request.head());
        connection.send(&body[..300_000]);
        // It is in flight once the first bytes have reached the node, which a served request behind it shows.
        store.send(Request::bucket("HEAD", "bucket")).expect_status(200);
        std::thread::sleep(Duration::from_millis(300));
        let idle = store.connect();
        signal(store.pid(), stop);
        std::thread::sleep(Duration::from_millis(300));
        connection.send(&body[300_000..]);
        connection.receive("PUT").expect_status(200);
        drop(connection);
        let pids = [
            store.pid(),
            store.child_pid("corelane-gateway"),
            store.child_pid("corelane-node"),
        ];
        wait_for("serve to end", || {
            (!is_running(pids[1]) && !is_running(pids[2])).then_some(())
        });
        drop(idle);
        assert_eq!(store.wait().code(), Some(0), "{}", store.log());
        store.start_again();
        assert!(store.get("bucket", "in-flight").expect_status(200).body == body);
    }
}

#[test]
fn the_end_of_one_process_is_the_end_of_all() {
    for (killed, other) in [
        ("corelane-gateway", "corelane-node"),
        ("corelane-node", "corelane-gateway"),
    ] {
        let mut store = Store::start();
        let other = store.child_pid(other);
        signal(store.child_pid(killed), Signal::KILL);
        let status = store.wait();
        assert_eq!(status.code(), Some(1));
        assert!(!is_running(other));
        let log = store.log();
        assert!(log.contains(&format!("error: {killed} ended (signal 9)")), "{log}");
    }
}

#[test]
fn a_killed_serve_takes_its_processes_along() {
    let mut store = Store::start();
    store.make_bucket("bucket");
    let serve = store.pid();
    let children = children(serve);
    assert_eq!(children.len(), 2);
    signal(serve, Signal::KILL);
    store.wait();
    wait_for("the children to end", || {
        children.iter().all(|(pid, _)| !is_running(*pid)).then_some(())
    });
    store.start_again();
    store.send(Request::bucket("HEAD", "bucket")).expect_status(200);
}

#[test]
fn the_environment_sets_the_first_credentials_only() {
    let mut store = Store::start();
    assert_eq!(store.stop().code(), Some(0));
    let mut serve = serve_command()
        .env("CORELANE_ACCESS_KEY", "another")
        .env("CORELANE_SECRET_KEY", "another-secret")
        .args(["--json", "--port", "0", "--cores", "1", "--data"])
        .arg(store.data())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(serve.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    // One core where there were two: shards belong to the mountpath, not to the cores.
    let ready: serde_json::Value = serde_json::from_str(line.strip_prefix("READY ").unwrap()).unwrap();
    let port = u16::try_from(ready["port"].as_u64().unwrap()).unwrap();
    assert_eq!(ready["pid"].as_u64().unwrap(), u64::from(serve.id()));
    let request = |access_key: &str, secret_key: &str| {
        let signer = Signer::new(access_key, secret_key);
        let request = signer.sign(Request::new("GET", "/s3").header("Host", format!("127.0.0.1:{port}")));
        let mut connection = Connection::open(port);
        connection.send(&request.to_bytes());
        connection.receive("GET").status
    };
    assert_eq!(request(ACCESS_KEY, SECRET_KEY), 200);
    assert_eq!(request("another", "another-secret"), 403);
    signal(serve.id(), Signal::TERM);
    let output = serve.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("warning: "));
}
