//! Who calls the admin API, and whether the body is theirs.

use crate::{
    access_log::Noted,
    auth::{self, Caller},
    gateway::Gateway,
    limits::ADMIN_BODY_BYTES_MAX,
};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use proto::{
    auth::{
        sigv4::{from_hex, sha256},
        verify::version_2_refused,
    },
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
    s3::{address::Address, query::Query},
};

/// Whoever has a valid key. Any refusal is 403.
pub fn any(gateway: &Gateway, head: &RequestHead, query: &Query, noted: &mut Noted) -> Result<Caller, S3Error> {
    match auth::authenticate(gateway, head, &Address::Path, query) {
        // Signature Version 2 would leave the body to whoever carries it.
        Ok(caller) if caller.is_verified && caller.verified.is_none() => Err(S3Error::with_message(
            ErrorCode::AccessDenied,
            version_2_refused().message,
        )),
        Ok(caller) => {
            noted.caller(&caller);
            Ok(caller)
        }
        Err(error) if error.status() == 403 => Err(error),
        Err(error) => Err(S3Error::with_message(ErrorCode::AccessDenied, error.message)),
    }
}

/// Only the root user; with `--anonymous`, everyone is.
pub fn root(gateway: &Gateway, head: &RequestHead, query: &Query, noted: &mut Noted) -> Result<Caller, S3Error> {
    match any(gateway, head, query, noted)? {
        caller if caller.user.is_root() => Ok(caller),
        _ => Err(S3Error::with_message(
            ErrorCode::AccessDenied,
            "Access Denied: only the root user may do this. Sign with the key of the credentials file.",
        )),
    }
}

/// The body, if it is the one that was signed. What says that it is not signed is refused, and so is what says nothing:
/// whoever carries the request, or holds a presigned URL, could have written it.
pub async fn verified_body(gateway: &Gateway, head: &RequestHead, body: Incoming) -> Result<Bytes, S3Error> {
    let collected = Limited::new(body, ADMIN_BODY_BYTES_MAX).collect().await;
    let bytes = collected
        .map_err(|_| {
            let message = format!("The body is larger than {ADMIN_BODY_BYTES_MAX} bytes.");
            S3Error::with_message(ErrorCode::MaxMessageLengthExceeded, message)
        })?
        .to_bytes();
    if gateway.anonymous {
        return Ok(bytes);
    }
    let declared = head.header_str("x-amz-content-sha256").and_then(from_hex::<32>);
    match declared {
        Some(digest) if digest == sha256(&bytes) => Ok(bytes),
        Some(_) => Err(ErrorCode::XAmzContentSHA256Mismatch.into()),
        None => Err(S3Error::with_message(
            ErrorCode::AccessDenied,
            "The body is not signed. Send its SHA-256 in the header x-amz-content-sha256, and sign that.",
        )),
    }
}
