//! To come.
use crate::error::{CliError, Result};

/// The flags.
#[derive(clap::Args)]
pub struct LsArgs {}

/// Runs the command.
pub fn run(_: &LsArgs) -> Result<()> {
    Err(CliError::failed("this command is not there yet"))
}
