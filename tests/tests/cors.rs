//! Pages of other origins: rules, preflights, and the headers of answers, whoever answers
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html>).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{raw::Response, request::Request, store::Store, xml};

const BUCKET: &str = "shared";

const RULES: &str = "<CORSConfiguration>\
    <CORSRule><ID>upload</ID><AllowedOrigin>http://*.example.org</AllowedOrigin><AllowedMethod>PUT</AllowedMethod>\
    <AllowedMethod>DELETE</AllowedMethod><AllowedHeader>x-amz-*</AllowedHeader><AllowedHeader>Content-Type</AllowedHeader>\
    <ExposeHeader>ETag</ExposeHeader><ExposeHeader>x-amz-request-id</ExposeHeader><MaxAgeSeconds>3000</MaxAgeSeconds></CORSRule>\
    <CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>\
    </CORSConfiguration>";
const VARY: &str = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";

fn configure(store: &Store, rules: &str) -> Response {
    store.send(Request::bucket("PUT", BUCKET).subresource("cors").body(rules))
}

fn store(route: &str) -> Store {
    let store = Store::start_with(&["--route", route]);
    store.make_bucket(BUCKET);
    let put = Request::object("PUT", BUCKET, "key").body("content");
    store.send_following(put).expect_status(200);
    configure(&store, RULES).expect_status(200);
    store
}

/// A preflight, which nobody signs.
fn preflight(store: &Store, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = Request::new("OPTIONS", path);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    store.send_as_is(&store.addressed(request))
}

fn allowed<'r>(answer: &'r Response, name: &str) -> Option<&'r str> {
    answer.header(&format!("access-control-{name}"))
}

