//! Conditions: of reads, of writes and of deletes
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html>).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    digest::md5_hex,
    multipart::Upload,
    random,
    raw::{Connection, Response},
    request::Request,
    store::Store,
    xml,
};
use std::sync::Barrier;

const BUCKET: &str = "conditions";

/// Every way to a core.
const ROUTES: [&[&str]; 3] = [&["--route", "auto"], &["--route", "proxy"], &["--route", "redirect"]];

fn put(key: &str, body: &str) -> Request {
    Request::object("PUT", BUCKET, key).body(body)
}

fn etag(body: &str) -> String {
    format!("\"{}\"", md5_hex(body.as_bytes()))
}

#[track_caller]
fn expect_failed(answer: Response, condition: &str) -> Response {
    let answer = answer.expect_error(412, "PreconditionFailed");
    assert_eq!(xml::text(&answer.text(), "Condition").as_deref(), Some(condition));
    answer
}

/// GetObject's API page, and RFC 9110 section 13.2.2 for what it does not say.
#[test]
fn reads_weigh_all_four_conditions() {
    let store = Store::start();
    store.make_bucket(BUCKET);
    store.put(BUCKET, "key", "content");
    let (etag, past, future) = (
        etag("content"),
        "Wed, 01 Jan 2020 00:00:00 GMT",
        "Sat, 01 Jan 2039 00:00:00 GMT",
    );
    let modified = store.get(BUCKET, "key").header("last-modified").unwrap().to_owned();
    for method in ["GET", "HEAD"] {
        let read = |fields: &[(&str, &str)]| {
            let request = Request::object(method, BUCKET, "key");
            let request = fields
                .iter()
                .fold(request, |request, (name, value)| request.header(name, *value));
            store.send(request)
        };
        for fields in [
            &[("If-Match", etag.as_str()), ("If-Unmodified-Since", past)][..],
            &[("If-None-Match", "\"other\""), ("If-Modified-Since", future)],
            &[("If-Unmodified-Since", modified.as_str())],
            &[("If-Match", "*"), ("If-None-Match", "\"other\"")],
        ] {
            read(fields).expect_status(200);
        }
        for fields in [
            &[("If-None-Match", etag.as_str()), ("If-Modified-Since", past)][..],
            &[("If-Modified-Since", modified.as_str())],
            &[("If-Match", etag.as_str()), ("If-None-Match", etag.as_str())],
            &[("If-Unmodified-Since", future), ("If-Modified-Since", future)],
        ] {
            let unchanged = read(fields).expect_status(304);
            assert_eq!(unchanged.header("etag"), Some(etag.as_str()));
            assert_eq!(unchanged.header("last-modified"), Some(modified.as_str()));
            assert!(unchanged.body.is_empty());
        }
        for (fields, condition) in [
            (
                &[("If-Match", "\"other\""), ("If-None-Match", etag.as_str())][..],
                "If-Match",
            ),
            (&[("If-Unmodified-Since", past)], "If-Unmodified-Since"),
        ] {
            let failed = read(fields).expect_status(412);
            if method == "GET" {
                assert_eq!(xml::text(&failed.text(), "Condition").as_deref(), Some(condition));
            }
        }
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>.
#[test]
fn writes_under_conditions() {
    for route in ROUTES {
        let store = Store::start_with(route);
        store.make_bucket(BUCKET);
        let send = |request: Request| store.send_following(request);
        send(put("key", "one").header("If-None-Match", "*")).expect_status(200);
        expect_failed(send(put("key", "two").header("If-None-Match", "*")), "If-None-Match");
        expect_failed(send(put("key", "two").header("If-Match", etag("other"))), "If-Match");
        assert_eq!(
            store.send_following(Request::object("GET", BUCKET, "key")).text(),
            "one"
        );
        send(put("key", "two").header("If-Match", etag("one"))).expect_status(200);
        // Without quotes, as the AWS command line's documentation writes it.
        send(put("key", "three").header("If-Match", md5_hex(b"two"))).expect_status(200);
        let missing = send(put("missing", "x").header("If-Match", etag("one"))).expect_error(404, "NoSuchKey");
        assert_eq!(xml::text(&missing.text(), "Key").unwrap(), "missing");
        for (name, value) in [
            ("If-None-Match", etag("three")),
            ("If-Match", "*".to_owned()),
            ("If-Modified-Since", "Wed, 01 Jan 2020 00:00:00 GMT".to_owned()),
            ("If-Unmodified-Since", "Wed, 01 Jan 2020 00:00:00 GMT".to_owned()),
        ] {
            let refused = send(put("key", "x").header(name, value)).expect_error(501, "NotImplemented");
            assert_eq!(xml::text(&refused.text(), "Header").as_deref(), Some(name));
        }
        let both = put("key", "x")
            .header("If-Match", etag("three"))
            .header("If-None-Match", "*");
        send(both).expect_error(501, "NotImplemented");
        assert_eq!(
            store.send_following(Request::object("GET", BUCKET, "key")).text(),
            "three"
        );
        assert_eq!(store.keys(BUCKET), ["key"]);
    }
}

/// "If the current object version is a delete marker, the write operation succeeds", and If-Match is 404
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html#conditional-error-response>).
#[test]
fn delete_markers_are_no_objects_to_writes() {
    let store = Store::start();
    store.make_versioned_bucket(BUCKET);
    store.send(put("key", "one")).expect_status(200);
    expect_failed(
        store.send(put("key", "two").header("If-None-Match", "*")),
        "If-None-Match",
    );
    store.send(Request::object("DELETE", BUCKET, "key")).expect_status(204);
    let stale = put("key", "two").header("If-Match", etag("one"));
    store.send(stale).expect_error(404, "NoSuchKey");
    store
        .send(put("key", "two").header("If-None-Match", "*"))
        .expect_status(200);
    assert_eq!(store.get(BUCKET, "key").text(), "two");
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html>.
#[test]
fn deletes_under_conditions() {
    for route in ROUTES {
        let store = Store::start_with(route);
        store.make_bucket(BUCKET);
        store.send_following(put("key", "one")).expect_status(200);
        let delete = |key: &str, etag: &str| {
            let request = Request::object("DELETE", BUCKET, key).header("If-Match", etag);
            store.send_following(request)
        };
        expect_failed(delete("key", &etag("other")), "If-Match");
        delete("missing", "*").expect_error(404, "NoSuchKey");
        delete("missing", &etag("one")).expect_error(404, "NoSuchKey");
        delete("key", &etag("one")).expect_status(204);
        store
            .send_following(Request::object("GET", BUCKET, "key"))
            .expect_error(404, "NoSuchKey");
        store.send_following(put("key", "two")).expect_status(200);
        delete("key", "*").expect_status(204);
        delete("key", "*").expect_error(404, "NoSuchKey");
        for name in [
            "x-amz-if-match-size",
            "x-amz-if-match-last-modified-time",
            "If-None-Match",
        ] {
            let request = Request::object("DELETE", BUCKET, "key").header(name, "1");
            store.send_following(request).expect_error(501, "NotImplemented");
        }
    }
}

#[test]
fn deletes_under_conditions_where_versions_are_kept() {
    let store = Store::start();
    store.make_versioned_bucket(BUCKET);
    let first = store.send(put("key", "one")).expect_status(200);
    let first = first.header("x-amz-version-id").unwrap().to_owned();
    store.send(put("key", "two")).expect_status(200);
    let delete = |etag: &str| Request::object("DELETE", BUCKET, "key").header("If-Match", etag);
    expect_failed(store.send(delete(&etag("one"))), "If-Match");
    // It is the current version that is looked at, whichever is to go.
    expect_failed(store.send(delete(&etag("one")).query("versionId", &first)), "If-Match");
    store
        .send(delete(&etag("two")).query("versionId", &first))
        .expect_status(204);
    let deleted = store.send(delete(&etag("two"))).expect_status(204);
    assert_eq!(deleted.header("x-amz-delete-marker"), Some("true"));
    expect_failed(store.send(delete("*")), "If-Match");
    expect_failed(store.send(delete(&etag("two"))), "If-Match");
}

/// "Concurrent deletes during multipart uploads [...] will result in a 409 Conflict response for an If-None-Match header and a
/// 404 Not Found response for an If-Match header"
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>).
#[test]
fn deletes_while_an_upload_is_under_way() {
    let store = Store::start();
    store.make_versioned_bucket(BUCKET);
    let delete = || {
        let deleted = store.send(Request::object("DELETE", BUCKET, "key"));
        deleted.expect_status(204);
    };
    store.send(put("key", "one")).expect_status(200);
    let upload = Upload::begin(&store, BUCKET, "key");
    let parts = [upload.part(1, b"part")];
    delete();
    let complete = |name: &str, value: &str| store.send(upload.completion(&parts).header(name, value));
    let conflict = complete("If-None-Match", "*").expect_error(409, "ConditionalRequestConflict");
    assert_eq!(
        xml::text(&conflict.text(), "Condition").as_deref(),
        Some("If-None-Match")
    );
    complete("If-Match", &etag("one")).expect_error(404, "NoSuchKey");
    store.get(BUCKET, "key").expect_error(404, "NoSuchKey");

    // What was deleted before says nothing.
    let later = Upload::begin(&store, BUCKET, "key");
    let parts = [later.part(1, b"later part")];
    let completed = store.send(later.completion(&parts).header("If-None-Match", "*"));
    completed.expect_status(200);
    assert_eq!(store.get(BUCKET, "key").expect_status(200).text(), "later part");
    expect_failed(complete("If-None-Match", "*"), "If-None-Match");
}

/// A client that waits for 100 Continue is told before it sends anything.
#[test]
fn nobody_sends_a_payload_for_nothing() {
    for route in [&["--route", "auto"][..], &["--route", "proxy"]] {
        let store = Store::start_with(route);
        store.make_bucket(BUCKET);
        store.put(BUCKET, "key", "one");
        let request = Request::object("PUT", BUCKET, "key")
            .header("If-None-Match", "*")
            .header("Expect", "100-continue")
            .header("Content-Length", "5000000000")
            .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
        let mut connection = Connection::open(store.port());
        connection.send(&store.signed(request).head());
        let answer = connection.receive("PUT");
        assert!(answer.interim.is_empty(), "{:?}", answer.interim);
        expect_failed(answer, "If-None-Match");
    }
}

/// "The first write operation to finish succeeds", and only it.
#[test]
fn one_of_many_writers_wins() {
    const WRITERS: usize = 8;
    for versioned in [false, true] {
        let store = Store::start();
        store.make_bucket(BUCKET);
        if versioned {
            store.set_versioning(BUCKET, "Enabled");
        }
        for round in 0..5 {
            let key = format!("key-{round}");
            // Sizes of all the ways into the store.
            let size = [10, 100_000, 600_000][round % 3];
            let race = |condition: (&str, &str), seed: u64| {
                let barrier = Barrier::new(WRITERS);
                std::thread::scope(|scope| {
                    let writers: Vec<_> = (0..WRITERS)
                        .map(|writer| {
                            let (barrier, store, key) = (&barrier, &store, &key);
                            scope.spawn(move || {
                                let body = random::bytes(seed + writer as u64, size);
                                let request = Request::object("PUT", BUCKET, key)
                                    .header(condition.0, condition.1)
                                    .body(body.clone());
                                let request = store.signed(request);
                                let mut connection = store.connect();
                                barrier.wait();
                                connection.send(&request.to_bytes());
                                (connection.receive("PUT").status, body)
                            })
                        })
                        .collect();
                    let ended: Vec<_> = writers.into_iter().map(|writer| writer.join().unwrap()).collect();
                    let mut won = ended.iter().filter(|(status, _)| *status == 200);
                    let (_, body) = won.next().expect("a winner");
                    assert!(won.next().is_none(), "two winners");
                    assert!(ended.iter().all(|(status, _)| [200, 412].contains(status)));
                    assert!(store.get(BUCKET, &key).expect_status(200).body == *body);
                    format!("\"{}\"", md5_hex(body))
                })
            };
            let etag = race(("If-None-Match", "*"), 0);
            // Other bytes, and so other ETags.
            race(("If-Match", &etag), 100);
        }
    }
}
