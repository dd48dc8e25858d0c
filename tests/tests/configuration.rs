//! The configuration file, environment variables and flags of a store, and `/v1/config`, which shows and changes settings.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    command::run,
    directory::Directory,
    process::wait_for,
    raw::Response,
    request::Request,
    sign::Signer,
    store::{Store, serve_command},
};
use serde_json::{Value, json};
use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
};

fn file(store: &Store) -> PathBuf {
    store.data().join("control/corelane.toml")
}

fn text(store: &Store) -> String {
    fs::read_to_string(file(store)).unwrap()
}

fn send(store: &Store, body: &Value) -> Response {
    store.send(Request::new("PATCH", "/v1/config").body(body.to_string()))
}

/// Sets one setting; what the store says of it.
#[track_caller]
fn set(store: &Store, name: &str, value: &str) -> Value {
    let answer = send(store, &json!({"set": {name: value}})).expect_status(200);
    serde_json::from_str::<Value>(&answer.text()).unwrap()["changed"][0].clone()
}

/// The settings below a prefix, by name.
#[track_caller]
fn shown(store: &Store, prefix: &str) -> serde_json::Map<String, Value> {
    let answer = store
        .send(Request::new("GET", "/v1/config").query("prefix", prefix))
        .expect_status(200);
    let answer: Value = serde_json::from_str(&answer.text()).unwrap();
    assert_eq!(answer["file"], file(store).to_str().unwrap());
    let settings = answer["settings"].as_array().unwrap().iter();
    settings
        .map(|setting| (setting["name"].as_str().unwrap().to_owned(), setting.clone()))
        .collect()
}

fn value_and_source(store: &Store, name: &str) -> (String, String) {
    let setting = &shown(store, name)[name];
    let text = |field: &str| setting[field].as_str().unwrap().to_owned();
    (text("value"), text("source"))
}

fn pair(value: &str, source: &str) -> (String, String) {
    (value.to_owned(), source.to_owned())
}

#[test]
fn a_first_start_makes_a_file_that_documents_everything() {
    let store = Store::start();
    let text = text(&store);
    assert_eq!(fs::metadata(file(&store)).unwrap().permissions().mode() & 0o777, 0o600);
    for name in shown(&store, "").keys() {
        let key = name.rsplit_once('.').unwrap().1;
        assert!(text.contains(key), "{name}");
    }
    assert!(text.contains("[net.http]"), "{text}");
    assert_eq!(value_and_source(&store, "route.mode"), pair("auto", "default"));
    assert_eq!(value_and_source(&store, "net.port"), pair("0", "flag"));
    assert_eq!(value_and_source(&store, "net.http.skip_verify"), pair("false", "fixed"));
    let own = store.certificate_file();
    assert_eq!(
        value_and_source(&store, "net.http.server_crt"),
        pair(own.to_str().unwrap(), "default")
    );
}

