//! Receiving: heads into a small buffer of the connection, payload straight into its destination.

use crate::{
    deadline::Deadline,
    limits::{BODY_TIMEOUT, DRAIN_BYTES_MAX, FRAMING_READ_BYTES, HEAD_TIMEOUT, IDLE_TIMEOUT, INBOX_BYTES_MIN},
    rt::Stream,
};
use proto::{
    auth::body::BodyDecoder,
    error::{ErrorCode, S3Error},
    http::{
        body::Want,
        head::{HeadError, RequestHead},
        response::ResponseHead,
    },
    limits::REQUEST_HEAD_BYTES_MAX,
};
use std::{io, rc::Rc};

/// Bytes received and not consumed yet.
#[derive(Debug, Default)]
pub struct Inbox {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Inbox {
    /// With bytes that were received elsewhere.
    pub fn holding(bytes: Vec<u8>) -> Self {
        Self {
            start: 0,
            end: bytes.len(),
            bytes,
        }
    }

    /// What is there.
    pub fn unread(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Marks bytes as read.
    pub fn consume(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            if self.bytes.len() > INBOX_BYTES_MIN {
                self.bytes = Vec::new();
            }
        }
    }

    /// Receives at most `limit` more bytes; 0 at the end of the connection.
    async fn receive(&mut self, stream: &mut Stream, limit: usize) -> std::io::Result<usize> {
        if self.bytes.is_empty() {
            self.bytes.resize(INBOX_BYTES_MIN, 0);
        }
        if self.end == self.bytes.len() {
            if self.start > 0 {
                self.bytes.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            } else {
                let grown = (self.bytes.len() * 2).min(2 * REQUEST_HEAD_BYTES_MAX);
                self.bytes.resize(grown, 0);
            }
        }
        let stop = self.bytes.len().min(self.end.saturating_add(limit));
        let space = self.bytes.get_mut(self.end..stop).unwrap_or_default();
        let count = stream.read(space).await?;
        self.end += count;
        Ok(count)
    }
}

/// How waiting for a request ended.
#[derive(Debug)]
pub enum HeadOutcome {
    /// A request.
    Head(RequestHead),
    /// The client closed or was too slow; nothing is answered.
    Closed,
    /// Not HTTP, or over a limit: answered once, then closed.
    Bad(HeadError),
}

/// Receives the next head. The time-out starts over with its first byte.
pub async fn head(inbox: &mut Inbox, stream: &mut Stream, deadline: &Deadline, first: bool) -> HeadOutcome {
    let mut started = !inbox.unread().is_empty() || first;
    if started {
        deadline.set(HEAD_TIMEOUT);
    } else {
        deadline.rest(IDLE_TIMEOUT);
    }
    loop {
        if !inbox.unread().is_empty() {
            match RequestHead::parse(inbox.unread()) {
                Ok(Some((head, length))) => {
                    inbox.consume(length);
                    return HeadOutcome::Head(head);
                }
                Ok(None) if inbox.unread().len() >= REQUEST_HEAD_BYTES_MAX => {
                    return HeadOutcome::Bad(HeadError::TooLarge);
                }
                Ok(None) => {}
                Err(error) => return HeadOutcome::Bad(error),
            }
        }
        match inbox.receive(stream, REQUEST_HEAD_BYTES_MAX).await {
            Ok(0) | Err(_) => return HeadOutcome::Closed,
            Ok(_) if !started => {
                started = true;
                deadline.set(HEAD_TIMEOUT);
            }
            Ok(_) => {}
        }
    }
}

/// Receives the head of an answer, from another core.
pub async fn answer_head(inbox: &mut Inbox, stream: &mut Stream, deadline: &Deadline) -> io::Result<ResponseHead> {
    let malformed = |error: HeadError| io::Error::new(io::ErrorKind::InvalidData, error);
    loop {
        if let Some(head) = ResponseHead::parse(inbox.unread()).map_err(malformed)? {
            inbox.consume(head.length);
            return Ok(head);
        }
        deadline.set(BODY_TIMEOUT);
        if inbox.receive(stream, REQUEST_HEAD_BYTES_MAX).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// A body being received.
pub struct Body<'c> {
    /// The connection's buffer.
    pub inbox: &'c mut Inbox,
    /// The connection.
    pub stream: &'c mut Stream,
    /// The connection's deadline.
    pub deadline: &'c Rc<Deadline>,
    /// Both framings.
    pub decoder: BodyDecoder,
}

impl Body<'_> {
    /// Fills `destination` with payload; fewer bytes only at the end of the body. `IncompleteBody` when the client goes away.
    pub async fn fill(&mut self, destination: &mut [u8]) -> Result<usize, S3Error> {
        let mut filled = 0;
        while filled < destination.len() {
            let space = destination.get_mut(filled..).unwrap_or_default();
            match self.decoder.want() {
                Want::End => break,
                Want::Framing => self.framing().await?,
                Want::Payload(most) => {
                    let most = usize::try_from(most).unwrap_or(usize::MAX).min(space.len());
                    let space = space.get_mut(..most).unwrap_or_default();
                    let count = self.receive_payload(space).await?;
                    self.decoder
                        .payload(destination.get(filled..filled + count).unwrap_or_default());
                    filled += count;
                }
            }
        }
        Ok(filled)
    }

    async fn receive_payload(&mut self, space: &mut [u8]) -> Result<usize, S3Error> {
        // What came with the head or with framing is copied; everything else is received in place.
        let unread = self.inbox.unread();
        if !unread.is_empty() {
            let count = unread.len().min(space.len());
            for (to, from) in [(space.get_mut(..count), unread.get(..count))]
                .into_iter()
                .filter_map(|(t, f)| t.zip(f))
            {
                to.copy_from_slice(from);
            }
            self.inbox.consume(count);
            return Ok(count);
        }
        self.deadline.set(BODY_TIMEOUT);
        match self.stream.read(space).await {
            Ok(0) | Err(_) => Err(S3Error::new(ErrorCode::IncompleteBody)),
            Ok(count) => Ok(count),
        }
    }

    /// Takes framing until payload or the end comes.
    async fn framing(&mut self) -> Result<(), S3Error> {
        // Also with nothing there: a body that cannot become complete any more is refused without waiting.
        let taken = self.decoder.framing(self.inbox.unread())?;
        self.inbox.consume(taken);
        if taken > 0 || self.decoder.want() != Want::Framing {
            return Ok(());
        }
        self.deadline.set(BODY_TIMEOUT);
        match self.inbox.receive(self.stream, FRAMING_READ_BYTES).await {
            Ok(0) | Err(_) => Err(S3Error::new(ErrorCode::IncompleteBody)),
            Ok(_) => Ok(()),
        }
    }

    /// Whether the body is complete; takes remaining framing. More payload is `IncompleteBody`.
    pub async fn end(&mut self) -> Result<(), S3Error> {
        loop {
            match self.decoder.want() {
                Want::End => return Ok(()),
                Want::Framing => self.framing().await?,
                Want::Payload(_) => return Err(S3Error::new(ErrorCode::IncompleteBody)),
            }
        }
    }

    /// Waits until payload is there, before a buffer is taken for it: a client that sends nothing holds nothing.
    pub async fn ready(&mut self) -> Result<(), S3Error> {
        if !self.inbox.unread().is_empty() {
            return Ok(());
        }
        self.deadline.set(BODY_TIMEOUT);
        self.stream
            .readable()
            .await
            .map_err(|_| S3Error::new(ErrorCode::IncompleteBody))
    }

    /// Takes in what is left of a short body after an error, so that the connection can be kept. `false`: too much is
    /// left, or the framing is broken.
    pub async fn drain(&mut self) -> bool {
        let mut scratch = [0u8; 2048];
        let mut left = DRAIN_BYTES_MAX;
        loop {
            match self.fill(&mut scratch).await {
                Ok(0) => return true,
                Ok(count) => {
                    left = left.saturating_sub(count as u64);
                    if left == 0 {
                        return false;
                    }
                }
                Err(_) => return false,
            }
        }
    }
}

/// Sends `100 Continue` if the client waits for it and nothing of the body came unasked.
pub async fn send_continue(head: &RequestHead, inbox: &Inbox, stream: &mut Stream) -> std::io::Result<()> {
    if head.expects_continue() && inbox.unread().is_empty() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    Ok(())
}
