//! HTTPS on the gateway and on the cores: both versions, every way a request takes, clients that are slow or rude, and
//! certificates that change while the store runs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    command::Clients,
    directory::{Directory, program},
    process::{raise_open_files, resident_bytes, signal, wait_for},
    random,
    raw::Connection,
    request::Request,
    store::{Store, location, serve_command},
    tickets::parts,
    tls::Trust,
};
use rustix::process::Signal;
use rustls::{ProtocolVersion, version};
use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
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

/// SHA-256 of the certificate that a port shows.
fn fingerprint(port: u16, trust: &Trust) -> Vec<u8> {
    let mut connection = Connection::open_tls(port, trust);
    connection.send(b"GET /v1/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let _ = connection.try_receive("GET");
    connection.tls().peer_certificates().unwrap()[0].to_vec()
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

#[test]
fn the_made_certificate_is_what_clients_accept_and_its_key_stays_secret() {
    let mut store = Store::start_with_environment(
        &["--tls", "--host", "127.0.0.1", "--advertise", "store.example.org"],
        &[("CORELANE_LOG", "trace")],
    );
    store.make_bucket(BUCKET);
    let certificate = store.certificate_file();
    let key = certificate.with_file_name("key.pem");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let text = openssl(&["x509", "-in", certificate.to_str().unwrap(), "-noout", "-text"]);
    let host_name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    for part in [
        "CA:FALSE",
        "Digital Signature, Key Encipherment",
        "TLS Web Server Authentication",
        "DNS:localhost",
        &format!("DNS:{}", host_name.trim().to_ascii_lowercase()),
        "DNS:store.example.org",
        "IP Address:127.0.0.1",
        "IP Address:0:0:0:0:0:0:0:1",
        "NIST CURVE: P-256",
    ] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    let path = certificate.to_str().unwrap();
    let verified = openssl(&["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", path, path]);
    assert!(verified.contains(": OK"), "{verified}");
    // It is made once, and a key that others may read is taken back.
    let (before, secret) = (fs::read(&certificate).unwrap(), fs::read_to_string(&key).unwrap());
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    store.restart();
    assert_eq!(fs::read(&certificate).unwrap(), before);
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    store.put(BUCKET, "key", random::bytes(4, 100_000));
    let log = store.log();
    for line in secret.lines().filter(|line| !line.starts_with("---")) {
        assert!(!log.contains(line), "the key is in the log");
    }
    let clients = Clients::new(&store);
    let data = store.data();
    let shown = clients
        .corelane(&["cert", "--data", data.to_str().unwrap(), "--json"])
        .ok();
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!((&shown["is_ca"], &shown["self_signed"]), (&false.into(), &true.into()));
    let fingerprint = openssl(&["x509", "-in", path, "-noout", "-fingerprint", "-sha256"]);
    let fingerprint = fingerprint.trim().rsplit('=').next().unwrap().to_owned();
    assert_eq!(shown["sha256_fingerprint"], fingerprint);
}

#[test]
fn files_that_are_no_certificate_are_refused_with_a_reason() {
    let directory = Directory::new();
    let clients = Clients::at(0, "", "");
    let make = |name: &str| {
        let out = directory.join(name);
        clients
            .corelane(&["cert", "make", "--out", out.to_str().unwrap(), "--name", "127.0.0.1"])
            .ok();
        out
    };
    let (one, two) = (make("one"), make("two"));
    fs::write(directory.join("nonsense"), "nonsense").unwrap();
    let serve = |certificate: &Path, key: &Path| {
        let output = serve_command()
            .args(["--port", "0", "--cores", "1", "--data"])
            .arg(directory.join("data"))
            .arg("--tls-cert")
            .arg(certificate)
            .arg("--tls-key")
            .arg(key)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.starts_with("error: ") && said.lines().count() == 1, "{said}");
        said
    };
    let nonsense = directory.join("nonsense");
    assert!(serve(&nonsense, &one.join("key.pem")).contains("no PEM certificate"));
    assert!(serve(&one.join("cert.pem"), &nonsense).contains("no PEM private key"));
    assert!(serve(&one.join("cert.pem"), &two.join("key.pem")).contains("is not the one of the certificate"));
    assert!(serve(&one.join("missing.pem"), &one.join("key.pem")).contains("missing.pem"));
    // One of the two alone is not enough.
    let alone = serve_command().args(["--tls-cert", "x"]).output().unwrap();
    assert_eq!(alone.status.code(), Some(2));
    // And the node and the gateway say so by themselves.
    for (name, arguments) in [
        (
            "corelane-node",
            &["--mountpath", "x", "--gateway", "127.0.0.1:1"] as &[&str],
        ),
        (
            "corelane-gateway",
            &["--state", "x", "--credentials-file", "credentials"],
        ),
    ] {
        fs::write(directory.join("cluster.key"), "5a".repeat(32)).unwrap();
        let credentials = r#"{"access_key":"abc","secret_key":"12345678"}"#;
        fs::write(directory.join("credentials"), credentials).unwrap();
        let output = Command::new(program(name))
            .args(arguments)
            .args([
                "--cluster-key-file",
                "cluster.key",
                "--tls-cert",
                "one/cert.pem",
                "--tls-key",
                "two/key.pem",
            ])
            .current_dir(directory.path())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success());
        assert!(
            said.contains(
                "error: TLS cannot be used with one/cert.pem: the private key is not the one of the certificate"
            ),
            "{name}: {said}"
        );
    }
}

