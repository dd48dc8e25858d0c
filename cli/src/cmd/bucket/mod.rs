//! To come.
use crate::error::{CliError, Result};

/// The flags.
#[derive(clap::Args)]
pub struct BucketArgs {}

/// Runs the command.
pub fn run(_: &BucketArgs) -> Result<()> {
    Err(CliError::failed("this command is not there yet"))
}
