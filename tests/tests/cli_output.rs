//! How the command line prints: for people on a terminal, for programs, and for pipes that close.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    command::{Clients, Ended},
    store::Store,
    transcript::shell,
};
use serde_json::Value;

/// Runs a command line on a terminal of its own.
fn on_terminal(line: &str, store: &Store, clients: &Clients) -> Ended {
    shell(&format!("script -qefc '{line}' /dev/null"), store, clients)
}

#[test]
fn colours_are_for_terminals() {
    let store = Store::start();
    store.make_bucket("photos");
    let clients = Clients::new(&store);
    let dressed = "\u{1b}[1m";
    let ended = on_terminal("TERM=xterm corelane bucket ls", &store, &clients).ok();
    assert!(
        ended.stdout.contains(dressed) && ended.stdout.contains("photos"),
        "{ended}"
    );
    for plain in [
        "TERM=xterm NO_COLOR=1 corelane bucket ls",
        "TERM=xterm corelane bucket ls --no-color",
        "TERM=xterm corelane --no-color bucket ls",
        "TERM=dumb corelane bucket ls",
    ] {
        let ended = on_terminal(plain, &store, &clients).ok();
        assert!(!ended.stdout.contains('\u{1b}'), "{plain}: {ended}");
        assert!(ended.stdout.contains("photos"), "{plain}: {ended}");
    }
    let ended = shell("TERM=xterm corelane bucket ls", &store, &clients).ok();
    assert!(!ended.stdout.contains('\u{1b}'), "{ended}");
    // Failures too.
    let failed = on_terminal("TERM=xterm corelane bucket show nothing-here", &store, &clients);
    assert!(
        failed.code == 3 && failed.stdout.contains("\u{1b}[1;31merror:"),
        "{failed}"
    );
    let failed = shell("corelane bucket show nothing-here", &store, &clients);
    assert!(failed.stderr.starts_with("error: "), "{failed}");
    let help = shell("corelane --help; corelane bucket --help", &store, &clients).ok();
    assert!(!help.stdout.contains('\u{1b}'), "{help}");
}

#[test]
fn removing_all_of_a_bucket_is_asked_for_on_a_terminal() {
    let store = Store::start();
    store.make_bucket("photos");
    store.put("photos", "key", "content");
    let clients = Clients::new(&store);
    let asked = shell(
        "printf \"no\\n\" | script -qefc 'corelane bucket rm photos --force' /dev/null",
        &store,
        &clients,
    );
    assert!(asked.code == 1 && asked.stdout.contains("[y/N]"), "{asked}");
    store.get("photos", "key").expect_status(200);
    let asked = shell(
        "printf \"yes\\n\" | script -qefc 'corelane bucket rm photos --force' /dev/null",
        &store,
        &clients,
    );
    assert!(asked.code == 0 && asked.stdout.contains("bucket removed"), "{asked}");
    store.get("photos", "key").expect_status(404);
}

#[test]
fn a_reader_that_has_enough_is_no_failure() {
    let store = Store::start();
    store.make_bucket("many");
    for number in 0..50 {
        store.put("many", &format!("key-{number:02}"), "content");
    }
    let clients = Clients::new(&store);
    for line in [
        "corelane ls many | true",
        "corelane ls many --json | true",
        "corelane ls many | head -1",
        "corelane man | true",
        "corelane completions bash | true",
        "corelane bucket show many | true",
        "corelane key ls --json | true",
        "corelane cluster show | true",
        "corelane cert make --out made | true",
        "corelane cert --file made/cert.pem | true",
        "corelane config show | true",
    ] {
        let ended = shell(line, &store, &clients).ok();
        assert_eq!(ended.stderr, "", "{line}: {ended}");
    }
    let full = shell("corelane ls many > /dev/full", &store, &clients);
    assert!(
        full.code == 1 && full.stderr.starts_with("error: cannot write"),
        "{full}"
    );
}

