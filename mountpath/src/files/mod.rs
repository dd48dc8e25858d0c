//! The files of a shard: segments of the log and blobs. Each is opened when it is read, and stays on disk as long as
//! somebody holds it.

pub mod blob;
pub mod held;
pub mod segment;
pub mod uploads;
