//! What browsers ask before they let a page send a request
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/RESTOPTIONSobject.html>). Nobody signs it.

use crate::{answer::Answer, gateway::Gateway, records::BucketState, request::no_such_bucket};
use proto::{
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
    s3::{address::Address, config::cors::METHODS, name::Target},
};

/// As logs and metrics name it.
pub const NAME: &str = "OptionsObject";

const NOT_ENABLED: &str = "CORSResponse: CORS is not enabled for this bucket.";
/// The spelling is S3's.
const NOT_ALLOWED: &str = "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, \
    request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's \
    CORS spec.";

/// Serves it.
pub fn serve(gateway: &Gateway, head: &RequestHead, address: &Address) -> Result<Answer, S3Error> {
    let target = address.target(head.raw_path())?;
    let name = target.bucket().ok_or(ErrorCode::AccessDenied)?.as_str();
    let origin = head.header_str("origin").filter(|origin| !origin.is_empty());
    let origin =
        origin.ok_or_else(|| insufficient("Insufficient information. Origin request header needed.".to_owned()))?;
    let method = head.header_str("access-control-request-method");
    let method = method.filter(|method| METHODS.contains(method)).ok_or_else(|| {
        insufficient(format!(
            "Invalid Access-Control-Request-Method: {}",
            method.unwrap_or("null")
        ))
    })?;
    let bucket = gateway
        .catalog
        .bucket(name)
        .filter(|bucket| bucket.state == BucketState::Active)
        .ok_or_else(|| no_such_bucket(name))?;
    let rules = bucket.configuration.cors.as_ref();
    let rules = rules.ok_or_else(|| forbidden(NOT_ENABLED, method, &target))?;
    let headers: Vec<&str> = head
        .headers()
        .filter(|(name, _)| name.eq_ignore_ascii_case("access-control-request-headers"))
        .filter_map(|(_, value)| std::str::from_utf8(value).ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|header| !header.is_empty())
        .collect();
    let granted = rules.grant(origin, method, &headers);
    let granted = granted.ok_or_else(|| forbidden(NOT_ALLOWED, method, &target))?;
    Ok(Answer::empty(200).cors(Some(&granted)))
}

fn insufficient(message: String) -> S3Error {
    S3Error::with_message(ErrorCode::BadRequest, message)
}

fn forbidden(message: &'static str, method: &str, target: &Target) -> S3Error {
    S3Error::with_message(ErrorCode::AccessForbidden, message)
        .field("Method", method)
        .field("ResourceType", if target.key().is_some() { "OBJECT" } else { "BUCKET" })
}
