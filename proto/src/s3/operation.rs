//! One enum of everything S3 can be asked. Routing is a total function: an unknown sub-resource is
//! `NotImplemented`, never a fall-through to the object or bucket itself.

use super::{
    name::Target,
    query::Query,
    refusal,
    subresource::{self, Subresource},
    version::VersionId,
};
use crate::{
    error::{ErrorCode, S3Error},
    http::head::{Method, RequestHead},
};

/// A sub-resource whose absence S3 reports with a fixed answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum BucketSubresource {
    Acl,
    Cors,
    Encryption,
    Lifecycle,
    Logging,
    Notification,
    ObjectLock,
    OwnershipControls,
    Policy,
    PolicyStatus,
    PublicAccessBlock,
    Replication,
    RequestPayment,
    Tagging,
    Versioning,
    Website,
    Accelerate,
    Analytics,
    IntelligentTiering,
    Inventory,
    Metrics,
}

/// A sub-resource of an object that reads have an answer for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum ObjectSubresource {
    Acl,
}

/// An S3 operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Operation {
    ListBuckets,
    CreateBucket,
    HeadBucket,
    DeleteBucket,
    BucketLocation,
    /// GET of a bucket sub-resource.
    BucketRead(BucketSubresource),
    /// PUT of a bucket sub-resource.
    BucketWrite(BucketSubresource),
    /// DELETE of a bucket sub-resource.
    BucketDelete(BucketSubresource),
    /// ListObjects, version 1.
    ListObjects,
    ListObjectsV2,
    ListObjectVersions,
    ListMultipartUploads,
    DeleteObjects,
    /// The upload of a browser form.
    PostObject,
    PutObject,
    GetObject,
    HeadObject,
    DeleteObject,
    CopyObject,
    GetObjectAttributes,
    GetObjectTagging,
    PutObjectTagging,
    DeleteObjectTagging,
    CreateMultipartUpload,
    UploadPart,
    UploadPartCopy,
    CompleteMultipartUpload,
    AbortMultipartUpload,
    ListParts,
    /// GET of an object sub-resource.
    ObjectRead(ObjectSubresource),
}

impl Operation {
    /// Routes a request. Query parameters that S3 does not know as sub-resources (`x-id`, `X-Amz-*`, `response-*`, `corelane-*`,
    /// `prefix`, anything unknown) do not route. Every sub-resource without an operation above, and every header that asks for
    /// more than the operation does (`x-amz-copy-source`, conditions on writes, encryption, ...) is 501 NotImplemented.
    /// A method the plain resource does not have: 405 MethodNotAllowed.
    pub fn parse(head: &RequestHead, target: &Target, query: &Query) -> Result<Self, S3Error> {
        let subresource = subresource::of(query)?;
        let operation = match target {
            // Only objects have versions.
            Target::Service | Target::Bucket(_) if query.contains("versionId") => Err(no_version_here(query)),
            Target::Service => Self::of_service(head.method(), subresource),
            Target::Bucket(_) => Self::of_bucket(head.method(), subresource, query),
            Target::Object(..) => Self::of_object(head, subresource, query),
        };
        let operation = operation.map_err(|error| describe(error, head, subresource))?;
        refusal::check(operation, head, query)?;
        Ok(operation)
    }

    fn of_service(method: Method, subresource: Option<Subresource>) -> Result<Self, S3Error> {
        match (method, subresource) {
            (Method::Get, None) => Ok(Self::ListBuckets),
            (Method::Options, _) | (_, Some(_)) => Err(ErrorCode::NotImplemented.into()),
            (_, None) => Err(ErrorCode::MethodNotAllowed.into()),
        }
    }

    fn of_bucket(method: Method, subresource: Option<Subresource>, query: &Query) -> Result<Self, S3Error> {
        match (method, subresource) {
            (Method::Get, None) => list_version(query),
            (Method::Get, Some(Subresource::Location)) => Ok(Self::BucketLocation),
            (Method::Get, Some(Subresource::Versions)) => Ok(Self::ListObjectVersions),
            (Method::Get, Some(Subresource::Uploads)) => Ok(Self::ListMultipartUploads),
            (Method::Get, Some(subresource)) => configured(subresource).map(Self::BucketRead),
            (Method::Head, None) => Ok(Self::HeadBucket),
            (Method::Put, None) => Ok(Self::CreateBucket),
            (Method::Put, Some(subresource)) => configured(subresource).map(Self::BucketWrite),
            (Method::Delete, None) => Ok(Self::DeleteBucket),
            (Method::Delete, Some(subresource)) => configured(subresource).map(Self::BucketDelete),
            (Method::Post, Some(Subresource::Delete)) => Ok(Self::DeleteObjects),
            (Method::Post, None) => Ok(Self::PostObject),
            (Method::Options, _) | (_, Some(_)) => Err(ErrorCode::NotImplemented.into()),
            (Method::Other, None) => Err(ErrorCode::MethodNotAllowed.into()),
        }
    }

