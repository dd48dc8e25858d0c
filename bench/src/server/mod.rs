//! The servers under test: how they are started, addressed, measured and stopped.

pub mod certificate;
pub mod corelane;
pub mod cpu;
pub mod memory;
pub mod nginx;
pub mod node;
pub mod process;
