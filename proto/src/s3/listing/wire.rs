//! Listings as gateways and cores pass them to each other.

use super::{ListEntry, ListPage, ListQuery, ListScope, ListedObject, ListedUpload, ListedVersion, ObjectDetails};
use crate::{
    digest::{checksum::ChecksumAlgorithm, stored::ChecksumForm},
    limits::LIST_KEYS_MAX,
    s3::version::{UploadId, VersionId},
    wire::{Decoder, Encoder, WireError},
};

const TAG_OBJECT: u8 = 0;
const TAG_COMMON_PREFIX: u8 = 1;
const TAG_VERSION: u8 = 2;
const TAG_UPLOAD: u8 = 3;

impl ListPage {
    /// Encodes for the answer of a core.
    pub fn encode(&self, encoder: &mut Encoder) {
        encoder.bool(self.truncated);
        encoder.u32(u32::try_from(self.entries.len()).unwrap_or(u32::MAX));
        for entry in &self.entries {
            match entry {
                ListEntry::Object(object) => {
                    encoder.u8(TAG_OBJECT);
                    object.encode(encoder);
                }
                ListEntry::Version(listed) => {
                    encoder.u8(TAG_VERSION);
                    listed.encode(encoder);
                }
                ListEntry::Upload(listed) => {
                    encoder.u8(TAG_UPLOAD);
                    listed.encode(encoder);
                }
                ListEntry::CommonPrefix(prefix) => {
                    encoder.u8(TAG_COMMON_PREFIX).string(prefix);
                }
            }
        }
    }
    /// Decodes it; at most LIST_KEYS_MAX entries, in order.
    pub fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        let truncated = decoder.bool()?;
        let count = usize::try_from(decoder.u32()?).map_err(|_| WireError::Invalid)?;
        if count > LIST_KEYS_MAX {
            return Err(WireError::Invalid);
        }
        let mut entries: Vec<ListEntry> = Vec::with_capacity(count);
        for _ in 0..count {
            let entry = match decoder.u8()? {
                TAG_OBJECT => ListEntry::Object(ListedObject::decode(decoder)?),
                TAG_VERSION => ListEntry::Version(Box::new(ListedVersion::decode(decoder)?)),
                TAG_UPLOAD => ListEntry::Upload(ListedUpload::decode(decoder)?),
                TAG_COMMON_PREFIX => ListEntry::CommonPrefix(decoder.string()?),
                _ => return Err(WireError::Invalid),
            };
            if entries.last().is_some_and(|last| !entry.follows(last)) {
                return Err(WireError::Invalid);
            }
            entries.push(entry);
        }
        Ok(Self { entries, truncated })
    }
}

impl ListedObject {
    fn encode(&self, encoder: &mut Encoder) {
        encoder
            .string(&self.key)
            .u64(self.size)
            .u64(self.modified_unix_ms)
            .string(&self.etag)
            .option(self.checksum, |encoder, (algorithm, form)| {
                encoder.u8(algorithm.code()).u8(form.code());
            })
            .option(self.storage_class.as_ref(), |encoder, class| {
                encoder.string(class);
            })
            .option(self.details.as_ref(), |encoder, details| details.encode(encoder));
    }
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        Ok(Self {
            key: decoder.string()?,
            size: decoder.u64()?,
            modified_unix_ms: decoder.u64()?,
            etag: decoder.string()?,
            checksum: decoder.option(decode_checksum)?,
            storage_class: decoder.option(Decoder::string)?,
            details: decoder.option(ObjectDetails::decode)?.map(Box::new),
        })
    }
}

impl ObjectDetails {
    fn encode(&self, encoder: &mut Encoder) {
        encoder
            .option(self.accessed_unix_ms, |encoder, unix_ms| {
                encoder.u64(unix_ms);
            })
            .u64(self.overwrites);
    }
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        Ok(Self {
            accessed_unix_ms: decoder.option(Decoder::u64)?,
            overwrites: decoder.u64()?,
        })
    }
}

fn decode_checksum(decoder: &mut Decoder<'_>) -> Result<(ChecksumAlgorithm, ChecksumForm), WireError> {
    let algorithm = ChecksumAlgorithm::from_code(decoder.u8()?).ok_or(WireError::Invalid)?;
    let form = ChecksumForm::from_code(decoder.u8()?).ok_or(WireError::Invalid)?;
    Ok((algorithm, form))
}

impl ListedVersion {
    fn encode(&self, encoder: &mut Encoder) {
        self.object.encode(encoder);
        self.version.encode(encoder);
        encoder.bool(self.is_latest).bool(self.is_delete_marker);
        encoder.u16(u16::try_from(self.tags.len()).unwrap_or(u16::MAX));
        for (name, value) in &self.tags {
            encoder.string(name).string(value);
        }
    }
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        let mut listed = Self {
            object: ListedObject::decode(decoder)?,
            version: VersionId::decode(decoder)?,
            is_latest: decoder.bool()?,
            is_delete_marker: decoder.bool()?,
            tags: Vec::new(),
        };
        for _ in 0..decoder.u16()? {
            listed.tags.push((decoder.string()?, decoder.string()?));
        }
        Ok(listed)
    }
}

impl ListedUpload {
    fn encode(&self, encoder: &mut Encoder) {
        encoder
            .string(&self.key)
            .u64(self.upload.0)
            .u64(self.initiated_unix_ms)
            .option(self.storage_class.as_ref(), |encoder, class| {
                encoder.string(class);
            });
    }
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        Ok(Self {
            key: decoder.string()?,
            upload: UploadId(decoder.u64()?),
            initiated_unix_ms: decoder.u64()?,
            storage_class: decoder.option(Decoder::string)?,
        })
    }
}

impl ListScope {
    fn encode(self, encoder: &mut Encoder) {
        match self {
            Self::Objects => {
                encoder.u8(0);
            }
            Self::Newest => {
                encoder.u8(1);
            }
            Self::Versions { after } => {
                encoder.u8(2).option(after, |encoder, version| version.encode(encoder));
            }
            Self::Uploads { after } => {
                encoder.u8(3).option(after, |encoder, upload| {
                    encoder.u64(upload.0);
                });
            }
            Self::NewestVersions => {
                encoder.u8(4);
            }
        }
    }
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        match decoder.u8()? {
            0 => Ok(Self::Objects),
            1 => Ok(Self::Newest),
            2 => Ok(Self::Versions {
                after: decoder.option(VersionId::decode)?,
            }),
            3 => Ok(Self::Uploads {
                after: decoder.option(|decoder| decoder.u64().map(UploadId))?,
            }),
            4 => Ok(Self::NewestVersions),
            _ => Err(WireError::Invalid),
        }
    }
}

impl ListQuery {
    /// Encodes for a ticket.
    pub fn encode(&self, encoder: &mut Encoder) {
        encoder
            .string(&self.prefix)
            .string(&self.delimiter)
            .string(&self.start_after)
            .u32(u32::try_from(self.limit).unwrap_or(u32::MAX));
        self.scope.encode(encoder);
        encoder.bool(self.details);
    }
    /// Decodes it.
    pub fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        Ok(Self {
            prefix: decoder.string()?,
            delimiter: decoder.string()?,
            start_after: decoder.string()?,
            limit: usize::try_from(decoder.u32()?).map_err(|_| WireError::Invalid)?,
            scope: ListScope::decode(decoder)?,
            details: decoder.bool()?,
        })
    }
}
