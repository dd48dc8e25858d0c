//! Where the pages of a checksummed file lie, and their checksums (docs/format.md, "Index").

use super::block_file::{BlockFile, PAGE_BYTES};
use std::{
    collections::BTreeSet,
    io,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

const PAGE_BYTES_U64: u64 = PAGE_BYTES as u64;
const CHECKSUM_BYTES: usize = size_of::<u64>();
/// Data pages of a group: as many as one page holds checksums.
const GROUP_PAGES: u64 = (PAGE_BYTES / CHECKSUM_BYTES) as u64;
/// Pages of a group in the file.
const GROUP_PAGES_STORED: u64 = GROUP_PAGES + 1;
/// What stands for the checksum of a page that was never written.
const NEVER_WRITTEN: u64 = 0;

/// Bytes of a file that holds this many pages. Page 0 is the first; groups follow.
pub(crate) fn stored_bytes(pages: u64) -> u64 {
    pages
        .checked_sub(1)
        .map_or(0, |last| (page_stored(last) + 1) * PAGE_BYTES_U64)
}

/// Pages in a file of this length; `None` if no file of ours has it.
pub(crate) fn pages_of(length: u64) -> Option<u64> {
    let stored = length / PAGE_BYTES_U64;
    let grouped = stored.saturating_sub(1);
    let pages =
        stored.min(1) + grouped / GROUP_PAGES_STORED * GROUP_PAGES + (grouped % GROUP_PAGES_STORED).saturating_sub(1);
    (stored_bytes(pages) == length).then_some(pages)
}

/// The first byte of a page in the file.
pub(crate) fn page_position(page: u64) -> u64 {
    page_stored(page) * PAGE_BYTES_U64
}

/// Pages from this one on that lie next to each other in the file.
pub(crate) fn pages_in_line(page: u64) -> u64 {
    page.checked_sub(1).map_or(1, |index| GROUP_PAGES - index % GROUP_PAGES)
}

fn page_stored(page: u64) -> u64 {
    page.checked_sub(1).map_or(0, |index| {
        1 + index / GROUP_PAGES * GROUP_PAGES_STORED + 1 + index % GROUP_PAGES
    })
}

fn group_position(group: u64) -> u64 {
    (1 + group * GROUP_PAGES_STORED) * PAGE_BYTES_U64
}

/// The checksums of a group, as the file has them or will have them after the next sync.
struct Group {
    sums: Vec<AtomicU64>,
}

/// The checksums of all pages but the first. A group's are read when first needed.
pub(crate) struct Checksums {
    seed: u64,
    groups: RwLock<Vec<Option<Arc<Group>>>>,
    dirty: Mutex<BTreeSet<u64>>,
}

impl Checksums {
    /// Of a file of this many pages.
    pub(crate) fn new(shard: [u8; 16], pages: u64) -> io::Result<Self> {
        let checksums = Self {
            seed: xxh3_64(&shard),
            groups: RwLock::new(Vec::new()),
            dirty: Mutex::new(BTreeSet::new()),
        };
        checksums.set_pages(pages)?;
        Ok(checksums)
    }

    /// The number of pages has changed. What was told about pages that are gone is forgotten by [`Self::forget_from`].
    pub(crate) fn set_pages(&self, pages: u64) -> io::Result<()> {
        let count = usize::try_from(pages.saturating_sub(1).div_ceil(GROUP_PAGES)).map_err(io::Error::other)?;
        let mut groups = self.groups.write().unwrap_or_else(PoisonError::into_inner);
        groups.resize(count, None);
        let mut dirty = self.dirty.lock().unwrap_or_else(PoisonError::into_inner);
        dirty.split_off(&(count as u64));
        Ok(())
    }

    /// The pages from this one to the end of its group are as if never written.
    pub(crate) fn forget_from(&self, page: u64, file: &dyn BlockFile) -> io::Result<()> {
        let line = pages_in_line(page);
        if line == GROUP_PAGES {
            // The whole group is gone.
            return Ok(());
        }
        (page..page + line).try_for_each(|page| self.set(page, NEVER_WRITTEN, file))
    }

    /// Fails unless these are the bytes last written to the page.
    pub(crate) fn verify(&self, page: u64, bytes: &[u8], file: &dyn BlockFile) -> io::Result<()> {
        let expected = self.get(page, file)?;
        if expected == NEVER_WRITTEN {
            return Err(damaged(page, "was never written"));
        }
        if expected != self.sum(bytes) {
            return Err(damaged(page, "does not match its checksum"));
        }
        Ok(())
    }

    /// Whether the page was ever written.
    pub(crate) fn is_written(&self, page: u64, file: &dyn BlockFile) -> io::Result<bool> {
        Ok(self.get(page, file)? != NEVER_WRITTEN)
    }

    /// These bytes were written to the page.
    pub(crate) fn note(&self, page: u64, bytes: &[u8], file: &dyn BlockFile) -> io::Result<()> {
        self.set(page, self.sum(bytes), file)
    }

    /// Writes what has changed since the last time.
    pub(crate) fn write_out(&self, file: &dyn BlockFile) -> io::Result<()> {
        // A change that comes in later marks its group again.
        let dirty = std::mem::take(&mut *self.dirty.lock().unwrap_or_else(PoisonError::into_inner));
        let mut bytes = Vec::with_capacity(PAGE_BYTES);
        for group in dirty {
            bytes.clear();
            for sum in &self.group(group, file)?.sums {
                bytes.extend_from_slice(&sum.load(Ordering::Acquire).to_le_bytes());
            }
            file.write_all_at(&bytes, group_position(group))?;
        }
        Ok(())
    }

    fn sum(&self, bytes: &[u8]) -> u64 {
        xxh3_64_with_seed(bytes, self.seed).max(NEVER_WRITTEN + 1)
    }

    fn get(&self, page: u64, file: &dyn BlockFile) -> io::Result<u64> {
        let (group, slot) = place(page)?;
        let group = self.group(group, file)?;
        let sum = group.sums.get(slot).ok_or_else(|| outside(page))?;
        Ok(sum.load(Ordering::Acquire))
    }

    fn set(&self, page: u64, value: u64, file: &dyn BlockFile) -> io::Result<()> {
        let (index, slot) = place(page)?;
        let group = self.group(index, file)?;
        let sum = group.sums.get(slot).ok_or_else(|| outside(page))?;
        sum.store(value, Ordering::Release);
        self.dirty.lock().unwrap_or_else(PoisonError::into_inner).insert(index);
        Ok(())
    }

    fn group(&self, index: u64, file: &dyn BlockFile) -> io::Result<Arc<Group>> {
        let slot = usize::try_from(index).map_err(io::Error::other)?;
        {
            let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
            match groups.get(slot) {
                Some(Some(group)) => return Ok(group.clone()),
                Some(None) => {}
                None => return Err(outside(index * GROUP_PAGES + 1)),
            }
        }
        // Not under the lock: readers of other groups need not wait for the disk.
        let loaded = Arc::new(Group::load(index, file)?);
        let mut groups = self.groups.write().unwrap_or_else(PoisonError::into_inner);
        let place = groups.get_mut(slot).ok_or_else(|| outside(index * GROUP_PAGES + 1))?;
        Ok(place.get_or_insert(loaded).clone())
    }
}

impl Group {
    fn load(index: u64, file: &dyn BlockFile) -> io::Result<Self> {
        let mut bytes = vec![0; PAGE_BYTES];
        file.read_exact_at(&mut bytes, group_position(index))?;
        let (sums, _) = bytes.as_chunks::<CHECKSUM_BYTES>();
        Ok(Self {
            sums: sums
                .iter()
                .map(|sum| AtomicU64::new(u64::from_le_bytes(*sum)))
                .collect(),
        })
    }
}

/// The group and the slot in it of any page but the first.
fn place(page: u64) -> io::Result<(u64, usize)> {
    let index = page.checked_sub(1).ok_or_else(|| outside(page))?;
    let slot = usize::try_from(index % GROUP_PAGES).map_err(io::Error::other)?;
    Ok((index / GROUP_PAGES, slot))
}

fn damaged(page: u64, what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("page {page} {what}"))
}

