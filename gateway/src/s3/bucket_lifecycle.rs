//! PutBucketLifecycleConfiguration, GetBucketLifecycleConfiguration, DeleteBucketLifecycle
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html>).

use super::bucket_configuration::{absent, change, document};
use crate::{answer::Answer, body::Body, connection::Connection, records::BucketRecord, request::Request};
use proto::{
    auth::{sigv4::hex, ticket::TicketKey},
    error::{ErrorCode, S3Error},
    s3::config::lifecycle::{LifecycleConfiguration, TransitionMinimumSize},
};

/// Serves the GET.
pub fn get(bucket: &BucketRecord) -> Result<Answer, S3Error> {
    let rules = bucket.configuration.lifecycle.as_ref();
    let rules = rules.ok_or_else(|| absent(ErrorCode::NoSuchLifecycleConfiguration, bucket))?;
    Ok(with_minimum_size(Answer::xml(rules.write()), rules.minimum_size))
}

/// Serves the PUT.
pub async fn put(request: &Request<'_>, connection: &mut Connection, body: &mut Body) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    let minimum_size = minimum_size(request)?;
    let bytes = document(request, connection, body).await?;
    let rules = LifecycleConfiguration::parse(&bytes, minimum_size, new_id)?;
    change(request, &bucket, |configuration| {
        configuration.lifecycle = Some(rules.clone());
    })
    .await?;
    Ok(with_minimum_size(Answer::empty(200), minimum_size))
}

/// Serves the DELETE.
pub async fn delete(request: &Request<'_>) -> Result<Answer, S3Error> {
    change(request, &*request.bucket()?, |configuration| {
        configuration.lifecycle = None
    })
    .await?;
    Ok(Answer::empty(204))
}

fn minimum_size(request: &Request<'_>) -> Result<TransitionMinimumSize, S3Error> {
    let Some(text) = request.head.header_str(TransitionMinimumSize::HEADER) else {
        return Ok(TransitionMinimumSize::default());
    };
    TransitionMinimumSize::from_header(text).ok_or_else(|| {
        S3Error::with_message(
            ErrorCode::InvalidRequest,
            format!("Invalid TransitionDefaultMinimumObjectSize found: {text}"),
        )
    })
}

fn with_minimum_size(answer: Answer, minimum_size: TransitionMinimumSize) -> Answer {
    answer.header(TransitionMinimumSize::HEADER, minimum_size.as_str())
}

/// A name for a rule that has none.
fn new_id() -> String {
    hex(TicketKey::generate_bytes().first_chunk::<24>().unwrap_or(&[0; 24]))
}
