//! Start-up of a shard: the log is read from its beginning, every record applied by sequence, a torn tail cut off and
//! blobs that no record names removed, before anything is served.

use crate::{
    batch::BatchHeader,
    blob::Blob,
    commit::Tail,
    error::StoreError,
    index::{Index, ObjectEntry, Payload},
    io::{File, OpenMode, ReadBuffer, blocking::BlockingFile, remove, yield_now},
    layout::ShardPaths,
    limits::{DIRECT_ALIGNMENT, RECOVERY_READ_BYTES},
    record::{Action, Placement, Record},
    segment::{HEADER_BYTES, Segment},
};
use proto::{digest::hasher::block_checksum, limits::BLOCK_BYTES, s3::bucket::BucketId};
use std::{
    collections::{HashMap, HashSet},
    rc::Rc,
};

/// What recovery found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Objects the shard holds.
    pub objects: u64,
    /// Batches read.
    pub batches: u64,
    /// Bytes of an unacknowledged tail that were cut off.
    pub torn_bytes: u64,
    /// Blobs without a record that were removed.
    pub orphan_blobs: u64,
    /// What is lost, by name: acknowledged batches that cannot be read, records whose blob is missing.
    pub damage: Vec<String>,
}

/// A batch found intact, in log order.
struct Found {
    segment: Rc<Segment>,
    position: u64,
    header: BatchHeader,
    records: Vec<Record>,
}

/// Reads the log of a shard.
pub async fn recover(paths: &Rc<ShardPaths>, shard: [u8; 16]) -> Result<(Index, Tail, RecoveryReport), StoreError> {
    let mut report = RecoveryReport::default();
    let ids = paths.segments()?;
    let mut found: Vec<Found> = Vec::new();
    let mut last_end: Option<(Rc<Segment>, u64)> = None;
    for id in &ids {
        match Segment::open(paths, shard, *id).await? {
            None => {
                // Created but never acknowledged in: the number is not used again, the file goes.
                remove(paths.medium(), &paths.segment(*id)).await?;
            }
            Some(segment) => {
                let end = scan(paths, &segment, shard, &mut found).await?;
                last_end = Some((segment, end));
            }
        }
    }
    check_tail(&mut found, &mut last_end).await?;
    report_gaps(&found, &mut report);
    if let Some((segment, end)) = &last_end {
        let size = segment.file().size().await?;
        if size > *end {
            report.torn_bytes = torn_bytes(paths, segment, *end, size).await?;
            segment.file().truncate(*end).await?;
            segment.file().fdatasync().await?;
        }
    }
    let next_batch = found.last().map_or(1, |batch| batch.header.sequence + 1);
    report.batches = found.len() as u64;
    let (index, next_record) = replay(paths, found).await;
    let highest_blob = sweep_blobs(paths, &index, &mut report).await?;
    report.objects = index.len() as u64;
    let tail = Tail {
        // A new segment is begun by the first append: an old one may end where a torn batch was cut off.
        segment: None,
        next_segment: ids.last().map_or(1, |id| id + 1),
        position: 0,
        next_batch,
        durable_batch: next_batch - 1,
        next_record: next_record.max(highest_blob.saturating_add(1)),
    };
    Ok((index, tail, report))
}

/// Collects the intact batches of a segment; returns where the last of them ends.
async fn scan(
    paths: &ShardPaths,
    segment: &Rc<Segment>,
    shard: [u8; 16],
    found: &mut Vec<Found>,
) -> Result<u64, StoreError> {
    let size = segment.file().size().await?;
    let written = BlockingFile::open(paths.medium(), &paths.segment(segment.id()), OpenMode::Read)?;
    let mut window = Window {
        file: segment.file(),
        start: 0,
        bytes: None,
    };
    let (mut position, mut end) = (HEADER_BYTES, HEADER_BYTES);
    while position < size {
        match batch_at(&mut window, segment, shard, position, size).await? {
            Some((header, records)) => {
                let batch = Found {
                    segment: Rc::clone(segment),
                    position,
                    header,
                    records,
                };
                position += u64::from(header.length);
                end = position;
                found.push(batch);
            }
            // Resynchronise on the next block: a later intact batch tells corruption from a torn tail.
            None => position = next_written(&written, position + DIRECT_ALIGNMENT as u64, size)?,
        }
        yield_now().await;
    }
    Ok(end)
}

