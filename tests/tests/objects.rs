//! Objects: what is put is what is got, with its metadata, in whole and in parts, by redirect and by proxy.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{digest::md5_hex, random, raw::Connection, request::Request, store::Store};

/// Sizes around every boundary: nothing, blocks of the device, checksum blocks, small and large objects.
const SIZES: [usize; 15] = [
    0, 1, 511, 4095, 4096, 4097, 65_536, 131_071, 131_072, 131_073, 262_143, 262_144, 262_145, 1_048_579, 5_242_881,
];

/// Both ways to a core.
const ROUTES: [&[&str]; 2] = [&["--route", "proxy"], &["--route", "redirect"]];

#[test]
fn every_size_comes_back_as_it_went() {
    for route in ROUTES {
        let store = Store::start_with(route);
        store.make_bucket("sizes");
        for (seed, size) in (1..).zip(SIZES) {
            let body = random::bytes(seed, size);
            let key = format!("object-{size}");
            let etag = format!("\"{}\"", md5_hex(&body));
            let put = store.send_following(Request::object("PUT", "sizes", &key).body(body.clone()));
            assert_eq!(put.expect_status(200).header("etag"), Some(etag.as_str()));
            let got = store
                .send_following(Request::object("GET", "sizes", &key))
                .expect_status(200);
            assert!(got.body == body, "{size} bytes came back different");
            let head = store
                .send_following(Request::object("HEAD", "sizes", &key))
                .expect_status(200);
            for answer in [&got, &head] {
                assert_eq!(answer.header("content-length"), Some(size.to_string().as_str()));
                assert_eq!(answer.header("etag"), Some(etag.as_str()));
                assert_eq!(answer.header("accept-ranges"), Some("bytes"));
                assert_eq!(answer.header("content-type"), Some("binary/octet-stream"));
                assert!(answer.header("last-modified").unwrap().ends_with(" GMT"));
                assert!(answer.header("x-amz-request-id").is_some());
            }
            assert_eq!(got.header("last-modified"), head.header("last-modified"));
        }
        for size in SIZES {
            let key = format!("object-{size}");
            store
                .send_following(Request::object("DELETE", "sizes", &key))
                .expect_status(204);
            store
                .send_following(Request::object("GET", "sizes", &key))
                .expect_error(404, "NoSuchKey");
        }
        assert!(store.keys("sizes").is_empty());
    }
}

#[test]
fn metadata_is_kept_and_replaced_with_the_object() {
    for route in ROUTES {
        let store = Store::start_with(route);
        store.make_bucket("meta");
        let given = [
            ("content-type", "text/plain; charset=utf-8"),
            ("content-encoding", "gzip"),
            ("cache-control", "max-age=3600, public"),
            ("content-disposition", "attachment; filename=\"a b.txt\""),
            ("content-language", "de-DE, en"),
            ("expires", "Thu, 01 Dec 2033 16:00:00 GMT"),
            ("x-amz-meta-plain", "value"),
            ("x-amz-meta-mtime", "1700000000.123456789"),
            ("x-amz-meta-empty", ""),
            ("x-amz-meta-utf8", "gr\u{fc}\u{df}e"),
        ];
        for size in [10, 600_000] {
            let key = format!("with-{size}");
            let mut put = Request::object("PUT", "meta", &key).body(random::bytes(7, size));
            for (name, value) in given {
                put = put.header(name, value);
            }
            store.send_following(put.clone()).expect_status(200);
            for method in ["GET", "HEAD"] {
                let answer = store
                    .send_following(Request::object(method, "meta", &key))
                    .expect_status(200);
                for (name, value) in given {
                    assert_eq!(answer.header(name), Some(value), "{name} by {method}");
                }
            }
            // Names compare without case; values stay.
            let upper = Request::object("PUT", "meta", &key)
                .header("X-Amz-Meta-CamelCase", "Value")
                .body("x");
            store.send_following(upper).expect_status(200);
            let answer = store
                .send_following(Request::object("HEAD", "meta", &key))
                .expect_status(200);
            assert_eq!(answer.header("x-amz-meta-camelcase"), Some("Value"));
            for (name, _) in given.iter().filter(|(name, _)| *name != "content-type") {
                assert_eq!(answer.header(name), None, "{name} outlived its object");
            }
            assert_eq!(answer.header("content-length"), Some("1"));
        }
    }
}