#[test]
fn flags_come_before_the_environment_before_the_file_before_defaults() {
    let mut store = Store::start_with_environment(
        &["--lifecycle-day-seconds", "100", "--set", "bucket.checksum_type=sha512"],
        &[
            ("CORELANE_LIFECYCLE_DAY_SECONDS", "200"),
            ("CORELANE_SCRUB_INTERVAL_S", "1h"),
            ("CORELANE_LOG", "info,corelane_gateway=debug"),
        ],
    );
    assert!(store.stop().success());
    fs::write(
        file(&store),
        "[lifecycle]\nday_seconds = 300\n[scrub]\ninterval_s = \"1d\"\n[bucket]\ns3_checksum_type = \"sha256\"\n",
    )
    .unwrap();
    store.start_again();
    assert_eq!(value_and_source(&store, "lifecycle.day_seconds"), pair("100", "flag"));
    assert_eq!(value_and_source(&store, "bucket.checksum_type"), pair("sha512", "flag"));
    assert_eq!(
        value_and_source(&store, "scrub.interval_s"),
        pair("3600", "environment")
    );
    assert_eq!(
        value_and_source(&store, "log.filter"),
        pair("info,corelane_gateway=debug", "environment")
    );
    assert_eq!(
        value_and_source(&store, "bucket.s3_checksum_type"),
        pair("sha256", "file")
    );
    assert_eq!(value_and_source(&store, "route.mode"), pair("auto", "default"));
    // It is not only shown: ETags of that type say what they are.
    store.make_bucket("hashed");
    let etag = store.put("hashed", "key", "content").header("etag").unwrap().to_owned();
    assert!(etag.trim_matches('"').len() > 64, "{etag}");
    assert!(store.log().contains("DEBUG"));

    // The file is changed all the same, and the answer says what comes before it.
    let changed = set(&store, "lifecycle.day_seconds", "5m");
    assert_eq!(changed["overridden_by"], "flag");
    assert_eq!((&changed["value"], &changed["was"]), (&json!("300"), &json!("300")));
    let changed = set(&store, "scrub.interval_s", "2d");
    assert_eq!(changed["overridden_by"], "environment");
    assert_eq!(
        (&changed["value"], &changed["was"]),
        (&json!("172800"), &json!("86400"))
    );
    assert_eq!(
        value_and_source(&store, "scrub.interval_s"),
        pair("3600", "environment")
    );
    assert!(text(&store).contains("interval_s = 172800"), "{}", text(&store));
}

#[test]
fn a_named_file_is_read_in_place_of_the_stores_own() {
    let directory = Directory::new();
    let named = directory.join("named.toml");
    fs::write(
        &named,
        "[route]\nmode = \"proxy\"\n[access_log]\nfile = \"requests.log\"\n",
    )
    .unwrap();
    let store = Store::start_with_environment(&[], &[("CORELANE_CONFIG", named.to_str().unwrap())]);
    let answer = store.send(Request::new("GET", "/v1/config")).expect_status(200);
    let answer: Value = serde_json::from_str(&answer.text()).unwrap();
    assert_eq!(answer["file"], named.to_str().unwrap());
    assert!(!file(&store).exists(), "the store's own is not made");
    store.make_bucket("named");
    // Beside the file that names it.
    let log = directory.join("requests.log");
    wait_for("a line of the log", || {
        fs::read_to_string(&log)
            .ok()
            .filter(|text| text.contains("CreateBucket"))
    });
}

#[test]
fn wrong_files_stop_a_start_and_change_nothing() {
    let directory = Directory::new();
    let (named, data) = (directory.join("c.toml"), directory.join("data"));
    let serve = |arguments: &[&str], environment: &[(&str, &str)]| {
        let mut command = serve_command();
        command.args(["--port", "0", "--data"]).arg(&data).args(arguments);
        command.envs(environment.iter().copied());
        run(command)
    };
    let path = named.to_str().unwrap();
    for (text, told) in [
        (
            "[net]\n\n[net.http]\nwrite_bufer_size = 1\n",
            "line 4: there is no setting \"net.http.write_bufer_size\" (did you mean net.http.write_buffer_size?)",
        ),
        (
            "[node]\nmemory_bytes = \"1MiB\"\n",
            "line 2: node.memory_bytes: \"1MiB\" is not allowed; give a size from 16MiB to ",
        ),
        ("[net\n", "line 1: "),
    ] {
        fs::write(&named, text).unwrap();
        let ended = serve(&["--config", path], &[]);
        assert_eq!(ended.code, 1, "{ended}");
        assert!(ended.stderr.starts_with(&format!("error: {path} {told}")), "{ended}");
        assert_eq!(ended.stderr.lines().count(), 1, "{ended}");
        assert!(!data.exists(), "nothing is made");
        assert_eq!(fs::read_to_string(&named).unwrap(), text);
    }
    fs::remove_file(&named).unwrap();
    let ended = serve(&["--config", path], &[]);
    assert_eq!(ended.code, 1, "{ended}");
    assert!(ended.stderr.contains("corelane config template"), "{ended}");
    for (arguments, environment, told) in [
        (&["--set", "route.mod=proxy"][..], &[][..], "did you mean route.mode?"),
        (&["--set", "net.port=99999"], &[], "from 0 to 65535"),
        (
            &[],
            &[("CORELANE_ROUTE_MODE", "prox")],
            "CORELANE_ROUTE_MODE: route.mode: \"prox\"",
        ),
        (&["--no-handoff"], &[("CORELANE_ROUTE_MODE", "handoff")], "contradict"),
        (&["--set", "net.http.server_crt=a.pem"], &[], "net.http.server_key"),
    ] {
        let ended = serve(arguments, environment);
        assert_eq!(ended.code, 2, "{ended}");
        assert!(ended.stderr.contains(told), "{ended}");
        assert!(!data.exists(), "nothing is made");
    }
}

