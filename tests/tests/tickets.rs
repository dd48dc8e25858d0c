//! Tickets: the only way into a core, and what they do not open.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    raw::Connection,
    request::Request,
    sign::now_unix_s,
    store::{Store, direct, follow, location},
    tickets::{cluster_key, open, parts, replace, sealed},
    xml,
};
use proto::auth::ticket::TicketKey;

const BUCKET: &str = "routed";

fn store(route: &str) -> Store {
    let store = Store::start_with(&["--route", route]);
    store.make_bucket(BUCKET);
    store
}

#[test]
fn tickets_open_only_what_they_were_made_for() {
    let store = store("redirect");
    for key in ["mine", "other"] {
        store
            .send_following(Request::object("PUT", BUCKET, key).body(key))
            .expect_status(200);
    }
    let location = location(&store, Request::object("GET", BUCKET, "mine"));
    let (port, target) = parts(&location);
    assert_eq!(direct(port, "GET", &target, "").expect_status(200).body, b"mine");
    let refused = |method: &str, port: u16, target: &str| {
        let answer = direct(port, method, target, "");
        assert_eq!(answer.status, 403, "{method} {target}: {}", answer.text());
        assert!(answer.text().contains("AccessDenied") || method == "HEAD");
        assert!(!answer.text().contains("mine content"));
    };
    for method in ["PUT", "DELETE", "HEAD"] {
        refused(method, port, &target);
    }
    refused("GET", port, &target.replace("/mine", "/other"));
    refused("GET", port, &target.replace("/mine", "/mine/"));
    refused("GET", port, &target.replace("/routed/", "/another/"));
    refused("GET", port, &format!("{target}&response-content-type=text/html"));
    refused("GET", port, &format!("{target}&acl"));
    for version in ["null", "0000000000000001"] {
        refused("GET", port, &format!("{target}&versionId={version}"));
    }
    refused(
        "GET",
        port,
        &target.replace("corelane-ticket", "response-expires=x&corelane-ticket"),
    );
    // What changes nothing may change: the ticket is for the operation, not for the bytes that ask for it.
    direct(port, "GET", &target.replace("/mine", "/%6dine"), "").expect_status(200);
    for other in store.core_ports().iter().filter(|other| **other != port) {
        refused("GET", *other, &target);
    }
    let put = store.signed(
        Request::object("PUT", BUCKET, "mine")
            .header("x-amz-meta-a", "1")
            .body("new"),
    );
    let location = store
        .send_as_is(&put)
        .expect_status(307)
        .header("location")
        .unwrap()
        .to_owned();
    let (port, target) = parts(&location);
    let changed = put.clone().without_header("x-amz-meta-a").header("x-amz-meta-a", "2");
    follow(&changed, port, &target).expect_error(403, "AccessDenied");
    follow(&put.clone().header("Content-Type", "text/html"), port, &target).expect_error(403, "AccessDenied");
    follow(&put.clone().body("evil"), port, &target);
    let kept = store
        .send_following(Request::object("GET", BUCKET, "mine"))
        .expect_status(200);
    assert_eq!(kept.body, b"mine");
    follow(&put, port, &target).expect_status(200);
}

#[test]
fn expired_forged_and_foreign_tickets_are_refused() {
    let store = store("redirect");
    store
        .send_following(Request::object("PUT", BUCKET, "key").body("content"))
        .expect_status(200);
    let location = location(&store, Request::object("GET", BUCKET, "key"));
    let key = cluster_key(&store);
    let ticket = open(&store, &location);
    assert!(ticket.expires_unix_s > now_unix_s());
    let with = |ticket: &str| {
        let (port, target) = parts(&replace(&location, ticket));
        direct(port, "GET", &target, "")
    };
    with(&key.seal(&ticket)).expect_status(200);

    let mut expired = ticket.clone();
    expired.expires_unix_s = now_unix_s() - 1;
    with(&key.seal(&expired)).expect_error(403, "AccessDenied");
    let mut elsewhere = ticket.clone();
    elsewhere.node[0] ^= 1;
    with(&key.seal(&elsewhere)).expect_error(403, "AccessDenied");
    let mut elsewhere = ticket.clone();
    elsewhere.core += 1;
    with(&key.seal(&elsewhere)).expect_error(403, "AccessDenied");
    with(&TicketKey::from_bytes([7; 32]).seal(&ticket)).expect_error(403, "AccessDenied");

    let sealed = sealed(&location);
    for position in [0, sealed.len() / 2, sealed.len() - 2] {
        let mut flipped = sealed.clone().into_bytes();
        flipped[position] = if flipped[position] == b'A' { b'B' } else { b'A' };
        with(&String::from_utf8(flipped).unwrap()).expect_error(403, "AccessDenied");
    }
    for garbage in ["", "x", "%00", "AAAA", &"A".repeat(5000), &sealed[..sealed.len() - 1]] {
        assert_eq!(with(garbage).status, 403, "{garbage}");
    }
    // On the gateway, too.
    for garbage in ["x", sealed.get(1..).unwrap()] {
        let target = parts(&replace(&location, garbage)).1;
        direct(store.port(), "GET", &target, "").expect_error(403, "AccessDenied");
    }
}

