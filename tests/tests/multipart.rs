//! Multipart uploads: what is uploaded in parts is read as one object, and what S3 refuses is refused.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    digest::{md5, md5_base64, md5_hex},
    directory::files,
    multipart::Upload,
    process::wait_for,
    random,
    request::Request,
    store::Store,
    xml,
};

const MIB: usize = 1024 * 1024;
const PART_MIN: usize = 5 * MIB;
const ROUTES: [&[&str]; 4] = [
    &["--route", "handoff"],
    &["--route", "proxy"],
    &["--route", "redirect"],
    &["--tls"],
];

#[test]
fn parts_become_one_object() {
    for route in ROUTES {
        let store = Store::start_with(route);
        store.make_bucket("parts");
        let bodies = [
            random::bytes(1, PART_MIN),
            random::bytes(2, PART_MIN + 131_073),
            random::bytes(3, 1000),
        ];
        let whole = bodies.concat();
        let key = "a//dir/ü+ %.bin";
        let upload = Upload::begin_with(
            &store,
            "parts",
            key,
            &[
                ("content-type", "text/x-parts"),
                ("x-amz-meta-colour", "blue"),
                ("x-amz-storage-class", "STANDARD_IA"),
                ("x-amz-tagging", "a=1&b=2"),
            ],
        );
        // In any order, and one of them twice.
        let third = upload.part(3, &bodies[2]);
        upload.part(1, b"not this one");
        let second = upload.part(2, &bodies[1]);
        let first = upload.part(1, &bodies[0]);
        assert_eq!(first.1, format!("\"{}\"", md5_hex(&bodies[0])));
        store
            .send_following(Request::object("GET", "parts", key))
            .expect_error(404, "NoSuchKey");
        assert!(store.keys("parts").is_empty());

        let answer = upload.complete(&[first, second, third]).expect_status(200);
        let digests: Vec<u8> = bodies.iter().flat_map(|body| md5(body)).collect();
        let etag = format!("\"{}-3\"", md5_hex(&digests));
        let text = answer.text();
        assert_eq!(xml::text(&text, "ETag"), Some(etag.clone()));
        assert_eq!(xml::text(&text, "Bucket").as_deref(), Some("parts"));
        assert_eq!(xml::text(&text, "Key").as_deref(), Some(key));
        let location = xml::text(&text, "Location").unwrap();
        assert!(location.ends_with("/parts/a//dir/%C3%BC%2B%20%25.bin"), "{location}");

        let got = store
            .send_following(Request::object("GET", "parts", key))
            .expect_status(200);
        assert!(got.body == whole);
        assert_eq!(got.header("etag"), Some(etag.as_str()));
        assert_eq!(got.header("content-type"), Some("text/x-parts"));
        assert_eq!(got.header("x-amz-meta-colour"), Some("blue"));
        assert_eq!(got.header("x-amz-storage-class"), Some("STANDARD_IA"));
        let head = store
            .send_following(Request::object("HEAD", "parts", key))
            .expect_status(200);
        assert_eq!(head.header("content-length"), Some(whole.len().to_string().as_str()));
        assert_eq!(store.keys("parts"), [key]);
        upload.list(&[]).expect_error(404, "NoSuchUpload");
    }
}

/// Ranges across every seam.
#[test]
fn ranges_of_parts() {
    let store = Store::start();
    store.make_bucket("ranges");
    let bodies = [
        random::bytes(1, PART_MIN),
        random::bytes(2, PART_MIN + 1),
        random::bytes(3, 300_000),
    ];
    let whole = bodies.concat();
    let upload = Upload::begin(&store, "ranges", "key");
    let parts: Vec<_> = (1..)
        .zip(&bodies)
        .map(|(number, body)| upload.part(number, body))
        .collect();
    upload.complete(&parts).expect_status(200);
    let seams = [0, PART_MIN, 2 * PART_MIN + 1, whole.len()];
    for seam in seams {
        for (before, behind) in [
            (1usize, 0usize),
            (1, 1),
            (0, 1),
            (131_072, 131_072),
            (PART_MIN, 7),
            (whole.len(), whole.len()),
        ] {
            let from = seam.saturating_sub(before);
            let to = (seam + behind).min(whole.len());
            if from >= to {
                continue;
            }
            let range = format!("bytes={from}-{}", to - 1);
            let got = store
                .send(Request::object("GET", "ranges", "key").header("range", range.as_str()))
                .expect_status(206);
            assert!(got.body == whole[from..to], "{range}");
            let expected = format!("bytes {from}-{}/{}", to - 1, whole.len());
            assert_eq!(got.header("content-range"), Some(expected.as_str()));
        }
    }
    let suffix = store.send(Request::object("GET", "ranges", "key").header("range", "bytes=-300001"));
    assert!(suffix.expect_status(206).body == whole[whole.len() - 300_001..]);
    let beyond = format!("bytes={}-", whole.len());
    store
        .send(Request::object("GET", "ranges", "key").header("range", beyond))
        .expect_error(416, "InvalidRange");
}

