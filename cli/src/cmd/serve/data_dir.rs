//! The data directories: one mountpath each; the first also holds `control`, what the store needs besides objects.

use crate::{
    error::{CliError, Result},
    limits::{LOCK_RETRY, LOCK_RETRY_PAUSE},
};
use rustix::{
    fs::{Access, FlockOperation, access, flock},
    io::Errno,
};
use serde::{Deserialize, Serialize};
use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Instant,
};

/// In the first data directory: keys, credentials, the gateway's metadata.
const CONTROL: &str = "control";
/// Made by the node in every mountpath.
const FORMAT_MARKER: &str = "corelane.format";
/// Made by the node in every mountpath, once all have the marker.
const NODE_LIST: &str = "corelane.node";
/// In `control`: held by the `serve` that uses the store.
const LOCK_FILE: &str = "serve.lock";
/// mkfs makes it on every new ext file system.
const IGNORED: &str = "lost+found";

/// The data directories of one store, new or not, locked by this process.
#[derive(Debug)]
pub struct DataDirs {
    /// Absolute, in the order of the flags. All but the first may be away: the node says what it can do without.
    pub paths: Vec<PathBuf>,
    /// `control` in the first of them.
    pub control: PathBuf,
    /// The lock ends with it.
    lock: File,
}

/// The `serve` that uses a store, as it says itself in the file it has locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningStore {
    /// Its process id.
    pub pid: i32,
    /// Whether it has a certificate that SIGHUP makes it read again.
    pub reloads: bool,
}

/// Who uses the store with this `control` directory; `None`: nobody.
pub fn running_store(control: &Path) -> Result<Option<RunningStore>> {
    let path = control.join(LOCK_FILE);
    let unreadable = |error: io::Error| CliError::failed(format!("cannot read {}: {error}", path.display()));
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    if flock(&file, FlockOperation::NonBlockingLockShared).is_ok() {
        return Ok(None);
    }
    let text = io::read_to_string(file).map_err(unreadable)?;
    serde_json::from_str(&text).map(Some).map_err(|_| {
        CliError::failed(format!(
            "{} does not say who uses the store; it may be starting: try again",
            path.display()
        ))
    })
}

impl DataDirs {
    /// Checks all directories before it makes or touches any, then makes what is missing of a new store and takes the
    /// lock.
    pub fn open(given: &[PathBuf]) -> Result<Self> {
        let formatted = given.iter().find(|path| is_formatted(path));
        // Of a store that exists nothing is made: a directory that is missing has its disk away, and one made in its
        // place would hide that.
        let needed = if formatted.is_some() {
            given.get(..1).unwrap_or_default()
        } else {
            given
        };
        for path in needed {
            check_usable(path)?;
        }
        check_first_is_first(given, formatted)?;
        for path in needed {
            make(path)?;
        }
        let paths = given.iter().map(|path| absolute(path)).collect::<Result<Vec<_>>>()?;
        check_apart(&paths)?;
        let first = paths.first().ok_or_else(|| CliError::usage("--data DIR is missing"))?;
        let control = first.join(CONTROL);
        make(&control)?;
        let lock = lock(&control.join(LOCK_FILE), first)?;
        make(&control.join("gateway"))?;
        Ok(Self { paths, control, lock })
    }

    /// Says in the locked file who uses the store.
    pub fn note_process(&self, reloads: bool) -> Result<()> {
        let pid = i32::try_from(std::process::id()).unwrap_or_default();
        let note = serde_json::json!(RunningStore { pid, reloads }).to_string();
        let mut file = &self.lock;
        let written = file.set_len(0).and_then(|()| file.write_all(note.as_bytes()));
        written.map_err(|error| unusable(&self.control, &error))
    }
}

/// A missing directory, an empty one, or one of a store; nothing else, so that no one's files are mixed up with it.
fn check_usable(path: &Path) -> Result<()> {
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unusable(path, &error)),
    };
    let mut stranger = None;
    for entry in entries {
        let name = entry.map_err(|error| unusable(path, &error))?.file_name();
        if name == CONTROL || name == FORMAT_MARKER {
            stranger = None;
            break;
        }
        if name != IGNORED {
            stranger = Some(name);
        }
    }
    if let Some(name) = stranger {
        return Err(CliError::failed(format!(
            "{} is not empty and not a Corelane data directory (it holds {:?}); give an empty or new directory with --data",
            path.display(),
            name
        )));
    }
    access(path, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|errno| unusable(path, &io::Error::from(errno)))
}

fn is_formatted(path: &Path) -> bool {
    path.join(FORMAT_MARKER).exists() || path.join(NODE_LIST).exists()
}

/// `control` belongs to the first directory: in another order, or without that one, the store would look empty.
fn check_first_is_first(given: &[PathBuf], formatted: Option<&PathBuf>) -> Result<()> {
    let Some((first, others)) = given.split_first() else {
        return Ok(());
    };
    if let Some(other) = others.iter().find(|path| path.join(CONTROL).exists()) {
        return Err(CliError::failed(format!(
            "{} was the first --data directory of its store; name it first",
            other.display()
        )));
    }
    if let Some(formatted) = formatted.filter(|_| !first.join(CONTROL).exists()) {
        return Err(CliError::failed(format!(
            "{} belongs to a store whose first --data directory is not {}; name that one first, or mount its disk",
            formatted.display(),
            first.display()
        )));
    }
    Ok(())
}

fn make(path: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| unusable(path, &error))
}

fn absolute(path: &Path) -> Result<PathBuf> {
    // What is away has no canonical path.
    std::fs::canonicalize(path)
        .or_else(|_| std::path::absolute(path))
        .map_err(|error| unusable(path, &error))
}

fn check_apart(paths: &[PathBuf]) -> Result<()> {
    for (index, path) in paths.iter().enumerate() {
        for other in paths.iter().skip(index + 1) {
            if path == other {
                return Err(CliError::usage(format!(
                    "--data {} is given twice; a mountpath is one directory",
                    path.display()
                )));
            }
            if path.starts_with(other) || other.starts_with(path) {
                return Err(CliError::usage(format!(
                    "--data {} and {} lie inside each other; give directories side by side, best on different disks",
                    path.display(),
                    other.display()
                )));
            }
        }
    }
    Ok(())
}

fn lock(path: &Path, data: &Path) -> Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| unusable(data, &error))?;
    let deadline = Instant::now() + LOCK_RETRY;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                // Whoever used the store before is no longer the one to send signals to.
                file.set_len(0).map_err(|error| unusable(data, &error))?;
                return Ok(file);
            }
            Err(Errno::INTR) => {}
            Err(Errno::WOULDBLOCK) if Instant::now() < deadline => std::thread::sleep(LOCK_RETRY_PAUSE),
            Err(Errno::WOULDBLOCK) => {
                return Err(CliError::failed(format!(
                    "{} is in use by another `corelane serve`; stop that one, or give another directory with --data",
                    data.display()
                )));
            }
            Err(errno) => return Err(unusable(data, &io::Error::from(errno))),
        }
    }
}

fn unusable(path: &Path, error: &io::Error) -> CliError {
    let advice = match error.kind() {
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => "it is not a directory; give one with --data",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "choose a directory this user may write to with --data, or change its owner"
        }
        _ => "choose another directory with --data",
    };
    CliError::failed(format!(
        "cannot use {} as a data directory: {error}; {advice}",
        path.display()
    ))
}
