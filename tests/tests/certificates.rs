//! Certificates of HTTPS: the one a store makes, ones of one's own, and what happens when they change or are none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    command::Clients,
    directory::{Directory, program},
    process::{signal, wait_for},
    random,
    raw::Connection,
    request::Request,
    store::{Store, serve_command},
    tls::Trust,
};
use rustix::process::Signal;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

const BUCKET: &str = "tls";

/// A request that the gateway carries.
fn proxied(method: &str, key: &str) -> Request {
    Request::object(method, BUCKET, key).header("x-corelane-route", "proxy")
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
    let store = Store::start_with(&["--tls"]);
    store.make_bucket(BUCKET);
    store.put(BUCKET, "key", b"content".to_vec());
    let old = store.trust();
    let mut ports = vec![store.port()];
    ports.extend(store.core_ports());
    let before = fingerprint(store.port(), &old);
    // A connection that is open goes on as it is.
    let mut open = store.connect();
    open.send(&store.signed(proxied("GET", "key")).to_bytes());
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
    open.send(&store.signed(proxied("GET", "key")).to_bytes());
    open.receive("GET").expect_status(200);
    // The processes know each other by the new one: proxied, relayed, registered.
    store.send(proxied("GET", "key")).expect_status(200);
    for port in store.core_ports() {
        let mut core = store.connect_to(*port);
        core.send(&store.signed(proxied("GET", "key")).to_bytes());
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
    let store = Store::start_with(&["--tls"]);
    store.make_bucket(BUCKET);
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
