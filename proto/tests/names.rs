//! Bucket names, keys and paths: any key S3 allows comes through a path unchanged, at `/` and at `/s3`.
#![allow(clippy::unwrap_used)]

use corelane_proto::{
    error::ErrorCode,
    http::percent,
    s3::{
        name::{BucketName, ObjectKey, Target},
        query::Query,
    },
};
use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

#[test]
fn awkward_keys_survive_every_way_of_writing_them() {
    for key in [
        "a",
        "a/b",
        "a/",
        "/",
        "//",
        "//a//",
        ".",
        "..",
        "../..",
        "./a/../b",
        " ",
        "+",
        "%",
        "%2F",
        "a?b#c",
        "&=;",
        "\"'<>",
        "\\",
        "\0",
        "\n",
        "\u{7f}",
        "é",
        "e\u{301}",
        "日本語",
        "\u{10ffff}",
        "s3",
        "s3/x",
        "~-._",
        &"k".repeat(1024),
        &"é".repeat(512),
        &"/".repeat(1024),
    ] {
        let every_byte: String = key.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for written in [
            percent::encode(key.as_bytes(), true),
            percent::encode(key.as_bytes(), false),
            every_byte,
        ] {
            for root in ["", "/s3"] {
                let target = Target::parse(&format!("{root}/bucket/{written}")).unwrap();
                assert_eq!(target.key().unwrap().as_str(), key);
                assert_eq!(target.bucket().unwrap().as_str(), "bucket");
            }
        }
    }
}

#[test]
fn the_prefix_is_taken_off_once() {
    let target = Target::parse("/s3/s3/key");
    assert_eq!(target.unwrap_err().code, ErrorCode::InvalidBucketName);
    let target = Target::parse("/s3/bucket/s3/key").unwrap();
    assert_eq!(target.key().unwrap().as_str(), "s3/key");
}

proptest! {
    #[test]
    fn any_key(key in "\\PC{1,40}|[\u{0}-\u{10ffff}]{1,40}") {
        let target = Target::parse(&format!("/s3/a.b-c/{}", percent::encode(key.as_bytes(), true))).unwrap();
        prop_assert_eq!(target, Target::Object(BucketName::parse("a.b-c").unwrap(), ObjectKey::parse(key).unwrap()));
    }

    /// No path makes a panic, and none names a bucket that breaks the rules or a key that is empty or too long.
    #[test]
    fn any_path(path in "/?(s3/)?[a-z0-9.%/A-F-]{0,30}|[ -~]{0,20}") {
        if let Ok(target) = Target::parse(&path) {
            if let Some(bucket) = target.bucket() {
                prop_assert!(BucketName::parse(bucket.as_str()).is_ok());
            }
            if let Some(key) = target.key() {
                prop_assert!(ObjectKey::parse(key.as_str()).is_ok());
            }
        }
    }

    #[test]
    fn bucket_names(name in "[a-z0-9.-]{1,8}|[a-z]{60,66}|[0-9]{1,3}(\\.[0-9]{1,3}){3}|[ -~é]{3,6}") {
        let edge = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let bytes = name.as_bytes();
        let expected = (3..=63).contains(&bytes.len())
            && bytes.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-'))
            && edge(bytes.first())
            && edge(bytes.last())
            && !name.contains("..")
            && name.parse::<std::net::Ipv4Addr>().is_err()
            && !["xn--", "sthree-"].iter().any(|prefix| name.starts_with(prefix))
            && !["--x-s3", ".mrap", "--ol-s3"].iter().any(|suffix| name.ends_with(suffix));
        // S3 refuses the format of an address; numbers above 255 and leading zeros are no address to the standard library.
        let is_like_ipv4 = name.split('.').count() == 4 && name.split('.').all(|part| part.parse::<u16>().is_ok());
        prop_assert_eq!(BucketName::parse(&name).is_ok(), expected && !is_like_ipv4);
    }

    #[test]
    fn queries_round_trip(parameters in prop::collection::vec(("\\PC{1,8}", any::<String>()), 0..5)) {
        let raw: Vec<String> = parameters
            .iter()
            .map(|(name, value)| {
                format!("{}={}", percent::encode(name.as_bytes(), false), percent::encode(value.as_bytes(), false))
            })
            .collect();
        let query = Query::parse(&raw.join("&")).unwrap();
        let read: Vec<(String, String)> = query.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        prop_assert_eq!(read, parameters);
    }
}
