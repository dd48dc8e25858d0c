//! What the operations on a bucket's configurations share: reading a document, and the change of the record.

use crate::{
    body::Body, bucket_configuration::BucketConfiguration, catalog::CatalogError, connection::Connection,
    limits::SUBRESOURCE_BYTES_MAX, records::BucketRecord, request::Request,
};
use proto::error::{ErrorCode, S3Error};

/// The document of a PUT, verified as far as the request declares it.
pub async fn document(request: &Request<'_>, connection: &mut Connection, body: &mut Body) -> Result<Vec<u8>, S3Error> {
    let verified = request.caller.verified.as_ref();
    let bytes = body
        .read(
            request.gateway,
            connection,
            request.head,
            verified,
            SUBRESOURCE_BYTES_MAX,
        )
        .await?;
    match bytes.trim_ascii().is_empty() {
        true => Err(ErrorCode::MissingRequestBodyError.into()),
        false => Ok(bytes),
    }
}

/// Changes the bucket's record.
pub async fn change(
    request: &Request<'_>,
    bucket: &BucketRecord,
    change: impl Fn(&mut BucketConfiguration),
) -> Result<(), S3Error> {
    let catalog = &request.gateway.catalog;
    let changed = catalog
        .change_bucket(bucket, |record| change(&mut record.configuration))
        .await;
    match changed {
        Ok(_) => {
            let (user, operation) = (request.caller.user.name.as_str(), request.operation.name());
            tracing::info!(bucket = bucket.name, user, operation, "bucket configured");
            Ok(())
        }
        Err(CatalogError::Changed) => Err(ErrorCode::OperationAborted.into()),
        Err(error) => {
            tracing::error!(%error, bucket = bucket.name, "bucket configuration");
            Err(ErrorCode::InternalError.into())
        }
    }
}

/// 404 for a configuration that was never made.
pub fn absent(code: ErrorCode, bucket: &BucketRecord) -> S3Error {
    S3Error::new(code).field("BucketName", bucket.name.as_str())
}
