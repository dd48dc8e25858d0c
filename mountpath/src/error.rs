//! What can go wrong in a shard, as the node must tell it apart.

use std::{io, path::PathBuf};

/// An error of the storage engine.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The bucket is being deleted; no write may enter it.
    #[error("the bucket is fenced for deletion")]
    Fenced,
    /// The disk is full; nothing was changed.
    #[error("no space left on the mountpath")]
    NoSpace,
    /// A sync failed earlier: what the disk holds is unknown, so nothing more is written until a restart.
    #[error("the shard is read-only after a failed write or sync")]
    ReadOnly,
    /// The mountpath or its index cannot be used; other shards are not concerned.
    #[error("the shard is unavailable: {0}")]
    Unavailable(String),
    /// The shard's index is damaged; the next start makes it anew from the log.
    #[error("the shard's index is damaged: {0}")]
    IndexDamaged(String),
    /// Stored bytes do not match their checksum, or are gone.
    #[error("stored data is damaged: {0}")]
    Damaged(String),
    /// An I/O error.
    #[error("{0}")]
    Io(String),
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            _ => Self::Io(error.to_string()),
        }
    }
}

/// Why a mountpath cannot be opened. Every message says what to do.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum MountpathError {
    #[error("{path} is not empty and is not a Corelane mountpath; give an empty directory with --data")]
    Foreign { path: PathBuf },
    #[error("{path} has format version {found}, this build reads version {expected}; use the build that wrote it")]
    UnknownVersion {
        path: PathBuf,
        found: String,
        expected: u32,
    },
    #[error("{path} is in use by another process; stop it or give another directory")]
    Locked { path: PathBuf },
    #[error("{path} cannot be used: {source}; check that it exists, is a directory and is writable")]
    Unusable { path: PathBuf, source: io::Error },
    #[error("{path} holds a damaged format marker: {reason}")]
    BadMarker { path: PathBuf, reason: String },
}
