//! Connections that the gateway passes to cores, that cores pass to each other, and that come back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    cluster::Cluster,
    command::Clients,
    process::wait_for,
    raw::{Connection, Response},
    request::Request,
    sign::Signer,
    store::Store,
    tickets::parts,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::process::CommandExt,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

const BUCKET: &str = "passed";
/// Enough for every core to own some.
const KEYS: usize = 24;

fn key(number: usize) -> String {
    format!("key/{number}")
}

fn content(number: usize) -> Vec<u8> {
    vec![u8::try_from(number).unwrap(); 1000 + 17 * number]
}

/// A store with a bucket of objects.
fn filled(arguments: &[&str]) -> Store {
    let store = Store::start_with(arguments);
    store.make_bucket(BUCKET);
    for number in 0..KEYS {
        let put = Request::object("PUT", BUCKET, &key(number)).body(content(number));
        store.send_following(put).expect_status(200);
    }
    store
}

fn get(number: usize) -> Request {
    Request::object("GET", BUCKET, &key(number))
}

fn list() -> Request {
    Request::bucket("GET", BUCKET).query("list-type", "2")
}

fn exchange(connection: &mut Connection, request: &Request) -> Response {
    connection.send(&request.to_bytes());
    connection.receive(&request.method)
}

/// A counter of the store, over all cores and labels.
fn counted(store: &Store, name: &str) -> u64 {
    let text = store.send(Request::new("GET", "/v1/metrics")).expect_status(200).text();
    let lines = text.lines().filter(|line| line.starts_with(name));
    lines
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
        .map(|value| value as u64)
        .sum()
}

fn handoffs(store: &Store) -> BTreeMap<&'static str, u64> {
    ["handed", "moved", "returned"]
        .into_iter()
        .map(|what| (what, counted(store, &format!("corelane_core_connections_{what}_total"))))
        .chain([("leased", counted(store, "corelane_core_leased_requests_total"))])
        .collect()
}

#[test]
fn one_connection_is_served_by_whoever_owns_what_it_asks_for() {
    let store = filled(&[]);
    let before = handoffs(&store);
    let mut connection = store.connect();
    for round in 0..3 {
        for number in 0..KEYS {
            let answer = exchange(&mut connection, &store.signed(get(number))).expect_status(200);
            assert!(answer.body == content(number));
        }
        let missing = store.signed(Request::object("GET", BUCKET, "missing"));
        exchange(&mut connection, &missing).expect_error(404, "NoSuchKey");
        let head = store.signed(Request::object("HEAD", BUCKET, &key(round)));
        let length = exchange(&mut connection, &head).expect_status(200);
        assert_eq!(
            length.header("content-length"),
            Some((1000 + 17 * round).to_string().as_str())
        );
        let listed = exchange(&mut connection, &store.signed(list())).expect_status(200);
        assert!(listed.text().contains("<KeyCount>24</KeyCount>"), "{}", listed.text());
        let waiting = store.signed(
            Request::object("PUT", BUCKET, "waits")
                .header("Expect", "100-continue")
                .body(vec![round as u8; 400_000]),
        );
        connection.send(&waiting.head());
        assert_eq!(connection.receive_head().unwrap().0, 100);
        connection.send(&waiting.body);
        connection.receive("PUT").expect_status(200);
        let got = exchange(&mut connection, &store.signed(Request::object("GET", BUCKET, "waits")));
        assert!(got.expect_status(200).body == vec![round as u8; 400_000]);
        let delete = store.signed(Request::object("DELETE", BUCKET, "waits"));
        exchange(&mut connection, &delete).expect_status(204);
    }
    let after = handoffs(&store);
    let risen = |what| after[what] - before[what];
    assert!(risen("handed") >= 3, "{after:?}");
    assert!(risen("returned") >= 3, "{after:?}");
    assert!(risen("leased") >= 2 * KEYS as u64, "{after:?}");
    assert!(risen("moved") > 0 || corelane_tests::store::cores() == 1, "{after:?}");
}

