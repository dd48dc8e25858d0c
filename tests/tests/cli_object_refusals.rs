//! How `corelane object` fails, and https.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    command::{Clients, Ended, run},
    directory::program,
    random::Random,
    store::{ACCESS_KEY, SECRET_KEY, Store},
};

#[track_caller]
fn fails(ended: Ended, code: i32, text: &str) {
    assert_eq!(ended.code, code, "{ended}");
    assert!(
        ended.stderr.starts_with("error: ") && ended.stderr.contains(text),
        "{ended}"
    );
    assert!(ended.stderr.lines().count() <= 2, "{ended}");
}

#[test]
fn failures_have_their_exit_codes() {
    let store = Store::start();
    store.make_bucket("bck");
    let clients = Clients::new(&store);
    std::fs::write(clients.home().join("file"), "x").unwrap();
    fails(clients.corelane(&["object", "get", "bck/none", "x"]), 3, "NoSuchKey");
    fails(
        clients.corelane(&["object", "get", "none/none", "x"]),
        3,
        "NoSuchBucket",
    );
    fails(
        clients.corelane(&["object", "put", "file", "none/key"]),
        3,
        "NoSuchBucket",
    );
    fails(
        clients.corelane(&["object", "put", "missing", "bck"]),
        1,
        "cannot open missing",
    );
    fails(
        clients.corelane(&["object", "get", "bck/none/", "x"]),
        3,
        "nothing below bck/none/",
    );
    fails(clients.corelane(&["object", "get", "bck"]), 2, "--recursive");
    fails(
        clients.corelane(&["object", "put", "file", "file", "bck/key"]),
        2,
        "slash",
    );
    fails(clients.corelane(&["object", "get", "bck/none/", "-"]), 2, "one object");
    let stranger = Clients::with_key(&store, ACCESS_KEY, "another-secret-key-of-forty-characters-1");
    fails(
        stranger.corelane(&["object", "get", "bck/key", "x"]),
        4,
        "SignatureDoesNotMatch",
    );
    fails(
        stranger.corelane(&["object", "get", "bck", "x", "--recursive"]),
        4,
        "SignatureDoesNotMatch",
    );
    let nobody = Clients::at(1, ACCESS_KEY, SECRET_KEY);
    fails(nobody.corelane(&["object", "get", "bck/key", "x"]), 5, "127.0.0.1:1");
}

#[test]
fn one_failure_among_many_does_not_stop_the_rest() {
    let store = Store::start();
    store.make_bucket("bck");
    let clients = Clients::new(&store);
    for name in ["f/a", "f/b/c"] {
        store.put("bck", name, "x");
    }
    // A folder where a file is to be.
    std::fs::create_dir_all(clients.home().join("out/a/x")).unwrap();
    let ended = clients.corelane(&["object", "get", "bck/f/", "out"]);
    assert_eq!(ended.code, 1, "{ended}");
    assert!(ended.stderr.contains("bck/f/a"), "{ended}");
    assert!(ended.stdout.contains("Got 1 file, 1B"), "{ended}");
    assert_eq!(std::fs::read(clients.home().join("out/b/c")).unwrap(), b"x");
}

#[test]
fn https_is_verified_unless_told_otherwise() {
    let store = Store::start_with(&["--tls", "--durability", "none"]);
    store.make_bucket("bck");
    let clients = Clients::new(&store);
    let body = Random::new(31).bytes(12_000_000);
    std::fs::write(clients.home().join("file"), &body).unwrap();
    let certificate = store.certificate_file();
    let certificate = certificate.to_str().unwrap();
    let put = ["object", "put", "file", "bck/key", "--part-size", "5MiB"];
    fails(clients.corelane(&put), 5, "--ca");
    for trust in [&["--ca", certificate][..], &["--insecure"]] {
        clients.corelane(&[&put[..], trust].concat()).ok();
        let small = ["object", "put", certificate, "bck/small"];
        clients.corelane(&[&small[..], trust].concat()).ok();
        let get = ["object", "get", "bck/key", "back", "--part-size", "5MiB"];
        clients.corelane(&[&get[..], trust].concat()).ok();
        assert!(std::fs::read(clients.home().join("back")).unwrap() == body);
        std::fs::remove_file(clients.home().join("back")).unwrap();
    }
}

/// Stores that redirect everything: uploads are not, downloads are followed.
#[test]
fn redirects_to_the_cores_are_followed() {
    for arguments in [
        &["--route", "redirect"][..],
        &["--route", "redirect", "--tls"],
        &["--route", "proxy"],
    ] {
        let store = Store::start_with(arguments);
        let clients = Clients::new(&store);
        let mut flags = vec![];
        if store.speaks_tls() {
            flags.push("--insecure");
        }
        let corelane = |words: &[&str]| clients.corelane(&[words, &flags].concat());
        store.make_bucket("bck");
        let body = Random::new(32).bytes(11_000_000);
        std::fs::write(clients.home().join("file"), &body).unwrap();
        corelane(&["object", "put", "file", "bck/a b"]).ok();
        corelane(&["object", "put", "file", "bck/parts", "--part-size", "5MiB"]).ok();
        for key in ["a b", "parts"] {
            let object = format!("bck/{key}");
            for part_size in ["5MiB", "16MiB"] {
                corelane(&["object", "get", &object, "back", "--part-size", part_size]).ok();
                assert!(std::fs::read(clients.home().join("back")).unwrap() == body, "{key}");
            }
            corelane(&["object", "rm", &object]).ok();
        }
    }
}

#[test]
fn quiet_says_nothing_and_json_says_it_all() {
    let store = Store::start();
    store.make_bucket("bck");
    let clients = Clients::new(&store);
    std::fs::write(clients.home().join("file"), "x").unwrap();
    let quiet = clients.corelane(&["object", "put", "file", "bck", "--quiet"]).ok();
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    let json = clients.corelane(&["object", "get", "bck/file", "back", "--json"]).ok();
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["objects"][0]["object"], "bck/file");
    assert_eq!(json["objects"][0]["file"], "back");
    assert_eq!((&json["count"], &json["bytes"]), (&1.into(), &1.into()));
    // A pipe is no terminal: no bars.
    let mut command = clients.command(&program("corelane"));
    command
        .args(["object", "put", "file", "bck"])
        .env("CORELANE_ENDPOINT", clients.endpoint())
        .env("CORELANE_ACCESS_KEY", ACCESS_KEY)
        .env("CORELANE_SECRET_KEY", SECRET_KEY);
    assert_eq!(run(command).ok().stderr, "");
}
