//! How a command fails: a line or two for a person, and an exit code for a script.

use std::io;

/// The exit codes, as `corelane --help` and the man page show them.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  Done
  1  Failed
  2  Wrong usage
  3  Not found: a bucket, an object, a key or a setting
  4  Access denied, or bad credentials
  5  No store answers";

/// The result of a command.
pub type Result<T> = std::result::Result<T, CliError>;

/// A failed command. Messages say what to do next.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The flags do not make sense together: exit code 2, as for flags that do not parse.
    #[error("{0}")]
    Usage(String),
    /// It could not be done: exit code 1.
    #[error("{0}")]
    Failed(String),
    /// What was named is not there: exit code 3.
    #[error("{0}")]
    NotFound(String),
    /// The store refused who asked: exit code 4.
    #[error("{0}")]
    Denied(String),
    /// No store answers: exit code 5.
    #[error("{0}")]
    Unreachable(String),
    /// It could not be done, and standard error says why already: exit code 1.
    #[error("reported already")]
    Reported,
    /// Whoever reads standard output has read enough, as in `corelane ls | head`: no failure, nothing to say.
    #[error("standard output is closed")]
    OutputClosed,
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

    /// Something is not there.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::NotFound(message.into())
    }

    /// The error answer of a store, native or S3's: `code` decides where it tells more than the HTTP status.
    pub fn answered(status: u16, code: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        match (code, status) {
            (
                "AccessDenied"
                | "InvalidAccessKeyId"
                | "SignatureDoesNotMatch"
                | "RequestTimeTooSkewed"
                | "AllAccessDisabled",
                _,
            )
            | (_, 401 | 403) => Self::Denied(message),
            (_, 404) => Self::NotFound(message),
            _ => Self::Failed(message),
        }
    }

    /// Standard output could not be written.
    pub fn output(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::failed(format!("cannot write to standard output: {error}")),
        }
    }

    /// What is left to print after `error: `.
    pub fn message(&self) -> Option<&str> {
        match self {
            Self::Usage(message)
            | Self::Failed(message)
            | Self::NotFound(message)
            | Self::Denied(message)
            | Self::Unreachable(message) => Some(message),
            Self::Reported | Self::OutputClosed => None,
        }
    }

    /// The exit code of the process.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::OutputClosed => 0,
            Self::Failed(_) | Self::Reported => 1,
            Self::Usage(_) => 2,
            Self::NotFound(_) => 3,
            Self::Denied(_) => 4,
            Self::Unreachable(_) => 5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{CliError, EXIT_CODES};

    #[test]
    fn answers_become_the_documented_exit_codes() {
        let code = |status, code| CliError::answered(status, code, "m").exit_code();
        assert_eq!(code(404, "NoSuchBucket"), 3);
        assert_eq!(code(404, ""), 3);
        assert_eq!(code(403, "AccessDenied"), 4);
        assert_eq!(code(400, "InvalidAccessKeyId"), 4);
        assert_eq!(code(409, "BucketNotEmpty"), 1);
        assert_eq!(code(503, "SlowDown"), 1);
        for exit_code in 0..=5 {
            assert!(EXIT_CODES.contains(&format!("\n  {exit_code}  ")));
        }
    }
}
