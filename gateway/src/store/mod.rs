//! What gateways agree on: buckets, users, keys and the shard map, as small values under string keys, changed by
//! transactions that compare before they swap.

pub mod mailbox;
pub mod redb;

use std::{future::Future, pin::Pin};

/// One key's part of a transaction: applied only if the key still holds `expected`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The key, such as `bucket/photos`.
    pub key: String,
    /// The value it was decided on; `None`: the key must not exist.
    pub expected: Option<Vec<u8>>,
    /// The new value; `None` removes the key.
    pub value: Option<Vec<u8>>,
}

/// Why a transaction was not applied. Nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Another transaction came first: look again and decide anew.
    #[error("another change came first")]
    Conflict,
    /// The store itself failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The store cannot be read or written.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the metadata store failed: {0}")]
pub struct StoreError(pub String);

/// A future of this thread.
pub type LocalFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// All keys and values.
pub type Pairs = Vec<(String, Vec<u8>)>;

/// Sees every applied transaction, in the store's order, before its [`MetaStore::commit`] returns.
pub type Observer = Box<dyn Fn(&[Change])>;

/// The metadata store: embedded, or shared by several gateways.
pub trait MetaStore {
    /// All keys and values, as of before the first [`Observer`] call.
    fn scan(&self) -> LocalFuture<Result<Pairs, StoreError>>;
    /// Applies all changes durably, or none.
    fn commit(&self, changes: Vec<Change>) -> LocalFuture<Result<(), CommitError>>;
    /// Who is told of changes from now on; one at a time.
    fn watch(&self, observer: Observer);
}
