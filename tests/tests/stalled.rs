//! Stalled clients: however many there are, memory stays bounded and the others are served.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    process::{raise_open_files, resident_bytes},
    random,
    raw::Connection,
    request::Request,
    store::Store,
    tickets::parts,
};

const BUCKET: &str = "stalled";
const MIB: u64 = 1 << 20;

fn resident(store: &Store) -> u64 {
    resident_bytes(store.child_pid("corelane-gateway")) + resident_bytes(store.child_pid("corelane-node"))
}

/// Requests of everyone else, all of which must succeed.
fn serve_others(store: &Store) {
    let mut connection = store.connect();
    for round in 0..30_u64 {
        let body = random::bytes(round, if round % 10 == 0 { 500_000 } else { 2_000 });
        let key = format!("other-{round}");
        connection.send(
            &store
                .signed(Request::object("PUT", BUCKET, &key).body(body.clone()))
                .to_bytes(),
        );
        connection.receive("PUT").expect_status(200);
        connection.send(&store.signed(Request::object("GET", BUCKET, &key)).to_bytes());
        assert!(connection.receive("GET").expect_status(200).body == body);
    }
    assert!(!store.keys(BUCKET).is_empty());
}

#[test]
fn an_idle_store_is_small() {
    let store = Store::start();
    let bytes = resident(&store);
    assert!(bytes < 150 * MIB, "gateway and node use {} MiB idle", bytes / MIB);
}

#[test]
fn a_thousand_transfers_in_the_middle_stay_within_a_gibibyte() {
    raise_open_files();
    for route in ["proxy", "redirect"] {
        let store = Store::start_with(&["--route", route]);
        store.make_bucket(BUCKET);
        let size = 64 * MIB;
        let body = random::bytes(61, usize::try_from(size).unwrap());
        let put = Request::object("PUT", BUCKET, "large").header("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
        store.send_following(put.clone().body(body.clone())).expect_status(200);

        let mut stalled = Vec::new();
        for number in 0..1000 {
            let request = if number % 2 == 0 {
                Request::object("PUT", BUCKET, &format!("never-{number}"))
                    .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
                    .header("Content-Length", size.to_string())
            } else {
                Request::object("GET", BUCKET, "large")
            };
            let request = store.signed(request);
            let mut connection = store.connect();
            connection.send(&request.head());
            if route == "redirect" {
                let answer = connection.receive(&request.method).expect_status(307);
                let (port, target) = parts(answer.header("location").unwrap());
                let mut redirected = request.clone().without_header("authorization");
                redirected.path = target;
                connection = Connection::open(port);
                connection.send(&redirected.head());
            }
            stalled.push(connection);
        }
        // Each sends what the server takes of two megabytes, bit by bit, and none of them ever finishes or reads.
        let mut sent = 0;
        for round in 0..20 {
            for connection in stalled.iter_mut().step_by(2) {
                let start = round * 100_000;
                sent += connection.send_without_waiting(&body[start..start + 100_000]);
            }
        }
        assert!(sent > 500 * 100_000, "the server took {sent} bytes");
        let bytes = resident(&store);
        assert!(bytes < 1024 * MIB, "{route}: gateway and node use {} MiB", bytes / MIB);
        if route == "proxy" {
            serve_others(&store);
        }
        let got = store
            .send_following(Request::object("GET", BUCKET, "large"))
            .expect_status(200);
        assert!(got.body == body);
        let bytes = resident(&store);
        assert!(bytes < 1024 * MIB, "{route}: gateway and node use {} MiB", bytes / MIB);
        drop(stalled);
        let keys: Vec<String> = store
            .keys(BUCKET)
            .into_iter()
            .filter(|key| key.starts_with("never"))
            .collect();
        assert!(keys.is_empty(), "{keys:?}");
    }
}

#[test]
fn ten_thousand_stalled_connections_leave_the_others_served() {
    // Each is a file here and one or two in the store.
    let count = usize::try_from(raise_open_files() / 2)
        .unwrap_or(usize::MAX)
        .saturating_sub(500)
        .min(10_000);
    let store = Store::start_with(&["--route", "proxy"]);
    store.make_bucket(BUCKET);
    store.put(BUCKET, "key", random::bytes(62, 100_000));
    let get = store.signed(Request::object("GET", BUCKET, "key")).to_bytes();
    let ports: Vec<u16> = [store.port(), store.port()]
        .into_iter()
        .chain(store.core_ports().iter().copied())
        .collect();
    let mut stalled = Vec::new();
    for number in 0..count {
        let mut connection = Connection::open(ports[number % ports.len()]);
        match number % 4 {
            0 => {}
            1 => connection.send(b"GET /s3/stalled/key HT"),
            2 => connection.send(&get[..get.len() - 2]),
            _ => connection.send(b"PUT /s3/stalled/key HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nonly a part"),
        }
        stalled.push(connection);
        if number % 2000 == 0 {
            store.send(Request::object("HEAD", BUCKET, "key")).expect_status(200);
        }
    }
    serve_others(&store);
    let bytes = resident(&store);
    assert!(bytes < 1024 * MIB, "gateway and node use {} MiB", bytes / MIB);
    drop(stalled);
    serve_others(&store);
}
