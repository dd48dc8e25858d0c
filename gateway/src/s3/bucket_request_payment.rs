//! PutBucketRequestPayment and GetBucketRequestPayment
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketRequestPayment.html>).

use super::bucket_configuration::{change, document};
use crate::{answer::Answer, body::Body, connection::Connection, records::BucketRecord, request::Request};
use proto::{error::S3Error, s3::config::request_payment::Payer};

/// Serves the GET.
pub fn get(bucket: &BucketRecord) -> Answer {
    Answer::xml(bucket.configuration.payer.write())
}

/// Serves the PUT.
pub async fn put(request: &Request<'_>, connection: &mut Connection, body: &mut Body) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    let payer = Payer::parse(&document(request, connection, body).await?)?;
    change(request, &bucket, |configuration| configuration.payer = payer).await?;
    Ok(Answer::empty(200))
}
