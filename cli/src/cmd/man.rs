//! `corelane man`: manual pages, made of what `--help` says.

use crate::error::{CliError, Result};
use clap::{Args, Command};
use clap_mangen::Man;
use std::{fs, io, io::Write, path::PathBuf};

const EXAMPLES: &str = "\
Examples:
  corelane man > corelane.1                        The page of corelane itself
  corelane man | man -l -                          Read it at once
  corelane man --out man1                          One page for every command: corelane.1, corelane-bucket-create.1, ...";

/// The flags of `corelane man`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ManArgs {
    /// Write the pages of all commands into this directory, made if missing
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &ManArgs, command: Command) -> Result<()> {
    let Some(directory) = &args.out else {
        let page = page(command).map_err(|error| CliError::failed(format!("cannot make the page: {error}")))?;
        let mut stdout = io::stdout().lock();
        return stdout
            .write_all(&page)
            .and_then(|()| stdout.flush())
            .map_err(|error| CliError::output(&error));
    };
    let failed = |error| CliError::failed(format!("cannot write to {}: {error}", directory.display()));
    fs::create_dir_all(directory).map_err(failed)?;
    clap_mangen::generate_to(command, directory).map_err(failed)
}

fn page(command: Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    Ok(page)
}
