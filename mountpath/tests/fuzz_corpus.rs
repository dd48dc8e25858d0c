//! Runs the disk format's fuzz targets on their committed corpus, and on every prefix and a flip of every byte of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../../fuzz/log_bodies.rs"]
mod log_bodies;

use corelane_mountpath::{
    batch::{BatchHeader, HEADER_BYTES},
    record::{Action, ObjectMeta, Placement, Record},
};
use proto::s3::{bucket::BucketId, object::ObjectHeaders};
use std::{fs, path::PathBuf};

fn directory(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target)
}

fn corpus(target: &str, body: fn(&[u8])) {
    let mut files = 0;
    for entry in fs::read_dir(directory(target)).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        body(&bytes);
        for at in 0..bytes.len() {
            body(&bytes[..at]);
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            body(&flipped);
        }
        files += 1;
    }
    assert!(files > 0, "{target} has no corpus");
}

fn samples() -> Vec<(&'static str, Record)> {
    let meta = ObjectMeta {
        modified_unix_ms: 1_795_000_000_000,
        size: 200_000,
        xxh3_128: 1 << 90,
        etag: "d41d8cd98f00b204e9800998ecf8427e".into(),
        checksum: None,
        headers: ObjectHeaders {
            content_type: Some("text/plain".into()),
            user_metadata: vec![("colour".into(), "blue".into())],
            ..ObjectHeaders::default()
        },
        block_checksums: vec![1, 2],
        ..ObjectMeta::default()
    };
    let put = |placement| Action::Put(Box::new(meta.clone()), placement);
    let actions = [
        ("inline", put(Placement::Inline { batch_offset: 4096 })),
        ("blob", put(Placement::Blob { blob: 77 })),
        ("tombstone", Action::Delete { origin_segment: 3 }),
        (
            "bucket",
            Action::Bucket {
                name: "training".into(),
                fenced: true,
            },
        ),
    ];
    let record = |action| Record {
        sequence: 9,
        bucket: BucketId(3),
        row: b"\x01a//b".to_vec(),
        action,
    };
    actions
        .into_iter()
        .map(|(name, action)| (name, record(action)))
        .collect()
}

/// The corpus is what today's code writes: a change of the format changes it, on purpose.
#[test]
fn the_corpus_is_of_this_format() {
    let mut region = Vec::new();
    for (name, record) in samples() {
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        assert_eq!(fs::read(directory("record").join(name)).unwrap(), bytes, "{name}");
        region.extend_from_slice(&bytes);
    }
    let header = BatchHeader {
        shard: [7; 16],
        segment: 1,
        sequence: 2,
        durable_sequence: 1,
        length: 4096,
        records_length: u32::try_from(region.len()).unwrap(),
        record_count: 4,
    };
    let mut batch = vec![0; HEADER_BYTES];
    batch.extend_from_slice(&region);
    batch.resize(4096, 0);
    header.seal(&mut batch).unwrap();
    // What follows the records is zeros; leaving it out keeps the corpus small.
    batch.truncate(HEADER_BYTES + region.len());
    assert_eq!(fs::read(directory("batch").join("four")).unwrap(), batch);
}

#[test]
fn record() {
    corpus("record", log_bodies::record);
}

#[test]
fn batch() {
    corpus("batch", log_bodies::batch);
}
