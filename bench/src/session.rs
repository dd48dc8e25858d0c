//! A blocking HTTP connection for what is not measured: health, creating and checking objects, fetching tickets.

use crate::{
    error::{BenchError, Context, Result},
    limits::{ERROR_TEXT_BYTES_MAX, PATTERN_BYTES, RESPONSE_HEAD_BYTES_MAX, RESPONSE_HEADER_COUNT_MAX, SET_UP_TIMEOUT},
    loadgen::{
        client::Location,
        connection::Answer,
        request::{Method, Payload, Request},
        wire::Tls,
    },
    subject::ROUTE_HEADER,
};
use rustls::{ClientConnection, StreamOwned};
use std::{
    fmt::Debug,
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

/// A socket, or TLS over one.
trait Duplex: Read + Write + Debug {}

impl<T: Read + Write + Debug> Duplex for T {}

/// A connection to one server.
#[derive(Debug)]
pub struct Session {
    stream: Box<dyn Duplex>,
    address: SocketAddr,
    tls: Tls,
    authority: String,
    /// Bytes received and not consumed.
    pending: Vec<u8>,
}

/// These requests follow no redirect. nginx does not know the header.
const PROXIED: [(&str, &str); 1] = [(ROUTE_HEADER, "proxy")];

/// An answer kept whole, but for its body.
#[derive(Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The ETag as it stands in the header, else `None`.
    pub etag: Option<String>,
}

struct Head {
    status: u16,
    etag: Option<String>,
    length: u64,
    close: bool,
    location: Option<String>,
}

impl Session {
    /// Connects.
    pub fn open(address: SocketAddr) -> Result<Self> {
        Self::open_with(address, None)
    }

    /// Connects, with TLS if there is any.
    pub fn open_with(address: SocketAddr, tls: Tls) -> Result<Self> {
        Ok(Self {
            stream: connect(address, &tls)?,
            address,
            tls,
            authority: address.to_string(),
            pending: Vec::new(),
        })
    }

    /// The status of a GET; its body is read and dropped.
    pub fn status(&mut self, target: &str) -> Result<u16> {
        self.send(&Request::new(Method::Get, &self.authority, target, &PROXIED, None))?;
        Ok(self.answer()?.status)
    }

    /// A PUT of `payload`, or of nothing (a bucket); a status of 2xx is expected.
    pub fn put(&mut self, target: &str, payload: Payload) -> Result<()> {
        self.send(&Request::new(
            Method::Put,
            &self.authority,
            target,
            &PROXIED,
            Some(payload),
        ))?;
        let answer = self.answer()?;
        if (200..300).contains(&answer.status) {
            return Ok(());
        }
        Err(self.failure(&format!("{} to PUT {target}", answer.status), &answer.text))
    }

    /// Any request; a status of 2xx is expected.
    pub fn run(&mut self, request: &Request) -> Result<()> {
        self.send(request)?;
        let answer = self.answer()?;
        if (200..300).contains(&answer.status) {
            return Ok(());
        }
        Err(self.failure(&answer.status.to_string(), &answer.text))
    }

    /// Any request, and its answer, whatever the status; the body is kept in `body`.
    pub fn exchange(&mut self, request: &Request, body: &mut Vec<u8>) -> Result<Reply> {
        self.send(request)?;
        self.reply(body)
    }

    /// The same; a status of 2xx is expected.
    pub fn done(&mut self, request: &Request, body: &mut Vec<u8>) -> Result<Reply> {
        let reply = self.exchange(request, body)?;
        if (200..300).contains(&reply.status) {
            return Ok(reply);
        }
        Err(self.unexpected(&reply, body))
    }

    /// An error for an answer that was not expected.
    pub fn unexpected(&self, reply: &Reply, body: &[u8]) -> BenchError {
        let start = body.get(..ERROR_TEXT_BYTES_MAX).unwrap_or(body);
        self.failure(&reply.status.to_string(), &String::from_utf8_lossy(start))
    }

    /// A GET whose body becomes that of a PUT to `to`, as it comes: how a client copies by itself. Returns its length.
    pub fn pass_on(&mut self, get: &Request, to: &mut Self, put: &Request) -> Result<u64> {
        self.send(get)?;
        let head = self.head()?;
        let expected = put.payload.as_ref().map_or(0, Payload::length);
        if head.status != 200 || head.length != expected {
            let what = format!("{} with {} bytes to a GET of {expected}", head.status, head.length);
            return Err(self.failure(&what, ""));
        }
        let address = to.address;
        let mut send = |bytes: &[u8]| to.stream.write_all(bytes).context(format_args!("send to {address}"));
        send(&put.head)?;
        let mut position = 0;
        while position < head.length {
            let received = self.some(head.length - position)?;
            send(&received)?;
            position += received.len() as u64;
        }
        self.renew(head.close)?;
        let mut body = Vec::new();
        let reply = to.reply(&mut body)?;
        if reply.status != 200 {
            return Err(to.unexpected(&reply, &body));
        }
        Ok(position)
    }

    /// A GET whose body must be `payload`, byte for byte.
    pub fn check(&mut self, target: &str, payload: &Payload) -> Result<()> {
        self.send(&Request::new(Method::Get, &self.authority, target, &PROXIED, None))?;
        let head = self.head()?;
        if head.status != 200 || head.length != payload.length() {
            let what = format!("{} with {} bytes to GET {target}", head.status, head.length);
            return Err(self.failure(&what, "the object as it was stored was expected"));
        }
        let mut position = 0;
        while position < head.length {
            let received = self.some(head.length - position)?;
            let mut rest = received.as_slice();
            while !rest.is_empty() {
                let expected = payload.chunk(position);
                let (now, later) = rest.split_at(rest.len().min(expected.len()));
                if expected.get(..now.len()) != Some(now) {
                    return Err(self.failure(&format!("other bytes than stored to GET {target}"), ""));
                }
                position += now.len() as u64;
                rest = later;
            }
        }
        self.renew(head.close)
    }

