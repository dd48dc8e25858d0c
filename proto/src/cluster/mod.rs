//! The cluster map, placement of keys on shards, and the messages between gateways and cores.

pub mod configure;
pub mod delete_batch;
pub mod expiry;
pub mod handoff;
pub mod map;
pub mod message;
pub mod placement;
pub mod source;