#[test]
fn wrong_changes_are_told_what_is_right_and_change_nothing() {
    let store = Store::start();
    fs::set_permissions(file(&store), Permissions::from_mode(0o640)).unwrap();
    let before = text(&store);
    for (body, told) in [
        (
            json!({"set": {"net.htp.read_buffer_size": "1"}}),
            "did you mean net.http.read_buffer_size?",
        ),
        (
            json!({"set": {"read_buffer_size": "64KiB"}}),
            "did you mean net.http.read_buffer_size?",
        ),
        (json!({"reset": ["route.mood"]}), "did you mean route.mode?"),
        (
            json!({"set": {"net.http.read_buffer_size": "2MiB"}}),
            "a size from 8KiB to 1MiB",
        ),
        (
            json!({"set": {"route.mode": "prox"}}),
            "one of auto, handoff, redirect, proxy",
        ),
        (json!({"set": {"net.http.skip_verify": "true"}}), "cannot be set"),
        (json!({"reset": ["net.http.chunked_transfer"]}), "cannot be set"),
        (
            json!({"set": {"route.redirect_table": "/no/such/table"}}),
            "/no/such/table",
        ),
        (
            json!({"set": {"access_log.file": "/no/such/folder/log"}}),
            "/no/such/folder/log",
        ),
        (
            json!({"set": {"net.http.server_crt": "/no/c.pem", "net.http.server_key": "/no/k.pem"}}),
            "/no/c.pem",
        ),
        (
            json!({"set": {"net.http.server_crt": "/no/c.pem"}}),
            "set both or neither",
        ),
        (
            json!({"set": {"route.mode": "handoff", "route.handoff": "false"}}),
            "contradict",
        ),
        // One wrong is enough.
        (
            json!({"set": {"lifecycle.day_seconds": 60, "net.port": "x"}}),
            "net.port",
        ),
        (
            json!({"set": {"net.port": "1"}, "reset": ["net.port"]}),
            "at the same time",
        ),
    ] {
        let answer = send(&store, &body).expect_status(400).text();
        assert!(answer.contains("InvalidSetting"), "{body}: {answer}");
        assert!(answer.contains(told), "{body}: {answer}");
        assert_eq!(text(&store), before, "{body}");
    }
    send(&store, &json!({"sett": {}})).expect_status(400);
    send(&store, &json!({"set": {"net.port": [1]}})).expect_status(400);
    let unknown = store.send(Request::new("GET", "/v1/config").query("prefix", "net.htp"));
    assert!(unknown.expect_status(400).text().contains("did you mean net.http?"));
    assert_eq!(
        value_and_source(&store, "lifecycle.day_seconds"),
        pair("86400", "default")
    );

    // What somebody edits is told, though it acts after a restart only.
    fs::write(file(&store), before.replace("[route]\n", "[route]\nmode = \"proxy\"\n")).unwrap();
    let setting = shown(&store, "route.mode")["route.mode"].clone();
    assert_eq!(
        (&setting["value"], &setting["pending"]),
        (&json!("auto"), &json!("proxy"))
    );

    // A file that somebody broke meanwhile is told, and not made worse.
    fs::write(file(&store), format!("{before}\n[nett]\nport = 1\n")).unwrap();
    let broken = text(&store);
    let told = store.send(Request::new("GET", "/v1/config")).expect_status(200).text();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert!(told["file_error"].as_str().unwrap().contains("nett.port"), "{told}");
    let answer = send(&store, &json!({"set": {"route.mode": "proxy"}})).expect_status(409);
    assert!(answer.text().contains("nett.port"), "{}", answer.text());
    assert_eq!(text(&store), broken);
    fs::write(file(&store), &before).unwrap();

    let changed = set(&store, "route.mode", "proxy");
    assert_eq!((&changed["applies"], &changed["was"]), (&json!("live"), &json!("auto")));
    let added: Vec<String> = text(&store)
        .lines()
        .filter(|line| !before.lines().any(|other| other == *line))
        .map(str::to_owned)
        .collect();
    assert_eq!(added, ["mode = \"proxy\""], "comments stay");
    let mode = fs::metadata(file(&store)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640, "permissions stay");
    send(&store, &json!({"reset": ["route.mode"]})).expect_status(200);
    assert_eq!(text(&store), before);
}

