//! The setting of versioning, and the configurations of buckets that are kept without being acted upon
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html>).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{digest::md5_base64, raw::Response, request::Request, store::Store, xml};

const BUCKET: &str = "versioned";

fn store() -> Store {
    let store = Store::start();
    store.make_bucket(BUCKET);
    store
}

#[track_caller]
fn put(store: &Store, subresource: &str, body: &str) -> Response {
    store.send(Request::bucket("PUT", BUCKET).subresource(subresource).body(body))
}

#[track_caller]
fn get(store: &Store, subresource: &str) -> Response {
    store.send(Request::bucket("GET", BUCKET).subresource(subresource))
}

fn versioning(content: &str) -> String {
    format!(
        "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{content}</VersioningConfiguration>"
    )
}

#[test]
fn versioning_is_set_kept_and_never_taken_back() {
    let mut store = store();
    assert_eq!(
        xml::text(&get(&store, "versioning").expect_status(200).text(), "Status"),
        None
    );
    for status in ["Enabled", "Suspended", "Enabled"] {
        let body = versioning(&format!("<Status>{status}</Status>"));
        let answer = put(&store, "versioning", &body).expect_status(200);
        assert!(answer.body.is_empty());
        let now = get(&store, "versioning").expect_status(200).text();
        assert_eq!(xml::text(&now, "Status").as_deref(), Some(status));
    }
    store.restart();
    let now = get(&store, "versioning").expect_status(200).text();
    assert_eq!(xml::text(&now, "Status").as_deref(), Some("Enabled"));
    let delete = Request::bucket("DELETE", BUCKET).subresource("versioning");
    store.send(delete).expect_error(405, "MethodNotAllowed");
}

#[test]
fn what_is_no_versioning() {
    let store = store();
    for (content, status, code) in [
        ("", 400, "IllegalVersioningConfigurationException"),
        ("<Status/>", 400, "IllegalVersioningConfigurationException"),
        ("<Status>enabled</Status>", 400, "MalformedXML"),
        ("<Status>Disabled</Status>", 400, "MalformedXML"),
        ("<Status>Enabled</Status><Other/>", 400, "MalformedXML"),
        (
            "<Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>",
            403,
            "AccessDenied",
        ),
    ] {
        put(&store, "versioning", &versioning(content)).expect_error(status, code);
    }
    put(&store, "versioning", "").expect_error(400, "MissingRequestBodyError");
    put(&store, "versioning", "no document").expect_error(400, "MalformedXML");
    let mfa = "<Status>Suspended</Status><MfaDelete>Enabled</MfaDelete>";
    let request = Request::bucket("PUT", BUCKET)
        .subresource("versioning")
        .body(versioning(mfa));
    store
        .send(request.header("x-amz-mfa", "serial 123456"))
        .expect_error(501, "NotImplemented");
    assert_eq!(xml::text(&get(&store, "versioning").text(), "Status"), None);
    let off = versioning("<Status>Enabled</Status><MfaDelete>Disabled</MfaDelete>");
    put(&store, "versioning", &off).expect_status(200);
}

/// A digest that is sent is held against the document; none is required.
#[test]
fn documents_are_verified() {
    let store = store();
    let body = versioning("<Status>Enabled</Status>");
    let with = |digest: String| {
        let request = Request::bucket("PUT", BUCKET)
            .subresource("versioning")
            .body(body.as_str());
        store.send(request.header("Content-MD5", digest))
    };
    with(md5_base64(b"other")).expect_error(400, "BadDigest");
    with("nonsense".to_owned()).expect_error(400, "InvalidDigest");
    assert_eq!(xml::text(&get(&store, "versioning").text(), "Status"), None);
    with(md5_base64(body.as_bytes())).expect_status(200);
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketRequestPayment.html>
#[test]
fn who_pays_is_kept() {
    let mut store = store();
    let body =
        |payer: &str| format!("<RequestPaymentConfiguration><Payer>{payer}</Payer></RequestPaymentConfiguration>");
    let payer = |store: &Store| xml::text(&get(store, "requestPayment").expect_status(200).text(), "Payer").unwrap();
    assert_eq!(payer(&store), "BucketOwner");
    put(&store, "requestPayment", &body("Requester")).expect_status(200);
    store.restart();
    assert_eq!(payer(&store), "Requester");
    put(&store, "requestPayment", &body("Me")).expect_error(400, "MalformedXML");
    put(&store, "requestPayment", &body("BucketOwner")).expect_status(200);
    assert_eq!(payer(&store), "BucketOwner");
}

/// What no bucket has: it is listed as such, may be switched off and deleted, and is not implemented otherwise.
#[test]
fn what_is_not_there() {
    let store = store();
    for (name, root) in [
        ("analytics", "ListBucketAnalyticsConfigurationResult"),
        ("inventory", "ListInventoryConfigurationsResult"),
        ("metrics", "ListMetricsConfigurationsResult"),
        (
            "intelligent-tiering",
            "ListBucketIntelligentTieringConfigurationsOutput",
        ),
    ] {
        let list = get(&store, name).expect_status(200).text();
        assert!(list.contains(&format!("<{root} ")), "{list}");
        assert_eq!(xml::text(&list, "IsTruncated").as_deref(), Some("false"));
        for method in ["GET", "DELETE"] {
            let one = Request::bucket(method, BUCKET).subresource(name).query("id", "1");
            store.send(one).expect_error(404, "NoSuchConfiguration");
        }
        put(&store, name, "<Any/>").expect_error(501, "NotImplemented");
    }
    put(&store, "notification", "<NotificationConfiguration/>").expect_status(200);
    put(&store, "logging", "<BucketLoggingStatus/>").expect_status(200);
    let queue = "<NotificationConfiguration><QueueConfiguration/></NotificationConfiguration>";
    put(&store, "notification", queue).expect_error(501, "NotImplemented");
    let enabled = "<BucketLoggingStatus><LoggingEnabled/></BucketLoggingStatus>";
    put(&store, "logging", enabled).expect_error(501, "NotImplemented");
    for name in [
        "accelerate",
        "acl",
        "policy",
        "encryption",
        "publicAccessBlock",
        "ownershipControls",
        "object-lock",
        "replication",
    ] {
        put(&store, name, "<Any/>").expect_error(501, "NotImplemented");
    }
    for name in [
        "policy",
        "encryption",
        "publicAccessBlock",
        "ownershipControls",
        "replication",
    ] {
        let delete = |bucket| store.send(Request::bucket("DELETE", bucket).subresource(name));
        delete(BUCKET).expect_status(204);
        delete("missing").expect_error(404, "NoSuchBucket");
    }
    store.send(Request::bucket("HEAD", BUCKET)).expect_status(200);
}
