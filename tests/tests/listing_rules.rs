//! Listings to the letter: what is echoed, encoded, ignored and refused
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html>).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{raw::Response, request::Request, store::Store, xml};

const BUCKET: &str = "rules";

fn filled(keys: &[&str]) -> Store {
    let store = Store::start();
    store.make_bucket(BUCKET);
    for key in keys {
        store.put(BUCKET, key, *key);
    }
    store
}

fn list(store: &Store, parameters: &[(&str, &str)]) -> Response {
    let request = Request::bucket("GET", BUCKET);
    store.send(
        parameters
            .iter()
            .fold(request, |request, (name, value)| request.query(name, value)),
    )
}

#[track_caller]
fn page(store: &Store, parameters: &[(&str, &str)]) -> String {
    list(store, parameters).expect_status(200).text()
}

fn keys(page: &str) -> Vec<String> {
    xml::texts(page, "Key")
}

fn prefixes(page: &str) -> Vec<String> {
    let common = xml::inner(page, "CommonPrefixes");
    common.iter().map(|inner| xml::text(inner, "Prefix").unwrap()).collect()
}

/// The text of an element of the page itself, still escaped.
fn element<'p>(page: &'p str, name: &str) -> Option<&'p str> {
    let before = page
        .find("<Contents>")
        .or(page.find("<CommonPrefixes>"))
        .unwrap_or(page.len());
    xml::inner(&page[..before], name).first().copied()
}

#[test]
fn everything_that_holds_a_name_is_encoded() {
    let store = filled(&["a b/ü+1", "a b/ü+2", "a b/~*", "c"]);
    let common = [
        ("encoding-type", "url"),
        ("prefix", "a b/"),
        ("delimiter", "+"),
        ("max-keys", "1"),
    ];
    let first = page(&store, &[&common[..], &[("marker", "a b/ ")]].concat());
    assert_eq!(element(&first, "Prefix"), Some("a+b/"));
    assert_eq!(element(&first, "Delimiter"), Some("%2B"));
    assert_eq!(element(&first, "Marker"), Some("a+b/+"));
    assert_eq!(element(&first, "NextMarker"), Some("a+b/%7E*"));
    assert_eq!(element(&first, "EncodingType"), Some("url"));
    assert_eq!(keys(&first), ["a+b/%7E*"]);
    let second = page(&store, &[&common[..], &[("marker", "a b/~*")]].concat());
    assert_eq!(prefixes(&second), ["a+b/%C3%BC%2B"]);
    assert_eq!(element(&second, "IsTruncated"), Some("false"));
    let v2 = [("list-type", "2"), ("start-after", "a b/ü")];
    let after = page(&store, &[&common[..], &v2[..]].concat());
    assert_eq!(element(&after, "StartAfter"), Some("a+b/%C3%BC"));
    assert_eq!(prefixes(&after), ["a+b/%C3%BC%2B"]);
    for parameters in [
        &[("encoding-type", "URL")][..],
        &[("encoding-type", "base64"), ("list-type", "2")],
    ] {
        let refused = list(&store, parameters).expect_error(400, "InvalidArgument").text();
        assert_eq!(xml::text(&refused, "ArgumentName").as_deref(), Some("encoding-type"));
        assert!(refused.contains("Invalid Encoding Method specified in Request"));
    }
}

/// XML 1.0 cannot hold all of what keys may: S3 writes references.
#[test]
fn unprintable_keys() {
    let names = ["\u{1}\u{1f}", "a\r\n\tb", "<&>\"'", "\u{fffe}x", "emoji \u{1f600}"];
    let store = filled(&names);
    let mut sorted = names.map(str::to_owned);
    sorted.sort();
    for version in [&[][..], &[("list-type", "2")]] {
        let page = page(&store, version);
        assert_eq!(keys(&page), sorted);
        assert!(
            page.contains("<Key>&#x1;&#x1f;</Key>") && page.contains("<Key>a&#xd;&#xa;&#x9;b</Key>"),
            "{page}"
        );
    }
    let by = page(&store, &[("delimiter", "\u{1f}"), ("prefix", "\u{1}")]);
    assert_eq!(prefixes(&by), ["\u{1}\u{1f}"]);
    assert_eq!(element(&by, "Delimiter"), Some("&#x1f;"));
}

