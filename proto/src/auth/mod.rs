//! Who may do what: AWS Signature V4 and V2, payload declarations, aws-chunked bodies, tickets.

pub mod body;
mod canonical;
pub mod chunked;
mod claim;
pub mod payload;
mod request_digest;
pub mod sigv2;
pub mod sigv4;
pub mod ticket;
pub mod verify;
