//! The seam to the runtime: the only file of this crate that names glommio. Files take and give OWNED buffers;
//! O_DIRECT where the filesystem has it, buffered with the same promises elsewhere.

pub mod blocking;
pub mod medium;

use crate::limits::{BACKGROUND_SHARES, DIRECT_ALIGNMENT};
use glommio::{
    Latency, Shares, TaskQueueHandle,
    io::{BufferedFile, Directory, DmaBuffer, DmaFile, OpenOptions, ReadResult},
};
use medium::{Medium, Operation, Place};
use std::{
    cell::Cell,
    future::{Future, poll_fn},
    io,
    os::fd::{AsRawFd, BorrowedFd},
    path::Path,
    rc::Rc,
    task::Poll,
    time::Duration,
};

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
    place: Place,
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
    pub async fn open(medium: &Medium, path: &Path, mode: OpenMode) -> io::Result<Self> {
        let create = mode == OpenMode::CreateNew;
        let watched = medium.begin(|| Operation::Open { path, create })?;
        Ok(Self {
            backing: watched.end(Backing::open(medium, path, mode).await)?,
            place: medium.place(path),
        })
    }

    /// Lets the runtime learn how this core reads from the device of `path`, which must be a file with content. It finds
    /// out by reading from the first file it opens there; were that one empty, it would take polled reads for supported
    /// and every later read could fail with EOPNOTSUPP.
    pub async fn probe_device(medium: &Medium, path: &Path) -> io::Result<()> {
        Self::open(medium, path, OpenMode::Read).await.map(drop)
    }

    /// Reads up to `length` bytes at `position`; short only at the end of the file.
    pub async fn read_at(&self, position: u64, length: usize) -> io::Result<ReadBuffer> {
        let watched = self.place.begin(|path| Operation::Read { path, position, length })?;
        watched
            .end(self.backing.read_at(position, length).await)
            .map(ReadBuffer)
    }

    /// Writes the whole buffer at an aligned position. The buffer's length must be a multiple of the alignment.
    pub async fn write_at(&self, buffer: Rc<AlignedBuffer>, position: u64) -> io::Result<()> {
        let bytes = buffer.bytes();
        let watched = self.place.begin(|path| Operation::Write { path, position, bytes })?;
        watched.end(self.backing.write_at(&buffer, position).await)
    }

    /// Makes everything written so far durable.
    pub async fn fdatasync(&self) -> io::Result<()> {
        let watched = self.place.begin(|path| Operation::Sync { path })?;
        watched.end(self.backing.fdatasync().await)
    }

    /// Reserves space for `size` bytes and sets the length to it. A filesystem without fallocate is left alone.
    pub async fn allocate(&self, size: u64) -> io::Result<()> {
        let watched = self.place.begin(|path| Operation::Allocate { path, size })?;
        watched.end(self.backing.allocate(size).await)
    }

    /// Cuts the file to `size` bytes.
    pub async fn truncate(&self, size: u64) -> io::Result<()> {
        let watched = self.place.begin(|path| Operation::Truncate { path, size })?;
        watched.end(self.backing.truncate(size).await)
    }

    /// The length in bytes.
    pub async fn size(&self) -> io::Result<u64> {
        Ok(match &self.backing {
            Backing::Direct(file) => file.file_size().await?,
            Backing::Buffered(file) => file.file_size().await?,
        })
    }

    /// How many names the file has; 0 when it was removed and lives on for those who have it open. Does not block for
    /// longer than a system call.
    pub fn nlink(&self) -> io::Result<u64> {
        let descriptor = match &self.backing {
            Backing::Direct(file) => file.as_raw_fd(),
            Backing::Buffered(file) => file.as_raw_fd(),
        };
        // SAFETY: `self` keeps the descriptor open while it is borrowed.
        let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
        let status = rustix::fs::fstat(borrowed)?;
        // Narrower than 64 bits on some architectures.
        #[allow(clippy::useless_conversion)]
        Ok(u64::from(status.st_nlink))
    }
}

