//! Virtual-host addressing: the bucket in the Host header, the key as the whole path.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    command::Clients,
    raw::{Connection, Response},
    request::Request,
    sign::Signer,
    store::{Store, follow},
    tickets::parts,
    xml,
};

const BUCKET: &str = "hosted";

/// A request to a bucket's own host, signed.
fn at(store: &Store, bucket: &str, request: Request) -> Request {
    at_host(store, &format!("{bucket}.localhost:{}", store.port()), request)
}

fn at_host(store: &Store, host: &str, request: Request) -> Request {
    let request = request.header("Host", host).header("User-Agent", "corelane-tests");
    store.signer().sign(request)
}

#[track_caller]
fn send(store: &Store, method: &str, path: &str) -> Response {
    store.send_as_is(&at(store, BUCKET, Request::new(method, path)))
}

fn store(route: &str) -> Store {
    let store = Store::start_with(&["--route", route]);
    send(&store, "PUT", "/").expect_status(200);
    store
}

#[test]
fn every_kind_of_operation_works_at_a_bucket_host() {
    let store = store("proxy");
    let names = xml::texts(&store.send(Request::new("GET", "/s3")).text(), "Name");
    assert_eq!(names, [BUCKET]);
    send(&store, "HEAD", "/").expect_status(200);

    // What looks like the store's own paths is a key here.
    for key in [
        "plain",
        "s3",
        "s3/hosted/key",
        "v1/health",
        "_corelane/register",
        "a//b",
        "/",
        "ü é",
    ] {
        let path = format!("/{}", corelane_tests::request::encode_path(key));
        let put = Request::new("PUT", path.as_str()).body(key);
        store.send_as_is(&at(&store, BUCKET, put)).expect_status(200);
        let got = send(&store, "GET", &path).expect_status(200);
        assert_eq!(got.text(), key);
        assert_eq!(store.get(BUCKET, key).expect_status(200).text(), key, "by path");
        send(&store, "HEAD", &path).expect_status(200);
    }
    let page = store.send_as_is(&at(
        &store,
        BUCKET,
        Request::new("GET", "/").query("list-type", "2").query("prefix", "s3"),
    ));
    assert_eq!(
        xml::texts(&page.expect_status(200).text(), "Key"),
        ["s3", "s3/hosted/key"]
    );
    let location = store.send_as_is(&at(&store, BUCKET, Request::new("GET", "/").subresource("location")));
    location.expect_status(200);
    let acl = store.send_as_is(&at(&store, BUCKET, Request::new("GET", "/plain").subresource("acl")));
    assert!(acl.expect_status(200).text().contains("AccessControlPolicy"));
    let missing = send(&store, "GET", "/missing").expect_error(404, "NoSuchKey");
    assert_eq!(xml::text(&missing.text(), "Key").as_deref(), Some("missing"));

    send(&store, "DELETE", "/").expect_error(409, "BucketNotEmpty");
    let keys = store.keys(BUCKET);
    let listed: String = keys
        .iter()
        .map(|key| format!("<Object><Key>{key}</Key></Object>"))
        .collect();
    let delete = Request::new("POST", "/")
        .subresource("delete")
        .body(format!("<Delete>{listed}</Delete>"))
        .content_md5();
    store.send_as_is(&at(&store, BUCKET, delete)).expect_status(200);
    send(&store, "DELETE", "/").expect_status(204);
    send(&store, "HEAD", "/").expect_status(404);
}

