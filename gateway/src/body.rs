//! Request bodies as far as the gateway itself deals with them: reads small ones, verified; throws unread ones away.

use crate::{
    connection::Connection,
    gateway::Gateway,
    limits::{BODY_DRAIN_BYTES_MAX, BODY_PROGRESS_TIME, HEAD_BUFFER_BYTES},
};
use proto::{
    auth::{body::BodyDecoder, chunked::ChunkSigner, payload::PayloadDeclaration, verify::Verified, xml_body},
    error::{ErrorCode, S3Error},
    http::{
        body::{HttpFraming, Want},
        head::{BodyFraming, RequestHead},
        response::CONTINUE,
    },
};
use std::io;

/// How far a request's body has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Unread,
    Complete,
    /// It cannot be told any more where the next request begins.
    Broken,
}

/// The body of the request being served.
#[derive(Debug)]
pub struct Body {
    framing: BodyFraming,
    awaits_continue: bool,
    progress: Progress,
}

impl Body {
    /// Of a request whose head was just read.
    pub fn new(head: &RequestHead) -> Self {
        let framing = head.framing();
        let is_empty = matches!(framing, BodyFraming::None | BodyFraming::Length(0));
        Self {
            framing,
            awaits_continue: head.expects_continue(),
            progress: if is_empty { Progress::Complete } else { Progress::Unread },
        }
    }
    /// Whether nothing of it is left on the connection.
    pub fn is_complete(&self) -> bool {
        self.progress == Progress::Complete
    }
    /// How it is delimited.
    pub fn framing(&self) -> BodyFraming {
        self.framing
    }
    /// Someone else has read it to its end.
    pub fn set_complete(&mut self) {
        self.progress = Progress::Complete;
    }
    /// Someone else has read a part of it.
    pub fn set_broken(&mut self) {
        self.progress = Progress::Broken;
    }
    /// Whether it may be thrown away after the answer, so that the connection can be kept.
    pub fn is_worth_draining(&self) -> bool {
        self.progress == Progress::Unread
            && !self.awaits_continue
            && matches!(self.framing, BodyFraming::Length(length) if length <= BODY_DRAIN_BYTES_MAX)
    }

    /// Reads a body of at most `bytes_max` and verifies everything the head declares of it. `verified`: the request's
    /// signature; `None` only where nothing is verified.
    pub async fn read(
        &mut self,
        gateway: &Gateway,
        connection: &mut Connection,
        head: &RequestHead,
        verified: Option<&Verified>,
        bytes_max: usize,
    ) -> Result<Vec<u8>, S3Error> {
        let declaration = match self.framing {
            // No length is no body; what is said of it must be true of nothing.
            BodyFraming::None if head.header("x-amz-decoded-content-length").is_none() => {
                return xml_body::verify(&PayloadDeclaration::of_nothing(head)?, &[], &[]).map(|()| Vec::new());
            }
            _ => PayloadDeclaration::from_request(head)?,
        };
        let declaration = match verified {
            None => declaration.without_chunk_signatures(),
            Some(_) => declaration,
        };
        let too_large = || S3Error::new(ErrorCode::MaxMessageLengthExceeded);
        let length = declaration.decoded_length.ok_or(ErrorCode::MissingContentLength)?;
        let length = usize::try_from(length)
            .ok()
            .filter(|&length| length <= bytes_max)
            .ok_or_else(too_large)?;
        let _reservation = gateway.body_memory.reserve(length).ok_or(ErrorCode::SlowDown)?;
        let signer = verified.map(|verified| ChunkSigner {
            signing_key: verified.signing_key.clone(),
            timestamp: verified.timestamp.clone(),
            scope: verified.scope.clone(),
            seed_signature: verified.signature,
        });
        let mut decoder = BodyDecoder::new(self.framing, &declaration, signer)?;
        let mut payload = Vec::with_capacity(length);
        if self.progress == Progress::Complete {
            return xml_body::verify(&declaration, &payload, decoder.trailers()).map(|()| payload);
        }
        self.begin(connection).await?;
        loop {
            let mut taken = 0;
            let done = loop {
                let bytes = connection.buffer.get(taken..).unwrap_or_default();
                match decoder.want() {
                    Want::End => break true,
                    Want::Payload(_) if bytes.is_empty() => break false,
                    Want::Payload(count) => {
                        let count = usize::try_from(count).unwrap_or(usize::MAX).min(bytes.len());
                        let part = bytes.get(..count).unwrap_or_default();
                        if payload.len() + part.len() > bytes_max {
                            return Err(too_large());
                        }
                        decoder.payload(part);
                        payload.extend_from_slice(part);
                        taken += count;
                    }
                    Want::Framing => match decoder.framing(bytes)? {
                        0 => break false,
                        count => taken += count,
                    },
                }
            };
            connection.buffer.drain(..taken);
            if done {
                break;
            }
            receive(connection).await.map_err(|error| gone(&error))?;
        }
        self.progress = Progress::Complete;
        connection.noted.received_bytes = payload.len() as u64;
        xml_body::verify(&declaration, &payload, decoder.trailers())?;
        Ok(payload)
    }

