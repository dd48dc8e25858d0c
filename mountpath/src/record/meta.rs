//! What is kept of an object, an upload or a part beside its bytes (docs/format.md, "Record").

use super::block_count;
use proto::{
    digest::{
        checksum::ChecksumAlgorithm,
        stored::{ChecksumForm, StoredChecksum},
    },
    s3::{object::ObjectHeaders, version::UploadId},
    wire::{Decoder, Encoder, WireError},
};

/// Everything about an object but its bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Modification time, milliseconds since the epoch.
    pub modified_unix_ms: u64,
    /// Payload bytes.
    pub size: u64,
    /// The sequence of the record that made this version; of a key's versions the highest is the newest. Set by the engine.
    pub version_number: u64,
    /// xxh3-128 of the payload.
    pub xxh3_128: u128,
    /// ETag without quotes.
    pub etag: String,
    /// The verified checksum that S3 keeps with the object.
    pub checksum: Option<StoredChecksum>,
    /// What S3 keeps with the object.
    pub headers: ObjectHeaders,
    /// Tags, in the order they were given.
    pub tags: Vec<(String, String)>,
    /// Of an upload, and of an object that was made of one.
    pub multipart: Option<Box<Multipart>>,
    /// xxh3-64 of each block of BLOCK_BYTES.
    pub block_checksums: Vec<u64>,
}

/// A multipart upload, and what became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Multipart {
    /// Which upload. Set by the engine.
    pub upload: UploadId,
    /// The checksum that was asked for when it began.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumForm)>,
    /// The parts of an object, in order; none as long as it is an upload.
    pub parts: Vec<PartSize>,
}

/// A part of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartSize {
    /// Its number.
    pub number: u16,
    /// Bytes of its payload.
    pub size: u64,
}

impl ObjectMeta {
    /// An upper bound of the bytes the metadata takes in a record.
    pub fn encoded_bytes_max(&self) -> usize {
        // Fixed fields and length prefixes, rounded up generously: a batch is padded to 4 KiB anyway.
        const FIXED_BYTES: usize = 256;
        const PREFIX_BYTES: usize = 8;
        let headers = &self.headers;
        let single = [
            &headers.content_type,
            &headers.content_encoding,
            &headers.cache_control,
            &headers.content_disposition,
            &headers.content_language,
            &headers.expires,
            &headers.storage_class,
            &headers.website_redirect,
        ];
        let single: usize = single
            .into_iter()
            .flatten()
            .map(|value| PREFIX_BYTES + value.len())
            .sum();
        let user: usize = headers
            .user_metadata
            .iter()
            .map(|(n, v)| 2 * PREFIX_BYTES + n.len() + v.len())
            .sum();
        let tags: usize = self
            .tags
            .iter()
            .map(|(name, value)| 2 * PREFIX_BYTES + name.len() + value.len())
            .sum();
        let parts = self.multipart.as_ref().map_or(0, |multipart| multipart.parts.len());
        let checksum = StoredChecksum::ENCODED_BYTES_MAX;
        FIXED_BYTES
            + self.etag.len()
            + single
            + user
            + tags
            + checksum
            + PART_BYTES * parts
            + 8 * self.block_checksums.len()
    }

    /// Encodes it within a record or a row of the index.
    pub(crate) fn encode(&self, fields: &mut Encoder) {
        fields
            .u64(self.modified_unix_ms)
            .u64(self.size)
            .u64(self.version_number)
            .u128(self.xxh3_128)
            .string(&self.etag);
        fields.option(self.checksum.as_ref(), |fields, checksum| checksum.encode(fields));
        self.headers.encode(fields);
        // S3 has 10 tags at most.
        fields.u16(u16::try_from(self.tags.len()).unwrap_or(u16::MAX));
        for (name, value) in &self.tags {
            fields.string(name).string(value);
        }
        fields.option(self.multipart.as_ref(), |fields, multipart| multipart.encode(fields));
        for checksum in &self.block_checksums {
            fields.u64(*checksum);
        }
    }

    /// Decodes it.
    pub(crate) fn decode(fields: &mut Decoder<'_>) -> Result<Self, WireError> {
        let modified_unix_ms = fields.u64()?;
        let size = fields.u64()?;
        let version_number = fields.u64()?;
        let xxh3_128 = fields.u128()?;
        let etag = fields.string()?;
        let checksum = fields.option(StoredChecksum::decode)?;
        let headers = ObjectHeaders::decode(fields)?;
        let mut tags = Vec::new();
        for _ in 0..fields.u16()? {
            tags.push((fields.string()?, fields.string()?));
        }
        let multipart = fields.option(Multipart::decode)?.map(Box::new);
        let mut block_checksums = Vec::new();
        // The blocks of a multipart object are its parts'.
        let blocks = if multipart.is_none() { block_count(size) } else { 0 };
        for _ in 0..blocks {
            block_checksums.push(fields.u64()?);
        }
        Ok(Self {
            modified_unix_ms,
            size,
            version_number,
            xxh3_128,
            etag,
            checksum,
            headers,
            tags,
            multipart,
            block_checksums,
        })
    }
}

/// Bytes of a part in the record of its object.
const PART_BYTES: usize = 10;

impl Multipart {
    fn encode(&self, fields: &mut Encoder) {
        fields.u64(self.upload.0);
        fields.option(self.checksum, |fields, (algorithm, form)| {
            fields.u8(algorithm.code()).u8(form.code());
        });
        // S3 has 10,000 parts at most.
        fields.u16(u16::try_from(self.parts.len()).unwrap_or(u16::MAX));
        for part in &self.parts {
            fields.u16(part.number).u64(part.size);
        }
    }

    fn decode(fields: &mut Decoder<'_>) -> Result<Self, WireError> {
        let upload = UploadId(fields.u64()?);
        let checksum = fields.option(|fields| {
            let algorithm = ChecksumAlgorithm::from_code(fields.u8()?).ok_or(WireError::Invalid)?;
            let form = ChecksumForm::from_code(fields.u8()?).ok_or(WireError::Invalid)?;
            Ok((algorithm, form))
        })?;
        let mut parts = Vec::new();
        for _ in 0..fields.u16()? {
            parts.push(PartSize {
                number: fields.u16()?,
                size: fields.u64()?,
            });
        }
        Ok(Self {
            upload,
            checksum,
            parts,
        })
    }
}
