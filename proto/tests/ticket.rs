//! Tickets: what goes in comes out, and nothing else opens.
#![allow(clippy::unwrap_used, clippy::panic)]

use corelane_proto::{
    auth::{
        chunked::ChunkSigner,
        object_grant::{ObjectGrant, SealedSource},
        payload::{ContentSha256, PayloadDeclaration},
        sigv4::{Scope, SigningKey},
        ticket::{Grant, Principal, Ticket, TicketError, TicketKey, find, request_digest},
    },
    digest::checksum::{Checksum, ChecksumAlgorithm, ChecksumType},
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
    limits::{CORS_EXPOSE_BYTES_MAX, KEY_BYTES_MAX, ORIGIN_BYTES_MAX, TICKET_BYTES_MAX},
    s3::{
        bucket::{BucketGrant, BucketId},
        config::{cors::METHODS, cors_headers::CorsHeaders},
        copy_source::CopyRange,
        listing::{ListQuery, ListScope},
        operation::Operation,
        query::Query,
        version::VersionId,
    },
};

const NOW: u64 = 1_795_435_200;

#[test]
fn every_grant_comes_back() {
    let key = key();
    for grant in grants() {
        let sealed = key.seal(&ticket(grant.clone()));
        let opened = key.open(&sealed, NOW).unwrap();
        assert!(
            sealed
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        );
        // Debug leaves out the signing key and the seed, so those are compared apart.
        assert_eq!(format!("{opened:?}"), format!("{:?}", ticket(grant.clone())));
        if let (Grant::Object { object: a, .. }, Grant::Object { object: b, .. }) = (&opened.grant, &grant)
            && let (Some(a), Some(b)) = (&a.signer, &b.signer)
        {
            assert_eq!(a.signing_key, b.signing_key);
            assert_eq!(a.seed_signature, b.seed_signature);
        }
    }
}

#[test]
fn any_flipped_bit_is_refused() {
    let key = key();
    let sealed = key.seal(&ticket(object(Operation::PutObject)));
    for at in 0..sealed.len() {
        for bit in 0..7 {
            let mut bytes = sealed.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            let Ok(mutated) = String::from_utf8(bytes) else {
                continue;
            };
            assert_eq!(key.open(&mutated, NOW).unwrap_err(), TicketError::Unsealed);
        }
    }
}

#[test]
fn truncated_extended_and_foreign_texts_are_refused() {
    let key = key();
    let sealed = key.seal(&ticket(object(Operation::GetObject)));
    for cut in 0..sealed.len() {
        assert_eq!(key.open(&sealed[..cut], NOW).unwrap_err(), TicketError::Unsealed);
    }
    let long = "A".repeat(TICKET_BYTES_MAX * 2);
    for text in [
        format!("{sealed}A"),
        format!("{sealed}="),
        format!("{sealed}AAAA"),
        sealed.replace(|character: char| character.is_ascii_digit(), "é"),
        long,
    ] {
        assert_eq!(key.open(&text, NOW).unwrap_err(), TicketError::Unsealed);
    }
    let other = TicketKey::from_bytes([8; 32]);
    assert_eq!(other.open(&sealed, NOW).unwrap_err(), TicketError::Unsealed);
}

#[test]
fn an_expired_ticket_is_refused() {
    let key = key();
    let ticket = ticket(Grant::Register { node: [3; 16] });
    let sealed = key.seal(&ticket);
    assert!(key.open(&sealed, ticket.expires_unix_s).is_ok());
    let error = key.open(&sealed, ticket.expires_unix_s + 1).unwrap_err();
    assert_eq!(error, TicketError::Expired);
    assert_eq!(S3Error::from(error).code, ErrorCode::AccessDenied);
}

#[test]
fn an_operation_that_is_no_tickets_business_does_not_open() {
    let key = key();
    let sealed = key.seal(&ticket(object(Operation::DeleteBucket)));
    assert!(matches!(key.open(&sealed, NOW), Err(TicketError::Malformed(_))));
}

