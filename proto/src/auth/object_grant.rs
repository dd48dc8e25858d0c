//! What an authenticated request for object data amounts to: the one way from a head to what a core does, whether a
//! gateway seals it into a ticket or a core finds it out itself under a lease.

use super::{
    chunked::ChunkSigner,
    payload::{PayloadDeclaration, wants_checksum},
    verify::Verified,
};
use crate::{
    digest::multipart::MultipartChecksum,
    error::S3Error,
    http::{conditional::WriteCondition, head::RequestHead},
    s3::{
        bucket::BucketGrant, config::cors_headers::CorsHeaders, object::ObjectHeaders, operation::Operation, part,
        query::Query, tagging::TagSet, version::VersionId,
    },
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
    /// A form's file: the payload has no declared length, and certainly no more bytes than this.
    pub open_length_max: Option<u64>,
    /// Where the payload of a copy comes from. Only gateways know that.
    pub copy_source: Option<Box<SealedSource>>,
    /// What the page that sends the request is granted by the bucket's rules; written to every answer.
    pub cors: Option<Box<CorsHeaders>>,
}

/// The source of a copy, as the core that makes the copy gets to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSource {
    /// Where the core that owns it listens: an IP address and a port.
    pub address: String,
    /// A sealed `Grant::Read` for that core.
    pub ticket: String,
    /// The name of its bucket.
    pub bucket: String,
    /// Its key.
    pub key: String,
    /// The version asked for.
    pub version: Option<VersionId>,
}

impl ObjectGrant {
    /// Of a request. `verified`: its signature; `None` when nothing is verified, and then chunks are not either. Refuses
    /// what the head can be refused for: sizes, malformed digests, headers that cannot be kept; and what the
    /// bucket's `access` does not allow.
    pub fn new(
        operation: Operation,
        bucket: BucketGrant,
        key: &str,
        head: &RequestHead,
        verified: Option<&Verified>,
    ) -> Result<Self, S3Error> {
        bucket.access.check_operation(operation)?;
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
        check_upload(operation, head)?;
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
            copy_source: None,
            open_length_max: None,
            cors: None,
        })
    }

    /// Of a form's file, as the PUT that a gateway makes of it.
    pub fn of_form(bucket: BucketGrant, key: &str, head: &RequestHead, length_max: u64) -> Result<Self, S3Error> {
        bucket.access.check_operation(Operation::PostObject)?;
        ObjectHeaders::from_request(head)?;
        Ok(Self {
            operation: Operation::PutObject,
            bucket,
            key: key.to_owned(),
            payload: Some(PayloadDeclaration::of_form(head)?),
            signer: None,
            open_length_max: Some(length_max),
            copy_source: None,
            cors: None,
        })
    }

    /// Whether a request still declares the payload that the grant was made for.
    pub fn declares_same_payload(&self, head: &RequestHead) -> Result<bool, S3Error> {
        let Some(declared) = &self.payload else {
            return Ok(true);
        };
        let declaration = match self.open_length_max {
            Some(_) => PayloadDeclaration::of_form(head)?,
            None => declaration(self.operation, head)?,
        };
        Ok(declaration == *declared)
    }

    pub(super) fn encode(&self, encoder: &mut Encoder) {
        // An operation that is no core's gets the number 0, which does not decode.
        encoder.u8(self.operation.of_core().unwrap_or(0));
        self.bucket.encode(encoder);
        encoder.string(&self.key);
        encoder.option(self.payload.as_ref(), |encoder, payload| payload.encode(encoder));
        encoder.option(self.signer.as_ref(), |encoder, signer| signer.encode(encoder));
        encoder.option(self.copy_source.as_ref(), |encoder, source| source.encode(encoder));
        encoder.option(self.open_length_max, |encoder, length| {
            encoder.u64(length);
        });
        encoder.option(self.cors.as_ref(), |encoder, cors| cors.encode(encoder));
    }

    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        Ok(Self {
            operation: Operation::from_core(decoder.u8()?).ok_or(WireError::Invalid)?,
            bucket: BucketGrant::decode(decoder)?,
            key: decoder.string()?,
            payload: decoder.option(PayloadDeclaration::decode)?,
            signer: decoder.option(ChunkSigner::decode)?,
            copy_source: decoder.option(|decoder| SealedSource::decode(decoder).map(Box::new))?,
            open_length_max: decoder.option(Decoder::u64)?,
            cors: decoder.option(CorsHeaders::decode)?.map(Box::new),
        })
    }
}

impl SealedSource {
    fn encode(&self, encoder: &mut Encoder) {
        encoder
            .string(&self.address)
            .string(&self.ticket)
            .string(&self.bucket)
            .string(&self.key)
            .option(self.version, |encoder, version| version.encode(encoder));
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        Ok(Self {
            address: decoder.string()?,
            ticket: decoder.string()?,
            bucket: decoder.string()?,
            key: decoder.string()?,
            version: decoder.option(VersionId::decode)?,
        })
    }
}

/// Refuses what names no upload and no part, and checksums that no upload can have.
fn check_upload(operation: Operation, head: &RequestHead) -> Result<(), S3Error> {
    match operation {
        Operation::CreateMultipartUpload => MultipartChecksum::from_request(head).map(drop),
        Operation::UploadPart | Operation::UploadPartCopy => {
            let query = Query::parse(head.raw_query())?;
            part::part_number(&query)?;
            part::upload_id(&query).map(drop)
        }
        _ => Ok(()),
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

fn declaration(operation: Operation, head: &RequestHead) -> Result<PayloadDeclaration, S3Error> {
    match operation {
        // Its x-amz-checksum-* are those of the object.
        Operation::CompleteMultipartUpload => PayloadDeclaration::beside_object_checksum(head),
        _ => PayloadDeclaration::from_request(head),
    }
}

fn declared_payload(
    operation: Operation,
    head: &RequestHead,
    is_verified: bool,
) -> Result<PayloadDeclaration, S3Error> {
    let payload = declaration(operation, head)?;
    // Without verification there is no key to check the signatures of chunks with.
    Ok(if is_verified {
        payload
    } else {
        payload.without_chunk_signatures()
    })
}