async fn batch_at(
    window: &mut Window<'_>,
    segment: &Segment,
    shard: [u8; 16],
    position: u64,
    size: u64,
) -> Result<Option<(BatchHeader, Vec<Record>)>, StoreError> {
    let block = window.bytes(position, DIRECT_ALIGNMENT).await?;
    let Ok(header) = BatchHeader::decode(block) else {
        return Ok(None);
    };
    let own = header.shard == shard && header.segment == segment.id();
    if !own || position + u64::from(header.length) > size {
        return Ok(None);
    }
    let Ok(length) = usize::try_from(header.records_length) else {
        return Ok(None);
    };
    let bytes = window.bytes(position, crate::batch::HEADER_BYTES + length).await?;
    let Ok(mut region) = header.records(bytes) else {
        return Ok(None);
    };
    let mut records = Vec::new();
    for _ in 0..header.record_count {
        let Ok((record, taken)) = Record::decode(region) else {
            return Ok(None);
        };
        region = region.get(taken..).unwrap_or_default();
        records.push(record);
    }
    Ok(Some((header, records)))
}

/// A batch that no later batch knows to be durable may have its header but not its payloads: those are read and
/// checked, and a torn one is dropped.
async fn check_tail(found: &mut Vec<Found>, last_end: &mut Option<(Rc<Segment>, u64)>) -> Result<(), StoreError> {
    let durable = found
        .iter()
        .map(|batch| batch.header.durable_sequence)
        .max()
        .unwrap_or(0);
    while let Some(batch) = found.last().filter(|batch| batch.header.sequence > durable) {
        if payloads_intact(batch).await? {
            return Ok(());
        }
        if let Some((segment, end)) = last_end
            .as_mut()
            .filter(|(segment, _)| segment.id() == batch.segment.id())
        {
            *end = (*end).min(batch.position);
            tracing::info!(
                segment = segment.id(),
                position = batch.position,
                "a torn batch was cut off"
            );
        }
        found.pop();
    }
    Ok(())
}

