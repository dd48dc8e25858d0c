//! Sub-resources: what exists answers as S3 does, everything else is refused, and nothing falls through to the object
//! or the bucket itself.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{request::Request, store::Store, xml};

const BUCKET: &str = "subject";

fn store() -> Store {
    let store = Store::start();
    store.make_bucket(BUCKET);
    store.put(BUCKET, "key", "untouched");
    store
}

#[test]
fn reads_of_what_a_bucket_does_not_have_answer_as_s3_does() {
    let store = store();
    for (name, status, code) in [
        ("policy", 404, "NoSuchBucketPolicy"),
        ("policyStatus", 404, "NoSuchBucketPolicy"),
        ("tagging", 404, "NoSuchTagSet"),
        ("lifecycle", 404, "NoSuchLifecycleConfiguration"),
        ("cors", 404, "NoSuchCORSConfiguration"),
        ("website", 404, "NoSuchWebsiteConfiguration"),
        ("encryption", 404, "ServerSideEncryptionConfigurationNotFoundError"),
        ("publicAccessBlock", 404, "NoSuchPublicAccessBlockConfiguration"),
        ("ownershipControls", 404, "OwnershipControlsNotFoundError"),
        ("replication", 404, "ReplicationConfigurationNotFoundError"),
        ("object-lock", 404, "ObjectLockConfigurationNotFoundError"),
    ] {
        let bare = Request::bucket("GET", BUCKET).subresource(name);
        store.send(bare).expect_error(status, code);
        // Some clients send `?policy=`.
        let with_equals = Request::bucket("GET", BUCKET).query(name, "");
        store.send(with_equals).expect_error(status, code);
    }
    for (name, root) in [
        ("acl", "AccessControlPolicy"),
        ("versioning", "VersioningConfiguration"),
        ("requestPayment", "RequestPaymentConfiguration"),
        ("logging", "BucketLoggingStatus"),
        ("notification", "NotificationConfiguration"),
        ("accelerate", "AccelerateConfiguration"),
        ("location", "LocationConstraint"),
    ] {
        let answer = store
            .send(Request::bucket("GET", BUCKET).subresource(name))
            .expect_status(200);
        assert_eq!(answer.header("content-type"), Some("application/xml"));
        assert!(answer.text().contains(&format!("<{root}")), "{name}: {}", answer.text());
        let missing = store.send(Request::bucket("GET", "missing").subresource(name));
        missing.expect_error(404, "NoSuchBucket");
    }
    let acl = store.send(Request::bucket("GET", BUCKET).subresource("acl")).text();
    assert_eq!(xml::text(&acl, "Permission").unwrap(), "FULL_CONTROL");
    assert_eq!(xml::text(&acl, "ID").unwrap().len(), 64);
    let versioning = store
        .send(Request::bucket("GET", BUCKET).subresource("versioning"))
        .text();
    assert_eq!(xml::text(&versioning, "Status"), None);
}

#[test]
fn reads_of_what_an_object_does_not_have_answer_as_s3_does() {
    let store = store();
    let read = |key: &str, name: &str| store.send(Request::object("GET", BUCKET, key).subresource(name));
    let tagging = read("key", "tagging").expect_status(200).text();
    assert!(
        tagging.contains("<Tagging") && xml::inner(&tagging, "Tag").is_empty(),
        "{tagging}"
    );
    let acl = read("key", "acl").expect_status(200).text();
    assert_eq!(xml::text(&acl, "Permission").unwrap(), "FULL_CONTROL");
    for name in ["acl", "tagging"] {
        read("missing", name).expect_error(404, "NoSuchKey");
    }
    read("key", "attributes").expect_error(400, "InvalidRequest");
    for name in ["torrent", "retention", "legal-hold"] {
        read("key", name).expect_error(501, "NotImplemented");
    }
}

