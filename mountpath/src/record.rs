//! Log records: what one PUT, one DELETE or news of a bucket leave in the segment log (docs/format.md, "Record").

mod meta;
mod placement;

pub use self::{
    meta::{Multipart, ObjectMeta, PartSize},
    placement::Placement,
};
use crate::limits::DIRECT_ALIGNMENT;
use proto::{
    limits::BLOCK_BYTES,
    s3::bucket::BucketId,
    wire::{Decoder, Encoder, WireError},
};

const KIND_TOMBSTONE: u8 = 3;
const KIND_BUCKET: u8 = 4;

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
    /// Appends the record with its length, padded to 8 bytes; returns where its fields end.
    pub fn encode(&self, out: &mut Vec<u8>) -> usize {
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
        let end = out.len();
        out.resize(end.next_multiple_of(8), 0);
        end
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
