//! S3's operations, one a file.

mod bucket_configuration;
mod bucket_cors;
mod bucket_lifecycle;
pub mod bucket_location;
mod bucket_request_payment;
mod bucket_tagging;
mod bucket_versioning;
mod bucket_website;
pub mod copy_source;
pub mod create_bucket;
pub mod delete_bucket;
pub mod delete_objects;
mod form_upload;
pub mod head_bucket;
pub mod list_buckets;
pub mod list_multipart_uploads;
pub mod list_object_versions;
pub mod list_objects;
pub mod object;
pub mod post_object;
pub mod preflight;
pub mod subresource;
