//! boto3, by the scripts in `tests/clients`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{command::Clients, store::Store};

#[test]
fn boto3_does_what_it_does() {
    for route in ["auto", "proxy"] {
        let store = Store::start_with(&["--route", route]);
        let clients = Clients::new(&store);
        clients.python("boto3_objects.py", &[]).ok().says("all passed");
    }
}

#[test]
fn boto3_sees_the_errors_of_s3() {
    let store = Store::start();
    let clients = Clients::new(&store);
    clients.python("boto3_errors.py", &[]).ok().says("all passed");
}

#[test]
fn boto3_lists_pages() {
    let store = Store::start();
    let clients = Clients::new(&store);
    clients.python("boto3_listing.py", &[]).ok().says("all passed");
}

#[test]
fn boto3_configures_buckets() {
    let store = Store::start();
    let clients = Clients::new(&store);
    clients.python("boto3_buckets.py", &[]).ok().says("all passed");
}

#[test]
fn boto3_uploads_in_parts_and_copies() {
    for arguments in [&["--route", "auto"][..], &["--no-handoff"], &["--tls"]] {
        let store = Store::start_with(arguments);
        let clients = Clients::new(&store);
        clients.python("boto3_multipart.py", &[]).ok().says("all passed");
    }
}
