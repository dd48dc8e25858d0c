//! CreateBucket. A LocationConstraint is read, and ignored: a cluster is one region under any name.

use crate::{
    answer::Answer,
    auth::DEFAULT_REGION,
    body::Body,
    catalog::CatalogError,
    connection::Connection,
    limits::BUCKET_CONFIGURATION_BYTES_MAX,
    records::{BucketRecord, BucketState},
    request::Request,
};
use proto::{
    digest::checksum::ChecksumType,
    error::{ErrorCode, S3Error},
    s3::{properties::BucketProperties, xml_read},
};

/// Serves it. Buckets made through S3 get MD5 ETags, which every S3 client expects.
pub async fn serve(request: &Request<'_>, connection: &mut Connection, body: &mut Body) -> Result<Answer, S3Error> {
    let gateway = request.gateway;
    let name = request.bucket_name()?.as_str();
    let verified = request.caller.verified.as_ref();
    let bytes = body
        .read(
            gateway,
            connection,
            request.head,
            verified,
            BUCKET_CONFIGURATION_BYTES_MAX,
        )
        .await?;
    xml_read::create_bucket_configuration(&bytes)?;
    let owner = request.caller.user.name.as_str();
    let properties = BucketProperties::new(ChecksumType::Md5);
    match gateway.catalog.create_bucket(name, owner, properties).await {
        Ok(()) => tracing::info!(bucket = name, user = owner, "bucket created"),
        Err(CatalogError::BucketExists(existing)) => check_existing(request, &existing)?,
        Err(CatalogError::TooManyBuckets) => return Err(ErrorCode::TooManyBuckets.into()),
        Err(CatalogError::Changed) => return Err(ErrorCode::OperationAborted.into()),
        Err(error) => {
            tracing::error!(%error, bucket = name, "create bucket");
            return Err(ErrorCode::InternalError.into());
        }
    }
    Ok(Answer::empty(200).header("Location", format!("/{name}")))
}

/// Making one's own bucket again succeeds in us-east-1 and is a conflict elsewhere (CreateBucket's API page).
fn check_existing(request: &Request<'_>, existing: &BucketRecord) -> Result<(), S3Error> {
    let code = if request.authorise(existing).is_err() {
        ErrorCode::BucketAlreadyExists
    } else if existing.state == BucketState::Deleting {
        ErrorCode::OperationAborted
    } else if request.caller.region == DEFAULT_REGION {
        return Ok(());
    } else {
        ErrorCode::BucketAlreadyOwnedByYou
    };
    Err(S3Error::new(code).field("BucketName", existing.name.as_str()))
}
