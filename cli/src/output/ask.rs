//! Questions, where somebody is there to answer.

use crate::error::{CliError, Result};
use std::io::{self, BufRead, IsTerminal, Write};

/// Whether to go on. Asks on a terminal, and takes anything but `y` or `yes` for no; without one, nobody is there to ask,
/// and the flags have said it.
pub fn confirm(question: &str) -> Result<bool> {
    match ask(question)? {
        Some(yes) => Ok(yes),
        None => Ok(true),
    }
}

/// The answer to a question; `None` without a terminal.
pub fn ask(question: &str) -> Result<Option<bool>> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(None);
    }
    let failed = |error: io::Error| CliError::failed(format!("cannot ask: {error}; --yes answers"));
    let mut stderr = io::stderr().lock();
    write!(stderr, "{question} [y/N] ")
        .and_then(|()| stderr.flush())
        .map_err(failed)?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(failed)?;
    Ok(Some(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")))
}
