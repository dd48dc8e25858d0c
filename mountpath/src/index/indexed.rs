//! What a record of the log means to the index.

use super::entry::{BucketState, Home, IndexKey, Latest, ObjectEntry, Tombstone, index_key, version_of};
use crate::record::{Action, Record};
use proto::s3::bucket::BucketId;
use std::sync::Arc;

/// A record as the index keeps it.
#[derive(Debug, Clone)]
pub enum Indexed {
    /// A row or its tombstone.
    Entry(IndexKey, Latest),
    /// A bucket's state.
    Bucket(BucketId, BucketState),
}

impl Indexed {
    /// A record that lies at `home` and keeps `footprint` bytes of the log alive.
    pub fn new(record: Record, home: Home, footprint: u32) -> Self {
        let sequence = record.sequence;
        let index_key = index_key(record.bucket, &record.row);
        let latest = match record.action {
            Action::Put(meta, placement) => Latest::Object(Arc::new(ObjectEntry {
                sequence,
                home,
                footprint,
                placement,
                version: version_of(&index_key),
                meta: *meta,
            })),
            Action::Delete { origin_segment } => Latest::Tombstone(Tombstone {
                sequence,
                home,
                footprint,
                origin_segment,
            }),
            Action::Bucket { name, fenced } => {
                let state = BucketState {
                    sequence,
                    home,
                    footprint,
                    name,
                    fenced,
                };
                return Self::Bucket(record.bucket, state);
            }
        };
        Self::Entry(index_key, latest)
    }
}
