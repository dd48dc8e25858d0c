//! The redirect table as an operator sees it, and what no table and no wish of a client overrides.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    command::run,
    directory::{Directory, program},
    raw::Response,
    request::Request,
    store::{Store, location, serve_command},
    tickets::parts,
};
use std::{path::PathBuf, process::Command};

const BUCKET: &str = "routed";

fn table(directory: &Directory, text: &str) -> PathBuf {
    let path = directory.join("table.toml");
    std::fs::write(&path, text).unwrap();
    path
}

fn store(arguments: &[&str]) -> Store {
    let store = Store::start_with(&[&["--no-handoff"], arguments].concat());
    store.make_bucket(BUCKET);
    let put = Request::object("PUT", BUCKET, "key").body("content");
    store.send_following(put).expect_status(200);
    store
}

fn get(store: &Store, agent: &str) -> Response {
    store.send(Request::object("GET", BUCKET, "key").header("User-Agent", agent))
}

#[test]
fn rows_of_a_file_come_before_the_built_in_ones() {
    let directory = Directory::new();
    let path = table(
        &directory,
        "[[row]]\nclient = \"ours\"\nuser_agent_prefix = [\"trainer/\"]\nheaders = [\"x-follows\"]\n\
         no_body = \"always\"\nput_with_expect = \"always\"\nput_without_expect = \"always\"\n\n\
         [[row]]\nuser_agent = [\"Wget\"]\nno_body = \"never\"\nput_with_expect = \"never\"\nput_without_expect = \"never\"\n",
    );
    let store = store(&["--redirect-table", path.to_str().unwrap()]);
    get(&store, "Wget/1.21").expect_status(200);
    get(&store, "python-requests/2.31").expect_status(307);
    get(&store, "trainer/1").expect_status(200);
    for method in ["GET", "HEAD", "PUT"] {
        let body = if method == "PUT" { "content" } else { "" };
        let request = Request::object(method, BUCKET, "key")
            .header("User-Agent", "trainer/1")
            .body(body);
        store.send(request.header("x-follows", "1")).expect_status(307);
    }
}

#[test]
fn the_printed_table_is_a_file_that_changes_nothing() {
    let mut command = Command::new(program("corelane-gateway"));
    command.arg("--print-redirect-table");
    let printed = run(command).ok().stdout;
    let directory = Directory::new();
    let path = table(&directory, &printed);
    let store = store(&["--redirect-table", path.to_str().unwrap()]);
    get(&store, "Wget/1.21").expect_status(307);
    get(&store, "aws-cli/2.9").expect_status(200);
}

