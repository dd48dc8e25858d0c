//! The first page of a checksummed file: whose it is, how long it must be at least, and the first page of what it holds
//! (docs/format.md, "Index").
//!
//! All of it is in the first 512 bytes, which a disk writes whole or not at all; so the database's header, the one page it
//! overwrites in place, and its checksum are always of the same time.

use super::{block_file::PAGE_BYTES, error::DatabaseError};
use proto::wire::{Decoder, Encoder, WireError};
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: &[u8; 8] = b"CLINDEX2";
/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;
const CHECKSUM_BYTES: usize = size_of::<u64>();
const RESERVED_BYTES: usize = 32;
/// Bytes of the first page that the database can use; redb uses 320.
pub(crate) const CONTENT_BYTES: usize = SECTOR_BYTES - 8 - 16 - 8 - RESERVED_BYTES - CHECKSUM_BYTES;

/// The first page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileHeader {
    /// Whose file it is.
    pub shard: [u8; 16],
    /// The file had this many pages at a sync, and was not shortened since. 0: it was never synced, there is nothing in it.
    pub pages_min: u64,
    /// The start of the database's first page; the rest of that page is zeros.
    pub content: [u8; CONTENT_BYTES],
}

impl FileHeader {
    /// Of a new file.
    pub(crate) fn new(shard: [u8; 16]) -> Self {
        Self {
            shard,
            pages_min: 0,
            content: [0; CONTENT_BYTES],
        }
    }

    /// The page as it is stored.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut fields = Encoder::new();
        fields
            .fixed(MAGIC)
            .fixed(&self.shard)
            .u64(self.pages_min)
            .fixed(&[0; RESERVED_BYTES])
            .fixed(&self.content);
        let mut page = fields.finish();
        page.extend_from_slice(&xxh3_64(&page).to_le_bytes());
        page.resize(PAGE_BYTES, 0);
        page
    }

    /// Reads the page of this shard's file. `None`: zeros, the page was never written.
    pub(crate) fn decode(page: &[u8], shard: [u8; 16]) -> Result<Option<Self>, DatabaseError> {
        let damaged = |what: &str| DatabaseError::Damaged(what.to_owned());
        let truncated = |_: WireError| damaged("the file is too short");
        let mut fields = Decoder::new(page);
        let sector = fields.fixed(SECTOR_BYTES).map_err(truncated)?;
        if sector.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        if !sector.starts_with(MAGIC) {
            return Err(damaged("the file is not an index of this version"));
        }
        let (covered, checksum) = sector
            .split_last_chunk::<CHECKSUM_BYTES>()
            .ok_or_else(|| damaged("the file is too short"))?;
        if xxh3_64(covered) != u64::from_le_bytes(*checksum) {
            return Err(damaged("the header does not match its checksum"));
        }
        let mut fields = Decoder::new(covered);
        let mut take = || {
            fields.fixed(MAGIC.len())?;
            let shard = fields.array()?;
            let pages_min = fields.u64()?;
            fields.fixed(RESERVED_BYTES)?;
            Ok(Self {
                shard,
                pages_min,
                content: fields.array()?,
            })
        };
        let header = take().map_err(truncated)?;
        if header.shard != shard {
            return Err(damaged("the file is the index of another shard"));
        }
        Ok(Some(header))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::{CONTENT_BYTES, FileHeader, SECTOR_BYTES};
    use crate::index::{block_file::PAGE_BYTES, error::DatabaseError};

    #[test]
    fn every_flipped_bit_of_the_first_sector_is_found() {
        let header = FileHeader {
            shard: [7; 16],
            pages_min: 18,
            content: [3; CONTENT_BYTES],
        };
        let page = header.encode();
        assert_eq!(page.len(), PAGE_BYTES);
        assert_eq!(FileHeader::decode(&page, [7; 16]), Ok(Some(header.clone())));
        for bit in 0..SECTOR_BYTES * 8 {
            let mut page = page.clone();
            page[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(
                FileHeader::decode(&page, [7; 16]),
                Err(DatabaseError::Damaged(_))
            ));
        }
        assert!(matches!(
            FileHeader::decode(&page, [8; 16]),
            Err(DatabaseError::Damaged(_))
        ));
        assert!(FileHeader::decode(&page[..SECTOR_BYTES - 1], [7; 16]).is_err());
        assert_eq!(FileHeader::decode(&[0; PAGE_BYTES], [7; 16]), Ok(None));
    }
}
