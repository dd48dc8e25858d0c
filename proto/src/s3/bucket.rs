//! A bucket as gateways keep it, and what of it a core needs.

use super::{
    properties::{Access, LastModified},
    version::Versioning,
};
use crate::{
    digest::checksum::ChecksumType,
    wire::{Decoder, Encoder, WireError},
};

/// A bucket's number: unique for ever, so that a bucket deleted and made again is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BucketId(pub u64);

/// The properties of a bucket that a core needs to serve it; travels inside tickets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketGrant {
    /// The bucket's number.
    pub id: BucketId,
    /// The bucket's name, for error answers and logs.
    pub name: String,
    /// `checksum.type`: with md5 the ETag is the MD5.
    pub checksum_type: ChecksumType,
    /// `checksum.validate_warm_get`: what is read from disk is verified before it is sent.
    pub validate_warm_get: bool,
    /// Whether it keeps versions.
    pub versioning: Versioning,
    /// `last_modified`: which time LastModified is.
    pub last_modified: LastModified,
    /// `access`: what may be done with its objects.
    pub access: Access,
    /// It has rules for pages of other origins; a gateway looks at them.
    pub has_cors: bool,
    /// Canonical id of the owner.
    pub owner_id: String,
}

impl BucketGrant {
    /// Encodes for a ticket.
    pub fn encode(&self, encoder: &mut Encoder) {
        encoder
            .u64(self.id.0)
            .string(&self.name)
            .u8(self.checksum_type.code())
            .bool(self.validate_warm_get)
            .u8(self.versioning.code())
            .u8(self.last_modified.code())
            .u8(self.access.code())
            .bool(self.has_cors)
            .string(&self.owner_id);
    }
    /// Decodes from a ticket.
    pub fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        Ok(Self {
            id: BucketId(decoder.u64()?),
            name: decoder.string()?,
            checksum_type: ChecksumType::from_code(decoder.u8()?).ok_or(WireError::Invalid)?,
            validate_warm_get: decoder.bool()?,
            versioning: Versioning::from_code(decoder.u8()?).ok_or(WireError::Invalid)?,
            last_modified: LastModified::from_code(decoder.u8()?).ok_or(WireError::Invalid)?,
            access: Access::from_code(decoder.u8()?).ok_or(WireError::Invalid)?,
            has_cors: decoder.bool()?,
            owner_id: decoder.string()?,
        })
    }
}
