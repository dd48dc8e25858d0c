//! Routing: which client is redirected, which one is proxied, and where to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    raw::Connection,
    request::Request,
    store::{Store, direct, follow, location},
    tickets::parts,
    xml,
};

const BUCKET: &str = "routed";

fn store(route: &str) -> Store {
    let store = Store::start_with(&["--route", route, "--no-handoff"]);
    store.make_bucket(BUCKET);
    store
}

#[test]
fn a_redirect_names_the_core_and_carries_a_ticket() {
    let store = store("redirect");
    let request = Request::object("PUT", BUCKET, "a key/ü").body("content");
    let answer = store.send(request.clone()).expect_error(307, "TemporaryRedirect");
    let location = answer.header("location").unwrap().to_owned();
    let (port, target) = parts(&location);
    assert!(store.core_ports().contains(&port), "{location}");
    assert!(
        target.starts_with("/s3/routed/a%20key/%C3%BC?corelane-ticket="),
        "{target}"
    );
    assert_eq!(xml::text(&answer.text(), "Bucket").as_deref(), Some(BUCKET));
    assert_eq!(
        xml::text(&answer.text(), "Endpoint"),
        Some(format!("127.0.0.1:{port}/s3"))
    );
    follow(&store.signed(request), port, &target).expect_status(200);

    // What the client asked for besides stays in the query, before the ticket.
    let get = Request::object("GET", BUCKET, "a key/ü").query("response-content-type", "a/b");
    let location = self::location(&store, get);
    let (port, target) = parts(&location);
    assert!(
        target.contains("?response-content-type=a%2Fb&corelane-ticket="),
        "{target}"
    );
    let got = direct(port, "GET", &target, "").expect_status(200);
    assert_eq!(
        (got.header("content-type"), got.body.as_slice()),
        (Some("a/b"), b"content".as_slice())
    );
}

#[test]
fn a_put_is_redirected_before_its_body_and_the_connection_stays_in_step() {
    let store = store("redirect");
    let body = vec![7; 300_000];
    let waiting = store.signed(
        Request::object("PUT", BUCKET, "waits")
            .header("Expect", "100-continue")
            .body(body.clone()),
    );
    let mut connection = store.connect();
    connection.send(&waiting.head());
    let answer = connection.receive("PUT").expect_status(307);
    assert!(answer.interim.is_empty(), "the body was asked for");
    let (port, target) = parts(answer.header("location").unwrap());
    let mut redirected = waiting.clone().without_header("authorization");
    redirected.path = target;
    let mut core = Connection::open(port);
    core.send(&redirected.head());
    assert_eq!(core.receive_head().unwrap().0, 100);
    core.send(&body);
    core.receive("PUT").expect_status(200);
    let got = store
        .send_following(Request::object("GET", BUCKET, "waits"))
        .expect_status(200);
    assert!(got.body == body);
}

#[test]
fn what_is_not_object_data_is_never_redirected() {
    let store = store("redirect");
    for request in [
        Request::new("GET", "/s3"),
        Request::bucket("GET", BUCKET),
        Request::bucket("GET", BUCKET).query("list-type", "2"),
        Request::bucket("HEAD", BUCKET),
        Request::bucket("GET", BUCKET).subresource("acl"),
        Request::object("GET", BUCKET, "key").subresource("acl"),
        Request::bucket("PUT", "another"),
        Request::bucket("POST", BUCKET)
            .subresource("delete")
            .body("<Delete><Object><Key>key</Key></Object></Delete>")
            .content_md5(),
    ] {
        let what = format!("{request:?}");
        assert_ne!(store.send(request).status, 307, "{what}");
    }
}

/// What the AWS SDK for C++ (pyarrow, TensorFlow) reads out of a 307: a Content-Length there is the object's size to it.
#[test]
fn redirects_do_not_confuse_the_sdk_for_c_plus_plus() {
    let store = store("redirect");
    let object = |method| Request::object(method, BUCKET, "key").header("User-Agent", "aws-sdk-cpp/1.11.594");
    store.send_following(object("PUT").body("content")).expect_status(200);
    let head = store.send(object("HEAD")).expect_status(307);
    assert_eq!(head.header("content-length"), None);
    assert!(
        store
            .send(object("GET"))
            .expect_status(307)
            .header("content-length")
            .is_some()
    );
    // It holds the length of the 307 against the body of the 204.
    store.send(object("DELETE")).expect_status(204);
}