    /// Where the gateway redirects this request to, with a ticket.
    pub fn redirect(&mut self, ask: &Request) -> Result<Location> {
        self.send(ask)?;
        let answer = self.answer()?;
        Location::of(self.address, &answer)
    }

    /// Sends a request; [`Session::reply`] receives its answer.
    pub fn send(&mut self, request: &Request) -> Result<()> {
        let mut outcome = self.stream.write_all(&request.head);
        let mut position = 0;
        while let (Ok(()), Some(payload)) = (&outcome, &request.payload) {
            let chunk = payload.chunk(position);
            if chunk.is_empty() {
                break;
            }
            outcome = self.stream.write_all(chunk);
            position += chunk.len() as u64;
        }
        match outcome {
            // The server refuses in the middle of the body: what it says comes next.
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => Ok(()),
            outcome => outcome.context(format_args!("send to {}", self.address)),
        }
    }

    /// Receives the answer to a request that was sent; the body is kept in `body`, whose memory is used again.
    pub fn reply(&mut self, body: &mut Vec<u8>) -> Result<Reply> {
        let head = self.head()?;
        let length = usize::try_from(head.length).unwrap_or(usize::MAX);
        let here = self.pending.len().min(length);
        body.clear();
        body.extend(self.pending.drain(..here));
        body.resize(length, 0);
        let rest = body.get_mut(here..).unwrap_or_default();
        let received = self.stream.read_exact(rest);
        received.context(format_args!("receive from {}", self.address))?;
        self.renew(head.close)?;
        Ok(Reply {
            status: head.status,
            etag: head.etag,
        })
    }

    fn answer(&mut self) -> Result<Answer> {
        let head = self.head()?;
        let mut text = Vec::new();
        let mut position = 0;
        while position < head.length {
            let received = self.some(head.length - position)?;
            position += received.len() as u64;
            let room = ERROR_TEXT_BYTES_MAX.saturating_sub(text.len());
            text.extend_from_slice(received.get(..room).unwrap_or(&received));
        }
        self.renew(head.close)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        Ok(Answer {
            status: head.status,
            body_bytes: position,
            close: head.close,
            location: head.location,
            text,
        })
    }

    fn head(&mut self) -> Result<Head> {
        loop {
            if let Some((head, length)) = self.parse_head()? {
                self.pending.drain(..length);
                return Ok(head);
            }
            if self.pending.len() > RESPONSE_HEAD_BYTES_MAX {
                return Err(self.failure("a response head over the limit", ""));
            }
            self.receive()?;
        }
    }

    fn parse_head(&self) -> Result<Option<(Head, usize)>> {
        let mut headers = [httparse::EMPTY_HEADER; RESPONSE_HEADER_COUNT_MAX];
        let mut response = httparse::Response::new(&mut headers);
        let length = match response.parse(&self.pending) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(error) => return Err(self.failure("a malformed head", &error.to_string())),
        };
        let value = |name: &str| {
            let header = response
                .headers
                .iter()
                .find(|header| header.name.eq_ignore_ascii_case(name))?;
            std::str::from_utf8(header.value).ok()
        };
        let head = Head {
            status: response.code.unwrap_or(0),
            etag: value("etag").map(str::to_owned),
            length: value("content-length")
                .and_then(|length| length.trim().parse().ok())
                .unwrap_or(0),
            close: value("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")),
            location: value("location").map(str::to_owned),
        };
        Ok(Some((head, length)))
    }

    /// At least one and at most `limit` bytes of a body.
    fn some(&mut self, limit: u64) -> Result<Vec<u8>> {
        if self.pending.is_empty() {
            self.receive()?;
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(self.pending.len());
        let rest = self.pending.split_off(limit);
        Ok(std::mem::replace(&mut self.pending, rest))
    }

    fn receive(&mut self) -> Result<()> {
        let mut buffer = vec![0; PATTERN_BYTES];
        let received = self
            .stream
            .read(&mut buffer)
            .context(format_args!("receive from {}", self.address))?;
        if received == 0 {
            return Err(self.failure("a closed connection", "no complete answer before it"));
        }
        self.pending
            .extend_from_slice(buffer.get(..received).unwrap_or_default());
        Ok(())
    }

    fn renew(&mut self, close: bool) -> Result<()> {
        if close {
            self.stream = connect(self.address, &self.tls)?;
            self.pending.clear();
        }
        Ok(())
    }

    fn failure(&self, what: &str, text: &str) -> BenchError {
        BenchError::Answer {
            server: self.address.to_string(),
            what: what.to_owned(),
            text: text.to_owned(),
        }
    }
}

fn connect(address: SocketAddr, tls: &Tls) -> Result<Box<dyn Duplex>> {
    let stream = TcpStream::connect(address).context(format_args!("connect to {address}"))?;
    stream.set_nodelay(true).context("set TCP_NODELAY")?;
    stream
        .set_read_timeout(Some(SET_UP_TIMEOUT))
        .context("set a time-out")?;
    stream
        .set_write_timeout(Some(SET_UP_TIMEOUT))
        .context("set a time-out")?;
    let Some(tls) = tls else {
        return Ok(Box::new(stream));
    };
    let connection = ClientConnection::new(Arc::clone(tls), address.ip().into());
    let connection = connection.map_err(io::Error::other).context("begin TLS")?;
    Ok(Box::new(StreamOwned::new(connection, stream)))
}
