//! A file that readers hold: opened by the first read, closed when too many are open, removed when it was given up and
//! the last holder lets go.

use crate::{
    error::StoreError,
    io::{File, OpenMode, ReadBuffer, medium::Medium, remove, spawn},
};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io,
    path::PathBuf,
    rc::{Rc, Weak},
};

/// A file of a shard.
#[derive(Debug)]
pub struct HeldFile {
    path: PathBuf,
    medium: Medium,
    open: Rc<OpenFiles>,
    file: RefCell<Option<Rc<File>>>,
    given_up: Cell<bool>,
}

/// Which files of a kind are open: the one opened longest ago is closed when there are too many.
#[derive(Debug)]
pub struct OpenFiles {
    limit: usize,
    files: RefCell<VecDeque<Weak<HeldFile>>>,
}

impl OpenFiles {
    /// None yet, and never more than `limit`.
    pub fn new(limit: usize) -> Rc<Self> {
        Rc::new(Self {
            limit,
            files: RefCell::default(),
        })
    }

    fn note(&self, file: &Rc<HeldFile>) {
        let mut files = self.files.borrow_mut();
        files.push_back(Rc::downgrade(file));
        if files.len() > self.limit
            && let Some(oldest) = files.pop_front().and_then(|oldest| oldest.upgrade())
        {
            oldest.file.borrow_mut().take();
        }
    }
}

impl HeldFile {
    /// The file of this path, not opened yet.
    pub fn new(path: PathBuf, medium: Medium, open: Rc<OpenFiles>) -> Rc<Self> {
        Rc::new(Self {
            path,
            medium,
            open,
            file: RefCell::new(None),
            given_up: Cell::new(false),
        })
    }

    /// Removes the file once nobody holds it any more.
    pub fn give_up(&self) {
        self.given_up.set(true);
    }

    /// Reads bytes, opening the file if it is not open.
    pub async fn read(self: &Rc<Self>, position: u64, length: usize) -> Result<ReadBuffer, StoreError> {
        let open = self.file.borrow().clone();
        let file = match open {
            Some(file) => file,
            None => {
                let opened = File::open(&self.medium, &self.path, OpenMode::Read).await;
                let file = Rc::new(opened.map_err(|error| self.missing_or(error))?);
                *self.file.borrow_mut() = Some(Rc::clone(&file));
                self.open.note(self);
                file
            }
        };
        Ok(file.read_at(position, length).await?)
    }

    fn missing_or(&self, error: io::Error) -> StoreError {
        match error.kind() {
            io::ErrorKind::NotFound => StoreError::Damaged(format!("{} is missing", self.path.display())),
            _ => error.into(),
        }
    }
}

impl Drop for HeldFile {
    fn drop(&mut self) {
        if self.given_up.get() {
            remove_later(self.medium.clone(), std::mem::take(&mut self.path));
        }
    }
}

/// Removes a file without anybody waiting for it.
pub fn remove_later(medium: Medium, path: PathBuf) {
    spawn(async move {
        if let Err(error) = remove(&medium, &path).await
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %path.display(), %error, "a file could not be removed; the next start does it");
        }
    });
}
