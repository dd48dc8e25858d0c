//! Settings that act in a running store: each is changed, and seen to act.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    command::Clients,
    process::{signal, wait_for},
    request::Request,
    store::Store,
};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{fs, path::Path};

#[track_caller]
fn change(store: &Store, body: &Value) {
    let answer = store
        .send(Request::new("PATCH", "/v1/config").body(body.to_string()))
        .expect_status(200);
    let answer: Value = serde_json::from_str(&answer.text()).unwrap();
    for changed in answer["changed"].as_array().unwrap() {
        assert_eq!(changed["applies"], "live", "{answer}");
        assert_eq!(changed["overridden_by"], Value::Null, "{answer}");
    }
}

#[track_caller]
fn set(store: &Store, name: &str, value: &str) {
    change(store, &json!({"set": {name: value}}));
}

#[track_caller]
fn reset(store: &Store, name: &str) {
    change(store, &json!({"reset": [name]}));
}

fn wait_for_line(path: &Path, parts: &[&str]) -> String {
    wait_for(&format!("a line with {parts:?}"), || {
        let text = fs::read_to_string(path).unwrap_or_default();
        let mut lines = text.lines();
        let found = lines.find(|line| parts.iter().all(|part| line.contains(part)));
        found.map(str::to_owned)
    })
}

#[test]
fn routes_and_access_logs() {
    let store = Store::start();
    store.make_bucket("ways");
    store.put("ways", "key", "content");
    let control = store.data().join("control");
    let log = control.join("requests.log");
    let get = |key: &str| store.get("ways", key).status;
    assert!(!log.exists());

    // Gateway and cores: the connection was passed.
    set(&store, "access_log.file", "requests.log");
    assert_eq!(store.get("ways", "key").text(), "content");
    wait_for_line(&log, &["GetObject", "/ways/key", " handoff "]);

    set(&store, "route.mode", "proxy");
    assert_eq!(get("proxied"), 404);
    wait_for_line(&log, &["/ways/proxied", " proxy "]);
    set(&store, "route.mode", "redirect");
    assert_eq!(get("redirected"), 307);
    wait_for_line(&log, &["/ways/redirected", " redirect "]);
    reset(&store, "route.mode");
    assert_eq!(get("passed"), 404);
    wait_for_line(&log, &["/ways/passed", " handoff "]);

    set(&store, "route.handoff", "false");
    assert_eq!(get("kept"), 404);
    wait_for_line(&log, &["/ways/kept", " proxy "]);
    let table = control.join("table.toml");
    let row = "[[row]]\nuser_agent_prefix = [\"corelane-tests\"]\nno_body = \"always\"\nput_with_expect = \"never\"\n\
               put_without_expect = \"never\"\n";
    fs::write(&table, row).unwrap();
    set(&store, "route.redirect_table", "table.toml");
    assert_eq!(get("followed"), 307);
    fs::write(&table, row.replace("always", "never")).unwrap();
    // Set again, it is read again.
    set(&store, "route.redirect_table", "table.toml");
    assert_eq!(get("not-followed"), 404);
    change(&store, &json!({"reset": ["route.handoff", "route.redirect_table"]}));

    set(&store, "access_log.format", "json");
    assert_eq!(get("as-json"), 404);
    let line = wait_for_line(&log, &["as-json"]);
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["way"], "handoff");
    // A log that was turned on later is opened again, too, and SIGHUP is not the end.
    fs::rename(&log, control.join("old.log")).unwrap();
    signal(store.pid(), Signal::HUP);
    wait_for("both to open it", || {
        get("after-rotation");
        let text = fs::read_to_string(&log).unwrap_or_default();
        text.contains("\"handoff\"").then_some(())
    });

    set(&store, "access_log.file", "");
    let was = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    assert_eq!(get("unseen"), 404);
    set(&store, "access_log.file", "other.log");
    assert_eq!(get("seen"), 404);
    wait_for_line(&control.join("other.log"), &["\"seen\""]);
    assert!(!was(&log).contains("unseen") && !was(&control.join("other.log")).contains("unseen"));
}

