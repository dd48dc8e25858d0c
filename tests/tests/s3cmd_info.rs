//! `s3cmd info`: every line it prints of a bucket and of an object says what is so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    command::{Clients, program_of_environment},
    store::Store,
};
use std::path::{Path, PathBuf};

/// s3cmd 2.3 of the system, and 2.4, which asks for more.
fn programs() -> [PathBuf; 2] {
    [PathBuf::from("s3cmd"), program_of_environment("s3cmd", "s3cmd")]
}

/// The lines of `s3cmd info`, without spaces around names and values.
fn info(clients: &Clients, program: &Path, what: &str) -> Vec<(String, String)> {
    let ended = clients.s3cmd_of(program, &["info", what]).ok();
    assert_eq!(ended.stderr, "", "{ended}");
    let mut lines = ended.stdout.lines();
    assert!(lines.next().unwrap().starts_with(what), "{ended}");
    lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect()
}

fn value<'a>(lines: &'a [(String, String)], name: &str) -> &'a str {
    let found = lines.iter().find(|(line, _)| line == name);
    &found.unwrap_or_else(|| panic!("no {name} in {lines:?}")).1
}

#[test]
fn a_bucket() {
    let store = Store::start();
    let clients = Clients::new(&store);
    for (number, program) in programs().iter().enumerate() {
        let is_new = number == 1;
        let bucket = format!("s3://info-{number}");
        let s3cmd = |arguments: &[&str]| clients.s3cmd_of(program, arguments).ok();
        s3cmd(&["mb", &bucket]);
        let lines = info(&clients, program, &bucket);
        for (name, expected) in [
            ("location", "us-east-1"),
            ("payer", "BucketOwner"),
            ("expiration rule", "none"),
            ("policy", "none"),
            ("cors", "none"),
        ] {
            assert_eq!(value(&lines, name), expected, "{name} of {program:?}");
        }
        let acl = value(&lines, "acl");
        assert!(acl.ends_with(": FULL_CONTROL") && !acl.starts_with(':'), "{acl}");
        if is_new {
            assert_eq!(value(&lines, "versioning"), "none");
            assert_eq!(value(&lines, "ownership"), "none");
            assert_eq!(value(&lines, "block public access"), "none");
        }
        // And all that can be configured shows.
        let cors = "<CORSConfiguration><CORSRule><AllowedOrigin>http://a.example</AllowedOrigin>\
                    <AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>";
        std::fs::write(clients.home().join("cors.xml"), cors).unwrap();
        s3cmd(&["setcors", "cors.xml", &bucket]);
        s3cmd(&["expire", "--expiry-days=7", "--expiry-prefix=tmp/", &bucket]);
        s3cmd(&["payer", "--requester-pays", &bucket]);
        let lines = info(&clients, program, &bucket);
        assert_eq!(value(&lines, "payer"), "Requester");
        assert_eq!(
            value(&lines, "expiration rule"),
            "objects with key prefix 'tmp/' will expire in '7' day(s) after creation"
        );
        assert!(!value(&lines, "cors").contains("none"), "{lines:?}");
        if is_new {
            s3cmd(&["setversioning", &bucket, "enable"]);
            assert_eq!(value(&info(&clients, program, &bucket), "versioning"), "Enabled");
        }
    }
}

#[test]
fn an_object() {
    let store = Store::start();
    let clients = Clients::new(&store);
    std::fs::write(clients.home().join("hello.txt"), "hello\n").unwrap();
    const MD5: &str = "b1946ac92492d2347c6235b4d2611184";
    for (number, program) in programs().iter().enumerate() {
        let bucket = format!("s3://info-{number}");
        let object = format!("{bucket}/dir/hello.txt");
        let s3cmd = |arguments: &[&str]| clients.s3cmd_of(program, arguments).ok();
        s3cmd(&["mb", &bucket]);
        let put = ["put", "--add-header=x-amz-meta-colour:blue", "--mime-type=text/x-test"];
        s3cmd(&[&put[..], &["--storage-class=STANDARD_IA", "hello.txt", &object]].concat());
        // With what s3cmd keeps beside the object, and without, when the ETag has to do.
        for attributes in ["--preserve", "--no-preserve"] {
            s3cmd(
                &[
                    &put[..],
                    &["--storage-class=STANDARD_IA", attributes, "hello.txt", &object],
                ]
                .concat(),
            );
            let lines = info(&clients, program, &object);
            for (name, expected) in [
                ("file size", "6"),
                ("mime type", "text/x-test"),
                ("storage", "STANDARD_IA"),
                ("md5 sum", MD5),
                ("sse", "none"),
                ("policy", "none"),
                ("cors", "none"),
                ("x-amz-meta-colour", "blue"),
            ] {
                assert_eq!(value(&lines, name), expected, "{name} of {program:?} {attributes}");
            }
            assert!(value(&lines, "acl").ends_with(": FULL_CONTROL"), "{lines:?}");
            let modified = value(&lines, "last mod");
            assert!(modified.ends_with(" GMT") && !modified.contains("1970"), "{modified}");
        }
    }
}
