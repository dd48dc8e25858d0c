//! Keys: any UTF-8 of up to 1,024 bytes, none changed or mistaken for another.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{request::Request, request::encode, store::Store, xml};
use std::collections::BTreeMap;

/// Keys that a file system, a URL library or an XML parser would change or refuse.
const ODD: &[&str] = &[
    "a",
    "a/b",
    "a/b/c",
    "a//b",
    "a///b",
    "a/",
    "a//",
    "/",
    "//",
    "///",
    "/lead",
    "//lead",
    ".",
    "..",
    "./",
    "../",
    "./a",
    "../a",
    "a/.",
    "a/..",
    "a/./b",
    "a/../b",
    "../../../../etc/passwd",
    "dir/",
    "dir",
    "dir/file",
    " ",
    "  ",
    "a b",
    " lead",
    "trail ",
    "+",
    "a+b",
    "a b+c",
    "%",
    "%%",
    "%2F",
    "a%2Fb",
    "%25",
    "%00",
    "%zz",
    "?",
    "a?b",
    "a?b=c&d",
    "?acl",
    "#",
    "a#b",
    "&",
    "a&b",
    "=",
    "a=b",
    ";",
    ":",
    "@",
    "!",
    "$",
    "'",
    "\"",
    "(",
    ")",
    "*",
    ",",
    "[",
    "]",
    "{",
    "}",
    "|",
    "\\",
    "a\\b",
    "^",
    "`",
    "~",
    "<",
    ">",
    "<a>",
    "&amp;",
    "]]>",
    "<!--",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "\u{1}",
    "\u{1f}",
    "\u{7f}",
    "\u{80}",
    "\u{a0}",
    "ä",
    "a\u{308}",
    "Ä/ö/ü",
    "日本語/テスト",
    "🦀",
    "🦀/🦀🦀",
    "\u{feff}",
    "\u{fffd}",
    "\u{10ffff}",
    "s3",
    "s3/a",
    "_corelane/list",
    "v1/health",
    "corelane-ticket=x",
    "CON",
    "nul",
    "a\u{0}b",
];

#[test]
fn odd_keys_are_all_different_and_all_come_back() {
    let store = Store::start();
    store.make_bucket("odd");
    for key in ODD {
        store.put("odd", key, format!("content of {key:?}"));
    }
    for key in ODD {
        let got = store.get("odd", key).expect_status(200);
        assert_eq!(got.text(), format!("content of {key:?}"));
        store.send(Request::object("HEAD", "odd", key)).expect_status(200);
    }
    let mut expected: Vec<String> = ODD.iter().map(|key| encode(key.as_bytes())).collect();
    expected.sort_by_key(|encoded| proto::http::percent::decode(encoded));
    let list = store
        .send(
            Request::bucket("GET", "odd")
                .query("list-type", "2")
                .query("encoding-type", "url"),
        )
        .expect_status(200)
        .text();
    // The encoding of a listing may leave slashes and `*` as they are; the keys it means count.
    let listed: Vec<_> = xml::texts(&list, "Key")
        .iter()
        .map(|key| proto::http::percent::decode(&key.replace('+', "%20")).unwrap())
        .collect();
    let expected: Vec<_> = expected
        .iter()
        .map(|key| proto::http::percent::decode(key).unwrap())
        .collect();
    assert_eq!(listed, expected);

    // Without the encoding a listing is XML; what XML 1.0 cannot hold comes as a character reference.
    let mut plain = store.keys("odd");
    plain.sort();
    let mut sorted: Vec<&str> = ODD.to_vec();
    sorted.sort_unstable();
    assert_eq!(plain, sorted);

    for key in ODD {
        store.send(Request::object("DELETE", "odd", key)).expect_status(204);
        store.get("odd", key).expect_error(404, "NoSuchKey");
    }
    assert!(store.keys("odd").is_empty());
}

#[test]
fn every_character_of_one_byte_can_be_a_key() {
    let store = Store::start();
    store.make_bucket("bytes");
    for byte in 1..=127_u8 {
        let path = format!("/s3/bytes/%{byte:02x}");
        store
            .send(Request::new("PUT", path).body(vec![byte]))
            .expect_status(200);
    }
    for byte in 1..=127_u8 {
        let key = char::from(byte).to_string();
        assert_eq!(store.get("bytes", &key).expect_status(200).body, [byte], "{key:?}");
    }
    assert_eq!(store.keys("bytes").len(), 127);
}

