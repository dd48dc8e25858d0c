//! The access log: every request once, whoever answers it, and nothing that lets anybody repeat one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    directory::Directory,
    process::{signal, wait_for},
    raw::Connection,
    request::Request,
    store::{ACCESS_KEY, Store, follow, serve_command},
    tickets::parts,
};
use rustix::process::Signal;
use serde_json::Value;
use std::{collections::BTreeMap, path::Path};

const BUCKET: &str = "logged";

/// Waits until so many lines are there; exactly as many must be.
#[track_caller]
fn lines(path: &Path, count: usize) -> Vec<String> {
    let all = || -> Vec<String> {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    };
    wait_for("the access log", || (all().len() >= count).then_some(()));
    let all = all();
    assert_eq!(all.len(), count, "{all:#?}");
    all
}

/// The fields of text lines but time and duration.
fn fields(line: &str) -> Vec<String> {
    let (words, agent) = match line.split_once('"') {
        Some((words, agent)) => (words, agent.strip_suffix('"').unwrap()),
        None => (line.strip_suffix(" -").unwrap(), "-"),
    };
    let mut fields: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
    fields.push(agent.to_owned());
    assert_eq!(fields.len(), 13, "{line}");
    fields
}

/// On a connection that is passed around, each request is written down by whoever answers it.
#[test]
fn a_passed_connection_is_written_down_where_it_is_served() {
    let directory = Directory::new();
    let log = directory.join("access.log");
    let mut store = Store::start_with(&["--access-log", log.to_str().unwrap()]);
    store.make_bucket(BUCKET);
    let mut connection = store.connect();
    let mut answered = Vec::new();
    for (method, key) in [
        ("PUT", "a"),
        ("GET", "a"),
        ("HEAD", ""),
        ("GET", "none"),
        ("GET", "b"),
        ("DELETE", "a"),
    ] {
        let request = match key {
            "" => Request::bucket(method, BUCKET),
            key => Request::object(method, BUCKET, key),
        };
        let request = match method {
            "PUT" => request.body("content"),
            _ => request,
        };
        connection.send(&store.signed(request).to_bytes());
        let answer = connection.receive(method);
        answered.push((answer.header("x-amz-request-id").unwrap().to_owned(), answer.status));
    }
    drop(connection);
    assert!(store.stop().success());
    let lines = lines(&log, 1 + answered.len());
    let told: BTreeMap<String, Vec<String>> = lines
        .iter()
        .map(|line| fields(line))
        .map(|fields| (fields[11].clone(), fields))
        .collect();
    let ways: Vec<String> = answered
        .iter()
        .map(|(id, status)| {
            let fields = &told[id];
            assert_eq!(
                (fields[1].as_str(), &fields[6]),
                ("127.0.0.1", &status.to_string()),
                "{fields:?}"
            );
            format!("{} {} {}", fields[3], fields[4], fields[10])
        })
        .collect();
    assert_eq!(
        ways,
        [
            format!("{ACCESS_KEY} PutObject handoff"),
            format!("{ACCESS_KEY} GetObject lease"),
            format!("{ACCESS_KEY} HeadBucket gateway"),
            format!("{ACCESS_KEY} GetObject handoff"),
            format!("{ACCESS_KEY} GetObject lease"),
            format!("{ACCESS_KEY} DeleteObject lease"),
        ]
    );
}

