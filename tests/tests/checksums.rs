//! Checksums of single uploads: verified before the object is there, kept, and given back
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html>).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{command::Clients, raw::Response, request::Request, sign::unsigned_chunks, store::Store};
use proto::digest::checksum::{ChecksumAlgorithm, ChecksumHasher};

const BUCKET: &str = "sums";

fn store() -> Store {
    let store = Store::start();
    store.make_bucket(BUCKET);
    store
}

fn base64_of(algorithm: ChecksumAlgorithm, payload: &[u8]) -> String {
    let mut hasher = ChecksumHasher::new(algorithm);
    hasher.update(payload);
    hasher.finish().to_base64()
}

fn put(key: &str, payload: &[u8]) -> Request {
    Request::object("PUT", BUCKET, key).body(payload)
}

/// Every checksum header of an answer.
fn checksums(answer: &Response) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = answer
        .headers
        .iter()
        .filter(|(name, _)| name.to_ascii_lowercase().starts_with("x-amz-checksum-"))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
        .collect();
    found.sort();
    found
}

fn expected(algorithm: ChecksumAlgorithm, payload: &[u8]) -> Vec<(String, String)> {
    let mut expected = vec![
        (algorithm.header().to_owned(), base64_of(algorithm, payload)),
        ("x-amz-checksum-type".to_owned(), "FULL_OBJECT".to_owned()),
    ];
    expected.sort();
    expected
}

fn read(store: &Store, method: &str, key: &str, mode: &str) -> Response {
    store.send(Request::object(method, BUCKET, key).header("x-amz-checksum-mode", mode))
}

