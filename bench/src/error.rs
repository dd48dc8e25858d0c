//! What can go wrong in a benchmark run, with words for the person who runs it.

use std::{fmt::Display, io};

/// An error that ends the run.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The operating system refused something.
    #[error("{action}: {source}")]
    Io {
        /// What was tried.
        action: String,
        /// What the system said.
        source: io::Error,
    },
    /// A server answered something else than a benchmark may count.
    #[error("{server} answered {what}: {text}")]
    Answer {
        /// Its address.
        server: String,
        /// Status or failure.
        what: String,
        /// The start of its answer, or advice.
        text: String,
    },
    /// A server did not start, stopped, or hung.
    #[error("{0}")]
    Server(String),
    /// The machine or the flags do not allow the run.
    #[error("{0}")]
    Usage(String),
}

/// What fallible functions of the benchmark return.
pub type Result<T> = std::result::Result<T, BenchError>;

/// Adds what was tried to an operating system error.
pub trait Context<T> {
    /// Converts the error, naming the `action`.
    fn context(self, action: impl Display) -> Result<T>;
}

impl<T, E: Into<io::Error>> Context<T> for std::result::Result<T, E> {
    fn context(self, action: impl Display) -> Result<T> {
        self.map_err(|source| BenchError::Io {
            action: action.to_string(),
            source: source.into(),
        })
    }
}
