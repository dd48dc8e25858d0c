//! What can go wrong with the database, as its owner must tell it apart.

use proto::wire::WireError;
use std::io;

/// An error of the database. After any error it may refuse everything further: open it again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseError {
    /// What is stored is not what was written, or not this shard's database: to be built anew from the log.
    #[error("the index is damaged: {0}")]
    Damaged(String),
    /// The disk is full; the transaction did not happen.
    #[error("no space left for the index")]
    NoSpace,
    /// An I/O error.
    #[error("the index cannot be read or written: {0}")]
    Io(String),
}

impl From<&io::Error> for DatabaseError {
    fn from(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            // The end of the file comes early only if somebody else cut it.
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Self::Damaged(error.to_string()),
            _ => Self::Io(error.to_string()),
        }
    }
}

impl From<io::Error> for DatabaseError {
    fn from(error: io::Error) -> Self {
        Self::from(&error)
    }
}

impl From<WireError> for DatabaseError {
    fn from(error: WireError) -> Self {
        Self::Damaged(format!("a row cannot be decoded: {error}"))
    }
}

impl From<redb::StorageError> for DatabaseError {
    fn from(error: redb::StorageError) -> Self {
        match error {
            redb::StorageError::Io(error) => Self::from(&error),
            redb::StorageError::Corrupted(reason) => Self::Damaged(reason),
            error => Self::Io(error.to_string()),
        }
    }
}

impl From<redb::TableError> for DatabaseError {
    fn from(error: redb::TableError) -> Self {
        match error {
            redb::TableError::Storage(error) => error.into(),
            error => Self::Damaged(error.to_string()),
        }
    }
}

impl From<redb::TransactionError> for DatabaseError {
    fn from(error: redb::TransactionError) -> Self {
        match error {
            redb::TransactionError::Storage(error) => error.into(),
            error => Self::Io(error.to_string()),
        }
    }
}

impl From<redb::CommitError> for DatabaseError {
    fn from(error: redb::CommitError) -> Self {
        match error {
            redb::CommitError::Storage(error) => error.into(),
            error => Self::Io(error.to_string()),
        }
    }
}

impl From<redb::SetDurabilityError> for DatabaseError {
    fn from(error: redb::SetDurabilityError) -> Self {
        Self::Io(error.to_string())
    }
}

impl From<redb::DatabaseError> for DatabaseError {
    fn from(error: redb::DatabaseError) -> Self {
        match error {
            redb::DatabaseError::Storage(error) => error.into(),
            error @ redb::DatabaseError::UpgradeRequired(_) => Self::Damaged(error.to_string()),
            error => Self::Io(error.to_string()),
        }
    }
}