    fn of_object(head: &RequestHead, subresource: Option<Subresource>, query: &Query) -> Result<Self, S3Error> {
        let is_copy = || asks_for_copy(head, query);
        let operation = match (head.method(), subresource) {
            (Method::Get, None) => Self::GetObject,
            (Method::Get, Some(Subresource::Acl)) => Self::ObjectRead(ObjectSubresource::Acl),
            (Method::Get, Some(Subresource::Tagging)) => Self::GetObjectTagging,
            (Method::Get, Some(Subresource::Attributes)) => Self::GetObjectAttributes,
            (Method::Head, None) => Self::HeadObject,
            (Method::Put, None) if is_copy() => Self::CopyObject,
            (Method::Put, None) => Self::PutObject,
            (Method::Put, Some(Subresource::Tagging)) => Self::PutObjectTagging,
            (Method::Delete, None) => Self::DeleteObject,
            (Method::Delete, Some(Subresource::Tagging)) => Self::DeleteObjectTagging,
            (Method::Post, Some(Subresource::Uploads)) => Self::CreateMultipartUpload,
            (method, Some(Subresource::UploadId | Subresource::PartNumber)) => {
                let names = (query.contains("uploadId"), query.contains("partNumber"));
                match (method, names) {
                    (Method::Get, (false, true)) => Self::GetObject,
                    (Method::Head, (false, true)) => Self::HeadObject,
                    (Method::Get, (true, false)) => Self::ListParts,
                    (Method::Put, (true, true)) if is_copy() => Self::UploadPartCopy,
                    (Method::Put, (true, true)) => Self::UploadPart,
                    (Method::Post, (true, false)) => Self::CompleteMultipartUpload,
                    (Method::Delete, (true, false)) => Self::AbortMultipartUpload,
                    _ => return Err(ErrorCode::NotImplemented.into()),
                }
            }
            (Method::Options, _) | (_, Some(_)) => return Err(ErrorCode::NotImplemented.into()),
            (Method::Post | Method::Other, None) => return Err(ErrorCode::MethodNotAllowed.into()),
        };
        if let Some(version_id) = query.value("versionId") {
            if !operation.is_of_version() {
                return Err(no_version_here(query));
            }
            VersionId::parse(version_id)?;
        }
        Ok(operation)
    }

    /// Whether `versionId` says which version of an object it is about.
    fn is_of_version(self) -> bool {
        matches!(
            self,
            Self::GetObject
                | Self::HeadObject
                | Self::DeleteObject
                | Self::GetObjectAttributes
                | Self::GetObjectTagging
                | Self::PutObjectTagging
                | Self::DeleteObjectTagging
                | Self::ObjectRead(_)
        )
    }

