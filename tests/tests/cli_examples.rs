//! Every example of every `--help`, and every `corelane` line of the README, works: each is run against a real store, in a
//! directory that holds what it names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    command::{Clients, Ended},
    directory::workspace,
    examples::{commands, help, of_help, of_readme, worked},
    process::signal,
    random,
    store::Store,
    transcript::shell,
};
use rustix::process::Signal;
use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::symlink,
    process::Stdio,
};

/// Buckets that examples name. They are there, with objects, unless the example creates them.
const BUCKETS: &[&str] = &["photos", "train", "backup"];
/// A key that examples name, and its user.
const KEY: (&str, &str, &str) = ("AKEXAMPLE", "secret-of-the-example", "alice");
/// Places of other machines and what stands for them here.
const PLACES: &[(&str, &str)] = &[
    ("http://10.0.0.7:51080", "$ENDPOINT"),
    ("https://store.example.org:51080", "$ENDPOINT"),
    ("/disk1", "$DIR/disk1"),
    ("/disk2", "$DIR/disk2"),
];

/// A store, and a directory with what an example names.
fn sandbox(line: &str) -> (Store, Clients) {
    let speaks_tls = line.starts_with("corelane cert");
    let store = Store::start_with(if speaks_tls { &["--tls"] } else { &[] });
    let clients = Clients::new(&store);
    let home = clients.home();
    let serves = words(line).contains(&"serve");
    if !serves {
        symlink(store.data(), home.join("corelane-data")).unwrap();
        symlink(store.data(), home.join("disk1")).unwrap();
    }
    if speaks_tls {
        fs::copy(store.certificate_file(), home.join("server.pem")).unwrap();
        return (store, clients);
    }
    let certificate = ["cert", "make", "--out", "made"];
    clients.corelane(&certificate).ok();
    fs::rename(home.join("made/cert.pem"), home.join("server.pem")).unwrap();
    fs::rename(home.join("made/key.pem"), home.join("server.key")).unwrap();
    files(&clients);
    if serves {
        return (store, clients);
    }
    let creates = |what: &str| words(line).windows(2).any(|pair| pair == [what, "create"]);
    if !creates("bucket") {
        for bucket in BUCKETS {
            clients.corelane(&["bucket", "create", bucket]).ok();
            // An example that removes a bucket which has to be empty gets one.
            if !line.contains("bucket rm") || line.contains("--force") {
                objects(&store, bucket);
            }
        }
    }
    if !creates("key") {
        let (access_key, secret_key, user) = KEY;
        let key = ["--access-key", access_key, "--secret-key", secret_key];
        clients
            .corelane(&[&["key", "create", "--user", user][..], &key].concat())
            .ok();
    }
    (store, clients)
}

fn files(clients: &Clients) {
    let home = clients.home();
    fs::create_dir_all(home.join("holiday/deep")).unwrap();
    for (seed, name) in ["holiday/a.jpg", "holiday/deep/b.jpg", "cat.jpg", "large.bin"]
        .iter()
        .enumerate()
    {
        let bytes = random::bytes(u64::try_from(seed).unwrap(), 20_000);
        fs::write(home.join(name), bytes).unwrap();
    }
}

