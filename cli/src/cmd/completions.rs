//! `corelane completions`: what a shell needs to complete commands and flags.

use crate::error::{CliError, Result};
use clap::{Args, Command};
use clap_complete::Shell;
use std::io::Write;

const EXAMPLES: &str = "\
Examples:
  corelane completions bash > corelane.bash        Then `source corelane.bash`, or put it where bash finds it:
                                                   ~/.local/share/bash-completion/completions/corelane
  corelane completions zsh > _corelane             Then put it into a directory of $fpath
  corelane completions fish > corelane.fish        Then put it into ~/.config/fish/completions";

/// The flags of `corelane completions`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Runs the command.
pub fn run(args: &CompletionsArgs, mut command: Command) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "corelane", &mut script);
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(&script)
        .and_then(|()| stdout.flush())
        .map_err(|error| CliError::output(&error))
}
