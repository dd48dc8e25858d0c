//! Requests as real clients sent them, recorded from the wire, with the secret of AWS's documentation.
#![allow(clippy::unwrap_used, clippy::panic)]

use corelane_proto::{
    auth::{
        payload::{ContentSha256, PayloadDeclaration},
        verify::Credential,
    },
    digest::checksum::ChecksumAlgorithm,
    error::ErrorCode,
    http::{date, head::RequestHead},
    s3::query::Query,
};

const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

#[test]
fn botocore_1_43_put_over_http() {
    let head = "PUT /s3/bucket/a//b%20c%2Bd/%C3%A9~%281%29%2A%27%21.txt HTTP/1.1\r\n\
        Host: 127.0.0.1:51080\r\n\
        x-amz-meta-note: two  spaces\r\n\
        x-amz-meta-mtime: 1\r\n\
        Content-Type: text/plain\r\n\
        User-Agent: Boto3/1.44 test\r\n\
        Expect: 100-continue\r\n\
        x-amz-checksum-crc32: NhCmhg==\r\n\
        x-amz-sdk-checksum-algorithm: CRC32\r\n\
        X-Amz-Date: 20261123T120000Z\r\n\
        X-Amz-Content-SHA256: 2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\r\n\
        Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/eu-west-3/s3/aws4_request, \
        SignedHeaders=content-type;host;x-amz-checksum-crc32;x-amz-content-sha256;x-amz-date;x-amz-meta-mtime;\
        x-amz-meta-note;x-amz-sdk-checksum-algorithm, \
        Signature=8f1db43cd62a5066225ef1b129f22ed1714b3427b60c08963c0fa8757ff0b5e6\r\n\
        amz-sdk-invocation-id: b1f3306f-263b-4363-bfd0-64d9f986fa83\r\n\
        amz-sdk-request: attempt=1\r\n\
        Content-Length: 5\r\n\r\n";
    accepted(head, "20261123T120000Z");
    let declaration = PayloadDeclaration::from_request(&parse(head)).unwrap();
    assert!(matches!(declaration.content_sha256, ContentSha256::Digest(_)));
    assert_eq!(declaration.checksum.unwrap().algorithm, ChecksumAlgorithm::Crc32);
    assert_eq!(declaration.decoded_length, Some(5));
}

#[test]
fn botocore_1_43_put_over_tls() {
    let head = "PUT /s3/bucket/k HTTP/1.1\r\n\
        Host: 127.0.0.1:51080\r\n\
        User-Agent: Boto3/1.44 test\r\n\
        Expect: 100-continue\r\n\
        Transfer-Encoding: chunked\r\n\
        Content-Encoding: aws-chunked\r\n\
        X-Amz-Trailer: x-amz-checksum-crc32\r\n\
        X-Amz-Decoded-Content-Length: 11\r\n\
        x-amz-sdk-checksum-algorithm: CRC32\r\n\
        X-Amz-Date: 20261123T120000Z\r\n\
        X-Amz-Content-SHA256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\n\
        Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/eu-west-3/s3/aws4_request, \
        SignedHeaders=content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;\
        x-amz-sdk-checksum-algorithm;x-amz-trailer, \
        Signature=0ff8ec4d3dc885ff08b467d76082269cec9650f6653ad5a258eda19abf1f0bb2\r\n\
        amz-sdk-request: attempt=1\r\n\r\n";
    accepted(head, "20261123T120000Z");
    let declaration = PayloadDeclaration::from_request(&parse(head)).unwrap();
    assert_eq!(
        declaration,
        PayloadDeclaration {
            content_sha256: ContentSha256::UnsignedTrailer,
            content_md5: None,
            checksum: None,
            trailer: Some(ChecksumAlgorithm::Crc32),
            decoded_length: Some(11),
        }
    );
}

#[test]
fn botocore_1_43_list() {
    accepted(
        "GET /s3/bucket?list-type=2&prefix=a%20b%2Bc%2F%C3%A9&delimiter=%2F&max-keys=2&encoding-type=url HTTP/1.1\r\n\
         Host: 127.0.0.1:51080\r\n\
         User-Agent: Boto3/1.44 test\r\n\
         X-Amz-Date: 20261123T120000Z\r\n\
         X-Amz-Content-SHA256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/eu-west-3/s3/aws4_request, \
         SignedHeaders=host;x-amz-content-sha256;x-amz-date, \
         Signature=4f82dff4bba7369ac5bd3c92cc4c6a276ecd66f87061dfd72e2ef76cf3575ec5\r\n\r\n",
        "20261123T120000Z",
    );
}

#[test]
fn botocore_1_43_delete_objects() {
    let head = "POST /s3/bucket?delete HTTP/1.1\r\n\
        Host: 127.0.0.1:51080\r\n\
        x-amz-checksum-crc32: CEaAGw==\r\n\
        x-amz-sdk-checksum-algorithm: CRC32\r\n\
        X-Amz-Date: 20261123T120000Z\r\n\
        X-Amz-Content-SHA256: 0ebe2d4e061df349be597c8e7da1bea023a159bae0fb2a70efca7c1395be1439\r\n\
        Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/eu-west-3/s3/aws4_request, \
        SignedHeaders=host;x-amz-checksum-crc32;x-amz-content-sha256;x-amz-date;x-amz-sdk-checksum-algorithm, \
        Signature=9a0bc1bbb20d60a20f0d87a8e39f98d00e0ecbd4ee526c4df1401b3003b5eced\r\n\
        Content-Length: 94\r\n\r\n";
    accepted(head, "20261123T120000Z");
}

