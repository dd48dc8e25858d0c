//! Colours and bold type, where they are wanted.

use std::io::IsTerminal;

/// Whether text is dressed for a terminal.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    dressed: bool,
}

impl Style {
    /// For standard output: plain unless it is a terminal, or if `no_color` or NO_COLOR says so.
    pub fn of_stdout(no_color: bool) -> Self {
        Self::new(no_color, std::io::stdout().is_terminal())
    }

    /// For standard error.
    pub fn of_stderr(no_color: bool) -> Self {
        Self::new(no_color, std::io::stderr().is_terminal())
    }

    /// Nothing but text.
    #[cfg(test)]
    pub fn plain() -> Self {
        Self { dressed: false }
    }

    fn new(no_color: bool, is_terminal: bool) -> Self {
        // https://no-color.org: any value but the empty one.
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            dressed: is_terminal && !no_color && !refused,
        }
    }

    /// Headings.
    pub fn bold(self, text: &str) -> String {
        self.dress("1", text)
    }

    /// Failures.
    pub fn red(self, text: &str) -> String {
        self.dress("1;31", text)
    }

    fn dress(self, code: &str, text: &str) -> String {
        match self.dressed {
            true => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            false => text.to_owned(),
        }
    }
}
