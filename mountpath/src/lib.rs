//! The storage engine of one shard: a segment log that is the truth, blob files for large objects, an ordered index
//! derived from the log, recovery, and what keeps all of it in order. `docs/format.md` describes every byte on disk.

pub mod batch;
pub mod buffer;
pub mod completion;
mod counters;
pub mod error;
pub mod files;
pub mod index;
pub mod io;
pub mod layout;
pub mod limits;
mod log;
mod maintenance;
mod multipart;
mod read;
pub mod record;
mod recovery;
pub mod shard_store;
mod versions;