    /// S3's name for it, as in `s3:GetObject`'s API page, such as `GetObject` (for logs and metrics).
    pub fn name(self) -> &'static str {
        match self {
            Self::ListBuckets => "ListBuckets",
            Self::CreateBucket => "CreateBucket",
            Self::HeadBucket => "HeadBucket",
            Self::DeleteBucket => "DeleteBucket",
            Self::BucketLocation => "GetBucketLocation",
            Self::BucketRead(subresource) => subresource.operation_name(),
            Self::BucketWrite(subresource) => subresource.write_name(),
            Self::BucketDelete(subresource) => subresource.delete_name(),
            Self::ListObjects => "ListObjects",
            Self::ListObjectsV2 => "ListObjectsV2",
            Self::ListObjectVersions => "ListObjectVersions",
            Self::ListMultipartUploads => "ListMultipartUploads",
            Self::DeleteObjects => "DeleteObjects",
            Self::PostObject => "PostObject",
            Self::PutObject => "PutObject",
            Self::GetObject => "GetObject",
            Self::HeadObject => "HeadObject",
            Self::DeleteObject => "DeleteObject",
            Self::CopyObject => "CopyObject",
            Self::GetObjectAttributes => "GetObjectAttributes",
            Self::GetObjectTagging => "GetObjectTagging",
            Self::PutObjectTagging => "PutObjectTagging",
            Self::DeleteObjectTagging => "DeleteObjectTagging",
            Self::CreateMultipartUpload => "CreateMultipartUpload",
            Self::UploadPart => "UploadPart",
            Self::UploadPartCopy => "UploadPartCopy",
            Self::CompleteMultipartUpload => "CompleteMultipartUpload",
            Self::AbortMultipartUpload => "AbortMultipartUpload",
            Self::ListParts => "ListParts",
            Self::ObjectRead(ObjectSubresource::Acl) => "GetObjectAcl",
        }
    }
    /// Whether a core serves it (object data) rather than the gateway.
    pub fn is_object_data(self) -> bool {
        self.of_core().is_some()
    }
    /// Those that a core serves, each with a number of its own: a ticket holds it, and a lease is a set of them.
    pub const OF_CORES: [(Self, u8); 15] = [
        (Self::PutObject, 1),
        (Self::GetObject, 2),
        (Self::HeadObject, 3),
        (Self::DeleteObject, 4),
        (Self::CopyObject, 5),
        (Self::GetObjectAttributes, 6),
        (Self::GetObjectTagging, 7),
        (Self::PutObjectTagging, 8),
        (Self::DeleteObjectTagging, 9),
        (Self::CreateMultipartUpload, 10),
        (Self::UploadPart, 11),
        (Self::UploadPartCopy, 12),
        (Self::CompleteMultipartUpload, 13),
        (Self::AbortMultipartUpload, 14),
        (Self::ListParts, 15),
    ];
    /// Its number among those that a core serves.
    pub fn of_core(self) -> Option<u8> {
        let mut of_cores = Self::OF_CORES.into_iter();
        of_cores.find(|(operation, _)| *operation == self).map(|(_, code)| code)
    }
    /// The one with a number.
    pub fn from_core(code: u8) -> Option<Self> {
        let mut of_cores = Self::OF_CORES.into_iter();
        of_cores
            .find(|(_, known)| *known == code)
            .map(|(operation, _)| operation)
    }
    /// Whether a core reads a body for it.
    pub fn takes_payload(self) -> bool {
        matches!(
            self,
            Self::PutObject | Self::UploadPart | Self::PutObjectTagging | Self::CompleteMultipartUpload
        )
    }
}

