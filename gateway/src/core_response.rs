//! Reads the response heads of cores.

use crate::rt::Reader;
use proto::http::response::ResponseHead;
use std::{io, time::Duration};

/// How waiting for a response head ended without one.
#[derive(Debug)]
pub enum NoResponse {
    /// The connection ended before the first byte: worth another try on a new connection.
    Nothing(io::Error),
    /// The connection ended, or spoke something else than HTTP, in the middle of the head.
    Broken(io::Error),
}

impl NoResponse {
    /// The error behind it.
    pub fn error(&self) -> &io::Error {
        match self {
            Self::Nothing(error) | Self::Broken(error) => error,
        }
    }
}

/// Receives into `buffer`, up to the protocol's limit of a head, until it begins with a whole response head; what follows the head stays in the buffer.
pub async fn read_head(
    reader: &mut Reader,
    buffer: &mut Vec<u8>,
    limit: Option<Duration>,
) -> Result<ResponseHead, NoResponse> {
    loop {
        if !buffer.is_empty() {
            match ResponseHead::parse(buffer) {
                Ok(Some(head)) => return Ok(head),
                Ok(None) => {}
                Err(error) => return Err(NoResponse::Broken(io::Error::other(error))),
            }
        }
        if buffer.spare_capacity_mut().is_empty() {
            buffer.reserve(buffer.len().max(1024));
        }
        let (result, returned) = reader.read(std::mem::take(buffer), limit).await;
        *buffer = returned;
        let error = match result {
            Ok(0) => io::ErrorKind::UnexpectedEof.into(),
            Ok(_) => continue,
            Err(error) => error,
        };
        return Err(if buffer.is_empty() && error.kind() != io::ErrorKind::TimedOut {
            NoResponse::Nothing(error)
        } else {
            NoResponse::Broken(error)
        });
    }
}
