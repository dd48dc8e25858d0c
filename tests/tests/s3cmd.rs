//! s3cmd, with the flags that `corelane serve` prints.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{command::Clients, random, store::Store};

// s3cmd follows redirects its own way, so every way to a core is its business.

#[test]
fn a_day_with_s3cmd_by_default() {
    a_day_with_s3cmd("auto");
}

#[test]
fn a_day_with_s3cmd_redirected() {
    a_day_with_s3cmd("redirect");
}

#[test]
fn a_day_with_s3cmd_proxied() {
    a_day_with_s3cmd("proxy");
}

fn a_day_with_s3cmd(route: &str) {
    let store = Store::start_with(&["--route", route]);
    let clients = Clients::new(&store);
    let s3cmd = |arguments: &[&str]| clients.s3cmd(arguments).ok();
    let small = b"a small file\n";
    let large = random::bytes(71, 3_000_000);
    std::fs::write(clients.home().join("small.txt"), small).unwrap();
    std::fs::write(clients.home().join("large.bin"), &large).unwrap();

    assert_eq!(s3cmd(&["ls"]).stdout, "");
    s3cmd(&["mb", "s3://day"]);
    s3cmd(&["ls"]).says("s3://day");
    s3cmd(&["put", "small.txt", "s3://day/dir/small.txt"]);
    s3cmd(&[
        "put",
        "--mime-type=text/x-test",
        "--add-header=x-amz-meta-colour: blue",
        "small.txt",
        "s3://day/typed",
    ]);
    s3cmd(&["put", "large.bin", "s3://day/large.bin"]);
    s3cmd(&["put", "small.txt", "s3://day/odd name + ü & 'quotes'?.txt"]);
    s3cmd(&["ls", "s3://day"])
        .says("DIR")
        .says("s3://day/dir/")
        .says("s3://day/large.bin")
        .says("odd name + ü &");
    s3cmd(&["ls", "--recursive", "s3://day"])
        .says("s3://day/dir/small.txt")
        .says("3000000");
    s3cmd(&["la"]).says("s3://day/typed");
    s3cmd(&["du", "s3://day"]).says("4 objects");
    s3cmd(&["info", "s3://day"]).says("Location:").says("us-east-1");
    let info = s3cmd(&["info", "s3://day/typed"]);
    info.says("text/x-test").says("x-amz-meta-colour: blue").says("13");

    for (object, content) in [
        ("dir/small.txt", small.as_slice()),
        ("large.bin", large.as_slice()),
        ("odd name + ü & 'quotes'?.txt", small),
    ] {
        s3cmd(&["get", "--force", &format!("s3://day/{object}"), "got"]);
        assert!(
            std::fs::read(clients.home().join("got")).unwrap() == content,
            "{object} by {route}"
        );
    }
    clients
        .s3cmd(&["get", "s3://day/missing", "got2"])
        .fails_with("does not exist");
    clients.s3cmd(&["ls", "s3://nowhere"]).fails_with("NoSuchBucket");
    clients.s3cmd(&["mb", "s3://Bad_Name"]).fails_with("");
    clients.s3cmd(&["rb", "s3://day"]).fails_with("BucketNotEmpty");

    // Overwriting, syncing up and down, and removing.
    s3cmd(&["put", "large.bin", "s3://day/typed"]);
    s3cmd(&["get", "--force", "s3://day/typed", "got"]);
    assert!(std::fs::read(clients.home().join("got")).unwrap() == large);
    std::fs::create_dir_all(clients.home().join("tree/deep/er")).unwrap();
    for (number, name) in ["one", "deep/two", "deep/er/three"].iter().enumerate() {
        std::fs::write(
            clients.home().join("tree").join(name),
            random::bytes(number.try_into().unwrap(), 5_000),
        )
        .unwrap();
    }
    s3cmd(&["sync", "tree/", "s3://day/tree/"]);
    let again = s3cmd(&["sync", "tree/", "s3://day/tree/"]);
    assert!(!again.stdout.contains("upload:"), "{again}");
    s3cmd(&["sync", "s3://day/tree/", "back/"]);
    let same = clients.shell("diff -r tree back");
    same.ok();
    s3cmd(&["del", "s3://day/dir/small.txt"]);
    s3cmd(&["del", "s3://day/never-was"]);
    s3cmd(&["del", "--recursive", "--force", "s3://day/tree/"]);
    s3cmd(&["rb", "--recursive", "--force", "s3://day"]);
    assert_eq!(s3cmd(&["ls"]).stdout, "");
}

#[test]
fn other_ways_to_configure_s3cmd_work_too() {
    let store = Store::start();
    store.make_bucket("ways");
    store.put("ways", "key", "content");
    let clients = Clients::new(&store);
    let server = format!("127.0.0.1:{}", store.port());
    let keys = "--access_key=$AWS_ACCESS_KEY_ID --secret_key=$AWS_SECRET_ACCESS_KEY --no-ssl --region us-east-1";
    for (host, bucket) in [
        (server.clone(), format!("{server}/%(bucket)")),
        (server.clone(), format!("{server}/s3/%(bucket)")),
        (format!("{server}/s3"), format!("{server}/s3/%(bucket)s")),
    ] {
        clients
            .shell(&format!("s3cmd {keys} --host={host} --host-bucket='{bucket}' ls"))
            .ok()
            .says("s3://ways");
        clients
            .shell(&format!(
                "s3cmd {keys} --host={host} --host-bucket='{bucket}' ls s3://ways"
            ))
            .ok()
            .says("s3://ways/key");
        let got = clients.shell(&format!(
            "s3cmd {keys} --host={host} --host-bucket='{bucket}' get s3://ways/key - --quiet"
        ));
        assert_eq!(got.ok().stdout, "content", "--host={host} --host-bucket={bucket}");
    }
}

#[test]
fn a_wrong_secret_is_refused() {
    let store = Store::start();
    let clients = Clients::with_key(&store, corelane_tests::store::ACCESS_KEY, "wrong-secret");
    clients.s3cmd(&["mb", "s3://never"]).fails_with("SignatureDoesNotMatch");
}
