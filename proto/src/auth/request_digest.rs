//! What a ticket binds of a request: everything that changes what is done, nothing that a client changes when it
//! follows a redirect.

use super::{sigv4::sha256, ticket};
use crate::{
    http::head::{Method, RequestHead},
    s3::query::Query,
    wire::Encoder,
};

/// Query parameters of SigV4 and SigV2 themselves.
const SIGNATURE_PARAMETERS: [&str; 11] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
    "X-Amz-Content-Sha256",
    "X-Amz-Security-Token",
    "AWSAccessKeyId",
    "Signature",
    "Expires",
];
/// `x-amz-*` headers that signing again changes.
const RESIGNED_HEADERS: [&str; 4] = [
    "x-amz-date",
    "x-amz-content-sha256",
    "x-amz-security-token",
    "x-amz-user-agent",
];

/// SHA-256 over what a ticket binds of a request besides bucket and key: method, the decoded query parameters sorted
/// (without the ticket and without SigV4's and SigV2's own parameters), and the headers that change what is done:
/// x-amz-* except those that re-signing changes (x-amz-date, x-amz-content-sha256, x-amz-security-token,
/// x-amz-user-agent), Content-Type and Content-MD5, names in lower case, sorted.
pub fn request_digest(method: Method, head: &RequestHead, query: &Query) -> [u8; 32] {
    let mut parameters: Vec<(&str, &str)> = query
        .iter()
        .filter(|(name, _)| *name != ticket::QUERY_PARAMETER && !SIGNATURE_PARAMETERS.contains(name))
        .collect();
    parameters.sort_unstable();
    let mut headers: Vec<(String, &[u8])> = head
        .headers()
        .filter(|(name, _)| may_be_bound(name))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim_ascii()))
        .filter(|(name, _)| is_bound(name))
        .collect();
    headers.sort_unstable();

    let mut encoder = Encoder::new();
    encoder.u8(method_code(method));
    encoder.u64(parameters.len() as u64);
    for (name, value) in parameters {
        encoder.string(name).string(value);
    }
    for (name, value) in headers {
        encoder.string(&name).bytes(value);
    }
    sha256(&encoder.finish())
}

/// A cheap look that spares most headers the lower-casing.
fn may_be_bound(name: &str) -> bool {
    matches!(name.as_bytes().first(), Some(b'c' | b'C' | b'x' | b'X'))
}

fn is_bound(name: &str) -> bool {
    name == "content-type" || name == "content-md5" || (name.starts_with("x-amz-") && !RESIGNED_HEADERS.contains(&name))
}

fn method_code(method: Method) -> u8 {
    match method {
        Method::Get => 1,
        Method::Head => 2,
        Method::Put => 3,
        Method::Post => 4,
        Method::Delete => 5,
        Method::Options => 6,
        Method::Other => 7,
    }
}