impl BucketSubresource {
    /// As errors name it: `<ResourceType>`.
    pub fn resource_type(self) -> &'static str {
        match self {
            Self::Accelerate => "ACCELERATE",
            Self::Acl => "ACL",
            Self::Analytics => "ANALYTICS",
            Self::Cors => "CORS",
            Self::Encryption => "ENCRYPTION",
            Self::IntelligentTiering => "INTELLIGENT-TIERING",
            Self::Inventory => "INVENTORY",
            Self::Lifecycle => "LIFECYCLE",
            Self::Logging => "LOGGING",
            Self::Metrics => "METRICS",
            Self::Notification => "NOTIFICATION",
            Self::ObjectLock => "OBJECT_LOCK",
            Self::OwnershipControls => "OWNERSHIPCONTROLS",
            Self::Policy => "BUCKETPOLICY",
            Self::PolicyStatus => "POLICYSTATUS",
            Self::PublicAccessBlock => "PUBLICACCESSBLOCK",
            Self::Replication => "REPLICATION",
            Self::RequestPayment => "REQUESTPAYMENT",
            Self::Tagging => "TAGGING",
            Self::Versioning => "VERSIONING",
            Self::Website => "WEBSITE",
        }
    }

    fn operation_name(self) -> &'static str {
        match self {
            Self::Acl => "GetBucketAcl",
            Self::Cors => "GetBucketCors",
            Self::Encryption => "GetBucketEncryption",
            Self::Lifecycle => "GetBucketLifecycleConfiguration",
            Self::Logging => "GetBucketLogging",
            Self::Notification => "GetBucketNotificationConfiguration",
            Self::ObjectLock => "GetObjectLockConfiguration",
            Self::OwnershipControls => "GetBucketOwnershipControls",
            Self::Policy => "GetBucketPolicy",
            Self::PolicyStatus => "GetBucketPolicyStatus",
            Self::PublicAccessBlock => "GetPublicAccessBlock",
            Self::Replication => "GetBucketReplication",
            Self::RequestPayment => "GetBucketRequestPayment",
            Self::Tagging => "GetBucketTagging",
            Self::Versioning => "GetBucketVersioning",
            Self::Website => "GetBucketWebsite",
            Self::Accelerate => "GetBucketAccelerateConfiguration",
            Self::Analytics => "GetBucketAnalyticsConfiguration",
            Self::IntelligentTiering => "GetBucketIntelligentTieringConfiguration",
            Self::Inventory => "GetBucketInventoryConfiguration",
            Self::Metrics => "GetBucketMetricsConfiguration",
        }
    }

    fn write_name(self) -> &'static str {
        match self {
            Self::Accelerate => "PutBucketAccelerateConfiguration",
            Self::Analytics => "PutBucketAnalyticsConfiguration",
            Self::IntelligentTiering => "PutBucketIntelligentTieringConfiguration",
            Self::Inventory => "PutBucketInventoryConfiguration",
            Self::Metrics => "PutBucketMetricsConfiguration",
            Self::Acl => "PutBucketAcl",
            Self::Cors => "PutBucketCors",
            Self::Encryption => "PutBucketEncryption",
            Self::Lifecycle => "PutBucketLifecycleConfiguration",
            Self::Logging => "PutBucketLogging",
            Self::Notification => "PutBucketNotificationConfiguration",
            Self::ObjectLock => "PutObjectLockConfiguration",
            Self::OwnershipControls => "PutBucketOwnershipControls",
            Self::Policy => "PutBucketPolicy",
            Self::PolicyStatus => "PutBucketPolicyStatus",
            Self::PublicAccessBlock => "PutPublicAccessBlock",
            Self::Replication => "PutBucketReplication",
            Self::RequestPayment => "PutBucketRequestPayment",
            Self::Tagging => "PutBucketTagging",
            Self::Versioning => "PutBucketVersioning",
            Self::Website => "PutBucketWebsite",
        }
    }

    fn delete_name(self) -> &'static str {
        match self {
            Self::Accelerate => "DeleteBucketAccelerateConfiguration",
            Self::Analytics => "DeleteBucketAnalyticsConfiguration",
            Self::IntelligentTiering => "DeleteBucketIntelligentTieringConfiguration",
            Self::Inventory => "DeleteBucketInventoryConfiguration",
            Self::Metrics => "DeleteBucketMetricsConfiguration",
            Self::Acl => "DeleteBucketAcl",
            Self::Cors => "DeleteBucketCors",
            Self::Encryption => "DeleteBucketEncryption",
            Self::Lifecycle => "DeleteBucketLifecycle",
            Self::Logging => "DeleteBucketLogging",
            Self::Notification => "DeleteBucketNotificationConfiguration",
            Self::ObjectLock => "DeleteObjectLockConfiguration",
            Self::OwnershipControls => "DeleteBucketOwnershipControls",
            Self::Policy => "DeleteBucketPolicy",
            Self::PolicyStatus => "DeleteBucketPolicyStatus",
            Self::PublicAccessBlock => "DeletePublicAccessBlock",
            Self::Replication => "DeleteBucketReplication",
            Self::RequestPayment => "DeleteBucketRequestPayment",
            Self::Tagging => "DeleteBucketTagging",
            Self::Versioning => "DeleteBucketVersioning",
            Self::Website => "DeleteBucketWebsite",
        }
    }
}

fn list_version(query: &Query) -> Result<Operation, S3Error> {
    match query.value("list-type") {
        None => Ok(Operation::ListObjects),
        Some("2") => Ok(Operation::ListObjectsV2),
        Some(other) => Err(
            S3Error::with_message(ErrorCode::InvalidArgument, "Invalid List Type specified in Request")
                .field("ArgumentName", "list-type")
                .field("ArgumentValue", other),
        ),
    }
}

/// The configuration a sub-resource of a bucket is.
fn configured(subresource: Subresource) -> Result<BucketSubresource, S3Error> {
    subresource.of_bucket().ok_or_else(|| ErrorCode::NotImplemented.into())
}

/// Whether the payload is to be taken from another object. The `x-amz-*` parameters of a presigned URL count as headers.
fn asks_for_copy(head: &RequestHead, query: &Query) -> bool {
    const COPY_SOURCE: &str = "x-amz-copy-source";
    head.header(COPY_SOURCE).is_some() || query.iter().any(|(name, _)| name.eq_ignore_ascii_case(COPY_SOURCE))
}

fn no_version_here(query: &Query) -> S3Error {
    let message = "This operation does not accept a version-id.";
    S3Error::with_message(ErrorCode::InvalidArgument, message)
        .field("ArgumentName", "versionId")
        .field("ArgumentValue", query.value("versionId").unwrap_or_default())
}

/// Adds what a client needs to see why the route ends here.
fn describe(error: S3Error, head: &RequestHead, subresource: Option<Subresource>) -> S3Error {
    let resource_type = subresource.map_or("", Subresource::name);
    match error.code {
        ErrorCode::MethodNotAllowed => error.field("Method", head.method_name()),
        ErrorCode::NotImplemented => error
            .field("Method", head.method_name())
            .field("ResourceType", resource_type),
        _ => error,
    }
}
