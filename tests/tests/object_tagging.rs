//! Tags of objects (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html>).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    digest::{crc32_base64, md5_base64},
    raw::Response,
    request::Request,
    store::Store,
    xml,
};

const BUCKET: &str = "tagged";

fn tagging(method: &str, key: &str) -> Request {
    Request::object(method, BUCKET, key).subresource("tagging")
}

fn document(tags: &[(&str, &str)]) -> String {
    let tags: String = tags
        .iter()
        .map(|(key, value)| {
            format!(
                "<Tag><Key>{}</Key><Value>{}</Value></Tag>",
                xml::escape(key),
                xml::escape(value)
            )
        })
        .collect();
    format!("<Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet>{tags}</TagSet></Tagging>")
}

fn tags(answer: Response) -> Vec<(String, String)> {
    let text = answer.expect_status(200).text();
    let tags = xml::inner(&text, "Tag");
    tags.iter()
        .map(|tag| (xml::text(tag, "Key").unwrap(), xml::text(tag, "Value").unwrap()))
        .collect()
}

fn owned(tags: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    tags.iter().map(owned).collect()
}

/// PutObjectTagging, GetObjectTagging and DeleteObjectTagging
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html>).
#[test]
fn tags_are_set_read_replaced_and_removed() {
    for route in ["auto", "proxy", "redirect"] {
        let store = Store::start_with(&["--route", route]);
        store.make_bucket(BUCKET);
        for size in [0, 10, 100_000, 600_000] {
            let key = format!("key-{size}");
            let body = "b".repeat(size);
            store
                .send_following(Request::object("PUT", BUCKET, &key).body(body.as_str()))
                .expect_status(200);
            let before = store.send_following(Request::object("GET", BUCKET, &key));
            assert_eq!(before.header("x-amz-tagging-count"), None);
            assert_eq!(tags(store.send_following(tagging("GET", &key))), []);
            let given = [("b", "2"), ("a", "é _.:/=+@-"), ("", "")];
            let put = tagging("PUT", &key).body(document(&given[..2]));
            let put = store.send_following(put).expect_status(200);
            assert!(put.body.is_empty());
            assert_eq!(put.header("x-amz-version-id"), None);
            assert_eq!(tags(store.send_following(tagging("GET", &key))), owned(&given[..2]));
            let got = store
                .send_following(Request::object("GET", BUCKET, &key))
                .expect_status(200);
            let head = store
                .send_following(Request::object("HEAD", BUCKET, &key))
                .expect_status(200);
            for answer in [&got, &head] {
                assert_eq!(answer.header("x-amz-tagging-count"), Some("2"));
                assert_eq!(answer.header("etag"), before.header("etag"));
                assert_eq!(answer.header("last-modified"), before.header("last-modified"));
            }
            assert_eq!(got.text(), body);
            store
                .send_following(tagging("PUT", &key).body(document(&[("c", "")])))
                .expect_status(200);
            assert_eq!(tags(store.send_following(tagging("GET", &key))), owned(&[("c", "")]));
            let deleted = store.send_following(tagging("DELETE", &key)).expect_status(204);
            assert!(deleted.body.is_empty());
            assert_eq!(tags(store.send_following(tagging("GET", &key))), []);
            store
                .send_following(tagging("PUT", &key).body(document(&[("d", "")])))
                .expect_status(200);
            // "If you send this request with an empty tag set, Amazon S3 deletes the existing tag set."
            store
                .send_following(tagging("PUT", &key).body(document(&[])))
                .expect_status(200);
            assert_eq!(
                store
                    .send_following(Request::object("GET", BUCKET, &key))
                    .header("x-amz-tagging-count"),
                None
            );
        }
        for method in ["GET", "PUT", "DELETE"] {
            let request = tagging(method, "missing").body(if method == "PUT" { document(&[]) } else { String::new() });
            store.send_following(request).expect_error(404, "NoSuchKey");
        }
    }
}

/// `x-amz-tagging` (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>).
#[test]
fn objects_come_with_tags() {
    let store = Store::start();
    store.make_bucket(BUCKET);
    let put = |value: &str| {
        let request = Request::object("PUT", BUCKET, "key").header("x-amz-tagging", value);
        store.send(request.body("content"))
    };
    put("foo=bar&bar&with%20space=a+b%2Bc").expect_status(200);
    let expected = [("bar", ""), ("foo", "bar"), ("with space", "a b+c")];
    assert_eq!(tags(store.send(tagging("GET", "key"))), owned(&expected));
    assert_eq!(store.get(BUCKET, "key").header("x-amz-tagging-count"), Some("3"));
    for (value, code) in [
        ("a=1&a=2", "InvalidArgument"),
        ("a=b=c", "InvalidArgument"),
        ("a=%zz", "InvalidArgument"),
        ("=v", "InvalidTag"),
        ("aws:a=b", "InvalidTag"),
        ("a=%7B", "InvalidTag"),
        ("1&2&3&4&5&6&7&8&9&10&11", "InvalidTag"),
    ] {
        put(value).expect_error(400, code);
    }
    assert_eq!(tags(store.send(tagging("GET", "key"))), owned(&expected));
    // A new object has none of the old one's.
    store.put(BUCKET, "key", "other");
    assert_eq!(tags(store.send(tagging("GET", "key"))), []);
}

