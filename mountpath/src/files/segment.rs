//! Segment files of the log (docs/format.md, "Segment"), and what is known of each: how long it is, how much of it
//! lives.

use crate::{
    error::StoreError,
    files::held::{HeldFile, OpenFiles},
    io::{AlignedBuffer, File, OpenMode, remove, sync_directory, yield_now},
    layout::ShardPaths,
    limits::{DIRECT_ALIGNMENT, OPEN_SEGMENTS_MAX},
};
use proto::wire::{Decoder, Encoder, WireError};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
    time::Instant,
};
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: &[u8; 8] = b"CLSEGMT1";
/// Bytes of the header block; the first batch follows.
pub const HEADER_BYTES: u64 = DIRECT_ALIGNMENT as u64;
const HEADER_FIELDS_BYTES: usize = 40;
/// What is zeroed at a time.
const ZEROS_BYTES: usize = 1024 * 1024;

/// How a segment's space is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preparation {
    /// Reserved only: at once, but the first sync of every block is slower, because the filesystem has to note that it
    /// was written.
    Reserved,
    /// Written with zeros.
    Zeroed,
}

/// A segment that is appended to.
#[derive(Debug)]
pub struct AppendSegment {
    /// Its number.
    pub id: u64,
    /// The file, open for writing.
    pub file: File,
    /// Bytes of the file.
    pub size: u64,
}

impl AppendSegment {
    /// Creates the file with its header, durably. What fails leaves no file behind.
    pub async fn create(
        paths: &ShardPaths,
        shard: [u8; 16],
        id: u64,
        size: u64,
        preparation: Preparation,
    ) -> Result<Self, StoreError> {
        let path = paths.segment(id);
        let file = File::open(paths.medium(), &path, OpenMode::CreateNew).await?;
        match write_new(paths, &file, shard, id, size, preparation).await {
            Ok(()) => Ok(Self { id, file, size }),
            Err(error) => {
                drop(file);
                if let Err(error) = remove(paths.medium(), &path).await {
                    tracing::warn!(path = %path.display(), %error, "an unfinished segment could not be removed");
                }
                Err(error)
            }
        }
    }
}

async fn write_new(
    paths: &ShardPaths,
    file: &File,
    shard: [u8; 16],
    id: u64,
    size: u64,
    preparation: Preparation,
) -> Result<(), StoreError> {
    file.allocate(size).await?;
    if preparation == Preparation::Zeroed {
        let mut position = HEADER_BYTES;
        while position < size {
            let length = usize::try_from(size - position).unwrap_or(ZEROS_BYTES).min(ZEROS_BYTES);
            file.write_at(Rc::new(AlignedBuffer::allocate(length)), position)
                .await?;
            position += length as u64;
            yield_now().await;
        }
    }
    let mut block = AlignedBuffer::allocate(DIRECT_ALIGNMENT);
    let header = encode_header(shard, id);
    for (to, from) in block.bytes_mut().iter_mut().zip(&header) {
        *to = *from;
    }
    file.write_at(Rc::new(block), 0).await?;
    file.fdatasync().await?;
    sync_directory(paths.medium(), &paths.log()).await?;
    Ok(())
}

fn encode_header(shard: [u8; 16], id: u64) -> Vec<u8> {
    let mut fields = Encoder::new();
    fields.fixed(MAGIC).fixed(&shard).u64(id);
    let mut fields = fields.finish();
    fields.resize(HEADER_FIELDS_BYTES, 0);
    fields.extend_from_slice(&xxh3_64(&fields).to_le_bytes());
    fields
}

/// The shard and the number in a segment's header block.
pub fn decode_header(block: &[u8]) -> Result<([u8; 16], u64), WireError> {
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

/// What is known of a segment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Where its last batch ends.
    pub bytes: u64,
    /// Bytes the index points to.
    pub live_bytes: u64,
    /// As of the index's transaction at this time.
    pub counted_at: Option<Instant>,
    /// It was emptied when there had been so many merges, and could not be given up yet.
    pub emptied_at_merge: Option<u64>,
    /// It cannot be read as a whole, so it is not compacted.
    pub unreadable: bool,
}

