//! GetObjectAttributes (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html>), and what PutObject
//! keeps besides: storage class, redirect location.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    digest::{crc32_base64, md5_hex},
    multipart::{ListedPart, Upload},
    random,
    raw::Response,
    request::Request,
    store::Store,
    xml,
};

const BUCKET: &str = "attributes";
const ALL: &str = "ETag,Checksum,ObjectParts,StorageClass,ObjectSize";

fn ask(key: &str, attributes: &str) -> Request {
    Request::object("GET", BUCKET, key)
        .subresource("attributes")
        .header("x-amz-object-attributes", attributes)
}

#[test]
fn attributes_of_objects() {
    for route in ["auto", "proxy"] {
        let store = Store::start_with(&["--route", route]);
        store.make_bucket(BUCKET);
        let put = Request::object("PUT", BUCKET, "key")
            .header("x-amz-checksum-crc32", crc32_base64(b"content"))
            .header("x-amz-storage-class", "GLACIER_IR");
        store.send(put.body("content")).expect_status(200);
        let answer = store.send(ask("key", ALL)).expect_status(200);
        assert!(answer.header("last-modified").unwrap().ends_with(" GMT"));
        assert_eq!(answer.header("x-amz-version-id"), None);
        let text = answer.text();
        assert!(text.contains("<GetObjectAttributesResponse xmlns"), "{text}");
        let value = |element: &str| xml::text(&text, element);
        assert_eq!(value("ETag").unwrap(), md5_hex(b"content"));
        assert_eq!(value("ChecksumCRC32").unwrap(), crc32_base64(b"content"));
        assert_eq!(value("ChecksumType").unwrap(), "FULL_OBJECT");
        assert_eq!(value("StorageClass").unwrap(), "GLACIER_IR");
        assert_eq!(value("ObjectSize").unwrap(), "7");
        // It was not made of parts.
        assert_eq!(value("ObjectParts"), None);

        let size_only = store.send(ask("key", "ObjectSize")).expect_status(200).text();
        assert_eq!(xml::text(&size_only, "ObjectSize").unwrap(), "7");
        for element in ["ETag", "Checksum", "StorageClass"] {
            assert_eq!(xml::text(&size_only, element), None);
        }
        // STANDARD is named here, unlike in HEAD.
        store.put(BUCKET, "plain", "x");
        let plain = store.send(ask("plain", ALL)).expect_status(200).text();
        assert_eq!(xml::text(&plain, "StorageClass").unwrap(), "STANDARD");
    }
}

#[test]
fn what_is_no_question() {
    let store = Store::start();
    store.make_bucket(BUCKET);
    store.put(BUCKET, "key", "content");
    let bare = Request::object("GET", BUCKET, "key").subresource("attributes");
    store.send(bare).expect_error(400, "InvalidRequest");
    store.send(ask("key", "")).expect_error(400, "InvalidRequest");
    let unknown = store.send(ask("key", "ETag,Size")).expect_error(400, "InvalidArgument");
    assert_eq!(
        xml::text(&unknown.text(), "ArgumentName").unwrap(),
        "x-amz-object-attributes"
    );
    for name in ["x-amz-max-parts", "x-amz-part-number-marker"] {
        for value in ["-1", "x", "99999999999"] {
            let request = ask("key", ALL).header(name, value);
            store.send(request).expect_error(400, "InvalidArgument");
        }
    }
    store.send(ask("missing", ALL)).expect_error(404, "NoSuchKey");
}

#[test]
fn attributes_of_versions() {
    let store = Store::start();
    store.make_versioned_bucket(BUCKET);
    let version = |answer: &Response| answer.header("x-amz-version-id").unwrap().to_owned();
    let first = version(&store.put(BUCKET, "key", "one"));
    let second = version(&store.put(BUCKET, "key", "three"));
    for (id, size) in [(&first, "3"), (&second, "5")] {
        let answer = store.send(ask("key", ALL).query("versionId", id)).expect_status(200);
        assert_eq!(version(&answer), *id);
        assert_eq!(xml::text(&answer.text(), "ObjectSize").unwrap(), size);
    }
    assert_eq!(version(&store.send(ask("key", ALL)).expect_status(200)), second);
    let marker = version(&store.send(Request::object("DELETE", BUCKET, "key")));
    let hidden = store.send(ask("key", ALL)).expect_error(404, "NoSuchKey");
    assert_eq!(hidden.header("x-amz-delete-marker"), Some("true"));
    let by_id = store.send(ask("key", ALL).query("versionId", &marker));
    let by_id = by_id.expect_error(405, "MethodNotAllowed");
    assert_eq!(by_id.header("x-amz-delete-marker"), Some("true"));
    let missing = ask("key", ALL).query("versionId", "null");
    store.send(missing).expect_error(404, "NoSuchVersion");
}

