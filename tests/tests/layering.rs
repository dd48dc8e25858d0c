//! The layering of the crates: who may depend on whom, and where the runtimes are named.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::directory::{files, workspace};
use serde_json::Value;
use std::{collections::BTreeMap, path::Path, process::Command};

/// Each crate with the crates of this workspace it may use.
const ALLOWED: &[(&str, &[&str])] = &[
    ("corelane-proto", &[]),
    ("corelane-mountpath", &["corelane-proto"]),
    ("corelane-node", &["corelane-mountpath", "corelane-proto"]),
    ("corelane-gateway", &["corelane-proto"]),
    ("corelane", &["corelane-proto"]),
    ("corelane-tests", &["corelane-proto"]),
    // To fill a mountpath with millions of objects in no time.
    ("corelane-bench", &["corelane-mountpath", "corelane-proto"]),
];

/// Crates that do I/O or run tasks: what two processes agree on must not know them.
const RUNTIMES: &[&str] = &[
    "glommio",
    "monoio",
    "monoio-compat",
    "tokio",
    "hyper",
    "reqwest",
    "rustix",
    "redb",
];

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(workspace())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// The crates a package uses outside its tests.
fn dependencies(package: &Value) -> Vec<String> {
    let all = package["dependencies"].as_array().unwrap();
    all.iter()
        .filter(|dependency| dependency["kind"].as_str() != Some("dev"))
        .map(|dependency| dependency["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn crates_use_each_other_in_one_direction() {
    let packages = packages();
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let names: Vec<&str> = packages
        .iter()
        .map(|package| package["name"].as_str().unwrap())
        .collect();
    for package in &packages {
        let name = package["name"].as_str().unwrap();
        let may_use = allowed
            .get(name)
            .unwrap_or_else(|| panic!("{name} is new: say here what it may use"));
        for used in dependencies(package)
            .iter()
            .filter(|used| names.contains(&used.as_str()))
        {
            assert!(may_use.contains(&used.as_str()), "{name} must not use {used}");
        }
    }
    let proto = packages
        .iter()
        .find(|package| package["name"] == "corelane-proto")
        .unwrap();
    for used in dependencies(proto) {
        assert!(
            !RUNTIMES.contains(&used.as_str()),
            "proto does no I/O and must not use {used}"
        );
    }
}

/// The files of a crate that name something in code.
fn files_that_name(crate_directory: &str, word: &str) -> Vec<String> {
    let source = workspace().join(crate_directory).join("src");
    let mut found: Vec<String> = files(&source)
        .into_iter()
        .filter(|(path, _)| path.extension().is_some_and(|extension| extension == "rs"))
        .filter(|(path, _)| names(path, word))
        .map(|(path, _)| path.strip_prefix(&source).unwrap().to_string_lossy().into_owned())
        .collect();
    found.sort();
    found
}

/// Whether code (comments aside) uses a path that begins with `word::`.
fn names(path: &Path, word: &str) -> bool {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .any(|code| code.contains(&format!("{word}::")) || code.contains(&format!("use {word} ")))
}

#[test]
fn each_runtime_is_named_in_one_file_a_crate() {
    assert_eq!(files_that_name("node", "glommio"), ["rt.rs"]);
    assert_eq!(files_that_name("mountpath", "glommio"), ["io/mod.rs"]);
    // monoio-compat is the bridge to hyper, and has its file.
    let bridge = files_that_name("gateway", "monoio_compat");
    assert!(bridge.len() <= 1, "{bridge:?}");
    let others = files_that_name("gateway", "monoio")
        .into_iter()
        .filter(|file| !bridge.contains(file));
    assert_eq!(others.collect::<Vec<_>>(), ["rt.rs"]);
    for (crate_directory, runtimes) in [
        ("proto", &["glommio", "monoio", "tokio"] as &[&str]),
        ("node", &["monoio", "tokio"]),
        ("mountpath", &["monoio", "tokio"]),
        ("gateway", &["glommio", "tokio"]),
        ("cli", &["glommio", "monoio", "tokio"]),
    ] {
        for runtime in runtimes {
            assert_eq!(
                files_that_name(crate_directory, runtime),
                [""; 0],
                "{crate_directory} names {runtime}"
            );
        }
    }
}
