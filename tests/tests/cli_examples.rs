//! Every example of every `--help`, and every `corelane` line of the README, works: each is run against a real store, in a
//! directory that holds what it names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    command::{Clients, Ended},
    directory::workspace,
    examples::{commands, help, of_help, of_readme, worked},
    process::signal,
    random,
    store::{ACCESS_KEY, Store},
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
const BUCKETS: &[&str] = &["photos", "train", "archive"];
/// What is in each of them.
const KEYS: &[&str] = &["a.jpg", "b.jpg", "2026/a.jpg", "2026/deep/b.jpg"];
/// Files and folders that examples name.
const FILES: &[&str] = &["a.jpg", "b.jpg", "a.bin", "pictures/x/a.jpg", "pictures/b.jpg"];
/// A key that examples name, and its user.
const KEY: (&str, &str, &str) = ("AKEXAMPLE", "secret-of-the-example", "alice");
/// Stands for the id of a version of photos/a.jpg or photos/2026/a.jpg.
const VERSION: &str = "3f2a";
/// Places of other machines and what stands for them here.
const PLACES: &[(&str, &str)] = &[
    ("http://10.0.0.7:51080", "$ENDPOINT"),
    ("https://store.example.org:51080", "$ENDPOINT"),
    ("/disk1", "$DIR/disk1"),
    ("/disk2", "$DIR/disk2"),
];

/// A store for the examples of one page, which find it as if nothing had happened yet.
struct Sandbox {
    store: Store,
}

impl Sandbox {
    fn new(speaks_tls: bool) -> Self {
        let store = Store::start_with(if speaks_tls { &["--tls"] } else { &[] });
        Self { store }
    }

    /// Runs an example, which has to work.
    #[track_caller]
    fn try_out(&self, page: &str, line: &str) {
        let clients = self.prepare(line);
        let mut line = line.to_owned();
        if line.contains(VERSION) {
            line = line.replace(VERSION, &self.old_version(&line));
        }
        worked(page, &line, &run(&line, &self.store, &clients));
    }

    /// A directory with what the example names, and a store with nothing else.
    fn prepare(&self, line: &str) -> Clients {
        let clients = Clients::new(&self.store);
        let home = clients.home();
        let serves = words(line).contains(&"serve");
        if !serves {
            symlink(self.store.data(), home.join("corelane-data")).unwrap();
            symlink(self.store.data(), home.join("disk1")).unwrap();
        }
        if self.store.speaks_tls() {
            fs::copy(self.store.certificate_file(), home.join("server.pem")).unwrap();
            return clients;
        }
        if serves {
            clients.corelane(&["cert", "make", "--out", "made"]).ok();
            fs::rename(home.join("made/cert.pem"), home.join("server.pem")).unwrap();
            fs::rename(home.join("made/key.pem"), home.join("server.key")).unwrap();
        }
        for (seed, name) in FILES.iter().enumerate() {
            let path = home.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, random::bytes(u64::try_from(seed).unwrap(), 20_000)).unwrap();
        }
        self.forget(&clients);
        let creates = |what: &str| words(line).windows(2).any(|pair| pair == [what, "create"]);
        if !creates("bucket") {
            let buckets: Vec<&str> = BUCKETS.iter().copied().filter(|bucket| line.contains(bucket)).collect();
            for bucket in buckets {
                clients.corelane(&["bucket", "create", bucket]).ok();
                // An example that removes a bucket which has to be empty gets one.
                if !line.contains("bucket rm") || line.contains("--force") {
                    self.fill(bucket, &clients);
                }
            }
        }
        if line.contains(KEY.0) {
            let (access_key, secret_key, user) = KEY;
            let key = ["--access-key", access_key, "--secret-key", secret_key];
            let create = ["key", "create", "--user", user];
            clients.corelane(&[&create[..], &key].concat()).ok();
        }
        clients
    }

    /// Removes what an example before left behind.
    fn forget(&self, clients: &Clients) {
        let json = |arguments: &[&str]| {
            let answer = clients.corelane(arguments).ok().stdout;
            serde_json::from_str::<serde_json::Value>(&answer).unwrap()
        };
        for bucket in json(&["ls", "--json"])["buckets"].as_array().unwrap() {
            let name = bucket["name"].as_str().unwrap();
            clients.corelane(&["bucket", "props", name, "access=rw"]).ok();
            clients.corelane(&["bucket", "rm", name, "--force", "--yes"]).ok();
        }
        for key in json(&["key", "ls", "--json"])["keys"].as_array().unwrap() {
            let access_key = key["access_key"].as_str().unwrap();
            if access_key != ACCESS_KEY {
                clients.corelane(&["key", "rm", access_key]).ok();
            }
        }
    }

    fn fill(&self, bucket: &str, clients: &Clients) {
        for key in KEYS {
            self.store
                .put(bucket, key, format!("{bucket}/{key} and some more bytes than that"));
        }
        let archive = format!("tar c pictures | corelane object put - {bucket}/all.tar");
        shell(&archive, &self.store, clients).ok();
    }

    /// The id of an old version of the object that an example names.
    fn old_version(&self, line: &str) -> String {
        self.store.set_versioning("photos", "Enabled");
        let key = KEYS
            .iter()
            .rev()
            .find(|key| line.contains(&format!("photos/{key}")))
            .unwrap();
        let put = || self.store.put("photos", key, "another version");
        let version = put().header("x-amz-version-id").unwrap().to_owned();
        put();
        version
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
    let sandbox = Sandbox::new(command == "cert");
    let clients = Clients::new(&sandbox.store);
    let mut count = 0;
    let paths = commands(&clients);
    for path in paths
        .iter()
        .filter(|path| path.first().is_some_and(|name| name == command))
    {
        let page = format!("corelane {}", path.join(" "));
        for line in of_help(&help(&clients, path)) {
            sandbox.try_out(&page, &line);
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
    let sandbox = Sandbox::new(false);
    let lines = of_help(&help(&Clients::new(&sandbox.store), &[]));
    assert!(lines.len() > 5, "{lines:?}");
    for line in lines {
        sandbox.try_out("corelane", &line);
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
        // The lines of a block come one after the other.
        let sandbox = Sandbox::new(block.iter().any(|line| line.starts_with("corelane cert")));
        let clients = sandbox.prepare(&block.join(" "));
        for line in &block {
            worked("README.md", line, &run(line, &sandbox.store, &clients));
        }
    }
}