#[test]
fn how_many_keys() {
    let store = filled(&["a", "b", "c"]);
    for version in [&[][..], &[("list-type", "2")]] {
        let of = |count: &str| page(&store, &[version, &[("max-keys", count)]].concat());
        for (asked, echoed, found, truncated) in [
            ("0", "0", 0, "false"),
            ("2", "2", 2, "true"),
            ("3", "3", 3, "false"),
            ("1001", "1000", 3, "false"),
            ("2147483647", "1000", 3, "false"),
            ("", "1000", 3, "false"),
        ] {
            let page = of(asked);
            assert_eq!(element(&page, "MaxKeys"), Some(echoed), "{asked}");
            assert_eq!(keys(&page).len(), found, "{asked}");
            assert_eq!(element(&page, "IsTruncated"), Some(truncated), "{asked}");
            if !version.is_empty() {
                assert_eq!(element(&page, "KeyCount").unwrap(), found.to_string());
            }
        }
        for bad in ["-1", "x", "1.5", "2147483648", " 1"] {
            let refused = list(&store, &[version, &[("max-keys", bad)]].concat());
            let refused = refused.expect_error(400, "InvalidArgument").text();
            assert_eq!(xml::text(&refused, "ArgumentName").as_deref(), Some("max-keys"));
            assert_eq!(xml::text(&refused, "ArgumentValue").as_deref(), Some(bad));
        }
    }
}

#[test]
fn delimiters_and_prefixes() {
    let store = filled(&["a/b/1", "a/b/2", "a/c", "a/", "a", "b/x"]);
    for version in [&[][..], &[("list-type", "2")]] {
        let of = |parameters: &[(&str, &str)]| page(&store, &[version, parameters].concat());
        // A delimiter that occurs in the prefix counts behind it.
        let inside = of(&[("prefix", "a/"), ("delimiter", "/")]);
        assert_eq!(
            (keys(&inside), prefixes(&inside)),
            (vec!["a/".to_owned(), "a/c".to_owned()], vec!["a/b/".to_owned()])
        );
        let cut = of(&[("prefix", "a/b"), ("delimiter", "/")]);
        assert_eq!((keys(&cut).len(), prefixes(&cut)), (0, vec!["a/b/".to_owned()]));
        let longer = of(&[("delimiter", "/b/")]);
        assert_eq!(prefixes(&longer), ["a/b/"]);
        assert_eq!(keys(&longer), ["a", "a/", "a/c", "b/x"]);
        // An empty one is none.
        let none = of(&[("delimiter", "")]);
        assert_eq!((keys(&none).len(), element(&none, "Delimiter")), (6, None));
        let empty = of(&[("prefix", "")]);
        assert_eq!(element(&empty, "Prefix"), Some(""));
    }
}

#[test]
fn markers_that_are_common_prefixes() {
    let store = filled(&["a/1", "a/2", "b/1", "c"]);
    let first = page(&store, &[("delimiter", "/"), ("max-keys", "1")]);
    assert_eq!(prefixes(&first), ["a/"]);
    assert_eq!(element(&first, "NextMarker"), Some("a/"));
    // The prefix has been seen, and so have its keys.
    for marker in ["a/", "a/1"] {
        let next = page(&store, &[("delimiter", "/"), ("marker", marker)]);
        assert_eq!(
            (prefixes(&next), keys(&next)),
            (vec!["b/".to_owned()], vec!["c".to_owned()]),
            "{marker}"
        );
        assert_eq!(element(&next, "Marker"), Some(marker));
        let next = page(
            &store,
            &[("delimiter", "/"), ("start-after", marker), ("list-type", "2")],
        );
        assert_eq!(prefixes(&next), ["b/"], "{marker}");
    }
    // Without a delimiter there is no NextMarker: the last key is.
    let plain = page(&store, &[("max-keys", "1")]);
    assert_eq!(
        (element(&plain, "IsTruncated"), element(&plain, "NextMarker")),
        (Some("true"), None)
    );
    let beyond = page(&store, &[("marker", "zzz")]);
    assert_eq!(keys(&beyond), [""; 0]);
}

