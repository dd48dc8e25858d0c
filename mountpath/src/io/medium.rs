//! What lies beneath the files: nothing but the filesystem, unless a test watches. An observer is told of every
//! operation before it is done and may make it fail; that is how tests lose power, fill disks and break them. Without
//! debug assertions a medium is empty and all of this compiles to nothing.

#[cfg(debug_assertions)]
use std::{fmt, path::PathBuf, sync::Arc};
use std::{io, path::Path};

/// What is done to a file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Operation<'a> {
    /// `create`: the file is made if it does not exist.
    Open {
        path: &'a Path,
        create: bool,
    },
    /// The file is opened with O_DIRECT; refused with `InvalidInput`, as filesystems without it do, it is opened without.
    Direct {
        path: &'a Path,
    },
    Read {
        path: &'a Path,
        position: u64,
        length: usize,
    },
    Write {
        path: &'a Path,
        position: u64,
        bytes: &'a [u8],
    },
    /// Space is reserved up to `size`, which becomes the length if the file is shorter.
    Allocate {
        path: &'a Path,
        size: u64,
    },
    /// The length becomes `size`; a longer file is cut, a shorter one continues with zeros.
    Truncate {
        path: &'a Path,
        size: u64,
    },
    /// The file's content becomes durable.
    Sync {
        path: &'a Path,
    },
    /// The names in a directory become durable.
    SyncDirectory {
        path: &'a Path,
    },
    Remove {
        path: &'a Path,
    },
}

/// Watches all operations of a medium, on whatever thread they happen.
pub trait Observer: Send + Sync {
    /// Called before the operation is done; an error makes it fail undone. Returns a number for `end`.
    fn begin(&self, operation: &Operation<'_>) -> io::Result<u64>;
    /// Called when it is done, or has failed. Not called if `begin` failed, nor if nobody waited for the end.
    fn end(&self, id: u64, succeeded: bool);
}

/// What lies beneath; clones are the same.
#[derive(Clone, Default)]
pub struct Medium {
    #[cfg(debug_assertions)]
    observer: Option<Arc<dyn Observer>>,
}

/// An operation under way.
#[must_use]
pub(super) struct Watched<'m> {
    #[cfg(debug_assertions)]
    observer: Option<(&'m dyn Observer, u64)>,
    #[cfg(not(debug_assertions))]
    nobody: std::marker::PhantomData<&'m ()>,
}

/// An open file's name, for the observer.
#[derive(Debug)]
pub(super) struct Place {
    #[cfg(debug_assertions)]
    medium: Medium,
    #[cfg(debug_assertions)]
    path: PathBuf,
}

#[cfg(debug_assertions)]
impl Medium {
    /// A medium that is watched.
    pub fn observed(observer: Arc<dyn Observer>) -> Self {
        Self {
            observer: Some(observer),
        }
    }

    pub(super) fn begin<'a>(&self, operation: impl FnOnce() -> Operation<'a>) -> io::Result<Watched<'_>> {
        let observer = match self.observer.as_deref() {
            Some(observer) => Some((observer, observer.begin(&operation())?)),
            None => None,
        };
        Ok(Watched { observer })
    }

    pub(super) fn place(&self, path: &Path) -> Place {
        Place {
            medium: self.clone(),
            path: path.to_owned(),
        }
    }
}

#[cfg(debug_assertions)]
impl Watched<'_> {
    pub(super) fn end<T>(self, result: io::Result<T>) -> io::Result<T> {
        if let Some((observer, id)) = self.observer {
            observer.end(id, result.is_ok());
        }
        result
    }
}

#[cfg(debug_assertions)]
impl Place {
    pub(super) fn begin<'a>(&'a self, operation: impl FnOnce(&'a Path) -> Operation<'a>) -> io::Result<Watched<'a>> {
        self.medium.begin(|| operation(&self.path))
    }
}

#[cfg(debug_assertions)]
impl fmt::Debug for Medium {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.observer.is_some() {
            "Medium(observed)"
        } else {
            "Medium"
        })
    }
}

#[cfg(not(debug_assertions))]
impl Medium {
    #[inline(always)]
    pub(super) fn begin<'a>(&self, _: impl FnOnce() -> Operation<'a>) -> io::Result<Watched<'_>> {
        Ok(Watched {
            nobody: std::marker::PhantomData,
        })
    }

    #[inline(always)]
    pub(super) fn place(&self, _: &Path) -> Place {
        Place {}
    }
}

#[cfg(not(debug_assertions))]
impl Watched<'_> {
    #[inline(always)]
    pub(super) fn end<T>(self, result: io::Result<T>) -> io::Result<T> {
        result
    }
}

#[cfg(not(debug_assertions))]
impl Place {
    #[inline(always)]
    pub(super) fn begin<'a>(&'a self, _: impl FnOnce(&'a Path) -> Operation<'a>) -> io::Result<Watched<'a>> {
        Ok(Watched {
            nobody: std::marker::PhantomData,
        })
    }
}

#[cfg(not(debug_assertions))]
impl std::fmt::Debug for Medium {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Medium")
    }
}

#[cfg(not(debug_assertions))]
const _: () = assert!(size_of::<Medium>() == 0 && size_of::<Place>() == 0 && size_of::<Watched<'_>>() == 0);
