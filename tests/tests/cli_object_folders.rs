//! `corelane object` with many objects: folders up and down, unsafe keys, copies, removal.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{command::Clients, directory::files, random::Random, request::Request, store::Store};
use std::{collections::BTreeMap, os::unix::fs::symlink, path::Path};

/// Every file below a folder with its contents.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let of = |path: &Path| path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
    files(folder)
        .into_iter()
        .map(|(path, _)| (of(&path), std::fs::read(&path).unwrap()))
        .collect()
}

fn fill(folder: &Path, count: usize) {
    let mut random = Random::new(3);
    for number in 0..count {
        let path = folder.join(format!("{}/{}/{number}", number % 7, number % 3));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let size = random.below(3000);
        std::fs::write(path, random.bytes(size)).unwrap();
    }
}

#[test]
fn a_folder_comes_back_as_it_went() {
    let store = Store::start_with(&["--durability", "none"]);
    store.make_bucket("bck");
    let clients = Clients::new(&store);
    let folder = clients.home().join("folder");
    fill(&folder, 300);
    clients
        .corelane(&["object", "put", "folder", "bck/in/it"])
        .ok()
        .says("Put 300 files, ");
    clients
        .corelane(&["object", "put", "folder", "bck", "--prefix", "pre-"])
        .ok();
    assert_eq!(store.keys("bck").len(), 600);
    assert!(store.keys("bck").contains(&"in/it/0/0/0".to_owned()));
    assert!(store.keys("bck").contains(&"pre-0/0/0".to_owned()));
    clients
        .corelane(&["object", "get", "bck/in/it/", "back", "--jobs", "8"])
        .ok()
        .says("Got 300 files, ");
    assert_eq!(contents(&clients.home().join("back")), contents(&folder));
    clients
        .corelane(&["object", "get", "bck/in", "whole", "--recursive"])
        .ok();
    assert_eq!(contents(&clients.home().join("whole/it")), contents(&folder));
}

#[test]
fn several_sources_keep_their_names() {
    let store = Store::start();
    store.make_bucket("bck");
    let clients = Clients::new(&store);
    for name in ["one/x", "two/x"] {
        std::fs::create_dir_all(clients.home().join(name).parent().unwrap()).unwrap();
        std::fs::write(clients.home().join(name), name).unwrap();
    }
    std::fs::write(clients.home().join("f"), "f").unwrap();
    clients.corelane(&["object", "put", "one", "two", "f", "bck/to/"]).ok();
    assert_eq!(store.keys("bck"), ["to/f", "to/one/x", "to/two/x"]);
    // A slip of the pen changes nothing.
    let failed = clients.corelane(&["object", "put", "f", "missing", "bck/again/"]);
    assert_eq!(failed.code, 1, "{failed}");
    assert_eq!(store.keys("bck").len(), 3);
}

#[test]
fn what_is_no_file_is_named_and_the_rest_goes_up() {
    let store = Store::start();
    store.make_bucket("bck");
    let clients = Clients::new(&store);
    let folder = clients.home().join("folder");
    std::fs::create_dir_all(folder.join("sub")).unwrap();
    std::fs::write(folder.join("file"), "x").unwrap();
    symlink(folder.join("file"), folder.join("link")).unwrap();
    symlink(&folder, folder.join("sub/loop")).unwrap();
    symlink("nowhere", folder.join("dangling")).unwrap();
    let ended = clients.corelane(&["object", "put", "folder", "bck"]);
    assert_eq!(ended.code, 1, "{ended}");
    assert!(
        ended.stderr.contains("loop") && ended.stderr.contains("dangling"),
        "{ended}"
    );
    assert_eq!(store.keys("bck"), ["file", "link"]);
}

#[test]
fn keys_that_lead_elsewhere_are_refused_by_name() {
    let store = Store::start();
    store.make_bucket("bck");
    for key in [
        "f/good",
        "f/../bad",
        "f//etc/bad",
        "f/sub/../../bad",
        "f/full/",
        "f/.",
        "f/also/good",
    ] {
        store
            .send(Request::object("PUT", "bck", key).body("x"))
            .expect_status(200);
    }
    store.send(Request::object("PUT", "bck", "f/empty/")).expect_status(200);
    let clients = Clients::new(&store);
    let ended = clients.corelane(&["object", "get", "bck/f/", "deep/target"]);
    assert_eq!(ended.code, 1, "{ended}");
    for key in [
        "bck/f/../bad",
        "bck/f//etc/bad",
        "bck/f/sub/../../bad",
        "bck/f/full/",
        "bck/f/.",
    ] {
        assert!(ended.stderr.contains(key), "{key}: {ended}");
    }
    let target = clients.home().join("deep/target");
    let got: Vec<String> = contents(&target).into_keys().collect();
    assert_eq!(got, ["also/good", "good"]);
    assert!(target.join("empty").is_dir());
    assert!(!clients.home().join("deep/bad").exists() && !clients.home().join("bad").exists());
}

#[test]
fn folders_are_copied_between_buckets_with_what_is_said_of_them() {
    let store = Store::start_with(&["--durability", "none"]);
    store.make_bucket("from");
    store.make_bucket("other");
    for number in 0..120 {
        let put = Request::object("PUT", "from", &format!("f/{number}"))
            .header("x-amz-meta-number", number.to_string())
            .body(format!("{number}"));
        store.send(put).expect_status(200);
    }
    store.put("from", "f2", "not in the folder");
    let clients = Clients::new(&store);
    clients
        .corelane(&["object", "cp", "from/f/", "other/g"])
        .ok()
        .says("Copied 120 objects");
    assert_eq!(store.keys("other").len(), 120);
    let copy = store.get("other", "g/77").expect_status(200);
    assert_eq!(
        (copy.text().as_str(), copy.header("x-amz-meta-number")),
        ("77", Some("77"))
    );
    clients
        .corelane(&["object", "cp", "from", "from/f", "--recursive"])
        .fails_with("into itself");
    let none = clients.corelane(&["object", "cp", "from/nothing/", "other"]);
    assert_eq!(none.code, 3, "{none}");
}

#[test]
fn thousands_are_removed_at_once_and_nothing_beside_them() {
    let store = Store::start_with(&["--durability", "none"]);
    store.make_bucket("bck");
    store.put("bck", "folder2", "stays");
    let clients = Clients::new(&store);
    let folder = clients.home().join("folder");
    std::fs::create_dir(&folder).unwrap();
    for number in 0..5001 {
        std::fs::write(folder.join(number.to_string()), "").unwrap();
    }
    clients
        .corelane(&["object", "put", "folder", "bck/folder/"])
        .ok()
        .says("Put 5001 files, 0B");
    clients
        .corelane(&["object", "rm", "bck/folder", "--recursive"])
        .ok()
        .says("Removed 5001 objects");
    assert_eq!(store.keys("bck"), ["folder2"]);
    let none = clients.corelane(&["object", "rm", "bck/folder", "--recursive"]);
    assert_eq!(none.code, 3, "{none}");
    store.put("bck", "a", "x");
    store.put("bck", "b", "x");
    clients
        .corelane(&["object", "rm", "bck/a", "bck/b"])
        .ok()
        .says("Removed 2 objects");
    let missing = clients.corelane(&["object", "rm", "bck/a"]);
    assert_eq!(missing.code, 3, "{missing}");
}
