//! `corelane serve` starts, or says in one line what is wrong and what to do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    command::{Ended, run},
    directory::{Directory, files, program},
    process::{neighbouring_ports, signal},
    request::Request,
    store::{Store, serve_command},
};
use rustix::process::Signal;
use std::{
    io::{BufRead, BufReader},
    os::unix::{
        fs::{PermissionsExt, symlink},
        process::CommandExt,
    },
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
        &with(&["--route", "handoff", "--no-handoff"]),
        2,
        &["--no-handoff", "contradict"],
    );
    refused(&with(&["--route", "sideways"]), 2, &["sideways", "redirect"]);
    refused(&with(&["--cores", "0"]), 2, &["--cores 0"]);
    refused(&with(&["--cores", "100000"]), 2, &["--cores 100000"]);
    refused(&with(&["--host", "no such host"]), 2, &["--host"]);
    refused(&with(&["--host", "no.such.host.invalid"]), 1, &["--host"]);
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
    let directory = Directory::new();
    let [gateways, cores] = neighbouring_ports();
    let [gateway, core] = [&gateways, &cores].map(|listener| listener.local_addr().unwrap().port().to_string());
    let start = || {
        let mut command = serve_command();
        command
            .args(["--cores", "1", "--port", &gateway, "--data"])
            .arg(directory.join("data"));
        run(command)
    };
    refused(&start(), 1, &[&gateway]);
    // Now only the core's port is taken: the gateway runs already and goes again.
    drop(gateways);
    refused(&start(), 1, &[&core]);
    assert!(std::net::TcpListener::bind(format!("127.0.0.1:{gateway}")).is_ok());
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

/// `corelane serve` as a user without privileges: root may write everywhere and raise every limit.
fn unprivileged(script: &str, data: &Path) -> Option<Ended> {
    const NOBODY: u32 = 65_534;
    let mut command = Command::new("bash");
    command
        .args(["-c", script, "bash"])
        .arg(program("corelane"))
        .arg(data)
        .current_dir("/");
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let ended = run(command);
    // Where the build is in a directory that others cannot enter, there is nothing such a user could run.
    (ended.code != 126 && ended.code != 127).then_some(ended)
}

#[test]
fn unwritable_directories_and_low_limits_are_explained() {
    let directory = Directory::new();
    let unwritable = directory.join("unwritable");
    std::fs::create_dir(&unwritable).unwrap();
    std::fs::set_permissions(&unwritable, std::fs::Permissions::from_mode(0o555)).unwrap();
    for data in [unwritable.clone(), unwritable.join("below")] {
        if let Some(ended) = unprivileged("exec \"$1\" serve --port 0 --data \"$2\"", &data) {
            refused(&ended, 1, &["unwritable", "Permission denied", "--data"]);
        }
    }
    let script = "ulimit -l 64 && exec \"$1\" serve --port 0 --data \"$2\"";
    if let Some(ended) = unprivileged(script, &directory.join("data")) {
        refused(&ended, 1, &["locked memory", "64 KiB", "ulimit -l"]);
    }
    assert!(!directory.join("data").exists());
}

#[test]
fn missing_programs_are_explained() {
    let directory = Directory::new();
    let alone = directory.join("corelane");
    std::fs::copy(program("corelane"), &alone).unwrap();
    let mut command = Command::new(&alone);
    command
        .args(["serve", "--port", "0", "--data"])
        .arg(directory.join("data"));
    refused(&run(command), 1, &["corelane-gateway", "beside"]);
    assert!(!directory.join("data").exists());
}
