//! ListParts and ListMultipartUploads.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    digest::{crc32_base64, md5_hex},
    multipart::Upload,
    request::Request,
    store::Store,
    xml,
};

#[test]
fn parts_are_listed_page_by_page() {
    let store = Store::start();
    store.make_bucket("listed");
    let upload = Upload::begin_with(&store, "listed", "a b", &[("x-amz-storage-class", "GLACIER_IR")]);
    let empty = upload.list(&[]).expect_status(200).text();
    assert!(xml::inner(&empty, "Part").is_empty());
    assert_eq!(xml::text(&empty, "IsTruncated").as_deref(), Some("false"));
    assert_eq!(xml::text(&empty, "MaxParts").as_deref(), Some("1000"));
    assert_eq!(xml::text(&empty, "StorageClass").as_deref(), Some("GLACIER_IR"));
    let numbers = [1u32, 2, 3, 500, 9_999, 10_000];
    for number in numbers {
        upload.part(number, number.to_string().as_bytes());
    }
    let text = upload.list(&[]).expect_status(200).text();
    for (element, expected) in [
        ("Bucket", "listed"),
        ("Key", "a b"),
        ("UploadId", upload.id.as_str()),
        ("PartNumberMarker", "0"),
        ("NextPartNumberMarker", "10000"),
        ("IsTruncated", "false"),
    ] {
        assert_eq!(xml::text(&text, element).as_deref(), Some(expected), "{element}");
    }
    let ids = xml::texts(&text, "ID");
    assert!(ids.len() == 2 && ids[0] == ids[1] && ids[0].len() == 64, "{ids:?}");
    let listed: Vec<String> = numbers.iter().map(u32::to_string).collect();
    assert_eq!(xml::texts(&text, "PartNumber"), listed);
    let etags: Vec<String> = listed
        .iter()
        .map(|number| format!("\"{}\"", md5_hex(number.as_bytes())))
        .collect();
    assert_eq!(xml::texts(&text, "ETag"), etags);
    assert_eq!(xml::texts(&text, "Size"), ["1", "1", "1", "3", "4", "5"]);
    assert_eq!(xml::texts(&text, "LastModified").len(), 6);

    let page = |parameters: &[(&str, &str)]| {
        let text = upload.list(parameters).expect_status(200).text();
        (
            xml::texts(&text, "PartNumber").join(","),
            xml::text(&text, "NextPartNumberMarker").unwrap(),
            xml::text(&text, "IsTruncated").unwrap() == "true",
        )
    };
    let page_of = |numbers: &str, next: &str, truncated| (numbers.to_owned(), next.to_owned(), truncated);
    assert_eq!(page(&[("max-parts", "2")]), page_of("1,2", "2", true));
    let second = [("max-parts", "2"), ("part-number-marker", "2")];
    assert_eq!(page(&second), page_of("3,500", "500", true));
    let third = [("max-parts", "2"), ("part-number-marker", "500")];
    assert_eq!(page(&third), page_of("9999,10000", "10000", false));
    assert_eq!(page(&[("max-parts", "0")]), page_of("", "0", false));
    assert_eq!(page(&[("part-number-marker", "10000")]), page_of("", "0", false));
    assert_eq!(page(&[("part-number-marker", "2147483647")]), page_of("", "0", false));
    for (name, value) in [
        ("max-parts", "-1"),
        ("max-parts", "x"),
        ("part-number-marker", "-1"),
        ("part-number-marker", "x"),
        ("max-parts", "2147483648"),
    ] {
        upload.list(&[(name, value)]).expect_error(400, "InvalidArgument");
    }
}

#[test]
fn checksums_are_listed() {
    let store = Store::start();
    store.make_bucket("summed");
    let upload = Upload::begin_with(&store, "summed", "key", &[("x-amz-checksum-algorithm", "CRC32")]);
    let part = upload
        .part_request(1)
        .header("x-amz-checksum-crc32", crc32_base64(b"x"))
        .body("x");
    store.send(part).expect_status(200);
    let text = upload.list(&[]).expect_status(200).text();
    assert_eq!(xml::text(&text, "ChecksumCRC32"), Some(crc32_base64(b"x")));
    assert_eq!(xml::text(&text, "ChecksumAlgorithm").as_deref(), Some("CRC32"));
    assert_eq!(xml::text(&text, "ChecksumType").as_deref(), Some("COMPOSITE"));
}

