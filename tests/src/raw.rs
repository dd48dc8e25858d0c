//! HTTP/1.1 as bytes: a connection that sends exactly what it is given and reads answers with their framing.

use crate::tls::Trust;
use rustls::{ClientConnection, Stream};
use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    time::Duration,
};

/// How long an answer is waited for.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// An answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body without framing.
    pub body: Vec<u8>,
    /// Statuses of interim answers, such as 100, that came first.
    pub interim: Vec<u16>,
}

impl Response {
    /// The first value of a header; give the name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The body as text, with replacement characters.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The `<Code>` of an error; empty if there is none.
    pub fn code(&self) -> String {
        crate::xml::text(&self.text(), "Code").unwrap_or_default()
    }

    /// Panics, with the answer, unless the status is this.
    #[track_caller]
    pub fn expect_status(self, status: u16) -> Self {
        assert!(
            self.status == status,
            "expected {status}, got {}: {:?}\n{}",
            self.status,
            self.headers,
            self.text()
        );
        self
    }

    /// Panics, with the answer, unless it is this error of S3 in S3's form.
    #[track_caller]
    pub fn expect_error(self, status: u16, code: &str) -> Self {
        let answer = self.expect_status(status);
        assert_eq!(answer.code(), code, "{}", answer.text());
        assert_eq!(
            answer.header("content-type"),
            Some("application/xml"),
            "{:?}",
            answer.headers
        );
        for element in ["Message", "Resource", "RequestId"] {
            assert!(
                crate::xml::text(&answer.text(), element).is_some(),
                "no {element} in {}",
                answer.text()
            );
        }
        assert_eq!(
            answer.header("x-amz-request-id").map(str::to_owned),
            crate::xml::text(&answer.text(), "RequestId")
        );
        answer
    }
}

