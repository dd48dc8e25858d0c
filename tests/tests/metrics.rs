//! `GET /v1/metrics`: who may read it, what it counts, and that a node that is gone does not take it along.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    command::Clients,
    directory::{Directory, program},
    metrics::sum,
    process::{signal, wait_for},
    raw::{Connection, Response},
    request::Request,
    sign::Signer,
    store::{ACCESS_KEY, SECRET_KEY, Store},
};
use rustix::process::Signal;
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

const BUCKET: &str = "measured";

/// The metrics as text, as the first user reads them.
fn metrics(store: &Store) -> String {
    let answer = store.send(Request::new("GET", "/v1/metrics")).expect_status(200);
    assert_eq!(
        answer.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    let text = answer.text();
    assert!(text.ends_with("# EOF\n"), "{text}");
    text
}

fn fdatasyncs(text: &str) -> u64 {
    sum(text, "corelane_log_fdatasync_total", &[])
}

#[test]
fn a_lone_put_is_synced_before_it_is_answered() {
    let store = Store::start_with(&["--route", "proxy"]);
    store.make_bucket(BUCKET);
    for (number, size) in [0, 100, 100_000, 1_000_000].into_iter().enumerate() {
        let before = metrics(&store);
        store.put(BUCKET, &format!("key-{number}"), vec![1; size]);
        let after = metrics(&store);
        assert!(
            fdatasyncs(&after) > fdatasyncs(&before),
            "{size} bytes were acknowledged without a sync\n{after}"
        );
    }
    // Objects are counted when the index has taken them in.
    let counted = |objects: u64| {
        wait_for("the objects to be counted", || {
            (sum(&metrics(&store), "corelane_shard_objects", &[]) == objects).then_some(())
        });
    };
    counted(4);
    let before = metrics(&store);
    store.get(BUCKET, "key-0").expect_status(200);
    assert_eq!(fdatasyncs(&metrics(&store)), fdatasyncs(&before), "a GET syncs nothing");
    let delete = Request::object("DELETE", BUCKET, "key-0");
    store.send(delete).expect_status(204);
    let after = metrics(&store);
    assert!(fdatasyncs(&after) > fdatasyncs(&before), "{after}");
    counted(3);
}

#[test]
fn requests_bytes_and_blocks_are_counted() {
    let store = Store::start_with(&["--route", "proxy"]);
    store.make_bucket(BUCKET);
    let size = 300_000;
    store.put(BUCKET, "key", vec![7; size]);
    for _ in 0..2 {
        store.get(BUCKET, "key").expect_status(200);
    }
    store.get(BUCKET, "missing").expect_status(404);
    store.get("no-such-bucket", "key").expect_status(404);
    store.keys(BUCKET);
    store.send_as_is(&store.addressed(Request::object("GET", BUCKET, "key")));
    let text = metrics(&store);
    let gateway = |operation, status, way| {
        let labels = [("operation", operation), ("status", status), ("way", way)];
        sum(&text, "corelane_gateway_requests_total", &labels)
    };
    assert_eq!(gateway("CreateBucket", "2xx", "gateway"), 1);
    assert_eq!(gateway("PutObject", "2xx", "proxy"), 1);
    assert_eq!(gateway("GetObject", "2xx", "proxy"), 2);
    assert_eq!(gateway("GetObject", "4xx", "proxy"), 1);
    assert_eq!(gateway("GetObject", "4xx", "gateway"), 1);
    assert_eq!(gateway("ListObjectsV2", "2xx", "gateway"), 1);
    assert_eq!(gateway("Unknown", "4xx", "gateway"), 1);
    assert!(gateway("Register", "2xx", "gateway") >= 1);
    let core = |operation, status| {
        let labels = [("operation", operation), ("status", status)];
        sum(&text, "corelane_core_requests_total", &labels)
    };
    assert_eq!(core("PutObject", "2xx"), 1);
    assert_eq!(core("GetObject", "2xx"), 2);
    assert_eq!(core("GetObject", "4xx"), 1);
    assert_eq!(core("List", "2xx"), store.core_ports().len() as u64);
    // Three blocks: the first GET reads them, the second finds them.
    assert!(sum(&text, "corelane_core_cache_misses_total", &[]) >= 3, "{text}");
    assert!(sum(&text, "corelane_core_cache_hits_total", &[]) >= 3, "{text}");
    assert!(sum(&text, "corelane_core_received_bytes_total", &[]) > size as u64);
    assert!(sum(&text, "corelane_core_sent_bytes_total", &[]) > 2 * size as u64);
    assert!(sum(&text, "corelane_core_memory_used_bytes", &[("pool", "cache")]) >= size as u64);
    for pool in ["cache", "receiving", "sending"] {
        assert!(sum(&text, "corelane_core_memory_limit_bytes", &[("pool", pool)]) > 0);
    }
    assert!(sum(&text, "corelane_gateway_connections", &[]) >= 1);
    assert_eq!(sum(&text, "corelane_node_up", &[]), 1);
    let shards = text.lines().filter(|line| line.starts_with("corelane_shard_up{"));
    assert_eq!(shards.count() as u64, sum(&text, "corelane_shard_up", &[]));
}

#[test]
fn redirects_are_told_from_proxied_requests() {
    let store = Store::start_with(&["--route", "redirect"]);
    store.make_bucket(BUCKET);
    let put = Request::object("PUT", BUCKET, "key").body("content");
    store.send_following(put).expect_status(200);
    let text = metrics(&store);
    let labels = [("operation", "PutObject"), ("status", "3xx"), ("way", "redirect")];
    assert_eq!(sum(&text, "corelane_gateway_requests_total", &labels), 1);
    let labels = [("operation", "PutObject"), ("status", "2xx")];
    assert_eq!(sum(&text, "corelane_core_requests_total", &labels), 1);
}

#[test]
fn any_valid_key_reads_them_and_nobody_else() {
    let store = Store::start();
    let get = || store.addressed(Request::new("GET", "/v1/metrics"));
    let refused = |request: &Request| {
        let answer = store.send_as_is(request).expect_status(403);
        assert!(!answer.text().contains("corelane_"), "{}", answer.text());
    };
    refused(&get());
    refused(&Signer::new("unknown-key", SECRET_KEY).sign(get()));
    refused(&Signer::new(ACCESS_KEY, "another-secret").sign(get()));
    assert_eq!(store.send(Request::new("PUT", "/v1/metrics")).status, 405);
    let clients = Clients::new(&store);
    let key = ["--access-key", "ALICESKEY", "--secret-key", "alices-secret-key"];
    clients
        .corelane(&[&["key", "create", "--user", "alice"], key.as_slice()].concat())
        .ok();
    let alice = Signer::new("ALICESKEY", "alices-secret-key");
    store.send_as_is(&alice.sign(get())).expect_status(200);
    // She reads, and administers nothing.
    let keys = alice.sign(store.addressed(Request::new("GET", "/v1/keys")));
    store.send_as_is(&keys).expect_status(403);
    // What cores say is for gateways only.
    for port in store.core_ports() {
        let mut connection = Connection::open(*port);
        let request = Request::new("POST", "/_corelane/stats").header("Host", "core");
        connection.send(&request.to_bytes());
        assert!((400..500).contains(&connection.receive("POST").status));
    }
    drop(store);

    let open = Store::start_with(&["--anonymous"]);
    let plain = open.addressed(Request::new("GET", "/v1/metrics"));
    open.send_as_is(&plain).expect_status(200);
}

/// Whether every thread of a process is stopped.
fn are_stopped(pid: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads.into_iter().all(|thread| {
        let stat = std::fs::read_to_string(thread.unwrap().path().join("stat")).unwrap_or_default();
        stat.rsplit(") ").next().is_some_and(|state| state.starts_with('T'))
    })
}

#[test]
fn a_node_that_hangs_is_left_out_and_comes_back() {
    let store = Store::start();
    let node = store.child_pid("corelane-node");
    assert_eq!(sum(&metrics(&store), "corelane_node_up", &[]), 1);
    signal(node, Signal::STOP);
    wait_for("all threads of the node to stop", || are_stopped(node).then_some(()));
    // At first it still counts as live and is waited for in vain; later it is not asked any more.
    for _ in 0..3 {
        let text = metrics(&store);
        assert!(text.contains("\ncorelane_node_up{"), "{text}");
        assert_eq!(sum(&text, "corelane_node_up", &[]), 0);
        assert_eq!(sum(&text, "corelane_shard_up", &[]), 0);
        assert!(!text.contains("\ncorelane_log_fdatasync_total{"), "{text}");
        assert!(sum(&text, "corelane_gateway_requests_total", &[]) > 0);
    }
    signal(node, Signal::CONT);
    wait_for("the node to be back", || {
        (sum(&metrics(&store), "corelane_node_up", &[]) == 1).then_some(())
    });
}

/// A gateway and a node without the command that ends one with the other.
struct Apart {
    gateway: Child,
    node: Child,
    port: u16,
    _directory: Directory,
}

impl Apart {
    fn start() -> Self {
        let directory = Directory::new();
        let (key, credentials) = (directory.join("cluster.key"), directory.join("credentials.json"));
        std::fs::write(&key, "07".repeat(32)).unwrap();
        let keys = serde_json::json!({ "access_key": ACCESS_KEY, "secret_key": SECRET_KEY });
        std::fs::write(&credentials, keys.to_string()).unwrap();
        let mut command = Command::new(program("corelane-gateway"));
        command
            .args(["--listen", "127.0.0.1:0", "--state"])
            .arg(directory.join("state"))
            .arg("--credentials-file")
            .arg(&credentials);
        let (gateway, ready) = ready(command.arg("--cluster-key-file").arg(&key));
        let port = u16::try_from(ready["port"].as_u64().unwrap()).unwrap();
        let mut command = Command::new(program("corelane-node"));
        command
            .args(["--port", "0", "--cores", "1", "--gateway", &format!("127.0.0.1:{port}")])
            .arg("--mountpath")
            .arg(directory.join("disk"));
        let (node, _) = self::ready(command.arg("--cluster-key-file").arg(&key));
        Self {
            gateway,
            node,
            port,
            _directory: directory,
        }
    }

    fn send(&self, request: Request) -> Response {
        let request = request.header("Host", format!("127.0.0.1:{}", self.port));
        let mut connection = Connection::open(self.port);
        connection.send(&Signer::new(ACCESS_KEY, SECRET_KEY).sign(request.clone()).to_bytes());
        connection.receive(&request.method)
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        for child in [&mut self.node, &mut self.gateway] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Starts a program and waits for its `READY` line.
fn ready(command: &mut Command) -> (Child, serde_json::Value) {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    let ready = serde_json::from_str(line.strip_prefix("READY ").expect("READY")).unwrap();
    (child, ready)
}

#[test]
fn a_node_that_is_dead_is_left_out() {
    let mut store = Apart::start();
    let metrics = |store: &Apart| store.send(Request::new("GET", "/v1/metrics")).expect_status(200).text();
    assert_eq!(sum(&metrics(&store), "corelane_node_up", &[]), 1);
    store.node.kill().unwrap();
    store.node.wait().unwrap();
    for _ in 0..3 {
        let text = metrics(&store);
        assert!(text.contains("\ncorelane_node_up{"), "{text}");
        assert_eq!(sum(&text, "corelane_node_up", &[]), 0);
        assert!(!text.contains("\ncorelane_core_connections{"), "{text}");
    }
}
