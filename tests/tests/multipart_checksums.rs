//! Checksums of parts and of what is made of them.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html>
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    digest::{base64, crc32_base64},
    multipart::{ListedPart, Upload},
    random,
    raw::Response,
    request::Request,
    store::Store,
    xml,
};
use proto::digest::checksum::{ChecksumAlgorithm, ChecksumHasher};

const PART_MIN: usize = 5 * 1024 * 1024;

fn checksum(algorithm: ChecksumAlgorithm, bytes: &[u8]) -> String {
    let mut hasher = ChecksumHasher::new(algorithm);
    hasher.update(bytes);
    base64(&hasher.finish().value)
}

fn value(algorithm: ChecksumAlgorithm, bytes: &[u8]) -> Vec<u8> {
    let mut hasher = ChecksumHasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish().value
}

/// Uploads a part with its checksum, and names the checksum in the list.
fn part(upload: &Upload<'_>, store: &Store, number: u32, algorithm: ChecksumAlgorithm, body: &[u8]) -> ListedPart {
    let sum = checksum(algorithm, body);
    let request = upload
        .part_request(number)
        .header(algorithm.header(), sum.as_str())
        .body(body);
    let answer = store.send(request).expect_status(200);
    assert_eq!(answer.header(algorithm.header()), Some(sum.as_str()));
    let etag = answer.header("etag").unwrap().to_owned();
    (number, etag, element(algorithm, &sum))
}

fn element(algorithm: ChecksumAlgorithm, sum: &str) -> String {
    let name = format!("Checksum{}", algorithm.name());
    format!("<{name}>{sum}</{name}>")
}

fn head(store: &Store, key: &str) -> Response {
    let request = Request::object("HEAD", "sums", key).header("x-amz-checksum-mode", "ENABLED");
    store.send(request)
}

#[test]
fn every_algorithm_and_form() {
    let store = Store::start();
    store.make_bucket("sums");
    let bodies = [random::bytes(1, PART_MIN), random::bytes(2, 70_000)];
    let whole = bodies.concat();
    for algorithm in ChecksumAlgorithm::ALL {
        for form in ["COMPOSITE", "FULL_OBJECT"] {
            let key = format!("{}-{form}", algorithm.name());
            let declared = [
                ("x-amz-checksum-algorithm", algorithm.name()),
                ("x-amz-checksum-type", form),
            ];
            let is_crc = algorithm.name().starts_with("CRC");
            let exists = if form == "COMPOSITE" {
                algorithm != ChecksumAlgorithm::Crc64Nvme
            } else {
                is_crc
            };
            if !exists {
                let mut request = Request::object("POST", "sums", &key).subresource("uploads");
                for (name, value) in declared {
                    request = request.header(name, value);
                }
                store.send(request).expect_error(400, "InvalidRequest");
                continue;
            }
            let upload = Upload::begin_with(&store, "sums", &key, &declared);
            let parts: Vec<_> = (1..)
                .zip(&bodies)
                .map(|(number, body)| part(&upload, &store, number, algorithm, body))
                .collect();
            let expected = match form {
                "COMPOSITE" => {
                    let values: Vec<u8> = bodies.iter().flat_map(|body| value(algorithm, body)).collect();
                    format!("{}-2", checksum(algorithm, &values))
                }
                _ => checksum(algorithm, &whole),
            };
            let wrong = upload
                .completion(&parts)
                .header(algorithm.header(), checksum(algorithm, b"other"));
            store.send(wrong).expect_error(400, "BadDigest");
            let right = upload.completion(&parts).header(algorithm.header(), expected.as_str());
            let answer = store.send(right).expect_status(200).text();
            let name = format!("Checksum{}", algorithm.name());
            assert_eq!(xml::text(&answer, &name), Some(expected.clone()), "{key}");
            assert_eq!(xml::text(&answer, "ChecksumType").as_deref(), Some(form));
            let head = head(&store, &key).expect_status(200);
            assert_eq!(head.header(algorithm.header()), Some(expected.as_str()));
            assert_eq!(head.header("x-amz-checksum-type"), Some(form));
            // A part has its own.
            let first = Request::object("GET", "sums", &key)
                .query("partNumber", "2")
                .header("x-amz-checksum-mode", "ENABLED");
            let first = store.send(first).expect_status(206);
            let of_part = checksum(algorithm, &bodies[1]);
            assert_eq!(first.header(algorithm.header()), Some(of_part.as_str()));
            // A range has none.
            let range = Request::object("GET", "sums", &key).header("x-amz-checksum-mode", "ENABLED");
            let range = store.send(range.header("range", "bytes=0-1")).expect_status(206);
            assert_eq!(range.header(algorithm.header()), None);
        }
    }
}

