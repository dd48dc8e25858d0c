//! Files for threads that may block: the index and what runs before a core serves. The same medium lies beneath.

use super::{
    OpenMode,
    medium::{Medium, Operation, Place},
};
use rustix::{fs::SeekFrom, io::Errno};
use std::{
    fs,
    io::{self, ErrorKind},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
};

/// A file whose operations block.
#[derive(Debug)]
pub struct BlockingFile {
    file: fs::File,
    place: Place,
}

impl BlockingFile {
    /// Opens a file, or creates one that must not exist yet.
    pub fn open(medium: &Medium, path: &Path, mode: OpenMode) -> io::Result<Self> {
        let create = mode == OpenMode::CreateNew;
        let watched = medium.begin(|| Operation::Open { path, create })?;
        let opened = fs::OpenOptions::new()
            .read(true)
            .write(mode != OpenMode::Read)
            .create_new(create)
            .mode(0o600)
            .open(path);
        Ok(Self {
            file: watched.end(opened)?,
            place: medium.place(path),
        })
    }

    /// Fills `bytes` from `position` on with as much as there is; returns how much.
    pub fn read_at(&self, bytes: &mut [u8], position: u64) -> io::Result<usize> {
        let length = bytes.len();
        let watched = self.place.begin(|path| Operation::Read { path, position, length })?;
        watched.end(self.fill(bytes, position))
    }

    fn fill(&self, bytes: &mut [u8], position: u64) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, position + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// Fills all of `bytes` from `position` on.
    pub fn read_exact_at(&self, bytes: &mut [u8], position: u64) -> io::Result<()> {
        let length = bytes.len();
        if self.read_at(bytes, position)? == length {
            Ok(())
        } else {
            Err(ErrorKind::UnexpectedEof.into())
        }
    }

    /// Writes all of `bytes`.
    pub fn write_all_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        let watched = self.place.begin(|path| Operation::Write { path, position, bytes })?;
        watched.end(self.file.write_all_at(bytes, position))
    }

    /// Sets the length: a longer file is cut, a shorter one continues with zeros.
    pub fn set_len(&self, size: u64) -> io::Result<()> {
        let watched = self.place.begin(|path| Operation::Truncate { path, size })?;
        watched.end(self.file.set_len(size))
    }

    /// Makes everything written so far durable.
    pub fn fdatasync(&self) -> io::Result<()> {
        let watched = self.place.begin(|path| Operation::Sync { path })?;
        watched.end(self.file.sync_data())
    }

    /// The length in bytes.
    pub fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Whether the file holds no byte.
    pub fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// The first position from `position` on where something may have been written: space that was only reserved is
    /// skipped. `None` when there is none.
    pub fn next_data(&self, position: u64) -> io::Result<Option<u64>> {
        match rustix::fs::seek(&self.file, SeekFrom::Data(position)) {
            Ok(found) => Ok(Some(found)),
            Err(Errno::NXIO) => Ok(None),
            // A filesystem that cannot tell: everything may have been written.
            Err(Errno::INVAL | Errno::NOTSUP) => Ok((position < self.len()?).then_some(position)),
            Err(error) => Err(error.into()),
        }
    }
}

/// Removes a file.
pub fn remove(medium: &Medium, path: &Path) -> io::Result<()> {
    let watched = medium.begin(|| Operation::Remove { path })?;
    watched.end(fs::remove_file(path))
}

/// Makes a directory's entries durable.
pub fn sync_directory(medium: &Medium, path: &Path) -> io::Result<()> {
    let watched = medium.begin(|| Operation::SyncDirectory { path })?;
    watched.end(fs::File::open(path).and_then(|directory| directory.sync_all()))
}
