//! The lines for curl in docs/openapi.json, as a person pastes them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::store::{ACCESS_KEY, SECRET_KEY, Store};
use serde_json::Value;
use std::process::Command;

#[test]
fn the_lines_of_the_document_work() {
    let store = Store::start_with(&["--route", "handoff"]);
    let document: Value = serde_json::from_str(include_str!("../../docs/openapi.json")).unwrap();
    let description = document["info"]["description"].as_str().unwrap();
    let lines: Vec<&str> = description
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .collect();
    assert!(lines.len() > 8, "{description}");
    let script = lines
        .join("\n")
        .replace("127.0.0.1:51080", &format!("127.0.0.1:{}", store.port()));
    let ended = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &format!("set +u\n{script}")])
        .env("CORELANE_ACCESS_KEY", ACCESS_KEY)
        .env("CORELANE_SECRET_KEY", SECRET_KEY)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{ended:?}");
    assert!(!said.contains("\"code\"") && !said.contains("<Error>"), "{said}");
    for word in [
        "\"was\":\"mtime\"",
        "\"name\":\"hello.txt\"",
        "5eb63bbbe01eeed093cb22bb8f5acdc3",
    ] {
        assert!(said.contains(word), "no {word} in {said}");
    }
    assert!(said.ends_with("hello world"), "{said}");
}
