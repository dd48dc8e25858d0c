//! One commit: a segment with room, one write, one fdatasync, then the changes become visible and are acknowledged.

use super::{
    Log, Outcome, Pending,
    draft::{Draft, Member},
    sizes,
};
use crate::{
    batch::{BatchHeader, HEADER_BYTES},
    error::StoreError,
    files::segment::{self, AppendSegment, Preparation, SegmentInfo},
    index::entry::{BucketState, Home, Latest, ObjectEntry, Tombstone},
    io::AlignedBuffer,
    limits::DIRECT_ALIGNMENT,
    log::{Change, NewPayload},
    record::Action,
};
use std::{rc::Rc, sync::Arc};

impl Log {
    pub(super) async fn commit(&self, pending: Vec<Pending>) {
        if self.failed.get() {
            for change in pending {
                change.giver.give(Err(StoreError::ReadOnly));
            }
            return;
        }
        let (segment, pending) = match self.segment_for(pending).await {
            Ok(found) => found,
            Err((error, pending)) => {
                for change in pending {
                    change.giver.give(Err(error.clone()));
                }
                return;
            }
        };
        let draft = self.draft(pending, segment.id);
        if draft.members.is_empty() {
            return;
        }
        let Draft {
            records,
            record_count,
            copied,
            direct,
            length,
            members,
        } = draft;
        let position = self.tail.borrow().position;
        let header = {
            let tail = self.tail.borrow();
            BatchHeader {
                shard: self.shard,
                segment: segment.id,
                sequence: tail.next_batch,
                durable_sequence: tail.durable_batch,
                length: u32::try_from(length).unwrap_or(u32::MAX),
                records_length: u32::try_from(records.len()).unwrap_or(u32::MAX),
                record_count,
            }
        };
        let head_length = direct.first().map_or(length, |(offset, _)| *offset);
        let head = fill(&header, &records, &copied, head_length);
        let written = match head {
            Ok(head) => self.write(&segment, position, head, direct).await,
            Err(error) => Err(error),
        };
        match written {
            Ok(()) => {
                self.advance(&header);
                let home = Home {
                    segment: segment.id,
                    batch: position,
                };
                self.publish(members, home);
            }
            Err(error) => refuse(members, &error),
        }
    }

    fn advance(&self, header: &BatchHeader) {
        let mut tail = self.tail.borrow_mut();
        tail.position += u64::from(header.length);
        tail.next_batch += 1;
        if self.sync {
            tail.durable_batch = header.sequence;
        }
        let counters = &self.counters;
        counters.batches.set(counters.batches.get() + 1);
        counters
            .records
            .set(counters.records.get() + u64::from(header.record_count));
        counters
            .appended_bytes
            .set(counters.appended_bytes.get() + u64::from(header.length));
        let end = tail.position;
        self.segments.update(header.segment, |info| info.bytes = end);
    }

    /// Writes and syncs. Whatever fails but for space stops all further writes: what the disk holds is unknown then.
    async fn write(
        &self,
        segment: &AppendSegment,
        position: u64,
        head: AlignedBuffer,
        direct: Vec<(usize, crate::buffer::PooledBuffer)>,
    ) -> Result<(), StoreError> {
        // Payload buffers first: the header that makes them reachable is not waited for any less, but a crash in
        // between then leaves no header at all.
        let mut result = Ok(());
        for (offset, buffer) in &direct {
            let Some(shared) = buffer.share() else {
                return Err(StoreError::Io("the buffer is gone".into()));
            };
            result = segment.file.write_at(shared, position + *offset as u64).await;
            if result.is_err() {
                break;
            }
        }
        if result.is_ok() {
            result = segment.file.write_at(Rc::new(head), position).await;
        }
        if let Err(error) = result {
            return Err(self.write_failed("write", error));
        }
        if self.sync {
            if let Err(error) = segment.file.fdatasync().await {
                // After a failed sync the page cache may claim clean what the disk never got: never retry.
                return Err(self.write_failed("fdatasync", error));
            }
            self.count_sync();
        }
        match segment.file.nlink() {
            Ok(0) => Err(self.write_failed("append", std::io::Error::other("the segment was removed"))),
            _ => Ok(()),
        }
    }

    fn write_failed(&self, what: &str, error: std::io::Error) -> StoreError {
        let error_is_space = matches!(
            StoreError::from(std::io::Error::from(error.kind())),
            StoreError::NoSpace
        );
        if error_is_space && what == "write" {
            return StoreError::NoSpace;
        }
        tracing::error!(log = %self.paths.log().display(), %error, "{what} failed; the shard is read-only until a restart");
        self.fail();
        StoreError::ReadOnly
    }