    /// Asks for the body, where the client waits for that. From here on it is read to its end, or the connection closes.
    async fn begin(&mut self, connection: &mut Connection) -> Result<(), S3Error> {
        self.progress = Progress::Broken;
        if self.awaits_continue && connection.buffer.is_empty() {
            let go_on = CONTINUE.to_vec();
            let (sent, _) = connection.stream.writer.write_all(go_on, BODY_PROGRESS_TIME).await;
            sent.map_err(|error| gone(&error))?;
        }
        Ok(())
    }

    /// The body piece by piece, as it arrives, without its framing.
    pub async fn pieces(&mut self, connection: &mut Connection) -> Result<Pieces<'_>, S3Error> {
        let framing = HttpFraming::new(self.framing);
        if self.progress == Progress::Unread {
            self.begin(connection).await?;
        }
        Ok(Pieces { body: self, framing })
    }

    /// Throws away what is left of the body. Whether its end was reached.
    pub async fn discard(&mut self, connection: &mut Connection) -> bool {
        let mut framing = HttpFraming::new(self.framing);
        while self.progress == Progress::Unread {
            let taken = match consume(&mut framing, &connection.buffer) {
                Ok(taken) => taken,
                Err(_) => break,
            };
            connection.buffer.drain(..taken);
            if framing.want() == Want::End {
                self.progress = Progress::Complete;
            } else if receive(connection).await.is_err() {
                self.progress = Progress::Broken;
            }
        }
        self.is_complete()
    }
}

/// See [`Body::pieces`].
#[derive(Debug)]
pub struct Pieces<'b> {
    body: &'b mut Body,
    framing: HttpFraming,
}

impl Pieces<'_> {
    /// What has arrived and was not taken, or what arrives next; `None`: that was all.
    pub async fn next(&mut self, connection: &mut Connection) -> Result<Option<Vec<u8>>, S3Error> {
        loop {
            let available = connection.buffer.len();
            match self.framing.want() {
                Want::End => {
                    self.body.progress = Progress::Complete;
                    return Ok(None);
                }
                Want::Payload(left) if available > 0 => {
                    let count = usize::try_from(left).unwrap_or(usize::MAX).min(available);
                    self.framing.payload(u64::try_from(count).unwrap_or(u64::MAX));
                    connection.noted.received_bytes += u64::try_from(count).unwrap_or(u64::MAX);
                    return Ok(Some(connection.buffer.drain(..count).collect()));
                }
                Want::Payload(_) => receive(connection).await.map_err(|error| gone(&error))?,
                Want::Framing => match self.framing.framing(&connection.buffer)? {
                    0 => receive(connection).await.map_err(|error| gone(&error))?,
                    count => {
                        connection.buffer.drain(..count);
                    }
                },
            }
        }
    }
    /// How many bytes are still to come, where the length is known.
    pub fn left(&self) -> Option<u64> {
        match (self.body.framing, self.framing.want()) {
            (BodyFraming::Chunked, _) => None,
            (_, Want::Payload(left)) => Some(left),
            _ => Some(0),
        }
    }
}

/// How many of `bytes` belong to the body, with incomplete framing at their end left out.
pub fn consume(framing: &mut HttpFraming, bytes: &[u8]) -> Result<usize, S3Error> {
    let mut taken = 0;
    loop {
        let rest = bytes.get(taken..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(taken);
        }
        match framing.want() {
            Want::End => return Ok(taken),
            Want::Payload(left) => {
                let count = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                framing.payload(u64::try_from(count).unwrap_or(u64::MAX));
                taken += count;
            }
            Want::Framing => match framing.framing(rest)? {
                0 => return Ok(taken),
                count => taken += count,
            },
        }
    }
}

async fn receive(connection: &mut Connection) -> io::Result<()> {
    let buffer = &mut connection.buffer;
    if buffer.spare_capacity_mut().len() < HEAD_BUFFER_BYTES / 2 {
        buffer.reserve(HEAD_BUFFER_BYTES * 4);
    }
    let (result, buffer) = connection
        .stream
        .reader
        .read(std::mem::take(&mut connection.buffer), Some(BODY_PROGRESS_TIME))
        .await;
    connection.buffer = buffer;
    match result? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// What a client is told that stopped in the middle of its body, if it still listens.
pub fn gone(error: &io::Error) -> S3Error {
    match error.kind() {
        io::ErrorKind::TimedOut => ErrorCode::RequestTimeout.into(),
        _ => ErrorCode::IncompleteBody.into(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{BodyFraming, HttpFraming, Want, consume};

    #[test]
    fn consumes_exactly_the_body_at_every_split() {
        let wire = b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n";
        let mut pipelined = wire.to_vec();
        pipelined.extend_from_slice(b"GET / HTTP/1.1\r\n");
        for split in 0..pipelined.len() {
            let mut framing = HttpFraming::new(BodyFraming::Chunked);
            let mut taken = consume(&mut framing, &pipelined[..split]).unwrap();
            taken += consume(&mut framing, &pipelined[taken..]).unwrap();
            assert_eq!(framing.want(), Want::End);
            assert_eq!(taken, wire.len());
        }
    }

    #[test]
    fn length_framing_leaves_the_next_request() {
        let mut framing = HttpFraming::new(BodyFraming::Length(3));
        assert_eq!(consume(&mut framing, b"abcGET").unwrap(), 3);
        assert_eq!(framing.want(), Want::End);
    }
}
