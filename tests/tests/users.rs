//! Users and their keys: `corelane key`, and who may touch whose bucket.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    command::Clients,
    request::Request,
    sign::Signer,
    store::{ACCESS_KEY, SECRET_KEY, Store},
    xml,
};
use serde_json::Value;

fn create(clients: &Clients, arguments: &[&str]) -> Value {
    let arguments = [&["key", "create", "--json"], arguments].concat();
    serde_json::from_str(&clients.corelane(&arguments).ok().stdout).unwrap()
}

fn list(clients: &Clients) -> Vec<Value> {
    let answer: Value = serde_json::from_str(&clients.corelane(&["key", "ls", "--json"]).ok().stdout).unwrap();
    answer["keys"].as_array().unwrap().clone()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

fn signer(key: &Value) -> Signer {
    Signer::new(text(key, "access_key"), text(key, "secret_key"))
}

#[test]
fn keys_are_created_listed_and_removed() {
    let mut store = Store::start();
    let clients = Clients::new(&store);
    let root = list(&clients);
    assert_eq!(root.len(), 1);
    assert_eq!(text(&root[0], "access_key"), ACCESS_KEY);

    let alice = create(&clients, &["--user", "alice", "--tenant", "research"]);
    assert_eq!((text(&alice, "user"), text(&alice, "tenant")), ("alice", "research"));
    assert_eq!(text(&alice, "canonical_id").len(), 64);
    assert!(text(&alice, "access_key").len() >= 16 && text(&alice, "secret_key").len() >= 32);
    let second = create(&clients, &["--user", "alice"]);
    assert_eq!(text(&second, "canonical_id"), text(&alice, "canonical_id"));
    assert_ne!(text(&second, "access_key"), text(&alice, "access_key"));
    let given = create(
        &clients,
        &[
            "--user",
            "bob",
            "--access-key",
            "BOBSKEY",
            "--secret-key",
            "bobs-secret-key",
        ],
    );
    assert_eq!(
        (text(&given, "access_key"), text(&given, "secret_key")),
        ("BOBSKEY", "bobs-secret-key")
    );
    assert_ne!(text(&given, "canonical_id"), text(&alice, "canonical_id"));

    let listed = clients
        .corelane(&["key", "ls"])
        .ok()
        .says("alice")
        .says("BOBSKEY")
        .says(ACCESS_KEY)
        .stdout;
    for secret in [SECRET_KEY, "bobs-secret-key", text(&alice, "secret_key")] {
        assert!(!listed.contains(secret));
    }
    assert_eq!(list(&clients).len(), 4);
    assert!(list(&clients).iter().all(|key| key.get("secret_key").is_none()));

    clients
        .corelane(&[
            "key",
            "create",
            "--user",
            "carol",
            "--access-key",
            "BOBSKEY",
            "--secret-key",
            "other-secret",
        ])
        .fails_with("error: ");
    clients
        .corelane(&["key", "create", "--user", "carol", "--access-key", "K"])
        .fails_with("--secret-key");
    clients.corelane(&["key", "create", "--user", ""]).fails_with("error: ");
    clients.corelane(&["key", "rm", "NOSUCHKEY"]).fails_with("error: ");
    clients.corelane(&["key", "rm", ACCESS_KEY]).fails_with("error: ");

    store.restart();
    let clients = Clients::new(&store);
    assert_eq!(list(&clients).len(), 4);
    let whoami = |key: &Value| store.send_as_is(&signer(key).sign(store.addressed(Request::new("GET", "/s3"))));
    whoami(&alice).expect_status(200);
    clients.corelane(&["key", "rm", text(&alice, "access_key")]).ok();
    whoami(&alice).expect_error(403, "InvalidAccessKeyId");
    whoami(&second).expect_status(200);
    assert_eq!(list(&clients).len(), 3);

    // Secrets are for their owners' eyes only: nothing of them in a log.
    for secret in [SECRET_KEY, "bobs-secret-key", text(&second, "secret_key")] {
        assert!(!store.log().contains(secret));
    }
}

#[test]
fn a_bucket_belongs_to_the_user_who_made_it() {
    let store = Store::start();
    let clients = Clients::new(&store);
    let alice = create(&clients, &["--user", "alice"]);
    let as_alice = |request: Request| store.send_as_is(&signer(&alice).sign(store.addressed(request)));
    store.make_bucket("roots");
    store.put("roots", "key", "private");
    as_alice(Request::bucket("PUT", "alices")).expect_status(200);
    as_alice(Request::object("PUT", "alices", "key").body("hers")).expect_status(200);

    let names = |answer: corelane_tests::raw::Response| xml::texts(&answer.expect_status(200).text(), "Name");
    assert_eq!(names(as_alice(Request::new("GET", "/s3"))), ["alices"]);
    assert_eq!(names(store.send(Request::new("GET", "/s3"))), ["roots"]);
    let owner = as_alice(Request::new("GET", "/s3")).text();
    assert_eq!(xml::text(&owner, "ID").unwrap(), text(&alice, "canonical_id"));

    for request in [
        Request::bucket("GET", "roots"),
        Request::bucket("GET", "roots").query("list-type", "2"),
        Request::bucket("DELETE", "roots"),
        Request::bucket("GET", "roots").subresource("acl"),
        Request::bucket("GET", "roots").subresource("location"),
        Request::object("GET", "roots", "key"),
        Request::object("GET", "roots", "key").subresource("acl"),
        Request::object("GET", "roots", "missing"),
        Request::object("PUT", "roots", "key").body("changed"),
        Request::object("DELETE", "roots", "key"),
        Request::bucket("POST", "roots")
            .subresource("delete")
            .body("<Delete><Object><Key>key</Key></Object></Delete>")
            .content_md5(),
    ] {
        let what = format!("{request:?}");
        let answer = as_alice(request);
        assert_eq!((answer.status, answer.code().as_str()), (403, "AccessDenied"), "{what}");
    }
    for request in [
        Request::bucket("HEAD", "roots"),
        Request::object("HEAD", "roots", "key"),
    ] {
        assert_eq!(as_alice(request).status, 403);
    }
    as_alice(Request::bucket("PUT", "roots")).expect_error(409, "BucketAlreadyExists");
    assert_eq!(store.get("roots", "key").expect_status(200).body, b"private");
    assert_eq!(
        as_alice(Request::object("GET", "alices", "key"))
            .expect_status(200)
            .body,
        b"hers"
    );

    let url = signer(&alice).presign(store.addressed(Request::object("GET", "roots", "key")), 60);
    store.send_as_is(&url).expect_error(403, "AccessDenied");
}

#[test]
fn only_the_first_key_manages_keys() {
    let store = Store::start();
    let clients = Clients::new(&store);
    let alice = create(&clients, &["--user", "alice"]);
    let hers = Clients::with_key(&store, text(&alice, "access_key"), text(&alice, "secret_key"));
    hers.corelane(&["key", "create", "--user", "mallory"])
        .fails_with("AccessDenied");
    hers.corelane(&["key", "ls"]).fails_with("AccessDenied");
    hers.corelane(&["key", "rm", ACCESS_KEY]).fails_with("AccessDenied");
    let wrong = Clients::with_key(&store, ACCESS_KEY, "not-the-secret");
    wrong.corelane(&["key", "ls"]).fails_with("SignatureDoesNotMatch");
    assert_eq!(list(&clients).len(), 2);
}

#[test]
fn without_a_store_the_command_says_where_it_looked() {
    let store = Store::start();
    let clients = Clients::new(&store);
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let endpoint = format!("http://{free}");
    let ended = clients.corelane(&["key", "ls", "--endpoint", &endpoint]);
    assert_eq!(ended.code, 5);
    assert!(
        ended.stderr.starts_with("error: ") && ended.stderr.lines().count() == 1,
        "{ended}"
    );
    ended.fails_with(&endpoint).fails_with("corelane serve");
}