#[test]
fn rules_are_kept_and_removed() {
    let mut store = store("auto");
    store.restart();
    let rules = store
        .send(Request::bucket("GET", BUCKET).subresource("cors"))
        .expect_status(200);
    let rules = rules.text();
    assert_eq!(xml::texts(&rules, "AllowedOrigin"), ["http://*.example.org", "*"]);
    assert_eq!(xml::texts(&rules, "AllowedMethod"), ["PUT", "DELETE", "GET"]);
    assert_eq!(xml::texts(&rules, "AllowedHeader"), ["x-amz-*", "Content-Type"]);
    assert_eq!(xml::texts(&rules, "ExposeHeader"), ["ETag", "x-amz-request-id"]);
    assert_eq!(xml::text(&rules, "ID").as_deref(), Some("upload"));
    assert_eq!(xml::text(&rules, "MaxAgeSeconds").as_deref(), Some("3000"));
    for _ in 0..2 {
        store
            .send(Request::bucket("DELETE", BUCKET).subresource("cors"))
            .expect_status(204);
        let gone = store.send(Request::bucket("GET", BUCKET).subresource("cors"));
        gone.expect_error(404, "NoSuchCORSConfiguration");
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html>
#[test]
fn rules_that_s3_refuses_change_nothing() {
    let store = store("auto");
    let rule = |content: &str| format!("<CORSConfiguration><CORSRule>{content}</CORSRule></CORSConfiguration>");
    let minimum = "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>";
    for (body, code) in [
        ("<CORSConfiguration/>".to_owned(), "MalformedXML"),
        (rule("<AllowedOrigin>*</AllowedOrigin>"), "MalformedXML"),
        (
            rule(&format!("{minimum}<MaxAgeSeconds>soon</MaxAgeSeconds>")),
            "MalformedXML",
        ),
        (
            rule(&format!("{minimum}<AllowedMethod>OPTIONS</AllowedMethod>")),
            "InvalidRequest",
        ),
        (
            rule(&format!("{minimum}<AllowedOrigin>http://*.*</AllowedOrigin>")),
            "InvalidRequest",
        ),
        (
            rule(&format!("{minimum}<ExposeHeader>*</ExposeHeader>")),
            "InvalidRequest",
        ),
        (
            rule(&format!("{minimum}<ID>{}</ID>", "i".repeat(256))),
            "InvalidRequest",
        ),
    ] {
        configure(&store, &body).expect_error(400, code);
    }
    let method = configure(&store, &rule(&format!("{minimum}<AllowedMethod>PATCH</AllowedMethod>")));
    assert_eq!(
        xml::text(&method.text(), "Message").unwrap(),
        "Found unsupported HTTP method in CORS config. Unsupported method is PATCH"
    );
    let rules = store.send(Request::bucket("GET", BUCKET).subresource("cors")).text();
    assert_eq!(xml::texts(&rules, "ID"), ["upload"]);
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTOPTIONSobject.html>
#[test]
fn preflights() {
    let store = store("auto");
    let key = format!("/s3/{BUCKET}/key");
    let granted = preflight(
        &store,
        &key,
        &[
            ("Origin", "http://www.example.org"),
            ("Access-Control-Request-Method", "PUT"),
            ("Access-Control-Request-Headers", "Content-Type, X-Amz-Date"),
        ],
    )
    .expect_status(200);
    assert!(granted.body.is_empty());
    assert_eq!(allowed(&granted, "allow-origin"), Some("http://www.example.org"));
    assert_eq!(allowed(&granted, "allow-methods"), Some("PUT, DELETE"));
    assert_eq!(allowed(&granted, "allow-headers"), Some("content-type, x-amz-date"));
    assert_eq!(allowed(&granted, "expose-headers"), Some("ETag, x-amz-request-id"));
    assert_eq!(allowed(&granted, "max-age"), Some("3000"));
    assert_eq!(allowed(&granted, "allow-credentials"), Some("true"));
    assert_eq!(granted.header("vary"), Some(VARY));

    let bucket = format!("/s3/{BUCKET}");
    for path in [key.as_str(), bucket.as_str(), &format!("/s3/{BUCKET}/missing/x?acl")] {
        let all = preflight(
            &store,
            path,
            &[("Origin", "https://anywhere"), ("Access-Control-Request-Method", "GET")],
        )
        .expect_status(200);
        assert_eq!(allowed(&all, "allow-origin"), Some("*"));
        assert_eq!(allowed(&all, "allow-credentials"), None);
        assert_eq!(allowed(&all, "max-age"), None);
    }
    for (path, resource) in [(&key, "OBJECT"), (&bucket, "BUCKET")] {
        for (origin, method, headers) in [
            ("https://www.example.org", "PUT", ""),
            ("http://example.org", "PUT", ""),
            ("http://www.example.org", "PUT", "x-other"),
            ("http://www.example.org", "POST", ""),
            ("http://other", "GET", "content-type"),
        ] {
            let refused = preflight(
                &store,
                path,
                &[
                    ("Origin", origin),
                    ("Access-Control-Request-Method", method),
                    ("Access-Control-Request-Headers", headers),
                ],
            )
            .expect_error(403, "AccessForbidden");
            let text = refused.text();
            assert!(
                text.contains("CORSResponse: This CORS request is not allowed."),
                "{text}"
            );
            assert_eq!(xml::text(&text, "Method").as_deref(), Some(method));
            assert_eq!(xml::text(&text, "ResourceType").as_deref(), Some(resource));
            assert_eq!(allowed(&refused, "allow-origin"), None);
        }
    }
}

#[test]
fn preflights_that_say_too_little() {
    let store = store("auto");
    let key = format!("/s3/{BUCKET}/key");
    let send = |headers: &[(&str, &str)]| preflight(&store, &key, headers).expect_error(400, "BadRequest").text();
    let no_origin = send(&[("Access-Control-Request-Method", "GET")]);
    assert!(
        no_origin.contains("Insufficient information. Origin request header needed."),
        "{no_origin}"
    );
    assert!(send(&[("Origin", "http://a")]).contains("Invalid Access-Control-Request-Method: null"));
    let patch = send(&[("Origin", "http://a"), ("Access-Control-Request-Method", "PATCH")]);
    assert!(
        patch.contains("Invalid Access-Control-Request-Method: PATCH"),
        "{patch}"
    );

    let asks = [("Origin", "http://a"), ("Access-Control-Request-Method", "GET")];
    preflight(&store, "/s3/missing/key", &asks).expect_error(404, "NoSuchBucket");
    store.make_bucket("without");
    let without = preflight(&store, "/s3/without/key", &asks).expect_error(403, "AccessForbidden");
    assert!(
        without
            .text()
            .contains("CORSResponse: CORS is not enabled for this bucket.")
    );
}

/// On success and on errors, by the gateway and by cores.
#[test]
fn answers_carry_the_headers_on_every_way() {
    for route in ["auto", "proxy", "redirect"] {
        let store = store(route);
        let of = |request: Request, origin: &str| store.send_following(request.header("Origin", origin));
        let object = |method: &str, key: &str| Request::object(method, BUCKET, key);
        for (what, request, status) in [
            ("an object", object("GET", "key"), 200),
            ("a part", object("GET", "key").header("Range", "bytes=1-2"), 206),
            ("no part", object("GET", "key").header("Range", "bytes=100-"), 416),
            ("no object", object("GET", "missing"), 404),
            ("not modified", object("GET", "key").header("If-None-Match", "*"), 304),
            ("a listing", Request::bucket("GET", BUCKET), 200),
            (
                "a configuration that is not there",
                Request::bucket("GET", BUCKET).subresource("tagging"),
                404,
            ),
        ] {
            let answer = of(request, "http://anywhere").expect_status(status);
            assert_eq!(allowed(&answer, "allow-origin"), Some("*"), "{what} by {route}");
            assert_eq!(allowed(&answer, "allow-methods"), Some("GET"), "{what} by {route}");
            assert_eq!(answer.header("vary"), Some(VARY), "{what} by {route}");
        }
        let put = of(object("PUT", "new").body("x"), "http://a.example.org").expect_status(200);
        assert_eq!(allowed(&put, "allow-origin"), Some("http://a.example.org"), "{route}");
        assert_eq!(
            allowed(&put, "expose-headers"),
            Some("ETag, x-amz-request-id"),
            "{route}"
        );
        assert_eq!(allowed(&put, "allow-credentials"), Some("true"), "{route}");
        let delete = of(object("DELETE", "new"), "http://a.example.org").expect_status(204);
        assert_eq!(allowed(&delete, "max-age"), Some("3000"), "{route}");
        // No rule for HEAD, nor for an origin that puts from elsewhere; the request itself is served.
        let head = of(object("HEAD", "key"), "http://anywhere").expect_status(200);
        assert_eq!(
            (allowed(&head, "allow-origin"), head.header("vary")),
            (None, None),
            "{route}"
        );
        let put = of(object("PUT", "new").body("x"), "http://elsewhere").expect_status(200);
        assert_eq!(allowed(&put, "allow-origin"), None, "{route}");
        let none = store.send_following(object("GET", "key")).expect_status(200);
        assert_eq!(allowed(&none, "allow-origin"), None, "{route}");
    }
}

#[test]
fn refusals_can_be_read_by_the_page() {
    let store = store("auto");
    let request = Request::object("GET", BUCKET, "key").header("Origin", "http://anywhere");
    let refused = store
        .send_as_is(&store.addressed(request))
        .expect_error(403, "AccessDenied");
    assert_eq!(allowed(&refused, "allow-origin"), Some("*"));
}

/// A core that has a connection under a lease knows no rules, and leaves such requests to the gateway.
#[test]
fn a_connection_that_was_passed_on_gets_them_too() {
    let store = store("auto");
    let mut connection = store.connect();
    let mut send = |request: Request| {
        connection.send(&store.signed(request).to_bytes());
        connection.receive("GET").expect_status(200)
    };
    let get = || Request::object("GET", BUCKET, "key");
    for _ in 0..3 {
        assert_eq!(allowed(&send(get()), "allow-origin"), None);
        let with = send(get().header("Origin", "http://anywhere"));
        assert_eq!(allowed(&with, "allow-origin"), Some("*"));
    }
}

/// The rules count from the answer to their PUT on, on connections that cores hold, too.
#[test]
fn new_rules_count_at_once() {
    let store = Store::start();
    store.make_bucket(BUCKET);
    store.put(BUCKET, "key", "content");
    let mut connection = store.connect();
    let mut origin = || {
        let get = Request::object("GET", BUCKET, "key").header("Origin", "http://a.example.org");
        connection.send(&store.signed(get).to_bytes());
        let answer = connection.receive("GET").expect_status(200);
        allowed(&answer, "allow-origin").map(str::to_owned)
    };
    for _ in 0..3 {
        assert_eq!(origin(), None);
        configure(&store, RULES).expect_status(200);
        assert_eq!(origin().as_deref(), Some("*"));
        store
            .send(Request::bucket("DELETE", BUCKET).subresource("cors"))
            .expect_status(204);
    }
}