/// The segments of a shard.
pub struct Segments {
    paths: Rc<ShardPaths>,
    open: Rc<OpenFiles>,
    known: RefCell<BTreeMap<u64, (SegmentInfo, Rc<HeldFile>)>>,
    /// Given up, perhaps still held by readers: until the file is gone, a start without index would read it.
    leaving: RefCell<BTreeMap<u64, Rc<HeldFile>>>,
    totals: Cell<SegmentTotals>,
}

impl Segments {
    /// The segments that a start found.
    pub fn new(paths: Rc<ShardPaths>, found: &BTreeMap<u64, SegmentInfo>) -> Self {
        let segments = Self {
            paths,
            open: OpenFiles::new(OPEN_SEGMENTS_MAX),
            known: RefCell::default(),
            leaving: RefCell::default(),
            totals: Cell::default(),
        };
        for (id, info) in found {
            segments.add(*id, *info);
        }
        segments
    }

    /// Adds a segment.
    pub fn add(&self, id: u64, info: SegmentInfo) {
        let path = self.paths.segment(id);
        let file = HeldFile::new(path, self.paths.medium().clone(), Rc::clone(&self.open));
        self.known.borrow_mut().insert(id, (info, file));
        self.totals.set(self.totals.get().with(info));
    }

    /// The file of a segment, to be held while it is read; `None` when it was compacted away.
    pub fn file(&self, id: u64) -> Option<Rc<HeldFile>> {
        self.known.borrow().get(&id).map(|(_, file)| Rc::clone(file))
    }

    /// Notes something of a segment.
    pub fn update(&self, id: u64, update: impl FnOnce(&mut SegmentInfo)) {
        if let Some((info, _)) = self.known.borrow_mut().get_mut(&id) {
            let rest = self.totals.get().without(*info);
            update(info);
            self.totals.set(rest.with(*info));
        }
    }

    /// Gives a segment up: its file goes when the last reader does.
    pub fn retire(&self, id: u64) {
        if let Some((info, file)) = self.known.borrow_mut().remove(&id) {
            self.totals.set(self.totals.get().without(info));
            self.leaving.borrow_mut().insert(id, file);
        }
    }

    /// Removes the files of segments that were given up and that nobody reads any more, durably.
    pub async fn remove_retired(&self) -> Result<u64, StoreError> {
        let gone: Vec<u64> = self
            .leaving
            .borrow()
            .iter()
            .filter(|(_, file)| Rc::strong_count(file) == 1)
            .map(|(id, _)| *id)
            .collect();
        for id in &gone {
            match remove(self.paths.medium(), &self.paths.segment(*id)).await {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        if !gone.is_empty() {
            sync_directory(self.paths.medium(), &self.paths.log()).await?;
        }
        self.leaving.borrow_mut().retain(|id, _| !gone.contains(id));
        Ok(gone.len() as u64)
    }

    /// The oldest segment on disk but one, given up or not.
    pub fn oldest_but(&self, except: u64) -> Option<u64> {
        let known = self.known.borrow();
        let leaving = self.leaving.borrow();
        let oldest = known.keys().find(|id| **id != except);
        let oldest_leaving = leaving.keys().find(|id| **id != except);
        oldest.into_iter().chain(oldest_leaving).min().copied()
    }

    /// The segments in service with numbers below one.
    pub fn below(&self, id: u64) -> Vec<(u64, SegmentInfo)> {
        let known = self.known.borrow();
        known.range(..id).map(|(id, (info, _))| (*id, *info)).collect()
    }

    /// Bytes of all segments in service, and how many of them live.
    pub fn totals(&self) -> SegmentTotals {
        self.totals.get()
    }
}

/// What segments add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SegmentTotals {
    /// Bytes.
    pub bytes: u64,
    /// Bytes the index points to.
    pub live_bytes: u64,
}

impl SegmentTotals {
    fn with(self, info: SegmentInfo) -> Self {
        Self {
            bytes: self.bytes + info.bytes,
            live_bytes: self.live_bytes + info.live_bytes,
        }
    }

    fn without(self, info: SegmentInfo) -> Self {
        Self {
            bytes: self.bytes.saturating_sub(info.bytes),
            live_bytes: self.live_bytes.saturating_sub(info.live_bytes),
        }
    }
}
