//! `GET /v1/cluster`: what the store is made of, and what it holds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    directory::Directory,
    process::wait_for,
    request::Request,
    rest::{Reply, User},
    store::Store,
};
use serde_json::{Value, json};

fn sum(report: &Value, field: &str) -> u64 {
    let nodes = report["nodes"].as_array().unwrap();
    let cores = nodes.iter().flat_map(|node| node["cores"].as_array().unwrap());
    let shards = cores.flat_map(|core| core["shards"].as_array().unwrap());
    shards.map(|shard| shard[field].as_u64().unwrap()).sum()
}

#[test]
fn it_says_what_there_is() {
    let store = Store::start();
    let alice = User::new(&store, "alice");
    store.make_bucket("photos");
    for number in 0..20 {
        store.put("photos", &format!("key/{number}"), vec![7; 100]);
    }
    // Whoever has a key may look.
    // Objects are counted when the index has taken them in.
    let report = wait_for("the objects to be counted", || {
        let report = alice.get("/v1/cluster").expect(200);
        (report["objects"] == 20).then_some(report)
    });
    assert_eq!((&report["status"], &report["reason"]), (&json!("ok"), &Value::Null));
    assert_eq!(report["buckets"], 1);
    assert_eq!(report["object_bytes"], 2000);
    assert_eq!((sum(&report, "objects"), sum(&report, "object_bytes")), (20, 2000));
    assert_eq!(report["gateways"][0]["port"], store.port());
    let node = &report["nodes"][0];
    assert_eq!((&node["live"], &node["missing_shards"]), (&json!(true), &json!([])));
    let ports: Vec<u64> = node["cores"]
        .as_array()
        .unwrap()
        .iter()
        .map(|core| {
            assert_eq!(core["answers"], true);
            core["port"].as_u64().unwrap()
        })
        .collect();
    let expected: Vec<u64> = store.core_ports().iter().map(|port| (*port).into()).collect();
    assert_eq!(ports, expected);
    let unsigned = store.send_as_is(&store.addressed(Request::new("GET", "/v1/cluster")));
    Reply::read(unsigned).refused(403, "AccessDenied");
    let head = alice.send(Request::new("HEAD", "/v1/cluster")).expect_status(200);
    assert!(head.body.is_empty());
}

#[test]
fn it_says_what_is_missing() {
    let directory = Directory::new();
    let second = directory.join("second");
    let mut store = Store::start_with(&["--data", second.to_str().unwrap()]);
    let whole = User::root(&store).get("/v1/cluster").expect(200);
    let shards = whole["shards"].as_u64().unwrap();
    assert!(store.stop().success());
    std::fs::rename(&second, directory.join("away")).unwrap();
    store.start_again();
    let report = User::root(&store).get("/v1/cluster").expect(200);
    assert_eq!(
        (&report["status"], report["shards"].as_u64()),
        (&json!("degraded"), Some(shards))
    );
    assert!(report["reason"].as_str().unwrap().contains("shards"), "{report}");
    let node = &report["nodes"][0];
    let told = node["cores"].as_array().unwrap().iter();
    let told = told.flat_map(|core| core["shards"].as_array().unwrap());
    let away = told.filter(|shard| shard["state"] == "unavailable").count();
    let missing = node["missing_shards"].as_array().unwrap().len();
    assert_eq!((away + missing) as u64, shards / 2, "{report}");
}