/// The limits of <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html>.
#[test]
fn limits_of_tags() {
    let store = Store::start();
    store.make_bucket(BUCKET);
    store.put(BUCKET, "key", "content");
    let put = |tags: &[(&str, &str)]| store.send(tagging("PUT", "key").body(document(tags)));
    let (long_key, long_value) = ("k".repeat(128), "v".repeat(256));
    let numbers: Vec<String> = (0..11).map(|number| format!("{number}{}", &long_key[2..])).collect();
    let most: Vec<(&str, &str)> = numbers.iter().map(|key| (key.as_str(), long_value.as_str())).collect();
    put(&most[..10]).expect_status(200);
    for refused in [
        &most[..],
        &[(&*"k".repeat(129), "v")],
        &[("k", &*"v".repeat(257))],
        &[("", "v")],
        &[("aws:k", "v")],
        &[("k!", "v")],
    ] {
        put(refused).expect_error(400, "InvalidTag");
    }
    let twice = put(&[("k", "1"), ("k", "2")]).expect_error(400, "InvalidTag");
    let message = xml::text(&twice.text(), "Message").unwrap();
    assert_eq!(message, "Cannot provide multiple Tags with the same key");
    for body in [
        "",
        "<Tagging/>",
        "<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>",
        "<Tagging>",
    ] {
        store
            .send(tagging("PUT", "key").body(body))
            .expect_error(400, "MalformedXML");
    }
    assert_eq!(tags(store.send(tagging("GET", "key"))), owned(&most[..10]));
}

#[test]
fn bodies_are_held_against_what_is_declared_of_them() {
    let store = Store::start();
    store.make_bucket(BUCKET);
    store.put(BUCKET, "key", "content");
    let body = document(&[("a", "b")]);
    let with = |name: &str, value: String| {
        let mut connection = store.connect();
        let request = store.signed(tagging("PUT", "key").header(name, value).body(body.as_str()));
        connection.send(&request.to_bytes());
        let answer = connection.receive("PUT");
        // The connection serves on, whatever the body was.
        connection.send(&store.signed(tagging("GET", "key")).to_bytes());
        (answer, tags(connection.receive("GET")))
    };
    for (name, value) in [
        ("Content-MD5", md5_base64(b"other")),
        ("x-amz-checksum-crc32", crc32_base64(b"other")),
    ] {
        let (answer, left) = with(name, value);
        answer.expect_error(400, "BadDigest");
        assert_eq!(left, []);
    }
    let (answer, left) = with("Content-MD5", "x".to_owned());
    answer.expect_error(400, "InvalidDigest");
    assert_eq!(left, []);
    let (answer, left) = with("x-amz-checksum-crc32", crc32_base64(body.as_bytes()));
    answer.expect_status(200);
    assert_eq!(left, owned(&[("a", "b")]));
    let large = tagging("PUT", "key").body("x".repeat(300_000));
    store.send(large).expect_error(400, "MaxMessageLengthExceeded");
}

/// Each version has tags of its own; a delete marker has none.
#[test]
fn tags_of_versions() {
    let mut store = Store::start();
    store.make_versioned_bucket(BUCKET);
    let put = |store: &Store, body: &str| {
        let answer = store.put(BUCKET, "key", body);
        answer.header("x-amz-version-id").unwrap().to_owned()
    };
    let (first, second) = (put(&store, "one"), put(&store, "two"));
    let of = |method: &str, id: &str| tagging(method, "key").query("versionId", id);
    let answer = store
        .send(of("PUT", &first).body(document(&[("v", "1")])))
        .expect_status(200);
    assert_eq!(answer.header("x-amz-version-id"), Some(first.as_str()));
    let answer = store
        .send(tagging("PUT", "key").body(document(&[("v", "2")])))
        .expect_status(200);
    assert_eq!(answer.header("x-amz-version-id"), Some(second.as_str()));
    store.restart();
    let read = store.send(of("GET", &first));
    assert_eq!(read.header("x-amz-version-id"), Some(first.as_str()));
    assert_eq!(tags(read), owned(&[("v", "1")]));
    assert_eq!(tags(store.send(of("GET", &second))), owned(&[("v", "2")]));
    // An edit makes no version, and the newest stays the newest.
    let newest = store.get(BUCKET, "key");
    assert_eq!(newest.header("x-amz-version-id"), Some(second.as_str()));
    assert_eq!(newest.text(), "two");
    let deleted = store.send(of("DELETE", &first)).expect_status(204);
    assert_eq!(deleted.header("x-amz-version-id"), Some(first.as_str()));
    assert_eq!(tags(store.send(of("GET", &first))), []);

    let marker = store.send(Request::object("DELETE", BUCKET, "key")).expect_status(204);
    let marker = marker.header("x-amz-version-id").unwrap().to_owned();
    for method in ["GET", "PUT", "DELETE"] {
        let body = if method == "PUT" {
            document(&[("a", "b")])
        } else {
            String::new()
        };
        let hidden = store.send(tagging(method, "key").body(body.clone()));
        let hidden = hidden.expect_error(404, "NoSuchKey");
        assert_eq!(hidden.header("x-amz-delete-marker"), Some("true"));
        let by_id = store.send(of(method, &marker).body(body.clone()));
        by_id.expect_error(405, "MethodNotAllowed");
        let missing = of(method, "00000000deadbeef").body(body);
        store.send(missing).expect_error(404, "NoSuchVersion");
    }
}
