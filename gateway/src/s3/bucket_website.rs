//! PutBucketWebsite, GetBucketWebsite, DeleteBucketWebsite
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketWebsite.html>).

use super::bucket_configuration::{absent, change, document};
use crate::{answer::Answer, body::Body, connection::Connection, records::BucketRecord, request::Request};
use proto::{
    error::{ErrorCode, S3Error},
    s3::config::website::WebsiteConfiguration,
};

/// Serves the GET.
pub fn get(bucket: &BucketRecord) -> Result<Answer, S3Error> {
    let website = bucket.configuration.website.as_ref();
    let website = website.ok_or_else(|| absent(ErrorCode::NoSuchWebsiteConfiguration, bucket))?;
    Ok(Answer::xml(website.write()))
}

/// Serves the PUT.
pub async fn put(request: &Request<'_>, connection: &mut Connection, body: &mut Body) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    let website = WebsiteConfiguration::parse(&document(request, connection, body).await?)?;
    change(request, &bucket, |configuration| {
        configuration.website = Some(website.clone());
    })
    .await?;
    Ok(Answer::empty(200))
}

/// Serves the DELETE.
pub async fn delete(request: &Request<'_>) -> Result<Answer, S3Error> {
    change(request, &*request.bucket()?, |configuration| {
        configuration.website = None
    })
    .await?;
    Ok(Answer::empty(204))
}
