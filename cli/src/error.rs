//! How a command fails: one line for a person, and an exit code for a script.

/// The result of a command.
pub type Result<T> = std::result::Result<T, CliError>;

/// A failed command.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The flags do not make sense together: exit code 2, as for flags that do not parse.
    #[error("{0}")]
    Usage(String),
    /// It could not be done: exit code 1. The message says what to do next.
    #[error("{0}")]
    Failed(String),
    /// It could not be done, and a child process has already said why on standard error.
    #[error("reported by a child process")]
    Reported,
}

impl CliError {
    /// Bad usage.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    /// A failure.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }

    /// What is left to print after `error: `.
    pub fn message(&self) -> Option<&str> {
        match self {
            Self::Usage(message) | Self::Failed(message) => Some(message),
            Self::Reported => None,
        }
    }

    /// The exit code of the process.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Failed(_) | Self::Reported => 1,
        }
    }
}
