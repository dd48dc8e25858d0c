//! To come.
use crate::error::{CliError, Result};

/// The flags.
#[derive(clap::Args)]
pub struct ShowArgs {}

/// Runs the command.
pub fn run(_: &ShowArgs) -> Result<()> {
    Err(CliError::failed("this command is not there yet"))
}
