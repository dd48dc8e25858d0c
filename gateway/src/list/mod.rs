//! Listings over all cores.

pub mod fanout;
pub mod token;
