//! A file in the making, beside the one it becomes: its name tells of what object it is, a list beside it what it has.

use crate::s3::{CallResult, Failure};
use proto::auth::sigv4::{hex, sha256};
use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions, TryLockError},
    io::Write,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// A file that is not whole yet.
pub struct PartFile {
    target: PathBuf,
    path: PathBuf,
    /// Its bytes.
    pub file: File,
    /// Which ranges are there, a number a line.
    list: Mutex<Option<File>>,
    has: BTreeSet<u64>,
}

impl PartFile {
    /// For what `identity` names, to become `target`. Ranges that an earlier command has got are found again.
    pub fn open(target: &Path, identity: &str) -> CallResult<Self> {
        let folder = match target.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let name = target.file_name().unwrap_or_default();
        let of_name = short_hash(name.as_encoded_bytes(), 8);
        let path = folder.join(format!(
            ".corelane-{of_name}-{}.part",
            short_hash(identity.as_bytes(), 24)
        ));
        let failed = |error| Failure::of_file("write", &path, &error);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Failure::Local(format!(
                    "another command is just getting it to {}",
                    target.display()
                )));
            }
            // Some file systems have no locks.
            Err(TryLockError::Error(_)) => {}
        }
        let has = match fs::read_to_string(list_path(&path)) {
            Ok(text) => numbers(&text),
            Err(_) => BTreeSet::new(),
        };
        Ok(Self {
            target: target.to_owned(),
            path,
            file,
            list: Mutex::new(None),
            has,
        })
    }

    /// Whether a range is there already.
    pub fn has(&self, range: u64) -> bool {
        self.has.contains(&range)
    }

    /// A range is there now.
    pub fn add(&self, range: u64) -> CallResult<()> {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        let path = list_path(&self.path);
        let failed = |error| Failure::of_file("write", &path, &error);
        if list.is_none() {
            let file = OpenOptions::new()
                .append(true)
                .create(true)
                .open(&path)
                .map_err(failed)?;
            *list = Some(file);
        }
        match list.as_mut() {
            Some(list) => list.write_all(format!("{range}\n").as_bytes()).map_err(failed),
            None => Ok(()),
        }
    }

    /// It is whole: it takes the place of what was there.
    pub fn finish(self) -> CallResult<()> {
        fs::rename(&self.path, &self.target).map_err(|error| Failure::of_file("write", &self.target, &error))?;
        // Without the file the list means nothing.
        let _ = fs::remove_file(list_path(&self.path));
        Ok(())
    }

    /// It is no good.
    pub fn discard(self) {
        let _ = fs::remove_file(list_path(&self.path));
        let _ = fs::remove_file(&self.path);
    }

    /// Removes what commands have left that were getting other contents to the same place.
    pub fn discard_others(&self) {
        let (Some(folder), Some(own)) = (self.path.parent(), self.path.file_name().and_then(|name| name.to_str()))
        else {
            return;
        };
        let prefix: String = own.chars().take(".corelane-".len() + 8 + 1).collect();
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let is_other = name
                .to_str()
                .is_some_and(|name| name.starts_with(&prefix) && name.ends_with(".part") && name != own);
            let is_unused = is_other && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok());
            if is_unused {
                let _ = fs::remove_file(list_path(&entry.path()));
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

fn list_path(path: &Path) -> PathBuf {
    path.with_extension("ranges")
}

fn short_hash(bytes: &[u8], digits: usize) -> String {
    hex(&sha256(bytes)).chars().take(digits).collect()
}

/// The numbers on whole lines: the last one may be torn.
fn numbers(text: &str) -> BTreeSet<u64> {
    text.split_inclusive('\n')
        .filter_map(|line| line.strip_suffix('\n')?.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn a_torn_line_is_none() {
        assert_eq!(numbers("0\n12\n3").into_iter().collect::<Vec<_>>(), [0, 12]);
        assert_eq!(numbers("x\n\n7\n").into_iter().collect::<Vec<_>>(), [7]);
    }
}
