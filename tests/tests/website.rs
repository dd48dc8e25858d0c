//! Buckets as web sites, at `--website-port`
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/WebsiteHosting.html>).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{raw::Response, request::Request, store::Store, xml};

const BUCKET: &str = "site";

const SITE: &str =
    "<IndexDocument><Suffix>index.html</Suffix></IndexDocument><ErrorDocument><Key>error.html</Key></ErrorDocument>";

fn configure(store: &Store, content: &str) -> Response {
    let body = format!(
        "<WebsiteConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{content}</WebsiteConfiguration>"
    );
    store.send(Request::bucket("PUT", BUCKET).subresource("website").body(body))
}

fn store() -> Store {
    start(&[])
}

fn start(arguments: &[&str]) -> Store {
    let store = Store::start_with(&[&["--website-port", "0"], arguments].concat());
    store.make_bucket(BUCKET);
    for (key, type_, body) in [
        ("index.html", "text/html", "the index"),
        ("dir/index.html", "text/html", "the index of dir"),
        ("plain.txt", "text/plain", "plain text"),
        ("a b/ü.txt", "text/plain", "umlaut"),
    ] {
        let put = Request::object("PUT", BUCKET, key)
            .header("Content-Type", type_)
            .body(body);
        store.send(put).expect_status(200);
    }
    store
}

/// Anyone's request.
fn request(store: &Store, method: &str, path: &str) -> Request {
    Request::new(method, path).header("Host", format!("{BUCKET}.localhost:{}", store.website_port()))
}

fn visit_with(store: &Store, request: &Request) -> Response {
    let mut connection = store.connect_to(store.website_port());
    connection.send(&request.to_bytes());
    connection.receive(&request.method)
}

fn visit(store: &Store, path: &str) -> Response {
    visit_with(store, &request(store, "GET", path))
}

