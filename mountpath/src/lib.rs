//! The storage engine of one shard: an append-only segment log that is the truth, blob files for large objects, an
//! ordered index derived from the log, and recovery. `docs/format.md` describes every byte on disk.

pub mod batch;
pub mod blob;
pub mod buffer;
mod commit;
pub mod completion;
pub mod error;
pub mod index;
pub mod io;
pub mod layout;
pub mod limits;
pub mod record;
mod recovery;
mod segment;
pub mod shard_store;
