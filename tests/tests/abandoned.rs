//! Clients that vanish: nothing of theirs becomes visible, and no file, connection or memory is left behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    directory::files,
    form::Form,
    process::{open_files, wait_for},
    random,
    request::Request,
    store::Store,
};
use std::path::PathBuf;

const BUCKET: &str = "input";

fn store() -> Store {
    let store = Store::start();
    store.make_bucket(BUCKET);
    store
}

/// Files of a store that grow with what is stored, with their sizes.
fn blobs(store: &Store) -> Vec<(PathBuf, u64)> {
    files(&store.data())
        .into_iter()
        .filter(|(path, _)| path.to_string_lossy().contains("blob"))
        .collect()
}

#[test]
fn a_body_cut_short_is_never_visible_and_leaves_no_file() {
    let store = store();
    let body = random::bytes(31, 3_000_000);
    store.put(BUCKET, "whole", body.clone());
    let before = blobs(&store);
    assert!(
        before.iter().any(|(_, size)| *size >= 3_000_000),
        "a large object is no file of its own any more"
    );
    for (index, sent) in [0, 1, 4096, 131_072, 999_999, 2_999_999].into_iter().enumerate() {
        for how in ["finish", "reset"] {
            let key = format!("cut-{index}-{how}");
            let request = store.signed(Request::object("PUT", BUCKET, &key).body(body.clone()));
            let mut connection = store.connect();
            connection.send(&request.head());
            connection.send(&body[..sent]);
            if how == "reset" {
                connection.reset();
            } else {
                connection.finish_sending();
                if let Ok(answer) = connection.try_receive("PUT") {
                    assert_eq!(answer.status, 400, "{}", answer.text());
                    assert_eq!(answer.code(), "IncompleteBody");
                }
            }
            store.get(BUCKET, &key).expect_error(404, "NoSuchKey");
        }
    }
    // An overwrite that fails leaves the old object.
    store.put(BUCKET, "old", "old content");
    let request = store.signed(Request::object("PUT", BUCKET, "old").body(body.clone()));
    let mut connection = store.connect();
    connection.send(&request.head());
    connection.send(&body[..1_000_000]);
    connection.reset();
    assert_eq!(store.get(BUCKET, "old").expect_status(200).body, b"old content");
    assert_eq!(store.keys(BUCKET), ["old", "whole"]);
    wait_for("the files of abandoned uploads to go", || {
        (blobs(&store) == before).then_some(())
    });
    let node = store.child_pid("corelane-node");
    wait_for("the node to let go of them", || {
        open_files(node)
            .iter()
            .all(|file| !file.ends_with("(deleted)") || !file.contains("blob"))
            .then_some(())
    });
}

/// Nor does a form, whose file has no length that could be found wanting: neither one that ends early nor one that its
/// policy turns out not to allow.
#[test]
fn a_form_cut_short_leaves_no_file() {
    let store = store();
    let content = random::bytes(33, 3_000_000);
    let before = blobs(&store);
    let form = Form::new("cut", content).sign(&store.signer(), BUCKET, "");
    let request = store.addressed(form.request(BUCKET));
    for sent in [10_000, 300_000, 2_900_000, request.body.len() - 10] {
        for how in ["finish", "reset"] {
            let mut connection = store.connect();
            connection.send(&request.head());
            connection.send(&request.body[..sent]);
            if how == "reset" {
                connection.reset();
            } else {
                connection.finish_sending();
                connection.receive("POST").expect_error(400, "IncompleteBody");
            }
        }
    }
    let too_small = "[\"content-length-range\", 4000000, 5000000]";
    let form = Form::new("cut", random::bytes(34, 3_000_000)).sign(&store.signer(), BUCKET, too_small);
    store
        .send_as_is(&store.addressed(form.request(BUCKET)))
        .expect_error(400, "EntityTooSmall");
    store.get(BUCKET, "cut").expect_error(404, "NoSuchKey");
    wait_for("the files of abandoned forms to go", || {
        (blobs(&store) == before).then_some(())
    });
}

#[test]
fn readers_that_vanish_leave_nothing_open() {
    let store = Store::start_with(&["--route", "proxy"]);
    store.make_bucket(BUCKET);
    store.put(BUCKET, "large", random::bytes(32, 20 << 20));
    let sockets = |name: &str| {
        open_files(store.child_pid(name))
            .iter()
            .filter(|file| file.starts_with("socket:"))
            .count()
    };
    store.get(BUCKET, "large").expect_status(200);
    for _ in 0..50 {
        let mut connection = store.connect();
        connection.send(&store.signed(Request::object("GET", BUCKET, "large")).to_bytes());
        connection.take(1000).unwrap();
        connection.reset();
    }
    for name in ["corelane-gateway", "corelane-node"] {
        // A pool may keep some connections between the two; fifty would be all that were abandoned.
        wait_for("abandoned connections to be closed", || {
            (sockets(name) < 40).then_some(())
        });
    }
    assert_eq!(store.get(BUCKET, "large").expect_status(200).body.len(), 20 << 20);
}
