//! To come.
use crate::error::{CliError, Result};

/// The flags.
#[derive(clap::Args)]
pub struct ClusterArgs {}

/// Runs the command.
pub fn run(_: &ClusterArgs) -> Result<()> {
    Err(CliError::failed("this command is not there yet"))
}
