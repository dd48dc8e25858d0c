//! One client connection: what it holds, how it receives heads, how it ends.

use crate::{
    access_log::{self, Noted, Outcome},
    answer::Answer,
    gateway::Gateway,
    limits::{HEAD_BUFFER_BYTES, HEAD_TIME, IDLE_TIME, LINGER_BYTES_MAX, LINGER_TIME},
    rt::Stream,
};
use proto::{
    error::S3Error,
    http::head::{HeadError, RequestHead},
    limits::REQUEST_HEAD_BYTES_MAX,
    tls::{PLAIN_HTTP_ANSWER, session::SessionError},
};
use std::{io, net::IpAddr, rc::Rc, time::Instant};

/// A client connection between and during requests.
pub struct Connection {
    /// The socket.
    pub stream: Stream,
    /// Received and not consumed yet: of the body being read, or of the next request.
    pub buffer: Vec<u8>,
    /// The client's address; for a connection a core passed on, the address that core saw.
    pub client: IpAddr,
    /// A core passed this connection on: it is never redirected.
    pub relayed: bool,
    /// A core had no room for it: its next request is not passed to one again.
    pub refused: bool,
    /// It came to the port of web sites.
    pub is_website: bool,
    /// Requests served.
    pub served: u64,
    /// What the request being served asks for, once that is known.
    pub operation: Option<&'static str>,
    /// What else the access log tells of it.
    pub noted: Noted,
}

/// What becomes of a connection after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// It waits for another request.
    KeepAlive,
    /// It is closed.
    Close,
    /// It is closed once the client has had time to read the answer it may be still sending against.
    Linger,
    /// The admin API takes it over.
    Admin,
    /// A core has it.
    Passed,
}

/// What serving a request came to.
pub enum Served {
    /// The gateway answers.
    Answer(Answer),
    /// A core has answered.
    Relayed(Relayed),
    /// A core has the connection, and answers on it.
    Passed,
}

/// What relaying a core's answer came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relayed {
    /// The answer's status.
    pub status: u16,
    /// What becomes of the connection.
    pub next: Next,
}

impl From<Answer> for Served {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}

/// How waiting for a request ended.
pub enum NextHead {
    /// A request.
    Head(RequestHead),
    /// Not HTTP, or over a limit.
    Refused(HeadError),
    /// The client is gone or was too slow.
    Closed,
}

impl Connection {
    /// A new connection of a client.
    pub fn new(stream: Stream, client: IpAddr) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
            client,
            relayed: false,
            refused: false,
            is_website: false,
            served: 0,
            operation: None,
            noted: Noted::default(),
        }
    }
    /// Receives the next head.
    pub async fn next_head(&mut self) -> NextHead {
        let mut started = (!self.buffer.is_empty()).then(Instant::now);
        let mut worth_parsing = !self.buffer.is_empty();
        loop {
            if worth_parsing {
                match RequestHead::parse(&self.buffer) {
                    Ok(Some((head, length))) => {
                        self.buffer.drain(..length.min(self.buffer.len()));
                        return NextHead::Head(head);
                    }
                    Ok(None) if self.buffer.len() >= REQUEST_HEAD_BYTES_MAX => {
                        return NextHead::Refused(HeadError::TooLarge);
                    }
                    Ok(None) => {}
                    Err(error) => return NextHead::Refused(error),
                }
            }
            let Some(received) = self.receive_head(started).await else {
                return NextHead::Closed;
            };
            started.get_or_insert_with(Instant::now);
            // A head cannot be complete without another line end, and there are not many lines in one: a client that
            // sends byte by byte does not get a parse for each.
            let new = self.buffer.len().saturating_sub(received);
            worth_parsing = self.buffer.get(new..).is_some_and(|bytes| bytes.contains(&b'\n'))
                || self.buffer.len() >= REQUEST_HEAD_BYTES_MAX;
        }
    }
    /// Receives more of a head; `None`: the client is gone or too slow.
    async fn receive_head(&mut self, started: Option<Instant>) -> Option<usize> {
        if self.buffer.is_empty() && self.buffer.capacity() != HEAD_BUFFER_BYTES {
            self.buffer = Vec::with_capacity(HEAD_BUFFER_BYTES);
        }
        if self.buffer.spare_capacity_mut().is_empty() {
            self.buffer.reserve_exact(self.buffer.len().max(HEAD_BUFFER_BYTES));
        }
        let buffer = std::mem::take(&mut self.buffer);
        let reader = &mut self.stream.reader;
        let (result, buffer) = match started {
            Some(started) => {
                let left = HEAD_TIME.saturating_sub(started.elapsed());
                reader.read(buffer, Some(left)).await
            }
            None => {
                reader
                    .read_idle(buffer, if self.served == 0 { HEAD_TIME } else { IDLE_TIME })
                    .await
            }
        };
        self.buffer = buffer;
        result.ok().filter(|&count| count > 0)
    }
    /// Closes a connection without TLS; a client that spoke plain HTTP is told what this port speaks.
    pub async fn handshake_failed(mut self, error: &io::Error) {
        tracing::debug!(client = %self.client, %error, "no TLS");
        let reason = error.get_ref().and_then(|reason| reason.downcast_ref());
        if let Some(SessionError::PlainHttp) = reason {
            self.stream.end_tls();
            let answer = PLAIN_HTTP_ANSWER.to_vec();
            if self.stream.writer.write_all(answer, LINGER_TIME).await.0.is_ok() {
                self.linger().await;
            }
        }
    }
    /// Answers a head that cannot be served.
    pub async fn refuse(mut self, gateway: &Gateway, error: HeadError) {
        let error = S3Error::from(error);
        let id = gateway.request_ids.next();
        tracing::debug!(request_id = id, client = %self.client, %error, "head refused");
        gateway.requests.count(None, error.status(), None);
        let answer = Answer::error(&error, "", &id);
        let outcome = Outcome {
            status: error.status(),
            way: None,
            request_id: &id,
        };
        access_log::record_refused(gateway, self.client, answer.body_bytes(false), outcome);
        let bytes = answer.encode(&id, &gateway.date.now(), false, false);
        if self.stream.writer.write_all(bytes, LINGER_TIME).await.0.is_ok() {
            self.linger().await;
        }
    }
    /// Ends this side and throws away what the client still sends, for a while: closing a socket with unread bytes
    /// resets it, and a reset can overtake the answer.
    pub async fn linger(mut self) {
        self.stream.writer.shutdown();
        let deadline = Instant::now() + LINGER_TIME;
        let mut discarded = 0u64;
        let mut scratch = Vec::with_capacity(HEAD_BUFFER_BYTES);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || discarded > LINGER_BYTES_MAX {
                return;
            }
            scratch.clear();
            let (result, buffer) = self.stream.reader.read(scratch, Some(left)).await;
            scratch = buffer;
            match result {
                Ok(count) if count > 0 => {
                    discarded = discarded.saturating_add(u64::try_from(count).unwrap_or(u64::MAX))
                }
                _ => return,
            }
        }
    }
}

/// Counts a connection for as long as it lives.
pub struct Counted(Rc<Gateway>);

impl Counted {
    /// One more.
    pub fn new(gateway: &Rc<Gateway>) -> Self {
        gateway.connections.set(gateway.connections.get() + 1);
        Self(Rc::clone(gateway))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.connections.set(self.0.connections.get().saturating_sub(1));
    }
}