#[test]
fn a_proxying_store_never_redirects() {
    let store = store("proxy");
    for agent in [
        "",
        "Boto3/1.34",
        "aiobotocore/2.9",
        "rclone/v1.60",
        "Wget/1.21",
        "s3cmd",
    ] {
        let put = Request::object("PUT", BUCKET, "key")
            .header("User-Agent", agent)
            .header("Expect", "100-continue");
        store.send(put.body("content")).expect_status(200);
        let get = Request::object("GET", BUCKET, "key").header("User-Agent", agent);
        assert_eq!(store.send(get).expect_status(200).body, b"content");
    }
}

#[test]
fn auto_redirects_those_who_follow() {
    let store = store("auto");
    store.put(BUCKET, "key", "content");
    let status = |method: &str, headers: &[(&str, &str)]| {
        let mut request = Request::object(method, BUCKET, "key");
        if method == "PUT" {
            request = request.body("content");
        }
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let request = store.addressed(request);
        // A User-Agent of `-` stands for none at all.
        let silent = request.header_value("user-agent") == Some("-");
        let request = if silent {
            request.without_header("user-agent")
        } else {
            request
        };
        let signed = store.signer().sign(request);
        let mut connection = store.connect();
        connection.send(&signed.to_bytes());
        connection.receive(method).status
    };
    const EXPECT: (&str, &str) = ("Expect", "100-continue");
    let s3cmd = [("User-Agent", "-"), ("Accept-Encoding", "identity")];
    assert_eq!(status("GET", &s3cmd), 307);
    assert_eq!(status("HEAD", &s3cmd), 200, "s3cmd drops the port of a HEAD's Location");
    for agent in [
        "aws-cli/1.46 Python",
        "aws-sdk-js/3",
        "minio-go/7",
        "curl/7.88",
        "something/1.0",
        "CRTS3NativeClient",
    ] {
        for method in ["GET", "HEAD", "PUT"] {
            assert_eq!(status(method, &[("User-Agent", agent)]), 200, "{agent} {method}");
        }
        assert_eq!(
            status("PUT", &[("User-Agent", agent), EXPECT]),
            200,
            "{agent} PUT with Expect"
        );
    }
    for agent in [
        "aiobotocore/2.9",
        "aws-sdk-go/1.44",
        "aws-sdk-cpp/1.11",
        "rclone/v1.60.1",
    ] {
        assert_eq!(status("GET", &[("User-Agent", agent)]), 307, "{agent}");
        assert_eq!(
            status("PUT", &[("User-Agent", agent), EXPECT]),
            307,
            "{agent} PUT with Expect"
        );
        assert_eq!(status("PUT", &[("User-Agent", agent)]), 200, "{agent} PUT");
    }
    for agent in [
        "object_store/0.11",
        "MinIO (Linux) minio-py/7.2",
        "Wget/1.21",
        "python-requests/2.31",
        "Python-urllib/3.11",
    ] {
        assert_eq!(status("GET", &[("User-Agent", agent)]), 307, "{agent}");
        assert_eq!(
            status("PUT", &[("User-Agent", agent), EXPECT]),
            200,
            "{agent} PUT with Expect"
        );
    }
    assert_eq!(status("GET", &[("User-Agent", "-")]), 307, "no User-Agent");
    assert_eq!(status("PUT", &[("User-Agent", "-")]), 200, "no User-Agent, PUT");
}

#[test]
fn boto3_that_does_not_follow_is_redirected_once() {
    let store = store("auto");
    store.put(BUCKET, "key", "content");
    let get = |attempt: &str| {
        store.send(
            Request::object("GET", BUCKET, "key")
                .header("User-Agent", "Boto3/1.44.5 md/Botocore#1.44.5")
                .header("amz-sdk-invocation-id", "3f1c2d9e-0000-4000-8000-000000000000")
                .header("amz-sdk-request", format!("attempt={attempt}")),
        )
    };
    let first = get("1").expect_status(307);
    assert!(first.header("x-amz-bucket-region").is_some());
    get("2").expect_status(200);
    // It is remembered: the next request need not fail first.
    get("1").expect_status(200);
}

#[test]
fn wildcard_hosts_do_not_redirect_unless_told_where_to() {
    let store = Store::start_with(&["--host", "0.0.0.0", "--no-handoff"]);
    store.make_bucket(BUCKET);
    store.put(BUCKET, "key", "content");
    let wget = || Request::object("GET", BUCKET, "key").header("User-Agent", "Wget/1.21");
    store.send(wget()).expect_status(200);
    drop(store);
    let store = Store::start_with(&["--host", "0.0.0.0", "--no-handoff", "--advertise", "localhost"]);
    store.make_bucket(BUCKET);
    let location = location(&store, wget());
    assert!(location.starts_with("http://localhost:"), "{location}");
}
