//! ListObjectVersions (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html>).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{raw::Response, request::Request, store::Store, xml};
use std::collections::BTreeMap;

const BUCKET: &str = "listed";

/// What a listing says of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listed {
    key: String,
    id: String,
    is_latest: bool,
    is_marker: bool,
}

fn list(store: &Store, parameters: &[(&str, &str)]) -> Response {
    let request = Request::bucket("GET", BUCKET).subresource("versions");
    let request = parameters
        .iter()
        .fold(request, |request, (name, value)| request.query(name, value));
    store.send(request)
}

/// Versions and delete markers in the order of the document.
fn entries(text: &str) -> Vec<Listed> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = [rest.find("<Version>"), rest.find("<DeleteMarker>")]
        .into_iter()
        .flatten()
        .min()
    {
        let is_marker = rest[start..].starts_with("<DeleteMarker>");
        let element = if is_marker { "DeleteMarker" } else { "Version" };
        let inner = xml::inner(&rest[start..], element)[0];
        found.push(Listed {
            key: xml::text(inner, "Key").unwrap(),
            id: xml::text(inner, "VersionId").unwrap(),
            is_latest: xml::text(inner, "IsLatest").unwrap() == "true",
            is_marker,
        });
        rest = &rest[start + inner.len()..];
    }
    found
}

fn prefixes(text: &str) -> Vec<String> {
    let common = xml::inner(text, "CommonPrefixes");
    common.iter().map(|inner| xml::text(inner, "Prefix").unwrap()).collect()
}

/// All pages of `max_keys`: versions, and common prefixes.
fn all_pages(store: &Store, parameters: &[(&str, &str)], max_keys: usize) -> (Vec<Listed>, Vec<String>) {
    let (mut listed, mut common) = (Vec::new(), Vec::new());
    let mut markers: Vec<(&str, String)> = Vec::new();
    loop {
        let size = max_keys.to_string();
        let mut asked = parameters.to_vec();
        asked.push(("max-keys", &size));
        asked.extend(markers.iter().map(|(name, value)| (*name, value.as_str())));
        let text = list(store, &asked).expect_status(200).text();
        let (page, rolled_up) = (entries(&text), prefixes(&text));
        assert!(page.len() + rolled_up.len() <= max_keys, "{text}");
        let is_truncated = xml::text(&text, "IsTruncated").unwrap() == "true";
        assert!(!is_truncated || page.len() + rolled_up.len() == max_keys, "{text}");
        listed.extend(page);
        common.extend(rolled_up);
        let (key, id) = (
            xml::text(&text, "NextKeyMarker"),
            xml::text(&text, "NextVersionIdMarker"),
        );
        assert_eq!(key.is_some(), is_truncated, "{text}");
        let Some(key) = key else {
            assert_eq!(id, None);
            return (listed, common);
        };
        markers = vec![("key-marker", key)];
        markers.extend(id.map(|id| ("version-id-marker", id)));
    }
}

/// A bucket with a history: what it is to list, in order.
fn history(store: &Store) -> Vec<Listed> {
    store.make_bucket(BUCKET);
    let mut versions: BTreeMap<String, Vec<(String, bool)>> = BTreeMap::new();
    let mut note = |key: &str, answer: &Response, is_marker: bool| {
        let id = answer.header("x-amz-version-id").unwrap_or("null").to_owned();
        versions.entry(key.to_owned()).or_default().insert(0, (id, is_marker));
    };
    let keys = ["a", "a/1", "a/2", "b", "c d", "ü/ä", "z&<"];
    for key in &keys[..3] {
        note(key, &store.put(BUCKET, key, "null"), false);
    }
    store.set_versioning(BUCKET, "Enabled");
    for round in 0..3 {
        for key in keys {
            note(key, &store.put(BUCKET, key, format!("{key} {round}")), false);
            if (key.len() + round) % 3 == 0 {
                note(key, &store.send(Request::object("DELETE", BUCKET, key)), true);
            }
        }
    }
    let mut expected = Vec::new();
    for (key, versions) in versions {
        for (place, (id, is_marker)) in versions.into_iter().enumerate() {
            let key = key.clone();
            expected.push(Listed {
                key,
                id,
                is_latest: place == 0,
                is_marker,
            });
        }
    }
    expected
}

#[test]
fn versions_and_markers_are_listed_newest_first() {
    let store = Store::start();
    let expected = history(&store);
    let text = list(&store, &[]).expect_status(200).text();
    assert_eq!(entries(&text), expected);
    for (element, value) in [
        ("Name", BUCKET),
        ("Prefix", ""),
        ("KeyMarker", ""),
        ("VersionIdMarker", ""),
        ("MaxKeys", "1000"),
        ("IsTruncated", "false"),
    ] {
        assert_eq!(xml::text(&text, element).as_deref(), Some(value), "{element}");
    }
    for version in xml::inner(&text, "Version") {
        assert_eq!(xml::text(version, "StorageClass").unwrap(), "STANDARD");
        assert!(xml::text(version, "ETag").unwrap().starts_with('"'));
        assert!(xml::text(version, "Size").is_some());
        assert_eq!(xml::text(version, "ChecksumType").unwrap(), "FULL_OBJECT");
        assert!(xml::text(version, "ChecksumAlgorithm").is_some());
        assert_eq!(xml::text(version, "ID").unwrap().len(), 64);
        assert!(xml::text(version, "LastModified").unwrap().ends_with('Z'));
    }
    for marker in xml::inner(&text, "DeleteMarker") {
        assert_eq!(xml::text(marker, "ID").unwrap().len(), 64);
        for element in ["ETag", "Size", "StorageClass"] {
            assert_eq!(xml::text(marker, element), None);
        }
    }
}