#[test]
fn pipelined_requests_are_answered_in_their_order_wherever_they_go() {
    let store = filled(&[]);
    let mut requests = Vec::new();
    for number in 0..KEYS {
        requests.push(store.signed(get(number)));
        match number % 4 {
            0 => requests.push(store.signed(list())),
            1 => requests.push(store.signed(Request::bucket("HEAD", BUCKET))),
            2 => requests.push(store.signed(Request::object("PUT", BUCKET, "piped").body(content(number)))),
            _ => requests.push(store.signed(Request::object("GET", BUCKET, "piped"))),
        }
    }
    let bytes: Vec<u8> = requests.iter().flat_map(Request::to_bytes).collect();
    // Whole, and in pieces that end anywhere in a head or a body.
    for piece in [bytes.len(), 1460, 97] {
        let mut connection = store.connect();
        for part in bytes.chunks(piece) {
            connection.send(part);
        }
        for request in &requests {
            let answer = connection.receive(&request.method).expect_status(200);
            if request.method == "GET" && request.path.contains("/key/") {
                let number = request.path.rsplit('/').next().unwrap().parse().unwrap();
                assert!(answer.body == content(number), "{request:?}");
            }
        }
    }
}

#[test]
fn a_client_that_sends_no_more_still_gets_its_answer() {
    let store = filled(&[]);
    for number in 0..KEYS {
        let mut connection = store.connect();
        connection.send(&store.signed(get(number)).to_bytes());
        connection.finish_sending();
        assert!(connection.receive("GET").expect_status(200).body == content(number));
        assert!(connection.is_closed());
    }
    let put = store.signed(Request::object("PUT", BUCKET, "last").body(vec![1; 300_000]));
    let mut connection = store.connect();
    connection.send(&put.to_bytes());
    connection.finish_sending();
    connection.receive("PUT").expect_status(200);
}

#[test]
fn a_slow_client_is_passed_on_like_any_other() {
    let store = filled(&[]);
    let mut connection = store.connect();
    for number in [1, 2] {
        let put = store.signed(Request::object("PUT", BUCKET, &key(number)).body(content(number)));
        for part in put.to_bytes().chunks(100) {
            connection.send(part);
            thread::sleep(Duration::from_millis(3));
        }
        connection.receive("PUT").expect_status(200);
        for byte in store.signed(get(number)).to_bytes() {
            connection.send(&[byte]);
        }
        assert!(connection.receive("GET").expect_status(200).body == content(number));
    }
}

#[test]
fn every_core_port_takes_every_request_and_redirects_none() {
    for route in ["auto", "redirect", "proxy"] {
        let store = filled(&["--route", route]);
        for port in store.core_ports() {
            let mut connection = Connection::open(*port);
            let ask = |request: Request| {
                let request = request.header("Host", format!("127.0.0.1:{port}"));
                store.signer().sign(request)
            };
            for number in 0..KEYS {
                let answer = exchange(&mut connection, &ask(get(number))).expect_status(200);
                assert!(answer.body == content(number));
            }
            exchange(&mut connection, &ask(list())).expect_status(200);
            let put = ask(Request::object("PUT", BUCKET, "through a core").body("new"));
            exchange(&mut connection, &put).expect_status(200);
            let unsigned = Request::object("GET", BUCKET, &key(0)).header("Host", format!("127.0.0.1:{port}"));
            exchange(&mut connection, &unsigned).expect_error(403, "AccessDenied");
        }
    }
}

