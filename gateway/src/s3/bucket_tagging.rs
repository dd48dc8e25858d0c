//! PutBucketTagging, GetBucketTagging, DeleteBucketTagging
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html>).

use super::bucket_configuration::{absent, change, document};
use crate::{answer::Answer, body::Body, connection::Connection, records::BucketRecord, request::Request};
use proto::{
    error::{ErrorCode, S3Error},
    s3::{config, tagging},
};

/// Serves the GET.
pub fn get(bucket: &BucketRecord) -> Result<Answer, S3Error> {
    match bucket.configuration.tags.as_slice() {
        [] => Err(absent(ErrorCode::NoSuchTagSet, bucket)),
        tags => Ok(Answer::xml(tagging::write(tags))),
    }
}

/// Serves the PUT.
pub async fn put(request: &Request<'_>, connection: &mut Connection, body: &mut Body) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    let tags = config::tagging::parse(&document(request, connection, body).await?)?;
    change(request, &bucket, |configuration| configuration.tags.clone_from(&tags)).await?;
    Ok(Answer::empty(204))
}

/// Serves the DELETE.
pub async fn delete(request: &Request<'_>) -> Result<Answer, S3Error> {
    change(request, &*request.bucket()?, |configuration| configuration.tags.clear()).await?;
    Ok(Answer::empty(204))
}