#[test]
fn every_request_is_written_down_once() {
    let directory = Directory::new();
    let log = directory.join("access.log");
    let mut store = Store::start_with(&["--no-handoff", "--access-log", log.to_str().unwrap()]);
    store.make_bucket(BUCKET);
    let key = "a key/ü";
    let put = Request::object("PUT", BUCKET, key).body("content");
    let put = store
        .send(put.header("User-Agent", "quoted \" agent"))
        .expect_status(200);
    // By redirect: once when the gateway redirects, once when the core answers.
    let get = store.signed(Request::object("GET", BUCKET, key).header("User-Agent", "Wget/1.21"));
    let redirected = store.send_as_is(&get).expect_status(307);
    let (port, target) = parts(redirected.header("location").unwrap());
    let got = follow(&get, port, &target).expect_status(200);
    // With another's ticket.
    let denied = follow(&get, port, &target.replace("%C3%BC", "other")).expect_status(403);
    // Through a core to the gateway, and by proxy to a core again.
    let host = format!("127.0.0.1:{port}");
    let relayed = Request::object("HEAD", BUCKET, key)
        .header("Host", host)
        .header("User-Agent", "t");
    let mut connection = Connection::open(port);
    connection.send(&store.signer().sign(relayed).to_bytes());
    connection.receive("HEAD").expect_status(200);
    // A ticket that comes to the gateway.
    store
        .send_as_is(&store.addressed(Request::new("GET", target.clone())))
        .expect_status(200);
    let acl = store
        .send(Request::object("GET", BUCKET, key).subresource("acl"))
        .expect_status(200);
    let listed = store
        .send(Request::bucket("GET", BUCKET).query("prefix", "secret-prefix"))
        .expect_status(200);
    store
        .send_as_is(&store.addressed(Request::object("GET", BUCKET, key)))
        .expect_status(403);
    store
        .send_as_is(&store.addressed(Request::new("GET", "/s3/Bad_Bucket/x%zz y")))
        .expect_status(400);
    store.send(Request::new("GET", "/v1/keys")).expect_status(200);
    drop(connection);
    assert!(store.stop().success());

    let lines = lines(&log, 12);
    let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in &lines {
        for secret in ["corelane-ticket", "Signature", "secret-prefix", "?"] {
            assert!(!line.contains(secret), "{secret} in {line}");
        }
        let fields = fields(line);
        assert!(fields[0].ends_with('Z') && fields[1] == "127.0.0.1", "{line}");
        let earlier = seen.insert(fields[11].clone(), fields);
        assert_eq!(earlier, None, "a request id twice: {line}");
    }
    let of = |answer: &corelane_tests::raw::Response| {
        let fields = &seen[answer.header("x-amz-request-id").unwrap()];
        let picked = [2, 3, 4, 5, 6, 7, 8, 10, 12].map(|index| fields[index].clone());
        picked.join(" ")
    };
    let who = format!("corelane {ACCESS_KEY}");
    let object = "/logged/a%20key/%C3%BC";
    assert_eq!(
        of(&redirected),
        format!(
            "{who} GetObject {object} 307 0 {} redirect Wget/1.21",
            redirected.body.len()
        )
    );
    assert_eq!(of(&got), format!("{who} GetObject {object} 200 0 7 redirect Wget/1.21"));
    assert_eq!(
        of(&denied),
        format!(
            "- - - /s3/logged/a%2520key/other 403 0 {} redirect Wget/1.21",
            denied.body.len()
        )
    );
    assert_eq!(
        of(&acl),
        format!(
            "{who} GetObjectAcl {object} 200 0 {} gateway corelane-tests",
            acl.body.len()
        )
    );
    assert_eq!(
        of(&listed),
        format!(
            "{who} ListObjects /logged 200 0 {} gateway corelane-tests",
            listed.body.len()
        )
    );
    let all: Vec<String> = seen
        .values()
        .map(|fields| [2, 4, 5, 6, 7, 8, 10, 12].map(|index| fields[index].clone()).join(" "))
        .collect();
    for expected in [
        "corelane CreateBucket /logged 200 0 0 gateway corelane-tests",
        "corelane PutObject /logged/a%20key/%C3%BC 200 7 0 proxy quoted \\x22 agent",
        "corelane HeadObject /logged/a%20key/%C3%BC 200 0 0 proxy t",
        "corelane GetObject /logged/a%20key/%C3%BC 200 0 7 proxy corelane-tests",
        "corelane Admin /v1/keys 200 0 ",
        "- - /logged/a%20key/%C3%BC 403 0 ",
    ] {
        assert_eq!(
            all.iter().filter(|line| line.starts_with(expected)).count(),
            1,
            "{expected}: {all:#?}"
        );
    }
    // What the core says of a request that came by proxy is the gateway's line.
    assert!(!seen.contains_key(put.header("x-amz-request-id").unwrap()));
}

