//! The seam to the runtime: the only file of this crate that names glommio. Files take and give OWNED buffers;
//! O_DIRECT where the filesystem has it, buffered with the same promises elsewhere.

use crate::limits::DIRECT_ALIGNMENT;
use glommio::io::{BufferedFile, Directory, DmaBuffer, DmaFile, OpenOptions, ReadResult};
use std::{future::Future, io, path::Path, rc::Rc};

/// A page-aligned buffer that can be received into and written from.
#[repr(transparent)]
#[derive(Debug)]
pub struct AlignedBuffer(DmaBuffer);

impl AlignedBuffer {
    /// Allocates `size` bytes, not zeroed; `size` must be above 0.
    pub fn allocate(size: usize) -> Self {
        let mut buffer = glommio::allocate_dma_buffer_global(size.max(1));
        // Fresh heap memory may hold another request's bytes; a short fill must never expose them.
        buffer.as_bytes_mut().fill(0);
        Self(buffer)
    }
    /// All bytes.
    pub fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
    /// All bytes, to be filled.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.0.as_bytes_mut()
    }
    /// Cuts the length; it cannot grow again.
    pub fn truncate(&mut self, length: usize) {
        if length < self.0.len() {
            self.0.trim_to_size(length);
        }
    }
}

/// Bytes read from a file; clones share them.
#[derive(Debug, Clone)]
pub struct ReadBuffer(ReadResult);

impl std::ops::Deref for ReadBuffer {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

#[derive(Debug)]
enum Backing {
    Direct(DmaFile),
    Buffered(BufferedFile),
}

/// A file open for reading and writing at positions.
#[derive(Debug)]
pub struct File {
    backing: Backing,
}

/// How to open a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// An existing file, for reading.
    Read,
    /// An existing file, for reading and writing.
    ReadWrite,
    /// A file that must not exist yet.
    CreateNew,
}

impl File {
    /// Opens a file, O_DIRECT if the filesystem takes it.
    pub async fn open(path: &Path, mode: OpenMode) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(mode != OpenMode::Read)
            .create_new(mode == OpenMode::CreateNew)
            .mode(0o600);
        match options.dma_open(path).await {
            Ok(file) => Ok(Self {
                backing: Backing::Direct(file),
            }),
            Err(error) => {
                let error = io::Error::from(error);
                if error.kind() != io::ErrorKind::InvalidInput {
                    return Err(error);
                }
                // open(2) creates the file before it refuses O_DIRECT, so the retry must accept an existing one.
                options.create_new(false).create(mode == OpenMode::CreateNew);
                let file = options.buffered_open(path).await?;
                Ok(Self {
                    backing: Backing::Buffered(file),
                })
            }
        }
    }

    /// Lets the runtime learn how this core reads from the device of `path`, which must be a file with content. It finds
    /// out by reading from the first file it opens there; were that one empty, it would take polled reads for supported
    /// and every later read could fail with EOPNOTSUPP.
    pub async fn probe_device(path: &Path) -> io::Result<()> {
        Self::open(path, OpenMode::Read).await.map(drop)
    }

    /// Reads up to `length` bytes at `position`; short only at the end of the file.
    pub async fn read_at(&self, position: u64, length: usize) -> io::Result<ReadBuffer> {
        let result = match &self.backing {
            Backing::Direct(file) => file.read_at(position, length).await?,
            Backing::Buffered(file) => file.read_at(position, length).await?,
        };
        Ok(ReadBuffer(result))
    }

    /// Writes the whole buffer at an aligned position. The buffer's length must be a multiple of the alignment.
    pub async fn write_at(&self, buffer: Rc<AlignedBuffer>, position: u64) -> io::Result<()> {
        let total = buffer.bytes().len();
        let written = match &self.backing {
            Backing::Direct(file) => file.write_rc_at(share(&buffer), position).await?,
            Backing::Buffered(file) => file.write_at(buffer.bytes().to_vec(), position).await?,
        };
        let mut done = written;
        // A short write is legal (a signal, a full disk): the rest goes out from an aligned copy.
        while done < total {
            let aligned = done - done % DIRECT_ALIGNMENT;
            let rest = buffer.bytes().get(aligned..).unwrap_or_default();
            let at = position + aligned as u64;
            let count = match &self.backing {
                Backing::Direct(file) => {
                    let mut copy = AlignedBuffer::allocate(rest.len());
                    copy.bytes_mut().copy_from_slice(rest);
                    file.write_at(copy.0, at).await?
                }
                Backing::Buffered(file) => file.write_at(rest.to_vec(), at).await?,
            };
            if aligned + count <= done {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            done = aligned + count;
        }
        Ok(())
    }

    /// Makes everything written so far durable.
    pub async fn fdatasync(&self) -> io::Result<()> {
        match &self.backing {
            Backing::Direct(file) => file.fdatasync().await?,
            Backing::Buffered(file) => file.fdatasync().await?,
        }
        Ok(())
    }

    /// Reserves space for `size` bytes and sets the length to it. A filesystem without fallocate is left alone.
    pub async fn allocate(&self, size: u64) -> io::Result<()> {
        let result = match &self.backing {
            Backing::Direct(file) => file.pre_allocate(size, false).await,
            Backing::Buffered(file) => file.pre_allocate(size, false).await,
        };
        match result.map_err(io::Error::from) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
            other => other,
        }
    }

    /// Cuts the file to `size` bytes.
    pub async fn truncate(&self, size: u64) -> io::Result<()> {
        match &self.backing {
            Backing::Direct(file) => file.truncate(size).await?,
            Backing::Buffered(file) => file.truncate(size).await?,
        }
        Ok(())
    }

    /// The length in bytes.
    pub async fn size(&self) -> io::Result<u64> {
        Ok(match &self.backing {
            Backing::Direct(file) => file.file_size().await?,
            Backing::Buffered(file) => file.file_size().await?,
        })
    }
}

/// glommio wants `Rc<DmaBuffer>`; `AlignedBuffer` is a transparent wrapper, so the reference count is shared by
/// holding the outer `Rc` inside a new one.
fn share(buffer: &Rc<AlignedBuffer>) -> Rc<DmaBuffer> {
    // SAFETY: `AlignedBuffer` is `repr(transparent)` over `DmaBuffer`, so the two `Rc` allocations have the same
    // layout and the pointer is valid for either type; the count is incremented by the clone that is converted.
    unsafe { Rc::from_raw(Rc::into_raw(Rc::clone(buffer)).cast::<DmaBuffer>()) }
}

/// Removes a file.
pub async fn remove(path: &Path) -> io::Result<()> {
    Ok(glommio::io::remove(path).await?)
}

/// Makes a directory's entries durable.
pub async fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = Directory::open(path).await?;
    directory.sync().await?;
    directory.close().await?;
    Ok(())
}

/// Runs a future on this core, detached from whoever started it.
pub fn spawn(future: impl Future<Output = ()> + 'static) {
    glommio::spawn_local(future).detach();
}

/// Lets other tasks of this core run.
pub async fn yield_now() {
    glommio::executor().yield_now().await;
}

/// Runs a future on an executor of the calling thread, for tools and tests that have no core.
pub fn run<T>(future: impl Future<Output = T>) -> io::Result<T> {
    let executor = glommio::LocalExecutorBuilder::default()
        .make()
        .map_err(io::Error::from)?;
    Ok(executor.run(future))
}
