//! One request to a core and its response, relayed: the body up and the response head down at the same time, because a
//! core may answer before it has the whole body.

use crate::{
    body::{self, Body},
    cluster::Core,
    connection::{Connection, Next, Relayed},
    core_response::{NoResponse, read_head},
    gateway::Gateway,
    limits::{BODY_PROGRESS_TIME, CORE_ANSWER_TIME, RESPONSE_BUFFER_BYTES, SHORT_RESPONSE_BUFFER_BYTES},
    memory::RelayBuffer,
    relay::{self, Upload},
    rt::{Stream, Writer},
};
use proto::{
    error::{ErrorCode, S3Error},
    http::{
        body::HttpFraming,
        head::{Method, RequestHead},
        response::ResponseHead,
    },
};
use std::{
    cell::Cell,
    future::{Future, poll_fn},
    io,
    pin::pin,
    rc::Rc,
    task::Poll,
    time::Duration,
};

/// How an exchange ended.
pub enum Outcome {
    /// The client has the core's response, or is gone.
    Relayed(Relayed),
    /// There was none; the client has got nothing yet.
    NoResponse(NoResponse),
}

/// What the first half of an exchange comes to.
enum Answered {
    /// The final response head has arrived; is the request's body complete?
    Head(ResponseHead, bool),
    NoResponse(NoResponse),
    ClientGone(io::Error),
    Malformed(S3Error),
}

/// See the module.
pub struct Exchange<'a> {
    gateway: &'a Rc<Gateway>,
    connection: &'a mut Connection,
    head: &'a RequestHead,
    body: &'a mut Body,
    started: Cell<bool>,
    received_bytes: Cell<u64>,
    start: Option<Start>,
}

/// What an answer begins with in place of the core's status line: a page for errors is an object like others.
#[derive(Debug, Clone)]
pub struct Start {
    /// The status.
    pub status: u16,
    /// The status line and further header lines.
    pub lines: String,
}

impl<'a> Exchange<'a> {
    /// Of a client's request.
    pub fn new(
        gateway: &'a Rc<Gateway>,
        connection: &'a mut Connection,
        head: &'a RequestHead,
        body: &'a mut Body,
    ) -> Self {
        Self {
            gateway,
            connection,
            head,
            body,
            started: Cell::new(false),
            received_bytes: Cell::new(0),
            start: None,
        }
    }
    /// Has an answer of 200 begin otherwise.
    #[must_use]
    pub fn starting_with(self, start: Option<Start>) -> Self {
        Self { start, ..self }
    }
    /// Whether any of the body was taken from the client: then it cannot be sent again.
    pub fn body_was_started(&self) -> bool {
        self.started.get()
    }

    /// Sends the request and relays what comes back. An error leaves the answer to the gateway.
    pub async fn run(&mut self, core: &Core, mut stream: Stream, request: Vec<u8>) -> Result<Outcome, S3Error> {
        let memory = Rc::clone(&self.gateway.relay_memory);
        let buffer_bytes = match self.head.method() {
            Method::Get => RESPONSE_BUFFER_BYTES,
            _ => SHORT_RESPONSE_BUFFER_BYTES,
        };
        let mut buffer = memory.take(buffer_bytes).ok_or(ErrorCode::SlowDown)?;
        let (sent, _) = stream.writer.write_all(request, BODY_PROGRESS_TIME).await;
        if let Err(error) = sent {
            return Ok(Outcome::NoResponse(NoResponse::Nothing(error)));
        }
        let answered = if self.body.is_complete() {
            let answer = answer(
                &mut stream,
                &mut self.connection.stream.writer,
                &mut buffer,
                Some(CORE_ANSWER_TIME),
            );
            match answer.await {
                Ok(head) => Answered::Head(head, true),
                Err(no_response) => Answered::NoResponse(no_response),
            }
        } else {
            self.upload_and_answer(&mut stream, &mut buffer).await
        };
        let (response, is_complete) = match answered {
            Answered::Head(response, is_complete) => (response, is_complete),
            Answered::NoResponse(no_response) => return Ok(Outcome::NoResponse(no_response)),
            Answered::Malformed(error) => return Err(error),
            // The connection to the core ends here, and with it what the core has of the body.
            Answered::ClientGone(error) => return Err(body::gone(&error)),
        };
        let keep_client = is_complete && self.head.keep_alive() && !self.gateway.draining.get();
        let keep_core = is_complete && response.keep_alive;
        let relayed = self
            .relay_response(&mut stream, &response, &mut buffer, keep_client)
            .await;
        let next = match relayed {
            Ok(()) => {
                if keep_core {
                    self.gateway.pool.keep(core.address, stream);
                }
                match (keep_client, is_complete) {
                    (true, _) => Next::KeepAlive,
                    (false, true) => Next::Close,
                    (false, false) => Next::Linger,
                }
            }
            Err(error) => {
                tracing::debug!(core = %core.address, %error, "relay cut");
                Next::Close
            }
        };
        let start = self.start.as_ref().filter(|_| response.status == 200);
        let status = start.map_or(response.status, |start| start.status);
        Ok(Outcome::Relayed(Relayed { status, next }))
    }

