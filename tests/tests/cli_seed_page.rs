//! Every `ais ...` line of NVIDIA AIStore's docs/s3compat.md works with `ais` replaced by `corelane`.
//!
//! The page: <https://github.com/NVIDIA/aistore/blob/v1.3.16/docs/s3compat.md>. Lines are named by their numbers there, counted
//! from 1 with the front matter.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{command::Clients, digest::md5_hex, store::Store, transcript::shell};

/// What is there before a line runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given {
    /// No bucket.
    Nothing,
    /// The bucket `bck`, made on the command line.
    Bucket,
    /// And in it `obj`, of ten and more bytes.
    Object,
}
use Given::{Bucket, Nothing, Object};

/// What a line has to print, among other things.
type Says = &'static [&'static str];

/// (line, command with `ais` replaced, what is there before, what is printed)
const LINES: &[(u32, &str, Given, Says)] = &[
    (
        117,
        "corelane config cluster net.http",
        Nothing,
        &[
            "PROPERTY",
            "VALUE",
            "net.http.server_crt",
            "net.http.server_key",
            "net.http.write_buffer_size",
            "net.http.read_buffer_size",
            "net.http.use_https",
            "net.http.skip_verify",
            "net.http.chunked_transfer",
        ],
    ),
    (
        206,
        "corelane bucket create ais://bck --bucket-props=\"checksum.type=md5\"",
        Nothing,
        &["bck\" bucket created"],
    ),
    (
        209,
        "corelane show bucket ais://bck | grep checksum",
        Bucket,
        &["xxhash"],
    ),
    (
        216,
        "corelane bucket props ais://bck checksum.type=md5",
        Bucket,
        &["\"checksum.type\" set to: \"md5\" (was: \"xxhash\")"],
    ),
    (231, "corelane bucket create ais://bck", Nothing, &["bucket created"]),
    (
        233,
        "corelane bucket props ais://bck checksum.type=md5",
        Bucket,
        &["\"checksum.type\" set to: \"md5\""],
    ),
    (236, "corelane object put object.txt ais://bck/obj-ais", Bucket, &[]),
    (
        241,
        "corelane bucket ls ais://bck --props checksum,size,atime",
        Object,
        &["NAME", "CHECKSUM", "SIZE", "ATIME", "obj", "69.99KiB"],
    ),
    (259, "corelane bucket ls ais://", Nothing, &["Buckets (0)"]),
    (265, "corelane bucket ls ais://", Bucket, &["Buckets (1)"]),
    (319, "corelane bucket create ais://bck", Nothing, &["bucket created"]),
    (
        320,
        "corelane bucket show ais://bck",
        Bucket,
        &["PROPERTY", "checksum.type"],
    ),
    (321, "corelane bucket rm ais://bck", Bucket, &["bucket removed"]),
    (322, "corelane ls ais://", Bucket, &["Buckets (1)", "bck"]),
    (322, "corelane ls ais:", Bucket, &["Buckets (1)", "bck"]),
    (323, "corelane object put filename ais://bck/obj", Bucket, &[]),
    (324, "corelane object get ais://bck/obj filename", Object, &[]),
    (
        325,
        "corelane object get ais://bck/obj --offset 0 --length 10",
        Object,
        &[],
    ),
    (326, "corelane object show ais://bck/obj", Object, &["obj", "71671"]),
    (327, "corelane ls ais://bck", Object, &["obj", "69.99KiB"]),
    (331, "corelane bucket show ais://bck", Bucket, &["created", "20"]),
    (
        332,
        "corelane bucket props ais://bck versioning.enabled=false",
        Bucket,
        &["versioning.enabled"],
    ),
    (333, "corelane bucket props ais://bck access", Bucket, &["access", "rw"]),
];

/// What needs more than a store of its own: backend buckets, and the users of AIS' authentication server.
const LATER: &[(u32, &str)] = &[
    (232, "ais bucket props ais://bck backend_bck=aws://bckaws"),
    (333, "ais auth"),
];

/// The lines of the page on which `ais` is a command.
const ON_THE_PAGE: &[u32] = &[
    117, 206, 209, 216, 231, 232, 233, 236, 241, 259, 265, 319, 320, 321, 322, 323, 324, 325, 326, 327, 331, 332, 333,
];

/// 69.99KiB.
fn content() -> Vec<u8> {
    b"0123456789".iter().copied().cycle().take(71_671).collect()
}

fn prepared(given: Given) -> (Store, Clients) {
    let store = Store::start();
    let clients = Clients::new(&store);
    for name in ["object.txt", "filename"] {
        std::fs::write(clients.home().join(name), content()).unwrap();
    }
    if given != Nothing {
        clients.corelane(&["bucket", "create", "bck"]).ok();
    }
    if given == Object {
        store.put("bck", "obj", content());
        std::fs::remove_file(clients.home().join("filename")).unwrap();
    }
    (store, clients)
}

#[test]
fn every_line_of_the_page_works() {
    for (line, command, given, says) in LINES {
        let (store, clients) = prepared(*given);
        let ended = shell(command, &store, &clients);
        assert!(ended.code == 0, "line {line}: {ended}");
        for text in *says {
            assert!(
                ended.stdout.contains(text),
                "line {line} does not say {text:?}: {ended}"
            );
        }
        // And it did what it says.
        let header = |name: &str| {
            let answer = store.get("bck", "obj-ais").expect_status(200);
            answer.header(name).unwrap_or_default().to_owned()
        };
        match line {
            206 => {
                let answer = store.put("bck", "with-md5", content());
                let etag = answer.header("etag").unwrap().trim_matches('"').to_owned();
                assert_eq!(etag, md5_hex(&content()), "line {line}");
            }
            236 => assert_eq!(header("content-length"), "71671", "line {line}"),
            321 => assert_eq!(store.get("bck", "obj").status, 404, "line {line}"),
            323 => assert!(store.get("bck", "obj").body == content(), "line {line}"),
            324 => {
                let got = std::fs::read(clients.home().join("filename")).unwrap();
                assert!(got == content(), "line {line}");
            }
            325 => {
                let files = std::fs::read(clients.home().join("obj")).unwrap_or_default();
                let got = [ended.stdout.as_bytes(), &files].concat();
                assert!(
                    got.windows(10).any(|bytes| bytes == b"0123456789"),
                    "line {line}: {ended}"
                );
                assert!(files.len() <= 10, "line {line}: {} bytes", files.len());
            }
            _ => {}
        }
    }
}

#[test]
fn no_line_of_the_page_is_left_out() {
    for line in ON_THE_PAGE {
        assert!(
            LINES.iter().any(|(number, ..)| number == line) || LATER.iter().any(|(number, _)| number == line),
            "line {line}"
        );
    }
    let all = LINES
        .iter()
        .map(|(line, ..)| line)
        .chain(LATER.iter().map(|(line, _)| line));
    for line in all {
        assert!(ON_THE_PAGE.contains(line), "line {line} has no command");
    }
}

#[test]
fn what_comes_later_is_refused_and_changes_nothing() {
    for (line, command) in LATER {
        let (store, clients) = prepared(Bucket);
        let before = clients.corelane(&["bucket", "show", "bck", "--json"]).ok().stdout;
        let ended = shell(&command.replacen("ais", "corelane", 1), &store, &clients);
        assert!(
            ended.code > 0 && ended.stderr.starts_with("error: "),
            "line {line}: {ended}"
        );
        assert_eq!(
            clients.corelane(&["bucket", "show", "bck", "--json"]).ok().stdout,
            before,
            "line {line}"
        );
    }
}
