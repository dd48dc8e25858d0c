//! The AWS command line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{command::Clients, random, store::Store};

#[test]
fn a_day_with_aws_by_default() {
    a_day_with_aws("auto");
}

#[test]
fn a_day_with_aws_proxied() {
    a_day_with_aws("proxy");
}

fn a_day_with_aws(route: &str) {
    let store = Store::start_with(&["--route", route]);
    let clients = Clients::new(&store);
    let aws = |arguments: &[&str]| clients.aws(arguments).ok();
    let small = b"a small file\n";
    // Below the 8 MiB from which this client makes parts; large enough for a file of its own in the store.
    let large = random::bytes(81, 6_000_000);
    std::fs::write(clients.home().join("small.txt"), small).unwrap();
    std::fs::write(clients.home().join("large.bin"), &large).unwrap();

    assert_eq!(aws(&["s3", "ls"]).stdout, "");
    aws(&["s3", "mb", "s3://day"]);
    aws(&["s3", "ls"]).says(" day");
    aws(&["s3", "cp", "small.txt", "s3://day/dir/small.txt"]);
    aws(&[
        "s3",
        "cp",
        "large.bin",
        "s3://day/large.bin",
        "--content-type",
        "text/x-test",
        "--metadata",
        "colour=blue",
    ]);
    aws(&["s3", "ls", "s3://day"])
        .says("PRE dir/")
        .says("6000000 large.bin");
    aws(&["s3", "ls", "--recursive", "s3://day"]).says("13 dir/small.txt");
    aws(&["s3", "cp", "s3://day/large.bin", "got.bin"]);
    assert!(std::fs::read(clients.home().join("got.bin")).unwrap() == large);
    assert_eq!(
        aws(&["s3", "cp", "s3://day/dir/small.txt", "-"]).stdout.as_bytes(),
        small
    );
    let head = aws(&["s3api", "head-object", "--bucket", "day", "--key", "large.bin"]);
    head.says("text/x-test").says("\"colour\": \"blue\"").says("6000000");
    aws(&["s3api", "get-bucket-location", "--bucket", "day"]).says("null");
    aws(&["s3api", "list-objects-v2", "--bucket", "day", "--max-items", "1"]).says("NextToken");
    let ranged = [
        "s3api",
        "get-object",
        "--bucket",
        "day",
        "--key",
        "large.bin",
        "--range",
        "bytes=10-19",
        "part",
    ];
    aws(&ranged).says("bytes 10-19/6000000");
    assert_eq!(std::fs::read(clients.home().join("part")).unwrap(), large[10..20]);

    clients.aws(&["s3", "rb", "s3://day"]).fails_with("BucketNotEmpty");
    clients.aws(&["s3", "cp", "s3://day/missing", "x"]).fails_with("404");
    clients.aws(&["s3", "ls", "s3://nowhere"]).fails_with("NoSuchBucket");

    std::fs::create_dir_all(clients.home().join("tree/deep")).unwrap();
    for number in 0..12_u64 {
        let name = format!("tree/deep/file {number} ü+.bin");
        std::fs::write(clients.home().join(name), random::bytes(number, 20_000)).unwrap();
    }
    aws(&["s3", "sync", "tree", "s3://day/tree"]);
    assert_eq!(aws(&["s3", "sync", "tree", "s3://day/tree"]).stdout, "");
    aws(&["s3", "sync", "s3://day/tree", "back"]);
    clients.shell("diff -r tree back").ok();
    std::fs::remove_file(clients.home().join("tree/deep/file 3 ü+.bin")).unwrap();
    aws(&["s3", "sync", "--delete", "tree", "s3://day/tree"])
        .says("delete:")
        .says("file 3");

    aws(&["s3", "rm", "s3://day/dir/small.txt"]);
    aws(&["s3", "rm", "--recursive", "s3://day"]);
    aws(&["s3", "rb", "s3://day"]);
    assert_eq!(aws(&["s3", "ls"]).stdout, "");
}

#[test]
fn presigned_urls_of_aws_work() {
    let store = Store::start();
    store.make_bucket("signed");
    store.put("signed", "a key", "content");
    let clients = Clients::new(&store);
    let url = clients
        .aws(&["s3", "presign", "s3://signed/a key", "--expires-in", "60"])
        .ok()
        .stdout;
    // With its default settings this client presigns with SigV2 on such an endpoint, which the store refuses by name.
    if url.contains("X-Amz-Signature") {
        assert_eq!(clients.plain_curl(&["-L", url.trim()]).ok().stdout, "content");
    } else {
        clients
            .plain_curl(&["-L", url.trim()])
            .ok()
            .says("Please use AWS4-HMAC-SHA256");
    }
    clients
        .shell("aws configure set default.s3.signature_version s3v4")
        .ok();
    let url = clients
        .aws(&["s3", "presign", "s3://signed/a key", "--expires-in", "60"])
        .ok()
        .stdout;
    assert!(url.contains("X-Amz-Signature="), "{url}");
    assert_eq!(clients.plain_curl(&["-L", url.trim()]).ok().stdout, "content");
}