/// Of empty, small, buffered and large objects, which take different ways through a core.
#[test]
fn every_algorithm_is_verified_kept_and_given_back() {
    let store = store();
    for (algorithm, length) in ChecksumAlgorithm::ALL
        .into_iter()
        .zip([0, 9, 40_000, 300_000].into_iter().cycle())
    {
        let payload = vec![b'p'; length];
        let name = algorithm.header();
        let answer = store.send(put("key", &payload).header(name, base64_of(algorithm, &payload)));
        assert_eq!(checksums(&answer.expect_status(200)), expected(algorithm, &payload));
        for method in ["GET", "HEAD"] {
            let answer = read(&store, method, "key", "ENABLED").expect_status(200);
            assert_eq!(checksums(&answer), expected(algorithm, &payload), "{name}");
            // Only those who ask get it.
            let answer = store.send(Request::object(method, BUCKET, "key")).expect_status(200);
            assert_eq!(checksums(&answer), []);
        }
        // https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-download.html: not for a range.
        if length > 0 {
            let range = Request::object("GET", BUCKET, "key").header("Range", "bytes=0-3");
            let answer = store
                .send(range.header("x-amz-checksum-mode", "ENABLED"))
                .expect_status(206);
            assert_eq!(checksums(&answer), []);
        }
        let message = format!(
            "The {} you specified did not match the calculated checksum.",
            algorithm.name()
        );
        let wrong = store
            .send(put("key", b"other").header(name, base64_of(algorithm, b"one")))
            .expect_error(400, "BadDigest");
        assert!(wrong.text().contains(&message), "{}", wrong.text());
        assert_eq!(store.get(BUCKET, "key").body, payload);
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html#trailing-checksums>.
#[test]
fn every_algorithm_may_come_in_a_trailer() {
    let store = store();
    let payload = vec![b't'; 70_000];
    let trailing = |algorithm: ChecksumAlgorithm, value: &str| {
        let name = algorithm.header();
        put("key", &unsigned_chunks(&payload, 65_536, name, value))
            .header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
            .header("x-amz-decoded-content-length", payload.len().to_string())
            .header("x-amz-trailer", name)
            .header("x-amz-sdk-checksum-algorithm", algorithm.name())
    };
    for algorithm in ChecksumAlgorithm::ALL {
        let answer = store
            .send(trailing(algorithm, &base64_of(algorithm, &payload)))
            .expect_status(200);
        assert_eq!(checksums(&answer), expected(algorithm, &payload));
        assert_eq!(
            checksums(&read(&store, "HEAD", "key", "enabled")),
            expected(algorithm, &payload)
        );
        store
            .send(trailing(algorithm, &base64_of(algorithm, b"x")))
            .expect_error(400, "BadDigest");
        store
            .send(trailing(algorithm, "AAA="))
            .expect_error(400, "InvalidRequest");
    }
    // What was promised must come, and must have a place to come to.
    let request = put("key", &unsigned_chunks(&payload, 65_536, "x-amz-meta-a", "b"))
        .header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
        .header("x-amz-decoded-content-length", payload.len().to_string())
        .header("x-amz-trailer", "x-amz-checksum-crc32");
    assert_eq!(store.send(request).status, 400);
    let nowhere = put("key", b"x").header("x-amz-trailer", "x-amz-checksum-crc32");
    store.send(nowhere).expect_error(400, "MalformedTrailerError");
}

/// "If you don't specify a checksum ... Amazon S3 adds the default checksum, CRC64NVME, to the uploaded object."
#[test]
fn objects_without_a_checksum_get_crc64nvme() {
    let store = store();
    for length in [0, 5, 300_000] {
        let payload = vec![b'n'; length];
        let answer = store.send(put("key", &payload)).expect_status(200);
        assert_eq!(checksums(&answer), expected(ChecksumAlgorithm::Crc64Nvme, &payload));
        let answer = read(&store, "GET", "key", "ENABLED");
        assert_eq!(checksums(&answer), expected(ChecksumAlgorithm::Crc64Nvme, &payload));
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>: x-amz-checksum-*, x-amz-sdk-checksum-algorithm.
#[test]
fn what_is_declared_wrongly_is_refused() {
    let store = store();
    let crc32 = base64_of(ChecksumAlgorithm::Crc32, b"123456789");
    let crc32 = crc32.as_str();
    for (headers, code, message) in [
        (
            vec![("x-amz-checksum-crc32", "")],
            "InvalidRequest",
            "Value for x-amz-checksum-crc32 header is invalid.",
        ),
        (
            vec![("x-amz-checksum-crc32", "short===")],
            "InvalidRequest",
            "Value for x-amz-checksum-crc32 header is invalid.",
        ),
        (
            vec![("x-amz-checksum-crc32", "y/Q5Jh==")],
            "InvalidRequest",
            "Value for x-amz-checksum-crc32 header is invalid.",
        ),
        (
            vec![("x-amz-checksum-sha256", crc32)],
            "InvalidRequest",
            "Value for x-amz-checksum-sha256 header is invalid.",
        ),
        (
            vec![
                ("x-amz-checksum-crc32", crc32),
                ("x-amz-checksum-sha1", "98O8HYCOBHMq32eZZczDTKeuNEE="),
            ],
            "InvalidRequest",
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        ),
        (
            vec![("x-amz-checksum-crc16", "AAA=")],
            "InvalidRequest",
            "The algorithm type you specified in x-amz-checksum- header is invalid.",
        ),
        (
            vec![("x-amz-sdk-checksum-algorithm", "CRC32")],
            "InvalidRequest",
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.",
        ),
        (
            vec![("x-amz-sdk-checksum-algorithm", "MD4"), ("x-amz-checksum-crc32", crc32)],
            "InvalidRequest",
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, \
             CRC64NVME, MD5, SHA1, SHA256, SHA512, XXHASH128, XXHASH3, XXHASH64]",
        ),
        (
            vec![
                ("x-amz-sdk-checksum-algorithm", "SHA1"),
                ("x-amz-checksum-crc32", crc32),
            ],
            "BadDigest",
            "The SHA1 you specified did not match the calculated checksum.",
        ),
    ] {
        let request = headers.iter().fold(put("key", b"123456789"), |request, (name, value)| {
            request.header(name, *value)
        });
        let answer = store.send(request).expect_error(400, code);
        assert!(
            answer.text().contains(&format!("<Message>{message}</Message>")),
            "{}",
            answer.text()
        );
        store.get(BUCKET, "key").expect_status(404);
    }
    store.put(BUCKET, "key", "x");
    read(&store, "GET", "key", "INVALID").expect_error(400, "InvalidRequest");
    read(&store, "HEAD", "key", "INVALID").expect_status(400);
}

#[test]
fn boto3_sends_and_checks_them() {
    let store = Store::start();
    Clients::new(&store)
        .python("boto3_checksums.py", &[])
        .ok()
        .says("all passed");
}
