//! Where the next batch goes: the segment with room, the one made ahead, and what is left while the disk is full.

use super::{
    Log,
    queue::{Pending, sizes},
    rows,
};
use crate::{
    batch::HEADER_BYTES,
    error::StoreError,
    files::{
        held::remove_later,
        segment::{self, AppendSegment, Preparation, SegmentInfo},
    },
    io::remove,
    limits::DIRECT_ALIGNMENT,
};
use std::rc::Rc;

impl Log {
    /// The segment that has room for a batch; a full one is cut to what it holds and the next begun. While the disk is
    /// full, PUTs leave the end of the last segment to what makes space; those that must are refused here.
    pub(super) async fn segment_for(
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
        let (puts, rest): (Vec<_>, Vec<_>) = pending.into_iter().partition(|change| rows::adds(&change.change));
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
        let segment = match spare {
            Some(spare) if spare.size >= needed => spare,
            too_small => {
                if let Some(spare) = too_small {
                    remove_later(self.paths.medium().clone(), self.paths.segment(spare.id));
                }
                let id = self.take_segment_number();
                // From here on one made ahead with a lower number comes too late.
                self.tail.borrow_mut().newest_begun = id;
                self.create_with_room(id, needed).await?
            }
        };
        let segment = Rc::new(segment);
        let info = SegmentInfo {
            bytes: segment::HEADER_BYTES,
            ..SegmentInfo::default()
        };
        self.segments.add(segment.id, info);
        let mut tail = self.tail.borrow_mut();
        tail.newest_begun = segment.id;
        tail.segment = Some(Rc::clone(&segment));
        tail.position = segment::HEADER_BYTES;
        self.spare_wanted.set(true);
        Ok(segment)
    }

    /// A segment for at least `needed` bytes. On a full disk a small one, for what makes space.
    async fn create_with_room(&self, id: u64, needed: u64) -> Result<AppendSegment, StoreError> {
        let mut size = self.segment_bytes.max(needed);
        loop {
            match AppendSegment::create(&self.paths, self.shard, id, size, Preparation::Reserved).await {
                Err(StoreError::NoSpace) if size / 8 >= needed.max(DIRECT_ALIGNMENT as u64 * 4) => {
                    self.space_short.set(true);
                    size /= 8;
                }
                made => return made,
            }
        }
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
            Ok(spare) => match self.keep_spare(spare) {
                None => Ok(()),
                Some(late) => {
                    drop(late);
                    Ok(remove(self.paths.medium(), &self.paths.segment(id)).await?)
                }
            },
            Err(error) => {
                if matches!(error, StoreError::NoSpace) {
                    self.space_short.set(true);
                }
                Err(error)
            }
        }
    }

    /// Keeps a segment made ahead, or gives it back: one that was begun meanwhile has a higher number, and numbers rise
    /// along the log.
    fn keep_spare(&self, spare: AppendSegment) -> Option<AppendSegment> {
        let mut tail = self.tail.borrow_mut();
        if spare.id < tail.newest_begun || tail.spare.is_some() {
            return Some(spare);
        }
        tail.spare = Some(spare);
        self.spare_wanted.set(false);
        self.space_short.set(false);
        None
    }

    /// Gives the space of the segment made ahead back.
    pub async fn drop_spare(&self) -> Result<(), StoreError> {
        let spare = self.tail.borrow_mut().spare.take();
        if let Some(spare) = spare {
            let id = spare.id;
            drop(spare);
            remove(self.paths.medium(), &self.paths.segment(id)).await?;
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
}

/// An upper bound of the batch these changes make, in bytes.
fn length_max(pending: &[Pending]) -> u64 {
    let mut length = HEADER_BYTES;
    let mut buffered = false;
    for change in pending {
        let (payload, record) = sizes(change);
        buffered |= rows::is_buffered(&change.change);
        length += record + payload.next_multiple_of(8);
        if payload >= DIRECT_ALIGNMENT {
            length += 2 * DIRECT_ALIGNMENT;
        }
    }
    let padding = if buffered { 2 } else { 1 };
    (length.next_multiple_of(DIRECT_ALIGNMENT) + padding * DIRECT_ALIGNMENT) as u64
}
