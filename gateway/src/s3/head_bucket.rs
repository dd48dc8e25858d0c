//! HeadBucket: whether the bucket exists and the caller may use it.

use crate::{answer::Answer, request::Request};
use proto::error::S3Error;

/// Serves it. The region is that of the request's own scope: any other sends botocore to another endpoint.
pub fn serve(request: &Request<'_>) -> Result<Answer, S3Error> {
    request.bucket()?;
    Ok(Answer::empty(200).header("x-amz-bucket-region", request.caller.region.as_str()))
}
