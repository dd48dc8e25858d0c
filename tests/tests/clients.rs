//! Every client of the matrix in README.md with a store of every route: one script of `tests/clients` each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::matrix::{
    Certificates::{Verified, VerifiedOrNot},
    Client,
    Follows::{Everything, Nothing, Reads},
    Program::{self, Environment, Installed},
    Redirected::{None as No, Once, Some as Yes},
    Scheme,
};

const PYTHON: Program = Environment("base", "python");
const AWS_2: Program = Installed("/usr/bin/aws", "apt-get install awscli");
const S3CMD_2_3: Program = Installed("/usr/bin/s3cmd", "apt-get install s3cmd");
const RCLONE: Program = Installed("/usr/bin/rclone", "apt-get install rclone");
const CURL: Program = Installed("/usr/bin/curl", "apt-get install curl");
const WGET: Program = Installed("/usr/bin/wget", "apt-get install wget");
const NODE: Program = Installed("/usr/bin/node", "apt-get install nodejs");

/// A script for the environment most clients share, that is never redirected.
const fn client(script: &'static str) -> Client {
    Client {
        interpreter: PYTHON,
        script,
        program: None,
        arguments: &[],
        follows: Nothing,
        reads: No,
        uploads: No,
        certificates: VerifiedOrNot,
    }
}

macro_rules! clients {
    ($($name:ident: $client:expr;)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn http() {
                $client.try_every_route(Scheme::Http);
            }

            #[test]
            fn https() {
                $client.try_every_route(Scheme::Https);
            }
        }
    )*};
}

macro_rules! heavy_clients {
    ($($name:ident: $client:expr;)*) => {$(
        mod $name {
            use super::*;

            #[test]
            #[ignore = "gigabytes to install: ./scripts/test --all-clients"]
            fn http() {
                $client.try_every_route(Scheme::Http);
            }

            #[test]
            #[ignore = "gigabytes to install: ./scripts/test --all-clients"]
            fn https() {
                $client.try_every_route(Scheme::Https);
            }
        }
    )*};
}

clients! {
    s3cmd_2_3: Client {
        program: Some(S3CMD_2_3),
        arguments: &["prefix"],
        follows: Everything,
        reads: Yes,
        ..client("s3cmd_client.py")
    };
    s3cmd_2_4: Client {
        program: Some(Environment("s3cmd", "s3cmd")),
        arguments: &["bucket-prefix"],
        follows: Everything,
        reads: Yes,
        ..client("s3cmd_client.py")
    };
    aws_1: Client { program: Some(Environment("base", "aws")), ..client("aws_client.py") };
    aws_2: Client { program: Some(AWS_2), ..client("aws_client.py") };
    boto3: Client { arguments: &["plain"], reads: Once, uploads: Once, ..client("boto3_client.py") };
    boto3_with_aistores_patch: Client {
        arguments: &["aistore"],
        follows: Everything,
        reads: Yes,
        uploads: Yes,
        ..client("boto3_client.py")
    };
    s5cmd: Client {
        program: Some(Environment("base", "s5cmd")),
        follows: Everything,
        reads: Yes,
        uploads: Yes,
        ..client("s5cmd_client.py")
    };
    rclone: Client {
        program: Some(RCLONE),
        follows: Reads,
        reads: Yes,
        uploads: Yes,
        ..client("rclone_client.py")
    };
    s3fs: Client {
        interpreter: Environment("s3fs", "python"),
        follows: Everything,
        reads: Yes,
        uploads: Yes,
        ..client("s3fs_client.py")
    };
    // Of uploads in one piece it makes only those of empty directories.
    pyarrow: Client {
        follows: Everything,
        reads: Yes,
        uploads: Yes,
        certificates: Verified,
        ..client("pyarrow_client.py")
    };
    object_store: Client { follows: Reads, reads: Yes, ..client("obstore_client.py") };
    polars: Client { follows: Reads, reads: Yes, ..client("polars_client.py") };
    opendal: Client { follows: Reads, reads: Yes, certificates: Verified, ..client("opendal_client.py") };
    // Over TLS this and `requests` miss a redirect that comes while they still upload.
    minio: Client { follows: Reads, reads: Yes, ..client("minio_client.py") };
    crt: Client { certificates: Verified, ..client("crt_client.py") };
    javascript: Client { interpreter: NODE, ..client("javascript/sdk_client.mjs") };
    curl: Client { program: Some(CURL), ..client("curl_client.py") };
    wget: Client { program: Some(WGET), follows: Reads, reads: Yes, ..client("wget_client.py") };
    requests: Client { follows: Reads, reads: Yes, ..client("requests_client.py") };
    urllib: Client { follows: Reads, reads: Yes, ..client("urllib_client.py") };
    webdataset: client("webdataset_client.py");
}

heavy_clients! {
    s3torchconnector: Client {
        interpreter: Environment("pytorch", "python"),
        certificates: Verified,
        ..client("s3torchconnector_client.py")
    };
    tensorflow: Client {
        interpreter: Environment("tensorflow", "python"),
        follows: Everything,
        reads: Yes,
        uploads: Yes,
        ..client("tensorflow_client.py")
    };
}
