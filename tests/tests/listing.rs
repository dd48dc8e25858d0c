//! Listing: both versions against a model, page by page.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{digest::md5_hex, random::Random, request::Request, store::Store, xml};
use std::collections::BTreeSet;

/// A name in a listing: a key, or a common prefix.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    name: String,
    is_prefix: bool,
}

/// What a listing of all pages must hold.
fn model(keys: &BTreeSet<String>, prefix: &str, delimiter: &str, after: &str) -> Vec<Entry> {
    let mut entries = BTreeSet::new();
    for key in keys
        .iter()
        .filter(|key| key.starts_with(prefix) && key.as_str() > after)
    {
        let rest = &key[prefix.len()..];
        let rolled = (!delimiter.is_empty()).then(|| rest.find(delimiter)).flatten();
        match rolled {
            Some(at) => {
                let name = key[..prefix.len() + at + delimiter.len()].to_owned();
                // A start at or inside a rolled-up prefix has passed it.
                if !after.starts_with(&name) {
                    entries.insert(Entry { name, is_prefix: true });
                }
            }
            None => {
                entries.insert(Entry {
                    name: key.clone(),
                    is_prefix: false,
                });
            }
        }
    }
    entries.into_iter().collect()
}

/// The entries of one page, merged in byte order as S3 counts them.
fn entries(page: &str) -> Vec<Entry> {
    let keys = xml::inner(page, "Contents").into_iter().map(|contents| Entry {
        name: xml::text(contents, "Key").unwrap(),
        is_prefix: false,
    });
    let prefixes = xml::inner(page, "CommonPrefixes").into_iter().map(|common| Entry {
        name: xml::text(common, "Prefix").unwrap(),
        is_prefix: true,
    });
    let keys: Vec<Entry> = keys.collect();
    let prefixes: Vec<Entry> = prefixes.collect();
    assert!(keys.is_sorted() && prefixes.is_sorted(), "{page}");
    let mut all: Vec<Entry> = keys.into_iter().chain(prefixes).collect();
    all.sort();
    all
}

fn is_truncated(page: &str) -> bool {
    match xml::text(page, "IsTruncated").unwrap().as_str() {
        "true" => true,
        "false" => false,
        other => panic!("IsTruncated is {other}"),
    }
}

const BUCKET: &str = "listing";

fn filled_store(keys: &BTreeSet<String>) -> Store {
    let store = Store::start();
    store.make_bucket(BUCKET);
    let mut connection = store.connect();
    for key in keys {
        let put = store.signed(Request::object("PUT", BUCKET, key).body(key.as_str()));
        connection.send(&put.to_bytes());
        connection.receive("PUT").expect_status(200);
    }
    store
}

fn random_keys() -> BTreeSet<String> {
    let mut random = Random::new(11);
    let parts = ["a", "b", "ab", "/", "/", "//", "-", "é", "0", "~", "dir/", "z"];
    (0..160)
        .map(|_| {
            (0..=random.below(6))
                .map(|_| *random.choose(&parts))
                .collect::<String>()
        })
        .collect()
}

#[test]
fn every_listing_is_what_the_model_says_page_by_page() {
    let keys = random_keys();
    let store = filled_store(&keys);
    let mut random = Random::new(12);
    let prefixes = ["", "", "a", "ab", "a/", "/", "//", "dir/", "dir/a", "é", "nothing"];
    let delimiters = ["", "/", "/", "//", "-", "a", "ab", "é", "dir/"];
    let afters = ["", "", "", "a", "a/", "ab/b", "dir/", "dir/0", "é", "~", "zzz", "/"];
    for _ in 0..80 {
        let (prefix, delimiter, after) = (
            *random.choose(&prefixes),
            *random.choose(&delimiters),
            *random.choose(&afters),
        );
        let max_keys = 1 + random.below(40);
        let expected = model(&keys, prefix, delimiter, after);
        let what = format!("prefix {prefix:?} delimiter {delimiter:?} after {after:?} max-keys {max_keys}");
        assert_eq!(
            all_pages_v2(&store, prefix, delimiter, after, max_keys),
            expected,
            "v2 {what}"
        );
        assert_eq!(
            all_pages_v1(&store, prefix, delimiter, after, max_keys),
            expected,
            "v1 {what}"
        );
    }
}