async fn payloads_intact(batch: &Found) -> Result<bool, StoreError> {
    for record in &batch.records {
        let Action::Put(meta, Placement::Inline { batch_offset }) = &record.action else {
            continue;
        };
        let Ok(size) = usize::try_from(meta.size) else {
            return Ok(false);
        };
        let payload = batch
            .segment
            .read(batch.position + u64::from(*batch_offset), size)
            .await?;
        let intact = payload.len() == size
            && payload
                .chunks(BLOCK_BYTES)
                .map(block_checksum)
                .eq(meta.block_checksums.iter().copied());
        if !intact {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A missing batch below a later durable mark was acknowledged: it is corruption, and said so.
fn report_gaps(found: &[Found], report: &mut RecoveryReport) {
    let mut expected = 1;
    for batch in found {
        if batch.header.sequence > expected && batch.header.durable_sequence >= expected {
            report.damage.push(format!(
                "batches {expected} to {} of the log are damaged (before segment {:016x}, byte {})",
                batch.header.sequence - 1,
                batch.segment.id(),
                batch.position
            ));
        }
        expected = batch.header.sequence + 1;
    }
}

/// Bytes from `from` on that are not zero, up to the last such byte.
async fn torn_bytes(paths: &ShardPaths, segment: &Segment, from: u64, size: u64) -> Result<u64, StoreError> {
    let written = BlockingFile::open(paths.medium(), &paths.segment(segment.id()), OpenMode::Read)?;
    let (mut position, mut torn) = (next_written(&written, from, size)?, 0);
    while position < size {
        let length = usize::try_from(size - position)
            .unwrap_or(usize::MAX)
            .min(RECOVERY_READ_BYTES);
        let bytes = segment.read(position, length).await?;
        if bytes.is_empty() {
            break;
        }
        if let Some(last) = bytes.iter().rposition(|byte| *byte != 0) {
            torn = position - from + last as u64 + 1;
        }
        position = next_written(&written, position + bytes.len() as u64, size)?;
    }
    Ok(torn)
}

/// The first aligned position from `position` on where something may have been written. `size` when there is none.
fn next_written(file: &BlockingFile, position: u64, size: u64) -> Result<u64, StoreError> {
    let found = file.next_data(position)?.unwrap_or(size);
    Ok((found - found % DIRECT_ALIGNMENT as u64).max(position).min(size))
}

async fn replay(paths: &Rc<ShardPaths>, found: Vec<Found>) -> (Index, u64) {
    let mut index = Index::default();
    let mut newest: HashMap<(BucketId, Vec<u8>), u64> = HashMap::new();
    let mut next_record = 1;
    for batch in found {
        for record in batch.records {
            next_record = next_record.max(record.sequence + 1);
            let Record {
                sequence,
                bucket,
                key,
                action,
            } = record;
            if let Action::Fence(fenced) = action {
                index.set_fence(bucket, fenced);
                continue;
            }
            let place = (bucket, key);
            if newest.get(&place).is_some_and(|newer| *newer > sequence) {
                continue;
            }
            match action {
                Action::Put(meta, placement) => {
                    let payload = match placement {
                        Placement::Inline { batch_offset } => Payload::Inline {
                            segment: Rc::clone(&batch.segment),
                            position: batch.position + u64::from(batch_offset),
                        },
                        Placement::Blob { blob } => Payload::Blob(Blob::new(Rc::clone(paths), blob)),
                    };
                    next_record = next_record.max(match &payload {
                        Payload::Blob(blob) => blob.id() + 1,
                        Payload::Inline { .. } => 0,
                    });
                    index.put(
                        bucket,
                        &place.1,
                        Rc::new(ObjectEntry {
                            sequence,
                            meta,
                            payload,
                        }),
                    );
                }
                Action::Delete => {
                    index.delete(bucket, &place.1);
                }
                Action::Fence(_) => {}
            }
            newest.insert(place, sequence);
        }
        yield_now().await;
    }
    (index, next_record)
}

/// Removes blobs that no live object names and reports objects whose blob is missing; returns the highest blob number
/// seen, since numbers are never used again.
async fn sweep_blobs(paths: &Rc<ShardPaths>, index: &Index, report: &mut RecoveryReport) -> Result<u64, StoreError> {
    let on_disk: HashSet<u64> = paths.blobs()?.into_iter().collect();
    let mut named = HashSet::new();
    for (bucket, key, entry) in index.objects() {
        let Payload::Blob(blob) = &entry.payload else { continue };
        named.insert(blob.id());
        if !on_disk.contains(&blob.id()) {
            let key = String::from_utf8_lossy(key);
            report.damage.push(format!(
                "bucket {} key {key:?}: blob {:016x} is missing",
                bucket.0,
                blob.id()
            ));
        }
    }
    for blob in on_disk.difference(&named) {
        remove(paths.medium(), &paths.blob(*blob)).await?;
        report.orphan_blobs += 1;
    }
    Ok(on_disk.into_iter().max().unwrap_or(0))
}

/// A sliding view of a file, so that many small batches are one read.
struct Window<'f> {
    file: &'f File,
    start: u64,
    bytes: Option<ReadBuffer>,
}

impl Window<'_> {
    /// `length` bytes at `position`, fewer at the end of the file.
    async fn bytes(&mut self, position: u64, length: usize) -> Result<&[u8], StoreError> {
        let held = self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
        let inside = position >= self.start && position + length as u64 <= self.start + held;
        if !inside {
            self.bytes = Some(self.file.read_at(position, length.max(RECOVERY_READ_BYTES)).await?);
            self.start = position;
        }
        let offset = usize::try_from(position - self.start).unwrap_or(usize::MAX);
        let bytes = self.bytes.as_deref().unwrap_or_default();
        let end = offset.saturating_add(length).min(bytes.len());
        Ok(bytes.get(offset..end).unwrap_or_default())
    }
}