#[test]
fn which_hosts_are_buckets() {
    let store = Store::start_with(&["--domain", "Store.Example", "--domain", "localhost"]);
    store.make_bucket(BUCKET);
    store.put(BUCKET, "key", "content");
    let get = |host: &str| store.send_as_is(&at_host(&store, host, Request::new("GET", "/key")));
    for host in [
        "hosted.localhost",
        "HOSTED.LocalHost:80",
        "hosted.localhost.",
        "hosted.store.example:51080",
    ] {
        assert_eq!(get(host).expect_status(200).text(), "content", "{host}");
    }
    for host in [
        "localhost",
        "store.example",
        "127.0.0.1",
        "[::1]:51080",
        "hosted.elsewhere",
        "hostedlocalhost",
    ] {
        // Path style: `key` is a bucket.
        get(host).expect_error(404, "NoSuchBucket");
    }
    for host in ["s3.localhost", "under_score.localhost", ".localhost"] {
        get(host).expect_error(400, "InvalidBucketName");
    }
    get("other.localhost").expect_error(404, "NoSuchBucket");
    // The admin API is not at a bucket's host; at any other name it is.
    let health = |host: &str| store.send_as_is(&Request::new("GET", "/v1/health").header("Host", host));
    health("hosted.localhost").expect_error(403, "AccessDenied");
    health("anything.example").expect_status(200);
}

#[test]
fn the_host_selects_and_does_not_authorise() {
    let store = store("proxy");
    store.put(BUCKET, "key", "content");
    store.make_bucket("another");
    store.put("another", "key", "other content");
    // A signature holds for the host it was made for.
    let mut moved = at(&store, BUCKET, Request::new("GET", "/key"));
    for (name, value) in &mut moved.headers {
        if name == "Host" {
            *value = value.replace(BUCKET, "another");
        }
    }
    store.send_as_is(&moved).expect_error(403, "SignatureDoesNotMatch");
    let unsigned = Request::new("GET", "/key").header("Host", "hosted.localhost");
    store.send_as_is(&unsigned).expect_error(403, "AccessDenied");
    // s3cmd with an endpoint path signs it into the host; here it would name another key than it means.
    let key = Request::new("GET", "/key")
        .header("Host", "hosted.localhost/s3")
        .header("User-Agent", "-");
    let mut meant = store.signer().sign(key);
    meant.path = "/s3/key".to_owned();
    for (name, value) in &mut meant.headers {
        if name == "Host" {
            *value = "hosted.localhost".to_owned();
        }
    }
    store.send_as_is(&meant).expect_error(403, "SignatureDoesNotMatch");
    let presigned = Signer::presign(
        &store.signer(),
        Request::new("GET", "/key").header("Host", "hosted.localhost"),
        60,
    );
    assert_eq!(store.send_as_is(&presigned).expect_status(200).text(), "content");
}

#[test]
fn a_redirect_goes_to_the_core_and_not_to_the_host() {
    let store = store("redirect");
    for (method, body) in [("PUT", "content"), ("GET", ""), ("HEAD", ""), ("DELETE", "")] {
        let request = at(&store, BUCKET, Request::new(method, "/s3/a%20key").body(body));
        let answer = store.send_as_is(&request).expect_status(307);
        let (port, target) = parts(answer.header("location").unwrap());
        assert!(store.core_ports().contains(&port));
        assert!(target.starts_with("/s3/a%20key?corelane-ticket="), "{target}");
        if method == "GET" {
            let text = answer.text();
            assert_eq!(xml::text(&text, "Bucket").as_deref(), Some(BUCKET));
            // s3cmd goes on with path style there.
            assert_eq!(xml::text(&text, "Endpoint"), Some(format!("127.0.0.1:{port}/s3")));
        }
        let done = follow(&request, port, &target);
        assert!(matches!(done.status, 200 | 204), "{method}: {done:?}");
        if method == "GET" {
            assert_eq!(done.text(), "content");
        }
        // The ticket is for this key and no other, in neither style.
        for other in ["/s3/other", "/hosted/s3/other", "/a%20key"] {
            let target = target.replace("/s3/a%20key", other);
            follow(&request, port, &target).expect_status(403);
        }
    }
}