#[test]
fn only_root_sees_and_changes_settings() {
    let store = Store::start();
    let body = json!({"user": "ann", "access_key": "ANNSKEY", "secret_key": "anns-secret-key"}).to_string();
    store
        .send(Request::new("POST", "/v1/keys").body(body))
        .expect_status(201);
    let before = text(&store);
    let ann = Signer::new("ANNSKEY", "anns-secret-key");
    let change = Request::new("PATCH", "/v1/config").body(json!({"set": {"route.mode": "proxy"}}).to_string());
    for request in [Request::new("GET", "/v1/config"), change] {
        let signed = ann.sign(store.addressed(request.clone()));
        store.send_as_is(&signed).expect_status(403);
        store.send_as_is(&store.addressed(request)).expect_status(403);
    }
    assert_eq!(text(&store), before);
}

#[test]
fn some_settings_act_after_a_restart() {
    let mut store = Store::start();
    let changed = set(&store, "net.website_port", "0");
    assert_eq!(changed["applies"], "restart");
    assert_eq!((&changed["value"], &changed["was"]), (&json!("0"), &json!("off")));
    let changed = set(&store, "node.memory_bytes", "256MiB");
    assert_eq!(changed["value"], "268435456");
    set(&store, "node.durability", "none");
    let setting = shown(&store, "net.website_port")["net.website_port"].clone();
    assert_eq!((&setting["value"], &setting["pending"]), (&json!("off"), &json!("0")));
    store.restart();
    assert_ne!(store.website_port(), 0);
    let setting = shown(&store, "net.website_port")["net.website_port"].clone();
    assert_eq!((&setting["value"], &setting["pending"]), (&json!("0"), &Value::Null));
    assert_eq!(setting["source"], "file");
    let metrics = store.send(Request::new("GET", "/v1/metrics")).expect_status(200).text();
    let limits = metrics
        .lines()
        .filter(|line| line.starts_with("corelane_core_") && line.contains("limit_bytes"));
    let total: f64 = limits
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum();
    assert!(
        (100e6..260e6).contains(&total),
        "seven eighths of it, at most: {total}\n{metrics}"
    );
    // Without durability nothing waits for the disk.
    store.make_bucket("fast");
    let syncs = |store: &Store| {
        let metrics = store.send(Request::new("GET", "/v1/metrics")).text();
        corelane_tests::metrics::sum(&metrics, "corelane_log_fdatasync_total", &[])
    };
    let before = syncs(&store);
    for number in 0..20 {
        store.put("fast", &format!("key-{number}"), "content");
    }
    assert!(
        syncs(&store) - before < 20,
        "uploads were answered before they were synced"
    );
}
