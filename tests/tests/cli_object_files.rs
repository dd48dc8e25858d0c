//! `corelane object put` and `get` of single files: forms of names, contents, ranges, parts, streams.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    command::{Clients, run},
    directory::program,
    multipart::Upload,
    random::Random,
    request::Request,
    store::Store,
};
use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

const MIB: usize = 1024 * 1024;

fn write(clients: &Clients, name: &str, bytes: &[u8]) {
    std::fs::write(clients.home().join(name), bytes).unwrap();
}

fn read(clients: &Clients, name: &str) -> Vec<u8> {
    std::fs::read(clients.home().join(name)).unwrap()
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Hidden files that a get would have left.
fn leftovers(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(".corelane")).collect()
}

/// The same program with something on its standard input.
fn with_input(clients: &Clients, arguments: &[&str], input: &[u8]) -> bool {
    let mut child = command(clients, arguments).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait().unwrap().success()
}

fn command(clients: &Clients, arguments: &[&str]) -> Command {
    let mut command = clients.command(&program("corelane"));
    command
        .args(arguments)
        .env("CORELANE_ENDPOINT", clients.endpoint())
        .env("CORELANE_ACCESS_KEY", clients.access_key())
        .env("CORELANE_SECRET_KEY", clients.secret_key());
    command
}

#[test]
fn the_words_of_the_seed_system_work() {
    let store = Store::start();
    store.make_bucket("bck");
    let clients = Clients::new(&store);
    let body = Random::new(1).bytes(71_671);
    write(&clients, "filename", &body);
    clients
        .corelane(&["object", "put", "filename", "ais://bck/obj"])
        .ok()
        .says("Put 1 file, 69.99KiB in ");
    clients.corelane(&["object", "get", "ais://bck/obj", "back"]).ok();
    assert_eq!(read(&clients, "back"), body);
    clients
        .corelane(&["object", "get", "ais://bck/obj", "--offset", "0", "--length", "10"])
        .ok()
        .says("Got 1 file, 10B in ");
    assert_eq!(read(&clients, "obj"), &body[..10]);
}

#[test]
fn the_target_may_be_a_name_a_folder_or_nothing() {
    let store = Store::start();
    store.make_bucket("bck");
    let clients = Clients::new(&store);
    write(&clients, "a.txt", b"a");
    clients.corelane(&["object", "put", "a.txt", "bck"]).ok();
    clients.corelane(&["object", "put", "a.txt", "s3://bck/folder/"]).ok();
    clients.corelane(&["object", "put", "a.txt", "bck/folder/b"]).ok();
    clients
        .corelane(&["object", "put", "a.txt", "bck", "--prefix", "pre-"])
        .ok();
    assert_eq!(store.keys("bck"), ["a.txt", "folder/a.txt", "folder/b", "pre-a.txt"]);
    std::fs::create_dir(clients.home().join("here")).unwrap();
    clients.corelane(&["object", "get", "bck/folder/b"]).ok();
    clients.corelane(&["object", "get", "bck/folder/b", "here"]).ok();
    clients.corelane(&["object", "get", "bck/folder/b", "new/"]).ok();
    clients.corelane(&["object", "get", "bck/folder/b", "c"]).ok();
    for name in ["b", "here/b", "new/b", "c"] {
        assert_eq!(read(&clients, name), b"a", "{name}");
    }
}

#[test]
fn what_is_said_of_a_file_goes_with_it() {
    let store = Store::start();
    store.make_bucket("bck");
    let clients = Clients::new(&store);
    write(&clients, "a.png", b"not really");
    clients
        .corelane(&[
            "object",
            "put",
            "a.png",
            "bck",
            "--metadata",
            "Camera=x 100",
            "--metadata",
            "b=2",
            "--tags",
            "year=2026,what=a b",
        ])
        .ok();
    let head = store.send(Request::object("HEAD", "bck", "a.png")).expect_status(200);
    assert_eq!(head.header("content-type"), Some("image/png"));
    assert_eq!(head.header("x-amz-meta-camera"), Some("x 100"));
    assert_eq!(head.header("x-amz-meta-b"), Some("2"));
    let tags = store
        .send(Request::object("GET", "bck", "a.png").subresource("tagging"))
        .text();
    assert!(tags.contains("<Key>year</Key><Value>2026</Value>"), "{tags}");
    assert!(tags.contains("<Key>what</Key><Value>a b</Value>"), "{tags}");
    clients
        .corelane(&["object", "put", "a.png", "bck", "--content-type", "x/y"])
        .ok();
    let head = store.send(Request::object("HEAD", "bck", "a.png"));
    assert_eq!(head.header("content-type"), Some("x/y"));
}