/// `partNumber` (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>).
#[test]
fn a_part_is_read_by_its_number() {
    let store = Store::start();
    store.make_bucket("numbers");
    let bodies = [
        random::bytes(1, PART_MIN),
        random::bytes(2, PART_MIN + 5),
        random::bytes(3, 17),
    ];
    let upload = Upload::begin(&store, "numbers", "key");
    // Numbers may have gaps.
    let numbers = [1u32, 5, 10_000];
    let parts: Vec<_> = numbers
        .iter()
        .zip(&bodies)
        .map(|(number, body)| upload.part(*number, body))
        .collect();
    upload.complete(&parts).expect_status(200);
    let size: usize = bodies.iter().map(Vec::len).sum();
    let mut start = 0;
    for (number, body) in numbers.iter().zip(&bodies) {
        for method in ["GET", "HEAD"] {
            let request = Request::object(method, "numbers", "key").query("partNumber", &number.to_string());
            let got = store.send(request).expect_status(206);
            if method == "GET" {
                assert!(got.body == *body);
            }
            let range = format!("bytes {start}-{}/{size}", start + body.len() - 1);
            assert_eq!(got.header("content-range"), Some(range.as_str()));
            assert_eq!(got.header("content-length"), Some(body.len().to_string().as_str()));
            assert_eq!(got.header("x-amz-mp-parts-count"), Some("3"));
            assert!(got.header("etag").unwrap().ends_with("-3\""));
        }
        start += body.len();
    }
    store.put("numbers", "plain", b"plain".to_vec()).expect_status(200);
    store.put("numbers", "empty", Vec::new()).expect_status(200);
    let get = |key: &str, number: &str| store.send(Request::object("GET", "numbers", key).query("partNumber", number));
    get("key", "2").expect_error(416, "InvalidPartNumber");
    get("plain", "2").expect_error(416, "InvalidPartNumber");
    for bad in ["0", "10001", "x", "-1"] {
        get("key", bad).expect_error(400, "InvalidArgument");
    }
    let plain = get("plain", "1").expect_status(206);
    assert_eq!(
        (plain.body.as_slice(), plain.header("content-range")),
        (&b"plain"[..], Some("bytes 0-4/5"))
    );
    assert_eq!(plain.header("x-amz-mp-parts-count"), None);
    assert!(get("empty", "1").expect_status(200).body.is_empty());
    let both = Request::object("GET", "numbers", "key").query("partNumber", "1");
    store
        .send(both.header("range", "bytes=0-1"))
        .expect_error(400, "InvalidRequest");
    let matching = Request::object("GET", "numbers", "key").query("partNumber", "1");
    store.send(matching.header("if-none-match", "*")).expect_status(304);
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html>
#[test]
fn what_is_no_part_is_refused() {
    let store = Store::start();
    store.make_bucket("refused");
    let upload = Upload::begin(&store, "refused", "key");
    for number in [0, 10_001] {
        store
            .send(upload.part_request(number).body("x"))
            .expect_error(400, "InvalidArgument");
    }
    let other = |id: &str| {
        Request::object("PUT", "refused", "key")
            .query("uploadId", id)
            .query("partNumber", "1")
            .body("x")
    };
    for id in ["", "x", "ffffffffffffffff", &upload.id.to_uppercase().replace('0', "A")] {
        store.send(other(id)).expect_error(404, "NoSuchUpload");
    }
    let of_other_key = Request::object("PUT", "refused", "other")
        .query("uploadId", &upload.id)
        .query("partNumber", "1");
    store.send(of_other_key.body("x")).expect_error(404, "NoSuchUpload");
    let wrong = upload.part_request(1).header("content-md5", md5_base64(b"y")).body("x");
    store.send(wrong).expect_error(400, "BadDigest");
    let right = upload.part_request(1).header("content-md5", md5_base64(b"x")).body("x");
    store.send(right).expect_status(200);
    let large = upload
        .part_request(1)
        .header("content-length", (5u64 * 1024 * 1024 * 1024 + 1).to_string());
    store.send(large).expect_error(400, "EntityTooLarge");
    assert_eq!(xml::texts(&upload.list(&[]).expect_status(200).text(), "Size"), ["1"]);
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>
#[test]
fn what_cannot_be_completed_stays_an_upload() {
    let store = Store::start();
    store.make_bucket("lists");
    let upload = Upload::begin(&store, "lists", "key");
    let one = upload.part(1, &random::bytes(1, PART_MIN - 1));
    let two = upload.part(2, &random::bytes(2, PART_MIN));
    let three = upload.part(3, b"end");
    let body = |body: &str| store.send(upload.request("POST").body(body));
    for bad in [
        "",
        "x",
        "<CompleteMultipartUpload/>",
        "<CompleteMultipartUpload><Part/></CompleteMultipartUpload>",
    ] {
        body(bad).expect_error(400, "MalformedXML");
    }
    upload
        .complete(&[three.clone(), two.clone()])
        .expect_error(400, "InvalidPartOrder");
    upload
        .complete(&[two.clone(), two.clone()])
        .expect_error(400, "InvalidPartOrder");
    let wrong = (2, "\"00000000000000000000000000000000\"".to_owned(), String::new());
    upload
        .complete(&[wrong, three.clone()])
        .expect_error(400, "InvalidPart");
    upload
        .complete(&[(4, two.1.clone(), String::new())])
        .expect_error(400, "InvalidPart");
    let small = upload
        .complete(&[one.clone(), two.clone()])
        .expect_error(400, "EntityTooSmall");
    let text = small.text();
    assert_eq!(xml::text(&text, "ProposedSize"), Some((PART_MIN - 1).to_string()));
    assert_eq!(xml::text(&text, "MinSizeAllowed"), Some(PART_MIN.to_string()));
    assert_eq!(xml::text(&text, "PartNumber").as_deref(), Some("1"));
    let sized = |size: &str| {
        upload
            .completion(&[two.clone(), three.clone()])
            .header("x-amz-mp-object-size", size)
    };
    store.send(sized("1")).expect_error(400, "InvalidRequest");
    store.send(sized("x")).expect_error(400, "InvalidRequest");
    store.get("lists", "key").expect_error(404, "NoSuchKey");
    // Quotes are optional, in either form. The parts that are not named go.
    let listed = [
        (2, two.1.replace('"', "&quot;"), String::new()),
        (3, three.1.replace('"', ""), String::new()),
    ];
    let size = (PART_MIN + 3).to_string();
    store
        .send(upload.completion(&listed).header("x-amz-mp-object-size", size.as_str()))
        .expect_status(200);
    let got = store.get("lists", "key").expect_status(200);
    assert!(got.body.len() == PART_MIN + 3 && got.body.ends_with(b"end"));
}

/// "CompleteMultipartUpload is idempotent": the same request again gets the same answer.
#[test]
fn completing_again_says_the_same() {
    let store = Store::start();
    store.make_bucket("again");
    let upload = Upload::begin(&store, "again", "key");
    let parts = [upload.part(1, b"only")];
    let first = upload.complete(&parts).expect_status(200).text();
    assert_eq!(upload.complete(&parts).expect_status(200).text(), first);
    let other = [(1, "\"00000000000000000000000000000000\"".to_owned(), String::new())];
    upload.complete(&other).expect_error(404, "NoSuchUpload");
    upload
        .complete(&[(2, parts[0].1.clone(), String::new())])
        .expect_error(404, "NoSuchUpload");
    // Another object has taken its place.
    store.put("again", "key", b"newer".to_vec()).expect_status(200);
    upload.complete(&parts).expect_error(404, "NoSuchUpload");
    assert_eq!(store.get("again", "key").expect_status(200).body, b"newer");
}

/// Conditions (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>).
#[test]
fn completing_may_be_conditional() {
    let store = Store::start();
    store.make_bucket("conditions");
    let etag = store.put("conditions", "key", b"old".to_vec()).expect_status(200);
    let etag = etag.header("etag").unwrap().to_owned();
    let upload = Upload::begin(&store, "conditions", "key");
    let parts = [upload.part(1, b"new")];
    let conditional = |name: &str, value: &str| store.send(upload.completion(&parts).header(name, value));
    conditional("if-none-match", "*").expect_error(412, "PreconditionFailed");
    conditional("if-match", "\"other\"").expect_error(412, "PreconditionFailed");
    assert_eq!(store.get("conditions", "key").expect_status(200).body, b"old");
    conditional("if-match", &etag).expect_status(200);
    assert_eq!(store.get("conditions", "key").expect_status(200).body, b"new");
    let absent = Upload::begin(&store, "conditions", "absent");
    let parts = [absent.part(1, b"new")];
    let conditional = |name: &str, value: &str| store.send(absent.completion(&parts).header(name, value));
    conditional("if-match", &etag).expect_error(404, "NoSuchKey");
    conditional("if-none-match", "*").expect_status(200);
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html>
#[test]
fn aborted_uploads_are_gone() {
    let mut store = Store::start();
    store.make_bucket("aborted");
    let id = {
        let upload = Upload::begin(&store, "aborted", "key");
        let part = upload.part(1, &random::bytes(1, PART_MIN));
        store.send(upload.request("DELETE")).expect_status(204);
        store.send(upload.request("DELETE")).expect_error(404, "NoSuchUpload");
        store
            .send(upload.part_request(2).body("x"))
            .expect_error(404, "NoSuchUpload");
        upload.complete(&[part]).expect_error(404, "NoSuchUpload");
        upload.list(&[]).expect_error(404, "NoSuchUpload");
        upload.id
    };
    store.restart();
    let again = Request::object("GET", "aborted", "key").query("uploadId", &id);
    store.send(again).expect_error(404, "NoSuchUpload");
}

/// Uploads do not keep a bucket, and go with it: a bucket of the same name has none, and no file of theirs is left.
#[test]
fn uploads_go_with_their_bucket() {
    let store = Store::start();
    let blobs = || {
        let of_blobs = files(&store.data()).into_iter();
        of_blobs
            .filter(|(path, _)| path.to_string_lossy().contains("blob"))
            .count()
    };
    store.make_bucket("gone");
    let uploads: Vec<_> = (0..5)
        .map(|number| {
            let upload = Upload::begin(&store, "gone", &format!("key-{number}"));
            upload.part(1, &random::bytes(number, 1_000_000));
            upload.id
        })
        .collect();
    assert!(blobs() >= uploads.len());
    store.send(Request::bucket("DELETE", "gone")).expect_status(204);
    wait_for("the parts to go", || (blobs() == 0).then_some(()));
    store.make_bucket("gone");
    let listed = store
        .send(Request::bucket("GET", "gone").subresource("uploads"))
        .expect_status(200);
    assert!(xml::inner(&listed.text(), "Upload").is_empty());
}

/// Uploads and what is made of them survive a kill.
#[test]
fn uploads_survive() {
    let mut store = Store::start();
    store.make_bucket("kept");
    let bodies = [random::bytes(1, PART_MIN), random::bytes(2, 100)];
    let upload = Upload::begin(&store, "kept", "open");
    let part = upload.part(1, &bodies[0]);
    let id = upload.id.clone();
    let done = Upload::begin(&store, "kept", "done");
    let parts = [done.part(1, &bodies[0]), done.part(2, &bodies[1])];
    done.complete(&parts).expect_status(200);
    drop((upload, done));
    store.kill9();
    store.start_again();
    assert!(store.get("kept", "done").expect_status(200).body == bodies.concat());
    let second = Request::object("PUT", "kept", "open")
        .query("uploadId", &id)
        .query("partNumber", "2");
    let second = store.send(second.body(bodies[1].clone())).expect_status(200);
    let listed =
        corelane_tests::multipart::list(&[part, (2, second.header("etag").unwrap().to_owned(), String::new())]);
    let complete = Request::object("POST", "kept", "open")
        .query("uploadId", &id)
        .body(listed);
    store.send(complete).expect_status(200);
    assert!(store.get("kept", "open").expect_status(200).body == bodies.concat());
    store.send(Request::object("DELETE", "kept", "open")).expect_status(204);
    store.send(Request::object("DELETE", "kept", "done")).expect_status(204);
    store.send(Request::bucket("DELETE", "kept")).expect_status(204);
}

/// An upload that overwrites an object while it is read, or is deleted while it is read, is read to its end.
#[test]
fn a_reader_keeps_what_it_reads() {
    let store = Store::start();
    store.make_bucket("readers");
    let bodies = [
        random::bytes(1, 2 * PART_MIN),
        random::bytes(2, 2 * PART_MIN),
        random::bytes(3, 2 * PART_MIN),
    ];
    let upload = Upload::begin(&store, "readers", "key");
    let parts: Vec<_> = (1..)
        .zip(&bodies)
        .map(|(number, body)| upload.part(number, body))
        .collect();
    upload.complete(&parts).expect_status(200);
    let mut reader = store.connect();
    reader.send(&store.signed(Request::object("GET", "readers", "key")).to_bytes());
    let (status, _) = reader.receive_head().unwrap();
    assert_eq!(status, 200);
    let mut got = reader.take(1000).unwrap();
    store
        .send(Request::object("DELETE", "readers", "key"))
        .expect_status(204);
    let whole = bodies.concat();
    got.extend(reader.take(whole.len() - 1000).unwrap());
    assert!(got == whole);
    store.get("readers", "key").expect_error(404, "NoSuchKey");
}