fn location(answer: &Response) -> &str {
    answer.header("location").expect("a Location")
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketWebsite.html>
#[test]
fn configurations_are_kept_checked_and_removed() {
    let mut store = store();
    let get = |store: &Store| store.send(Request::bucket("GET", BUCKET).subresource("website"));
    get(&store).expect_error(404, "NoSuchWebsiteConfiguration");
    let rules = "<RoutingRules><RoutingRule><Condition><KeyPrefixEquals>docs/</KeyPrefixEquals></Condition>\
        <Redirect><ReplaceKeyPrefixWith>documents/</ReplaceKeyPrefixWith></Redirect></RoutingRule></RoutingRules>";
    configure(&store, &format!("{SITE}{rules}")).expect_status(200);
    store.restart();
    let now = get(&store).expect_status(200).text();
    assert_eq!(xml::text(&now, "Suffix").as_deref(), Some("index.html"));
    assert_eq!(xml::inner(&now, "ErrorDocument"), ["<Key>error.html</Key>"]);
    assert_eq!(xml::text(&now, "KeyPrefixEquals").as_deref(), Some("docs/"));
    assert_eq!(xml::text(&now, "ReplaceKeyPrefixWith").as_deref(), Some("documents/"));
    for (content, code) in [
        ("", "InvalidArgument"),
        ("<IndexDocument><Suffix>a/b</Suffix></IndexDocument>", "InvalidArgument"),
        (
            "<RedirectAllRequestsTo><HostName>h</HostName><Protocol>ftp</Protocol></RedirectAllRequestsTo>",
            "InvalidRequest",
        ),
        ("<RedirectAllRequestsTo/>", "MalformedXML"),
        (
            "<IndexDocument><Suffix>i</Suffix></IndexDocument><Other/>",
            "MalformedXML",
        ),
    ] {
        configure(&store, content).expect_error(400, code);
    }
    assert_eq!(get(&store).text(), now);
    for _ in 0..2 {
        store
            .send(Request::bucket("DELETE", BUCKET).subresource("website"))
            .expect_status(204);
        get(&store).expect_error(404, "NoSuchWebsiteConfiguration");
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/IndexDocumentSupport.html>
#[test]
fn pages_and_indexes() {
    for arguments in [&[][..], &["--no-handoff"], &["--anonymous"]] {
        let store = start(arguments);
        configure(&store, SITE).expect_status(200);
        for (path, type_, body) in [
            ("/", "text/html", "the index"),
            ("/?any=thing", "text/html", "the index"),
            ("/dir/", "text/html", "the index of dir"),
            ("/plain.txt", "text/plain", "plain text"),
            ("/a%20b/%C3%BC.txt", "text/plain", "umlaut"),
        ] {
            let page = visit(&store, path).expect_status(200);
            assert_eq!(page.text(), body, "{path}");
            assert_eq!(page.header("content-type"), Some(type_), "{path}");
            assert!(page.header("etag").is_some());
        }
        let directory = visit(&store, "/dir").expect_status(302);
        assert_eq!(location(&directory), "/dir/");
        let head = visit_with(&store, &request(&store, "HEAD", "/plain.txt")).expect_status(200);
        assert_eq!((head.header("content-length"), head.body.len()), (Some("10"), 0));
    }
}

#[test]
fn conditions_and_ranges() {
    let store = store();
    configure(&store, SITE).expect_status(200);
    let get = |name: &str, value: &str| visit_with(&store, &request(&store, "GET", "/plain.txt").header(name, value));
    assert_eq!(get("Range", "bytes=0-4").expect_status(206).text(), "plain");
    let etag = visit(&store, "/plain.txt").header("etag").unwrap().to_owned();
    assert!(get("If-None-Match", &etag).expect_status(304).body.is_empty());
    let failed = get("If-Match", "\"other\"").expect_status(412);
    assert_eq!(failed.header("x-amz-error-code"), Some("PreconditionFailed"));
    assert!(failed.text().contains("<h1>412 Precondition Failed</h1>"));
    get("Range", "bytes=100-").expect_status(416);
    // Many visits on one connection.
    let mut connection = store.connect_to(store.website_port());
    for path in ["/", "/missing", "/plain.txt", "/dir", "/dir/"] {
        connection.send(&request(&store, "GET", path).to_bytes());
        assert!(connection.receive("GET").status < 500, "{path}");
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/CustomErrorDocSupport.html>
#[test]
fn errors_are_pages() {
    let store = store();
    configure(&store, SITE).expect_status(200);
    let missing = visit(&store, "/%3Cmissing%3E").expect_status(404);
    let text = missing.text();
    assert_eq!(missing.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(missing.header("x-amz-error-code"), Some("NoSuchKey"));
    assert!(
        text.contains("<h1>404 Not Found</h1>") && text.contains("<li>Code: NoSuchKey</li>"),
        "{text}"
    );
    assert!(
        text.contains("<li>Key: &lt;missing&gt;</li>") && !text.contains("<missing>"),
        "{text}"
    );
    assert!(
        text.contains("Retrieve a Custom Error Document") && text.contains("<li>Key: error.html</li>"),
        "{text}"
    );
    // There is none of that directory either.
    visit(&store, "/none/").expect_status(404);

    let page = Request::object("PUT", BUCKET, "error.html").header("Content-Type", "text/html");
    store.send(page.body("our own page")).expect_status(200);
    let missing = visit(&store, "/missing").expect_status(404);
    assert_eq!(missing.text(), "our own page");
    assert_eq!(missing.header("content-type"), Some("text/html"));
    assert_eq!(missing.header("x-amz-error-code"), Some("NoSuchKey"));
    let head = visit_with(&store, &request(&store, "HEAD", "/missing")).expect_status(404);
    assert!(head.body.is_empty());

    for method in ["PUT", "POST", "DELETE", "OPTIONS", "PATCH"] {
        let answer = visit_with(&store, &request(&store, method, "/plain.txt")).expect_status(405);
        assert_eq!(answer.header("x-amz-error-code"), Some("MethodNotAllowed"), "{method}");
    }
    let with_body = request(&store, "GET", "/plain.txt").body("GET / HTTP/1.1\r\n\r\n");
    visit_with(&store, &with_body).expect_status(400);
    assert_eq!(store.get(BUCKET, "plain.txt").text(), "plain text");
}

#[test]
fn only_buckets_that_are_sites() {
    let store = store();
    let none = visit(&store, "/").expect_status(404);
    assert_eq!(none.header("x-amz-error-code"), Some("NoSuchWebsiteConfiguration"));
    assert!(none.text().contains("<li>BucketName: site</li>"), "{}", none.text());
    for host in ["missing.localhost", "localhost", "127.0.0.1", "<b>.localhost"] {
        let answer = visit_with(&store, &Request::new("GET", "/site/plain.txt").header("Host", host));
        assert!([400, 404].contains(&answer.status), "{host}: {}", answer.status);
        assert!(!answer.text().contains("<b>"), "{}", answer.text());
    }
    // Neither the admin API nor S3 is here, and no site at the other port.
    configure(&store, SITE).expect_status(200);
    visit(&store, "/v1/health").expect_status(404);
    let s3 = Request::new("GET", "/").header("Host", format!("{BUCKET}.localhost:{}", store.port()));
    store.send_as_is(&s3).expect_error(403, "AccessDenied");
    let list = request(&store, "GET", "/").query("list-type", "2");
    assert_eq!(visit_with(&store, &list).expect_status(200).text(), "the index");
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-page-redirect.html>
#[test]
fn redirects() {
    let store = store();
    let rule = |condition: &str, redirect: &str| {
        let condition = match condition {
            "" => String::new(),
            condition => format!("<Condition>{condition}</Condition>"),
        };
        format!("<RoutingRule>{condition}<Redirect>{redirect}</Redirect></RoutingRule>")
    };
    let prefix = |prefix: &str| format!("<KeyPrefixEquals>{prefix}</KeyPrefixEquals>");
    let missing = "<HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals>";
    let rules = [
        rule(
            &prefix("docs/"),
            "<ReplaceKeyPrefixWith>documents/</ReplaceKeyPrefixWith>",
        ),
        rule(
            &prefix("old"),
            "<HostName>new.example</HostName><Protocol>https</Protocol><HttpRedirectCode>307</HttpRedirectCode>",
        ),
        rule(
            &(prefix("img/") + missing),
            "<ReplaceKeyWith>no image.png</ReplaceKeyWith>",
        ),
        rule(
            missing,
            "<HostName>archive.example</HostName><ReplaceKeyPrefixWith>report-404/</ReplaceKeyPrefixWith>",
        ),
    ];
    configure(
        &store,
        &format!("{SITE}<RoutingRules>{}</RoutingRules>", rules.concat()),
    )
    .expect_status(200);
    let here = format!("http://{BUCKET}.localhost:{}", store.website_port());
    for (path, status, to) in [
        ("/docs/a%20b", 301, format!("{here}/documents/a%20b")),
        ("/old/x", 307, "https://new.example/old/x".to_owned()),
        ("/img/x", 301, format!("{here}/no%20image.png")),
        ("/missing", 301, "http://archive.example/report-404/missing".to_owned()),
    ] {
        let answer = visit(&store, path).expect_status(status);
        assert_eq!(location(&answer), to, "{path}");
    }
    visit(&store, "/plain.txt").expect_status(200);
    visit(&store, "/dir").expect_status(302);

    let put = Request::object("PUT", BUCKET, "moved").header("x-amz-website-redirect-location", "/plain.txt");
    store.send(put.body("x")).expect_status(200);
    let answer = visit(&store, "/moved").expect_status(301);
    assert_eq!(location(&answer), "/plain.txt");
    assert_eq!(store.get(BUCKET, "moved").expect_status(200).text(), "x");

    configure(
        &store,
        "<RedirectAllRequestsTo><HostName>other.example</HostName></RedirectAllRequestsTo>",
    )
    .expect_status(200);
    assert_eq!(
        location(&visit(&store, "/a%20b?c=d").expect_status(301)),
        "http://other.example/a%20b?c=d"
    );
    configure(
        &store,
        "<RedirectAllRequestsTo><HostName>other.example</HostName><Protocol>https</Protocol></RedirectAllRequestsTo>",
    )
    .expect_status(200);
    assert_eq!(
        location(&visit(&store, "/").expect_status(301)),
        "https://other.example/"
    );
}

#[test]
fn pages_of_other_origins_may_read_what_the_rules_say() {
    let store = store();
    configure(&store, SITE).expect_status(200);
    let rules = "<CORSConfiguration><CORSRule><AllowedOrigin>http://a</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>";
    store
        .send(Request::bucket("PUT", BUCKET).subresource("cors").body(rules))
        .expect_status(200);
    for path in ["/plain.txt", "/missing"] {
        let answer = visit_with(&store, &request(&store, "GET", path).header("Origin", "http://a"));
        assert_eq!(answer.header("access-control-allow-origin"), Some("http://a"), "{path}");
        let answer = visit_with(&store, &request(&store, "GET", path).header("Origin", "http://b"));
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
    }
}

#[test]
fn sites_over_https() {
    let store = start(&["--tls"]);
    configure(&store, SITE).expect_status(200);
    assert_eq!(visit(&store, "/").expect_status(200).text(), "the index");
    let all = "<RedirectAllRequestsTo><HostName>other.example</HostName></RedirectAllRequestsTo>";
    configure(&store, all).expect_status(200);
    assert_eq!(
        location(&visit(&store, "/x").expect_status(301)),
        "https://other.example/x"
    );
}
