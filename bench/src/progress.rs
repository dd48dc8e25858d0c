//! A progress line on standard error, where that is a terminal.

use std::io::{IsTerminal, Write};

/// Counts the windows of a run. Written to between windows only, so it costs the measurement nothing.
#[derive(Debug)]
pub struct Progress {
    done: usize,
    total: usize,
    visible: bool,
}

impl Progress {
    /// A run of `total` windows.
    pub fn new(total: usize) -> Self {
        Self {
            done: 0,
            total,
            visible: std::io::stderr().is_terminal(),
        }
    }

    /// Says what happens outside of windows.
    pub fn say(&self, what: &str) {
        self.write(&format!("[{}/{}] {what}", self.done, self.total));
    }

    /// A window begins.
    pub fn next(&mut self, what: &str) {
        self.done += 1;
        self.say(what);
    }

    fn write(&self, line: &str) {
        if self.visible {
            let mut stderr = std::io::stderr().lock();
            let _terminal_gone = write!(stderr, "\r\x1b[K{line}");
            let _terminal_gone = stderr.flush();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.write("");
    }
}
