//! What vouches for an XML body, wherever it is read: what its head declares, and that the bytes are what was declared.

use super::payload::PayloadDeclaration;
use crate::{
    digest::{
        checksum::{ChecksumAlgorithm, ChecksumType},
        hasher::PayloadHasher,
    },
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
};

/// Refuses a request whose body nothing vouches for, where S3 insists, as for DeleteObjects
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html>): Content-MD5 or a checksum, which may be in
/// a trailer. A signed x-amz-content-sha256 does not count.
pub fn require_digest(head: &RequestHead) -> Result<(), S3Error> {
    let vouches = |name: &str| {
        name.eq_ignore_ascii_case("content-md5")
            || name.eq_ignore_ascii_case("x-amz-trailer")
            || ChecksumAlgorithm::from_header(name).is_some()
    };
    if head.headers().any(|(name, _)| vouches(name)) {
        return Ok(());
    }
    Err(S3Error::with_message(
        ErrorCode::InvalidRequest,
        "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
    ))
}

/// Holds a body that was read in one piece against its declaration (see [`PayloadHasher::finish`] for the errors).
/// Signatures of chunks were checked as it was decoded.
pub fn verify(declaration: &PayloadDeclaration, bytes: &[u8], trailers: &[(String, String)]) -> Result<(), S3Error> {
    let mut hasher = PayloadHasher::new(ChecksumType::None, declaration);
    hasher.update(bytes);
    hasher.finish(trailers).map(|_| ())
}