#[test]
fn tokens_come_before_start_after() {
    let store = filled(&["a", "b", "c", "d"]);
    let v2 = |parameters: &[(&str, &str)]| page(&store, &[&[("list-type", "2")], parameters].concat());
    let first = v2(&[("max-keys", "1"), ("start-after", "a")]);
    assert_eq!(keys(&first), ["b"]);
    let token = element(&first, "NextContinuationToken").unwrap().to_owned();
    assert_eq!(element(&first, "ContinuationToken"), None);
    let second = v2(&[("continuation-token", &token), ("start-after", "c")]);
    assert_eq!(keys(&second), ["c", "d"]);
    assert_eq!(element(&second, "ContinuationToken"), Some(token.as_str()));
    assert_eq!(element(&second, "NextContinuationToken"), None);
    for bad in ["", "nonsense", "YQ=="] {
        let refused = list(&store, &[("list-type", "2"), ("continuation-token", bad)]);
        let refused = refused.expect_error(400, "InvalidArgument").text();
        assert_eq!(
            xml::text(&refused, "Message").unwrap(),
            "The continuation token provided is incorrect"
        );
    }
    for bad in ["", "1", "3", "v2"] {
        list(&store, &[("list-type", bad)]).expect_error(400, "InvalidArgument");
    }
}

#[test]
fn owners_and_entries() {
    let store = filled(&["key"]);
    let owners = |parameters: &[(&str, &str)]| xml::inner(&page(&store, parameters), "Owner").len();
    assert_eq!(owners(&[]), 1);
    assert_eq!(owners(&[("list-type", "2")]), 0);
    assert_eq!(owners(&[("list-type", "2"), ("fetch-owner", "false")]), 0);
    assert_eq!(owners(&[("list-type", "2"), ("fetch-owner", "true")]), 1);
    let request = Request::bucket("GET", BUCKET).query("list-type", "2");
    let with = request.header("x-amz-optional-object-attributes", "RestoreStatus");
    let entry = store.send(with).expect_status(200).text();
    assert!(
        entry.contains("<ETag>&quot;") && entry.contains("&quot;</ETag>"),
        "{entry}"
    );
    assert_eq!(xml::text(&entry, "StorageClass").as_deref(), Some("STANDARD"));
    assert_eq!(xml::text(&entry, "Size").as_deref(), Some("3"));
    let modified = xml::text(&entry, "LastModified").unwrap();
    assert!(
        modified.ends_with('Z') && modified.len() == "2026-01-01T00:00:00.000Z".len(),
        "{modified}"
    );
}

#[test]
fn buckets_page_by_page() {
    let store = Store::start();
    for name in ["alpha-1", "alpha-2", "beta-1", "gamma-1"] {
        store.make_bucket(name);
    }
    let list = |parameters: &[(&str, &str)]| {
        let request = Request::new("GET", "/");
        store.send(
            parameters
                .iter()
                .fold(request, |request, (name, value)| request.query(name, value)),
        )
    };
    let names = |page: &str| xml::texts(page, "Name");
    let all = list(&[]).expect_status(200).text();
    assert_eq!(names(&all), ["alpha-1", "alpha-2", "beta-1", "gamma-1"]);
    assert_eq!(
        (xml::text(&all, "BucketRegion"), xml::text(&all, "Prefix")),
        (None, None)
    );
    let mut found = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let mut parameters = vec![("max-buckets", "3")];
        parameters.extend(token.as_deref().map(|token| ("continuation-token", token)));
        let page = list(&parameters).expect_status(200).text();
        found.extend(names(&page));
        token = xml::text(&page, "ContinuationToken");
        if token.is_none() {
            break;
        }
        assert_eq!(names(&page).len(), 3);
    }
    assert_eq!(found, names(&all));
    let some = list(&[("prefix", "alpha"), ("bucket-region", "eu-west-1")])
        .expect_status(200)
        .text();
    assert_eq!(names(&some), ["alpha-1", "alpha-2"]);
    assert_eq!(xml::text(&some, "Prefix").as_deref(), Some("alpha"));
    assert_eq!(xml::text(&some, "BucketRegion").as_deref(), Some("eu-west-1"));
    let here = list(&[("max-buckets", "10000")]).expect_status(200).text();
    assert_eq!(xml::text(&here, "BucketRegion").as_deref(), Some("us-east-1"));
    for (name, value) in [
        ("max-buckets", "0"),
        ("max-buckets", "10001"),
        ("max-buckets", "x"),
        ("continuation-token", ""),
        ("continuation-token", "nonsense"),
        ("bucket-region", ""),
    ] {
        let refused = list(&[(name, value)]).expect_error(400, "InvalidArgument").text();
        assert_eq!(xml::text(&refused, "ArgumentName").as_deref(), Some(name));
    }
}
