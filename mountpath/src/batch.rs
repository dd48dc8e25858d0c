//! Batches: what one append writes. A 4 KiB-aligned header with a checksum over header and records, the records, then
//! the payloads of small objects, covered by the block checksums of their records (docs/format.md, "Batch").

use crate::limits::{DIRECT_ALIGNMENT, RECORDS_BYTES_MAX, SEGMENT_BYTES};
use proto::wire::{Decoder, Encoder, WireError};
use xxhash_rust::xxh3::Xxh3;

/// First bytes of a batch.
const MAGIC: &[u8; 8] = b"CLBATCH1";
/// Bytes of the header; records follow at once.
pub const HEADER_BYTES: usize = 80;
const CHECKSUM_BYTES: usize = 8;

/// The header of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchHeader {
    /// The shard it belongs to.
    pub shard: [u8; 16],
    /// The segment it was written to; a leftover of a recycled file has another.
    pub segment: u64,
    /// Rises by one with every batch of the shard.
    pub sequence: u64,
    /// The highest batch sequence known to be durable when this one was written.
    pub durable_sequence: u64,
    /// Bytes of the whole batch, a multiple of the alignment.
    pub length: u32,
    /// Bytes of the records region that follows the header.
    pub records_length: u32,
    /// Records in it.
    pub record_count: u32,
}

impl BatchHeader {
    fn encode_fields(&self) -> Vec<u8> {
        let mut fields = Encoder::new();
        fields
            .fixed(MAGIC)
            .fixed(&self.shard)
            .u64(self.segment)
            .u64(self.sequence)
            .u64(self.durable_sequence);
        fields.u32(self.length).u32(self.records_length).u32(self.record_count);
        let mut bytes = fields.finish();
        bytes.resize(HEADER_BYTES - CHECKSUM_BYTES, 0);
        bytes
    }

    /// Writes header and checksum at the start of `batch`, whose records are in place behind it.
    pub fn seal(&self, batch: &mut [u8]) -> Result<(), WireError> {
        let fields = self.encode_fields();
        let records = usize::try_from(self.records_length).map_err(|_| WireError::Invalid)?;
        let end = HEADER_BYTES.checked_add(records).ok_or(WireError::Invalid)?;
        let checksum = checksum(&fields, batch.get(HEADER_BYTES..end).ok_or(WireError::Truncated)?);
        let header = batch.first_chunk_mut::<HEADER_BYTES>().ok_or(WireError::Truncated)?;
        let (head, tail) = header.split_at_mut(HEADER_BYTES - CHECKSUM_BYTES);
        head.copy_from_slice(&fields);
        tail.copy_from_slice(&checksum.to_le_bytes());
        Ok(())
    }

    /// Reads the header at the start of `bytes`, which need not hold the records yet. Only plausible lengths pass.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut fields = Decoder::new(bytes.get(..HEADER_BYTES).ok_or(WireError::Truncated)?);
        if fields.fixed(MAGIC.len())? != MAGIC {
            return Err(WireError::Invalid);
        }
        let header = Self {
            shard: fields.array()?,
            segment: fields.u64()?,
            sequence: fields.u64()?,
            durable_sequence: fields.u64()?,
            length: fields.u32()?,
            records_length: fields.u32()?,
            record_count: fields.u32()?,
        };
        let length = u64::from(header.length);
        let plausible = length <= SEGMENT_BYTES
            && length.is_multiple_of(DIRECT_ALIGNMENT as u64)
            && u64::from(header.records_length) <= RECORDS_BYTES_MAX as u64
            && u64::from(header.records_length) + HEADER_BYTES as u64 <= length;
        if plausible { Ok(header) } else { Err(WireError::Invalid) }
    }

    /// Checks the checksum over header and records; `bytes` starts at the batch and holds all records. Returns them.
    pub fn records<'b>(&self, bytes: &'b [u8]) -> Result<&'b [u8], WireError> {
        let records = usize::try_from(self.records_length).map_err(|_| WireError::Invalid)?;
        let fields = bytes.get(..HEADER_BYTES - CHECKSUM_BYTES).ok_or(WireError::Truncated)?;
        let stored = bytes
            .get(HEADER_BYTES - CHECKSUM_BYTES..HEADER_BYTES)
            .ok_or(WireError::Truncated)?;
        let region = bytes
            .get(HEADER_BYTES..HEADER_BYTES + records)
            .ok_or(WireError::Truncated)?;
        if checksum(fields, region).to_le_bytes().as_slice() == stored {
            Ok(region)
        } else {
            Err(WireError::Invalid)
        }
    }
}

fn checksum(fields: &[u8], records: &[u8]) -> u64 {
    let mut hasher = Xxh3::new();
    hasher.update(fields);
    hasher.update(records);
    hasher.digest()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{BatchHeader, HEADER_BYTES};

    #[test]
    fn a_flipped_bit_anywhere_in_header_or_records_is_seen() {
        let header = BatchHeader {
            shard: [7; 16],
            segment: 1,
            sequence: 2,
            durable_sequence: 1,
            length: 4096,
            records_length: 64,
            record_count: 1,
        };
        let mut batch = vec![0u8; 4096];
        batch[HEADER_BYTES..HEADER_BYTES + 64].fill(0x5a);
        header.seal(&mut batch).unwrap();
        let intact = |bytes: &[u8]| BatchHeader::decode(bytes).and_then(|h| h.records(bytes).map(|_| h)) == Ok(header);
        assert!(intact(&batch));
        for bit in 0..(HEADER_BYTES + 64) * 8 {
            let mut flipped = batch.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!intact(&flipped), "bit {bit}");
        }
    }
}
