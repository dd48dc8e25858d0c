//! Time-outs: a client that stops in the middle is let go, and what it was doing is undone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{random, raw::Connection, request::Request, store::Store};
use std::time::Duration;

const BUCKET: &str = "stopped";
/// Longer than any time-out of the store; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(240);

/// A connection to the gateway that patiently waits for its end.
fn patient(store: &Store) -> Connection {
    let connection = store.connect();
    connection.stream().set_read_timeout(Some(PATIENCE)).unwrap();
    connection
}

#[test]
fn clients_that_stop_are_let_go() {
    let store = Store::start_with(&["--route", "proxy"]);
    store.make_bucket(BUCKET);
    store.put(BUCKET, "large", random::bytes(101, 32 << 20));
    let put = store.signed(Request::object("PUT", BUCKET, "never").body(random::bytes(102, 2_000_000)));
    let get = store.signed(Request::object("GET", BUCKET, "large"));

    let silent = patient(&store);
    let mut in_head = patient(&store);
    in_head.send(b"GET /s3/stopped/large HTTP/1.1\r\nHost: x\r\nX-A");
    let mut between = patient(&store);
    between.send(&store.signed(Request::bucket("HEAD", BUCKET)).to_bytes());
    between.receive("HEAD").expect_status(200);
    let mut in_body = patient(&store);
    in_body.send(&put.to_bytes()[..1_000_000]);
    let mut reader = patient(&store);
    // Left to itself the kernel may take in all of the object for a client that reads nothing.
    rustix::net::sockopt::set_socket_recv_buffer_size(reader.stream(), 64 * 1024).unwrap();
    reader.send(&get.to_bytes());
    reader.take(100_000).unwrap();
    let mut core = Connection::open(store.core_ports()[0]);
    core.stream().set_read_timeout(Some(PATIENCE)).unwrap();
    core.send(b"GET /s3/stopped/large HTTP/1.1\r\n");

    let is_over = |bytes: &[u8]| bytes.is_empty() || bytes.starts_with(b"HTTP/1.1 4");
    for (what, mut connection) in [
        ("silent", silent),
        ("in a head", in_head),
        ("between requests", between),
        ("in a body", in_body),
        ("in a head to a core", core),
    ] {
        let last = connection.receive_to_end();
        assert!(is_over(&last), "{what}: {}", String::from_utf8_lossy(&last));
    }
    // By now a reader that does not read has been cut off as well: it gets what was under way, and not all of it.
    let rest = reader.receive_to_end();
    assert!(
        rest.len() + 100_000 < 32 << 20,
        "a reader that stalled for minutes was still served"
    );
    store.get(BUCKET, "never").expect_error(404, "NoSuchKey");
    assert_eq!(store.keys(BUCKET), ["large"]);
}
