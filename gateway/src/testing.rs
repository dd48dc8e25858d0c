//! A directory that is removed when a test ends.

use std::path::{Path, PathBuf};

/// See the module.
pub struct TemporaryDirectory(PathBuf);

impl TemporaryDirectory {
    /// A new one.
    #[allow(clippy::unwrap_used)]
    pub fn new() -> Self {
        use std::hash::{BuildHasher, Hasher, RandomState};
        let unique = RandomState::new().build_hasher().finish();
        let path = std::env::temp_dir().join(format!("corelane-gateway-test-{unique:016x}"));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryDirectory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