    /// Relays the body up until the response head comes down.
    async fn upload_and_answer(&mut self, stream: &mut Stream, buffer: &mut RelayBuffer) -> Answered {
        let mut framing = HttpFraming::new(self.body.framing());
        let Connection {
            stream: client,
            buffer: received,
            ..
        } = &mut *self.connection;
        let core_deadline = stream.reader.deadline();
        let (core_reader, core_writer) = (&mut stream.reader, &mut stream.writer);
        let memory = &self.gateway.relay_memory;
        let mut is_complete = false;
        let outcome = {
            let mut upload = pin!(relay::upload(
                &mut client.reader,
                received,
                &mut framing,
                core_writer,
                memory,
                &self.started,
                &self.received_bytes,
            ));
            let mut uploading = true;
            let mut answer = pin!(answer_of(core_reader, &mut client.writer, buffer, None));
            poll_fn(|context| {
                if uploading && let Poll::Ready(end) = upload.as_mut().poll(context) {
                    uploading = false;
                    match end {
                        Upload::Complete => {
                            is_complete = true;
                            core_deadline.set(CORE_ANSWER_TIME);
                        }
                        // It closed before it had everything: its reason may be on the way.
                        Upload::CoreGone => core_deadline.set(Duration::from_secs(5)),
                        Upload::ClientGone(error) => return Poll::Ready(Err(Answered::ClientGone(error))),
                        Upload::Malformed(error) => return Poll::Ready(Err(Answered::Malformed(error))),
                    }
                }
                answer.as_mut().poll(context).map(Ok)
            })
            .await
        };
        // A wait that was given up must not run into its deadline later, nor may a kept connection to the core.
        client.reader.set_deadline(None);
        core_reader.set_deadline(None);
        self.connection.noted.received_bytes = self.received_bytes.get();
        if is_complete {
            self.body.set_complete();
        } else if self.started.get() || outcome.is_err() {
            self.body.set_broken();
        }
        match outcome {
            Ok(Ok(head)) => Answered::Head(head, is_complete),
            Ok(Err(no_response)) => Answered::NoResponse(no_response),
            Err(ended) => ended,
        }
    }

