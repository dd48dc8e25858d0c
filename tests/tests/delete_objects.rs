//! DeleteObjects: up to 1,000 keys in one request, each with an outcome of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    digest::{crc32_base64, md5_base64},
    raw::Response,
    request::Request,
    store::Store,
    xml,
};

fn document(keys: &[String], quiet: bool) -> String {
    let objects: String = keys
        .iter()
        .map(|key| format!("<Object><Key>{}</Key></Object>", xml::escape(key)))
        .collect();
    let quiet = if quiet { "<Quiet>true</Quiet>" } else { "" };
    format!(
        "<?xml version=\"1.0\"?><Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{quiet}{objects}</Delete>"
    )
}

fn delete(store: &Store, body: &str) -> Response {
    let request = Request::bucket("POST", "many")
        .subresource("delete")
        .header("Content-MD5", md5_base64(body.as_bytes()));
    store.send(request.body(body))
}

#[test]
fn many_keys_go_at_once_and_missing_ones_count_as_gone() {
    let store = Store::start();
    store.make_bucket("many");
    let mut keys: Vec<String> = (0..40).map(|number| format!("dir/key-{number}")).collect();
    keys.extend(["<&>\"'", " spaces ", "ü/日本", "a//b", "..", "]]>", "%41"].map(str::to_owned));
    for key in &keys {
        store.put("many", key, "x");
    }
    store.put("many", "stays", "x");
    keys.push("never was".to_owned());
    let answer = delete(&store, &document(&keys, false)).expect_status(200).text();
    let mut deleted: Vec<String> = xml::inner(&answer, "Deleted")
        .iter()
        .map(|deleted| xml::text(deleted, "Key").unwrap())
        .collect();
    deleted.sort();
    keys.sort();
    assert_eq!(deleted, keys);
    assert!(xml::inner(&answer, "Error").is_empty());
    assert_eq!(store.keys("many"), ["stays"]);
}

#[test]
fn quiet_reports_errors_only() {
    let store = Store::start();
    store.make_bucket("many");
    store.put("many", "a", "x");
    let answer = delete(&store, &document(&["a".to_owned(), "k".repeat(1025)], true))
        .expect_status(200)
        .text();
    assert!(xml::inner(&answer, "Deleted").is_empty(), "{answer}");
    let errors = xml::inner(&answer, "Error");
    assert_eq!(errors.len(), 1, "{answer}");
    assert_eq!(xml::text(errors[0], "Code").unwrap(), "KeyTooLongError");
    assert!(store.keys("many").is_empty());
}

#[test]
fn a_thousand_keys_are_the_most() {
    let store = Store::start();
    store.make_bucket("many");
    store.put("many", "key-0", "x");
    let keys: Vec<String> = (0..1001).map(|number| format!("key-{number}")).collect();
    delete(&store, &document(&keys, false)).expect_error(400, "MalformedXML");
    assert_eq!(store.keys("many"), ["key-0"]);
    delete(&store, &document(&keys[..1000], false)).expect_status(200);
    assert!(store.keys("many").is_empty());
    delete(&store, &document(&[], false)).expect_error(400, "MalformedXML");
}

#[test]
fn a_body_that_is_not_what_it_should_be_deletes_nothing() {
    let store = Store::start();
    store.make_bucket("many");
    store.put("many", "key", "x");
    let body = document(&["key".to_owned()], false);
    let with = |name: &str, value: String| {
        store.send(
            Request::bucket("POST", "many")
                .subresource("delete")
                .header(name, value)
                .body(body.as_str()),
        )
    };
    with("Content-MD5", md5_base64(b"other")).expect_error(400, "BadDigest");
    with("x-amz-checksum-crc32", crc32_base64(b"other")).expect_error(400, "BadDigest");
    for wrong in [
        "<Delete>",
        "<Delete><Object/></Delete>",
        "<Other/>",
        "",
        "<Delete><Object><Key>key</Key></Object>",
    ] {
        let answer = delete(&store, wrong);
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.text());
    }
    assert_eq!(store.keys("many"), ["key"]);
    // As boto3 sends it: a checksum in place of Content-MD5, and `?delete=`.
    let request = Request::bucket("POST", "many").query("delete", "");
    store
        .send(
            request
                .header("x-amz-checksum-crc32", crc32_base64(body.as_bytes()))
                .body(body),
        )
        .expect_status(200);
    assert!(store.keys("many").is_empty());
}
