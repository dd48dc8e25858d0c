//! HTTPS on the gateway and on the cores: both versions, every way a request takes, and clients that
//! are slow or rude.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    command::Clients,
    process::{raise_open_files, resident_bytes},
    random,
    raw::Connection,
    request::Request,
    store::{Store, location},
    tickets::parts,
    tls::Trust,
};
use rustls::{ProtocolVersion, version};
use std::{
    io::Write,
    process::{Command, Output},
};

const BUCKET: &str = "tls";
const MIB: usize = 1 << 20;

/// A store with HTTPS and a bucket.
fn store(arguments: &[&str]) -> Store {
    let store = Store::start_with(&[&["--tls"], arguments].concat());
    store.make_bucket(BUCKET);
    store
}

/// A request that is to take a certain way, with any body.
fn by(way: &str, method: &str, key: &str) -> Request {
    Request::object(method, BUCKET, key)
        .header("x-corelane-route", way)
        .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
}

fn openssl(arguments: &[&str]) -> String {
    let Output { stdout, stderr, .. } = Command::new("openssl").args(arguments).output().unwrap();
    String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr)
}

#[test]
fn both_versions_on_every_port_and_way() {
    let store = store(&[]);
    let content = random::bytes(1, 3 * MIB + 17);
    for (version, expected) in [
        (&version::TLS12, ProtocolVersion::TLSv1_2),
        (&version::TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let trust = Trust::file_with(&store.certificate_file(), &[version]);
        let mut gateway = Connection::open_tls(store.port(), &trust);
        for way in ["proxy", "redirect"] {
            let key = format!("{way}-{expected:?}");
            if way == "proxy" {
                let put = store.signed(by(way, "PUT", &key).body(content.clone()));
                gateway.send(&put.to_bytes());
                gateway.receive("PUT").expect_status(200);
            } else {
                store
                    .send_following(by(way, "PUT", &key).body(content.clone()))
                    .expect_status(200);
            }
            let get = store.signed(by(way, "GET", &key));
            gateway.send(&get.to_bytes());
            let answer = gateway.receive("GET");
            let got = match way {
                "proxy" => answer.expect_status(200),
                _ => {
                    let answer = answer.expect_status(307);
                    let location = answer.header("location").unwrap();
                    assert!(location.starts_with("https://127.0.0.1:"), "{location}");
                    let (port, target) = parts(location);
                    let mut core = Connection::open_tls(port, &trust);
                    core.send(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
                    let got = core.receive("GET").expect_status(200);
                    assert_eq!(core.tls().protocol_version(), Some(expected));
                    got
                }
            };
            assert!(got.body == content, "{way} {expected:?}");
        }
        assert_eq!(gateway.tls().protocol_version(), Some(expected));
        assert_eq!(gateway.tls().alpn_protocol(), Some(b"http/1.1".as_slice()));
        // A core passes on what came without a ticket, and the answer back, on a connection that is kept.
        for port in store.core_ports() {
            let mut core = Connection::open_tls(*port, &trust);
            for number in 0..3 {
                let key = format!("relayed-{port}-{number}");
                core.send(&store.signed(by("proxy", "PUT", &key).body(content.clone())).to_bytes());
                core.receive("PUT").expect_status(200);
                core.send(&store.signed(by("proxy", "GET", &key)).to_bytes());
                assert!(core.receive("GET").expect_status(200).body == content);
            }
        }
    }
    assert!(!store.log().contains("ERROR"), "{}", store.log());
}

#[test]
fn small_objects_listings_and_deletes() {
    let store = store(&[]);
    let mut connection = store.connect();
    for number in 0..50 {
        let body = random::bytes(number, usize::try_from(number * number * 37).unwrap());
        let key = format!("small-{number}");
        connection.send(
            &store
                .signed(Request::object("PUT", BUCKET, &key).body(body.clone()))
                .to_bytes(),
        );
        connection.receive("PUT").expect_status(200);
        connection.send(&store.signed(Request::object("GET", BUCKET, &key)).to_bytes());
        assert!(connection.receive("GET").expect_status(200).body == body);
        connection.send(&store.signed(Request::object("HEAD", BUCKET, &key)).to_bytes());
        connection.receive("HEAD").expect_status(200);
    }
    assert_eq!(store.keys(BUCKET).len(), 50);
    for number in 0..50 {
        let key = format!("small-{number}");
        connection.send(&store.signed(Request::object("DELETE", BUCKET, &key)).to_bytes());
        connection.receive("DELETE").expect_status(204);
    }
    store.send(Request::bucket("DELETE", BUCKET)).expect_status(204);
}

/// What is received bit by bit, with pauses, arrives as it is; so does the end of it.
#[test]
fn slow_readers_get_everything() {
    let store = store(&[]);
    let content = random::bytes(2, 12 * MIB + 4321);
    store.put(BUCKET, "large", content.clone());
    for way in ["proxy", "redirect"] {
        for piece in [1000, 100_000] {
            let mut connection = store.connect();
            connection.send(&store.signed(by(way, "GET", "large")).to_bytes());
            if way == "redirect" {
                let answer = connection.receive("GET").expect_status(307);
                let (port, target) = parts(answer.header("location").unwrap());
                connection = store.connect_to(port);
                connection.send(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
            }
            let (status, _) = connection.receive_head().unwrap();
            assert_eq!(status, 200);
            let mut got = Vec::new();
            while got.len() < content.len() {
                if got.len() % (3 * MIB) < piece {
                    // Long enough for the store to fill every buffer on the way.
                    std::thread::sleep(std::time::Duration::from_millis(100));
                }
                let some = connection.take_some(piece).unwrap();
                assert!(!some.is_empty(), "{way} {piece}: ended after {} bytes", got.len());
                got.extend(some);
            }
            assert!(got == content, "{way} {piece}");
            // And the connection is still good.
            if way == "proxy" {
                connection.send(&store.signed(Request::object("HEAD", BUCKET, "large")).to_bytes());
                connection.receive("HEAD").expect_status(200);
            }
        }
    }
}

/// A request's bytes, handshake included, in the smallest pieces TCP can deliver.
#[test]
fn byte_by_byte() {
    let store = store(&[]);
    store.put(BUCKET, "key", b"content".to_vec());
    let (core, target) = parts(&location(&store, by("redirect", "GET", "key")));
    let on_gateway = store.signed(by("proxy", "GET", "key")).to_bytes();
    let on_core = format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes();
    for (port, request) in [(store.port(), on_gateway), (core, on_core)] {
        for version in [&version::TLS12, &version::TLS13] {
            let trust = Trust::file_with(&store.certificate_file(), &[version]);
            let mut client = trust.connect();
            let mut socket = Connection::open(port);
            client.writer().write_all(&request).unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"content") {
                let mut flight = Vec::new();
                while client.wants_write() {
                    client.write_tls(&mut flight).unwrap();
                }
                for byte in flight.chunks(1) {
                    socket.send(byte);
                }
                let arrived = socket.take_some(1).unwrap();
                assert!(!arrived.is_empty(), "closed");
                client.read_tls(&mut arrived.as_slice()).unwrap();
                let state = client.process_new_packets().unwrap();
                let mut plaintext = vec![0; state.plaintext_bytes_to_read()];
                std::io::Read::read_exact(&mut client.reader(), &mut plaintext).unwrap();
                answer.extend(plaintext);
            }
            assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
        }
    }
}

#[test]
fn a_client_that_stops_in_the_middle_leaves_nothing() {
    let store = store(&[]);
    let port = parts(&location(&store, by("redirect", "GET", "never"))).0;
    for way in ["proxy", "redirect"] {
        let request = store.signed(by(way, "PUT", "never").header("Content-Length", "2000000"));
        let mut connection = store.connect();
        connection.send(&request.head());
        if way == "redirect" {
            let answer = connection.receive("PUT").expect_status(307);
            let (_, target) = parts(answer.header("location").unwrap());
            connection = store.connect_to(port);
            connection.send(
                format!("PUT {target} HTTP/1.1\r\nHost: x\r\nx-amz-content-sha256: UNSIGNED-PAYLOAD\r\nContent-Length: 2000000\r\n\r\n")
                    .as_bytes(),
            );
        }
        connection.send(&random::bytes(3, 1_000_000));
        // Without close_notify: cut off, as far as anybody can tell.
        connection.finish_sending();
        let _ = connection.receive_to_end();
    }
    assert!(store.keys(BUCKET).is_empty());
}

#[test]
fn plain_http_is_told_to_use_https() {
    let store = store(&[]);
    for port in [store.port()].iter().chain(store.core_ports()) {
        for request in [
            b"GET /s3/ HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
            [
                b"PUT /s3/tls/key HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n".to_vec(),
                vec![7; 500_000],
            ]
            .concat(),
        ] {
            let mut connection = Connection::open(*port);
            let _ = connection.try_send(&request);
            let answer = connection.receive("GET").expect_status(400);
            assert!(answer.text().contains("speaks HTTPS"), "{}", answer.text());
            assert_eq!(answer.header("connection"), Some("close"));
            assert!(connection.is_closed());
        }
        // Neither is this, and there is nobody to tell.
        let mut connection = Connection::open(*port);
        connection.send(&[0; 64]);
        let _ = connection.receive_to_end();
    }
    let clients = Clients::new(&store);
    let plain = format!("http://127.0.0.1:{}", store.port());
    clients
        .corelane(&["key", "ls", "--endpoint", &plain])
        .fails_with("speaks HTTPS; name it with --endpoint https://");
    assert!(
        !store.log().contains(" ERROR ") && !store.log().contains("panicked"),
        "{}",
        store.log()
    );
}

#[test]
fn only_http_1_1_and_no_old_versions() {
    let store = store(&[]);
    for port in [store.port(), store.core_ports()[0]] {
        let connect = format!("127.0.0.1:{port}");
        let s_client = |arguments: &[&str]| openssl(&[&["s_client", "-connect", &connect], arguments].concat());
        let certificate = store.certificate_file();
        let certificate = certificate.to_str().unwrap();
        let good = s_client(&["-CAfile", certificate, "-alpn", "h2,http/1.1", "-verify_return_error"]);
        assert!(good.contains("Verification: OK"), "{good}");
        assert!(good.contains("ALPN protocol: http/1.1"), "{good}");
        assert!(good.contains("TLSv1.3, Cipher is TLS_AES_128_GCM_SHA256"), "{good}");
        assert!(s_client(&["-alpn", "h2"]).contains("no application protocol"));
        assert!(s_client(&["-tls1_1"]).contains("no peer certificate available"));
        let resumed = s_client(&["-CAfile", certificate, "-tls1_2", "-reconnect"]);
        assert!(
            resumed.contains("Reused, TLSv1.2, Cipher is ECDHE-ECDSA-AES128-GCM-SHA256"),
            "{resumed}"
        );
    }
}

fn resident(store: &Store) -> usize {
    let bytes = resident_bytes(store.child_pid("corelane-gateway")) + resident_bytes(store.child_pid("corelane-node"));
    usize::try_from(bytes).unwrap()
}

#[test]
fn six_hundred_stalled_transfers_leave_the_others_served() {
    raise_open_files();
    for way in ["proxy", "redirect"] {
        let store = store(&["--route", way]);
        let size = 64 * MIB;
        let body = random::bytes(5, size);
        store
            .send_following(by(way, "PUT", "large").body(body.clone()))
            .expect_status(200);
        let mut stalled = Vec::new();
        for number in 0..600 {
            let request = match number % 2 {
                0 => by(way, "PUT", &format!("never-{number}")).header("Content-Length", size.to_string()),
                _ => by(way, "GET", "large"),
            };
            let mut connection = begin(&store, way, request);
            if number % 2 == 0 {
                connection.send_without_waiting(&body[..300_000]);
            }
            stalled.push(connection);
        }
        let got = store.send_following(by(way, "GET", "large")).expect_status(200);
        assert!(got.body == body, "{way}");
        let bytes = resident(&store);
        assert!(bytes < 768 * MIB, "{way}: gateway and node use {} MiB", bytes / MIB);
        drop(stalled);
        assert_eq!(store.keys(BUCKET), ["large"]);
    }
}

/// Sends a request's head, to the core where the gateway says so.
fn begin(store: &Store, way: &str, request: Request) -> Connection {
    let request = store.signed(request);
    let mut connection = store.connect();
    connection.send(&request.head());
    if way == "redirect" {
        let answer = connection.receive(&request.method).expect_status(307);
        let (port, target) = parts(answer.header("location").unwrap());
        let mut redirected = request.clone().without_header("authorization");
        redirected.path = target;
        connection = store.connect_to(port);
        connection.send(&redirected.head());
    }
    connection
}

/// What is encrypted cannot be let go of while its reader does not read, so there must be little of it.
#[test]
fn stalled_readers_hold_little_ciphertext() {
    raise_open_files();
    let store = store(&[]);
    let put = by("proxy", "PUT", "large").body(random::bytes(7, 16 * MIB));
    store.send(put).expect_status(200);
    // What is read once is in the cache and is nobody's own.
    store.send_following(by("redirect", "GET", "large")).expect_status(200);
    let before = resident_bytes(store.child_pid("corelane-node"));
    let stalled: Vec<Connection> = (0..400)
        .map(|_| begin(&store, "redirect", by("redirect", "GET", "large")))
        .collect();
    store.send_following(by("redirect", "GET", "large")).expect_status(200);
    let grown = resident_bytes(store.child_pid("corelane-node")).saturating_sub(before);
    let each = usize::try_from(grown).unwrap() / stalled.len();
    assert!(each < 128 * 1024, "a stalled reader takes {each} bytes");
}

#[test]
fn connections_at_rest_are_small() {
    raise_open_files();
    let store = store(&[]);
    store.put(BUCKET, "key", random::bytes(6, 100_000));
    let (port, target) = parts(&location(&store, by("redirect", "GET", "key")));
    let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n");
    let before = resident(&store);
    let mut resting = Vec::new();
    for number in 0..1000 {
        let mut connection = store.connect_to(if number % 2 == 0 { port } else { store.port() });
        match number % 2 {
            0 => connection.send(request.as_bytes()),
            _ => connection.send(&store.signed(by("proxy", "HEAD", "key")).to_bytes()),
        }
        connection
            .receive(if number % 2 == 0 { "GET" } else { "HEAD" })
            .expect_status(200);
        resting.push(connection);
    }
    let each = resident(&store).saturating_sub(before) / resting.len();
    assert!(each < 48 * 1024, "a connection at rest takes {each} bytes");
}