/// Without a word about checksums, S3 adds its own.
#[test]
fn what_is_added_by_itself() {
    let store = Store::start();
    store.make_bucket("sums");
    let bodies = [random::bytes(1, PART_MIN), random::bytes(2, 1)];
    let upload = Upload::begin(&store, "sums", "key");
    let parts: Vec<_> = (1..)
        .zip(&bodies)
        .map(|(number, body)| upload.part(number, body))
        .collect();
    upload.complete(&parts).expect_status(200);
    let expected = checksum(ChecksumAlgorithm::Crc64Nvme, &bodies.concat());
    let head = head(&store, "key").expect_status(200);
    assert_eq!(head.header("x-amz-checksum-crc64nvme"), Some(expected.as_str()));
    assert_eq!(head.header("x-amz-checksum-type"), Some("FULL_OBJECT"));
}

#[test]
fn parts_must_fit_their_upload() {
    let store = Store::start();
    store.make_bucket("sums");
    let begin = |algorithm: &str, form: &str| {
        let declared = [("x-amz-checksum-algorithm", algorithm), ("x-amz-checksum-type", form)];
        Upload::begin_with(&store, "sums", "key", &declared)
    };
    let upload = begin("SHA1", "COMPOSITE");
    let other = upload
        .part_request(1)
        .header("x-amz-checksum-crc32", crc32_base64(b"x"))
        .body("x");
    let text = store.send(other).expect_error(400, "InvalidRequest").text();
    assert_eq!(
        xml::text(&text, "Message").as_deref(),
        Some("Checksum Type mismatch occurred, expected checksum Type: sha1, actual checksum Type: crc32")
    );
    store
        .send(upload.part_request(1).body("x"))
        .expect_error(400, "InvalidRequest");
    let wrong = upload
        .part_request(1)
        .header("x-amz-checksum-sha1", checksum(ChecksumAlgorithm::Sha1, b"y"))
        .body("x");
    store.send(wrong).expect_error(400, "BadDigest");
    let right = part(&upload, &store, 1, ChecksumAlgorithm::Sha1, b"x");
    let (second, third) = (
        part(&upload, &store, 2, ChecksumAlgorithm::Sha1, b"x"),
        part(&upload, &store, 3, ChecksumAlgorithm::Sha1, b"x"),
    );
    // All of them in the list, without a gap, and right.
    let bare = (1, right.1.clone(), String::new());
    let text = upload.complete(&[bare]).expect_error(400, "InvalidRequest").text();
    assert_eq!(
        xml::text(&text, "Message").as_deref(),
        Some(
            "The upload was created using a sha1 checksum. The complete request must include the checksum for each part. \
             It was missing for part 1 in the request."
        )
    );
    upload
        .complete(&[second.clone(), third])
        .expect_error(400, "InvalidPartOrder");
    let false_sum = element(ChecksumAlgorithm::Sha1, &checksum(ChecksumAlgorithm::Sha1, b"y"));
    upload
        .complete(&[(1, right.1.clone(), false_sum)])
        .expect_error(400, "InvalidPart");
    let typed = upload
        .completion(std::slice::from_ref(&right))
        .header("x-amz-checksum-type", "FULL_OBJECT");
    store.send(typed).expect_error(400, "InvalidRequest");
    let other = upload
        .completion(std::slice::from_ref(&right))
        .header("x-amz-checksum-crc32", crc32_base64(b"x"));
    store.send(other).expect_error(400, "InvalidRequest");
    upload.complete(&[right]).expect_status(200);

    // The whole's is made of them: what the client leaves out is computed.
    let upload = begin("CRC32", "FULL_OBJECT");
    let answer = store.send(upload.part_request(1).body("x")).expect_status(200);
    assert_eq!(answer.header("x-amz-checksum-crc32"), Some(crc32_base64(b"x").as_str()));
    let listed = (1, answer.header("etag").unwrap().to_owned(), String::new());
    upload.complete(&[listed]).expect_status(200);
    let head = head(&store, "key").expect_status(200);
    assert_eq!(head.header("x-amz-checksum-crc32"), Some(crc32_base64(b"x").as_str()));
}

#[test]
fn what_an_upload_cannot_be_begun_with() {
    let store = Store::start();
    store.make_bucket("sums");
    for declared in [
        &[("x-amz-checksum-algorithm", "MD4")][..],
        &[("x-amz-checksum-type", "COMPOSITE")],
        &[("x-amz-checksum-algorithm", "CRC32"), ("x-amz-checksum-type", "HALF")],
    ] {
        let mut request = Request::object("POST", "sums", "key").subresource("uploads");
        for (name, value) in declared {
            request = request.header(name, *value);
        }
        store.send(request).expect_error(400, "InvalidRequest");
    }
    let begun = Request::object("POST", "sums", "key")
        .subresource("uploads")
        .header("x-amz-checksum-algorithm", "sha256");
    let begun = store.send(begun).expect_status(200);
    assert_eq!(begun.header("x-amz-checksum-algorithm"), Some("SHA256"));
    assert_eq!(begun.header("x-amz-checksum-type"), Some("COMPOSITE"));
}
