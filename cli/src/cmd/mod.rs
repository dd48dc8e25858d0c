//! One file or folder a command.

pub mod key;
pub mod serve;
