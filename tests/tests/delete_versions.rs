//! DeleteObjects with versions and conditions
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    digest::{md5_base64, md5_hex},
    raw::Response,
    request::Request,
    store::Store,
    xml,
};

const BUCKET: &str = "deleted";

/// `<Object>` with these elements.
fn object(elements: &[(&str, &str)]) -> String {
    let elements: String = elements
        .iter()
        .map(|(name, value)| format!("<{name}>{}</{name}>", xml::escape(value)))
        .collect();
    format!("<Object>{elements}</Object>")
}

fn delete(store: &Store, objects: &[String], quiet: bool) -> Response {
    let body = format!("<Delete><Quiet>{quiet}</Quiet>{}</Delete>", objects.concat());
    let request = Request::bucket("POST", BUCKET)
        .subresource("delete")
        .header("Content-MD5", md5_base64(body.as_bytes()));
    store.send(request.body(body))
}

/// The values of an element in all `<Deleted>` or `<Error>`, in order; empty where there is none.
fn column(answer: &str, of: &str, element: &str) -> Vec<String> {
    let rows = xml::inner(answer, of);
    rows.iter()
        .map(|row| xml::text(row, element).unwrap_or_default())
        .collect()
}

fn put(store: &Store, key: &str, body: &str) -> String {
    let answer = store.put(BUCKET, key, body);
    answer.header("x-amz-version-id").unwrap_or_default().to_owned()
}

#[test]
fn markers_are_made_and_versions_removed() {
    let store = Store::start();
    store.make_versioned_bucket(BUCKET);
    let first = put(&store, "key", "one");
    let second = put(&store, "key", "two");
    let answer = delete(
        &store,
        &[object(&[("Key", "key")]), object(&[("Key", "never was")])],
        false,
    );
    let answer = answer.expect_status(200).text();
    assert_eq!(column(&answer, "Deleted", "Key"), ["key", "never was"]);
    assert_eq!(column(&answer, "Deleted", "DeleteMarker"), ["true", "true"]);
    assert_eq!(column(&answer, "Deleted", "VersionId"), ["", ""]);
    let markers = column(&answer, "Deleted", "DeleteMarkerVersionId");
    assert_eq!(xml::inner(&answer, "Error"), [""; 0]);
    let hidden = store.get(BUCKET, "key").expect_error(404, "NoSuchKey");
    assert_eq!(hidden.header("x-amz-version-id"), Some(markers[0].as_str()));

    // A marker, a version, one that is not there, and one that never was an id: each has its own outcome.
    let wanted = [
        object(&[("Key", "key"), ("VersionId", &markers[0])]),
        object(&[("Key", "key"), ("VersionId", &first)]),
        object(&[("VersionId", "00000000deadbeef"), ("Key", "key")]),
        object(&[("Key", "key"), ("VersionId", "null")]),
        object(&[("Key", "key"), ("VersionId", "no id")]),
    ];
    let answer = delete(&store, &wanted, false).expect_status(200).text();
    let removed = [markers[0].as_str(), first.as_str(), "00000000deadbeef", "null"];
    assert_eq!(column(&answer, "Deleted", "VersionId"), removed);
    assert_eq!(column(&answer, "Deleted", "DeleteMarker"), ["true", "", "", ""]);
    assert_eq!(
        column(&answer, "Deleted", "DeleteMarkerVersionId"),
        [markers[0].as_str(), "", "", ""]
    );
    assert_eq!(column(&answer, "Error", "Code"), ["NoSuchVersion"]);
    assert_eq!(column(&answer, "Error", "VersionId"), ["no id"]);
    assert_eq!(
        column(&answer, "Error", "Message"),
        ["The specified version does not exist."]
    );
    let left = store.get(BUCKET, "key").expect_status(200);
    assert_eq!(left.header("x-amz-version-id"), Some(second.as_str()));

    let quiet = delete(&store, &[object(&[("Key", "key"), ("VersionId", &second)])], true);
    let quiet = quiet.expect_status(200).text();
    assert!(!quiet.contains("<Deleted>"), "{quiet}");
    store.get(BUCKET, "key").expect_error(404, "NoSuchKey");
}