#[test]
fn ranges_are_answered_as_s3_does() {
    for route in ROUTES {
        let store = Store::start_with(route);
        store.make_bucket("ranges");
        for size in [1000, 1_000_000] {
            let body = random::bytes(3, size);
            let key = format!("{size}");
            store
                .send_following(Request::object("PUT", "ranges", &key).body(body.clone()))
                .expect_status(200);
            let ask = |method: &str, range: &str| {
                store.send_following(Request::object(method, "ranges", &key).header("Range", range))
            };
            let last = size - 1;
            for (range, first, end) in [
                ("bytes=0-0".to_owned(), 0, 1),
                ("bytes=0-499".to_owned(), 0, 500),
                ("bytes=500-999".to_owned(), 500, 1000),
                ("bytes=990-".to_owned(), 990, size),
                ("bytes=-10".to_owned(), size - 10, size),
                (format!("bytes={last}-"), last, size),
                (format!("bytes={last}-{last}"), last, size),
                ("bytes=900-99999999999".to_owned(), 900, size),
                ("bytes=-99999999999".to_owned(), 0, size),
                (
                    format!("bytes={}-{}", size / 2 - 3, size / 2 + 3),
                    size / 2 - 3,
                    size / 2 + 4,
                ),
            ] {
                for method in ["GET", "HEAD"] {
                    let part = ask(method, &range).expect_status(206);
                    let content_range = format!("bytes {first}-{}/{size}", end - 1);
                    assert_eq!(part.header("content-range"), Some(content_range.as_str()), "{range}");
                    assert_eq!(part.header("content-length"), Some((end - first).to_string().as_str()));
                    if method == "GET" {
                        assert!(part.body == body[first..end], "{range} of {size}");
                    }
                }
            }
            for beyond in [
                format!("bytes={size}-"),
                format!("bytes={size}-{}", size + 5),
                "bytes=-0".to_owned(),
            ] {
                let refused = ask("GET", &beyond).expect_error(416, "InvalidRange");
                assert!(
                    refused
                        .text()
                        .contains(&format!("<ActualObjectSize>{size}</ActualObjectSize>"))
                );
                assert_eq!(ask("HEAD", &beyond).status, 416);
            }
            for ignored in [
                "bytes=5-2",
                "bytes=a-b",
                "bytes=",
                "bytes",
                "items=0-1",
                "bytes=0-1,5-6",
                "bytes=--1",
                "0-1",
            ] {
                let whole = ask("GET", ignored).expect_status(200);
                assert!(whole.body == body, "{ignored}");
                assert_eq!(whole.header("content-range"), None);
            }
        }
        store
            .send_following(Request::object("PUT", "ranges", "empty"))
            .expect_status(200);
        for range in ["bytes=0-", "bytes=0-0", "bytes=-1"] {
            let answer = store.send_following(Request::object("GET", "ranges", "empty").header("Range", range));
            answer.expect_error(416, "InvalidRange");
        }
    }
}

