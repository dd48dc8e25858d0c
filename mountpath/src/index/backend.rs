//! What redb stores its pages in: a file in which every page has a checksum, so that a page that is not as it was written
//! is an error before redb looks at it. redb itself trusts what it reads.

use super::{
    block_file::{BlockFile, PAGE_BYTES},
    checksums::{Checksums, page_position, pages_in_line, pages_of, stored_bytes},
    error::DatabaseError,
    file_header::{CONTENT_BYTES, FileHeader},
};
use crate::limits::INDEX_CREATION_BYTES_MAX;
use std::{
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

const PAGE_BYTES_U64: u64 = PAGE_BYTES as u64;

/// A file of pages with checksums; redb sees the pages as one run of bytes.
pub(crate) struct ChecksummedFile {
    file: Arc<dyn BlockFile>,
    checksums: Checksums,
    front: Mutex<Front>,
    failure: Mutex<Option<DatabaseError>>,
}

/// The header and the number of pages.
struct Front {
    header: FileHeader,
    pages: u64,
    /// Pages at the last sync, or fewer.
    pages_synced: u64,
}

/// The pages' bytes are read and written in pieces that are whole pages next to each other, or a part of one.
enum Piece {
    Pages { first: u64, bytes: usize },
    Part { page: u64, start: usize, bytes: usize },
}

impl ChecksummedFile {
    /// Takes over a file: an empty one, one whose creation was interrupted, or one written by this before.
    pub(crate) fn open(file: Arc<dyn BlockFile>, shard: [u8; 16]) -> Result<Self, DatabaseError> {
        let length = file.len()?;
        let header = match length {
            0 => None,
            _ => {
                let mut page = vec![0; PAGE_BYTES];
                file.read_exact_at(&mut page, 0)?;
                FileHeader::decode(&page, shard)?
            }
        };
        let (header, pages) = match header {
            Some(header) if header.pages_min > 0 => {
                let pages = pages_of(length)
                    .filter(|pages| *pages >= header.pages_min)
                    .ok_or_else(|| DatabaseError::Damaged(format!("{length} bytes are not the file's length")))?;
                (header, pages)
            }
            None if length > INDEX_CREATION_BYTES_MAX => {
                return Err(DatabaseError::Damaged("the header is gone".to_owned()));
            }
            // Nothing was ever stored.
            _ => {
                file.set_len(0)?;
                (FileHeader::new(shard), 0)
            }
        };
        Ok(Self {
            checksums: Checksums::new(shard, pages)?,
            file,
            front: Mutex::new(Front {
                pages_synced: header.pages_min,
                header,
                pages,
            }),
            failure: Mutex::new(None),
        })
    }

    /// The first thing that went wrong with the file; redb tells only the first caller.
    pub(crate) fn failure(&self) -> Option<DatabaseError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn noted<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result {
            self.failure
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get_or_insert_with(|| error.into());
        }
        result
    }

    fn front(&self) -> MutexGuard<'_, Front> {
        self.front.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_range(&self, position: u64, bytes: usize) -> io::Result<()> {
        let length = self.front().pages * PAGE_BYTES_U64;
        match position.checked_add(bytes as u64) {
            Some(end) if end <= length => Ok(()),
            _ => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("{bytes} bytes at {position} are not in the file"),
            )),
        }
    }

    fn read(&self, position: u64, mut out: &mut [u8]) -> io::Result<()> {
        self.check_range(position, out.len())?;
        let mut position = position;
        while !out.is_empty() {
            let piece = Piece::at(position, out.len())?;
            let (here, rest) = out.split_at_mut_checked(piece.bytes()).ok_or_else(unaligned)?;
            match piece {
                Piece::Pages { first, .. } => self.read_pages(first, here)?,
                Piece::Part { page, start, bytes } => {
                    let whole = self.read_page(page)?;
                    here.copy_from_slice(whole.get(start..start + bytes).ok_or_else(unaligned)?);
                }
            }
            position += piece.bytes() as u64;
            out = rest;
        }
        Ok(())
    }

    fn write(&self, position: u64, mut bytes: &[u8]) -> io::Result<()> {
        self.check_range(position, bytes.len())?;
        let mut position = position;
        while !bytes.is_empty() {
            let piece = Piece::at(position, bytes.len())?;
            let (here, rest) = bytes.split_at_checked(piece.bytes()).ok_or_else(unaligned)?;
            match piece {
                Piece::Pages { first, .. } => self.write_pages(first, here)?,
                Piece::Part { page, start, bytes } => {
                    let mut whole = if page == 0 || self.checksums.is_written(page, &*self.file)? {
                        self.read_page(page)?
                    } else {
                        vec![0; PAGE_BYTES]
                    };
                    whole
                        .get_mut(start..start + bytes)
                        .ok_or_else(unaligned)?
                        .copy_from_slice(here);
                    self.write_pages(page, &whole)?;
                }
            }
            position += piece.bytes() as u64;
            bytes = rest;
        }
        Ok(())
    }

    fn read_page(&self, page: u64) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; PAGE_BYTES];
        self.read_pages(page, &mut bytes)?;
        Ok(bytes)
    }

    fn read_pages(&self, first: u64, out: &mut [u8]) -> io::Result<()> {
        if first == 0 {
            let (content, rest) = out.split_at_mut_checked(CONTENT_BYTES).ok_or_else(unaligned)?;
            content.copy_from_slice(&self.front().header.content);
            rest.fill(0);
            return Ok(());
        }
        self.file.read_exact_at(out, page_position(first))?;
        for (page, bytes) in (first..).zip(out.chunks_exact(PAGE_BYTES)) {
            self.checksums.verify(page, bytes, &*self.file)?;
        }
        Ok(())
    }

    fn write_pages(&self, first: u64, bytes: &[u8]) -> io::Result<()> {
        if first == 0 {
            let (content, rest) = bytes.split_first_chunk::<CONTENT_BYTES>().ok_or_else(unaligned)?;
            if rest.iter().any(|byte| *byte != 0) {
                return Err(unaligned());
            }
            let mut front = self.front();
            front.header.content = *content;
            front.header.pages_min = front.pages_synced;
            return self.file.write_all_at(&front.header.encode(), 0);
        }
        self.file.write_all_at(bytes, page_position(first))?;
        for (page, bytes) in (first..).zip(bytes.chunks_exact(PAGE_BYTES)) {
            self.checksums.note(page, bytes, &*self.file)?;
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        if length == 0 || !length.is_multiple_of(PAGE_BYTES_U64) {
            return Err(unaligned());
        }
        let pages = length / PAGE_BYTES_U64;
        let mut front = self.front();
        if pages < front.header.pages_min {
            // The header must not ask for more pages than there are.
            front.header.pages_min = pages;
            self.file.write_all_at(&front.header.encode(), 0)?;
            self.file.sync_data()?;
        }
        front.pages_synced = front.pages_synced.min(pages);
        if pages < front.pages {
            self.checksums.forget_from(pages, &*self.file)?;
        }
        self.file.set_len(stored_bytes(pages))?;
        self.checksums.set_pages(pages)?;
        front.pages = pages;
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let pages = self.front().pages;
        self.checksums.write_out(&*self.file)?;
        self.file.sync_data()?;
        let mut front = self.front();
        // Only the writer changes the length, and it is here.
        front.pages_synced = pages;
        Ok(())
    }
}

