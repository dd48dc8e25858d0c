//! One non-blocking keep-alive connection: sends a request, receives the answer, counts its bytes.

use super::{
    request::Request,
    wire::{Arrived, CIPHERTEXT_BYTES, Tls, Wire},
};
use crate::{
    error::{BenchError, Context, Result},
    limits::{DISCARD_BYTES, ERROR_TEXT_BYTES_MAX, RESPONSE_HEAD_BYTES_MAX, RESPONSE_HEADER_COUNT_MAX},
};
use rustix::{event::epoll::EventFlags, io::Errno};
use std::{
    io::IoSlice,
    net::SocketAddr,
    os::fd::{AsFd, BorrowedFd},
};

/// A connection and where it stands.
#[derive(Debug)]
pub struct Connection {
    wire: Wire,
    address: SocketAddr,
    phase: Phase,
    /// The start of a response head that has not come whole.
    partial: Vec<u8>,
    /// Something may be there to receive: epoll reports edges only.
    readable: bool,
    /// The peer closed or reset, so no further edge will come.
    hung_up: bool,
    /// Answers received so far on this connection.
    answers: u64,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Idle,
    Sending { sent: u64 },
    Head,
    Body(Body),
}

/// A body that is being received.
#[derive(Debug, Clone, Copy)]
struct Body {
    status: u16,
    received: u64,
    length: u64,
    close: bool,
}

/// Buffers all connections share, since one thread uses them in turn.
#[derive(Debug)]
pub struct Scratch {
    head: Vec<u8>,
    discard: Vec<u8>,
    ciphertext: Vec<u8>,
}

/// What became of a turn.
#[derive(Debug)]
pub enum Progress {
    /// The socket can do no more now.
    Pending,
    /// The answer is complete.
    Answered(Answer),
    /// A kept-alive connection was closed before it answered; the request may be sent again on a new one.
    Closed,
}

/// A complete answer.
#[derive(Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Bytes of its body.
    pub body_bytes: u64,
    /// The server closes the connection after it.
    pub close: bool,
    /// The Location of a redirect, else `None`.
    pub location: Option<String>,
    /// The start of an error's body as it came with the head, else empty.
    pub text: String,
}

impl Default for Scratch {
    fn default() -> Self {
        Self {
            head: vec![0; RESPONSE_HEAD_BYTES_MAX],
            discard: vec![0; DISCARD_BYTES],
            ciphertext: vec![0; CIPHERTEXT_BYTES],
        }
    }
}

impl Connection {
    /// Connects (blocking: on loopback, before the load) and turns to non-blocking.
    pub fn open(address: SocketAddr, tls: &Tls) -> Result<Self> {
        Ok(Self {
            wire: Wire::open(address, tls)?,
            address,
            phase: Phase::Idle,
            partial: Vec::new(),
            readable: false,
            hung_up: false,
            answers: 0,
        })
    }

