//! Routing as a table: every operation, and every request that must not be taken for one.
#![allow(clippy::unwrap_used)]

use corelane_proto::{
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
    s3::{
        name::Target,
        operation::{BucketSubresource, ObjectSubresource, Operation},
        query::Query,
        subresource::Subresource,
    },
};

fn route_with(method: &str, target: &str, fields: &str) -> Result<Operation, S3Error> {
    let text = format!("{method} {target} HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
    let head = RequestHead::parse(text.as_bytes()).unwrap().unwrap().0;
    let query = Query::parse(head.raw_query())?;
    Operation::parse(&head, &Target::parse(head.raw_path())?, &query)
}

fn route(method: &str, target: &str) -> Result<Operation, ErrorCode> {
    route_with(method, target, "").map_err(|error| error.code)
}

const METHODS: [&str; 7] = ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"];
const NOT_IMPLEMENTED: Result<Operation, ErrorCode> = Err(ErrorCode::NotImplemented);
const NOT_ALLOWED: Result<Operation, ErrorCode> = Err(ErrorCode::MethodNotAllowed);

#[test]
fn plain_requests() {
    let table = [
        (
            "/",
            [
                Ok(Operation::ListBuckets),
                NOT_ALLOWED,
                NOT_ALLOWED,
                NOT_ALLOWED,
                NOT_ALLOWED,
                NOT_IMPLEMENTED,
                NOT_ALLOWED,
            ],
        ),
        (
            "/bucket",
            [
                Ok(Operation::ListObjects),
                Ok(Operation::HeadBucket),
                Ok(Operation::CreateBucket),
                Ok(Operation::PostObject),
                Ok(Operation::DeleteBucket),
                NOT_IMPLEMENTED,
                NOT_ALLOWED,
            ],
        ),
        (
            "/bucket/key",
            [
                Ok(Operation::GetObject),
                Ok(Operation::HeadObject),
                Ok(Operation::PutObject),
                NOT_ALLOWED,
                Ok(Operation::DeleteObject),
                NOT_IMPLEMENTED,
                NOT_ALLOWED,
            ],
        ),
    ];
    for (path, answers) in table {
        for (method, expected) in METHODS.iter().zip(answers) {
            for root in ["", "/s3"] {
                // What S3 does not know as a sub-resource changes nothing.
                for query in [
                    "",
                    "?x-id=Any",
                    "?foo=bar&X-Amz-Date=1&corelane-ticket=acl",
                    "?ACL&prefix=tagging&Versions=",
                ] {
                    let target = format!("{root}{path}{query}");
                    assert_eq!(route(method, &target), expected, "{method} {target}");
                }
            }
        }
    }
}

#[test]
fn every_subresource_with_every_method() {
    let readable = [
        ("acl", BucketSubresource::Acl),
        ("cors", BucketSubresource::Cors),
        ("encryption", BucketSubresource::Encryption),
        ("lifecycle", BucketSubresource::Lifecycle),
        ("logging", BucketSubresource::Logging),
        ("notification", BucketSubresource::Notification),
        ("object-lock", BucketSubresource::ObjectLock),
        ("ownershipControls", BucketSubresource::OwnershipControls),
        ("policy", BucketSubresource::Policy),
        ("policyStatus", BucketSubresource::PolicyStatus),
        ("publicAccessBlock", BucketSubresource::PublicAccessBlock),
        ("replication", BucketSubresource::Replication),
        ("requestPayment", BucketSubresource::RequestPayment),
        ("tagging", BucketSubresource::Tagging),
        ("versioning", BucketSubresource::Versioning),
        ("website", BucketSubresource::Website),
        ("accelerate", BucketSubresource::Accelerate),
        ("analytics", BucketSubresource::Analytics),
        ("intelligent-tiering", BucketSubresource::IntelligentTiering),
        ("inventory", BucketSubresource::Inventory),
        ("metrics", BucketSubresource::Metrics),
    ];
    for name in Subresource::ALL.iter().map(|subresource| subresource.name()) {
        for method in METHODS {
            let bucket = match (method, name) {
                ("GET", "location") => Ok(Operation::BucketLocation),
                ("POST", "delete") => Ok(Operation::DeleteObjects),
                ("GET", "versions") => Ok(Operation::ListObjectVersions),
                ("GET", "uploads") => Ok(Operation::ListMultipartUploads),
                _ => readable.iter().find(|(candidate, _)| *candidate == name).map_or(
                    NOT_IMPLEMENTED,
                    |(_, subresource)| match method {
                        "GET" => Ok(Operation::BucketRead(*subresource)),
                        "PUT" => Ok(Operation::BucketWrite(*subresource)),
                        "DELETE" => Ok(Operation::BucketDelete(*subresource)),
                        _ => NOT_IMPLEMENTED,
                    },
                ),
            };
            let object = match (method, name) {
                ("GET", "acl") => Ok(Operation::ObjectRead(ObjectSubresource::Acl)),
                ("GET", "tagging") => Ok(Operation::GetObjectTagging),
                ("PUT", "tagging") => Ok(Operation::PutObjectTagging),
                ("DELETE", "tagging") => Ok(Operation::DeleteObjectTagging),
                ("GET", "attributes") => Ok(Operation::GetObjectAttributes),
                ("POST", "uploads") => Ok(Operation::CreateMultipartUpload),
                ("GET", "uploadId") => Ok(Operation::ListParts),
                ("POST", "uploadId") => Ok(Operation::CompleteMultipartUpload),
                ("DELETE", "uploadId") => Ok(Operation::AbortMultipartUpload),
                ("GET", "partNumber") => Ok(Operation::GetObject),
                ("HEAD", "partNumber") => Ok(Operation::HeadObject),
                _ => NOT_IMPLEMENTED,
            };
            for query in [
                name.to_owned(),
                format!("{name}="),
                format!("{name}=1"),
                format!("x-id=a&{name}&foo"),
            ] {
                for path in ["/bucket", "/bucket/", "/s3/bucket"] {
                    assert_eq!(
                        route(method, &format!("{path}?{query}")),
                        bucket,
                        "{method} {path}?{query}"
                    );
                }
                assert_eq!(
                    route(method, &format!("/bucket/key?{query}")),
                    object,
                    "{method} key?{query}"
                );
                assert_eq!(
                    route(method, &format!("/?{query}")),
                    NOT_IMPLEMENTED,
                    "{method} /?{query}"
                );
            }
        }
    }
}

/// The requests that destroyed data, or answered something else, in a system of this kind.
#[test]
fn nothing_falls_through() {
    for (method, target) in [
        ("PUT", "/bucket/key?acl"),
        ("PUT", "/bucket/key?retention"),
        ("PUT", "/bucket/key?legal-hold"),
        ("PUT", "/bucket/key?append&position=0"),
        ("PUT", "/bucket/key?renameObject"),
        ("PUT", "/bucket/key?uploadId=x"),
        ("PUT", "/bucket/key?partNumber=1"),
        ("POST", "/bucket/key?select&select-type=2"),
        ("POST", "/bucket/key?restore"),
        ("DELETE", "/bucket/key?partNumber=1"),
        ("GET", "/bucket?session"),
        ("GET", "/bucket/key?torrent"),
    ] {
        assert_eq!(route(method, target), NOT_IMPLEMENTED, "{method} {target}");
    }
    for (method, target, operation) in [
        ("PUT", "/bucket/key?tagging", Operation::PutObjectTagging),
        ("DELETE", "/bucket/key?tagging", Operation::DeleteObjectTagging),
        ("POST", "/bucket/key?uploads=", Operation::CreateMultipartUpload),
        ("PUT", "/bucket/key?partNumber=1&uploadId=x", Operation::UploadPart),
        (
            "DELETE",
            "/bucket?cors",
            Operation::BucketDelete(BucketSubresource::Cors),
        ),
        (
            "DELETE",
            "/bucket?policy",
            Operation::BucketDelete(BucketSubresource::Policy),
        ),
        (
            "PUT",
            "/bucket?versioning",
            Operation::BucketWrite(BucketSubresource::Versioning),
        ),
        ("GET", "/bucket?location", Operation::BucketLocation),
    ] {
        assert_eq!(route(method, target), Ok(operation), "{method} {target}");
    }
    assert_eq!(route("GET", "/bucket?acl&policy"), Err(ErrorCode::InvalidArgument));
}

#[test]
fn only_what_has_versions_takes_a_version_id() {
    const ID: &str = "versionId=000000000000002a";
    for (method, subresource) in [
        ("GET", ""),
        ("HEAD", ""),
        ("DELETE", ""),
        ("PUT", "tagging&"),
        ("GET", "attributes&"),
    ] {
        assert!(
            route(method, &format!("/bucket/key?{subresource}{ID}")).is_ok(),
            "{method}"
        );
        let unknown = format!("/bucket/key?{subresource}versionId=3sL4kqtJlcpXroDTDmJ");
        assert_eq!(route(method, &unknown), Err(ErrorCode::InvalidArgument), "{method}");
    }
    for (method, target) in [
        ("PUT", "/bucket/key?versionId=null"),
        ("POST", "/bucket/key?uploads&versionId=null"),
        ("GET", "/bucket?versionId=null"),
        ("DELETE", "/bucket?versionId=null"),
    ] {
        assert_eq!(
            route(method, target),
            Err(ErrorCode::InvalidArgument),
            "{method} {target}"
        );
    }
}

#[test]
fn copies_are_told_by_their_source() {
    for (target, field, operation) in [
        ("/bucket/key", "x-amz-copy-source: /b/k\r\n", Operation::CopyObject),
        ("/bucket/key?X-Amz-Copy-Source=b%2Fk", "", Operation::CopyObject),
        (
            "/bucket/key?partNumber=1&uploadId=x",
            "X-Amz-Copy-Source: b/k\r\n",
            Operation::UploadPartCopy,
        ),
    ] {
        assert_eq!(route_with("PUT", target, field), Ok(operation), "{target}");
    }
}

#[test]
fn the_null_version_is_the_object_itself() {
    assert_eq!(route("GET", "/bucket/key?versionId=null"), Ok(Operation::GetObject));
    assert_eq!(route("HEAD", "/bucket/key?versionId=null"), Ok(Operation::HeadObject));
    assert_eq!(
        route("DELETE", "/bucket/key?versionId=null"),
        Ok(Operation::DeleteObject)
    );
    assert_eq!(
        route("GET", "/bucket/key?tagging&versionId=null"),
        Ok(Operation::GetObjectTagging)
    );
    assert_eq!(route("GET", "/bucket/key?versionId="), Err(ErrorCode::InvalidArgument));
}

#[test]
fn list_versions() {
    assert_eq!(
        route("GET", "/bucket?list-type=2&prefix=a"),
        Ok(Operation::ListObjectsV2)
    );
    assert_eq!(
        route("GET", "/bucket?delimiter=%2F&marker="),
        Ok(Operation::ListObjects)
    );
    assert_eq!(route("GET", "/bucket?list-type=3"), Err(ErrorCode::InvalidArgument));
}

#[test]
fn headers_that_ask_for_more() {
    let refused = |method: &str, target: &str, field: &str| {
        let error = route_with(method, target, &format!("{field}\r\n")).unwrap_err();
        assert_eq!(error.code, ErrorCode::NotImplemented, "{method} {field}");
        let name = field.split_once(':').unwrap().0.to_owned();
        assert!(error.fields.contains(&("Header", name)), "{field}");
    };
    for field in [
        "x-amz-acl: public-read",
        "x-amz-grant-read: id=1",
        "x-amz-server-side-encryption: AES256",
        "x-amz-server-side-encryption-aws-kms-key-id: k",
        "x-amz-server-side-encryption-customer-algorithm: AES256",
        "x-amz-object-lock-mode: COMPLIANCE",
        "x-amz-object-lock-retain-until-date: 2030-01-01T00:00:00Z",
        "x-amz-object-lock-legal-hold: ON",
        "x-amz-write-offset-bytes: 0",
        "x-amz-rename-source: /b/k",
        "If-Modified-Since: Mon, 23 Nov 2026 12:00:00 GMT",
        "If-Unmodified-Since: Mon, 23 Nov 2026 12:00:00 GMT",
        "Content-Range: bytes 0-1/2",
    ] {
        refused("PUT", "/bucket/key", field);
    }
    for field in [
        "If-None-Match: *",
        "If-Unmodified-Since: Mon, 23 Nov 2026 12:00:00 GMT",
        "x-amz-if-match-size: 1",
        "x-amz-if-match-last-modified-time: Mon, 23 Nov 2026 12:00:00 GMT",
    ] {
        refused("DELETE", "/bucket/key", field);
    }
    for field in [
        "x-amz-acl: public-read",
        "x-amz-grant-write: id=1",
        "x-amz-bucket-object-lock-enabled: true",
        "x-amz-object-ownership: ObjectWriter",
    ] {
        refused("PUT", "/bucket", field);
    }

    // Presigned URLs carry such headers as parameters.
    for parameter in ["x-amz-acl=public-read", "X-Amz-Server-Side-Encryption=AES256"] {
        assert_eq!(
            route("PUT", &format!("/bucket/key?{parameter}")),
            NOT_IMPLEMENTED,
            "{parameter}"
        );
    }
    let encrypted = route_with(
        "GET",
        "/bucket/key",
        "x-amz-server-side-encryption-customer-algorithm: AES256\r\n",
    );
    assert_eq!(encrypted.unwrap_err().code, ErrorCode::InvalidRequest);
}

#[test]
fn headers_that_change_nothing() {
    for field in [
        "x-amz-acl: private",
        "x-amz-tagging: a=b",
        "If-Match: \"e\"",
        "If-None-Match: *",
        "x-amz-request-payer: requester",
        "x-amz-meta-x-amz-copy-source: a",
        "x-amz-storage-class: STANDARD",
        "x-amz-checksum-crc32: AAAAAA==",
        "x-amz-sdk-checksum-algorithm: CRC32",
        "x-amz-security-token: t",
        "If-Range: \"e\"",
        "Range: bytes=0-1",
        "Content-Type: text/plain",
        "Expect: 100-continue",
    ] {
        assert_eq!(
            route_with("PUT", "/bucket/key", &format!("{field}\r\n")),
            Ok(Operation::PutObject),
            "{field}"
        );
    }
    for field in [
        "If-Match: \"e\"",
        "If-None-Match: *",
        "x-amz-checksum-mode: ENABLED",
        "x-amz-copy-source: /b/k",
    ] {
        assert_eq!(
            route_with("GET", "/bucket/key", &format!("{field}\r\n")),
            Ok(Operation::GetObject),
            "{field}"
        );
    }
    for field in [
        "x-amz-acl: private",
        "x-amz-bucket-object-lock-enabled: false",
        "x-amz-object-ownership: BucketOwnerEnforced",
    ] {
        assert_eq!(
            route_with("PUT", "/bucket", &format!("{field}\r\n")),
            Ok(Operation::CreateBucket),
            "{field}"
        );
    }
}

#[test]
fn names_are_those_of_the_api_reference() {
    for (method, target, name) in [
        ("GET", "/", "ListBuckets"),
        ("GET", "/bucket?location", "GetBucketLocation"),
        ("GET", "/bucket?lifecycle", "GetBucketLifecycleConfiguration"),
        ("GET", "/bucket?publicAccessBlock", "GetPublicAccessBlock"),
        ("POST", "/bucket?delete", "DeleteObjects"),
        ("GET", "/bucket/key?acl", "GetObjectAcl"),
        ("PUT", "/bucket/key", "PutObject"),
    ] {
        assert_eq!(route(method, target).unwrap().name(), name);
    }
}

/// What a copy or an upload in parts would leave undone is refused, as of a PutObject.
#[test]
fn copies_and_uploads_in_parts_refuse_what_they_cannot_honour() {
    const COPY: &str = "x-amz-copy-source: /b/k\r\n";
    let is_refused = |method: &str, target: &str, fields: &str| {
        route_with(method, target, fields).map_err(|error| error.code) == NOT_IMPLEMENTED
    };
    let part = "/bucket/key?partNumber=1&uploadId=0000000000000001";
    for (method, target, given) in [
        ("PUT", "/bucket/key", COPY),
        ("POST", "/bucket/key?uploads", ""),
        ("PUT", part, ""),
        ("PUT", part, COPY),
    ] {
        for field in [
            "x-amz-server-side-encryption: AES256",
            "x-amz-server-side-encryption-customer-algorithm: AES256",
            "x-amz-object-lock-mode: GOVERNANCE",
        ] {
            let fields = format!("{given}{field}\r\n");
            assert!(is_refused(method, target, &fields), "{target} {fields}");
        }
    }
    for (method, target, given) in [("PUT", "/bucket/key", COPY), ("POST", "/bucket/key?uploads", "")] {
        for field in ["x-amz-acl: public-read", "x-amz-grant-read: id=1"] {
            let fields = format!("{given}{field}\r\n");
            assert!(is_refused(method, target, &fields), "{target} {fields}");
        }
    }
}
