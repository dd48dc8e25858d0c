use super::{HandedConnection, MessageReader, ReturnedConnection, Revocation, Revoked, ToCore, ToGateway};
use crate::{
    auth::{
        lease::{Lease, LeasedCredential, LeasedOperations},
        sigv4::{Scope, SigningKey},
        ticket::Principal,
    },
    cluster::map::{ShardEntry, ShardMap},
    digest::checksum::ChecksumType,
    limits::{CHANNEL_MESSAGE_BYTES_MAX, REQUEST_HEAD_BYTES_MAX, SHARD_COUNT_MAX, TICKET_BYTES_MAX},
    s3::bucket::{BucketGrant, BucketId},
    wire::WireError,
};

fn lease(credential: LeasedCredential) -> Lease {
    Lease {
        credential,
        principal: Principal {
            user_id: "b".repeat(64),
            display_name: "somebody".to_owned(),
            access_key: "AKID".to_owned(),
        },
        bucket: BucketGrant {
            id: BucketId(7),
            name: "training".to_owned(),
            checksum_type: ChecksumType::Md5,
            validate_warm_get: true,
            versioning: crate::s3::version::Versioning::Unversioned,
            last_modified: crate::s3::properties::LastModified::Mtime,
            access: crate::s3::properties::Access::ALL,
            has_cors: false,
            owner_id: "a".repeat(64),
        },
        host: b"store:51080".to_vec(),
        bucket_in_host: true,
        operations: LeasedOperations::ALL,
        epoch: 3,
    }
}

fn key() -> LeasedCredential {
    LeasedCredential::Key {
        scope: Scope {
            date: "20261123".to_owned(),
            region: "us-east-1".to_owned(),
            service: "s3".to_owned(),
        },
        signing_key: SigningKey::from_bytes([4; 32]),
    }
}

fn handed(lease: Option<Lease>) -> ToCore {
    ToCore::Connection(HandedConnection {
        client: "192.0.2.1:9".to_owned(),
        relayed: true,
        ticket: "sealed".to_owned(),
        lease,
        received: b"GET / HTTP/1.1\r\n".to_vec(),
    })
}

fn to_core() -> Vec<ToCore> {
    vec![
        ToCore::Hello {
            ticket: "sealed".to_owned(),
        },
        ToCore::ShardMap(ShardMap {
            version: 2,
            shards: vec![ShardEntry {
                shard: [1; 16],
                node: [2; 16],
            }],
        }),
        ToCore::Revoked(
            [
                Revoked::Key("A".to_owned()),
                Revoked::Access(BucketId(3), crate::s3::properties::Access::READ_ONLY),
            ]
            .map(|what| Revocation {
                what,
                revoked_unix_ms: 5,
            })
            .to_vec(),
        ),
        ToCore::Heartbeat { epoch: 9, sent_ms: 10 },
        handed(None),
        handed(Some(lease(LeasedCredential::Anonymous))),
        handed(Some(lease(key()))),
    ]
}

#[test]
fn messages_come_back_whole_however_they_are_cut() {
    let messages = to_core();
    let bytes: Vec<u8> = messages.iter().flat_map(ToCore::encode).collect();
    for size in [1, 2, 3, 7, 64, bytes.len()] {
        let mut reader = MessageReader::default();
        let mut seen = Vec::new();
        for part in bytes.chunks(size) {
            reader.push(part);
            while let Some(message) = reader.take().unwrap() {
                seen.push(ToCore::decode(message).unwrap());
            }
        }
        assert_eq!(seen, messages);
    }
    for message in [
        ToGateway::Acknowledged { epoch: 4 },
        ToGateway::Connection(ReturnedConnection {
            client: "[::1]:5".to_owned(),
            relayed: false,
            refused: true,
            received: vec![0, 1, 2],
        }),
    ] {
        let bytes = message.encode();
        assert_eq!(ToGateway::decode(&bytes[4..]).unwrap(), message);
        for end in 4..bytes.len() {
            assert!(ToGateway::decode(&bytes[4..end]).is_err());
        }
    }
}

#[test]
fn what_is_cut_short_or_too_long_is_no_message() {
    for message in to_core() {
        let bytes = message.encode();
        for end in 4..bytes.len() {
            assert!(ToCore::decode(&bytes[4..end]).is_err(), "{message:?} cut at {end}");
        }
    }
    let mut reader = MessageReader::default();
    reader.push(&u32::MAX.to_le_bytes());
    assert_eq!(reader.take(), Err(WireError::Invalid));
}

#[test]
fn the_largest_messages_fit() {
    let shards = vec![
        ShardEntry {
            shard: [1; 16],
            node: [2; 16],
        };
        SHARD_COUNT_MAX
    ];
    assert!(ToCore::ShardMap(ShardMap { version: 1, shards }).encode().len() < CHANNEL_MESSAGE_BYTES_MAX);
    let connection = ToCore::Connection(HandedConnection {
        client: String::new(),
        relayed: false,
        ticket: "t".repeat(TICKET_BYTES_MAX * 4 / 3),
        lease: Some(lease(key())),
        received: vec![0; 3 * REQUEST_HEAD_BYTES_MAX],
    });
    assert!(connection.encode().len() < CHANNEL_MESSAGE_BYTES_MAX);
}

#[test]
fn a_lease_does_not_show_its_key() {
    let shown = format!("{:?}", lease(key()));
    assert!(shown.contains("AKID") && !shown.contains("4, 4"), "{shown}");
}