    /// Whom it is connected to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The descriptor to watch.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.wire.socket().as_fd()
    }

    /// Begins a request; `advance` sends it.
    pub fn begin(&mut self) {
        self.phase = Phase::Sending { sent: 0 };
    }

    /// Notes what epoll reported.
    pub fn wake(&mut self, flags: EventFlags) {
        if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::RDHUP | EventFlags::ERR) {
            self.readable = true;
        }
        if flags.intersects(EventFlags::HUP | EventFlags::RDHUP | EventFlags::ERR) {
            self.hung_up = true;
        }
    }

    /// Sends and receives as far as the socket allows; adds the payload bytes moved to `moved`.
    pub fn advance(&mut self, request: &Request, scratch: &mut Scratch, moved: &mut u64) -> Result<Progress> {
        if let Err(error) = self.wire.flush() {
            return Err(error).context(format_args!("send to {}", self.address));
        }
        loop {
            let progress = match self.phase {
                Phase::Idle => return Ok(Progress::Pending),
                Phase::Sending { sent } => self.send_more(sent, request, moved)?,
                Phase::Head => self.receive_head(scratch, moved)?,
                Phase::Body(body) => self.receive_body(body, scratch, moved)?,
            };
            match progress {
                Some(Progress::Answered(answer)) => {
                    self.phase = Phase::Idle;
                    self.answers += 1;
                    return Ok(Progress::Answered(answer));
                }
                Some(other) => return Ok(other),
                None => {}
            }
        }
    }

    fn send_more(&mut self, sent: u64, request: &Request, moved: &mut u64) -> Result<Option<Progress>> {
        let head_bytes = request.head.len() as u64;
        let total = head_bytes + request.payload.as_ref().map_or(0, |payload| payload.length());
        let head = usize::try_from(sent)
            .ok()
            .and_then(|sent| request.head.get(sent..))
            .unwrap_or_default();
        let body_sent = sent.saturating_sub(head_bytes);
        let body = request
            .payload
            .as_ref()
            .map_or(&[][..], |payload| payload.chunk(body_sent));
        let parts = [IoSlice::new(head), IoSlice::new(body)];
        match self.wire.send(&parts) {
            Ok(bytes) => {
                let sent = sent + bytes as u64;
                *moved += sent.saturating_sub(head_bytes) - body_sent;
                self.phase = if sent >= total {
                    Phase::Head
                } else {
                    Phase::Sending { sent }
                };
                Ok(None)
            }
            // An answer while the body is still being sent is a refusal: report what it says.
            Err(Errno::AGAIN) if self.readable && sent > head_bytes => {
                self.phase = Phase::Head;
                Ok(None)
            }
            Err(Errno::AGAIN) => Ok(Some(Progress::Pending)),
            Err(Errno::INTR) => Ok(None),
            Err(Errno::PIPE | Errno::CONNRESET) if self.answers > 0 && sent == 0 => Ok(Some(Progress::Closed)),
            Err(Errno::PIPE | Errno::CONNRESET) if self.readable => {
                self.phase = Phase::Head;
                Ok(None)
            }
            Err(error) => Err(error).context(format_args!("send to {}", self.address)),
        }
    }

    fn receive_head(&mut self, scratch: &mut Scratch, moved: &mut u64) -> Result<Option<Progress>> {
        if !self.readable {
            return Ok(Some(Progress::Pending));
        }
        let kept = self.partial.len();
        let buffer = scratch.head.as_mut_slice();
        let Some((start, free)) = buffer.split_at_mut_checked(kept).filter(|(_, free)| !free.is_empty()) else {
            return Err(self.failure("a response head over the limit", ""));
        };
        start.copy_from_slice(&self.partial);
        let received = match self.wire.receive(free, &mut scratch.ciphertext) {
            Ok(Arrived { bytes: 0, .. }) if self.answers > 0 && kept == 0 => return Ok(Some(Progress::Closed)),
            Ok(Arrived { bytes: 0, .. }) => return Err(self.failure("a closed connection", "no answer before it")),
            Ok(arrived) => self.note(arrived),
            Err(Errno::AGAIN) => return Ok(self.nothing_to_receive()),
            Err(Errno::INTR) => return Ok(None),
            Err(Errno::CONNRESET) if self.answers > 0 && kept == 0 => return Ok(Some(Progress::Closed)),
            Err(error) => return Err(error).context(format_args!("receive from {}", self.address)),
        };
        let bytes = scratch.head.get(..kept + received).unwrap_or_default();
        let mut headers = [httparse::EMPTY_HEADER; RESPONSE_HEADER_COUNT_MAX];
        let mut response = httparse::Response::new(&mut headers);
        let head_bytes = match response.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => {
                self.partial = bytes.to_vec();
                return Ok(None);
            }
            Err(error) => return Err(self.failure("a malformed head", &error.to_string())),
        };
        self.partial.clear();
        let body = bytes.get(head_bytes..).unwrap_or_default();
        let fields = self.fields(&response)?;
        if fields.status >= 300 {
            // A redirect's or an error's body is small and of interest only as text.
            return self.receive_refusal(fields, body.to_vec()).map(Some);
        }
        *moved += body.len() as u64;
        let received = body.len() as u64;
        let Fields {
            status, length, close, ..
        } = fields;
        self.phase = Phase::Body(Body {
            status,
            received,
            length,
            close,
        });
        Ok(None)
    }

    fn receive_body(&mut self, body: Body, scratch: &mut Scratch, moved: &mut u64) -> Result<Option<Progress>> {
        let Body {
            status,
            received,
            length,
            close,
        } = body;
        if received > length {
            return Err(self.failure("more bytes than its Content-Length", &format!("{received} of {length}")));
        }
        if received == length {
            let answer = Answer {
                status,
                body_bytes: received,
                close,
                location: None,
                text: String::new(),
            };
            return Ok(Some(Progress::Answered(answer)));
        }
        if !self.readable {
            return Ok(Some(Progress::Pending));
        }
        match self.wire.discard(&mut scratch.discard, &mut scratch.ciphertext) {
            Ok(Arrived { bytes: 0, .. }) => {
                Err(self.failure("a closed connection", &format!("after {received} of {length} bytes")))
            }
            Ok(arrived) => {
                let bytes = self.note(arrived);
                *moved += bytes as u64;
                self.phase = Phase::Body(Body {
                    received: received + bytes as u64,
                    ..body
                });
                Ok(None)
            }
            Err(Errno::AGAIN) => Ok(self.nothing_to_receive()),
            Err(Errno::INTR) => Ok(None),
            Err(error) => Err(error).context(format_args!("receive from {}", self.address)),
        }
    }

    /// Reads the rest of a small body, waiting for it.
    fn receive_refusal(&mut self, fields: Fields, mut body: Vec<u8>) -> Result<Progress> {
        let length = usize::try_from(fields.length).unwrap_or(usize::MAX);
        let socket = |wire: &Wire, blocks: bool| wire.socket().set_nonblocking(!blocks).context("set O_NONBLOCK");
        socket(&self.wire, true)?;
        let (mut space, mut ciphertext) = ([0; 4096], [0; 4096]);
        while body.len() < length {
            let missing = length - body.len();
            let room = space.get_mut(..missing.min(4096)).unwrap_or_default();
            let arrived = self.wire.receive(room, &mut ciphertext);
            match arrived.context(format_args!("receive from {}", self.address))?.bytes {
                0 => break,
                bytes => body.extend_from_slice(space.get(..bytes).unwrap_or_default()),
            }
        }
        socket(&self.wire, false)?;
        let quoted = body.get(..ERROR_TEXT_BYTES_MAX).unwrap_or(&body);
        Ok(Progress::Answered(Answer {
            status: fields.status,
            body_bytes: body.len() as u64,
            close: fields.close,
            location: fields.location,
            text: String::from_utf8_lossy(quoted).into_owned(),
        }))
    }

    fn fields(&self, response: &httparse::Response<'_, '_>) -> Result<Fields> {
        let mut fields = Fields {
            status: response.code.unwrap_or(0),
            length: 0,
            close: false,
            location: None,
        };
        let mut framed = matches!(fields.status, 100..=199 | 204 | 304);
        for header in response.headers.iter() {
            let value = || std::str::from_utf8(header.value).unwrap_or_default();
            if header.name.eq_ignore_ascii_case("content-length") {
                let length = value().trim().parse();
                fields.length = length.map_err(|_| self.failure("a malformed Content-Length", value()))?;
                framed = true;
            } else if header.name.eq_ignore_ascii_case("connection") {
                fields.close = value().eq_ignore_ascii_case("close");
            } else if header.name.eq_ignore_ascii_case("location") {
                fields.location = Some(value().to_owned());
            }
        }
        if framed {
            Ok(fields)
        } else {
            Err(self.failure("a head without Content-Length", ""))
        }
    }

    /// After a short read the socket is empty: the next bytes bring a new edge, unless the peer is gone.
    fn note(&mut self, arrived: Arrived) -> usize {
        if arrived.is_all && !self.hung_up {
            self.readable = false;
        }
        arrived.bytes
    }

    fn nothing_to_receive(&mut self) -> Option<Progress> {
        self.readable = false;
        Some(Progress::Pending)
    }

    fn failure(&self, what: &str, text: &str) -> BenchError {
        BenchError::Answer {
            server: self.address.to_string(),
            what: what.to_owned(),
            text: text.to_owned(),
        }
    }
}

struct Fields {
    status: u16,
    length: u64,
    close: bool,
    location: Option<String>,
}
