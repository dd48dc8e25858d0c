//! To come.
use crate::error::{CliError, Result};

/// The flags.
#[derive(clap::Args)]
pub struct ConfigArgs {}

/// Runs the command.
pub fn run(_: &ConfigArgs) -> Result<()> {
    Err(CliError::failed("this command is not there yet"))
}
