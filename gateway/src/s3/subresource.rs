//! Sub-resources of buckets, each to its operation. Those that no bucket has answer as S3 does for one that was never set;
//! what cannot be set is refused.

use super::{
    bucket_configuration::{absent, document},
    bucket_cors, bucket_lifecycle, bucket_request_payment, bucket_tagging, bucket_versioning, bucket_website,
};
use crate::{
    answer::Answer, body::Body, connection::Connection, core_client, records::BucketRecord, request::Request, ticketing,
};
use proto::{
    auth::object_grant::ObjectGrant,
    error::{ErrorCode, S3Error},
    http::{head::RequestHead, percent},
    s3::{
        bucket::BucketId,
        config::off,
        operation::{BucketSubresource, ObjectSubresource, Operation},
        query::Query,
        version::VersionId,
        xml_write,
    },
};

/// Serves `GET /bucket?<sub-resource>`.
pub fn read(request: &Request<'_>, subresource: BucketSubresource) -> Result<Answer, S3Error> {
    let bucket = request.bucket()?;
    let document = match subresource {
        BucketSubresource::Cors => return bucket_cors::get(&bucket),
        BucketSubresource::Lifecycle => return bucket_lifecycle::get(&bucket),
        BucketSubresource::RequestPayment => return Ok(bucket_request_payment::get(&bucket)),
        BucketSubresource::Tagging => return bucket_tagging::get(&bucket),
        BucketSubresource::Versioning => return Ok(bucket_versioning::get(&bucket)),
        BucketSubresource::Website => return bucket_website::get(&bucket),
        BucketSubresource::Acl => xml_write::acl_owner_full_control(&bucket.owner()),
        BucketSubresource::Accelerate => xml_write::empty("AccelerateConfiguration"),
        BucketSubresource::Logging => xml_write::empty("BucketLoggingStatus"),
        BucketSubresource::Notification => xml_write::empty("NotificationConfiguration"),
        // With an id these are about one configuration, without about all.
        BucketSubresource::Analytics
        | BucketSubresource::IntelligentTiering
        | BucketSubresource::Inventory
        | BucketSubresource::Metrics => match request.query.contains("id") {
            true => return Err(absent(ErrorCode::NoSuchConfiguration, &bucket)),
            false => xml_write::empty_list(list_root(subresource)),
        },
        BucketSubresource::Encryption => {
            return Err(absent(
                ErrorCode::ServerSideEncryptionConfigurationNotFoundError,
                &bucket,
            ));
        }
        BucketSubresource::ObjectLock => {
            return Err(absent(ErrorCode::ObjectLockConfigurationNotFoundError, &bucket));
        }
        BucketSubresource::OwnershipControls => {
            return Err(absent(ErrorCode::OwnershipControlsNotFoundError, &bucket));
        }
        BucketSubresource::Policy | BucketSubresource::PolicyStatus => {
            return Err(absent(ErrorCode::NoSuchBucketPolicy, &bucket));
        }
        BucketSubresource::PublicAccessBlock => {
            return Err(absent(ErrorCode::NoSuchPublicAccessBlockConfiguration, &bucket));
        }
        BucketSubresource::Replication => {
            return Err(absent(ErrorCode::ReplicationConfigurationNotFoundError, &bucket));
        }
    };
    Ok(Answer::xml(document))
}

/// The root element of a list of configurations, as its API page has it.
fn list_root(subresource: BucketSubresource) -> &'static str {
    match subresource {
        BucketSubresource::Analytics => "ListBucketAnalyticsConfigurationResult",
        BucketSubresource::Inventory => "ListInventoryConfigurationsResult",
        BucketSubresource::IntelligentTiering => "ListBucketIntelligentTieringConfigurationsOutput",
        _ => "ListMetricsConfigurationsResult",
    }
}

/// Serves `PUT /bucket?<sub-resource>`.
pub async fn write(
    request: &Request<'_>,
    connection: &mut Connection,
    body: &mut Body,
    subresource: BucketSubresource,
) -> Result<Answer, S3Error> {
    match subresource {
        BucketSubresource::Cors => bucket_cors::put(request, connection, body).await,
        BucketSubresource::Lifecycle => bucket_lifecycle::put(request, connection, body).await,
        BucketSubresource::RequestPayment => bucket_request_payment::put(request, connection, body).await,
        BucketSubresource::Tagging => bucket_tagging::put(request, connection, body).await,
        BucketSubresource::Versioning => bucket_versioning::put(request, connection, body).await,
        BucketSubresource::Website => bucket_website::put(request, connection, body).await,
        BucketSubresource::Logging | BucketSubresource::Notification => {
            request.bucket()?;
            let bytes = document(request, connection, body).await?;
            match subresource {
                BucketSubresource::Logging => off::logging(&bytes)?,
                _ => off::notification(&bytes)?,
            }
            Ok(Answer::empty(200))
        }
        BucketSubresource::PolicyStatus => {
            request.bucket()?;
            Err(refused(ErrorCode::MethodNotAllowed, request, subresource))
        }
        BucketSubresource::Accelerate
        | BucketSubresource::Acl
        | BucketSubresource::Analytics
        | BucketSubresource::Encryption
        | BucketSubresource::IntelligentTiering
        | BucketSubresource::Inventory
        | BucketSubresource::Metrics
        | BucketSubresource::ObjectLock
        | BucketSubresource::OwnershipControls
        | BucketSubresource::Policy
        | BucketSubresource::PublicAccessBlock
        | BucketSubresource::Replication => {
            request.bucket()?;
            Err(refused(ErrorCode::NotImplemented, request, subresource))
        }
    }
}

/// Serves `DELETE /bucket?<sub-resource>`.
pub async fn delete(request: &Request<'_>, subresource: BucketSubresource) -> Result<Answer, S3Error> {
    match subresource {
        BucketSubresource::Cors => bucket_cors::delete(request).await,
        BucketSubresource::Lifecycle => bucket_lifecycle::delete(request).await,
        BucketSubresource::Tagging => bucket_tagging::delete(request).await,
        BucketSubresource::Website => bucket_website::delete(request).await,
        // None is there, and to delete what is not there is no error.
        BucketSubresource::Encryption
        | BucketSubresource::OwnershipControls
        | BucketSubresource::Policy
        | BucketSubresource::PublicAccessBlock
        | BucketSubresource::Replication => {
            request.bucket()?;
            Ok(Answer::empty(204))
        }
        BucketSubresource::Analytics
        | BucketSubresource::IntelligentTiering
        | BucketSubresource::Inventory
        | BucketSubresource::Metrics => Err(absent(ErrorCode::NoSuchConfiguration, &*request.bucket()?)),
        BucketSubresource::Accelerate
        | BucketSubresource::Acl
        | BucketSubresource::Logging
        | BucketSubresource::Notification
        | BucketSubresource::ObjectLock
        | BucketSubresource::PolicyStatus
        | BucketSubresource::RequestPayment
        | BucketSubresource::Versioning => {
            request.bucket()?;
            Err(refused(ErrorCode::MethodNotAllowed, request, subresource))
        }
    }
}

fn refused(code: ErrorCode, request: &Request<'_>, subresource: BucketSubresource) -> S3Error {
    S3Error::new(code)
        .field("Method", request.head.method_name())
        .field("ResourceType", subresource.resource_type())
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
