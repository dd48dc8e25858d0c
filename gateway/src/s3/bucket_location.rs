//! GetBucketLocation: the region of the request's own scope, because buckets have none.

use crate::{answer::Answer, request::Request};
use proto::{error::S3Error, s3::xml_write};

/// Serves it.
pub fn serve(request: &Request<'_>) -> Result<Answer, S3Error> {
    request.bucket()?;
    Ok(Answer::xml(xml_write::location(&request.caller.region)))
}
