//! The bucket property `versioning.enabled` and S3's versioning are one state.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    command::Clients,
    properties::{get, set},
    request::Request,
    rest::User,
    store::Store,
    xml,
};

const BUCKET: &str = "states";
const NAME: &str = "versioning.enabled";

fn status(store: &Store) -> Option<String> {
    let request = Request::bucket("GET", BUCKET).subresource("versioning");
    xml::text(&store.send(request).expect_status(200).text(), "Status")
}

fn versioning(store: &Store) -> String {
    let shown = User::root(store).get(&format!("/v1/buckets/{BUCKET}")).expect(200);
    shown["versioning"].as_str().unwrap().to_owned()
}

#[test]
fn both_ways() {
    let mut store = Store::start();
    store.make_bucket(BUCKET);
    let state = |store: &Store| (status(store), versioning(store), get(store, BUCKET, NAME));
    let is = |status: Option<&str>, versioning: &str, value: &str| {
        (status.map(str::to_owned), versioning.to_owned(), value.to_owned())
    };
    let unversioned = is(None, "Unversioned", "false");
    let enabled = is(Some("Enabled"), "Enabled", "true");
    let suspended = is(Some("Suspended"), "Suspended", "false");
    assert_eq!(state(&store), unversioned);
    // What was never on is not suspended.
    set(&store, BUCKET, NAME, "false");
    assert_eq!(state(&store), unversioned);
    set(&store, BUCKET, NAME, "true");
    assert_eq!(state(&store), enabled);
    store.set_versioning(BUCKET, "Suspended");
    assert_eq!(state(&store), suspended);
    store.restart();
    assert_eq!(state(&store), suspended);
    store.set_versioning(BUCKET, "Enabled");
    assert_eq!(state(&store), enabled);
    set(&store, BUCKET, NAME, "false");
    assert_eq!(state(&store), suspended);

    let clients = Clients::new(&store);
    let bucket = ["--bucket", BUCKET];
    let aws = |arguments: &[&str]| clients.aws(&[&["s3api"], arguments, &bucket].concat()).ok();
    aws(&["put-bucket-versioning", "--versioning-configuration", "Status=Enabled"]);
    assert_eq!(state(&store), enabled);
    set(&store, BUCKET, NAME, "false");
    aws(&["get-bucket-versioning"]).says("Suspended");
    let source = format!(
        "import boto3\n\
         from botocore.config import Config\n\
         config = Config(s3={{'addressing_style': 'path'}})\n\
         s3 = boto3.client('s3', endpoint_url='{}', config=config)\n\
         assert s3.get_bucket_versioning(Bucket='{BUCKET}')['Status'] == 'Suspended'\n\
         s3.put_bucket_versioning(Bucket='{BUCKET}', VersioningConfiguration={{'Status': 'Enabled'}})\n",
        clients.endpoint()
    );
    clients.python_source(&source).ok();
    assert_eq!(state(&store), enabled);
}

/// Writes know of it at once, on connections with leases too.
#[test]
fn writes_follow_it() {
    let store = Store::start();
    store.make_bucket(BUCKET);
    let mut connection = store.connect();
    let mut put = || {
        let put = store.signed(Request::object("PUT", BUCKET, "key").body("content"));
        connection.send(&put.to_bytes());
        let answer = connection.receive("PUT").expect_status(200);
        answer.header("x-amz-version-id").map(str::to_owned)
    };
    assert_eq!((put(), put()), (None, None));
    set(&store, BUCKET, NAME, "true");
    let first = put().unwrap();
    assert_ne!(first, put().unwrap());
    set(&store, BUCKET, NAME, "false");
    assert_eq!(put().as_deref(), Some("null"));
    let versions = Request::bucket("GET", BUCKET).subresource("versions");
    let text = store.send(versions).expect_status(200).text();
    assert_eq!(xml::texts(&text, "VersionId").len(), 3, "{text}");
}