#[test]
fn the_largest_object_ticket_fits() {
    let key = key();
    let Grant::Object { object, request_digest } = object(Operation::PutObject) else {
        panic!("not an object grant");
    };
    let grant = Grant::Object {
        object: ObjectGrant {
            bucket: BucketGrant {
                name: "b".repeat(63),
                ..object.bucket.clone()
            },
            key: "k".repeat(KEY_BYTES_MAX),
            copy_source: None,
            ..object.clone()
        },
        request_digest,
    };
    let sealed = key.seal(&ticket(grant));
    assert!(sealed.len() < TICKET_BYTES_MAX / 2, "{}", sealed.len());
    key.open(&sealed, NOW).unwrap();
    // A copy's holds its source's.
    let read = Grant::Read {
        bucket: bucket(),
        key: "k".repeat(KEY_BYTES_MAX),
        version: Some(VersionId::Number(1)),
        range: Some(CopyRange { first: 0, last: 1 }),
    };
    let copy = Grant::Object {
        object: ObjectGrant {
            key: "k".repeat(KEY_BYTES_MAX),
            cors: Some(Box::new(CorsHeaders {
                allow_origin: "o".repeat(ORIGIN_BYTES_MAX),
                allow_methods: METHODS.join(", "),
                allow_headers: String::new(),
                expose_headers: "e".repeat(CORS_EXPOSE_BYTES_MAX),
                max_age_s: Some(u32::MAX),
            })),
            copy_source: Some(Box::new(SealedSource {
                address: "127.0.0.1:65535".to_owned(),
                ticket: key.seal(&ticket(read)),
                bucket: "b".repeat(63),
                key: "k".repeat(KEY_BYTES_MAX),
                version: Some(VersionId::Number(1)),
            })),
            ..object
        },
        request_digest,
    };
    let sealed = key.seal(&ticket(copy));
    assert!(sealed.len() < TICKET_BYTES_MAX, "{}", sealed.len());
    key.open(&sealed, NOW).unwrap();
}

#[test]
fn the_same_ticket_never_looks_the_same() {
    let key = key();
    let ticket = ticket(Grant::Register { node: [3; 16] });
    assert_ne!(key.seal(&ticket), key.seal(&ticket));
    assert_ne!(TicketKey::generate_bytes(), TicketKey::generate_bytes());
    assert_eq!(format!("{key:?}"), "TicketKey(..)");
}

#[test]
fn finding_the_parameter() {
    for (query, expected) in [
        ("corelane-ticket=abc", Some("abc")),
        ("a=b&corelane-ticket=abc", Some("abc")),
        ("corelane-ticket=abc&a=b", Some("abc")),
        ("a&corelane-ticket=abc&&b=c=d", Some("abc")),
        ("corelane-ticket=old&a=b&corelane-ticket=new", Some("new")),
        ("corelane-ticket=", Some("")),
        ("", None),
        ("corelane-ticket", None),
        ("Corelane-Ticket=abc", None),
        ("corelane-ticketx=abc", None),
        ("x-corelane-ticket=abc", None),
        ("a=corelane-ticket=abc", None),
    ] {
        assert_eq!(find(query), expected, "{query}");
    }
}

#[test]
fn the_request_digest_binds_what_is_done() {
    let base = "PUT /b/k?partNumber=1&x=y HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nx-amz-meta-a: 1\r\n\r\n";
    let digest = digest_of(base);
    for (from, to) in [
        ("PUT", "GET"),
        ("partNumber=1", "partNumber=2"),
        ("&x=y", ""),
        ("&x=y", "&x=y&versionId=1"),
        ("&x=y", "&x=y&X=Y"),
        ("text/plain", "text/html"),
        ("x-amz-meta-a: 1", "x-amz-meta-a: 2"),
        ("x-amz-meta-a: 1", "x-amz-meta-b: 1"),
        ("x-amz-meta-a: 1\r\n", ""),
        ("Host", "x-amz-copy-source: /b/k\r\nHost"),
        ("Host", "x-amz-acl: public-read\r\nHost"),
        ("Host", "Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg==\r\nHost"),
    ] {
        assert_ne!(digest_of(&base.replacen(from, to, 1)), digest, "{from} -> {to}");
    }
    // Parameter and header cannot be taken for one another, nor name for value.
    assert_ne!(
        digest_of("PUT /b/k?x-amz-meta-a=1 HTTP/1.1\r\nHost: h\r\n\r\n"),
        digest_of("PUT /b/k HTTP/1.1\r\nHost: h\r\nx-amz-meta-a: 1\r\n\r\n")
    );
    assert_ne!(
        digest_of("PUT /b/k?ab=c HTTP/1.1\r\nHost: h\r\n\r\n"),
        digest_of("PUT /b/k?a=bc HTTP/1.1\r\nHost: h\r\n\r\n")
    );
}

#[test]
fn the_request_digest_survives_a_redirect_and_another_signature() {
    let base = "PUT /b/k?partNumber=1&x=y HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nx-amz-meta-a: 1\r\n\r\n";
    let digest = digest_of(base);
    for (from, to) in [
        ("&x=y", "&x=y&corelane-ticket=abc"),
        ("?partNumber=1&x=y", "?x=%79&partNumber=1"),
        (
            "&x=y",
            "&x=y&X-Amz-Algorithm=a&X-Amz-Credential=b&X-Amz-Date=c&X-Amz-Expires=d&X-Amz-SignedHeaders=e\
             &X-Amz-Signature=f",
        ),
        ("&x=y", "&x=y&AWSAccessKeyId=a&Signature=b&Expires=c"),
        ("Host: h", "Host: other:1"),
        ("Host", "Authorization: AWS4-HMAC-SHA256 x\r\nHost"),
        (
            "Host",
            "x-amz-date: 1\r\nx-amz-content-sha256: 2\r\nx-amz-security-token: 3\r\nx-amz-user-agent: 4\r\nHost",
        ),
        ("Host", "User-Agent: x\r\nAccept: */*\r\nRange: bytes=0-1\r\nHost"),
        (
            "Content-Type: text/plain\r\nx-amz-meta-a: 1",
            "X-Amz-Meta-A:  1 \r\ncontent-type: text/plain",
        ),
    ] {
        assert_eq!(digest_of(&base.replacen(from, to, 1)), digest, "{from} -> {to}");
    }
}

