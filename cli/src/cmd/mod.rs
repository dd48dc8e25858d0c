//! One file or folder a command.

pub mod cert;
pub mod key;
pub mod serve;
