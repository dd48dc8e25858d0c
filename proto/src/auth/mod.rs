//! Who may do what: AWS Signature V4, payload declarations, aws-chunked bodies, tickets, leases.

pub mod body;
mod canonical;
mod checksum_headers;
pub mod chunked;
mod claim;
pub mod lease;
pub mod object_grant;
pub mod payload;
mod request_digest;
pub mod sigv2;
pub mod sigv4;
pub mod ticket;
pub mod verify;
pub mod xml_body;
