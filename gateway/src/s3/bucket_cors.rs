//! PutBucketCors, GetBucketCors, DeleteBucketCors
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html>).

use super::bucket_configuration::{absent, change, document};
use crate::{answer::Answer, body::Body, connection::Connection, handoff, records::BucketRecord, request::Request};
use proto::{
    error::{ErrorCode, S3Error},
    s3::config::cors::CorsConfiguration,
};

/// Serves the GET.
pub fn get(bucket: &BucketRecord) -> Result<Answer, S3Error> {
    let rules = bucket.configuration.cors.as_ref();
    let rules = rules.ok_or_else(|| absent(ErrorCode::NoSuchCORSConfiguration, bucket))?;
    Ok(Answer::xml(rules.write()))
}

/// Serves the PUT. It is answered when cores leave requests of pages to a gateway.
pub async fn put(request: &Request<'_>, connection: &mut Connection, body: &mut Body) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    let rules = CorsConfiguration::parse(&document(request, connection, body).await?)?;
    change(request, &bucket, |configuration| {
        configuration.cors = Some(rules.clone())
    })
    .await?;
    handoff::settle(request.gateway).await;
    Ok(Answer::empty(200))
}

/// Serves the DELETE.
pub async fn delete(request: &Request<'_>) -> Result<Answer, S3Error> {
    change(request, &*request.bucket()?, |configuration| configuration.cors = None).await?;
    Ok(Answer::empty(204))
}
