//! What commands print: tables and lines for people, JSON for programs, colour only on a terminal.

mod ask;
mod size;
mod style;
mod table;
mod text;
mod time;

pub use ask::{ask, confirm};
pub use size::size;
pub use style::Style;
pub use table::{Columns, pairs};
pub use text::printable;
pub use time::time;

use crate::error::{CliError, Result};
use clap::Args;
use serde::Serialize;
use std::io::Write;

/// How a command prints; the same flags for every command that prints.
#[derive(Debug, Clone, Copy, Args)]
pub struct OutputArgs {
    /// Print JSON, for programs
    #[arg(long, global = true)]
    json: bool,
    /// No colours, even on a terminal; NO_COLOR in the environment does the same
    #[arg(long, global = true)]
    no_color: bool,
}

impl OutputArgs {
    /// Whether programs read what is printed.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// How text on standard output looks.
    pub fn style(self) -> Style {
        Style::of_stdout(self.no_color)
    }
}

/// Prints a line, or several, to standard output.
pub fn line(text: &str) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.write_all(b"\n"))
        .and_then(|()| stdout.flush())
        .map_err(|error| CliError::output(&error))
}

/// Prints JSON on one line to standard output.
pub fn json(value: &impl Serialize) -> Result<()> {
    let text =
        serde_json::to_string(value).map_err(|error| CliError::failed(format!("cannot write the answer: {error}")))?;
    line(&text)
}