#[test]
fn botocore_1_43_presigned() {
    for target in [
        "GET /s3/bucket/a%20b/%C3%A9?response-content-type=text%2Fx%20y&X-Amz-Algorithm=AWS4-HMAC-SHA256\
         &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20261123%2Feu-west-3%2Fs3%2Faws4_request\
         &X-Amz-Date=20261123T120000Z&X-Amz-Expires=600&X-Amz-SignedHeaders=host\
         &X-Amz-Signature=c3f56b454def2806ac2ea92be997b1fb7acc111679e5e915a8607a0586ddc25a",
        "PUT /s3/bucket/k?X-Amz-Algorithm=AWS4-HMAC-SHA256\
         &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20261123%2Feu-west-3%2Fs3%2Faws4_request\
         &X-Amz-Date=20261123T120000Z&X-Amz-Expires=600&X-Amz-SignedHeaders=content-type%3Bhost%3Bx-amz-meta-a\
         &X-Amz-Signature=ec46fe93bf367fd39098d9587662a67d68d29321e4f875d13e2bf52476bf7270",
    ] {
        let headers = match target.starts_with("PUT") {
            true => "Content-Type: text/plain\r\nx-amz-meta-a: b\r\n",
            false => "",
        };
        let head = format!("{target} HTTP/1.1\r\nHost: 127.0.0.1:51080\r\n{headers}\r\n");
        accepted(&head, "20261123T120959Z");
    }
}

/// `--host=H/s3`: the object's host is taken for `H/s3`, and runs of spaces stay.
#[test]
fn s3cmd_2_put() {
    accepted(
        "PUT /s3/bucket/dir/a%20b%2B%28c%29%27%C3%A9.txt HTTP/1.1\r\n\
         Host: 127.0.0.1:37291\r\n\
         Accept-Encoding: identity\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/us-east-1/s3/aws4_request,\
         SignedHeaders=content-length;content-type;host;x-amz-content-sha256;x-amz-date;x-amz-meta-note;\
         x-amz-meta-s3cmd-attrs;x-amz-storage-class,\
         Signature=9c4d1c20c90fa0aeab723cb310b6afbfc7086c78442419310cda95010a2b475e\r\n\
         content-length: 6\r\n\
         content-type: text/plain\r\n\
         x-amz-content-sha256: 5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\r\n\
         x-amz-date: 20261123T124337Z\r\n\
         x-amz-meta-note: two  spaces\r\n\
         x-amz-meta-s3cmd-attrs: atime:1795437817/ctime:1795437817/gid:0/gname:root/\
         md5:b1946ac92492d2347c6235b4d2611184/mode:33188/mtime:1795437817/uid:0/uname:root\r\n\
         x-amz-storage-class: STANDARD\r\n\r\n",
        "20261123T124337Z",
    );
}

#[test]
fn s3cmd_2_lists() {
    for (target, timestamp, signature) in [
        (
            "GET /s3/bucket/?delimiter=%2F&prefix=a",
            "20261123T124337Z",
            "010c64a3446886839ce1a369a8afbeb64ad2ab97999e1d26fad0c436a0174e56",
        ),
        (
            "GET /s3/",
            "20261123T124338Z",
            "df7e27a2b0864c5ad889e1c67da593d0721e33087469d07d11dc0b41aab42017",
        ),
    ] {
        accepted(&s3cmd(target, "127.0.0.1:37291", timestamp, signature), timestamp);
    }
}

/// `--host-bucket="H/s3/%(bucket)s"`: the bucket is taken for a part of the host.
#[test]
fn s3cmd_2_with_the_bucket_in_host_bucket() {
    for (target, signature) in [
        (
            "HEAD /s3/bucket/dir/a",
            "4c0bc2054b25fffcd1f7ec3fe8f813dceacb67a6684e9030aa5c90a2744541ea",
        ),
        (
            "GET /s3/bucket/?location",
            "ed014c4fd714a3254ba7cc31616796d42963e9015263544de5f4c56b8f2055ac",
        ),
    ] {
        let timestamp = "20261123T124356Z";
        accepted(&s3cmd(target, "127.0.0.1:40989", timestamp, signature), timestamp);
    }
}

fn s3cmd(target: &str, host: &str, timestamp: &str, signature: &str) -> String {
    format!(
        "{target} HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: identity\r\nContent-Length: 0\r\n\
         x-amz-date: {timestamp}\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261123/us-east-1/s3/aws4_request,\
         SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature={signature}\r\n\
         x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\r\n\r\n"
    )
}

fn parse(head: &str) -> RequestHead {
    RequestHead::parse(head.as_bytes()).unwrap().unwrap().0
}

/// The signature is good, and on another path it is not.
fn accepted(head: &str, now: &str) {
    let verify = |head: &str| {
        let head = parse(head);
        let query = Query::parse(head.raw_query()).unwrap();
        let Credential::Signed(claim) = Credential::from_request(&head, &query).unwrap() else {
            panic!("taken for anonymous");
        };
        claim.verify(&head, SECRET_KEY, date::parse_sigv4(now).unwrap())
    };
    verify(head).unwrap();
    let elsewhere = head.replacen("/s3/", "/s3/other", 1);
    assert_eq!(verify(&elsewhere).unwrap_err().code, ErrorCode::SignatureDoesNotMatch);
}
