//! The source of CopyObject and UploadPartCopy: whether the caller may read it, and the ticket with which the core that
//! makes the copy gets it from the core that owns it.

use crate::{request::Request, ticketing};
use proto::{
    auth::{object_grant::SealedSource, ticket::Grant},
    error::S3Error,
    s3::{
        bucket::BucketId,
        copy_source::{CopyRange, CopySource},
        expected_owner,
        operation::Operation,
        properties::Permission,
    },
};

/// Finds the source that the request names. The caller must be allowed to read its bucket, and that bucket
/// be open to reading, as well as to write to its own.
pub fn seal(request: &Request<'_>) -> Result<SealedSource, S3Error> {
    let gateway = request.gateway;
    let source = CopySource::from_request(request.head, &request.query)?;
    let range = match request.operation {
        Operation::UploadPartCopy => CopyRange::from_request(request.head, &request.query)?,
        _ => None,
    };
    let bucket = request.bucket_named(source.bucket.as_str())?;
    request.check_owner(&bucket, expected_owner::OF_SOURCE)?;
    bucket.access.check(Permission::Read)?;
    let placement = gateway.cluster.owner(BucketId(bucket.id), source.key.as_str())?;
    let grant = Grant::Read {
        bucket: bucket.grant(),
        key: source.key.as_str().to_owned(),
        version: source.version,
        range,
    };
    Ok(SealedSource {
        address: placement.core.address.to_string(),
        ticket: ticketing::for_shard(&gateway.ticket_key, &placement, request.caller.principal(), grant),
        bucket: bucket.name.clone(),
        key: source.key.into_string(),
        version: source.version,
    })
}