    /// The segment that has room for a batch; a full one is cut to what it holds and the next begun. While the disk is
    /// full, PUTs leave the end of the last segment to what makes space; those that must are refused here.
    async fn segment_for(
        &self,
        pending: Vec<Pending>,
    ) -> Result<(Rc<AppendSegment>, Vec<Pending>), (StoreError, Vec<Pending>)> {
        let pending = self.leave_space_making(pending).await;
        let length = length_max(&pending);
        let (current, position) = {
            let tail = self.tail.borrow();
            (tail.segment.clone(), tail.position)
        };
        if let Some(segment) = current {
            if position + length <= segment.size {
                return Ok((segment, pending));
            }
            if let Err(error) = self.seal(&segment, position).await {
                return Err((error, pending));
            }
        }
        match self.begin_segment(length).await {
            Ok(segment) => Ok((segment, pending)),
            Err(error) => {
                if matches!(error, StoreError::NoSpace) {
                    self.space_short.set(true);
                }
                Err((error, pending))
            }
        }
    }

    /// While the disk is full, PUTs are refused that would take what deletes and compaction need, unless there is space
    /// again.
    async fn leave_space_making(&self, pending: Vec<Pending>) -> Vec<Pending> {
        if !self.space_short.get() || self.tail.borrow().spare.is_some() {
            return pending;
        }
        let room = {
            let tail = self.tail.borrow();
            let size = tail.segment.as_ref().map_or(0, |segment| segment.size);
            size.saturating_sub(tail.position + self.space_making_bytes())
        };
        if length_max(&pending) <= room && !self.is_held_up() {
            return pending;
        }
        if self.prepare_spare(Preparation::Reserved).await.is_ok() {
            return pending;
        }
        let (puts, rest): (Vec<_>, Vec<_>) = pending
            .into_iter()
            .partition(|change| matches!(change.change, Change::Put(..)));
        for put in puts {
            put.giver.give(Err(StoreError::NoSpace));
        }
        rest
    }

    /// A full segment ends where its last batch does.
    async fn seal(&self, segment: &AppendSegment, end: u64) -> Result<(), StoreError> {
        segment.file.truncate(end).await?;
        if !self.sync {
            // What follows in the next segment may become durable at any time; this one must not be the hole before it.
            segment.file.fdatasync().await?;
            self.count_sync();
        }
        Ok(())
    }

    async fn begin_segment(&self, length: u64) -> Result<Rc<AppendSegment>, StoreError> {
        let needed = segment::HEADER_BYTES + length;
        let spare = self.tail.borrow_mut().spare.take();
        let segment = match spare.filter(|spare| spare.size >= needed) {
            Some(spare) => spare,
            None => {
                let id = self.take_segment_number();
                let size = self.segment_bytes.max(needed);
                AppendSegment::create(&self.paths, self.shard, id, size, Preparation::Reserved).await?
            }
        };
        let segment = Rc::new(segment);
        let info = SegmentInfo {
            bytes: segment::HEADER_BYTES,
            ..SegmentInfo::default()
        };
        self.segments.add(segment.id, info);
        let mut tail = self.tail.borrow_mut();
        tail.segment = Some(Rc::clone(&segment));
        tail.position = segment::HEADER_BYTES;
        self.spare_wanted.set(true);
        Ok(segment)
    }

    fn take_segment_number(&self) -> u64 {
        let mut tail = self.tail.borrow_mut();
        let id = tail.next_segment;
        tail.next_segment += 1;
        id
    }

    /// Makes the next segment ahead.
    pub async fn prepare_spare(&self, preparation: Preparation) -> Result<(), StoreError> {
        if self.tail.borrow().spare.is_some() || self.failed.get() {
            return Ok(());
        }
        let id = self.take_segment_number();
        let made = AppendSegment::create(&self.paths, self.shard, id, self.segment_bytes, preparation).await;
        match made {
            Ok(spare) => {
                let mut tail = self.tail.borrow_mut();
                // A segment that was begun meanwhile has a higher number, and numbers rise along the log.
                let in_order = tail.segment.as_ref().is_none_or(|segment| segment.id < id);
                if in_order {
                    tail.spare = Some(spare);
                    self.spare_wanted.set(false);
                    self.space_short.set(false);
                    return Ok(());
                }
                drop(tail);
                drop(spare);
                Ok(crate::io::remove(self.paths.medium(), &self.paths.segment(id)).await?)
            }
            Err(error) => {
                if matches!(error, StoreError::NoSpace) {
                    self.space_short.set(true);
                }
                Err(error)
            }
        }
    }