#[test]
fn an_encoding_of_a_key_is_that_key() {
    let store = Store::start();
    store.make_bucket("wire");
    store.put("wire", "dir/name~1", "x");
    for path in [
        "/s3/wire/dir%2Fname~1",
        "/s3/wire/dir/name%7E1",
        "/s3/wire/%64%69%72/n%61me~1",
        "/wire/dir%2fname~1",
    ] {
        assert_eq!(
            store.send(Request::new("GET", path)).expect_status(200).body,
            b"x",
            "{path}"
        );
    }
    store.put("wire", "plus+space key", "y");
    assert_eq!(
        store
            .send(Request::new("GET", "/s3/wire/plus+space%20key"))
            .expect_status(200)
            .body,
        b"y"
    );
    assert_eq!(
        store
            .send(Request::new("GET", "/s3/wire/plus%2Bspace%20key"))
            .expect_status(200)
            .body,
        b"y"
    );
    store
        .send(Request::new("GET", "/s3/wire/plus%20space%20key"))
        .expect_error(404, "NoSuchKey");
}

#[test]
fn dots_in_a_path_stay_where_they_are() {
    let store = Store::start();
    store.make_bucket("dots");
    store.make_bucket("other");
    store.put("other", "secret", "secret");
    for path in [
        "/s3/dots/../other/secret",
        "/s3/dots/%2e%2e/other/secret",
        "/s3/dots/..%2Fother/secret",
    ] {
        store.send(Request::new("PUT", path).body("mine")).expect_status(200);
        assert_eq!(store.send(Request::new("GET", path)).body, b"mine");
    }
    assert_eq!(store.get("other", "secret").body, b"secret");
    assert_eq!(store.keys("dots"), ["../other/secret"]);
}

#[test]
fn a_key_has_at_most_1024_bytes() {
    let store = Store::start();
    store.make_bucket("long");
    let keys = BTreeMap::from([
        ("ascii", "k".repeat(1024)),
        ("slashes", "/".repeat(1024)),
        ("two-byte characters", "ü".repeat(512)),
        ("four-byte characters", "🦀".repeat(256)),
        ("control characters", "\u{1}".repeat(1024)),
    ]);
    for (what, key) in &keys {
        store.put("long", key, *what);
        assert_eq!(store.get("long", key).expect_status(200).text(), *what);
        let longer = format!("{key}x");
        for method in ["PUT", "GET", "DELETE"] {
            let answer = store.send(Request::object(method, "long", &longer));
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (400, "KeyTooLongError"),
                "{what}"
            );
        }
    }
    assert_eq!(store.keys("long").len(), keys.len());
    let deleted = store.send(Request::object("DELETE", "long", &"k".repeat(1024)));
    deleted.expect_status(204);
}

#[test]
fn what_is_no_key_is_refused() {
    let store = Store::start();
    store.make_bucket("bad");
    for path in [
        "/s3/bad/%",
        "/s3/bad/%4",
        "/s3/bad/%zz",
        "/s3/bad/%ff",
        "/s3/bad/%c3%28",
        "/s3/bad/%ed%a0%80",
    ] {
        for method in ["PUT", "GET", "DELETE"] {
            let answer = store.send(Request::new(method, path));
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (400, "InvalidURI"),
                "{method} {path}"
            );
        }
    }
    assert!(store.keys("bad").is_empty());
}

#[test]
fn the_encoded_and_the_plain_key_share_a_redirect() {
    let store = Store::start_with(&["--route", "redirect"]);
    store.make_bucket("redirected");
    for key in ODD.iter().filter(|key| !key.contains('\0')) {
        let put = Request::object("PUT", "redirected", key).body(*key);
        store.send_following(put).expect_status(200);
        let got = store
            .send_following(Request::object("GET", "redirected", key))
            .expect_status(200);
        assert_eq!(got.text(), *key);
    }
}