#[test]
fn a_bucket_is_emptied_version_by_version() {
    let store = Store::start();
    store.make_versioned_bucket(BUCKET);
    for number in 0..60 {
        for round in 0..3 {
            put(&store, &format!("key-{number}"), &format!("{round}"));
        }
        store
            .send(Request::object("DELETE", BUCKET, &format!("key-{number}")))
            .expect_status(204);
    }
    store
        .send(Request::bucket("DELETE", BUCKET))
        .expect_error(409, "BucketNotEmpty");
    let list = Request::bucket("GET", BUCKET).subresource("versions");
    let text = store.send(list.clone()).expect_status(200).text();
    let (keys, ids) = (xml::texts(&text, "Key"), xml::texts(&text, "VersionId"));
    assert_eq!(keys.len(), 240);
    let objects: Vec<String> = keys
        .iter()
        .zip(&ids)
        .map(|(key, id)| object(&[("Key", key), ("VersionId", id)]))
        .collect();
    let answer = delete(&store, &objects, false).expect_status(200).text();
    assert_eq!(column(&answer, "Deleted", "VersionId"), ids);
    assert!(!answer.contains("<Error>"), "{answer}");
    assert_eq!(xml::texts(&store.send(list).text(), "Key"), [""; 0]);
    store.send(Request::bucket("DELETE", BUCKET)).expect_status(204);
}

/// `ETag` of an `<Object>` (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html>).
#[test]
fn each_key_has_its_own_condition() {
    for versioned in [false, true] {
        let store = Store::start();
        store.make_bucket(BUCKET);
        if versioned {
            store.set_versioning(BUCKET, "Enabled");
        }
        for key in ["match", "other", "any", "plain"] {
            put(&store, key, key);
        }
        let wanted = [
            object(&[("Key", "match"), ("ETag", &format!("\"{}\"", md5_hex(b"match")))]),
            object(&[("Key", "other"), ("ETag", &md5_hex(b"match"))]),
            object(&[("Key", "any"), ("ETag", "*")]),
            object(&[("Key", "missing"), ("ETag", "*")]),
            object(&[("Key", "plain")]),
        ];
        let answer = delete(&store, &wanted, false).expect_status(200).text();
        assert_eq!(column(&answer, "Deleted", "Key"), ["match", "any", "plain"]);
        assert_eq!(column(&answer, "Error", "Key"), ["other", "missing"]);
        assert_eq!(column(&answer, "Error", "Code"), ["PreconditionFailed", "NoSuchKey"]);
        assert_eq!(store.keys(BUCKET), ["other"]);
        for element in ["LastModifiedTime", "Size"] {
            let wanted = [object(&[("Key", "other"), (element, "1")])];
            delete(&store, &wanted, false).expect_error(501, "NotImplemented");
        }
    }
}

#[test]
fn suspended_buckets_get_null_markers() {
    let store = Store::start();
    store.make_versioned_bucket(BUCKET);
    let kept = put(&store, "key", "kept");
    store.set_versioning(BUCKET, "Suspended");
    put(&store, "key", "null");
    // The same key twice is no error.
    let twice = [object(&[("Key", "key")]), object(&[("Key", "key")])];
    let answer = delete(&store, &twice, false).expect_status(200).text();
    assert_eq!(column(&answer, "Deleted", "DeleteMarkerVersionId"), ["null", "null"]);
    let list = Request::bucket("GET", BUCKET).subresource("versions");
    let text = store.send(list).expect_status(200).text();
    assert_eq!(xml::texts(&text, "VersionId"), ["null", kept.as_str()]);
    assert_eq!(xml::texts(&text, "IsLatest"), ["true", "false"]);
}
