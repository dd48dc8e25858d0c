//! What an interrupted upload left: a small file per source and object, in the user's state directory.

use proto::auth::sigv4::{hex, sha256};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// What an upload is of; it is continued only if all of it is the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// `http://host:port`.
    pub store: String,
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The file's absolute path.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// When the file was changed: seconds since the epoch, and nanoseconds.
    pub modified: (i64, i64),
    /// Of a part.
    pub part_bytes: u64,
    /// Content type, metadata and tags.
    pub described: String,
}

/// As it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    #[serde(flatten)]
    source: Source,
    upload_id: String,
}

/// The file, which nobody else uses at the same time.
pub struct Journal {
    path: PathBuf,
    file: File,
    kept: Option<Kept>,
}

impl Journal {
    /// For a source; `None` where no state can be kept, or where another process uses it: such an upload cannot be continued.
    pub fn open(source: &Source) -> Option<Self> {
        let folder = state_folder()?.join("uploads");
        fs::create_dir_all(&folder).ok()?;
        let identity = [&source.store, &source.bucket, &source.key, &source.path];
        let identity: Vec<String> = identity.iter().map(|text| format!("{}:{text}", text.len())).collect();
        let path = folder.join(format!("{}.json", hex(&sha256(identity.concat().as_bytes()))));
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .ok()?;
        file.try_lock().ok()?;
        let mut text = String::new();
        // What was torn is no journal.
        let _ = file.read_to_string(&mut text);
        Some(Self {
            path,
            file,
            kept: serde_json::from_str(&text).ok(),
        })
    }

    /// The upload that was begun, and whether it is of this very source.
    pub fn upload(&self, source: &Source) -> Option<(String, bool)> {
        let kept = self.kept.as_ref()?;
        Some((kept.upload_id.clone(), kept.source == *source))
    }

    /// Keeps an upload's id. Whether that worked.
    pub fn keep(&mut self, source: &Source, upload_id: &str) -> bool {
        let kept = Kept {
            source: source.clone(),
            upload_id: upload_id.to_owned(),
        };
        let Ok(text) = serde_json::to_string(&kept) else {
            return false;
        };
        let written = self
            .file
            .set_len(0)
            .and_then(|()| self.file.rewind())
            .and_then(|()| self.file.write_all(text.as_bytes()));
        self.kept = Some(kept);
        written.is_ok()
    }

    /// The upload is complete or given up.
    pub fn remove(self) {
        // What stays is of an upload that is gone: it is found out then.
        let _ = fs::remove_file(&self.path);
    }
}

/// `$XDG_STATE_HOME/corelane`, else `~/.local/state/corelane`
/// (<https://specifications.freedesktop.org/basedir-spec/latest/>).
fn state_folder() -> Option<PathBuf> {
    let absolute = |variable| {
        let path = PathBuf::from(std::env::var_os(variable)?);
        path.is_absolute().then_some(path)
    };
    let base = match absolute("XDG_STATE_HOME") {
        Some(base) => base,
        None => absolute("HOME")?.join(".local/state"),
    };
    Some(base.join("corelane"))
}

/// A file's path, whatever the working directory is.
pub fn absolute(path: &Path) -> String {
    let absolute = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    absolute.to_string_lossy().into_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Kept, Source};

    #[test]
    fn what_is_kept_is_read_again() {
        let kept = Kept {
            source: Source {
                store: "http://h".to_owned(),
                bucket: "b".to_owned(),
                key: "k".to_owned(),
                path: "/f".to_owned(),
                size: u64::MAX,
                modified: (-1, 999_999_999),
                part_bytes: 1,
                described: String::new(),
            },
            upload_id: "u".to_owned(),
        };
        let text = serde_json::to_string(&kept).unwrap();
        let read: Kept = serde_json::from_str(&text).unwrap();
        assert_eq!(read.source, kept.source);
    }
}
