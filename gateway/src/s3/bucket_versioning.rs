//! PutBucketVersioning and GetBucketVersioning
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html>).

use super::bucket_configuration::{change, document};
use crate::{answer::Answer, body::Body, connection::Connection, handoff, records::BucketRecord, request::Request};
use proto::{error::S3Error, s3::config::versioning};

/// Serves the GET.
pub fn get(bucket: &BucketRecord) -> Answer {
    Answer::xml(versioning::write(bucket.configuration.versioning))
}

/// Serves the PUT. It is answered when no core writes under the old setting any more.
pub async fn put(request: &Request<'_>, connection: &mut Connection, body: &mut Body) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    let bytes = document(request, connection, body).await?;
    let wanted = versioning::parse(&bytes, request.head.header("x-amz-mfa").is_some())?;
    change(request, &bucket, |configuration| configuration.versioning = wanted).await?;
    handoff::settle(request.gateway).await;
    Ok(Answer::empty(200))
}