#[test]
fn conditions_of_reads_are_evaluated() {
    let store = Store::start();
    store.make_bucket("conditions");
    let etag = format!("\"{}\"", md5_hex(b"content"));
    store.put("conditions", "key", "content");
    let with = |name: &str, value: &str| store.send(Request::object("GET", "conditions", "key").header(name, value));
    with("If-Match", &etag).expect_status(200);
    with("If-Match", "*").expect_status(200);
    with("If-Match", "\"other\"").expect_error(412, "PreconditionFailed");
    let unchanged = with("If-None-Match", &etag).expect_status(304);
    assert!(unchanged.body.is_empty());
    assert_eq!(unchanged.header("etag"), Some(etag.as_str()));
    with("If-None-Match", "\"other\"").expect_status(200);
    with("If-Modified-Since", "Wed, 01 Jan 2020 00:00:00 GMT").expect_status(200);
    with("If-Modified-Since", "Sat, 01 Jan 2039 00:00:00 GMT").expect_status(304);
    with("If-Unmodified-Since", "Wed, 01 Jan 2020 00:00:00 GMT").expect_error(412, "PreconditionFailed");
    with("If-Unmodified-Since", "Sat, 01 Jan 2039 00:00:00 GMT").expect_status(200);
    with("If-Modified-Since", "nonsense").expect_status(200);
}

#[test]
fn response_headers_can_be_overridden_by_a_signed_reader() {
    let store = Store::start();
    store.make_bucket("override");
    store.put("override", "key", "content");
    let answer = store
        .send(
            Request::object("GET", "override", "key")
                .query("response-content-type", "text/x-test")
                .query("response-content-disposition", "attachment; filename=x")
                .query("response-cache-control", "no-store"),
        )
        .expect_status(200);
    assert_eq!(answer.header("content-type"), Some("text/x-test"));
    assert_eq!(answer.header("content-disposition"), Some("attachment; filename=x"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[test]
fn missing_objects_and_buckets_are_told_apart() {
    let store = Store::start();
    store.make_bucket("there");
    let missing = store.get("there", "nothing").expect_error(404, "NoSuchKey");
    assert!(missing.text().contains("<Key>nothing</Key>"));
    let head = store
        .send(Request::object("HEAD", "there", "nothing"))
        .expect_status(404);
    assert!(head.body.is_empty());
    store
        .send(Request::object("DELETE", "there", "nothing"))
        .expect_status(204);
    store.get("nowhere", "nothing").expect_error(404, "NoSuchBucket");
    store
        .send(Request::object("DELETE", "nowhere", "nothing"))
        .expect_error(404, "NoSuchBucket");
    store
        .send(Request::object("HEAD", "nowhere", "nothing"))
        .expect_status(404);
}

#[test]
fn one_connection_serves_many_requests_also_when_they_come_together() {
    let store = Store::start();
    store.make_bucket("many");
    let mut connection = Connection::open(store.port());
    for round in 0..50_u64 {
        let body = random::bytes(round, 1 + 977 * usize::try_from(round).unwrap());
        let key = format!("key-{round}");
        let put = store.signed(Request::object("PUT", "many", &key).body(body.clone()));
        let get = store.signed(Request::object("GET", "many", &key));
        let head = store.signed(Request::object("HEAD", "many", &key));
        let together: Vec<u8> = [put.to_bytes(), get.to_bytes(), head.to_bytes()].concat();
        connection.send(&together);
        connection.receive("PUT").expect_status(200);
        assert!(
            connection.receive("GET").expect_status(200).body == body,
            "round {round}"
        );
        connection.receive("HEAD").expect_status(200);
    }
    assert_eq!(store.keys("many").len(), 50);
}

#[test]
fn readers_see_the_old_or_the_new_object_never_a_mix() {
    let store = Store::start();
    store.make_bucket("mix");
    let write = |byte: u8| store.put("mix", "key", vec![byte; 700_000 + usize::from(byte)]);
    write(1);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..25 {
                        let got = store.get("mix", "key").expect_status(200).body;
                        let byte = got[0];
                        assert!(got.iter().all(|b| *b == byte), "a mix of two writes");
                        assert_eq!(got.len(), 700_000 + usize::from(byte));
                    }
                })
            })
            .collect();
        for byte in 2..30 {
            write(byte);
        }
        for reader in readers {
            reader.join().unwrap();
        }
    });
}
