//! A connection on a core's port while it is served: what it holds, and how it answers.

use crate::{
    access_log::Record,
    answer::Exchange,
    core::Core,
    deadline::Deadline,
    limits::{BODY_TIMEOUT, LINGER_BYTES_MAX, LINGER_TIMEOUT},
    recv::Inbox,
    rt::Stream,
    stats::Kind,
};
use proto::{
    auth::lease::Lease,
    cluster::map::Uuid,
    error::{ErrorCode, S3Error},
    http::head::{BodyFraming, HeadError, Method, RequestHead},
    tls::{PLAIN_HTTP_ANSWER, session::SessionError},
};
use std::{
    cell::Cell,
    io,
    net::{IpAddr, SocketAddr},
    rc::Rc,
};

/// A client's connection while a core serves it.
pub struct Connection<'c> {
    /// The core.
    pub core: &'c Rc<Core>,
    /// The socket.
    pub stream: Stream,
    /// Bytes received and not consumed.
    pub inbox: Inbox,
    /// The time-out.
    pub deadline: Rc<Deadline>,
    /// What it brought from a gateway.
    pub pass: Pass,
}

/// What a connection brings that a gateway has passed on. Empty for one that came to the core's own port.
#[derive(Debug, Default)]
pub struct Pass {
    /// The ticket of its first request.
    pub ticket: Option<String>,
    /// For the requests after that.
    pub lease: Option<Box<Lease>>,
    /// The gateway.
    pub gateway: Option<Uuid>,
    /// The client's address, as the gateway saw it.
    pub client: Option<String>,
    /// It had come to a core's own port before.
    pub relayed: bool,
}

impl Pass {
    /// Whether the connection came to another port than this core's: its client does not know where it is served.
    pub fn is_guest(&self) -> bool {
        self.client.is_some()
    }

    /// Whether the client had come to a core's own port, where a redirect would send it.
    pub fn is_relayed(&self) -> bool {
        self.relayed || self.gateway.is_none()
    }
}

/// What an operation leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// The next request may come on this connection.
    KeepAlive,
    /// The connection closes.
    Close,
}

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        self.deadline.disarm();
    }
}

impl Connection<'_> {
    /// The client's address.
    pub fn client(&self) -> String {
        let seen = || self.stream.peer().map(|address| address.to_string());
        self.pass.client.clone().or_else(seen).unwrap_or_default()
    }

    /// The client's address without its port.
    fn client_ip(&self) -> Option<IpAddr> {
        let Some(passed) = &self.pass.client else {
            return self.stream.peer().map(|address| address.ip());
        };
        let with_port = passed.parse::<SocketAddr>().map(|address| address.ip());
        with_port.or_else(|_| passed.parse()).ok()
    }

    /// What answers to a request need.
    pub fn exchange_for(&self, head: &RequestHead, kind: Kind) -> Exchange {
        Exchange {
            request_id: self.core.next_request_id(),
            method: head.method(),
            resource: head.raw_path().to_owned(),
            keep_alive: head.keep_alive() && !self.core.is_stopping(),
            kind,
            counters: Rc::clone(&self.core.counters.requests),
            status: Cell::new(0),
            received_bytes: Cell::new(0),
            sent_bytes: Cell::new(0),
            cors: None,
            record: Record::new(self.core, || self.client_ip(), Some(head)),
        }
    }

    /// Sends a complete answer.
    pub async fn answer(&mut self, exchange: &Exchange, bytes: &[u8]) -> After {
        self.deadline.set(BODY_TIMEOUT);
        match self.stream.write_all(bytes).await {
            Ok(()) if exchange.keep_alive => After::KeepAlive,
            _ => After::Close,
        }
    }

    /// Answers an error before the body was read. The connection stays only if there is no body: what the client is
    /// about to send must not be taken for a request.
    pub async fn refuse(&mut self, head: &RequestHead, mut exchange: Exchange, error: &S3Error) -> After {
        exchange.keep_alive &= matches!(head.framing(), BodyFraming::None | BodyFraming::Length(0));
        let bytes = exchange.error(self.core, error);
        let after = self.answer(&exchange, &bytes).await;
        if after == After::Close {
            self.linger().await;
        }
        after
    }

    /// Closes without a reset: a client that is still sending its body must be able to read the answer first.
    pub async fn linger(&mut self) {
        self.stream.finish();
        self.deadline.set(LINGER_TIMEOUT);
        let mut scratch = [0u8; 8192];
        let mut left = LINGER_BYTES_MAX;
        while left > 0 {
            match self.stream.read(&mut scratch).await {
                Ok(0) | Err(_) => return,
                Ok(count) => left = left.saturating_sub(count),
            }
        }
    }

    /// Closes a connection without TLS; a client that spoke plain HTTP is told what this port speaks.
    pub async fn handshake_failed(mut self, error: &io::Error) {
        tracing::debug!(%error, client = ?self.stream.peer(), "no TLS");
        let reason = error.get_ref().and_then(|reason| reason.downcast_ref());
        if let Some(SessionError::PlainHttp) = reason {
            self.stream.end_tls();
            self.deadline.set(LINGER_TIMEOUT);
            if self.stream.write_all(PLAIN_HTTP_ANSWER).await.is_ok() {
                self.linger().await;
            }
        }
    }

    /// Answers what is not HTTP, once.
    pub async fn answer_bad_head(&mut self, error: HeadError) {
        let exchange = Exchange {
            request_id: self.core.next_request_id(),
            method: Method::Other,
            resource: "/".to_owned(),
            keep_alive: false,
            kind: Kind::Refused,
            counters: Rc::clone(&self.core.counters.requests),
            status: Cell::new(0),
            received_bytes: Cell::new(0),
            sent_bytes: Cell::new(0),
            cors: None,
            record: Record::new(self.core, || self.client_ip(), None),
        };
        let error = match error {
            HeadError::TooLarge | HeadError::TooManyHeaders => S3Error::new(ErrorCode::RequestHeaderSectionTooLarge),
            _ => S3Error::with_message(ErrorCode::InvalidRequest, "The request is not valid HTTP/1.1."),
        };
        let bytes = exchange.error(self.core, &error);
        self.answer(&exchange, &bytes).await;
        self.linger().await;
    }
}