/// Uploads three parts under CRC32 and completes them; the parts.
fn upload_parts(store: &Store, key: &str, form: &str) -> Vec<Vec<u8>> {
    let declared = [("x-amz-checksum-algorithm", "CRC32"), ("x-amz-checksum-type", form)];
    let upload = Upload::begin_with(store, BUCKET, key, &declared);
    let part_bytes_min = 5 * 1024 * 1024;
    let bodies = vec![
        random::bytes(1, part_bytes_min),
        random::bytes(2, part_bytes_min + 7),
        random::bytes(3, 10),
    ];
    let parts: Vec<ListedPart> = (1..)
        .zip(&bodies)
        .map(|(number, body)| {
            let checksum = crc32_base64(body);
            let request = upload.part_request(number).header("x-amz-checksum-crc32", &checksum);
            let answer = store.send(request.body(body.as_slice())).expect_status(200);
            let etag = answer.header("etag").unwrap().to_owned();
            (number, etag, format!("<ChecksumCRC32>{checksum}</ChecksumCRC32>"))
        })
        .collect();
    upload.complete(&parts).expect_status(200);
    bodies
}

#[test]
fn parts_of_objects() {
    let mut store = Store::start();
    store.make_versioned_bucket(BUCKET);
    let bodies = upload_parts(&store, "composite", "COMPOSITE");
    upload_parts(&store, "full", "FULL_OBJECT");
    store.restart();
    let page = |marker: usize| {
        let request = ask("composite", ALL)
            .header("x-amz-max-parts", "2")
            .header("x-amz-part-number-marker", marker.to_string());
        store.send(request).expect_status(200).text()
    };
    for (marker, numbers, is_truncated) in [(0, 1..=2, "true"), (1, 2..=3, "false"), (2, 3..=3, "false")] {
        let text = page(marker);
        let parts = xml::inner(&text, "Part");
        assert_eq!(parts.len(), numbers.clone().count(), "{text}");
        for (number, part) in numbers.clone().zip(parts) {
            let body = &bodies[number - 1];
            assert_eq!(xml::text(part, "PartNumber").unwrap(), number.to_string());
            assert_eq!(xml::text(part, "Size").unwrap(), body.len().to_string());
            assert_eq!(xml::text(part, "ChecksumCRC32").unwrap(), crc32_base64(body));
        }
        for (element, value) in [
            ("PartsCount", "3".to_owned()),
            ("MaxParts", "2".to_owned()),
            ("IsTruncated", is_truncated.to_owned()),
            ("PartNumberMarker", marker.to_string()),
            ("NextPartNumberMarker", numbers.end().to_string()),
        ] {
            assert_eq!(xml::text(&text, element).as_deref(), Some(value.as_str()), "{element}");
        }
    }
    // The value alone, without the number of parts that HEAD writes behind it.
    let text = page(0);
    let checksum = xml::text(xml::inner(&text, "Checksum")[0], "ChecksumCRC32").unwrap();
    let head = Request::object("HEAD", BUCKET, "composite").header("x-amz-checksum-mode", "ENABLED");
    let head = store.send(head).expect_status(200);
    assert_eq!(
        head.header("x-amz-checksum-crc32"),
        Some(format!("{checksum}-3").as_str())
    );
    assert_eq!(xml::text(&text, "ChecksumType").unwrap(), "COMPOSITE");

    let full = store.send(ask("full", ALL)).expect_status(200).text();
    assert_eq!(xml::inner(&full, "Part"), [""; 0]);
    assert_eq!(xml::text(&full, "PartsCount").unwrap(), "3");
    assert_eq!(xml::text(&full, "ChecksumType").unwrap(), "FULL_OBJECT");
    assert_eq!(
        xml::text(&full, "ChecksumCRC32").unwrap(),
        crc32_base64(&bodies.concat())
    );
}

/// PutObject's API page: x-amz-storage-class, x-amz-website-redirect-location, x-amz-request-payer.
#[test]
fn what_an_object_keeps_besides() {
    let store = Store::start();
    store.make_bucket(BUCKET);
    let put = |name: &str, value: &str| {
        let request = Request::object("PUT", BUCKET, "key").header(name, value);
        store.send(request.body("content"))
    };
    for class in ["STANDARD_IA", "INTELLIGENT_TIERING", "REDUCED_REDUNDANCY"] {
        put("x-amz-storage-class", class).expect_status(200);
        assert_eq!(store.get(BUCKET, "key").header("x-amz-storage-class"), Some(class));
    }
    put("x-amz-storage-class", "STANDARD").expect_status(200);
    assert_eq!(store.get(BUCKET, "key").header("x-amz-storage-class"), None);
    put("x-amz-storage-class", "standard").expect_error(400, "InvalidStorageClass");
    let location = "x-amz-website-redirect-location";
    for target in ["/other", "https://example.org/a?b=c"] {
        put(location, target).expect_status(200);
        let head = store.send(Request::object("HEAD", BUCKET, "key")).expect_status(200);
        assert_eq!(head.header(location), Some(target));
    }
    put(location, "example.org").expect_error(400, "InvalidRedirectLocation");
    put("x-amz-request-payer", "requester").expect_status(200);
    assert_eq!(store.get(BUCKET, "key").header("x-amz-request-charged"), None);
}
