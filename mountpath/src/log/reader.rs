//! Reads segments: the intact batches of one in order. Blocking, for recovery and compaction, on threads of their own.

use crate::{
    batch::{self, BatchHeader},
    error::StoreError,
    files::segment::{HEADER_BYTES, decode_header},
    io::{OpenMode, blocking::BlockingFile},
    layout::ShardPaths,
    limits::{DIRECT_ALIGNMENT, LOG_READ_BYTES},
    record::{Action, ObjectMeta, Placement, Record, footprint},
};
use proto::{digest::hasher::block_checksum, limits::BLOCK_BYTES};

/// A batch found intact: header and records; payloads are not looked at.
#[derive(Debug)]
pub struct Found {
    /// Its segment.
    pub segment: u64,
    /// Its first byte.
    pub position: u64,
    /// Its header.
    pub header: BatchHeader,
    /// Its records, each with the bytes of the log it keeps alive.
    pub records: Vec<(Record, u32)>,
}

impl Found {
    /// Where it ends.
    pub fn end(&self) -> u64 {
        self.position + u64::from(self.header.length)
    }
}

/// Reads one segment.
pub struct SegmentReader {
    file: BlockingFile,
    shard: [u8; 16],
    id: u64,
    size: u64,
    position: u64,
    window: Vec<u8>,
    window_start: u64,
}

/// What a segment's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderState {
    /// It is what it should be.
    Intact,
    /// It is damaged, or was never completed: batches say themselves where they belong, and there may be some.
    Damaged,
    /// It is of another shard or another segment.
    Foreign,
}

impl SegmentReader {
    /// Opens a segment.
    pub fn open(paths: &ShardPaths, shard: [u8; 16], id: u64) -> Result<(Self, HeaderState), StoreError> {
        let path = paths.segment(id);
        let file = BlockingFile::open(paths.medium(), &path, OpenMode::ReadWrite)?;
        let mut block = vec![0; DIRECT_ALIGNMENT];
        let count = file.read_at(&mut block, 0)?;
        let state = match decode_header(block.get(..count).unwrap_or_default()) {
            Ok(header) if header == (shard, id) => HeaderState::Intact,
            Ok(_) => HeaderState::Foreign,
            Err(_) => HeaderState::Damaged,
        };
        let size = file.len()?;
        let reader = Self {
            file,
            shard,
            id,
            size,
            position: HEADER_BYTES,
            window: Vec::new(),
            window_start: 0,
        };
        Ok((reader, state))
    }

    /// Goes on at `position`, where a batch begins.
    pub fn seek(&mut self, position: u64) {
        self.position = position.max(HEADER_BYTES);
    }

    /// Bytes of the file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The next intact batch. A place where none begins is skipped block by block: a later intact batch tells corruption
    /// from a torn tail.
    pub fn next_batch(&mut self) -> Result<Option<Found>, StoreError> {
        while self.position < self.size {
            let position = self.position;
            if let Some(found) = self.batch_at(position)? {
                self.position = found.end();
                return Ok(Some(found));
            }
            self.position = self.next_written(position + DIRECT_ALIGNMENT as u64)?;
        }
        Ok(None)
    }

    fn batch_at(&mut self, position: u64) -> Result<Option<Found>, StoreError> {
        let (shard, id, size) = (self.shard, self.id, self.size);
        let block = self.bytes(position, DIRECT_ALIGNMENT)?;
        let Ok(header) = BatchHeader::decode(block) else {
            return Ok(None);
        };
        let own = header.shard == shard && header.segment == id;
        let Ok(length) = usize::try_from(header.records_length) else {
            return Ok(None);
        };
        if !own || header.length == 0 || position + u64::from(header.length) > size {
            return Ok(None);
        }
        let bytes = self.bytes(position, batch::HEADER_BYTES + length)?;
        let Ok(mut region) = header.records(bytes) else {
            return Ok(None);
        };
        let mut records = Vec::new();
        for _ in 0..header.record_count {
            let Ok((record, taken)) = Record::decode(region) else {
                return Ok(None);
            };
            region = region.get(taken..).unwrap_or_default();
            let footprint = footprint(taken, &record.action);
            records.push((record, footprint));
        }
        Ok(Some(Found {
            segment: id,
            position,
            header,
            records,
        }))
    }

    /// `length` bytes at `position`, fewer at the end of the file: a sliding view, so that many small batches are one
    /// read.
    fn bytes(&mut self, position: u64, length: usize) -> Result<&[u8], StoreError> {
        let held = self.window.len() as u64;
        let inside = position >= self.window_start && position + length as u64 <= self.window_start + held;
        if !inside {
            self.window.resize(length.max(LOG_READ_BYTES), 0);
            let count = self.file.read_at(&mut self.window, position)?;
            self.window.truncate(count);
            self.window_start = position;
        }
        let offset = usize::try_from(position - self.window_start).unwrap_or(usize::MAX);
        let end = offset.saturating_add(length).min(self.window.len());
        Ok(self.window.get(offset..end).unwrap_or_default())
    }

    /// The first aligned position from `position` on where something may have been written.
    fn next_written(&self, position: u64) -> Result<u64, StoreError> {
        let found = self.file.next_data(position)?;
        let aligned = found.map(|found| (found - found % DIRECT_ALIGNMENT as u64).max(position));
        Ok(aligned.unwrap_or(self.size).min(self.size))
    }

    /// The inline payload of a record of a batch, as it is on disk; empty where the record has none.
    pub fn payload(&mut self, batch: u64, record: &Record) -> Result<Vec<u8>, StoreError> {
        let Action::Put(meta, Placement::Inline { batch_offset }) = &record.action else {
            return Ok(Vec::new());
        };
        let size = usize::try_from(meta.size).unwrap_or(usize::MAX);
        let length = usize::try_from(self.size).unwrap_or(usize::MAX);
        // A size that no segment can hold is damage, not a reason to allocate.
        let bytes = self.bytes(batch + u64::from(*batch_offset), size.min(length))?;
        Ok(bytes.to_vec())
    }

    /// Whether all inline payloads of a batch are what their checksums say.
    pub fn payloads_intact(&mut self, batch: &Found) -> Result<bool, StoreError> {
        for (record, _) in &batch.records {
            let payload = self.payload(batch.position, record)?;
            if let Action::Put(meta, Placement::Inline { .. }) = &record.action
                && !is_intact(meta, &payload)
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Bytes from `from` on, up to the last that is not zero.
    pub fn torn_bytes(&mut self, from: u64) -> Result<u64, StoreError> {
        let (mut position, mut torn) = (self.next_written(from)?, 0);
        while position < self.size {
            let bytes = self.bytes(position, LOG_READ_BYTES)?;
            if bytes.is_empty() {
                break;
            }
            let length = bytes.len() as u64;
            if let Some(last) = bytes.iter().rposition(|byte| *byte != 0) {
                torn = position - from + last as u64 + 1;
            }
            position = self.next_written(position + length)?;
        }
        Ok(torn)
    }

    /// Cuts the segment to `end`, durably.
    pub fn cut(&mut self, end: u64) -> Result<(), StoreError> {
        self.file.set_len(end)?;
        self.file.fdatasync()?;
        self.size = end;
        Ok(())
    }
}

/// Whether a payload is what the checksums of its record say.
pub fn is_intact(meta: &ObjectMeta, payload: &[u8]) -> bool {
    payload.len() as u64 == meta.size
        && payload
            .chunks(BLOCK_BYTES)
            .map(block_checksum)
            .eq(meta.block_checksums.iter().copied())
}
