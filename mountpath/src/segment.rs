//! Segment files of the log: created, appended to, read from (docs/format.md, "Segment").

use crate::{
    error::StoreError,
    io::{AlignedBuffer, File, OpenMode, ReadBuffer, sync_directory},
    layout::ShardPaths,
    limits::{DIRECT_ALIGNMENT, SEGMENT_BYTES},
};
use proto::wire::{Decoder, Encoder, WireError};
use std::rc::Rc;
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: &[u8; 8] = b"CLSEGMT1";
/// Bytes of the header block; the first batch follows.
pub const HEADER_BYTES: u64 = DIRECT_ALIGNMENT as u64;
const HEADER_FIELDS_BYTES: usize = 40;

/// A segment of the log, open for reading.
#[derive(Debug)]
pub struct Segment {
    id: u64,
    file: File,
}

impl Segment {
    /// Creates the file with its header, durably, its space reserved.
    pub async fn create(paths: &ShardPaths, shard: [u8; 16], id: u64) -> Result<Rc<Self>, StoreError> {
        let path = paths.segment(id);
        let file = File::open(paths.medium(), &path, OpenMode::CreateNew).await?;
        file.allocate(SEGMENT_BYTES).await?;
        let mut block = AlignedBuffer::allocate(DIRECT_ALIGNMENT);
        let mut fields = Encoder::new();
        fields.fixed(MAGIC).fixed(&shard).u64(id);
        let mut fields = fields.finish();
        fields.resize(HEADER_FIELDS_BYTES, 0);
        fields.extend_from_slice(&xxh3_64(&fields).to_le_bytes());
        for (to, from) in block.bytes_mut().iter_mut().zip(&fields) {
            *to = *from;
        }
        file.write_at(Rc::new(block), 0).await?;
        file.fdatasync().await?;
        sync_directory(paths.medium(), &paths.log()).await?;
        Ok(Rc::new(Self { id, file }))
    }

    /// Opens an existing segment and checks its header. `Ok(None)`: the header was never completed, so no batch of it
    /// was acknowledged.
    pub async fn open(paths: &ShardPaths, shard: [u8; 16], id: u64) -> Result<Option<Rc<Self>>, StoreError> {
        let file = File::open(paths.medium(), &paths.segment(id), OpenMode::ReadWrite).await?;
        let block = file.read_at(0, DIRECT_ALIGNMENT).await?;
        match decode_header(&block) {
            Ok(header) if header == (shard, id) => Ok(Some(Rc::new(Self { id, file }))),
            Ok(_) => Err(StoreError::Damaged(format!(
                "{} belongs to another shard",
                paths.segment(id).display()
            ))),
            Err(_) => Ok(None),
        }
    }

    /// The segment's number, rising.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Reads payload bytes.
    pub async fn read(&self, position: u64, length: usize) -> Result<ReadBuffer, StoreError> {
        Ok(self.file.read_at(position, length).await?)
    }
}

fn decode_header(block: &[u8]) -> Result<([u8; 16], u64), WireError> {
    let mut all = Decoder::new(block);
    let fields = all.fixed(HEADER_FIELDS_BYTES)?;
    if all.u64()? != xxh3_64(fields) {
        return Err(WireError::Invalid);
    }
    let mut fields = Decoder::new(fields);
    if fields.fixed(MAGIC.len())? != MAGIC {
        return Err(WireError::Invalid);
    }
    Ok((fields.array()?, fields.u64()?))
}
