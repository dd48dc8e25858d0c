//! Rows and keys as bytes.

use crate::{
    index::{
        entry::{
            BucketState, Home, ObjectEntry, ObjectHead, Tombstone, decode_listed, decode_sequence, split_index_key,
        },
        row::{NULL_ROWS, object_key},
    },
    record::{ObjectMeta, Placement, block_count},
};
use proptest::{collection::vec, option, prelude::*};
use proto::{
    digest::{
        checksum::{Checksum, ChecksumAlgorithm},
        stored::StoredChecksum,
    },
    s3::{
        bucket::BucketId,
        object::ObjectHeaders,
        version::{UploadId, VersionId},
    },
};

fn headers() -> impl Strategy<Value = ObjectHeaders> {
    let text = || option::of("[a-zé/ ]{0,12}");
    let single = (text(), text(), text(), text(), text(), text(), text(), text());
    (single, vec(("[a-z]{1,8}", "[a-zé]{0,9}"), 0..4)).prop_map(|(single, user_metadata)| ObjectHeaders {
        content_type: single.0,
        content_encoding: single.1,
        cache_control: single.2,
        content_disposition: single.3,
        content_language: single.4,
        expires: single.5,
        storage_class: single.6,
        website_redirect: single.7,
        user_metadata,
    })
}

fn home() -> impl Strategy<Value = Home> {
    any::<(u64, u64)>().prop_map(|(segment, batch)| Home { segment, batch })
}

fn object() -> impl Strategy<Value = ObjectEntry> {
    let placement = prop_oneof![
        any::<u32>().prop_map(|batch_offset| Placement::Inline { batch_offset }),
        any::<u64>().prop_map(|blob| Placement::Blob { blob }),
        any::<u64>().prop_map(|upload| Placement::Parts {
            upload: UploadId(upload)
        }),
        Just(Placement::Marker),
    ];
    let checksum = option::of(
        (vec(any::<u8>(), 32), option::of(any::<u16>())).prop_map(|(value, composite_parts)| StoredChecksum {
            checksum: Checksum {
                algorithm: ChecksumAlgorithm::Sha256,
                value,
            },
            composite_parts,
        }),
    );
    let rest = (
        any::<(u64, u32, u64, u128)>(),
        0..2_000_000_u64,
        "[0-9a-f]{0,40}",
        checksum,
    );
    (rest, home(), placement, headers()).prop_map(|(rest, home, placement, headers)| {
        let ((sequence, footprint, modified_unix_ms, xxh3_128), size, etag, checksum) = rest;
        ObjectEntry {
            sequence,
            home,
            footprint,
            placement,
            version: VersionId::Null,
            meta: ObjectMeta {
                modified_unix_ms,
                size,
                xxh3_128,
                etag,
                checksum,
                headers,
                version_number: sequence / 2,
                tags: vec![("colour".to_owned(), "blue".to_owned())],
                multipart: None,
                block_checksums: (0..block_count(size)).map(|block| block ^ sequence).collect(),
            },
        }
    })
}

proptest! {
    #[test]
    fn objects_round_trip(entry in object(), key in ".{0,12}") {
        let row = entry.encode();
        prop_assert_eq!(&ObjectEntry::decode(&[], &row).unwrap(), &entry);
        prop_assert_eq!(decode_sequence(&row).unwrap(), entry.sequence);
        let head = ObjectHead::decode(&row).unwrap();
        prop_assert_eq!(head, ObjectHead {
            sequence: entry.sequence,
            home: entry.home,
            footprint: entry.footprint,
            placement: entry.placement,
            modified_unix_ms: entry.meta.modified_unix_ms,
            size: entry.meta.size,
            version_number: entry.meta.version_number,
        });
        prop_assert_eq!(head.placement.blob(), entry.blob());
        prop_assert_eq!(decode_listed(&key, &row).unwrap(), entry.listed(&key));
        for cut in 0..row.len() {
            prop_assert!(ObjectEntry::decode(&[], &row[..cut]).is_err());
        }
        let mut longer = row.clone();
        longer.push(0);
        prop_assert!(ObjectEntry::decode(&[], &longer).is_err());
    }

    #[test]
    fn tombstones_and_buckets_round_trip(
        home in home(),
        numbers in any::<(u64, u32, u64)>(),
        name in ".{0,20}",
        fenced in any::<bool>(),
    ) {
        let (sequence, footprint, origin_segment) = numbers;
        let tombstone = Tombstone { sequence, home, footprint, origin_segment };
        let row = tombstone.encode();
        prop_assert_eq!(Tombstone::decode(&row).unwrap(), tombstone);
        let bucket = BucketState { sequence, home, footprint, name, fenced };
        let row = bucket.encode();
        prop_assert_eq!(BucketState::decode(&row).unwrap(), bucket);
        for cut in 0..row.len() {
            prop_assert!(BucketState::decode(&row[..cut]).is_err());
        }
    }

    #[test]
    fn index_keys_are_ordered_as_buckets_and_keys(
        left in (any::<u64>(), vec(any::<u8>(), 0..5)),
        right in (0..3_u64, vec(any::<u8>(), 0..5)),
    ) {
        let [one, other] = [&left, &right].map(|(bucket, key)| object_key(BucketId(*bucket), key));
        let row = [&[NULL_ROWS], left.1.as_slice()].concat();
        prop_assert_eq!(split_index_key(&one), Some((BucketId(left.0), row.as_slice())));
        prop_assert_eq!(one.cmp(&other), left.cmp(&right));
        prop_assert_eq!(split_index_key(&one[..7]), None);
    }
}
