//! To come.
use crate::error::{CliError, Result};

/// The flags.
#[derive(clap::Args)]
pub struct ObjectArgs {}

/// Runs the command.
pub fn run(_: &ObjectArgs) -> Result<()> {
    Err(CliError::failed("this command is not there yet"))
}
