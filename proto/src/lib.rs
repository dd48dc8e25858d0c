//! What two Corelane processes must agree on, without any I/O: HTTP/1.1 heads and bodies, S3 operations,
//! errors and XML, AWS Signature V4, tickets, TLS, digests, the cluster map and placement.
#![forbid(unsafe_code)]

pub mod access_log;
pub mod auth;
pub mod cluster;
pub mod digest;
pub mod error;
pub mod http;
pub mod limits;
pub mod nearest;
pub mod s3;
pub mod settings;
pub mod tls;
pub mod wire;
