//! What an authenticated request for object data amounts to: the one way from a head to what a core does, whether a
//! gateway seals it into a ticket or a core finds it out itself under a lease.

use super::{chunked::ChunkSigner, payload::PayloadDeclaration, verify::Verified};
use crate::{
    error::{ErrorCode, S3Error},
    http::{conditional::WriteCondition, head::RequestHead},
    s3::{bucket::BucketGrant, object::ObjectHeaders, operation::Operation, tagging::TagSet},
    wire::{Decoder, Encoder, WireError},
};

/// One S3 operation on one object.
#[derive(Debug, Clone)]
pub struct ObjectGrant {
    /// One of those that a core serves.
    pub operation: Operation,
    /// The bucket.
    pub bucket: BucketGrant,
    /// The decoded key.
    pub key: String,
    /// What the payload must be, of an operation that takes one.
    pub payload: Option<PayloadDeclaration>,
    /// For signed chunks.
    pub signer: Option<ChunkSigner>,
}

impl ObjectGrant {
    /// Of a request. `verified`: its signature; `None` when nothing is verified, and then chunks are not either. Refuses
    /// what the head can be refused for: sizes, malformed digests, headers that cannot be kept.
    pub fn new(
        operation: Operation,
        bucket: BucketGrant,
        key: &str,
        head: &RequestHead,
        verified: Option<&Verified>,
    ) -> Result<Self, S3Error> {
        let payload = match operation.takes_payload() {
            true => Some(declared_payload(operation, head, verified.is_some())?),
            false => None,
        };
        if matches!(operation, Operation::GetObject | Operation::HeadObject) {
            wants_checksum(head)?;
        }
        if stores_headers(operation) {
            ObjectHeaders::from_request(head)?;
            TagSet::from_request(head)?;
        }
        if makes_an_object(operation) {
            WriteCondition::from_request(head)?;
        }
        let chunks_are_signed = payload.as_ref().is_some_and(PayloadDeclaration::is_aws_chunked);
        Ok(Self {
            operation,
            bucket,
            key: key.to_owned(),
            payload,
            signer: verified
                .filter(|_| chunks_are_signed)
                .map(|verified| verified.clone().into()),
        })
    }

    pub(super) fn encode(&self, encoder: &mut Encoder) {
        // An operation that is no core's gets the number 0, which does not decode.
        encoder.u8(self.operation.of_core().unwrap_or(0));
        self.bucket.encode(encoder);
        encoder.string(&self.key);
        encoder.option(self.payload.as_ref(), |encoder, payload| payload.encode(encoder));
        encoder.option(self.signer.as_ref(), |encoder, signer| signer.encode(encoder));
    }

    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        Ok(Self {
            operation: Operation::from_core(decoder.u8()?).ok_or(WireError::Invalid)?,
            bucket: BucketGrant::decode(decoder)?,
            key: decoder.string()?,
            payload: decoder.option(PayloadDeclaration::decode)?,
            signer: decoder.option(ChunkSigner::decode)?,
        })
    }
}

/// Whether a read asks for the object's checksum: `x-amz-checksum-mode: ENABLED`
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>). `InvalidRequest` for another value.
pub fn wants_checksum(head: &RequestHead) -> Result<bool, S3Error> {
    match head.header("x-amz-checksum-mode") {
        None => Ok(false),
        Some(mode) if mode.eq_ignore_ascii_case(b"enabled") => Ok(true),
        Some(_) => Err(S3Error::with_message(
            ErrorCode::InvalidRequest,
            "Value for x-amz-checksum-mode header is invalid.",
        )),
    }
}

/// Whether the request's headers are kept with an object.
fn stores_headers(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::PutObject | Operation::CopyObject | Operation::CreateMultipartUpload
    )
}

/// Whether the request may be conditional on what its key holds.
fn makes_an_object(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::PutObject | Operation::CopyObject | Operation::CompleteMultipartUpload
    )
}

fn declared_payload(
    operation: Operation,
    head: &RequestHead,
    is_verified: bool,
) -> Result<PayloadDeclaration, S3Error> {
    let payload = match operation {
        // Its x-amz-checksum-* are those of the object.
        Operation::CompleteMultipartUpload => PayloadDeclaration::beside_object_checksum(head)?,
        _ => PayloadDeclaration::from_request(head)?,
    };
    // Without verification there is no key to check the signatures of chunks with.
    Ok(if is_verified {
        payload
    } else {
        payload.without_chunk_signatures()
    })
}
