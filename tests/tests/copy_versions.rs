//! Copies and multipart uploads in buckets that keep versions.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html>
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{multipart::Upload, raw::Response, request::Request, store::Store, xml};

fn versioned(store: &Store, bucket: &str, status: &str) {
    let body = format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
    let request = Request::bucket("PUT", bucket).subresource("versioning").body(body);
    store.send(request).expect_status(200);
}

fn put(store: &Store, key: &str, body: &str) -> String {
    let answer = store.put("versions", key, body.as_bytes().to_vec()).expect_status(200);
    answer.header("x-amz-version-id").unwrap().to_owned()
}

fn copy(store: &Store, source: &str, key: &str) -> Response {
    store.send(Request::object("PUT", "versions", key).header("x-amz-copy-source", source))
}

fn body(store: &Store, key: &str, version: Option<&str>) -> Vec<u8> {
    let mut request = Request::object("GET", "versions", key);
    if let Some(version) = version {
        request = request.query("versionId", version);
    }
    store.send(request).expect_status(200).body
}

#[test]
fn any_version_is_copied() {
    let store = Store::start();
    store.make_bucket("versions");
    versioned(&store, "versions", "Enabled");
    let first = put(&store, "key", "first");
    let second = put(&store, "key", "second");
    for (source, content, version) in [
        ("versions/key".to_owned(), "second", &second),
        (format!("versions/key?versionId={first}"), "first", &first),
        (format!("/versions/key?versionId={second}"), "second", &second),
    ] {
        let answer = copy(&store, &source, "copy").expect_status(200);
        assert_eq!(answer.header("x-amz-copy-source-version-id"), Some(version.as_str()));
        let made = answer.header("x-amz-version-id").unwrap().to_owned();
        assert_eq!(body(&store, "copy", None), content.as_bytes());
        assert_eq!(body(&store, "copy", Some(&made)), content.as_bytes());
    }
    // An older version onto its own key is the newest then: nothing else brings it back.
    copy(&store, "versions/key", "key").expect_error(400, "InvalidRequest");
    copy(&store, &format!("versions/key?versionId={first}"), "key").expect_status(200);
    assert_eq!(body(&store, "key", None), b"first");
    assert_eq!(body(&store, "key", Some(&second)), b"second");

    let upload = Upload::begin(&store, "versions", "parts");
    let part = upload
        .part_request(1)
        .header("x-amz-copy-source", format!("versions/key?versionId={second}"));
    let answer = store.send(part).expect_status(200);
    assert_eq!(answer.header("x-amz-copy-source-version-id"), Some(second.as_str()));
    let etag = xml::text(&answer.text(), "ETag").unwrap();
    let done = upload.complete(&[(1, etag, String::new())]).expect_status(200);
    let made = done.header("x-amz-version-id").unwrap().to_owned();
    assert_eq!(body(&store, "parts", Some(&made)), b"second");
}

#[test]
fn a_delete_marker_is_no_source() {
    let store = Store::start();
    store.make_bucket("versions");
    versioned(&store, "versions", "Enabled");
    let first = put(&store, "key", "first");
    let deleted = store
        .send(Request::object("DELETE", "versions", "key"))
        .expect_status(204);
    let marker = deleted.header("x-amz-version-id").unwrap().to_owned();
    copy(&store, "versions/key", "copy").expect_error(404, "NoSuchKey");
    let text = copy(&store, &format!("versions/key?versionId={marker}"), "copy")
        .expect_error(400, "InvalidRequest")
        .text();
    assert_eq!(
        xml::text(&text, "Message").as_deref(),
        Some("The source of a copy request may not specifically refer to a delete marker by version id.")
    );
    copy(&store, &format!("versions/key?versionId={first}"), "copy").expect_status(200);
    assert_eq!(body(&store, "copy", None), b"first");
}

/// What is made of parts is a version like any other, also once it is the null version.
#[test]
fn objects_of_parts_are_versions() {
    let store = Store::start();
    store.make_bucket("versions");
    let make = |content: &str| {
        let upload = Upload::begin(&store, "versions", "key");
        let part = upload.part(1, content.as_bytes());
        let done = upload.complete(&[part]).expect_status(200);
        done.header("x-amz-version-id").map(str::to_owned)
    };
    assert_eq!(make("before"), None);
    versioned(&store, "versions", "Enabled");
    let (second, third) = (make("second").unwrap(), make("third").unwrap());
    versioned(&store, "versions", "Suspended");
    assert_eq!(body(&store, "key", Some("null")), b"before");
    assert_eq!(make("null").as_deref(), Some("null"));
    assert_eq!(body(&store, "key", None), b"null");
    assert_eq!(body(&store, "key", Some("null")), b"null");
    assert_eq!(body(&store, "key", Some(&second)), b"second");
    assert_eq!(body(&store, "key", Some(&third)), b"third");
    let delete = |version: &str| {
        let request = Request::object("DELETE", "versions", "key").query("versionId", version);
        store.send(request).expect_status(204);
    };
    delete("null");
    assert_eq!(body(&store, "key", None), b"third");
    delete(&third);
    assert_eq!(body(&store, "key", None), b"second");
    delete(&second);
    store.get("versions", "key").expect_error(404, "NoSuchKey");
    store.send(Request::bucket("DELETE", "versions")).expect_status(204);
}

/// Tags are copied, or replaced (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html>).
#[test]
fn tags_of_copies() {
    let store = Store::start();
    store.make_bucket("versions");
    let put = Request::object("PUT", "versions", "source").header("x-amz-tagging", "a=1&b=2");
    store.send(put.body("x")).expect_status(200);
    let tags = |key: &str| {
        let request = Request::object("GET", "versions", key).subresource("tagging");
        let text = store.send(request).expect_status(200).text();
        let keys = xml::texts(&text, "Key").into_iter();
        keys.zip(xml::texts(&text, "Value")).collect::<Vec<_>>()
    };
    let pairs = |of: &[(&str, &str)]| {
        of.iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect::<Vec<_>>()
    };
    let copied = Request::object("PUT", "versions", "copied").header("x-amz-copy-source", "versions/source");
    store.send(copied.header("x-amz-tagging", "c=3")).expect_status(200);
    assert_eq!(tags("copied"), pairs(&[("a", "1"), ("b", "2")]));
    let replaced = Request::object("PUT", "versions", "replaced")
        .header("x-amz-copy-source", "versions/source")
        .header("x-amz-tagging-directive", "REPLACE")
        .header("x-amz-tagging", "c=3");
    store.send(replaced).expect_status(200);
    assert_eq!(tags("replaced"), pairs(&[("c", "3")]));
    let upload = Upload::begin_with(&store, "versions", "parts", &[("x-amz-tagging", "d=4")]);
    let part = upload.part(1, b"x");
    upload.complete(&[part]).expect_status(200);
    assert_eq!(tags("parts"), pairs(&[("d", "4")]));
    let bad = Request::object("POST", "versions", "bad").subresource("uploads");
    store.send(bad.header("x-amz-tagging", "a=1&a=2")).expect_status(400);
}