fn objects(store: &Store, bucket: &str) {
    for key in ["cat.jpg", "2026/a.jpg", "2026/deep/b.jpg", "hello"] {
        store.put(bucket, key, format!("{bucket}/{key} and some more bytes than that"));
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

fn here(line: &str) -> String {
    PLACES
        .iter()
        .fold(line.to_owned(), |line, (there, here)| line.replace(there, here))
}

fn run(line: &str, store: &Store, clients: &Clients) -> Ended {
    match words(line).contains(&"serve") {
        true => serve(line, store, clients),
        false => shell(&here(line), store, clients),
    }
}

/// Runs `corelane serve ...` on free ports until it says that it is ready, and stops it.
fn serve(line: &str, store: &Store, clients: &Clients) -> Ended {
    let line = here(line);
    // Another one may be on the port that the example names.
    let mut words: Vec<&str> = line.split_whitespace().collect();
    for flag in ["--port", "--website-port"] {
        if let Some(at) = words.iter().position(|word| *word == flag) {
            words.splice(at..at + 2, [flag, "0"]);
        }
    }
    if !words.contains(&"--port") {
        words.extend(["--port", "0"]);
    }
    let line = format!("{} --json --cores 1", words.join(" "));
    let mut command = clients.command(std::path::Path::new("bash"));
    let path = format!(
        "{}:{}",
        corelane_tests::directory::binaries().display(),
        std::env::var("PATH").unwrap()
    );
    let (assignments, program) = line.split_at(line.find("corelane ").unwrap());
    let mut child = command
        .env("PATH", path)
        .env("DIR", clients.home())
        .env("ENDPOINT", store.endpoint())
        .args(["-c", &format!("{assignments} exec {program}")])
        .stdout(Stdio::piped())
        .stderr(fs::File::create(clients.home().join("serve.log")).unwrap())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut first)
        .unwrap();
    if first.starts_with("READY ") {
        signal(child.id(), Signal::TERM);
    }
    let status = child.wait().unwrap();
    let log = fs::read_to_string(clients.home().join("serve.log")).unwrap();
    assert!(
        first.starts_with("READY ") && status.success(),
        "{line}\n{status}\n{first}{log}"
    );
    // Nothing else is said of a store that served and stopped.
    shell("true", store, clients)
}

/// All examples below one command.
fn examples_of(command: &str) {
    let store = Store::start();
    let clients = Clients::new(&store);
    let mut count = 0;
    for path in commands(&clients)
        .iter()
        .filter(|path| path.first().is_some_and(|name| name == command))
    {
        let page = format!("corelane {}", path.join(" "));
        for line in of_help(&help(&clients, path)) {
            let (store, clients) = sandbox(&line);
            worked(&page, &line, &run(&line, &store, &clients));
            count += 1;
        }
    }
    assert!(count > 0, "{command} has no examples");
}

macro_rules! examples {
    ($($test:ident: $command:literal)*) => {
        $(#[test] fn $test() { examples_of($command); })*
        const TESTED: &[&str] = &[$($command),*];
    };
}

examples! {
    of_serve: "serve"
    of_bucket: "bucket"
    of_object: "object"
    of_ls: "ls"
    of_show: "show"
    of_config: "config"
    of_cluster: "cluster"
    of_key: "key"
    of_cert: "cert"
    of_completions: "completions"
    of_man: "man"
}

#[test]
fn the_first_page() {
    let store = Store::start();
    let clients = Clients::new(&store);
    let lines = of_help(&help(&clients, &[]));
    assert!(lines.len() > 5, "{lines:?}");
    for line in lines {
        let (store, clients) = sandbox(&line);
        worked("corelane", &line, &run(&line, &store, &clients));
    }
}

#[test]
fn every_command_has_examples_and_all_are_run() {
    let store = Store::start();
    let clients = Clients::new(&store);
    for path in commands(&clients) {
        let text = help(&clients, &path);
        let page = path.join(" ");
        let lines = of_help(&text);
        assert!(!lines.is_empty(), "corelane {page} --help has no examples:\n{text}");
        for line in &lines {
            assert!(words(line).contains(&"corelane"), "{page}: {line} is no command");
        }
        if let Some(name) = path.first() {
            assert!(TESTED.contains(&name.as_str()), "examples of {name} are not run");
        }
    }
}

#[test]
fn the_readme() {
    let text = fs::read_to_string(workspace().join("README.md")).unwrap();
    let blocks = of_readme(&text);
    assert!(!blocks.is_empty());
    for block in blocks {
        let (store, clients) = sandbox(&block.join(" "));
        for line in &block {
            worked("README.md", line, &run(line, &store, &clients));
        }
    }
}