    async fn relay_response(
        &mut self,
        stream: &mut Stream,
        response: &ResponseHead,
        buffer: &mut RelayBuffer,
        keep_client: bool,
    ) -> io::Result<()> {
        let has_body = self.head.method() != Method::Head && !matches!(response.status, 204 | 304);
        let length = match (has_body, response.content_length) {
            (false, _) => 0,
            (true, Some(length)) => length,
            (true, None) => return Err(io::Error::other("a core answered without Content-Length")),
        };
        let mut first = std::mem::take(&mut buffer.bytes);
        let arrived = first.len().saturating_sub(response.length);
        let left = length
            .checked_sub(u64::try_from(arrived).unwrap_or(u64::MAX))
            .ok_or_else(relay::too_much)?;
        if !(keep_client && response.keep_alive) {
            first = with_connection_header(&first, response.length, keep_client);
        }
        if let Some(start) = self.start.as_ref().filter(|_| response.status == 200) {
            first = with_start(&first, start);
        }
        let noted = &mut self.connection.noted;
        let client = &mut self.connection.stream.writer;
        let (sent, first) = client.write_all(first, BODY_PROGRESS_TIME).await;
        buffer.bytes = first;
        sent?;
        let mut left = left;
        let relayed = match left {
            0 => Ok(()),
            _ => relay::download(&mut stream.reader, client, &mut left, &self.gateway.relay_memory).await,
        };
        noted.sent_bytes = length - left;
        relayed
    }
}

async fn answer(
    stream: &mut Stream,
    client: &mut Writer,
    buffer: &mut RelayBuffer,
    limit: Option<Duration>,
) -> Result<ResponseHead, NoResponse> {
    answer_of(&mut stream.reader, client, buffer, limit).await
}

/// Waits for the final response head; interim ones (`100 Continue`) go straight to the client.
async fn answer_of(
    core: &mut crate::rt::Reader,
    client: &mut Writer,
    buffer: &mut RelayBuffer,
    limit: Option<Duration>,
) -> Result<ResponseHead, NoResponse> {
    loop {
        let head = read_head(core, &mut buffer.bytes, limit).await?;
        if head.status >= 200 {
            return Ok(head);
        }
        let rest = buffer.bytes.split_off(head.length.min(buffer.bytes.len()));
        let interim = std::mem::replace(&mut buffer.bytes, rest);
        let (sent, _) = client.write_all(interim, BODY_PROGRESS_TIME).await;
        sent.map_err(NoResponse::Broken)?;
    }
}

/// The bytes with another status line.
fn with_start(bytes: &[u8], start: &Start) -> Vec<u8> {
    let end = bytes.iter().position(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    [start.lines.as_bytes(), bytes.get(end..).unwrap_or_default()].concat()
}

/// The bytes with the head's own `Connection` header replaced by the client's: the core's is about another connection.
fn with_connection_header(bytes: &[u8], head_length: usize, keep_alive: bool) -> Vec<u8> {
    let (head, body) = bytes.split_at(head_length.min(bytes.len()));
    let mut out = Vec::with_capacity(bytes.len() + 24);
    for line in head.split_inclusive(|&byte| byte == b'\n') {
        let is_connection = line
            .get(..11)
            .is_some_and(|name| name.eq_ignore_ascii_case(b"connection:"));
        if is_connection {
            continue;
        }
        if line == b"\r\n" && !keep_alive {
            out.extend_from_slice(b"Connection: close\r\n");
        }
        out.extend_from_slice(line);
    }
    out.extend_from_slice(body);
    out
}

#[cfg(test)]
mod tests {
    use super::{Start, with_connection_header, with_start};

    #[test]
    fn an_error_page_begins_with_the_error() {
        let start = Start {
            status: 404,
            lines: "HTTP/1.1 404 Not Found\r\nx: y\r\n".to_owned(),
        };
        assert_eq!(
            with_start(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n\n", &start),
            b"HTTP/1.1 404 Not Found\r\nx: y\r\nContent-Length: 1\r\n\r\n\n"
        );
    }

    #[test]
    fn connection_header_is_the_clients() {
        let head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\n";
        let mut bytes = head.to_vec();
        bytes.extend_from_slice(b"\r\n\r\n");
        assert_eq!(
            with_connection_header(&bytes, head.len(), true),
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\r\n\r\n"
        );
        assert_eq!(
            with_connection_header(&bytes, head.len(), false),
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n\r\n\r\n"
        );
    }
}