#[test]
fn a_listing_of_many_pages_is_one() {
    let store = Store::start();
    let clients = Clients::new(&store);
    clients.corelane(&["bucket", "create", "many"]).ok();
    shell(
        "mkdir many; for n in $(seq -w 1 2050); do echo $n > many/file-$n; done; corelane object put many many/",
        &store,
        &clients,
    )
    .ok();
    let lines = |arguments: &[&str]| {
        let ended = clients.corelane(&[&["ls", "many"], arguments].concat()).ok();
        ended.stdout.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let all = lines(&["--props", "size"]);
    assert_eq!(all.len(), 2051);
    assert_eq!(all.iter().filter(|line| line.starts_with("NAME")).count(), 1);
    assert_eq!(
        (all[1].as_str(), all[2050].as_str()),
        ("file-0001    5B", "file-2050    5B")
    );
    assert_eq!(lines(&["--limit", "1001", "--no-heading"]).len(), 1001);
    assert_eq!(lines(&["--summary"]), ["many: 2050 objects, 10.01KiB"]);
    let document: Value = serde_json::from_str(&lines(&["--json"]).join("\n")).unwrap();
    assert_eq!(document["objects"].as_array().unwrap().len(), 2050);
    let removed = clients.corelane(&["bucket", "rm", "many", "--force"]).ok();
    assert_eq!(
        removed.stdout,
        "\"many\" bucket removed, with 2050 objects and versions\n"
    );
}

#[test]
fn names_cannot_command_the_terminal() {
    let store = Store::start();
    store.make_bucket("odd");
    store.put("odd", "a\u{1b}[31mred", "content");
    store.put("odd", "line\nbreak", "content");
    let clients = Clients::new(&store);
    let ended = clients.corelane(&["ls", "odd", "--props", "name"]).ok();
    assert_eq!(ended.stdout, "NAME\na\\u{1b}[31mred\nline\\nbreak\n");
    // Programs get them as they are.
    let ended = clients.corelane(&["ls", "odd", "--json"]).ok();
    let listing: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(listing["objects"][0]["name"], "a\u{1b}[31mred");
}

#[test]
fn flags_may_come_before_the_command() {
    let store = Store::start();
    store.make_bucket("photos");
    let clients = Clients::new(&store);
    let line = "env -u CORELANE_ENDPOINT corelane --endpoint $ENDPOINT/s3 --json bucket ls";
    let ended = shell(line, &store, &clients).ok();
    let listing: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(listing["buckets"][0]["name"], "photos");
    let misplaced = shell("corelane --json --nonsense ls", &store, &clients);
    assert_eq!(misplaced.code, 2, "{misplaced}");
}

#[test]
fn every_command_prints_json() {
    let store = Store::start();
    let clients = Clients::new(&store);
    std::fs::write(clients.home().join("file"), "content").unwrap();
    for line in [
        "corelane bucket create photos --props checksum.type=md5",
        "corelane object put file photos/file",
        "corelane object show photos/file",
        "corelane object get photos/file back",
        "corelane object cp photos/file photos/copy",
        "corelane object ls photos",
        "corelane bucket ls",
        "corelane bucket ls photos",
        "corelane ls",
        "corelane ls photos",
        "corelane ls photos --summary",
        "corelane ls --summary",
        "corelane bucket show photos",
        "corelane bucket show photos --summary",
        "corelane show bucket photos",
        "corelane bucket props photos",
        "corelane bucket props photos access=ro",
        "corelane bucket props photos access=rw",
        "corelane object rm photos/copy",
        "corelane bucket rm photos --force",
        "corelane cluster show",
        "corelane show cluster",
        "corelane config show",
        "corelane config show net.http",
        "corelane config cluster net.http",
        "corelane key create --user alice --access-key ALICE --secret-key alices-secret-key",
        "corelane key ls",
        "corelane key rotate ALICE",
        "corelane key rm ALICE",
        "corelane cert make --out made",
        "corelane cert --file made/cert.pem",
    ] {
        let ended = shell(&format!("{line} --json"), &store, &clients).ok();
        let values: Vec<Value> = serde_json::Deserializer::from_str(&ended.stdout)
            .into_iter()
            .collect::<Result<_, _>>()
            .unwrap_or_else(|error| panic!("{line}: {error}: {ended}"));
        assert!(!values.is_empty(), "{line}: {ended}");
    }
}

#[test]
fn no_store_no_credentials_and_strangers_are_told_apart() {
    let store = Store::start();
    let clients = Clients::new(&store);
    let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = stranger.local_addr().unwrap().port();
    let answering = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = stranger.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
            .unwrap();
    });
    let ended = shell(
        &format!("corelane ls --endpoint http://127.0.0.1:{port}"),
        &store,
        &clients,
    );
    answering.join().unwrap();
    assert!(ended.code == 1 && ended.stderr.contains("does not know"), "{ended}");
    for line in [
        "ls",
        "bucket create some",
        "cluster show",
        "config show",
        "key ls",
        "object ls some",
    ] {
        let ended = shell(
            &format!("corelane {line} --endpoint http://127.0.0.1:1"),
            &store,
            &clients,
        );
        assert_eq!(ended.code, 5, "{line}: {ended}");
        assert!(
            ended.stderr.contains("http://127.0.0.1:1;") && ended.stderr.contains("`corelane serve`"),
            "{line}: {ended}"
        );
        assert_eq!(ended.stderr.lines().count(), 1, "{line}: {ended}");
    }
}