#[test]
fn a_lease_covers_what_it_says_and_nothing_else() {
    let store = filled(&[]);
    store.make_bucket("other");
    store.put("other", &key(0), "of the other bucket").expect_status(200);
    let clients = Clients::new(&store);
    let stranger = create_key(&clients, "stranger");
    let mut connection = store.connect();
    let mine = |request: Request| store.signed(request);
    assert!(exchange(&mut connection, &mine(get(0))).expect_status(200).body == content(0));

    let theirs = stranger.sign(store.addressed(get(0)));
    exchange(&mut connection, &theirs).expect_error(403, "AccessDenied");
    exchange(&mut connection, &mine(get(1))).expect_status(200);

    let mut forger = store.signer();
    forger.secret_key.push('x');
    let forged = forger.sign(store.addressed(get(0)));
    exchange(&mut connection, &forged).expect_error(403, "SignatureDoesNotMatch");
    exchange(&mut connection, &mine(get(2))).expect_status(200);

    let unsigned = store.addressed(get(0));
    exchange(&mut connection, &unsigned).expect_error(403, "AccessDenied");
    exchange(&mut connection, &mine(get(3))).expect_status(200);

    let other = Request::object("GET", "other", &key(0));
    assert_eq!(
        exchange(&mut connection, &mine(other)).expect_status(200).body,
        b"of the other bucket"
    );
    let tagging = mine(get(0).subresource("acl"));
    assert!(
        exchange(&mut connection, &tagging)
            .expect_status(200)
            .text()
            .contains("FULL_CONTROL")
    );
    let changed = mine(Request::object("PUT", BUCKET, "changed").body("signed"));
    let mut changed = changed;
    changed.body = b"Signed".to_vec();
    exchange(&mut connection, &changed).expect_error(400, "XAmzContentSHA256Mismatch");
    exchange(&mut connection, &mine(get(4))).expect_status(200);
}

/// The same path under two hosts names two objects: a lease holds for the host it was made under.
#[test]
fn a_lease_is_for_one_way_of_naming_the_bucket() {
    let store = Store::start();
    store.make_bucket(BUCKET);
    let inner = format!("{BUCKET}/key");
    store.put(BUCKET, "key", "of the bucket").expect_status(200);
    store
        .put(BUCKET, &inner, "below a folder of its name")
        .expect_status(200);
    let by_path = |key: &str| store.signed(Request::object("GET", BUCKET, key));
    let by_host = |path: &str| {
        let host = format!("{BUCKET}.localhost:{}", store.port());
        store.signer().sign(Request::new("GET", path).header("Host", host))
    };
    let mut connection = store.connect();
    for _ in 0..3 {
        for (request, content) in [
            (by_path("key"), "of the bucket"),
            (by_host(&format!("/{inner}")), "below a folder of its name"),
            (by_host("/key"), "of the bucket"),
            (by_host(&format!("/{inner}")), "below a folder of its name"),
            (by_path(&inner), "below a folder of its name"),
        ] {
            assert_eq!(exchange(&mut connection, &request).expect_status(200).text(), content);
        }
    }
    assert!(handoffs(&store)["leased"] >= 6);
}

#[test]
fn a_bucket_made_again_is_another_one_for_leased_connections_too() {
    let store = Store::start();
    let mut connection = store.connect();
    for round in 0..5 {
        store.make_bucket(BUCKET);
        for number in 0..4 {
            let absent = store.signed(get(number));
            exchange(&mut connection, &absent).expect_error(404, "NoSuchKey");
            let put = store.signed(Request::object("PUT", BUCKET, &key(number)).body(content(number + round)));
            exchange(&mut connection, &put).expect_status(200);
            let got = exchange(&mut connection, &store.signed(get(number))).expect_status(200);
            assert!(got.body == content(number + round));
        }
        for number in 0..4 {
            store
                .send(Request::object("DELETE", BUCKET, &key(number)))
                .expect_status(204);
        }
        store.send(Request::bucket("DELETE", BUCKET)).expect_status(204);
        exchange(&mut connection, &store.signed(get(0))).expect_error(404, "NoSuchBucket");
    }
}

fn create_key(clients: &Clients, user: &str) -> Signer {
    let answer = clients
        .corelane(&["key", "create", "--json", "--user", user])
        .ok()
        .stdout;
    let key: serde_json::Value = serde_json::from_str(&answer).unwrap();
    Signer::new(key["access_key"].as_str().unwrap(), key["secret_key"].as_str().unwrap())
}