fn request(prefix: &str, delimiter: &str, max_keys: usize) -> Request {
    let mut request = Request::bucket("GET", BUCKET).query("max-keys", &max_keys.to_string());
    if !prefix.is_empty() {
        request = request.query("prefix", prefix);
    }
    if !delimiter.is_empty() {
        request = request.query("delimiter", delimiter);
    }
    request
}

fn all_pages_v2(store: &Store, prefix: &str, delimiter: &str, after: &str, max_keys: usize) -> Vec<Entry> {
    let mut all = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let mut request = request(prefix, delimiter, max_keys).query("list-type", "2");
        if !after.is_empty() {
            request = request.query("start-after", after);
        }
        if let Some(token) = &token {
            request = request.query("continuation-token", token);
        }
        let page = store.send(request).expect_status(200).text();
        let entries = entries(&page);
        assert_eq!(xml::text(&page, "KeyCount").unwrap(), entries.len().to_string());
        assert_eq!(xml::text(&page, "ContinuationToken"), token);
        assert!(entries.len() <= max_keys);
        token = xml::text(&page, "NextContinuationToken");
        assert_eq!(token.is_some(), is_truncated(&page), "{page}");
        if token.is_some() {
            assert_eq!(entries.len(), max_keys, "a page that is not the last is full: {page}");
        }
        all.extend(entries);
        if token.is_none() {
            return all;
        }
    }
}

fn all_pages_v1(store: &Store, prefix: &str, delimiter: &str, after: &str, max_keys: usize) -> Vec<Entry> {
    let mut all: Vec<Entry> = Vec::new();
    let mut marker = after.to_owned();
    loop {
        let mut request = request(prefix, delimiter, max_keys);
        if !marker.is_empty() {
            request = request.query("marker", &marker);
        }
        let page = store.send(request).expect_status(200).text();
        assert_eq!(xml::text(&page, "Marker").unwrap(), marker);
        let entries = entries(&page);
        assert!(entries.len() <= max_keys);
        let truncated = is_truncated(&page);
        all.extend(entries);
        // S3: NextMarker comes only with a delimiter; without one the last key is the next marker.
        let next = xml::text(&page, "NextMarker");
        assert_eq!(next.is_some(), truncated && !delimiter.is_empty(), "{page}");
        if !truncated {
            return all;
        }
        let last = all.last().unwrap().name.clone();
        assert_eq!(next.unwrap_or_else(|| last.clone()), last);
        marker = last;
    }
}

#[test]
fn entries_say_what_there_is_to_say() {
    let store = Store::start();
    store.make_bucket(BUCKET);
    store.put(BUCKET, "folder/one", "content");
    store.put(BUCKET, "two", "");
    let v1 = store.send(Request::bucket("GET", BUCKET)).expect_status(200);
    assert_eq!(v1.header("content-type"), Some("application/xml"));
    let v1 = v1.text();
    assert!(v1.contains("<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"));
    assert_eq!(xml::text(&v1, "Name").unwrap(), BUCKET);
    assert_eq!(xml::text(&v1, "MaxKeys").unwrap(), "1000");
    let contents = xml::inner(&v1, "Contents");
    assert_eq!(contents.len(), 2);
    let one = contents[0];
    assert_eq!(xml::text(one, "Key").unwrap(), "folder/one");
    assert_eq!(xml::text(one, "Size").unwrap(), "7");
    assert_eq!(xml::text(one, "ETag").unwrap(), format!("\"{}\"", md5_hex(b"content")));
    assert_eq!(xml::text(one, "StorageClass").unwrap(), "STANDARD");
    let modified = xml::text(one, "LastModified").unwrap();
    assert!(modified.len() == 24 && modified.ends_with('Z'), "{modified}");
    assert_eq!(xml::text(xml::inner(one, "Owner")[0], "ID").unwrap().len(), 64);

    let v2 = |owner: &str| {
        let request = Request::bucket("GET", BUCKET)
            .query("list-type", "2")
            .query("fetch-owner", owner);
        store.send(request).expect_status(200).text()
    };
    assert!(xml::inner(&v2("false"), "Owner").is_empty());
    assert_eq!(xml::inner(&v2("true"), "Owner").len(), 2);
}