impl Piece {
    /// The first piece of so many bytes from a position on.
    fn at(position: u64, bytes: usize) -> io::Result<Self> {
        let page = position / PAGE_BYTES_U64;
        let start = usize::try_from(position % PAGE_BYTES_U64).map_err(io::Error::other)?;
        if start != 0 || bytes < PAGE_BYTES {
            return Ok(Self::Part {
                page,
                start,
                bytes: bytes.min(PAGE_BYTES - start),
            });
        }
        let line = usize::try_from(pages_in_line(page)).map_err(io::Error::other)?;
        Ok(Self::Pages {
            first: page,
            bytes: (bytes / PAGE_BYTES).min(line) * PAGE_BYTES,
        })
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Pages { bytes, .. } | Self::Part { bytes, .. } => *bytes,
        }
    }
}

fn unaligned() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "not a place or length redb uses")
}

impl fmt::Debug for ChecksummedFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("ChecksummedFile").field(&self.file).finish()
    }
}

/// The file as redb takes it.
#[derive(Debug)]
pub(crate) struct Backend(pub Arc<ChecksummedFile>);

impl redb::StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.front().pages * PAGE_BYTES_U64)
    }

    fn read(&self, position: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.noted(self.0.read(position, out))
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.noted(self.0.set_len(length))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.noted(self.0.sync())
    }

    fn write(&self, position: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.noted(self.0.write(position, bytes))
    }
}