/// Sizes around a part, in buckets of both kinds of ETag, with all checksums that verify them.
#[test]
fn contents_survive_in_one_piece_and_in_parts() {
    let store = Store::start_with(&["--durability", "none"]);
    store.make_bucket("md5s");
    let clients = Clients::new(&store);
    for (size, count) in [
        (0, None),
        (1, None),
        (5 * MIB, None),
        (5 * MIB + 1, Some(2)),
        (12 * MIB, Some(3)),
    ] {
        let body = Random::new(size as u64).bytes(size);
        write(&clients, "file", &body);
        let put = ["object", "put", "file", "md5s/key", "--part-size", "5MiB", "--json"];
        let put = json(&clients.corelane(&put).ok().stdout);
        assert_eq!(put["objects"][0]["size"], size);
        let etag = put["objects"][0]["etag"].as_str().unwrap().to_owned();
        let parts = etag.split_once('-').map(|(_, count)| count.parse().unwrap());
        assert_eq!(parts, count, "{etag}");
        let get = ["object", "get", "md5s/key", "back", "--part-size", "5MiB", "--json"];
        let get = json(&clients.corelane(&get).ok().stdout);
        assert_eq!(get["objects"][0]["verified"], "crc64nvme");
        assert_eq!(read(&clients, "back"), body);
        let direct = store.get("md5s", "key").expect_status(200);
        assert_eq!(direct.body, body);
    }
    assert_eq!(leftovers(clients.home()), [""; 0]);
    // Nothing is kept of uploads that are complete.
    let kept = std::fs::read_dir(clients.home().join(".local/state/corelane/uploads")).unwrap();
    assert_eq!(kept.count(), 0);
}

#[test]
fn objects_of_other_clients_are_verified_by_what_they_have() {
    let store = Store::start_with(&["--durability", "none"]);
    let clients = Clients::new(&store);
    let body = Random::new(5).bytes(6 * MIB);
    for (checksum_type, verified) in [
        ("xxhash", "xxhash128"),
        ("md5", "crc64nvme"),
        ("crc32c", "crc32c"),
        ("sha256", "sha256"),
        ("sha512", "sha512"),
    ] {
        let property = format!("checksum.type={checksum_type}");
        clients
            .corelane(&["bucket", "create", checksum_type, "--props", &property])
            .ok();
        store.put(checksum_type, "whole", body.clone());
        for arguments in [&["--part-size", "5MiB"][..], &[]] {
            let mut words = vec!["object", "get", "--json"];
            let object = format!("{checksum_type}/whole");
            words.extend([object.as_str(), "back"]);
            words.extend(arguments);
            let got = json(&clients.corelane(&words).ok().stdout);
            assert_eq!(got["objects"][0]["verified"], verified, "{checksum_type}");
            assert_eq!(read(&clients, "back"), body);
        }
    }
    // Parts of odd sizes, known by nothing but their ETags.
    for bucket in ["md5", "xxhash"] {
        let upload = Upload::begin(&store, bucket, "parts");
        let parts = [
            upload.part(1, &body[..5 * MIB + 3]),
            upload.part(2, &body[5 * MIB + 3..]),
        ];
        upload.complete(&parts).expect_status(200);
        let object = format!("{bucket}/parts");
        for part_size in ["5MiB", "16MiB"] {
            let words = ["object", "get", &object, "back", "--json", "--part-size", part_size];
            let got = json(&clients.corelane(&words).ok().stdout);
            assert!(got["objects"][0]["verified"].is_string(), "{bucket}: {got}");
            assert_eq!(read(&clients, "back"), body);
        }
    }
}

#[test]
fn standard_input_and_output_are_files_too() {
    let store = Store::start_with(&["--durability", "none"]);
    store.make_bucket("bck");
    let clients = Clients::new(&store);
    for size in [0, 100, 5 * MIB, 13 * MIB] {
        let body = Random::new(size as u64 + 7).bytes(size);
        assert!(with_input(
            &clients,
            &["object", "put", "-", "bck/in", "--part-size", "5MiB"],
            &body
        ));
        assert_eq!(store.get("bck", "in").expect_status(200).body, body);
        let output = command(&clients, &["object", "get", "bck/in", "-"]).output().unwrap();
        assert!(output.status.success());
        assert!(output.stdout == body, "{size}");
    }
    let slice = command(&clients, &["object", "get", "bck/in", "-", "--offset", "5"])
        .output()
        .unwrap();
    assert_eq!(slice.stdout, store.get("bck", "in").body[5..]);
    // No name to put it to.
    let refused = run(command(&clients, &["object", "put", "-", "bck"]));
    assert_eq!(refused.code, 2);
}

