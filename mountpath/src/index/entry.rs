//! What the index knows about a key, and the bytes it is stored as (docs/format.md, "Index").

pub use super::memtable::{Memtable, Tally};
use super::row::Row;
use crate::record::{ObjectMeta, Placement};
use proto::{
    digest::stored::StoredChecksum,
    s3::{bucket::BucketId, listing::ListedObject, version::VersionId},
    wire::{Decoder, Encoder, WireError},
};
use std::sync::Arc;

/// Headers stored before the storage class (`ObjectHeaders::encode`).
const HEADERS_BEFORE_STORAGE_CLASS: usize = 6;

/// Bucket id, big endian, then the key of a row ([`super::row::Row`]).
pub type IndexKey = Arc<[u8]>;

/// Where a record lies: its batch's first byte in its segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Home {
    /// The segment.
    pub segment: u64,
    /// The batch's first byte.
    pub batch: u64,
}

/// A version of an object, an upload or a part as the index knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectEntry {
    /// The record's sequence.
    pub sequence: u64,
    /// Where the record lies.
    pub home: Home,
    /// Bytes of the log it keeps alive: the record and an inline payload, with their padding.
    pub footprint: u32,
    /// Where the payload lies.
    pub placement: Placement,
    /// Which version of its key it is; what is no version has the null version's.
    pub version: VersionId,
    /// Everything about the object but its bytes.
    pub meta: ObjectMeta,
}

/// A deletion that must be remembered as long as an older segment may hold the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tombstone {
    /// The record's sequence.
    pub sequence: u64,
    /// Where the record lies.
    pub home: Home,
    /// Bytes of the log it keeps alive.
    pub footprint: u32,
    /// Needed until this segment and all before it are gone.
    pub origin_segment: u64,
}

/// What the newest record of a key says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Latest {
    /// The key holds an object.
    Object(Arc<ObjectEntry>),
    /// The key holds nothing.
    Tombstone(Tombstone),
}

/// What the log says about a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketState {
    /// The record's sequence.
    pub sequence: u64,
    /// Where the record lies.
    pub home: Home,
    /// Bytes of the log it keeps alive.
    pub footprint: u32,
    /// The bucket's name.
    pub name: String,
    /// Whether it takes no writes.
    pub fenced: bool,
}

/// Up to here the index knows the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// The segment to go on reading in.
    pub segment: u64,
    /// The first byte not known.
    pub position: u64,
    /// The sequence of the next batch.
    pub next_batch: u64,
    /// The next number of a record or blob.
    pub next_number: u64,
}

/// The start of an object's row: all that bookkeeping needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ObjectHead {
    pub sequence: u64,
    pub home: Home,
    pub footprint: u32,
    pub placement: Placement,
    pub modified_unix_ms: u64,
    pub size: u64,
    pub version_number: u64,
}

/// The key of the index for a row of a bucket.
pub fn index_key(bucket: BucketId, row: &[u8]) -> IndexKey {
    bucket.0.to_be_bytes().iter().chain(row).copied().collect()
}

/// The version that an index key is of.
pub fn version_of(index_key: &[u8]) -> VersionId {
    let row = split_index_key(index_key).and_then(|(_, row)| Row::decode(row));
    row.map_or(VersionId::Null, |row| row.version())
}

/// The bucket and the row an index key was made of; `None` if it is too short to be one.
pub fn split_index_key(index_key: &[u8]) -> Option<(BucketId, &[u8])> {
    let (bucket, key) = index_key.split_first_chunk::<8>()?;
    Some((BucketId(u64::from_be_bytes(*bucket)), key))
}

impl Latest {
    /// The record's sequence.
    pub fn sequence(&self) -> u64 {
        match self {
            Self::Object(entry) => entry.sequence,
            Self::Tombstone(tombstone) => tombstone.sequence,
        }
    }

    /// Where the record lies.
    pub fn home(&self) -> Home {
        match self {
            Self::Object(entry) => entry.home,
            Self::Tombstone(tombstone) => tombstone.home,
        }
    }

    /// Bytes of the log it keeps alive.
    pub fn footprint(&self) -> u32 {
        match self {
            Self::Object(entry) => entry.footprint,
            Self::Tombstone(tombstone) => tombstone.footprint,
        }
    }
}

fn encode_start(fields: &mut Encoder, sequence: u64, home: Home, footprint: u32) {
    fields.u64(sequence).u64(home.segment).u64(home.batch).u32(footprint);
}

fn decode_start(fields: &mut Decoder<'_>) -> Result<(u64, Home, u32), WireError> {
    let sequence = fields.u64()?;
    let segment = fields.u64()?;
    let batch = fields.u64()?;
    Ok((sequence, Home { segment, batch }, fields.u32()?))
}

/// The sequence of any row but one of segments.
pub(crate) fn decode_sequence(row: &[u8]) -> Result<u64, WireError> {
    Decoder::new(row).u64()
}

