//! The cluster map, placement of keys on shards, and the messages between gateway and core.

pub mod map;
pub mod message;
pub mod placement;
