//! Versions of objects: what PUT, GET, HEAD and DELETE do with them
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html>).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{command::Clients, raw::Response, request::Request, store::Store, xml};

const BUCKET: &str = "versions";

/// Every way to a core.
const ROUTES: [&[&str]; 3] = [&["--route", "auto"], &["--route", "proxy"], &["--route", "redirect"]];

fn object(method: &str, key: &str) -> Request {
    Request::object(method, BUCKET, key)
}

fn of_version(method: &str, key: &str, id: &str) -> Request {
    object(method, key).query("versionId", id)
}

fn version_id(answer: &Response) -> String {
    answer.header("x-amz-version-id").expect("x-amz-version-id").to_owned()
}

#[track_caller]
fn put(store: &Store, key: &str, body: &str) -> String {
    version_id(&store.send_following(object("PUT", key).body(body)).expect_status(200))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/AddingObjectstoVersioningEnabledBuckets.html>,
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html> ("Versioning").
#[test]
fn every_put_makes_a_version() {
    for route in ROUTES {
        let store = Store::start_with(route);
        store.make_versioned_bucket(BUCKET);
        let large = "x".repeat(700_000);
        let bodies = ["one", "two", large.as_str()];
        let ids: Vec<String> = bodies.iter().map(|body| put(&store, "key", body)).collect();
        assert!(ids.iter().all(|id| id != "null"));
        assert!(ids[0] != ids[1] && ids[1] != ids[2]);
        let newest = store.send_following(object("GET", "key")).expect_status(200);
        assert_eq!(
            (newest.text().as_str(), version_id(&newest)),
            (bodies[2], ids[2].clone())
        );
        for (id, body) in ids.iter().zip(bodies) {
            let got = store.send_following(of_version("GET", "key", id)).expect_status(200);
            assert_eq!((got.text().as_str(), version_id(&got)), (body, id.clone()));
            assert_eq!(got.header("x-amz-delete-marker"), None);
            let head = store.send_following(of_version("HEAD", "key", id)).expect_status(200);
            assert_eq!(head.header("content-length"), Some(body.len().to_string().as_str()));
            assert_eq!(version_id(&head), *id);
            let part = of_version("GET", "key", id).header("Range", "bytes=1-2");
            assert_eq!(store.send_following(part).expect_status(206).text(), body[1..3]);
        }
        let etag = newest.header("etag").unwrap();
        let conditional = |id: &str| of_version("GET", "key", id).header("If-None-Match", etag);
        let unchanged = store.send_following(conditional(&ids[2])).expect_status(304);
        assert_eq!(version_id(&unchanged), ids[2]);
        assert_eq!(
            store.send_following(conditional(&ids[0])).expect_status(200).text(),
            "one"
        );
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html>,
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html>.
#[test]
fn delete_markers_hide_and_come_off_again() {
    for route in ROUTES {
        let store = Store::start_with(route);
        store.make_versioned_bucket(BUCKET);
        let id = put(&store, "key", "content");
        let deleted = store.send_following(object("DELETE", "key")).expect_status(204);
        assert_eq!(deleted.header("x-amz-delete-marker"), Some("true"));
        let marker = version_id(&deleted);
        assert_ne!(marker, id);

        let hidden = store
            .send_following(object("GET", "key"))
            .expect_error(404, "NoSuchKey");
        assert_eq!(hidden.header("x-amz-delete-marker"), Some("true"));
        assert_eq!(version_id(&hidden), marker);
        let head = store.send_following(object("HEAD", "key")).expect_status(404);
        assert_eq!(head.header("x-amz-delete-marker"), Some("true"));
        assert!(head.body.is_empty());

        let by_id = store.send_following(of_version("GET", "key", &marker));
        let by_id = by_id.expect_error(405, "MethodNotAllowed");
        let head = store
            .send_following(of_version("HEAD", "key", &marker))
            .expect_status(405);
        for answer in [&by_id, &head] {
            assert_eq!(answer.header("x-amz-delete-marker"), Some("true"));
            assert_eq!(answer.header("allow"), Some("DELETE"));
            assert!(answer.header("last-modified").unwrap().ends_with(" GMT"));
            assert_eq!(version_id(answer), marker);
        }
        assert_eq!(xml::text(&by_id.text(), "ResourceType").unwrap(), "DeleteMarker");

        let old = store.send_following(of_version("GET", "key", &id)).expect_status(200);
        assert_eq!(old.text(), "content");
        assert!(store.keys(BUCKET).is_empty());

        // A marker on a marker, and on a key that never was.
        let second = store.send_following(object("DELETE", "key")).expect_status(204);
        assert_ne!(version_id(&second), marker);
        let alone = store.send_following(object("DELETE", "never was")).expect_status(204);
        assert_eq!(alone.header("x-amz-delete-marker"), Some("true"));

        for gone in [version_id(&second), marker] {
            let removed = store
                .send_following(of_version("DELETE", "key", &gone))
                .expect_status(204);
            assert_eq!(removed.header("x-amz-delete-marker"), Some("true"));
            assert_eq!(version_id(&removed), gone);
        }
        assert_eq!(
            store.send_following(object("GET", "key")).expect_status(200).text(),
            "content"
        );
        assert_eq!(store.keys(BUCKET), ["key"]);
        let removed = store
            .send_following(of_version("DELETE", "key", &id))
            .expect_status(204);
        assert_eq!(removed.header("x-amz-delete-marker"), None);
        assert_eq!(version_id(&removed), id);
        let gone = store
            .send_following(object("GET", "key"))
            .expect_error(404, "NoSuchKey");
        assert_eq!(gone.header("x-amz-delete-marker"), None);
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html> ("NoSuchVersion").
#[test]
fn versions_that_are_not_there() {
    let store = Store::start();
    store.make_versioned_bucket(BUCKET);
    let id = put(&store, "key", "content");
    for missing in ["null", "00000000deadbeef", "ffffffffffffffff"] {
        let answer = store
            .send(of_version("GET", "key", missing))
            .expect_error(404, "NoSuchVersion");
        assert_eq!(xml::text(&answer.text(), "Key").unwrap(), "key");
        assert_eq!(xml::text(&answer.text(), "VersionId").unwrap(), missing);
        assert_eq!(answer.header("x-amz-delete-marker"), None);
        store.send(of_version("HEAD", "key", missing)).expect_status(404);
        let deleted = store.send(of_version("DELETE", "key", missing)).expect_status(204);
        assert_eq!(deleted.header("x-amz-delete-marker"), None);
        assert_eq!(version_id(&deleted), missing);
    }
    store
        .send(of_version("GET", "nothing", &id))
        .expect_error(404, "NoSuchVersion");
    for malformed in ["x", "", "NULL", "../../etc/passwd"] {
        for method in ["GET", "DELETE"] {
            let answer = store.send(of_version(method, "key", malformed));
            let answer = answer.expect_error(400, "InvalidArgument");
            assert_eq!(xml::text(&answer.text(), "ArgumentName").unwrap(), "versionId");
        }
        store.send(of_version("HEAD", "key", malformed)).expect_status(400);
    }
    assert_eq!(store.get(BUCKET, "key").expect_status(200).text(), "content");
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/AddingObjectstoVersionSuspendedBuckets.html>,
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeletingObjectsfromVersioningSuspendedBuckets.html>.
#[test]
fn suspended_buckets_replace_the_null_version_only() {
    let store = Store::start();
    store.make_bucket(BUCKET);
    store.put(BUCKET, "key", "before");
    store.set_versioning(BUCKET, "Enabled");
    let before = store.get(BUCKET, "key").expect_status(200);
    assert_eq!(version_id(&before), "null");
    let kept = put(&store, "key", "kept");
    assert_eq!(store.send(of_version("GET", "key", "null")).text(), "before");

    store.set_versioning(BUCKET, "Suspended");
    assert_eq!(version_id(&store.get(BUCKET, "key")), kept);
    assert_eq!(put(&store, "key", "null again"), "null");
    assert_eq!(store.get(BUCKET, "key").text(), "null again");
    assert_eq!(store.send(of_version("GET", "key", "null")).text(), "null again");
    assert_eq!(store.send(of_version("GET", "key", &kept)).text(), "kept");

    let deleted = store.send(object("DELETE", "key")).expect_status(204);
    assert_eq!(deleted.header("x-amz-delete-marker"), Some("true"));
    assert_eq!(version_id(&deleted), "null");
    let hidden = store.get(BUCKET, "key").expect_error(404, "NoSuchKey");
    assert_eq!(version_id(&hidden), "null");
    store
        .send(of_version("GET", "key", "null"))
        .expect_error(405, "MethodNotAllowed");
    assert_eq!(store.send(of_version("GET", "key", &kept)).text(), "kept");

    // The null object takes the null marker's place, and the other way round.
    assert_eq!(put(&store, "key", "third"), "null");
    assert_eq!(store.get(BUCKET, "key").text(), "third");
    store.send(of_version("DELETE", "key", "null")).expect_status(204);
    assert_eq!(store.get(BUCKET, "key").expect_status(200).text(), "kept");

    store.set_versioning(BUCKET, "Enabled");
    let newest = put(&store, "key", "newest");
    assert_ne!(newest, "null");
    assert_eq!(store.get(BUCKET, "key").text(), "newest");
}

#[test]
fn buckets_without_versioning_name_no_versions() {
    let store = Store::start();
    store.make_bucket(BUCKET);
    let put = store.put(BUCKET, "key", "content");
    let got = store.get(BUCKET, "key");
    let head = store.send(object("HEAD", "key"));
    let by_null = store.send(of_version("GET", "key", "null")).expect_status(200);
    for answer in [&put, &got, &head, &by_null] {
        assert_eq!(answer.header("x-amz-version-id"), None);
    }
    store
        .send(of_version("GET", "key", "00000000deadbeef"))
        .expect_error(404, "NoSuchVersion");
    store
        .send(of_version("DELETE", "key", "00000000deadbeef"))
        .expect_status(204);
    assert_eq!(store.get(BUCKET, "key").text(), "content");
    let deleted = store.send(of_version("DELETE", "key", "null")).expect_status(204);
    assert_eq!(deleted.header("x-amz-delete-marker"), None);
    store.get(BUCKET, "key").expect_error(404, "NoSuchKey");
}

/// GetObjectAcl takes a version, too (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAcl.html>).
#[test]
fn access_lists_of_versions() {
    let store = Store::start();
    store.make_versioned_bucket(BUCKET);
    let id = put(&store, "key", "content");
    let marker = version_id(&store.send(object("DELETE", "key")));
    let acl = |id: Option<&str>| {
        let request = object("GET", "key").subresource("acl");
        store.send(match id {
            None => request,
            Some(id) => request.query("versionId", id),
        })
    };
    let listed = acl(Some(&id)).expect_status(200).text();
    assert_eq!(xml::text(&listed, "Permission").unwrap(), "FULL_CONTROL");
    acl(None).expect_error(404, "NoSuchKey");
    acl(Some(&marker)).expect_error(405, "MethodNotAllowed");
    acl(Some("null")).expect_error(404, "NoSuchVersion");
}

#[test]
fn versions_survive_a_kill() {
    let mut store = Store::start();
    store.make_versioned_bucket(BUCKET);
    let ids: Vec<String> = (0..20)
        .map(|number| put(&store, "key", &format!("body {number}")))
        .collect();
    let large = "y".repeat(400_000);
    let large_id = put(&store, "large", &large);
    put(&store, "large", "small");
    let marker = version_id(&store.send(object("DELETE", "key")));
    store.send(of_version("DELETE", "key", &ids[7])).expect_status(204);
    store.kill9();
    store.start_again();
    for (number, id) in ids.iter().enumerate() {
        let got = store.send(of_version("GET", "key", id));
        match number {
            7 => drop(got.expect_error(404, "NoSuchVersion")),
            _ => assert_eq!(got.expect_status(200).text(), format!("body {number}")),
        }
    }
    assert_eq!(
        store
            .send(of_version("GET", "large", &large_id))
            .expect_status(200)
            .text(),
        large
    );
    assert_eq!(
        version_id(&store.get(BUCKET, "key").expect_error(404, "NoSuchKey")),
        marker
    );
}

#[test]
fn boto3_with_versions() {
    let store = Store::start();
    let clients = Clients::new(&store);
    clients.python("boto3_versions.py", &[]).ok().says("all passed");
}