#[test]
fn json_lines_are_objects() {
    let directory = Directory::new();
    let log = directory.join("access.log");
    let store = Store::start_with(&["--access-log", log.to_str().unwrap(), "--access-log-format", "json"]);
    store.make_bucket(BUCKET);
    store.put(BUCKET, "a \"key\"\n", vec![b'x'; 300_000]);
    let got = store.get(BUCKET, "a \"key\"\n").expect_status(200);
    let mut connection = store.connect();
    connection.send(b"nothing HTTP knows\r\n\r\n");
    connection.receive("GET").expect_status(400);
    let objects: Vec<Value> = lines(&log, 4)
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let find = |operation: &str| objects.iter().find(|object| object["operation"] == operation).unwrap();
    let put = find("PutObject");
    assert_eq!(
        (put["bucket"].as_str(), put["key"].as_str()),
        (Some(BUCKET), Some("a \"key\"\n"))
    );
    assert_eq!(
        (&put["received_bytes"], &put["sent_bytes"]),
        (&300_000.into(), &0.into())
    );
    let get = find("GetObject");
    assert_eq!(
        (&get["status"], &get["sent_bytes"]),
        (&200.into(), &got.body.len().into())
    );
    assert_eq!(
        (get["user"].as_str(), get["access_key"].as_str()),
        (Some("corelane"), Some(ACCESS_KEY))
    );
    assert!(get["duration_s"].as_f64().unwrap() < 60.0);
    let refused = objects.iter().find(|object| object["operation"].is_null()).unwrap();
    assert_eq!(
        (&refused["status"], &refused["path"], &refused["user"]),
        (&400.into(), &Value::Null, &Value::Null)
    );
}

#[test]
fn a_rotated_log_is_opened_again_and_no_line_is_lost() {
    let directory = Directory::new();
    let (log, old) = (directory.join("access.log"), directory.join("access.log.1"));
    let store = Store::start_with(&["--route", "redirect", "--access-log", log.to_str().unwrap()]);
    store.make_bucket(BUCKET);
    let put = |number: usize| {
        let request = Request::object("PUT", BUCKET, &number.to_string()).body("content");
        store.send_following(request).expect_status(200);
    };
    (0..10).for_each(put);
    lines(&log, 21);
    std::fs::rename(&log, &old).unwrap();
    signal(store.pid(), Signal::HUP);
    // Either process makes the file anew; until both have, lines still go to the old one.
    wait_for("the new log", || log.exists().then_some(()));
    let mut sent = 10;
    let count = |path: &Path| std::fs::read_to_string(path).unwrap_or_default().lines().count();
    wait_for("lines of both in the new log", || {
        put(sent);
        sent += 1;
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        (text.contains(" 307 ") && text.contains(" 200 ")).then_some(())
    });
    wait_for("all lines", || (count(&old) + count(&log) > 2 * sent).then_some(()));
    // The bucket's, and two for each PUT.
    assert_eq!(count(&old) + count(&log), 1 + 2 * sent);
    store.get(BUCKET, "0").expect_status(307);
    let metrics = store.send(Request::new("GET", "/v1/metrics")).expect_status(200).text();
    assert!(
        metrics.contains("corelane_gateway_access_log_dropped_lines_total 0"),
        "{metrics}"
    );
    assert!(
        metrics.contains("corelane_core_access_log_dropped_lines_total{"),
        "{metrics}"
    );
}

#[test]
fn there_is_no_log_unless_asked_for_and_one_that_cannot_be_written_is_told() {
    let store = Store::start();
    store.make_bucket(BUCKET);
    let metrics = store.send(Request::new("GET", "/v1/metrics")).expect_status(200).text();
    assert!(!metrics.contains("gateway_access_log_dropped_lines_total"), "{metrics}");
    let directory = Directory::new();
    let output = serve_command()
        .args(["--port", "0", "--access-log", "/nowhere/access.log", "--data"])
        .arg(directory.join("data"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.lines()
            .any(|line| line.starts_with("error: --access-log /nowhere/access.log: ")),
        "{said}"
    );
    // Standard error takes lines, too.
    let store = Store::start_with(&["--access-log", "-"]);
    store.make_bucket("told");
    wait_for("a line", || {
        store.log().contains(" CreateBucket /told 200 ").then_some(())
    });
}
