//! Configurations of buckets: what their documents may hold, how S3 writes them back, and what they decide. One a file;
//! each refuses what S3 refuses, with its code.

pub mod cors;
pub mod cors_headers;
pub mod lifecycle;
mod lifecycle_check;
mod lifecycle_read;
pub mod lifecycle_rules;
pub mod off;
pub mod request_payment;
pub mod tagging;
pub mod versioning;
pub mod website;
mod website_read;
pub mod website_routing;
