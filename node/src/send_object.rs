//! Sending an object, or a range of it. The payload of one that was uploaded in parts is its parts' payloads, one after the
//! other; while one is sent, the next is looked up and its first block loaded.

use crate::{
    core::Core,
    deadline::Deadline,
    op::version::FoundObject,
    rt::Stream,
    send::{PayloadSender, SendError, load_into_cache},
};
use mountpath::{
    error::StoreError,
    record::PartSize,
    shard_store::{OpenObject, ShardStore},
};
use proto::{
    http::range::ByteRange,
    limits::BLOCK_BYTES,
    s3::{bucket::BucketId, version::UploadId},
};
use std::{cell::Cell, rc::Rc};

/// An object on its way out.
pub struct ObjectSender<'c> {
    core: &'c Rc<Core>,
    shard_index: u16,
    shard: Rc<ShardStore>,
    bucket: BucketId,
    /// Holds its parts on disk, too.
    object: OpenObject,
    verify: bool,
    range: ByteRange,
    /// The place of the next part in the object's list, and where in the object it begins.
    next: (usize, u64),
    front: Option<Front<'c>>,
}

/// What is sent first.
struct Front<'c> {
    sender: PayloadSender<'c>,
    /// Where in the object its payload begins.
    offset: u64,
}

/// A part, as far as it is sent.
struct Piece {
    upload: UploadId,
    part: PartSize,
    /// Where in the object the part begins.
    offset: u64,
    /// What of the part is sent.
    range: ByteRange,
}

impl<'c> ObjectSender<'c> {
    /// A sender of `range` of an object; `verify`: what comes from the disk is held against its checksums.
    pub fn new(core: &'c Rc<Core>, found: FoundObject, bucket: BucketId, verify: bool, range: ByteRange) -> Self {
        Self {
            core,
            shard_index: found.shard_index,
            shard: found.shard,
            bucket,
            object: found.object,
            verify,
            range,
            next: (0, 0),
            front: None,
        }
    }

    /// Loads the first block, so that damage there is still answered with a status.
    pub async fn prepare(&mut self) -> Result<(), SendError> {
        let whole = match self.next_piece() {
            Some(piece) => {
                let part = self.open(&piece).await;
                let part = part.map_err(|error| SendError::Store {
                    offset: piece.offset,
                    error,
                })?;
                self.begin(part, piece.offset, piece.range)
            }
            None => self.begin(self.object.clone(), 0, self.range),
        };
        self.prepared(whole).await
    }

    /// Sends the head and the whole range; `sent_bytes` always grows by how much of the range has gone.
    pub async fn send(
        mut self,
        stream: &mut Stream,
        deadline: &Deadline,
        head: &[u8],
        sent_bytes: &Cell<u64>,
    ) -> Result<(), SendError> {
        let mut head = head;
        while let Some(Front { sender, offset }) = self.front.take() {
            let piece = self.next_piece();
            let sending = sender.send(stream, deadline, head, sent_bytes);
            let (sent, part) = futures_lite::future::zip(sending, self.prefetch(piece.as_ref())).await;
            sent.map_err(|error| error.behind(offset))?;
            head = &[];
            if let Some(piece) = piece {
                let part = part.map_err(|error| SendError::Store {
                    offset: piece.offset,
                    error,
                })?;
                let front = part.map(|part| self.begin(part, piece.offset, piece.range));
                if let Some(front) = front {
                    self.prepared(front).await?;
                }
            }
        }
        Ok(())
    }

    fn begin(&self, object: OpenObject, offset: u64, range: ByteRange) -> Front<'c> {
        let shard = Rc::clone(&self.shard);
        let sender = PayloadSender::new(self.core, self.shard_index, shard, object, self.verify, range);
        Front { sender, offset }
    }

    async fn prepared(&mut self, mut front: Front<'c>) -> Result<(), SendError> {
        let offset = front.offset;
        front.sender.prepare().await.map_err(|error| error.behind(offset))?;
        self.front = Some(front);
        Ok(())
    }

    /// The next part that the range touches; `None` also of an object that has no parts.
    fn next_piece(&mut self) -> Option<Piece> {
        let multipart = self.object.entry.meta.multipart.as_ref()?;
        let end = self.range.start + self.range.length;
        loop {
            let (index, offset) = self.next;
            let part = multipart.parts.get(index)?;
            let part_end = offset.saturating_add(part.size);
            self.next = (index + 1, part_end);
            let (from, to) = (self.range.start.max(offset), end.min(part_end));
            if from < to {
                let range = ByteRange {
                    start: from - offset,
                    length: to - from,
                };
                return Some(Piece {
                    upload: multipart.upload,
                    part: *part,
                    offset,
                    range,
                });
            }
            if offset >= end {
                return None;
            }
        }
    }

    async fn open(&self, piece: &Piece) -> Result<OpenObject, StoreError> {
        let number = piece.part.number;
        let entry = self.shard.part(self.bucket, piece.upload, number).await?;
        let entry = entry.filter(|entry| entry.meta.size == piece.part.size);
        let missing = || StoreError::Damaged(format!("part {number} of its upload {} is missing", piece.upload));
        self.shard.open_entry(self.bucket, entry.ok_or_else(missing)?)
    }

    async fn prefetch(&self, piece: Option<&Piece>) -> Result<Option<OpenObject>, StoreError> {
        let Some(piece) = piece else {
            return Ok(None);
        };
        let part = self.open(piece).await?;
        if self.verify {
            let block = piece.range.start / BLOCK_BYTES as u64;
            load_into_cache(self.core, self.shard_index, &self.shard, &part, block).await;
        }
        Ok(Some(part))
    }
}

impl SendError {
    /// The same, of a payload that begins at this byte of its object.
    fn behind(self, start: u64) -> Self {
        match self {
            Self::Store { offset, error } => Self::Store {
                offset: start + offset,
                error,
            },
            Self::Client => Self::Client,
        }
    }
}