#[test]
fn an_error_in_the_file_is_one_line_with_its_number() {
    let directory = Directory::new();
    for (text, line) in [
        ("[[row]]\nno_body = \"maybe\"\n", "line 2"),
        ("# nothing\n\n[[row]\n", "line 3"),
    ] {
        let path = table(&directory, text);
        let output = serve_command()
            .args(["--port", "0", "--redirect-table"])
            .arg(&path)
            .arg("--data")
            .arg(directory.join("data"))
            .output()
            .unwrap();
        assert!(!output.status.success());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let errors: Vec<&str> = said.lines().filter(|said| said.starts_with("error: ")).collect();
        assert_eq!(errors.len(), 1, "{said}");
        assert!(errors[0].contains("table.toml") && errors[0].contains(line), "{said}");
    }
    let output = serve_command()
        .args(["--port", "0", "--redirect-table", "nowhere.toml", "--data"])
        .arg(directory.join("data"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("error: cannot read nowhere.toml"), "{said}");
}

#[test]
fn a_client_chooses_by_query_or_header() {
    let store = store(&["--route", "auto"]);
    let object = || Request::object("GET", BUCKET, "key");
    let redirected = store
        .send(object().query("corelane-route", "redirect"))
        .expect_status(307);
    // The parameter was signed, so it stays.
    let (port, target) = parts(redirected.header("location").unwrap());
    assert!(
        target.starts_with("/s3/routed/key?corelane-route=redirect&corelane-ticket="),
        "{target}"
    );
    let got = corelane_tests::store::direct(port, "GET", &target, "").expect_status(200);
    assert_eq!(got.body, b"content");
    store
        .send(object().header("x-corelane-route", "redirect"))
        .expect_status(307);
    for wget in [
        object()
            .header("User-Agent", "Wget/1.21")
            .query("corelane-route", "proxy"),
        object()
            .header("User-Agent", "Wget/1.21")
            .header("x-corelane-route", "proxy"),
    ] {
        store.send(wget).expect_status(200);
    }
    store
        .send(object().query("corelane-route", "carrier-pigeon"))
        .expect_error(400, "InvalidArgument");
    // S3 knows nothing of it.
    let page = Request::bucket("GET", BUCKET)
        .query("list-type", "2")
        .query("corelane-route", "redirect");
    store.send(page).expect_status(200);
    // It is a part of what is signed.
    let mut changed = store.signed(object().query("corelane-route", "proxy"));
    changed.parameters = vec![("corelane-route".to_owned(), Some("redirect".to_owned()))];
    store.send_as_is(&changed).expect_error(403, "SignatureDoesNotMatch");
}

#[test]
fn who_comes_back_with_a_ticket_is_not_sent_away_again() {
    let store = store(&["--route", "redirect"]);
    let location = location(&store, Request::object("GET", BUCKET, "key"));
    let (_, target) = parts(&location);
    // The Location's path and ticket, but the gateway's port: signed again, or not.
    let (path, query) = target.split_once('?').unwrap();
    let sealed = query.strip_prefix("corelane-ticket=").unwrap();
    for wish in [None, Some("redirect")] {
        let mut again = Request::new("GET", path).query("corelane-ticket", sealed);
        if let Some(wish) = wish {
            again = again.header("x-corelane-route", wish);
        }
        let unsigned = store.send_as_is(&store.addressed(again.clone()));
        assert_eq!(unsigned.expect_status(200).body, b"content");
        assert_eq!(store.send(again).expect_status(200).body, b"content");
    }
    let stale = Request::new("GET", path).query("corelane-ticket", "stale");
    store.send(stale).expect_error(403, "AccessDenied");
}

#[test]
fn what_is_no_plain_object_operation_is_never_redirected() {
    let store = store(&["--route", "redirect"]);
    let object = |method: &str| Request::object(method, BUCKET, "key").header("x-corelane-route", "redirect");
    for request in [
        object("PUT").header("x-amz-copy-source", "/routed/other"),
        object("POST").subresource("uploads"),
        object("PUT")
            .query("partNumber", "1")
            .query("uploadId", "x")
            .body("part"),
        object("POST").query("uploadId", "x").body("<CompleteMultipartUpload/>"),
        object("DELETE").query("uploadId", "x"),
        object("GET").query("uploadId", "x"),
        object("PUT").subresource("tagging").body("<Tagging/>"),
        object("GET").subresource("tagging"),
        object("GET").body("a GET with a body"),
        Request::bucket("GET", BUCKET)
            .subresource("uploads")
            .header("x-corelane-route", "redirect"),
        Request::bucket("GET", BUCKET)
            .subresource("versions")
            .header("x-corelane-route", "redirect"),
    ] {
        let what = format!("{request:?}");
        assert_ne!(store.send(request).status, 307, "{what}");
    }
}

#[test]
fn who_does_not_follow_is_remembered_by_program_and_key() {
    let store = store(&["--route", "auto"]);
    let get = |agent: &str, attempt: &str| {
        let request = Request::object("GET", BUCKET, "key").header("User-Agent", agent);
        store
            .send(request.header("amz-sdk-request", format!("attempt={attempt}")))
            .status
    };
    const BOTO3: &str = "Boto3/1.44.5 md/Botocore#1.44.5";
    assert_eq!([get(BOTO3, "1"), get(BOTO3, "2"), get(BOTO3, "1")], [307, 200, 200]);
    assert_eq!(get("Boto3/1.43.0 patched", "1"), 307, "another program");
    let other = corelane_tests::sign::Signer::new("NOBODY", "x");
    let request = store.addressed(Request::object("GET", BUCKET, "key").header("User-Agent", BOTO3));
    store
        .send_as_is(&other.sign(request))
        .expect_error(403, "InvalidAccessKeyId");
}
