//! Digests: the checksum algorithms S3 names, MD5, and the hasher that runs them in one pass.

pub mod checksum;
pub mod hasher;
pub mod md5;
pub mod multipart;
pub mod stored;
