//! `corelane man`: manual pages, made of what `--help` says.

use crate::{
    error::{CliError, Result},
    output,
};
use clap::{Args, Command};
use clap_mangen::Man;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

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
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let Some(directory) = &args.out else {
        let page = page(&command).map_err(|error| CliError::failed(format!("cannot make the page: {error}")))?;
        return output::line(page.trim_end());
    };
    let failed = |error| CliError::failed(format!("cannot write to {}: {error}", directory.display()));
    fs::create_dir_all(directory).map_err(failed)?;
    write_pages(directory, &command).map_err(failed)
}

/// The page of a command, and those of its commands.
fn write_pages(directory: &Path, command: &Command) -> io::Result<()> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    fs::write(directory.join(format!("{name}.1")), page(command)?)?;
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        write_pages(directory, below)?;
    }
    Ok(())
}

fn page(command: &Command) -> io::Result<String> {
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    Ok(with_examples(&String::from_utf8_lossy(&page)))
}

/// What `--help` has last are examples and tables, which no line may be filled or broken of.
fn with_examples(page: &str) -> String {
    const HEADING: &str = ".SH EXTRA\n";
    let Some((before, examples)) = page.split_once(HEADING) else {
        return page.to_owned();
    };
    let (examples, after) = match examples.find("\n.SH ") {
        Some(end) => examples.split_at(end),
        None => (examples, ""),
    };
    format!(
        "{before}.SH EXAMPLES\n.nf\n{}\n.fi{after}",
        examples.replace("Examples:\n", "")
    )
}

#[cfg(test)]
mod tests {
    use super::with_examples;

    #[test]
    fn examples_keep_their_lines() {
        assert_eq!(
            with_examples(".SH OPTIONS\nx\n.SH EXTRA\nExamples:\n  a   b\n.SH VERSION\nv"),
            ".SH OPTIONS\nx\n.SH EXAMPLES\n.nf\n  a   b\n.fi\n.SH VERSION\nv"
        );
        assert_eq!(with_examples(".SH NAME\nx"), ".SH NAME\nx");
    }
}