#[test]
fn a_core_takes_bucket_hosts_too() {
    let store = store("auto");
    store.put(BUCKET, "key", "content");
    for port in store.core_ports() {
        let host = format!("{BUCKET}.localhost:{port}");
        for path in ["/key", "/key?corelane-route=redirect"] {
            let (path, query) = path.split_once('?').unwrap_or((path, ""));
            let mut request = Request::new("GET", path);
            if let Some((name, value)) = query.split_once('=') {
                request = request.query(name, value);
            }
            let mut connection = Connection::open(*port);
            connection.send(&at_host(&store, &host, request).to_bytes());
            assert_eq!(connection.receive("GET").expect_status(200).text(), "content");
        }
    }
}

#[test]
fn a_node_below_the_domain_is_no_bucket() {
    let store = Store::start_with(&["--domain", "example.org", "--advertise", "node1.example.org"]);
    store.make_bucket(BUCKET);
    store.put(BUCKET, "key", "content");
    for host in ["node1.example.org", "Node1.Example.Org:51081"] {
        let got = store.send_as_is(&at_host(&store, host, Request::object("GET", BUCKET, "key")));
        assert_eq!(got.expect_status(200).text(), "content");
    }
    let got = store.send_as_is(&at_host(&store, "hosted.example.org", Request::new("GET", "/key")));
    assert_eq!(got.expect_status(200).text(), "content");
}

#[test]
fn clients_that_put_the_bucket_into_the_host() {
    for route in ["auto", "redirect", "proxy"] {
        let store = Store::start_with(&["--route", route]);
        let clients = Clients::new(&store);
        if route != "redirect" {
            // boto3 does not follow.
            clients.python("boto3_bucket_hosts.py", &[]).ok().says("all passed");
        }
        store.make_bucket(BUCKET);
        let put = Request::object("PUT", BUCKET, "a key").body("content");
        store.send_following(put).expect_status(200);
        // curl finds every name below `localhost` by itself.
        let url = format!("http://{BUCKET}.localhost:{}/a%20key", store.port());
        assert_eq!(clients.curl(&["-L", &url]).ok().stdout, "content", "{route}");
    }
}

#[test]
fn s3cmd_goes_on_with_path_style_at_the_core() {
    for route in ["auto", "redirect", "proxy"] {
        let store = Store::start_with(&["--route", route]);
        let clients = Clients::new(&store);
        // Not every resolver knows names below localhost, as RFC 6761 has it.
        let resolve = "import socket\n\
             real = socket.getaddrinfo\n\
             socket.getaddrinfo = lambda host, *rest, **more: \
             real('127.0.0.1' if host.endswith('.localhost') else host, *rest, **more)\n";
        std::fs::write(clients.home().join("sitecustomize.py"), resolve).unwrap();
        std::fs::write(clients.home().join("file"), "content").unwrap();
        let port = store.port();
        for line in [
            "mb s3://hosted",
            "put file s3://hosted/s3/file",
            "put file s3://hosted/file",
            "info s3://hosted/file",
            "get --force s3://hosted/file got",
            "get --force s3://hosted/s3/file got",
            "del s3://hosted/file",
        ] {
            clients
                .shell(&format!(
                    "PYTHONPATH=. s3cmd --access_key=$AWS_ACCESS_KEY_ID --secret_key=$AWS_SECRET_ACCESS_KEY --no-ssl \
                     --region us-east-1 --host=localhost:{port} --host-bucket='%(bucket)s.localhost:{port}' {line}"
                ))
                .ok();
        }
        assert_eq!(std::fs::read_to_string(clients.home().join("got")).unwrap(), "content");
        assert_eq!(store.keys(BUCKET), ["s3/file"], "{route}");
    }
}

#[test]
fn names_that_are_no_domains_are_refused_at_the_start() {
    for bad in ["127.0.0.1", "localhost:51080", "http://localhost"] {
        let output = corelane_tests::store::serve_command()
            .args(["--port", "0", "--domain", bad, "--data"])
            .arg(corelane_tests::directory::Directory::new().join("data"))
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success());
        assert!(
            error
                .lines()
                .any(|line| line.starts_with("error: --domain") && line.contains(bad)),
            "{error}"
        );
    }
}