/// A connection to a server on this machine.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
    received: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub fn open(port: u16) -> Self {
        Self::try_open(port).unwrap()
    }

    /// Connects, or says why not.
    pub fn try_open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        stream.set_write_timeout(Some(READ_TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            tls: None,
            received: Vec::new(),
        })
    }

    /// Connects with TLS; the handshake comes with the first bytes that are sent.
    pub fn open_tls(port: u16, trust: &Trust) -> Self {
        let mut connection = Self::open(port);
        connection.tls = Some(Box::new(trust.connect()));
        connection
    }

    /// The state of TLS; panics without.
    pub fn tls(&mut self) -> &mut ClientConnection {
        self.tls.as_mut().unwrap()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.stream.write(bytes),
            Some(tls) => Stream::new(tls.as_mut(), &mut self.stream).write(bytes),
        }
    }

    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return self.stream.read(bytes);
        };
        loop {
            match tls.reader().read(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
            // What can no longer be sent keeps no answer from being read.
            while tls.wants_write() && tls.write_tls(&mut self.stream).is_ok() {}
            tls.read_tls(&mut self.stream)?;
            tls.process_new_packets().map_err(io::Error::other)?;
        }
    }

    /// Sends these bytes; panics when the server has closed the connection.
    pub fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).unwrap();
    }

    /// Sends these bytes, or as many as the server takes.
    pub fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.tls {
            None => self.stream.write_all(bytes),
            Some(tls) => {
                let mut stream = Stream::new(tls.as_mut(), &mut self.stream);
                stream.write_all(bytes)?;
                stream.flush()
            }
        }
    }

    /// Sends as many of these bytes as go without waiting; how many.
    pub fn send_without_waiting(&mut self, bytes: &[u8]) -> usize {
        self.stream.set_nonblocking(true).unwrap();
        let mut sent = 0;
        while let Ok(count) = self.write(&bytes[sent..]) {
            sent += count;
            if sent == bytes.len() {
                break;
            }
        }
        self.stream.set_nonblocking(false).unwrap();
        sent
    }

    /// At most this many bytes that have not been read yet, in one read; 0 at the end.
    pub fn take_some(&mut self, count: usize) -> io::Result<Vec<u8>> {
        if self.received.is_empty() {
            let mut bytes = vec![0; count];
            let read = self.read(&mut bytes)?;
            bytes.truncate(read);
            return Ok(bytes);
        }
        let rest = self.received.split_off(count.min(self.received.len()));
        Ok(std::mem::replace(&mut self.received, rest))
    }

    /// Says that nothing more will be sent.
    pub fn finish_sending(&self) {
        // The server may have closed already.
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Closes with a reset, so that the server learns at once: unread data and SO_LINGER 0.
    pub fn reset(self) {
        rustix::net::sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO)).unwrap();
    }

    /// Reads the final answer to a request with this method.
    #[track_caller]
    pub fn receive(&mut self, method: &str) -> Response {
        self.try_receive(method).unwrap()
    }

    /// Reads the final answer to a request with this method, or says why there is none.
    pub fn try_receive(&mut self, method: &str) -> io::Result<Response> {
        let mut interim = Vec::new();
        loop {
            let (status, headers) = self.receive_head()?;
            if (100..200).contains(&status) {
                interim.push(status);
                continue;
            }
            let header = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
            let body = if method == "HEAD" || status == 204 || status == 304 {
                Vec::new()
            } else if header("transfer-encoding").is_some() {
                self.receive_chunked()?
            } else if let Some(length) = header("content-length") {
                let length = length.parse().map_err(|_| malformed("Content-Length"))?;
                self.take(length)?
            } else {
                self.receive_to_end()
            };
            return Ok(Response {
                status,
                headers,
                body,
                interim,
            });
        }
    }

    /// Reads one head, interim or final, and leaves its body unread.
    pub fn receive_head(&mut self) -> io::Result<(u16, Vec<(String, String)>)> {
        let head = self.take_through(b"\r\n\r\n")?;
        let head = String::from_utf8(head).map_err(|_| malformed("not UTF-8"))?;
        let mut lines = head.trim_end().split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
        let headers = lines
            .map(|line| {
                line.split_once(':')
                    .map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned()))
            })
            .collect::<Option<_>>();
        Ok((
            status.ok_or_else(|| malformed(&head))?,
            headers.ok_or_else(|| malformed(&head))?,
        ))
    }

    /// Reads exactly this many bytes.
    pub fn take(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.received.len() < count {
            self.read_more()?;
        }
        let rest = self.received.split_off(count);
        Ok(std::mem::replace(&mut self.received, rest))
    }

    /// Everything until the server closes or resets the connection; panics when it does neither in time.
    pub fn receive_to_end(&mut self) -> Vec<u8> {
        loop {
            match self.read_more() {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => panic!("the connection stays open"),
                Err(_) => return std::mem::take(&mut self.received),
            }
        }
    }

    /// Whether the server has closed the connection without sending anything more. Waits for that, or for bytes.
    pub fn is_closed(&mut self) -> bool {
        self.received.is_empty()
            && self
                .read_more()
                .is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock)
    }

    /// The socket.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    fn receive_chunked(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.take_through(b"\r\n")?;
            let line = String::from_utf8_lossy(&line).into_owned();
            let size = usize::from_str_radix(line.trim().split(';').next().unwrap_or_default(), 16)
                .map_err(|_| malformed(&line))?;
            if size == 0 {
                while self.take_through(b"\r\n")? != b"\r\n" {}
                return Ok(body);
            }
            body.extend(self.take(size)?);
            self.take_through(b"\r\n")?;
        }
    }

    fn take_through(&mut self, end: &[u8]) -> io::Result<Vec<u8>> {
        loop {
            if let Some(at) = self.received.windows(end.len()).position(|window| window == end) {
                return self.take(at + end.len());
            }
            self.read_more()?;
        }
    }

    fn read_more(&mut self) -> io::Result<()> {
        let mut bytes = [0; 64 * 1024];
        match self.read(&mut bytes)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                self.received.extend_from_slice(&bytes[..count]);
                Ok(())
            }
        }
    }
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("malformed answer: {what}"))
}
