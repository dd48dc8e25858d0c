//! `corelane serve` starts, says what is wrong in one line, and stops in order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    command::{Ended, run},
    directory::{Directory, files},
    process::{children, is_running, signal, wait_for},
    raw::Connection,
    request::Request,
    store::{ACCESS_KEY, SECRET_KEY, Store, serve_command},
};
use rustix::process::Signal;
use std::{
    io::{BufRead, BufReader},
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::{Command, Stdio},
};

/// Runs `corelane serve` to its end, which must come by itself.
fn serve(arguments: &[&str]) -> Ended {
    let mut command = serve_command();
    command.args(["--port", "0"]).args(arguments);
    run(command)
}

#[track_caller]
fn refused(ended: &Ended, code: i32, texts: &[&str]) {
    assert_eq!(ended.code, code, "{ended}");
    let errors: Vec<&str> = ended
        .stderr
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    assert_eq!(errors.len(), 1, "one line, and one only: {ended}");
    for text in texts {
        assert!(ended.stderr.contains(text), "no {text:?}: {ended}");
    }
    assert_eq!(ended.stdout, "", "{ended}");
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn foreign_directories_are_refused_and_not_touched() {
    let directory = Directory::new();
    let foreign = directory.join("foreign");
    std::fs::create_dir(&foreign).unwrap();
    std::fs::write(foreign.join("thesis.txt"), "years of work").unwrap();
    let before = files(directory.path());
    let fresh = directory.join("fresh");
    for data in [[&foreign, &fresh], [&fresh, &foreign]] {
        let ended = serve(&["--data", data[0].to_str().unwrap(), "--data", data[1].to_str().unwrap()]);
        refused(&ended, 1, &["foreign", "thesis.txt", "--data"]);
    }
    assert_eq!(files(directory.path()), before);
    assert!(!fresh.exists());

    let file = directory.join("file");
    std::fs::write(&file, "").unwrap();
    refused(
        &serve(&["--data", file.to_str().unwrap()]),
        1,
        &["file", "not a directory"],
    );
    let dangling = directory.join("dangling");
    symlink(directory.join("nowhere"), &dangling).unwrap();
    refused(&serve(&["--data", dangling.to_str().unwrap()]), 1, &["dangling"]);
    refused(&serve(&["--data", "/proc/corelane"]), 1, &["/proc/corelane", "--data"]);
    let twice = fresh.to_str().unwrap();
    refused(&serve(&["--data", twice, "--data", twice]), 2, &["twice"]);
    let inside = fresh.join("inside");
    refused(
        &serve(&["--data", twice, "--data", inside.to_str().unwrap()]),
        2,
        &["inside"],
    );
}

#[test]
fn a_new_file_system_with_lost_and_found_is_fine() {
    let directory = Directory::new();
    std::fs::create_dir_all(directory.join("data/lost+found")).unwrap();
    let mut serve = serve_command()
        .args(["--json", "--port", "0", "--cores", "1", "--data"])
        .arg(directory.join("data"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(serve.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(line.starts_with("READY "), "{line}");
    signal(serve.id(), Signal::TERM);
    assert_eq!(serve.wait().unwrap().code(), Some(0));
}

#[test]
fn wrong_flags_are_explained() {
    let directory = Directory::new();
    let data = directory.join("data");
    let with = |arguments: &[&str]| serve(&[&["--data", data.to_str().unwrap()], arguments].concat());
    refused(
        &with(&["--route", "handoff"]),
        2,
        &["not available yet", "auto, redirect or proxy"],
    );
    refused(&with(&["--route", "sideways"]), 2, &["sideways", "redirect"]);
    refused(&with(&["--cores", "0"]), 2, &["--cores 0"]);
    refused(&with(&["--cores", "100000"]), 2, &["--cores 100000"]);
    refused(&with(&["--host", "no such host"]), 1, &["--host"]);
    refused(&with(&["--advertise", "http://x:1/"]), 2, &["--advertise"]);
    refused(
        &with(&["--host", "0.0.0.0", "--route", "redirect"]),
        2,
        &["--advertise"],
    );
    refused(&with(&["--unknown"]), 2, &["--unknown"]);
    let mut high = serve_command();
    high.args(["--port", "65535", "--data"]).arg(&data);
    refused(&run(high), 2, &["65535"]);
    for (access_key, secret_key, text) in [
        ("only-one", "", "CORELANE_SECRET_KEY"),
        ("", "only-the-other", "CORELANE_ACCESS_KEY"),
        ("a/b", "long-enough-secret", "access key"),
        ("good", "short", "secret key"),
    ] {
        let mut command = serve_command();
        command
            .env("CORELANE_ACCESS_KEY", access_key)
            .env("CORELANE_SECRET_KEY", secret_key)
            .arg("--data")
            .arg(&data);
        let ended = run(command);
        refused(&ended, 2, &[text]);
        assert!(!ended.stderr.contains("long-enough-secret"));
    }
    assert!(!data.exists(), "wrong flags made a directory");
}

#[test]
fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let directory = Directory::new();
    let mut command = serve_command();
    command
        .args(["--cores", "1", "--port", &port.to_string(), "--data"])
        .arg(directory.join("data"));
    refused(&run(command), 1, &[&port.to_string()]);
    // The core's port: the gateway runs already and goes again.
    let mut command = serve_command();
    command
        .args(["--cores", "1", "--port", &(port - 1).to_string(), "--data"])
        .arg(directory.join("data"));
    refused(&run(command), 1, &[&port.to_string()]);
}

#[test]
fn a_store_in_use_is_refused() {
    let store = Store::start();
    let ended = serve(&["--data", store.data().to_str().unwrap()]);
    refused(&ended, 1, &["in use", "--data"]);
    store.send(Request::new("GET", "/s3")).expect_status(200);
}

#[test]
fn a_changed_set_of_mountpaths_is_refused() {
    let directory = Directory::new();
    let second = directory.join("second");
    let third = directory.join("third");
    let mut store = Store::start_with(&["--data", second.to_str().unwrap()]);
    store.make_bucket("kept");
    store.put("kept", "key", "content");
    assert_eq!(store.stop().code(), Some(0));
    let (first, second, third) = (store.data(), second, third);
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    // One is missing, one more is given, and the order that would make the store look empty.
    refused(&serve(&["--data", &path(&first)]), 1, &[]);
    refused(
        &serve(&[
            "--data",
            &path(&first),
            "--data",
            &path(&second),
            "--data",
            &path(&third),
        ]),
        1,
        &[],
    );
    refused(&serve(&["--data", &path(&second)]), 1, &["first"]);
    refused(
        &serve(&["--data", &path(&second), "--data", &path(&first)]),
        1,
        &["name it first"],
    );
    store.start_again();
    assert_eq!(store.get("kept", "key").expect_status(200).body, b"content");
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
        std::thread::sleep(std::time::Duration::from_millis(300));
        let idle = store.connect();
        signal(store.pid(), stop);
        std::thread::sleep(std::time::Duration::from_millis(300));
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
fn missing_programs_and_low_limits_are_explained() {
    let directory = Directory::new();
    let alone = directory.join("corelane");
    std::fs::copy(corelane_tests::directory::program("corelane"), &alone).unwrap();
    let mut command = Command::new(&alone);
    command
        .args(["serve", "--port", "0", "--data"])
        .arg(directory.join("data"));
    refused(&run(command), 1, &["corelane-gateway", "beside"]);
    assert!(!directory.join("data").exists());
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
        let signer = corelane_tests::sign::Signer::new(access_key, secret_key);
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