#[test]
fn a_renewed_certificate_is_shown_without_a_restart() {
    let store = store(&[]);
    store.put(BUCKET, "key", b"content".to_vec());
    let old = store.trust();
    let mut ports = vec![store.port()];
    ports.extend(store.core_ports());
    let before = fingerprint(store.port(), &old);
    // A connection that is open goes on as it is.
    let mut open = store.connect();
    open.send(&store.signed(by("proxy", "GET", "key")).to_bytes());
    open.receive("GET").expect_status(200);
    let clients = Clients::new(&store);
    let data = store.data();
    clients
        .corelane(&[
            "cert",
            "renew",
            "--data",
            data.to_str().unwrap(),
            "--name",
            "Other.example",
        ])
        .ok()
        .says("other.example")
        .says("shows it to new connections");
    let new = store.trust();
    for port in &ports {
        wait_for("the new certificate", || {
            let mut connection = Connection::open_tls(*port, &new);
            connection.try_send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").ok()
        });
        assert_ne!(fingerprint(*port, &new), before);
        let mut distrusting = Connection::open_tls(*port, &old);
        assert!(distrusting.try_send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").is_err());
    }
    open.send(&store.signed(by("proxy", "GET", "key")).to_bytes());
    open.receive("GET").expect_status(200);
    // The processes know each other by the new one: proxied, relayed, registered.
    store.send(by("proxy", "GET", "key")).expect_status(200);
    for port in store.core_ports() {
        let mut core = store.connect_to(*port);
        core.send(&store.signed(by("proxy", "GET", "key")).to_bytes());
        assert_eq!(core.receive("GET").expect_status(200).body, b"content");
    }
    // A broken one changes nothing, and is said.
    fs::write(store.certificate_file(), "nonsense").unwrap();
    signal(store.pid(), Signal::HUP);
    wait_for("both processes to say so", || {
        let log = store.log();
        (log.matches("the certificate stays the one from before").count() == 2).then_some(())
    });
    for port in &ports {
        let mut connection = Connection::open_tls(*port, &new);
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    }
    let mut health = Connection::open_tls(store.port(), &new);
    health.send(b"GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n");
    health.receive("GET").expect_status(200);
}

#[test]
fn certificates_of_ones_own() {
    let directory = Directory::new();
    let clients = Clients::at(0, "", "");
    let out = directory.join("own");
    let out = out.to_str().unwrap();
    clients
        .corelane(&[
            "cert",
            "make",
            "--out",
            out,
            "--name",
            "own.example",
            "--name",
            "127.0.0.1",
        ])
        .ok()
        .says("CN=own.example");
    clients
        .corelane(&["cert", "make", "--out", out])
        .fails_with("is there already");
    clients
        .corelane(&["cert", "make", "--out", out, "--force", "--name", "https://x"])
        .fails_with("neither a host name nor an address");
    let (certificate, key) = (format!("{out}/cert.pem"), format!("{out}/key.pem"));
    let store = Store::start_with(&["--tls-cert", &certificate, "--tls-key", &key]);
    assert!(!store.certificate_file().exists());
    let mut connection = Connection::open_tls(store.port(), &Trust::file(certificate.as_ref()));
    connection.send(&store.signed(Request::new("GET", "/s3/")).to_bytes());
    connection.receive("GET").expect_status(200);
    let endpoint = format!("https://127.0.0.1:{}", store.port());
    let clients = Clients::new(&store);
    let list = |arguments: &[&str]| clients.corelane(&[&["key", "ls", "--endpoint", &endpoint], arguments].concat());
    list(&[]).fails_with("is not accepted");
    list(&["--ca", &certificate]).ok().says("root");
    list(&["--insecure"]).ok().says("root");
    list(&["--ca", "/missing"]).fails_with("/missing");
}

#[test]
fn keys_are_managed_over_https() {
    let store = store(&[]);
    let clients = Clients::new(&store);
    let data = store.data();
    let data = data.to_str().unwrap();
    let created = clients
        .corelane(&["key", "create", "--user", "alice", "--json", "--data", data])
        .ok();
    let key: serde_json::Value = serde_json::from_str(&created.stdout).unwrap();
    clients.corelane(&["key", "ls", "--data", data]).ok().says("alice");
    let access_key = key["access_key"].as_str().unwrap();
    clients.corelane(&["key", "rm", access_key, "--data", data]).ok();
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