/// A listing of uploads with these parameters.
fn uploads(store: &Store, parameters: &[(&str, &str)]) -> String {
    let mut request = Request::bucket("GET", "uploads").subresource("uploads");
    for (name, value) in parameters {
        request = request.query(name, value);
    }
    store.send(request).expect_status(200).text()
}

#[test]
fn uploads_are_listed_page_by_page() {
    let store = Store::start();
    store.make_bucket("uploads");
    let none = uploads(&store, &[]);
    assert!(xml::inner(&none, "Upload").is_empty());
    assert_eq!(xml::text(&none, "MaxUploads").as_deref(), Some("1000"));
    let keys = ["a", "a", "a", "b/1", "b/2", "c d", "ü"];
    let begun: Vec<(String, String)> = keys
        .iter()
        .map(|key| ((*key).to_owned(), Upload::begin(&store, "uploads", key).id))
        .collect();
    store.put("uploads", "object", b"no upload".to_vec()).expect_status(200);
    let text = uploads(&store, &[]);
    assert_eq!(xml::text(&text, "IsTruncated").as_deref(), Some("false"));
    assert_eq!(xml::text(&text, "Bucket").as_deref(), Some("uploads"));
    let listed: Vec<_> = xml::texts(&text, "Key")
        .into_iter()
        .zip(xml::texts(&text, "UploadId"))
        .collect();
    assert_eq!(listed, begun);
    assert_eq!(xml::texts(&text, "Initiated").len(), 7);
    assert_eq!(xml::texts(&text, "ID").len(), 14);
    assert!(
        xml::texts(&text, "StorageClass")
            .iter()
            .all(|class| class == "STANDARD")
    );

    // One by one, by both markers.
    let mut seen = Vec::new();
    let (mut key, mut id) = (String::new(), String::new());
    loop {
        let text = uploads(
            &store,
            &[("max-uploads", "1"), ("key-marker", &key), ("upload-id-marker", &id)],
        );
        assert_eq!(xml::text(&text, "KeyMarker").as_deref(), Some(key.as_str()));
        seen.push((xml::text(&text, "Key").unwrap(), xml::text(&text, "UploadId").unwrap()));
        if xml::text(&text, "IsTruncated").as_deref() == Some("false") {
            break;
        }
        key = xml::text(&text, "NextKeyMarker").unwrap();
        id = xml::text(&text, "NextUploadIdMarker").unwrap();
    }
    assert_eq!(seen, begun);
    // A key marker alone passes all uploads of its key; an upload marker alone is ignored.
    let text = uploads(&store, &[("key-marker", "a")]);
    assert_eq!(xml::texts(&text, "Key"), ["b/1", "b/2", "c d", "ü"]);
    assert_eq!(
        xml::inner(&uploads(&store, &[("upload-id-marker", "x")]), "Upload").len(),
        7
    );
    let bad = Request::bucket("GET", "uploads")
        .subresource("uploads")
        .query("key-marker", "a");
    store
        .send(bad.query("upload-id-marker", "x"))
        .expect_error(400, "InvalidArgument");

    let text = uploads(&store, &[("delimiter", "/")]);
    assert_eq!(xml::texts(xml::inner(&text, "CommonPrefixes")[0], "Prefix"), ["b/"]);
    assert_eq!(xml::inner(&text, "Upload").len(), 5);
    let text = uploads(&store, &[("prefix", "b/"), ("delimiter", "/")]);
    assert_eq!(xml::texts(&text, "Key"), ["b/1", "b/2"]);
    let text = uploads(&store, &[("encoding-type", "url"), ("prefix", "c ")]);
    assert_eq!(xml::texts(&text, "Key"), ["c+d"]);
    assert_eq!(xml::text(&text, "EncodingType").as_deref(), Some("url"));
    for (name, value) in [("max-uploads", "-1"), ("max-uploads", "x"), ("encoding-type", "x")] {
        let bad = Request::bucket("GET", "uploads")
            .subresource("uploads")
            .query(name, value);
        store.send(bad).expect_error(400, "InvalidArgument");
    }
    store
        .send(Request::bucket("GET", "no-such-bucket").subresource("uploads"))
        .expect_error(404, "NoSuchBucket");
}