#[test]
fn slices_end_where_the_object_ends() {
    let store = Store::start();
    store.make_bucket("bck");
    store.put("bck", "ten", "0123456789");
    let clients = Clients::new(&store);
    for (flags, wanted) in [
        (&["--offset", "3"][..], "3456789"),
        (&["--length", "4"], "0123"),
        (&["--offset", "8", "--length", "100"], "89"),
    ] {
        let mut words = vec!["object", "get", "bck/ten", "out"];
        words.extend(flags);
        clients.corelane(&words).ok();
        assert_eq!(read(&clients, "out"), wanted.as_bytes());
    }
    let refused = clients.corelane(&["object", "get", "bck/ten", "out", "--offset", "10"]);
    assert_eq!(refused.code, 1, "{refused}");
    assert!(refused.stderr.contains("10 bytes"), "{refused}");
}

#[test]
fn old_versions_can_be_had_copied_and_removed() {
    let store = Store::start();
    store.make_versioned_bucket("bck");
    let first = store
        .put("bck", "key", "first")
        .header("x-amz-version-id")
        .unwrap()
        .to_owned();
    store.put("bck", "key", "second");
    let clients = Clients::new(&store);
    clients
        .corelane(&["object", "get", "bck/key", "old", "--version", &first])
        .ok();
    assert_eq!(read(&clients, "old"), b"first");
    clients
        .corelane(&["object", "cp", "bck/key", "bck/key", "--version", &first])
        .ok();
    assert_eq!(store.get("bck", "key").body, b"first");
    clients.corelane(&["object", "rm", "bck/key", "--version", &first]).ok();
    let gone = clients.corelane(&["object", "get", "bck/key", "old", "--version", &first]);
    assert_eq!(gone.code, 3, "{gone}");
    clients.corelane(&["object", "rm", "bck/key"]).ok();
    assert_eq!(clients.corelane(&["object", "get", "bck/key", "old"]).code, 3);
    clients
        .corelane(&["object", "rm", "bck/key", "--all-versions"])
        .ok()
        .says("Removed 3 objects");
    let versions = store.send(Request::bucket("GET", "bck").subresource("versions")).text();
    assert!(!versions.contains("<Key>"), "{versions}");
}

#[test]
fn odd_keys_are_put_and_got_and_copied_and_removed() {
    const ODD: &[&str] = &[
        "a b+c",
        "%2F",
        "ü/日本語",
        "a//b",
        "/lead",
        "../up",
        "a/./b",
        "a/../b",
        "q?x=y&z",
        "#",
        "tab\there",
        "<&>'\"",
        "~!*()",
    ];
    let store = Store::start();
    store.make_bucket("odd");
    store.make_bucket("copies");
    let clients = Clients::new(&store);
    for key in ODD {
        write(&clients, "file", key.as_bytes());
        let object = format!("odd/{key}");
        clients.corelane(&["object", "put", "file", &object]).ok();
        assert_eq!(store.get("odd", key).expect_status(200).text(), *key);
        clients.corelane(&["object", "get", &object, "back"]).ok();
        assert_eq!(read(&clients, "back"), key.as_bytes());
        clients
            .corelane(&["object", "cp", &object, &format!("copies/{key}")])
            .ok();
        assert_eq!(store.get("copies", key).expect_status(200).text(), *key);
    }
    for key in ODD {
        clients.corelane(&["object", "rm", &format!("odd/{key}")]).ok();
    }
    clients.corelane(&["object", "rm", "copies", "--recursive"]).ok();
    assert_eq!(store.keys("odd").len() + store.keys("copies").len(), 0);
    // A key that no URL can hold is named as such, and can be removed.
    let path = "/s3/odd/..";
    store.send(Request::new("PUT", path).body("x")).expect_status(200);
    assert_eq!(clients.corelane(&["object", "get", "odd/..", "x"]).code, 1);
    clients.corelane(&["object", "rm", "odd/.."]).ok();
    assert!(store.keys("odd").is_empty());
}

#[test]
fn pipes_and_links_stay_what_they_are() {
    let store = Store::start();
    store.make_bucket("bck");
    store.put("bck", "key", "content");
    let clients = Clients::new(&store);
    let corelane = program("corelane");
    let (corelane, endpoint) = (corelane.display(), clients.endpoint());
    let get = format!(
        "CORELANE_ENDPOINT={endpoint} CORELANE_ACCESS_KEY=$AWS_ACCESS_KEY_ID CORELANE_SECRET_KEY=$AWS_SECRET_ACCESS_KEY \
         {corelane} object get bck/key"
    );
    clients
        .shell(&format!("mkfifo pipe; cat pipe > out & {get} pipe; wait; test -p pipe"))
        .ok();
    assert_eq!(read(&clients, "out"), b"content");
    clients
        .shell(&format!("echo old > file; ln -s file link; {get} link; test -L link"))
        .ok();
    assert_eq!(read(&clients, "file"), b"content");
}