/// What starts after `key rm` has returned does not succeed, on connections that hold a lease and are in full use.
#[test]
fn a_removed_key_is_refused_at_once_by_every_core() {
    let store = Store::start();
    let clients = Clients::new(&store);
    for round in 0..4 {
        let user = format!("user{round}");
        let bucket = format!("bucket{round}");
        let signer = create_key(&clients, &user);
        let signed = |request: Request| signer.sign(store.addressed(request));
        let mut connection = store.connect();
        exchange(&mut connection, &signed(Request::bucket("PUT", &bucket))).expect_status(200);
        for number in 0..KEYS {
            let put = Request::object("PUT", &bucket, &key(number)).body(content(number));
            exchange(&mut connection, &signed(put)).expect_status(200);
        }
        let removed: Mutex<Option<Instant>> = Mutex::new(None);
        let stop = AtomicBool::new(false);
        let served = AtomicU64::new(0);
        let late = thread::scope(|scope| {
            let readers: Vec<_> = (0..4)
                .map(|reader| {
                    let (removed, stop, served) = (&removed, &stop, &served);
                    let (store, signed, bucket) = (&store, &signed, &bucket);
                    scope.spawn(move || {
                        let mut connection = store.connect();
                        let mut late = Vec::new();
                        let mut number = reader;
                        while !stop.load(Ordering::Relaxed) {
                            number = (number + 7) % KEYS;
                            let request = signed(Request::object("GET", bucket, &key(number)));
                            let began_after = removed.lock().unwrap().is_some();
                            let answer = exchange(&mut connection, &request);
                            match answer.status {
                                200 if began_after => late.push(number),
                                200 => drop(served.fetch_add(1, Ordering::Relaxed)),
                                _ => assert_eq!((answer.status, answer.code().as_str()), (403, "InvalidAccessKeyId")),
                            }
                        }
                        late
                    })
                })
                .collect();
            wait_for("the readers", || (served.load(Ordering::Relaxed) > 200).then_some(()));
            clients.corelane(&["key", "rm", &signer.access_key]).ok();
            *removed.lock().unwrap() = Some(Instant::now());
            thread::sleep(Duration::from_millis(200));
            stop.store(true, Ordering::Relaxed);
            readers
                .into_iter()
                .flat_map(|reader| reader.join().unwrap())
                .collect::<Vec<_>>()
        });
        assert!(
            late.is_empty(),
            "round {round}: {} requests after the removal succeeded",
            late.len()
        );
    }
}

#[test]
fn without_its_node_the_gateway_says_slow_down_and_with_it_all_is_well() {
    let mut cluster = Cluster::start(1, &[]);
    cluster.send(Request::bucket("PUT", BUCKET)).expect_status(200);
    let put = |number| Request::object("PUT", BUCKET, &key(number)).body(content(number));
    for number in 0..KEYS {
        cluster.send(put(number)).expect_status(200);
    }
    cluster.kill_node();
    for number in 0..KEYS {
        cluster.send(get(number)).expect_error(503, "SlowDown");
        cluster.send(put(number)).expect_error(503, "SlowDown");
    }
    cluster.start_node(false);
    for number in 0..KEYS {
        assert!(cluster.send(get(number)).expect_status(200).body == content(number));
    }
    cluster.assert_no_errors();
}

/// Open files of a process.
fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

#[test]
fn descriptors_do_not_leak_however_often_connections_are_passed() {
    let store = filled(&[]);
    let count: u64 = std::env::var("CORELANE_HANDOFFS").map_or(100_000, |text| text.parse().unwrap());
    let pids = ["corelane-gateway", "corelane-node"].map(|name| store.child_pid(name));
    let warm_up = |pairs: u64| {
        thread::scope(|scope| {
            for client in 0..4 {
                let store = &store;
                scope.spawn(move || {
                    // Signed once: neither method, path nor time change.
                    let head = store.signed(Request::bucket("HEAD", BUCKET)).to_bytes();
                    let gets: Vec<Vec<u8>> = (0..KEYS).map(|number| store.signed(get(number)).to_bytes()).collect();
                    let mut connection = store.connect();
                    for pair in 0..pairs / 4 {
                        if pair % 500 == 499 {
                            connection = store.connect();
                        }
                        connection.send(&gets[(pair as usize * 5 + client) % KEYS]);
                        connection.send(&head);
                        connection.receive("GET").expect_status(200);
                        connection.receive("HEAD").expect_status(200);
                    }
                });
            }
        });
    };
    warm_up(2000);
    let settled = |before: Option<[usize; 2]>| {
        let mut last = pids.map(descriptors);
        wait_for("descriptors to be closed", || {
            let now = pids.map(descriptors);
            let is_settled = match before {
                Some(before) => now.iter().zip(before).all(|(now, before)| *now <= before + 2),
                None => now == last,
            };
            last = now;
            is_settled.then_some(())
        });
        last
    };
    let before = settled(None);
    warm_up(count);
    settled(Some(before));
    let handed = handoffs(&store);
    assert!(handed["handed"] >= count && handed["returned"] >= count, "{handed:?}");
}

