//! Tags of buckets (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html>), with the limits of
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/CostAllocTagging.html>.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{raw::Response, request::Request, store::Store, xml};

const BUCKET: &str = "tagged";

fn document(tags: &[(&str, &str)]) -> String {
    let tags: String = tags
        .iter()
        .map(|(key, value)| {
            let (key, value) = (xml::escape(key), xml::escape(value));
            format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>")
        })
        .collect();
    format!("<Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet>{tags}</TagSet></Tagging>")
}

fn store() -> Store {
    let store = Store::start();
    store.make_bucket(BUCKET);
    store
}

fn put(store: &Store, body: String) -> Response {
    store.send(Request::bucket("PUT", BUCKET).subresource("tagging").body(body))
}

fn get(store: &Store) -> Response {
    store.send(Request::bucket("GET", BUCKET).subresource("tagging"))
}

#[test]
fn tags_are_replaced_kept_and_removed() {
    let mut store = store();
    get(&store).expect_error(404, "NoSuchTagSet");
    put(&store, document(&[("a", "1"), ("b é", "")])).expect_status(204);
    put(&store, document(&[("team", "x+y-z=._:/@"), ("b", "2")])).expect_status(204);
    store.restart();
    let tags = get(&store).expect_status(200).text();
    assert_eq!(xml::texts(&tags, "Key"), ["team", "b"]);
    assert_eq!(xml::texts(&tags, "Value"), ["x+y-z=._:/@", "2"]);
    let delete = || store.send(Request::bucket("DELETE", BUCKET).subresource("tagging"));
    delete().expect_status(204);
    get(&store).expect_error(404, "NoSuchTagSet");
    delete().expect_status(204);
    put(&store, document(&[])).expect_status(204);
    get(&store).expect_error(404, "NoSuchTagSet");
}

#[test]
fn tags_that_are_refused_change_nothing() {
    let store = store();
    put(&store, document(&[("kept", "1")])).expect_status(204);
    let (key, value) = ("k".repeat(129), "v".repeat(257));
    for tags in [
        &[("", "v")][..],
        &[(key.as_str(), "v")],
        &[("k", value.as_str())],
        &[("k", "1"), ("k", "2")],
        &[("aws:k", "v")],
        &[("k*", "v")],
    ] {
        put(&store, document(tags)).expect_error(400, "InvalidTag");
    }
    let many: Vec<String> = (0..51).map(|number| format!("k{number}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|key| (key.as_str(), "v")).collect();
    put(&store, document(&many)).expect_error(400, "InvalidTag");
    for body in [
        "<Tagging/>",
        "<TagSet/>",
        "<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>",
    ] {
        put(&store, body.to_owned()).expect_error(400, "MalformedXML");
    }
    let duplicate = put(&store, document(&[("k", "1"), ("k", "2")])).text();
    assert_eq!(xml::text(&duplicate, "TagKey").as_deref(), Some("k"));
    assert_eq!(xml::texts(&get(&store).text(), "Key"), ["kept"]);
    put(&store, document(&many[..50])).expect_status(204);
    assert_eq!(xml::texts(&get(&store).text(), "Key").len(), 50);
    let (key, value) = ("é".repeat(128), "ü".repeat(256));
    put(&store, document(&[(&key, &value)])).expect_status(204);
}

#[test]
fn only_the_owner_of_a_bucket_that_exists() {
    let store = store();
    let missing = Request::bucket("PUT", "missing")
        .subresource("tagging")
        .body(document(&[]));
    store.send(missing).expect_error(404, "NoSuchBucket");
    let request = Request::bucket("PUT", BUCKET)
        .subresource("tagging")
        .body(document(&[]));
    store
        .send_as_is(&store.addressed(request))
        .expect_error(403, "AccessDenied");
}
