//! Reads of sub-resources that buckets and objects do not have: each answers as S3 does for one that was never set.

use crate::{answer::Answer, core_client, records::BucketRecord, request::Request, ticketing};
use proto::{
    auth::object_grant::ObjectGrant,
    error::{ErrorCode, S3Error},
    http::{head::RequestHead, percent},
    s3::{
        bucket::BucketId,
        operation::{BucketSubresource, ObjectSubresource, Operation},
        query::Query,
        version::VersionId,
        xml_write,
    },
};

/// Serves `GET /bucket?<sub-resource>`.
pub fn serve_bucket(request: &Request<'_>, subresource: BucketSubresource) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    let document = match subresource {
        BucketSubresource::Acl => xml_write::acl_owner_full_control(&bucket.owner()),
        BucketSubresource::Accelerate => xml_write::empty("AccelerateConfiguration"),
        BucketSubresource::Logging => xml_write::empty("BucketLoggingStatus"),
        BucketSubresource::Notification => xml_write::empty("NotificationConfiguration"),
        BucketSubresource::RequestPayment => xml_write::request_payment(),
        BucketSubresource::Versioning => xml_write::versioning_unversioned(),
        absent => return Err(S3Error::new(absence(absent)).field("BucketName", bucket.name.as_str())),
    };
    Ok(Answer::xml(document))
}

/// The code of a sub-resource that was never set.
fn absence(subresource: BucketSubresource) -> ErrorCode {
    match subresource {
        BucketSubresource::Cors => ErrorCode::NoSuchCORSConfiguration,
        BucketSubresource::Encryption => ErrorCode::ServerSideEncryptionConfigurationNotFoundError,
        BucketSubresource::Lifecycle => ErrorCode::NoSuchLifecycleConfiguration,
        BucketSubresource::ObjectLock => ErrorCode::ObjectLockConfigurationNotFoundError,
        BucketSubresource::OwnershipControls => ErrorCode::OwnershipControlsNotFoundError,
        BucketSubresource::Policy | BucketSubresource::PolicyStatus => ErrorCode::NoSuchBucketPolicy,
        BucketSubresource::PublicAccessBlock => ErrorCode::NoSuchPublicAccessBlockConfiguration,
        BucketSubresource::Replication => ErrorCode::ReplicationConfigurationNotFoundError,
        BucketSubresource::Tagging => ErrorCode::NoSuchTagSet,
        BucketSubresource::Website => ErrorCode::NoSuchWebsiteConfiguration,
        BucketSubresource::Acl
        | BucketSubresource::Accelerate
        | BucketSubresource::Logging
        | BucketSubresource::Notification
        | BucketSubresource::RequestPayment
        | BucketSubresource::Versioning => ErrorCode::NotImplemented,
    }
}

/// Serves `GET /bucket/key?<sub-resource>` of an object that exists.
pub async fn serve_object(request: &Request<'_>, subresource: ObjectSubresource) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    require_object(request, &bucket).await?;
    Ok(Answer::xml(match subresource {
        ObjectSubresource::Acl => xml_write::acl_owner_full_control(&bucket.owner()),
    }))
}

/// Asks the object's core with a HEAD of the gateway's own, for the version that the request is about.
async fn require_object(request: &Request<'_>, bucket: &BucketRecord) -> Result<(), S3Error> {
    let gateway = request.gateway;
    let key = request.key()?.as_str();
    let placement = gateway.cluster.owner(BucketId(bucket.id), key)?;
    let version = request.query.value("versionId").map(VersionId::parse).transpose()?;
    let path = format!("/{}/{}", bucket.name, percent::encode(key.as_bytes(), true));
    let target = match version {
        None => path,
        Some(version) => format!("{path}?versionId={version}"),
    };
    let text = format!("HEAD {target} HTTP/1.1\r\nHost: {}\r\n\r\n", placement.core.address);
    let parsed = RequestHead::parse(text.as_bytes()).ok().flatten();
    let (head, _) = parsed.ok_or(ErrorCode::InternalError)?;
    let object = ObjectGrant::new(Operation::HeadObject, bucket.grant(), key, &head, None)?;
    let asked = ticketing::Asked {
        principal: request.caller.principal(),
        head: &head,
        query: &Query::parse(head.raw_query())?,
        proxied: true,
    };
    let ticket = ticketing::for_object(&gateway.ticket_key, &placement, object, asked);
    match (
        core_client::head(gateway, &placement.core, &target, &ticket).await?,
        version,
    ) {
        (200, _) => Ok(()),
        (404, None) => Err(S3Error::new(ErrorCode::NoSuchKey).field("Key", key)),
        (404, Some(version)) => Err(S3Error::new(ErrorCode::NoSuchVersion)
            .field("Key", key)
            .field("VersionId", version.to_string())),
        (405, _) => Err(S3Error::new(ErrorCode::MethodNotAllowed)
            .field("Method", request.head.method_name())
            .field("ResourceType", "DeleteMarker")),
        (503, _) => Err(ErrorCode::ServiceUnavailable.into()),
        (status, _) => {
            tracing::warn!(status, "HEAD of an object");
            Err(ErrorCode::InternalError.into())
        }
    }
}
