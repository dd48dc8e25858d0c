//! The operations a core performs, one a file.

pub mod abort_multipart_upload;
pub mod attributes;
mod commit;
pub mod complete_multipart_upload;
pub mod configure;
pub mod copy_object;
pub mod create_multipart_upload;
pub mod delete;
pub mod delete_batch;
pub mod expire;
pub mod fence;
pub mod get;
pub mod head;
pub mod list;
pub mod list_parts;
pub mod message;
mod part_read;
pub mod put;
pub mod read_source;
mod removal;
pub mod stats;
pub mod tagging_delete;
pub mod tagging_get;
pub mod tagging_put;
pub mod upload_part;
pub mod upload_part_copy;
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