impl Backing {
    async fn open(medium: &Medium, path: &Path, mode: OpenMode) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(mode != OpenMode::Read)
            .create_new(mode == OpenMode::CreateNew)
            .mode(0o600);
        let direct = match medium.begin(|| Operation::Direct { path }) {
            Ok(watched) => watched.end(options.dma_open(path).await.map_err(io::Error::from)),
            Err(error) => Err(error),
        };
        match direct {
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                // open(2) creates the file before it refuses O_DIRECT, so the retry must accept an existing one.
                options.create_new(false).create(mode == OpenMode::CreateNew);
                Ok(Self::Buffered(options.buffered_open(path).await?))
            }
            direct => direct.map(Self::Direct),
        }
    }

    async fn read_at(&self, position: u64, length: usize) -> io::Result<ReadResult> {
        if length == 0 {
            return Ok(ReadResult::default());
        }
        let file = match self {
            Self::Direct(file) => file,
            Self::Buffered(file) => return Ok(file.read_at(position, length).await?),
        };
        // The runtime's own unaligned read takes the bytes before `position` for bytes read when the file ends early.
        let before = position % DIRECT_ALIGNMENT as u64;
        let skipped = usize::try_from(before).unwrap_or_default();
        let aligned = (skipped + length).next_multiple_of(DIRECT_ALIGNMENT);
        let read = file.read_at_aligned(position - before, aligned).await?;
        let length = length.min(read.len().saturating_sub(skipped));
        Ok(ReadResult::slice(&read, skipped, length).unwrap_or_default())
    }

    async fn write_at(&self, buffer: &Rc<AlignedBuffer>, position: u64) -> io::Result<()> {
        let total = buffer.bytes().len();
        let written = match self {
            Self::Direct(file) => file.write_rc_at(share(buffer), position).await?,
            Self::Buffered(file) => file.write_at(buffer.bytes().to_vec(), position).await?,
        };
        let mut done = written;
        // A short write is legal (a signal, a full disk): the rest goes out from an aligned copy.
        while done < total {
            let aligned = done - done % DIRECT_ALIGNMENT;
            let rest = buffer.bytes().get(aligned..).unwrap_or_default();
            let at = position + aligned as u64;
            let count = match self {
                Self::Direct(file) => {
                    let mut copy = AlignedBuffer::allocate(rest.len());
                    copy.bytes_mut().copy_from_slice(rest);
                    file.write_at(copy.0, at).await?
                }
                Self::Buffered(file) => file.write_at(rest.to_vec(), at).await?,
            };
            if aligned + count <= done {
                return Err(io::Error::from(io::ErrorKind::StorageFull));
            }
            done = aligned + count;
        }
        Ok(())
    }

    async fn fdatasync(&self) -> io::Result<()> {
        match self {
            Self::Direct(file) => file.fdatasync().await?,
            Self::Buffered(file) => file.fdatasync().await?,
        }
        Ok(())
    }

    async fn allocate(&self, size: u64) -> io::Result<()> {
        let result = match self {
            Self::Direct(file) => file.pre_allocate(size, false).await,
            Self::Buffered(file) => file.pre_allocate(size, false).await,
        };
        match result.map_err(io::Error::from) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
            other => other,
        }
    }

    async fn truncate(&self, size: u64) -> io::Result<()> {
        match self {
            Self::Direct(file) => file.truncate(size).await?,
            Self::Buffered(file) => file.truncate(size).await?,
        }
        Ok(())
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
pub async fn remove(medium: &Medium, path: &Path) -> io::Result<()> {
    let watched = medium.begin(|| Operation::Remove { path })?;
    watched.end(glommio::io::remove(path).await.map_err(io::Error::from))
}

/// Makes a directory's entries durable.
pub async fn sync_directory(medium: &Medium, path: &Path) -> io::Result<()> {
    let watched = medium.begin(|| Operation::SyncDirectory { path })?;
    watched.end(sync_names(path).await)
}

async fn sync_names(path: &Path) -> io::Result<()> {
    let directory = Directory::open(path).await?;
    directory.sync().await?;
    directory.close().await?;
    Ok(())
}

thread_local! {
    /// The background queue of the executor with this number.
    static BACKGROUND: Cell<Option<(usize, TaskQueueHandle)>> = const { Cell::new(None) };
}

/// Runs a future on this core when requests leave it time, detached from whoever started it.
pub fn spawn_background(future: impl Future<Output = ()> + 'static) {
    let executor = glommio::executor();
    let queue = match BACKGROUND.get() {
        Some((id, queue)) if id == executor.id() => queue,
        _ => {
            let queue =
                executor.create_task_queue(Shares::Static(BACKGROUND_SHARES), Latency::NotImportant, "background");
            BACKGROUND.set(Some((executor.id(), queue)));
            queue
        }
    };
    match executor.spawn_local_into(future, queue) {
        Ok(task) => {
            task.detach();
        }
        Err(error) => tracing::error!(%error, "a background task could not be started"),
    }
}

/// Lets time pass without blocking the core.
pub async fn sleep(duration: Duration) {
    glommio::timer::sleep(duration).await;
}

/// Runs a future on this core, detached from whoever started it.
pub fn spawn(future: impl Future<Output = ()> + 'static) {
    glommio::spawn_local(future).detach();
}

/// Lets the tasks run that were woken before, and nothing else: the runtime does not look for I/O meanwhile.
pub async fn let_others_run() {
    let mut has_waited = false;
    poll_fn(|context| {
        if has_waited {
            return Poll::Ready(());
        }
        has_waited = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
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
    Ok(executor.run(async {
        // An executor that sleeps is woken by other threads; a core's own timers bound what a wake-up that is missed
        // would cost, and so does this.
        let ticking = glommio::spawn_local(async {
            loop {
                sleep(TICK).await;
            }
        });
        let output = future.await;
        ticking.cancel().await;
        output
    }))
}

/// How often an executor without a core looks around.
const TICK: Duration = Duration::from_millis(50);