#[test]
fn a_connection_that_a_core_has_comes_back_when_the_route_changes() {
    let store = Store::start();
    store.make_bucket("ways");
    store.put("ways", "key", "content");
    let mut connection = store.connect();
    let request = || store.signed(Request::object("GET", "ways", "key")).to_bytes();
    connection.send(&request());
    connection.receive("GET").expect_status(200);
    let metrics = || {
        let text = store.send(Request::new("GET", "/v1/metrics")).text();
        corelane_tests::metrics::sum(
            &text,
            "corelane_gateway_requests_total",
            &[("operation", "GetObject"), ("way", "proxy")],
        )
    };
    let before = metrics();
    set(&store, "route.mode", "proxy");
    connection.send(&request());
    connection.receive("GET").expect_status(200);
    assert_eq!(metrics(), before + 1);
}

#[test]
fn signature_version_2() {
    let store = Store::start();
    store.make_bucket("two");
    store.put("two", "key", "content");
    let clients = Clients::new(&store);
    let url = clients
        .s3cmd(&["--signature-v2", "signurl", "s3://two/key", "+600"])
        .ok()
        .stdout;
    let target = url.trim().split_once("/s3/").unwrap().1.to_owned();
    let get = || store.send_as_is(&store.addressed(Request::new("GET", format!("/s3/{target}"))));
    get().expect_error(400, "InvalidRequest");
    set(&store, "auth.allow_sigv2", "true");
    assert_eq!(get().expect_status(200).text(), "content");
    reset(&store, "auth.allow_sigv2");
    get().expect_error(400, "InvalidRequest");
}

#[test]
fn the_length_of_a_lifecycles_day() {
    let store = Store::start();
    store.make_bucket("cycle");
    store.put("cycle", "key", "content");
    let rules = "<LifecycleConfiguration><Rule><ID>r</ID><Filter><Prefix></Prefix></Filter><Status>Enabled</Status>\
                 <Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>";
    let request = Request::bucket("PUT", "cycle").subresource("lifecycle").body(rules);
    store.send(request).expect_status(200);
    set(&store, "lifecycle.day_seconds", "1s");
    wait_for("the object to expire", || store.keys("cycle").is_empty().then_some(()));
}

#[test]
fn what_new_buckets_are_like() {
    let store = Store::start();
    let etag_length = |bucket: &str| {
        store.make_bucket(bucket);
        let answer = store.put(bucket, "key", "content");
        answer.header("etag").unwrap().trim_matches('"').len()
    };
    assert_eq!(etag_length("first"), 32);
    set(&store, "bucket.s3_checksum_type", "sha512");
    assert!(etag_length("second") > 128);
    reset(&store, "bucket.s3_checksum_type");
    assert_eq!(etag_length("third"), 32);
}

#[test]
fn logs_and_scrubbing() {
    let store = Store::start();
    store.make_bucket("scrubbed");
    store.put("scrubbed", "key", "content");
    assert!(!store.log().contains("everything was read and verified"));
    set(&store, "scrub.interval_s", "1");
    wait_for("a scrub", || {
        store.log().contains("everything was read and verified").then_some(())
    });
    set(&store, "scrub.interval_s", "0");

    assert!(!store.log().contains("DEBUG"));
    set(&store, "log.filter", "debug");
    store.get("scrubbed", "key");
    wait_for("a line of the gateway", || store.log().contains("DEBUG").then_some(()));
    // The node says of each change that it has understood; now it is to be silent.
    let heard = || store.log().matches("settings were changed").count();
    assert_ne!(heard(), 0);
    set(&store, "log.filter", "error");
    let before = heard();
    set(&store, "scrub.interval_s", "30d");
    assert_eq!(heard(), before);
    set(&store, "log.filter", "info");
    wait_for("the node to be heard again", || (heard() > before).then_some(()));
}

#[test]
fn buffers_of_bodies_that_pass_through() {
    let store = Store::start();
    store.make_bucket("buffers");
    change(
        &store,
        &json!({"set": {
            "route.mode": "proxy",
            "net.http.read_buffer_size": "1MiB",
            "net.http.write_buffer_size": "8KiB",
        }}),
    );
    // That sizes are what is set is for the gateway's own tests; here, that bytes survive any of them.
    let content: Vec<u8> = (0..3_000_001u32).map(|number| number.to_le_bytes()[0] ^ 0x5a).collect();
    store.put("buffers", "key", content.clone());
    assert_eq!(store.get("buffers", "key").body, content);
    change(
        &store,
        &json!({"set": {"net.http.read_buffer_size": "8KiB", "net.http.write_buffer_size": "1MiB"}}),
    );
    store.put("buffers", "other", content.clone());
    assert_eq!(store.get("buffers", "other").body, content);
}