#[test]
fn a_core_serves_what_comes_without_a_ticket_through_the_gateway() {
    for route in ["redirect", "auto"] {
        let store = store(route);
        let body = vec![9; 400_000];
        for port in store.core_ports() {
            let host = |request: Request| request.header("Host", format!("127.0.0.1:{port}"));
            let send = |request: Request| {
                let mut connection = Connection::open(*port);
                connection.send(&store.signer().sign(host(request.clone())).to_bytes());
                connection.receive(&request.method)
            };
            let key = format!("by-{port}");
            send(Request::object("PUT", BUCKET, &key).body(body.clone())).expect_status(200);
            assert!(send(Request::object("GET", BUCKET, &key)).expect_status(200).body == body);
            assert!(xml::texts(&send(Request::bucket("GET", BUCKET)).text(), "Key").contains(&key));
            send(Request::object("DELETE", BUCKET, &key)).expect_status(204);
            send(Request::object("GET", BUCKET, &key)).expect_error(404, "NoSuchKey");
            let mut connection = Connection::open(*port);
            connection.send(&host(Request::object("GET", BUCKET, &key)).to_bytes());
            connection.receive("GET").expect_error(403, "AccessDenied");
            let health = send(Request::new("GET", "/v1/health"));
            assert_eq!(health.status, 200);
        }
    }
}

#[test]
fn one_connection_to_a_core_mixes_tickets_and_plain_requests() {
    let store = store("redirect");
    store
        .send_following(Request::object("PUT", BUCKET, "key").body("content"))
        .expect_status(200);
    let location = location(&store, Request::object("GET", BUCKET, "key"));
    let (port, target) = parts(&location);
    let mut connection = Connection::open(port);
    let with_ticket = Request::new("GET", target).header("Host", format!("127.0.0.1:{port}"));
    let plain = Request::object("GET", BUCKET, "key").header("Host", format!("127.0.0.1:{port}"));
    for _ in 0..3 {
        connection.send(&with_ticket.to_bytes());
        assert_eq!(connection.receive("GET").expect_status(200).body, b"content");
    }
    for _ in 0..3 {
        connection.send(&store.signer().sign(plain.clone()).to_bytes());
        assert_eq!(connection.receive("GET").expect_status(200).body, b"content");
        connection.send(&with_ticket.to_bytes());
        assert_eq!(connection.receive("GET").expect_status(200).body, b"content");
    }
}

#[test]
fn headers_of_the_inside_are_not_believed_from_outside() {
    let store = store("redirect");
    let forged = store.signed(
        Request::object("GET", BUCKET, "key")
            .header("x-corelane-relay", "forged")
            .header("X-Forwarded-For", "10.0.0.1"),
    );
    store.send_as_is(&forged).expect_status(307);
    for path in [
        "/_corelane/list",
        "/_corelane/delete-batch",
        "/_corelane/fence",
        "/_corelane/register",
    ] {
        for port in store.core_ports().iter().chain([&store.port()]) {
            let answer = direct(*port, "POST", path, "");
            assert!(
                (400..500).contains(&answer.status),
                "{path} on {port}: {}",
                answer.status
            );
            let answer = direct(*port, "POST", &format!("{path}?corelane-ticket=forged"), "");
            assert_eq!(answer.status, 403, "{path} on {port}: {}", answer.text());
        }
    }
    // A redirect goes where the store is, whatever Host a client sends.
    let request = store.signer().sign(
        Request::object("GET", BUCKET, "key")
            .header("Host", "evil.example")
            .header("User-Agent", "corelane-tests"),
    );
    let answer = store.send_as_is(&request).expect_status(307);
    assert!(answer.header("location").unwrap().starts_with("http://127.0.0.1:"));
}
