//! The operations a core performs, one a file.

pub mod attributes;
pub mod delete;
pub mod delete_batch;
pub mod expire;
pub mod fence;
pub mod get;
pub mod head;
pub mod list;
pub mod message;
pub mod put;
mod removal;
pub mod stats;
pub mod tagging_delete;
pub mod tagging_get;
pub mod tagging_put;
pub mod version;
mod xml_body;

use proto::s3::bucket::BucketGrant;

/// The object an operation is about.
#[derive(Debug)]
pub struct ObjectRequest {
    /// The shard that owns the key.
    pub shard: [u8; 16],
    /// The bucket.
    pub bucket: BucketGrant,
    /// The key.
    pub key: String,
}
