//! S3's operations, one a file.

pub mod bucket_location;
pub mod copy_source;
pub mod create_bucket;
pub mod delete_bucket;
pub mod delete_objects;
pub mod head_bucket;
pub mod list_buckets;
pub mod list_multipart_uploads;
pub mod list_object_versions;
pub mod list_objects;
pub mod object;
pub mod subresource;