/// Writes that a store without an operation enum turns into something else entirely.
#[test]
fn no_subresource_falls_through_to_the_object_or_the_bucket() {
    let store = store();
    let tagging = |method: &str| Request::object(method, BUCKET, "key").subresource("tagging");
    store
        .send(tagging("PUT").body("<Xml/>"))
        .expect_error(400, "MalformedXML");
    store
        .send(tagging("POST").body("<Xml/>"))
        .expect_error(501, "NotImplemented");
    store.send(tagging("DELETE")).expect_status(204);
    assert_eq!(store.get(BUCKET, "key").expect_status(200).body, b"untouched");
    let object_resources = [
        "acl",
        "retention",
        "legal-hold",
        "torrent",
        "restore",
        "select",
        "attributes",
    ];
    for name in object_resources {
        for method in ["PUT", "POST", "DELETE"] {
            let request = Request::object(method, BUCKET, "key").subresource(name).body("<Xml/>");
            let answer = store.send(request);
            assert!(
                [405, 501].contains(&answer.status),
                "{method} ?{name}: {} {}",
                answer.status,
                answer.text()
            );
            let current = store.get(BUCKET, "key").expect_status(200);
            assert_eq!(current.body, b"untouched", "{method} ?{name}");
        }
    }
    let bucket_resources = [
        "acl",
        "cors",
        "policy",
        "lifecycle",
        "tagging",
        "website",
        "encryption",
        "versioning",
        "replication",
        "logging",
        "notification",
        "requestPayment",
        "publicAccessBlock",
        "ownershipControls",
        "object-lock",
        "inventory",
        "analytics",
        "metrics",
        "intelligent-tiering",
        "accelerate",
        "uploads",
        "versions",
        "policyStatus",
    ];
    for name in bucket_resources {
        for method in ["PUT", "DELETE", "POST"] {
            let request = Request::bucket(method, BUCKET).subresource(name).body("<Xml/>");
            let answer = store.send(request);
            // To delete what is not there is no error; nothing else succeeds.
            let expected: &[u16] = match method {
                "DELETE" => &[204, 404, 405, 501],
                _ => &[400, 405, 501],
            };
            assert!(
                expected.contains(&answer.status),
                "{method} ?{name}: {} {}",
                answer.status,
                answer.text()
            );
        }
        let fresh = Request::bucket("PUT", "made-by-accident").subresource(name);
        store.send(fresh);
    }
    store
        .send(Request::bucket("HEAD", "made-by-accident"))
        .expect_status(404);
    store.send(Request::bucket("HEAD", BUCKET)).expect_status(200);
    assert_eq!(store.keys(BUCKET), ["key"]);
}

#[test]
fn uploads_that_are_not_there_change_nothing() {
    let store = store();
    let of_upload = |method: &str| Request::object(method, BUCKET, "key").query("uploadId", "x");
    let part = of_upload("PUT").query("partNumber", "1").body("part");
    let complete =
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>e</ETag></Part></CompleteMultipartUpload>";
    for request in [
        of_upload("GET"),
        of_upload("DELETE"),
        of_upload("POST").body(complete),
        part,
    ] {
        store.send(request).expect_error(404, "NoSuchUpload");
    }
    let options = store.send_as_is(&store.addressed(Request::object("OPTIONS", BUCKET, "key")));
    assert!(options.status >= 400);
    assert_eq!(store.get(BUCKET, "key").body, b"untouched");
    assert_eq!(store.keys(BUCKET), ["key"]);
}

#[test]
fn parameters_of_sdks_are_no_subresources() {
    let store = store();
    let get = Request::object("GET", BUCKET, "key").query("x-id", "GetObject");
    assert_eq!(store.send(get).expect_status(200).body, b"untouched");
    let put = Request::object("PUT", BUCKET, "other")
        .query("x-id", "PutObject")
        .body("x");
    store.send(put).expect_status(200);
    let list = Request::bucket("GET", BUCKET).query("x-id", "ListObjects");
    assert_eq!(xml::texts(&store.send(list).text(), "Key"), ["key", "other"]);
}
