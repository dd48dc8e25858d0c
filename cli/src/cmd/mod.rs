//! One file or folder a command.

pub mod bucket;
pub mod cert;
pub mod cluster;
pub mod completions;
pub mod config;
pub mod key;
pub mod list;
pub mod man;
pub mod object;
pub mod serve;
pub mod show;