fn digest_of(head: &str) -> [u8; 32] {
    let (head, _) = RequestHead::parse(head.as_bytes()).unwrap().unwrap();
    let query = Query::parse(head.raw_query()).unwrap();
    request_digest(head.method(), &head, &query)
}

fn key() -> TicketKey {
    TicketKey::from_bytes([7; 32])
}

fn ticket(grant: Grant) -> Ticket {
    Ticket {
        issued_unix_ms: NOW * 1000,
        expires_unix_s: NOW + 300,
        node: [1; 16],
        core: 5,
        shard: [2; 16],
        principal: Principal {
            user_id: "0".repeat(64),
            display_name: "corelane".to_owned(),
            access_key: "AKID".to_owned(),
        },
        proxied: false,
        grant,
    }
}

fn grants() -> Vec<Grant> {
    let bucket = bucket();
    vec![
        object(Operation::PutObject),
        object(Operation::GetObject),
        object(Operation::HeadObject),
        object(Operation::DeleteObject),
        Grant::Object {
            object: ObjectGrant {
                operation: Operation::GetObject,
                bucket: bucket.clone(),
                key: String::new(),
                payload: None,
                signer: None,
                copy_source: None,
                open_length_max: None,
                cors: None,
            },
            request_digest: [0; 32],
        },
        Grant::List {
            bucket: BucketId(3),
            query: ListQuery {
                prefix: "a/".to_owned(),
                delimiter: "/".to_owned(),
                start_after: "a/b".to_owned(),
                scope: ListScope::Versions {
                    after: Some(VersionId::Number(7)),
                },
                limit: 1000,
                details: true,
            },
        },
        Grant::DeleteBatch {
            bucket,
            body_sha256: [6; 32],
        },
        Grant::Fence {
            bucket: BucketId(3),
            fenced: true,
        },
        Grant::Fence {
            bucket: BucketId(3),
            fenced: false,
        },
        Grant::Relay {
            client: "127.0.0.1:4711".to_owned(),
        },
        Grant::Register { node: [3; 16] },
        Grant::Stats,
        Grant::Channel { gateway: [5; 16] },
        Grant::Expire {
            bucket: crate::bucket(),
            body_sha256: [6; 32],
        },
        Grant::Read {
            bucket: self::bucket(),
            key: "clé".to_owned(),
            version: Some(VersionId::Number(7)),
            range: Some(CopyRange { first: 1, last: 2 }),
        },
    ]
}

fn object(operation: Operation) -> Grant {
    let object = ObjectGrant {
        cors: None,
        operation,
        bucket: bucket(),
        key: "clé//./..".to_owned(),
        payload: Some(PayloadDeclaration {
            content_sha256: ContentSha256::SignedChunks,
            content_md5: Some([4; 16]),
            checksum: Some(Checksum {
                algorithm: ChecksumAlgorithm::Sha1,
                value: vec![5; 20],
            }),
            trailer: None,
            decoded_length: Some(1 << 32),
        }),
        signer: Some(ChunkSigner {
            signing_key: SigningKey::from_bytes([9; 32]),
            timestamp: "20130524T000000Z".to_owned(),
            scope: Scope {
                date: "20130524".to_owned(),
                region: "us-east-1".to_owned(),
                service: "s3".to_owned(),
            },
            seed_signature: [10; 32],
        }),
        copy_source: (operation == Operation::PutObject).then(|| {
            Box::new(SealedSource {
                address: "127.0.0.1:1".to_owned(),
                ticket: "sealed".to_owned(),
                bucket: "source".to_owned(),
                key: "clé".to_owned(),
                version: Some(VersionId::Null),
            })
        }),
        open_length_max: None,
    };
    Grant::Object {
        object,
        request_digest: [11; 32],
    }
}

fn bucket() -> BucketGrant {
    BucketGrant {
        id: BucketId(3),
        name: "bucket".to_owned(),
        checksum_type: ChecksumType::Md5,
        validate_warm_get: true,
        versioning: corelane_proto::s3::version::Versioning::Unversioned,
        last_modified: corelane_proto::s3::properties::LastModified::Mtime,
        access: corelane_proto::s3::properties::Access::ALL,
        has_cors: false,
        owner_id: "f".repeat(64),
    }
}
