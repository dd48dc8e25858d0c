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

use crate::error::{CliError, Result};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What is in an answer of the store.
pub fn parse_answer<T: DeserializeOwned>(answer: Value) -> Result<T> {
    serde_json::from_value(answer)
        .map_err(|_| CliError::failed("the store gave an answer this program does not know; is it of another version?"))
}
