//! What the page that sends a request is granted by the bucket's rules. It is found before anything else is known of the
//! request, so that refusals can be read by the page, too.

use crate::{gateway::Gateway, records::BucketState};
use proto::{
    error::S3Error,
    http::head::{Method, RequestHead},
    s3::{address::Address, config::cors_headers::CorsHeaders},
};

/// What a request's origin is granted; `None` without an origin, without rules, and where no rule fits.
pub fn granted(gateway: &Gateway, head: &RequestHead, address: &Result<Address, S3Error>) -> Option<CorsHeaders> {
    // A preflight finds out by itself.
    let origin = head.header_str("origin").filter(|_| head.method() != Method::Options)?;
    let target = address.as_ref().ok()?.target(head.raw_path()).ok()?;
    let bucket = gateway.catalog.bucket(target.bucket()?.as_str())?;
    let rules = bucket.configuration.cors.as_ref()?;
    // A request that tells the method of another one is looked at as that one.
    let method = head.header_str("access-control-request-method");
    let granted = rules.grant(origin, method.unwrap_or(head.method_name()), &[]);
    granted.filter(|_| bucket.state == BucketState::Active)
}
