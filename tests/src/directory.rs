//! Where the built programs are, and directories that go away with their test.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

/// The directory with the binaries of the same build as this test: `target/debug`.
pub fn binaries() -> PathBuf {
    let mut directory = std::env::current_exe().unwrap();
    directory.pop();
    if directory.ends_with("deps") {
        directory.pop();
    }
    directory
}

/// A program of the workspace.
pub fn program(name: &str) -> PathBuf {
    let path = binaries().join(name);
    assert!(
        path.is_file(),
        "{} is not built; run ./scripts/test, or `cargo build --workspace --bins` first",
        path.display()
    );
    path
}

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// An empty directory below `target/tmp`: on a disk, where O_DIRECT works, unlike most /tmp.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    kept: bool,
}

impl Directory {
    /// Makes it.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("e2e-{}-{count}", std::process::id());
        let path = binaries().parent().unwrap().join("tmp").join(name);
        // A test that was killed may have left one behind under a process id that came again.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self { path, kept: false }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path below it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// Leaves it where it is, for somebody to look at, and says where that is.
    pub fn keep(&mut self) {
        eprintln!("Kept: {}", self.path.display());
        self.kept = true;
    }
}

impl Default for Directory {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if !self.kept {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// Every file below a directory with its size in bytes, sorted by path.
pub fn files(directory: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    let mut left = vec![directory.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let entry = entry.unwrap();
            // A running store may remove files between the two looks.
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                left.push(entry.path());
            } else {
                found.push((entry.path(), metadata.len()));
            }
        }
    }
    found.sort();
    found
}
