//! How a call fails, what is worth another try, and what to say of it.

use crate::{client::Client, error::CliError, output::printable};
use reqwest::StatusCode;
use std::io;

/// A call, or what was to be done around it, that failed.
#[derive(Debug)]
pub enum Failure {
    /// No whole answer came.
    Lost(reqwest::Error),
    /// No whole body came.
    Cut(String),
    /// The store's error answer.
    Answered {
        /// Its status.
        status: StatusCode,
        /// Such as `NoSuchKey`.
        code: String,
        /// For people.
        message: String,
    },
    /// An answer that no store of this kind gives.
    Stranger(StatusCode, Vec<u8>),
    /// What came is not what the store said it is.
    Damaged(String),
    /// It failed on this side; the message says at what.
    Local(String),
    /// The user wants no more.
    Interrupted,
    /// Something said so in full already.
    Plain(CliError),
}

/// The result of a call.
pub type CallResult<T> = std::result::Result<T, Failure>;

impl Failure {
    /// An error of a file.
    pub fn of_file(what: &str, path: &std::path::Path, error: &io::Error) -> Self {
        Self::Local(format!("cannot {what} {}: {error}", path.display()))
    }

    /// An answer without a part that it must have.
    pub fn odd(what: &str) -> Self {
        Self::Plain(CliError::failed(format!(
            "the store's answer has no usable {what}; is it of another version?"
        )))
    }

    /// Whether the same may succeed a little later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Lost(error) => !error.is_builder() && !error.is_redirect(),
            Self::Cut(_) => true,
            Self::Answered { status, code, .. } => {
                matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504) || code == "RequestTimeout"
            }
            Self::Stranger(status, _) => matches!(status.as_u16(), 502..=504),
            Self::Damaged(_) | Self::Local(_) | Self::Interrupted | Self::Plain(_) => false,
        }
    }

    /// Whether everything else would fail the same way.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Lost(_) | Self::Stranger(..) | Self::Interrupted => true,
            Self::Answered { code, .. } => matches!(
                code.as_str(),
                "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "RequestTimeTooSkewed" | "NoSuchBucket"
            ),
            Self::Cut(_) | Self::Damaged(_) | Self::Local(_) | Self::Plain(_) => false,
        }
    }

    /// Whether the store answered with one of these codes.
    pub fn is_code(&self, codes: &[&str]) -> bool {
        matches!(self, Self::Answered { code, .. } if codes.contains(&code.as_str()))
    }

    /// The error to end with, for what was done to `what`.
    pub fn into_error(self, client: &Client, what: &str) -> CliError {
        let what = printable(what);
        match self {
            Self::Lost(error) => client.unreachable(&error),
            Self::Cut(reason) => CliError::failed(format!("{what}: the connection to the store broke: {reason}")),
            Self::Answered { status, code, message } => client.refused(status, &code, &format!("{message} ({what})")),
            Self::Stranger(status, body) => client.stranger(status, &body),
            Self::Damaged(message) | Self::Local(message) => CliError::failed(format!("{what}: {message}")),
            Self::Interrupted => {
                CliError::failed("interrupted; the same command, given again, goes on where this one ended")
            }
            Self::Plain(error) => error,
        }
    }
}

impl From<CliError> for Failure {
    fn from(error: CliError) -> Self {
        Self::Plain(error)
    }
}