    /// Gives the space of the segment made ahead back.
    pub async fn drop_spare(&self) -> Result<(), StoreError> {
        let spare = self.tail.borrow_mut().spare.take();
        if let Some(spare) = spare {
            let id = spare.id;
            drop(spare);
            crate::io::remove(self.paths.medium(), &self.paths.segment(id)).await?;
        }
        Ok(())
    }

    /// Makes everything appended so far durable, for an index that is about to cover it.
    pub async fn sync_now(&self) -> Result<(), StoreError> {
        if self.sync {
            return Ok(());
        }
        let (segment, batch) = {
            let tail = self.tail.borrow();
            (tail.segment.clone(), tail.next_batch)
        };
        if let Some(segment) = segment {
            if let Err(error) = segment.file.fdatasync().await {
                return Err(self.write_failed("fdatasync", error));
            }
            self.count_sync();
            let mut tail = self.tail.borrow_mut();
            tail.durable_batch = tail.durable_batch.max(batch - 1);
        }
        Ok(())
    }

    /// Makes durable changes visible, in order, and answers who waits.
    fn publish(&self, members: Vec<Member>, home: Home) {
        for member in members {
            let Member {
                record,
                is_move,
                footprint,
                blob,
                giver,
            } = member;
            if is_move {
                let placement = match record.action {
                    Action::Put(_, placement) => Some(placement),
                    _ => None,
                };
                giver.give(Ok(Outcome::Moved {
                    home,
                    placement,
                    footprint,
                }));
                continue;
            }
            let sequence = record.sequence;
            let outcome = match record.action {
                Action::Put(meta, placement) => {
                    let entry = Arc::new(ObjectEntry {
                        sequence,
                        home,
                        footprint,
                        placement,
                        meta: *meta,
                    });
                    let latest = Latest::Object(Arc::clone(&entry));
                    self.publish_entry(record.bucket, &record.key, latest);
                    if let Some(blob) = blob {
                        blob.keep();
                    }
                    Outcome::Put(entry)
                }
                Action::Delete { origin_segment } => {
                    let tombstone = Tombstone {
                        sequence,
                        home,
                        footprint,
                        origin_segment,
                    };
                    self.publish_entry(record.bucket, &record.key, Latest::Tombstone(tombstone));
                    Outcome::Deleted
                }
                Action::Bucket { name, fenced } => {
                    let state = BucketState {
                        sequence,
                        home,
                        footprint,
                        name,
                        fenced,
                    };
                    self.index.publish_bucket(record.bucket, state.clone());
                    Outcome::Bucket(state)
                }
            };
            giver.give(Ok(outcome));
        }
    }

    fn publish_entry(&self, bucket: proto::s3::bucket::BucketId, key: &[u8], latest: Latest) {
        if let Some(replaced) = self.index.publish(bucket, key, latest) {
            self.blobs.give_up(replaced);
        }
    }
}

/// Records, copied payloads and the sealed header in one buffer.
fn fill(
    header: &BatchHeader,
    records: &[u8],
    copied: &[(usize, Vec<u8>)],
    length: usize,
) -> Result<AlignedBuffer, StoreError> {
    let mut head = AlignedBuffer::allocate(length);
    let bytes = head.bytes_mut();
    let mut copy = |offset: usize, from: &[u8]| {
        if let Some(region) = bytes.get_mut(offset..offset + from.len()) {
            region.copy_from_slice(from);
        }
    };
    copy(HEADER_BYTES, records);
    for (offset, payload) in copied {
        copy(*offset, payload);
    }
    header
        .seal(head.bytes_mut())
        .map_err(|error| StoreError::Io(error.to_string()))?;
    Ok(head)
}

/// After a failed sync the record may yet be on disk, so its blob stays for the next start to decide; else it goes.
fn refuse(members: Vec<Member>, error: &StoreError) {
    for member in members {
        if matches!(error, StoreError::ReadOnly)
            && let Some(blob) = member.blob
        {
            blob.keep();
        }
        member.giver.give(Err(error.clone()));
    }
}

/// An upper bound of the batch these changes make, in bytes.
fn length_max(pending: &[Pending]) -> u64 {
    let mut length = HEADER_BYTES;
    let mut buffered = false;
    for change in pending {
        let (payload, record) = sizes(change);
        buffered |= matches!(change.change, Change::Put(_, NewPayload::Buffered(_)));
        length += record + payload.next_multiple_of(8);
        if payload >= DIRECT_ALIGNMENT {
            length = length + 2 * DIRECT_ALIGNMENT;
        }
    }
    let padding = if buffered { 2 } else { 1 };
    (length.next_multiple_of(DIRECT_ALIGNMENT) + padding * DIRECT_ALIGNMENT) as u64
}
