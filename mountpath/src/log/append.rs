//! One commit: a segment with room, one write, one fdatasync, then the changes become visible and are acknowledged.

use super::{
    Log, Outcome,
    draft::{Draft, Member},
    queue::Pending,
};
use crate::{
    batch::{BatchHeader, HEADER_BYTES},
    buffer::PooledBuffer,
    completion::{Receiver, completion},
    error::StoreError,
    files::segment::AppendSegment,
    index::{
        entry::{Home, Latest, split_index_key},
        indexed::Indexed,
        row::Row,
    },
    io::{AlignedBuffer, spawn},
    record::Placement,
};
use proto::s3::bucket::BucketId;
use std::{io, rc::Rc, sync::Arc};

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
            ..
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
        segment: &Rc<AppendSegment>,
        position: u64,
        head: AlignedBuffer,
        direct: Vec<(usize, PooledBuffer)>,
    ) -> Result<(), StoreError> {
        let head = Rc::new(head);
        let result = if direct.is_empty() {
            segment.file.write_at(head, position).await
        } else {
            write_together(segment, position, head, direct).await
        };
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
            Ok(0) => Err(self.write_failed("append", io::Error::other("the segment was removed"))),
            _ => Ok(()),
        }
    }

    pub(super) fn write_failed(&self, what: &str, error: io::Error) -> StoreError {
        let error_is_space = matches!(StoreError::from(io::Error::from(error.kind())), StoreError::NoSpace);
        if error_is_space && what == "write" {
            return StoreError::NoSpace;
        }
        tracing::error!(log = %self.paths.log().display(), %error, "{what} failed; the shard is read-only until a restart");
        self.fail();
        StoreError::ReadOnly
    }

    /// Makes durable changes visible, in order, and answers who waits.
    fn publish(&self, members: Vec<Member>, home: Home) {
        for member in members {
            let Member {
                records,
                is_move,
                blob,
                giver,
            } = member;
            if let Some(blob) = blob {
                blob.keep();
            }
            let mut indexed = records
                .into_iter()
                .map(|(record, footprint)| (Indexed::new(record, home, footprint), footprint));
            if is_move {
                if let Some((moved, _)) = indexed.next() {
                    giver.give(Ok(Outcome::Moved(moved)));
                }
                continue;
            }
            let mut outcome = None;
            let mut replaced = Vec::new();
            for (indexed, footprint) in indexed {
                let published = self.published_bytes.get() + u64::from(footprint);
                self.published_bytes.set(published);
                let of_row = self.publish_one(indexed, &mut replaced);
                outcome.get_or_insert(of_row);
            }
            self.give_up(&replaced, outcome.as_ref());
            giver.give(outcome.ok_or(StoreError::ReadOnly));
        }
    }

    fn publish_one(&self, indexed: Indexed, replaced: &mut Vec<(BucketId, Placement)>) -> Outcome {
        let (index_key, latest) = match indexed {
            Indexed::Bucket(bucket, state) => {
                self.index.publish_bucket(bucket, state.clone());
                return Outcome::Bucket(state);
            }
            Indexed::Entry(index_key, latest) => (index_key, latest),
        };
        let outcome = match &latest {
            Latest::Object(entry) => Outcome::Put(Arc::clone(entry)),
            Latest::Tombstone(_) => Outcome::Deleted,
        };
        let split = split_index_key(&index_key);
        if !self.watches.is_empty()
            && let Some((bucket, row)) = split
            && let Some(row) = Row::decode(row)
        {
            self.watches.note(&row.watched(bucket));
        }
        let bucket = split.map(|(bucket, _)| bucket);
        let before = self.index.publish(index_key, latest);
        replaced.extend(bucket.zip(before));
        outcome
    }

    /// Gives back what the rows of a change held before, unless the change has only passed it on.
    fn give_up(&self, replaced: &[(BucketId, Placement)], outcome: Option<&Outcome>) {
        let kept = match outcome {
            Some(Outcome::Put(entry)) => Some(entry.placement),
            _ => None,
        };
        for (bucket, placement) in replaced {
            if let Some(blob) = placement.blob()
                && kept.and_then(Placement::blob) != Some(blob)
            {
                self.blobs.give_up(blob);
            }
            if let Some(upload) = placement.upload()
                && kept.and_then(Placement::upload) != Some(upload)
            {
                self.uploads.give_up(*bucket, upload);
            }
        }
    }
}

/// Writes all parts of a batch at once: what a crash leaves of them is seen by the checksums, those of payloads included.
async fn write_together(
    segment: &Rc<AppendSegment>,
    position: u64,
    head: Rc<AlignedBuffer>,
    direct: Vec<(usize, PooledBuffer)>,
) -> io::Result<()> {
    let mut begun = vec![begin_write(segment, head, position, None)];
    for (offset, buffer) in direct {
        let shared = buffer.share().ok_or_else(|| io::Error::other("the buffer is gone"))?;
        begun.push(begin_write(segment, shared, position + offset as u64, Some(buffer)));
    }
    let mut result = Ok(());
    for receiver in begun {
        let ended = receiver.wait().await;
        result = result.and(ended.unwrap_or_else(|| Err(io::Error::other("the write was lost"))));
    }
    result
}

/// Begins a write; `held` goes when it has ended.
fn begin_write(
    segment: &Rc<AppendSegment>,
    buffer: Rc<AlignedBuffer>,
    position: u64,
    held: Option<PooledBuffer>,
) -> Receiver<io::Result<()>> {
    let (giver, receiver) = completion();
    let segment = Rc::clone(segment);
    spawn(async move {
        let result = segment.file.write_at(buffer, position).await;
        drop(held);
        giver.give(result);
    });
    receiver
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

/// A write that failed may have reached the disk all the same, and its record with it: the blob it names stays for the
/// next start to decide.
fn refuse(members: Vec<Member>, error: &StoreError) {
    for member in members {
        if let Some(blob) = member.blob {
            blob.keep();
        }
        member.giver.give(Err(error.clone()));
    }
}
