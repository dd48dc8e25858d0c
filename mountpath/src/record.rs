//! Log records: what one PUT, one DELETE or news of a bucket leave in the segment log (docs/format.md, "Record").

use crate::limits::DIRECT_ALIGNMENT;
use proto::{
    digest::{
        checksum::ChecksumAlgorithm,
        stored::{ChecksumForm, StoredChecksum},
    },
    limits::BLOCK_BYTES,
    s3::{bucket::BucketId, object::ObjectHeaders, version::UploadId},
    wire::{Decoder, Encoder, WireError},
};

const KIND_INLINE: u8 = 1;
const KIND_BLOB: u8 = 2;
const KIND_TOMBSTONE: u8 = 3;
const KIND_BUCKET: u8 = 4;
const KIND_PARTS: u8 = 5;
const KIND_MARKER: u8 = 6;
const KIND_UPLOAD: u8 = 7;

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

/// Where a payload lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// In the record's own batch, this many bytes after the batch's start.
    Inline {
        /// Bytes from the start of the batch.
        batch_offset: u32,
    },
    /// In a blob file.
    Blob {
        /// The blob's number.
        blob: u64,
    },
    /// In the parts of an upload, which are rows of their own.
    Parts {
        /// The upload.
        upload: UploadId,
    },
    /// Nowhere: it is a delete marker.
    Marker,
    /// Nowhere: it is an upload.
    Upload {
        /// The upload.
        upload: UploadId,
    },
}

impl Placement {
    /// The blob that holds the payload, if one does.
    pub fn blob(self) -> Option<u64> {
        match self {
            Self::Blob { blob } => Some(blob),
            _ => None,
        }
    }

    /// The upload whose parts live as long as this.
    pub fn upload(self) -> Option<UploadId> {
        match self {
            Self::Parts { upload } | Self::Upload { upload } => Some(upload),
            _ => None,
        }
    }

    fn kind(self) -> u8 {
        match self {
            Self::Inline { .. } => KIND_INLINE,
            Self::Blob { .. } => KIND_BLOB,
            Self::Parts { .. } => KIND_PARTS,
            Self::Marker => KIND_MARKER,
            Self::Upload { .. } => KIND_UPLOAD,
        }
    }

    /// Encodes what its kind does not say.
    pub(crate) fn encode(self, fields: &mut Encoder) {
        match self {
            Self::Inline { batch_offset } => fields.u32(batch_offset),
            Self::Blob { blob } => fields.u64(blob),
            Self::Parts { upload } | Self::Upload { upload } => fields.u64(upload.0),
            Self::Marker => fields,
        };
    }

    /// Decodes it.
    pub(crate) fn decode(kind: u8, fields: &mut Decoder<'_>) -> Result<Self, WireError> {
        Ok(match kind {
            KIND_INLINE => Self::Inline {
                batch_offset: fields.u32()?,
            },
            KIND_BLOB => Self::Blob { blob: fields.u64()? },
            KIND_PARTS => Self::Parts {
                upload: UploadId(fields.u64()?),
            },
            KIND_MARKER => Self::Marker,
            KIND_UPLOAD => Self::Upload {
                upload: UploadId(fields.u64()?),
            },
            _ => return Err(WireError::Invalid),
        })
    }

    /// Encodes kind and place.
    pub(crate) fn encode_whole(self, fields: &mut Encoder) {
        fields.u8(self.kind());
        self.encode(fields);
    }

    /// Decodes kind and place.
    pub(crate) fn decode_whole(fields: &mut Decoder<'_>) -> Result<Self, WireError> {
        let kind = fields.u8()?;
        Self::decode(kind, fields)
    }
}

/// What a record does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The row holds this from now on.
    Put(Box<ObjectMeta>, Placement),
    /// The row holds nothing from now on.
    Delete {
        /// The segment this was first written to: segments up to it may hold what is deleted here.
        origin_segment: u64,
    },
    /// What the shard knows of a bucket; the row's key is empty.
    Bucket {
        /// Its name, for messages; empty when the shard was never told.
        name: String,
        /// The bucket takes no writes: it is being deleted.
        fenced: bool,
    },
}

/// A record of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Rises with every record of the shard; of two records of a row the higher wins.
    pub sequence: u64,
    /// The bucket.
    pub bucket: BucketId,
    /// The key of the row within the bucket ([`crate::index::row::Row`]).
    pub row: Vec<u8>,
    /// What happened.
    pub action: Action,
}