#[test]
fn pages_of_every_size_hold_the_same() {
    let store = Store::start();
    let expected = history(&store);
    for max_keys in [1, 2, 3, 5, 7, 100] {
        assert_eq!(
            all_pages(&store, &[], max_keys),
            (expected.clone(), Vec::new()),
            "{max_keys}"
        );
    }
    for prefix in ["a", "a/", "c", "zz", "ü"] {
        let of_prefix: Vec<Listed> = expected
            .iter()
            .filter(|listed| listed.key.starts_with(prefix))
            .cloned()
            .collect();
        for max_keys in [1, 3, 100] {
            assert_eq!(
                all_pages(&store, &[("prefix", prefix)], max_keys).0,
                of_prefix,
                "{prefix}"
            );
        }
    }
    for max_keys in [1, 2, 3, 100] {
        let (listed, common) = all_pages(&store, &[("delimiter", "/")], max_keys);
        let rolled_out: Vec<Listed> = expected
            .iter()
            .filter(|listed| !listed.key.contains('/'))
            .cloned()
            .collect();
        assert_eq!(listed, rolled_out, "{max_keys}");
        assert_eq!(common, ["a/", "ü/"], "{max_keys}");
    }
}

#[test]
fn markers_and_their_rules() {
    let store = Store::start();
    let expected = history(&store);
    let after = |parameters: &[(&str, &str)]| entries(&list(&store, parameters).expect_status(200).text());
    let behind = |key: &str| -> Vec<Listed> {
        let behind = expected.iter().filter(|listed| listed.key.as_str() > key);
        behind.cloned().collect()
    };
    // Without a version, all versions of the key are behind.
    assert_eq!(after(&[("key-marker", "a/1")]), behind("a/1"));
    assert_eq!(after(&[("key-marker", "not there")]), behind("not there"));
    assert_eq!(after(&[("key-marker", "")]), expected);
    for place in 0..expected.len() {
        let from = &expected[place];
        let parameters = [
            ("key-marker", from.key.as_str()),
            ("version-id-marker", from.id.as_str()),
        ];
        assert_eq!(after(&parameters), expected[place + 1..], "{from:?}");
        let text = list(&store, &parameters).text();
        assert_eq!(xml::text(&text, "KeyMarker").unwrap(), from.key);
        assert_eq!(xml::text(&text, "VersionIdMarker").unwrap(), from.id);
    }
    let refused = |parameters: &[(&str, &str)], message: &str| {
        let answer = list(&store, parameters).expect_error(400, "InvalidArgument");
        assert_eq!(xml::text(&answer.text(), "Message").as_deref(), Some(message));
    };
    refused(
        &[("version-id-marker", "null")],
        "A version-id marker cannot be specified without a key marker.",
    );
    let empty = [("key-marker", "a"), ("version-id-marker", "")];
    refused(&empty, "A version-id marker cannot be empty.");
    let malformed = [("key-marker", "a"), ("version-id-marker", "x"), ("encoding-type", "x")];
    refused(&malformed, "Invalid version id specified");
    refused(
        &[("encoding-type", "x")],
        "Invalid Encoding Method specified in Request",
    );
    refused(&[("encoding-type", "")], "Invalid Encoding Method specified in Request");
    list(&store, &[("max-keys", "-1")]).expect_error(400, "InvalidArgument");
    list(&store, &[("max-keys", "x")]).expect_error(400, "InvalidArgument");
    let none = list(&store, &[("max-keys", "0")]).expect_status(200).text();
    assert_eq!(
        (entries(&none), xml::text(&none, "MaxKeys").as_deref()),
        (Vec::new(), Some("0"))
    );
    let request = Request::bucket("GET", "missing").subresource("versions");
    store.send(request).expect_error(404, "NoSuchBucket");
}

#[test]
fn names_are_encoded_when_asked() {
    let store = Store::start();
    history(&store);
    let text = list(
        &store,
        &[("encoding-type", "url"), ("prefix", "c d"), ("delimiter", " e")],
    );
    let text = text.expect_status(200).text();
    assert_eq!(xml::text(&text, "EncodingType").unwrap(), "url");
    assert_eq!(xml::text(&text, "Prefix").unwrap(), "c+d");
    assert_eq!(xml::text(&text, "Delimiter").unwrap(), "+e");
    assert_eq!(xml::text(&text, "Key").unwrap(), "c+d");
}

/// Buckets that never had versions list their objects as null versions.
#[test]
fn buckets_without_versions() {
    let store = Store::start();
    store.make_bucket(BUCKET);
    for key in ["a", "b/1", "b/2"] {
        store.put(BUCKET, key, "x");
    }
    let expected: Vec<Listed> = ["a", "b/1", "b/2"]
        .map(|key| Listed {
            key: key.to_owned(),
            id: "null".to_owned(),
            is_latest: true,
            is_marker: false,
        })
        .to_vec();
    assert_eq!(all_pages(&store, &[], 2), (expected.clone(), Vec::new()));
    assert_eq!(
        all_pages(&store, &[("delimiter", "/")], 1),
        (expected[..1].to_vec(), vec!["b/".to_owned()])
    );
}