#[test]
fn limits_of_a_page_are_kept() {
    let keys: BTreeSet<String> = (0..1100).map(|number| format!("key-{number:04}")).collect();
    let store = filled_store(&keys);
    let list = |max_keys: &str| {
        store.send(
            Request::bucket("GET", BUCKET)
                .query("list-type", "2")
                .query("max-keys", max_keys),
        )
    };
    for (asked, expected) in [("5000", 1000), ("1000", 1000), ("999", 999), ("1", 1), ("0", 0)] {
        let page = list(asked).expect_status(200).text();
        assert_eq!(xml::inner(&page, "Contents").len(), expected, "max-keys {asked}");
        // Nothing was asked for, so nothing is left: S3 says false for 0.
        assert_eq!(is_truncated(&page), expected != 0, "max-keys {asked}");
    }
    for bad in ["-1", "a", "1.5", "99999999999999999999"] {
        list(bad).expect_error(400, "InvalidArgument");
        let v1 = store.send(Request::bucket("GET", BUCKET).query("max-keys", bad));
        v1.expect_error(400, "InvalidArgument");
    }
    assert_eq!(store.keys(BUCKET), keys.into_iter().collect::<Vec<_>>());
}

#[test]
fn names_are_encoded_when_asked_for() {
    let keys = BTreeSet::from([
        "a b".to_owned(),
        "a&b/c d".to_owned(),
        "\u{1}x".to_owned(),
        "ü/ä".to_owned(),
    ]);
    let store = filled_store(&keys);
    for version in ["1", "2"] {
        let request = Request::bucket("GET", BUCKET)
            .query("list-type", version)
            .query("encoding-type", "url")
            .query("delimiter", "/")
            .query("prefix", "");
        let request = if version == "1" {
            Request {
                parameters: request
                    .parameters
                    .into_iter()
                    .filter(|(name, _)| name != "list-type")
                    .collect(),
                ..request
            }
        } else {
            request
        };
        let page = store.send(request).expect_status(200).text();
        assert_eq!(xml::text(&page, "EncodingType").unwrap(), "url");
        let decode = |text: &String| {
            let decoded = proto::http::percent::decode(&text.replace('+', "%20")).unwrap();
            String::from_utf8(decoded).unwrap()
        };
        let found: Vec<String> = xml::texts(&page, "Key").iter().map(decode).collect();
        assert_eq!(found, ["\u{1}x", "a b"]);
        assert!(xml::texts(&page, "Key").iter().all(|key| !key.contains([' ', '\u{1}'])));
        let prefixes: Vec<String> = xml::inner(&page, "CommonPrefixes")
            .iter()
            .map(|p| decode(&xml::text(p, "Prefix").unwrap()))
            .collect();
        assert_eq!(prefixes, ["a&b/", "ü/"]);
    }
    let bad = Request::bucket("GET", BUCKET).query("encoding-type", "base64");
    store.send(bad).expect_error(400, "InvalidArgument");
}

#[test]
fn a_made_up_continuation_token_is_refused() {
    let store = filled_store(&BTreeSet::from(["key".to_owned()]));
    for token in ["nonsense", "", "AAAA", "%%%"] {
        let request = Request::bucket("GET", BUCKET)
            .query("list-type", "2")
            .query("continuation-token", token);
        store.send(request).expect_error(400, "InvalidArgument");
    }
    store
        .send(Request::bucket("GET", BUCKET).query("list-type", "3"))
        .expect_error(400, "InvalidArgument");
    store
        .send(Request::bucket("GET", "nowhere"))
        .expect_error(404, "NoSuchBucket");
}

#[test]
fn a_listing_shows_what_was_acknowledged_before_it() {
    let store = Store::start();
    store.make_bucket(BUCKET);
    for number in 0..30 {
        let key = format!("key-{number:02}");
        store.put(BUCKET, &key, "x");
        assert_eq!(store.keys(BUCKET).last(), Some(&key));
    }
    for number in (0..30).rev() {
        let key = format!("key-{number:02}");
        store.send(Request::object("DELETE", BUCKET, &key)).expect_status(204);
        assert!(!store.keys(BUCKET).contains(&key));
    }
}
