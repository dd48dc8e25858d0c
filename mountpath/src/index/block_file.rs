//! What the index is kept in.

use std::{fmt, io};

/// Unit of checksums, and of what the database writes.
pub(crate) const PAGE_BYTES: usize = 4096;

/// A file as the index needs it. Calls block.
pub trait BlockFile: Send + Sync + fmt::Debug {
    /// Its length.
    fn len(&self) -> io::Result<u64>;
    /// Whether it holds nothing.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Reads exactly as many bytes from a position.
    fn read_exact_at(&self, bytes: &mut [u8], position: u64) -> io::Result<()>;
    /// Writes all bytes to a position.
    fn write_all_at(&self, bytes: &[u8], position: u64) -> io::Result<()>;
    /// Cuts the file, or extends it with zeros.
    fn set_len(&self, length: u64) -> io::Result<()>;
    /// What was written, and the length, outlive a crash from now on.
    fn sync_data(&self) -> io::Result<()>;
}
