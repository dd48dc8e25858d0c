//! CreateBucket. A LocationConstraint is read, and ignored: a cluster is one region under any name.

use crate::{
    answer::Answer,
    auth::{Caller, DEFAULT_REGION},
    body::Body,
    catalog::CatalogError,
    connection::Connection,
    gateway::Gateway,
    limits::BUCKET_CONFIGURATION_BYTES_MAX,
    records::BucketState,
    request::{Request, authorise},
};
use proto::{
    error::{ErrorCode, S3Error},
    s3::{name::BucketName, properties::BucketProperties, xml_read},
};

/// Serves it. Buckets made through S3 get MD5 ETags, which every S3 client expects.
pub async fn serve(request: &Request<'_>, connection: &mut Connection, body: &mut Body) -> Result<Answer, S3Error> {
    let gateway = request.gateway;
    let name = request.bucket_name()?;
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
    let properties = gateway.live.s3_bucket_properties();
    match make(gateway, &request.caller, name, properties).await {
        // Making one's own bucket again succeeds in us-east-1 and is a conflict elsewhere (CreateBucket's API page).
        Err(error) if error.code == ErrorCode::BucketAlreadyOwnedByYou && request.caller.region == DEFAULT_REGION => {}
        made => made?,
    }
    Ok(Answer::empty(200).header("Location", format!("/{}", name.as_str())))
}

/// Makes a bucket of the caller's.
pub async fn make(
    gateway: &Gateway,
    caller: &Caller,
    name: &BucketName,
    properties: BucketProperties,
) -> Result<(), S3Error> {
    let (name, owner) = (name.as_str(), caller.user.name.as_str());
    let code = match gateway.catalog.create_bucket(name, owner, properties).await {
        Ok(()) => {
            tracing::info!(bucket = name, user = owner, "bucket created");
            return Ok(());
        }
        Err(CatalogError::BucketExists(existing)) => match existing.state {
            _ if authorise(gateway, caller, &existing).is_err() => ErrorCode::BucketAlreadyExists,
            BucketState::Deleting => ErrorCode::OperationAborted,
            BucketState::Active => ErrorCode::BucketAlreadyOwnedByYou,
        },
        Err(CatalogError::TooManyBuckets) => return Err(ErrorCode::TooManyBuckets.into()),
        Err(CatalogError::Changed) => return Err(ErrorCode::OperationAborted.into()),
        Err(error) => {
            tracing::error!(%error, bucket = name, "create bucket");
            return Err(ErrorCode::InternalError.into());
        }
    };
    Err(S3Error::new(code).field("BucketName", name))
}