impl ObjectEntry {
    /// The blob that holds the payload, if one does.
    pub fn blob(&self) -> Option<u64> {
        self.placement.blob()
    }

    /// Whether it is a delete marker.
    pub fn is_delete_marker(&self) -> bool {
        self.placement == Placement::Marker
    }

    /// Bytes of memory the entry takes, about.
    pub fn memory_bytes(&self) -> usize {
        self.meta.encoded_bytes_max()
    }

    /// The row of the object.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut fields = Encoder::new();
        encode_start(&mut fields, self.sequence, self.home, self.footprint);
        self.placement.encode_whole(&mut fields);
        self.meta.encode(&mut fields);
        fields.finish()
    }

    /// The object of a row.
    pub(crate) fn decode(index_key: &[u8], row: &[u8]) -> Result<Self, WireError> {
        let mut fields = Decoder::new(row);
        let (sequence, home, footprint) = decode_start(&mut fields)?;
        let placement = Placement::decode_whole(&mut fields)?;
        let meta = ObjectMeta::decode(&mut fields)?;
        fields.finish()?;
        Ok(Self {
            sequence,
            home,
            footprint,
            placement,
            version: version_of(index_key),
            meta,
        })
    }

    /// The object in a listing.
    pub(crate) fn listed(&self, key: &str) -> ListedObject {
        ListedObject {
            key: key.to_owned(),
            size: self.meta.size,
            modified_unix_ms: self.meta.modified_unix_ms,
            etag: self.meta.etag.clone(),
            checksum: self
                .meta
                .checksum
                .as_ref()
                .map(|checksum| (checksum.algorithm(), checksum.form())),
            storage_class: self.meta.headers.storage_class.clone(),
            details: None,
        }
    }
}

impl ObjectHead {
    /// Reads the start of an object's row.
    pub(crate) fn decode(row: &[u8]) -> Result<Self, WireError> {
        Self::take(&mut Decoder::new(row))
    }

    fn take(fields: &mut Decoder<'_>) -> Result<Self, WireError> {
        let (sequence, home, footprint) = decode_start(fields)?;
        Ok(Self {
            sequence,
            home,
            footprint,
            placement: Placement::decode_whole(fields)?,
            // The metadata begins with these (`ObjectMeta::encode`).
            modified_unix_ms: fields.u64()?,
            size: fields.u64()?,
            version_number: fields.u64()?,
        })
    }
}

/// The object of a row in a listing; what a listing does not show is stepped over.
pub(crate) fn decode_listed(key: &str, row: &[u8]) -> Result<ListedObject, WireError> {
    let mut fields = Decoder::new(row);
    let head = ObjectHead::take(&mut fields)?;
    fields.u128()?;
    let etag = fields.string()?;
    let checksum = fields.option(StoredChecksum::decode_kind)?;
    for _ in 0..HEADERS_BEFORE_STORAGE_CLASS {
        fields.option(Decoder::bytes)?;
    }
    Ok(ListedObject {
        key: key.to_owned(),
        size: head.size,
        modified_unix_ms: head.modified_unix_ms,
        etag,
        checksum,
        storage_class: fields.option(Decoder::string)?,
        details: None,
    })
}

impl Tombstone {
    /// The row of the tombstone.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut fields = Encoder::new();
        encode_start(&mut fields, self.sequence, self.home, self.footprint);
        fields.u64(self.origin_segment);
        fields.finish()
    }

    /// The tombstone of a row.
    pub(crate) fn decode(row: &[u8]) -> Result<Self, WireError> {
        let mut fields = Decoder::new(row);
        let (sequence, home, footprint) = decode_start(&mut fields)?;
        let origin_segment = fields.u64()?;
        fields.finish()?;
        Ok(Self {
            sequence,
            home,
            footprint,
            origin_segment,
        })
    }
}

impl BucketState {
    /// The row of the bucket.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut fields = Encoder::new();
        encode_start(&mut fields, self.sequence, self.home, self.footprint);
        fields.bool(self.fenced).string(&self.name);
        fields.finish()
    }

    /// The bucket of a row.
    pub(crate) fn decode(row: &[u8]) -> Result<Self, WireError> {
        let mut fields = Decoder::new(row);
        let (sequence, home, footprint) = decode_start(&mut fields)?;
        let fenced = fields.bool()?;
        let name = fields.string()?;
        fields.finish()?;
        Ok(Self {
            sequence,
            home,
            footprint,
            name,
            fenced,
        })
    }
}

impl Checkpoint {
    pub(crate) fn encode(&self, fields: &mut Encoder) {
        fields
            .u64(self.segment)
            .u64(self.position)
            .u64(self.next_batch)
            .u64(self.next_number);
    }

    pub(crate) fn decode(fields: &mut Decoder<'_>) -> Result<Self, WireError> {
        Ok(Self {
            segment: fields.u64()?,
            position: fields.u64()?,
            next_batch: fields.u64()?,
            next_number: fields.u64()?,
        })
    }
}
