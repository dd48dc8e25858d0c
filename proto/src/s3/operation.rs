//! One enum of everything S3 can be asked. Routing is a total function: an unknown sub-resource is
//! `NotImplemented`, never a fall-through to the object or bucket itself.

use super::{
    name::Target,
    query::Query,
    refusal,
    subresource::{self, Subresource},
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
}

/// A sub-resource of an object that reads have an answer for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum ObjectSubresource {
    Acl,
    Tagging,
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
    /// ListObjects, version 1.
    ListObjects,
    ListObjectsV2,
    DeleteObjects,
    PutObject,
    GetObject,
    HeadObject,
    DeleteObject,
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
            // Only objects have versions; S3 refuses the parameter elsewhere too.
            Target::Service | Target::Bucket(_) if query.contains("versionId") => Err(ErrorCode::NotImplemented.into()),
            Target::Service => Self::of_service(head.method(), subresource),
            Target::Bucket(_) => Self::of_bucket(head.method(), subresource, query),
            Target::Object(..) => Self::of_object(head.method(), subresource, query),
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
            (Method::Get, Some(subresource)) => match subresource.of_bucket() {
                Some(readable) => Ok(Self::BucketRead(readable)),
                None => Err(ErrorCode::NotImplemented.into()),
            },
            (Method::Head, None) => Ok(Self::HeadBucket),
            (Method::Put, None) => Ok(Self::CreateBucket),
            (Method::Delete, None) => Ok(Self::DeleteBucket),
            (Method::Post, Some(Subresource::Delete)) => Ok(Self::DeleteObjects),
            // POST of a plain bucket is PostObject, the upload of a browser form.
            (Method::Post | Method::Options, _) | (_, Some(_)) => Err(ErrorCode::NotImplemented.into()),
            (Method::Other, None) => Err(ErrorCode::MethodNotAllowed.into()),
        }
    }

    fn of_object(method: Method, subresource: Option<Subresource>, query: &Query) -> Result<Self, S3Error> {
        if let Some(version_id) = query.value("versionId") {
            check_version_id(method, version_id)?;
        }
        match (method, subresource) {
            (Method::Get, None) => Ok(Self::GetObject),
            (Method::Get, Some(Subresource::Acl)) => Ok(Self::ObjectRead(ObjectSubresource::Acl)),
            (Method::Get, Some(Subresource::Tagging)) => Ok(Self::ObjectRead(ObjectSubresource::Tagging)),
            (Method::Head, None) => Ok(Self::HeadObject),
            (Method::Put, None) => Ok(Self::PutObject),
            (Method::Delete, None) => Ok(Self::DeleteObject),
            (Method::Options, _) | (_, Some(_)) => Err(ErrorCode::NotImplemented.into()),
            (Method::Post | Method::Other, None) => Err(ErrorCode::MethodNotAllowed.into()),
        }
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
            Self::ListObjects => "ListObjects",
            Self::ListObjectsV2 => "ListObjectsV2",
            Self::DeleteObjects => "DeleteObjects",
            Self::PutObject => "PutObject",
            Self::GetObject => "GetObject",
            Self::HeadObject => "HeadObject",
            Self::DeleteObject => "DeleteObject",
            Self::ObjectRead(ObjectSubresource::Acl) => "GetObjectAcl",
            Self::ObjectRead(ObjectSubresource::Tagging) => "GetObjectTagging",
        }
    }
    /// Whether a core serves it (object data) rather than the gateway.
    pub fn is_object_data(self) -> bool {
        matches!(
            self,
            Self::PutObject | Self::GetObject | Self::HeadObject | Self::DeleteObject
        )
    }
}

impl BucketSubresource {
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

/// No object has versions, so reads and deletes accept only `null`, S3's name for the unversioned object.
fn check_version_id(method: Method, version_id: &str) -> Result<(), S3Error> {
    match (method, version_id) {
        (_, "") => Err(
            S3Error::with_message(ErrorCode::InvalidArgument, "Version id cannot be the empty string")
                .field("ArgumentName", "versionId")
                .field("ArgumentValue", ""),
        ),
        (Method::Get | Method::Head | Method::Delete, "null") => Ok(()),
        _ => Err(ErrorCode::NotImplemented.into()),
    }
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