/// A ticket that a client was redirected with dies with the key it was made for, over HTTPS and without handoff too, and a
/// new key of the same name is not held to account for it.
#[test]
fn a_ticket_dies_with_its_key() {
    for flags in [
        &["--route", "redirect"] as &[&str],
        &["--tls", "--route", "redirect"],
        &["--no-handoff", "--route", "redirect"],
    ] {
        let store = Store::start_with(flags);
        let clients = Clients::new(&store);
        let certificate = store.certificate_file();
        let trust: &[&str] = match flags.contains(&"--tls") {
            true => &["--ca", certificate.to_str().unwrap()],
            false => &[],
        };
        let manage = |arguments: &[&str]| clients.corelane(&[&["key"], arguments, trust].concat()).ok();
        let (access_key, secret_key) = ("LEAVERSKEY0000000001", "leavers-secret-key-of-forty-characters-1");
        let create = [
            "create",
            "--user",
            "leaver",
            "--access-key",
            access_key,
            "--secret-key",
            secret_key,
        ];
        manage(&create);
        let signer = Signer::new(access_key, secret_key);
        let send = |signer: &Signer, request: Request| store.send_as_is(&signer.sign(store.addressed(request)));
        let follow = |location: &str| {
            let (port, target) = parts(location);
            let request = Request::new("GET", target).header("Host", format!("127.0.0.1:{port}"));
            exchange(&mut store.connect_to(port), &request)
        };
        let location = |signer: &Signer| {
            let answer = send(signer, Request::object("GET", BUCKET, "absent")).expect_status(307);
            answer.header("location").unwrap().to_owned()
        };
        send(&signer, Request::bucket("PUT", BUCKET)).expect_status(200);
        let old = location(&signer);
        follow(&old).expect_error(404, "NoSuchKey");
        manage(&["rm", access_key]);
        follow(&old).expect_error(403, "AccessDenied");
        manage(&create);
        follow(&location(&signer)).expect_error(404, "NoSuchKey");
        follow(&old).expect_error(403, "AccessDenied");
    }
}

/// A process of another user gets nothing out of a core's channel.
#[test]
fn channels_are_closed_to_other_users() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("only root can become another user: not run");
        return;
    }
    let store = filled(&[]);
    // Other stores come and go meanwhile: a channel's name begins with its node.
    let metrics = store.send(Request::new("GET", "/v1/metrics")).expect_status(200).text();
    let node = metrics
        .split_once("corelane_node_up{node=\"")
        .unwrap()
        .1
        .split('"')
        .next()
        .unwrap();
    let prefix = format!("corelane-{node}-");
    let names: Vec<String> = std::fs::read_to_string("/proc/net/unix")
        .unwrap()
        .lines()
        .filter_map(|line| Some(line.rsplit_once('@')?.1.to_owned()))
        .filter(|name| name.starts_with(&prefix))
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    assert_eq!(names.len(), corelane_tests::store::cores());
    // Nothing is sent: whoever is let in is waited for, and the script's time runs out.
    let script = "import socket, sys\n\
                  s = socket.socket(socket.AF_UNIX)\n\
                  s.settimeout(10)\n\
                  s.connect('\\0' + sys.argv[1])\n\
                  try:\n    print(len(s.recv(100)))\n\
                  except ConnectionResetError:\n    print(0)\n";
    for name in names {
        let mut python = Command::new("python3");
        python.args(["-c", script, &name]).uid(65534).gid(65534);
        let output = python.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        assert_eq!(said, "0", "{}", String::from_utf8_lossy(&output.stderr));
    }
    store.get(BUCKET, &key(0)).expect_status(200);
}