impl Record {
    /// Appends the record with its length, padded to 8 bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut fields = Encoder::new();
        let kind = match &self.action {
            Action::Put(_, placement) => placement.kind(),
            Action::Delete { .. } => KIND_TOMBSTONE,
            Action::Bucket { .. } => KIND_BUCKET,
        };
        fields.u8(kind).u64(self.sequence).u64(self.bucket.0).bytes(&self.row);
        match &self.action {
            Action::Put(meta, placement) => {
                meta.encode(&mut fields);
                placement.encode(&mut fields);
            }
            Action::Delete { origin_segment } => {
                fields.u64(*origin_segment);
            }
            Action::Bucket { name, fenced } => {
                fields.string(name).bool(*fenced);
            }
        }
        let fields = fields.finish();
        let length = u32::try_from(fields.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&fields);
        out.resize(out.len().next_multiple_of(8), 0);
    }

    /// Decodes the record at the start of `bytes`; also returns how many bytes it takes with its padding.
    pub fn decode(bytes: &[u8]) -> Result<(Self, usize), WireError> {
        let mut outer = Decoder::new(bytes);
        let length = usize::try_from(outer.u32()?).map_err(|_| WireError::Invalid)?;
        let mut fields = Decoder::new(outer.fixed(length)?);
        let kind = fields.u8()?;
        let sequence = fields.u64()?;
        let bucket = BucketId(fields.u64()?);
        let row = fields.bytes()?.to_vec();
        let action = match kind {
            KIND_TOMBSTONE => Action::Delete {
                origin_segment: fields.u64()?,
            },
            KIND_BUCKET => Action::Bucket {
                name: fields.string()?,
                fenced: fields.bool()?,
            },
            kind => {
                let meta = Box::new(ObjectMeta::decode(&mut fields)?);
                Action::Put(meta, Placement::decode(kind, &mut fields)?)
            }
        };
        fields.finish()?;
        Ok((
            Self {
                sequence,
                bucket,
                row,
                action,
            },
            (4 + length).next_multiple_of(8),
        ))
    }
}

impl Record {
    /// An upper bound of the bytes the record takes beside its row's key.
    pub fn encoded_bytes_max(&self) -> usize {
        match &self.action {
            Action::Put(meta, _) => meta.encoded_bytes_max(),
            Action::Delete { .. } => 0,
            Action::Bucket { name, .. } => name.len(),
        }
    }
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

/// Bytes of the log that a record keeps alive: itself and its inline payload, as they are padded in the log.
pub fn footprint(record_bytes: usize, action: &Action) -> u32 {
    let payload = match action {
        Action::Put(meta, Placement::Inline { .. }) => meta.size.next_multiple_of(payload_alignment(meta.size) as u64),
        _ => 0,
    };
    u32::try_from(record_bytes as u64 + payload).unwrap_or(u32::MAX)
}

/// What the place of an inline payload of `size` bytes is a multiple of: small ones share blocks.
pub fn payload_alignment(size: u64) -> usize {
    if size < DIRECT_ALIGNMENT as u64 {
        8
    } else {
        DIRECT_ALIGNMENT
    }
}

/// How many blocks a payload of `size` bytes has.
pub fn block_count(size: u64) -> u64 {
    size.div_ceil(BLOCK_BYTES as u64)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Action, Multipart, ObjectMeta, PartSize, Placement, Record};
    use proto::{
        digest::{checksum::ChecksumAlgorithm, stored::ChecksumForm},
        s3::{bucket::BucketId, object::ObjectHeaders, version::UploadId},
    };

    fn sample(action: Action) -> Record {
        Record {
            sequence: 9,
            bucket: BucketId(3),
            row: b"\x01a//b".to_vec(),
            action,
        }
    }

    fn meta() -> ObjectMeta {
        ObjectMeta {
            modified_unix_ms: 1_795_000_000_000,
            size: 300_000,
            version_number: 8,
            xxh3_128: 1 << 90,
            etag: "d41d8cd98f00b204e9800998ecf8427e".into(),
            checksum: None,
            headers: ObjectHeaders {
                content_type: Some("text/plain".into()),
                ..ObjectHeaders::default()
            },
            tags: vec![("colour".into(), "blue".into())],
            multipart: None,
            block_checksums: vec![1, 2, 3],
        }
    }

    fn of_parts() -> ObjectMeta {
        let parts = [(1, 200_000), (10_000, 100_000)];
        ObjectMeta {
            multipart: Some(Box::new(Multipart {
                upload: UploadId(5),
                checksum: Some((ChecksumAlgorithm::Crc32, ChecksumForm::Composite)),
                parts: parts.map(|(number, size)| PartSize { number, size }).to_vec(),
            })),
            block_checksums: Vec::new(),
            ..meta()
        }
    }

    #[test]
    fn every_kind_survives_and_every_truncation_fails() {
        for action in [
            Action::Put(Box::new(meta()), Placement::Inline { batch_offset: 4096 }),
            Action::Put(Box::new(meta()), Placement::Blob { blob: 77 }),
            Action::Put(Box::new(of_parts()), Placement::Parts { upload: UploadId(5) }),
            Action::Put(Box::new(of_parts()), Placement::Upload { upload: UploadId(5) }),
            Action::Put(Box::default(), Placement::Marker),
            Action::Delete { origin_segment: 3 },
            Action::Bucket {
                name: "bucket".into(),
                fenced: true,
            },
        ] {
            let record = sample(action);
            let mut bytes = Vec::new();
            record.encode(&mut bytes);
            assert_eq!(bytes.len() % 8, 0);
            let (back, taken) = Record::decode(&bytes).unwrap();
            assert_eq!((back, taken), (record, bytes.len()));
            let length = usize::try_from(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])).unwrap();
            for cut in 0..length + 4 {
                assert!(Record::decode(&bytes[..cut]).is_err());
            }
        }
    }
}
