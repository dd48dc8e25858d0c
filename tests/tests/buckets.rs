//! Buckets: making, listing, naming and removing them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{raw::Connection, request::Request, store::Store, xml};

#[test]
fn a_bucket_lives_from_its_creation_to_its_removal() {
    let store = Store::start();
    store.send(Request::bucket("HEAD", "life")).expect_status(404);
    store
        .send(Request::bucket("GET", "life"))
        .expect_error(404, "NoSuchBucket");
    let made = store.send(Request::bucket("PUT", "life")).expect_status(200);
    assert_eq!(made.header("location"), Some("/life"));
    // S3: in us-east-1 making one's own bucket again is fine, in other regions it is not.
    store.send(Request::bucket("PUT", "life")).expect_status(200);
    let mut signer = store.signer();
    signer.region = "eu-central-1".to_owned();
    let elsewhere = signer.sign(store.addressed(Request::bucket("PUT", "life")));
    store
        .send_as_is(&elsewhere)
        .expect_error(409, "BucketAlreadyOwnedByYou");
    let head = store.send(Request::bucket("HEAD", "life")).expect_status(200);
    assert_eq!(head.header("x-amz-bucket-region"), Some("us-east-1"));
    assert!(head.header("x-amz-request-id").is_some());

    store.put("life", "an object", "x");
    store
        .send(Request::bucket("DELETE", "life"))
        .expect_error(409, "BucketNotEmpty");
    assert_eq!(store.get("life", "an object").expect_status(200).body, b"x");
    store
        .send(Request::object("DELETE", "life", "an object"))
        .expect_status(204);
    store.send(Request::bucket("DELETE", "life")).expect_status(204);
    store
        .send(Request::bucket("DELETE", "life"))
        .expect_error(404, "NoSuchBucket");
    store.get("life", "an object").expect_error(404, "NoSuchBucket");
    store
        .send(Request::object("PUT", "life", "late").body("x"))
        .expect_error(404, "NoSuchBucket");
}

#[test]
fn a_bucket_made_again_is_empty_also_after_a_restart() {
    let mut store = Store::start();
    for round in 0..3 {
        store.make_bucket("again");
        assert!(store.keys("again").is_empty(), "round {round}");
        store.get("again", "small").expect_error(404, "NoSuchKey");
        store.put("again", "small", format!("round {round}"));
        store.put("again", "large", vec![round; 700_000]);
        for key in ["small", "large"] {
            store.send(Request::object("DELETE", "again", key)).expect_status(204);
        }
        store.send(Request::bucket("DELETE", "again")).expect_status(204);
        store.restart();
    }
    store.send(Request::bucket("HEAD", "again")).expect_status(404);
}

#[test]
fn buckets_are_listed_with_their_owner_and_dates() {
    let store = Store::start();
    let empty = store.send(Request::new("GET", "/s3")).expect_status(200).text();
    assert!(xml::texts(&empty, "Name").is_empty());
    for bucket in ["zoo", "alpha.beta", "mid-dle", "0digits"] {
        store.make_bucket(bucket);
    }
    for path in ["/", "/s3", "/s3/"] {
        let answer = store.send(Request::new("GET", path)).expect_status(200);
        assert_eq!(answer.header("content-type"), Some("application/xml"));
        let list = answer.text();
        assert!(list.contains("<ListAllMyBucketsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"));
        assert_eq!(xml::texts(&list, "Name"), ["0digits", "alpha.beta", "mid-dle", "zoo"]);
        let owner = xml::inner(&list, "Owner")[0];
        let id = xml::text(owner, "ID").unwrap();
        assert!(id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
        assert!(!xml::text(owner, "DisplayName").unwrap().is_empty());
        for date in xml::texts(&list, "CreationDate") {
            assert!(
                date.starts_with("20") && date.ends_with('Z') && date.len() == 24,
                "{date}"
            );
        }
    }
}

#[test]
fn the_location_is_the_region_the_request_is_signed_for() {
    let store = Store::start();
    let constraint = "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>";
    store
        .send(Request::bucket("PUT", "place").body(constraint))
        .expect_status(200);
    let location = |region: &str| {
        let mut signer = store.signer();
        signer.region = region.to_owned();
        let request = store.addressed(Request::bucket("GET", "place").subresource("location"));
        store.send_as_is(&signer.sign(request)).expect_status(200).text()
    };
    assert_eq!(
        xml::text(&location("us-east-1"), "LocationConstraint"),
        Some(String::new())
    );
    assert_eq!(
        xml::text(&location("ap-south-2"), "LocationConstraint"),
        Some("ap-south-2".to_owned())
    );
    let mut signer = store.signer();
    signer.region = "eu-west-3".to_owned();
    let head = store.send_as_is(&signer.sign(store.addressed(Request::bucket("HEAD", "place"))));
    assert_eq!(head.expect_status(200).header("x-amz-bucket-region"), Some("eu-west-3"));
}

#[test]
fn names_follow_the_rules_of_s3() {
    let store = Store::start();
    let longest = "l".repeat(63);
    for good in ["abc", "a-b", "a.b.c", "123", longest.as_str()] {
        store.make_bucket(good);
        store.send(Request::bucket("DELETE", good)).expect_status(204);
    }
    let too_long = "l".repeat(64);
    for bad in [
        "ab",
        "Abc",
        "a_b",
        "-abc",
        "abc-",
        ".abc",
        "abc.",
        "a..b",
        "192.168.5.4",
        "xn--abc",
        "abc-s3alias",
        "sthree-abc",
        "caf%C3%A9",
        "a%20b",
        too_long.as_str(),
    ] {
        let answer = store.send(Request::bucket("PUT", bad));
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "InvalidBucketName"),
            "{bad}"
        );
    }
    let none = store.send(Request::new("GET", "/")).text();
    assert!(xml::texts(&none, "Name").is_empty());
}

#[test]
fn the_root_and_the_prefix_are_the_same_store() {
    let store = Store::start();
    store.send(Request::new("PUT", "/both")).expect_status(200);
    store
        .send(Request::new("PUT", "/both/key").body("x"))
        .expect_status(200);
    assert_eq!(
        store.send(Request::new("GET", "/s3/both/key")).expect_status(200).body,
        b"x"
    );
    assert_eq!(
        store.send(Request::new("GET", "/both/key")).expect_status(200).body,
        b"x"
    );
    for path in ["/both", "/both/", "/s3/both", "/s3/both/"] {
        let list = store.send(Request::new("GET", path)).expect_status(200).text();
        assert_eq!(xml::texts(&list, "Key"), ["key"], "{path}");
    }
}

#[test]
fn what_cannot_be_a_bucket_configuration_makes_no_bucket() {
    let store = Store::start();
    for body in ["<CreateBucketConfiguration>", "not xml", "<Other/>"] {
        store
            .send(Request::bucket("PUT", "confused").body(body))
            .expect_error(400, "MalformedXML");
    }
    store.send(Request::bucket("HEAD", "confused")).expect_status(404);
}

#[test]
fn unknown_methods_are_refused_and_the_connection_serves_on() {
    let store = Store::start();
    store.make_bucket("methods");
    let mut connection = Connection::open(store.port());
    for method in ["PATCH", "PROPFIND"] {
        let request = store.signed(Request::bucket(method, "methods"));
        connection.send(&request.to_bytes());
        connection.receive(method).expect_error(405, "MethodNotAllowed");
    }
    connection.send(&store.signed(Request::bucket("HEAD", "methods")).to_bytes());
    connection.receive("HEAD").expect_status(200);
}