fn outside(page: u64) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, format!("page {page} is not in the file"))
}

#[cfg(test)]
mod tests {
    use super::{GROUP_PAGES, PAGE_BYTES_U64, page_position, pages_in_line, pages_of, stored_bytes};

    #[test]
    fn lengths_and_pages_belong_to_each_other() {
        let mut last = None;
        for pages in 0..3 * GROUP_PAGES {
            let length = stored_bytes(pages);
            assert_eq!(pages_of(length), Some(pages));
            assert!(last.is_none_or(|last| last < length));
            last = Some(length);
            for wrong in [length + 1, length + PAGE_BYTES_U64 - 1] {
                assert_eq!(pages_of(wrong), None);
            }
        }
        // A file never ends with a page of checksums.
        assert_eq!(pages_of(2 * PAGE_BYTES_U64), None);
    }

    #[test]
    fn lines_end_where_a_page_of_checksums_comes() {
        assert_eq!(pages_in_line(0), 1);
        for page in 1..2 * GROUP_PAGES + 5 {
            let line = pages_in_line(page);
            assert_eq!(
                page_position(page + line - 1),
                page_position(page) + (line - 1) * PAGE_BYTES_U64
            );
            assert_eq!(
                page_position(page + line),
                page_position(page) + (line + 1) * PAGE_BYTES_U64
            );
        }
    }
}
