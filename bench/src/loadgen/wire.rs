//! What a connection sends and receives on: a non-blocking socket, or TLS over one.

use crate::{
    error::{BenchError, Context, Result},
    limits::{DISCARD_BYTES, RESPONSE_HEAD_BYTES_MAX},
};
use proto::tls::session::Session;
use rustix::{
    io::Errno,
    net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, sendmsg},
};
use rustls::{ClientConfig, ClientConnection};
use std::{
    io::{self, IoSlice, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

/// How TLS is spoken; `None`: it is not.
pub type Tls = Option<Arc<ClientConfig>>;

/// See the module.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    tls: Option<Box<Session>>,
}

/// What came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived {
    /// Bytes; 0: the peer has closed.
    pub bytes: usize,
    /// Nothing more is there until epoll says so.
    pub is_all: bool,
}

impl Wire {
    /// Connects (blocking: on loopback, before the load) and turns to non-blocking.
    pub fn open(address: SocketAddr, tls: &Tls) -> Result<Self> {
        let mut stream = TcpStream::connect(address).context(format_args!("connect to {address}"))?;
        stream.set_nodelay(true).context("set TCP_NODELAY")?;
        let tls = match tls {
            None => None,
            Some(config) => {
                let connection = ClientConnection::new(Arc::clone(config), address.ip().into());
                let connection = connection.map_err(io::Error::other).context("begin TLS")?;
                let mut session = Box::new(Session::new(connection.into()));
                handshake(&mut session, &mut stream).context(format_args!("speak TLS with {address}"))?;
                Some(session)
            }
        };
        stream.set_nonblocking(true).context("set O_NONBLOCK")?;
        Ok(Self { stream, tls })
    }

    /// The socket.
    pub fn socket(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends what goes now. With TLS the rest of what was taken goes with [`Wire::flush`].
    pub fn send(&mut self, parts: &[IoSlice<'_>]) -> std::result::Result<usize, Errno> {
        if !self.flush()? {
            return Err(Errno::AGAIN);
        }
        let Some(session) = &mut self.tls else {
            return send_now(&self.stream, parts);
        };
        let taken = session.encrypt(parts, DISCARD_BYTES).map_err(|_| Errno::PROTO)?;
        self.flush()?;
        Ok(taken)
    }

    /// Sends what is encrypted and has not gone yet; whether all of it has.
    pub fn flush(&mut self) -> std::result::Result<bool, Errno> {
        let Some(session) = &mut self.tls else {
            return Ok(true);
        };
        while session.wants_write() {
            match session.write_to(&mut Socket(&self.stream)) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(Errno::from_io_error(&error).unwrap_or(Errno::PROTO)),
            }
        }
        Ok(true)
    }

    /// Receives into `space`.
    pub fn receive(&mut self, space: &mut [u8], ciphertext: &mut [u8]) -> std::result::Result<Arrived, Errno> {
        let room = space.len();
        let Some(session) = &mut self.tls else {
            let (bytes, _) = recv(&self.stream, space, RecvFlags::empty())?;
            return Ok(Arrived {
                bytes,
                is_all: bytes < room,
            });
        };
        let mut filled = 0;
        let mut take = |plaintext: &[u8]| {
            let free = space.get_mut(filled..).unwrap_or_default();
            let count = free.len().min(plaintext.len());
            if let (Some(to), Some(from)) = (free.get_mut(..count), plaintext.get(..count)) {
                to.copy_from_slice(from);
            }
            filled += count;
            count
        };
        receive_tls(&self.stream, session, ciphertext, &mut take)
    }

    /// Receives and drops what comes.
    pub fn discard(&mut self, scratch: &mut [u8], ciphertext: &mut [u8]) -> std::result::Result<Arrived, Errno> {
        let Some(session) = &mut self.tls else {
            // MSG_TRUNC on TCP drops the bytes in the kernel: the client must not become the bottleneck.
            let (_, bytes) = recv(&self.stream, &mut *scratch, RecvFlags::TRUNC)?;
            return Ok(Arrived {
                bytes,
                is_all: bytes < scratch.len(),
            });
        };
        receive_tls(&self.stream, session, ciphertext, &mut |plaintext| plaintext.len())
    }
}

/// Buffers for ciphertext have this size; it is what a socket's buffer holds anyway.
pub const CIPHERTEXT_BYTES: usize = 64 * RESPONSE_HEAD_BYTES_MAX;

fn receive_tls(
    stream: &TcpStream,
    session: &mut Session,
    ciphertext: &mut [u8],
    take: &mut dyn FnMut(&[u8]) -> usize,
) -> std::result::Result<Arrived, Errno> {
    let mut received = session.receive(&[], take).map_err(|_| Errno::PROTO)?;
    while received.taken == 0 && !received.closed {
        let (count, _) = recv(stream, &mut *ciphertext, RecvFlags::empty())?;
        if count == 0 {
            break;
        }
        let arrived = ciphertext.get(..count).unwrap_or_default();
        received = session.receive(arrived, take).map_err(|_| Errno::PROTO)?;
    }
    // Whether the socket is empty shows when it says so.
    Ok(Arrived {
        bytes: received.taken,
        is_all: false,
    })
}

fn handshake(session: &mut Session, stream: &mut TcpStream) -> io::Result<()> {
    let mut space = [0; 4096];
    loop {
        while session.wants_write() {
            session.write_to(stream)?;
        }
        if !session.is_handshaking() {
            return Ok(());
        }
        let count = stream.read(&mut space)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        session.receive(space.get(..count).unwrap_or_default(), &mut |_| 0)?;
    }
}

fn send_now(stream: &TcpStream, parts: &[IoSlice<'_>]) -> std::result::Result<usize, Errno> {
    sendmsg(stream, parts, &mut SendAncillaryBuffer::default(), SendFlags::NOSIGNAL)
}

struct Socket<'s>(&'s TcpStream);

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        send_now(self.0, parts).map_err(io::Error::from)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A client that accepts the certificate in a PEM file.
pub fn client(certificate: &std::path::Path) -> Result<Arc<ClientConfig>> {
    let pem = std::fs::read(certificate).context(format_args!("read {}", certificate.display()))?;
    let unusable = |error: String| BenchError::Server(format!("{}: {error}", certificate.display()));
    let accepted = proto::tls::identity::certificates(&pem).map_err(|error| unusable(error.to_string()))?;
    let config = proto::tls::settings::pinned_client(accepted).map_err(|error| unusable(error.to_string()))?;
    Ok(Arc::new(config))
}
