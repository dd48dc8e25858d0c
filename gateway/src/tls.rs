//! TLS on a gateway's sockets: towards clients and towards cores. The state of a connection is shared by its two halves
//! and never held while something is waited for.

use crate::limits::{
    TLS_BATCH_BYTES_MAX, TLS_BATCH_BYTES_MIN, TLS_RECEIVE_BYTES_MAX, TLS_RECEIVE_BYTES_MIN, TLS_UNSENT_BYTES,
};
use proto::tls::{
    session::{Received, Session, SessionError},
    settings::TlsSettings,
};
use rustix::{
    io::Errno,
    net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, sendmsg},
};
use std::{
    cell::{Cell, RefCell, RefMut},
    io::{self, IoSlice, Write},
    net::IpAddr,
    os::fd::BorrowedFd,
    rc::Rc,
    sync::Arc,
};

/// What all TLS connections share.
pub struct GatewayTls {
    settings: Arc<TlsSettings>,
    /// Ciphertext as it comes from a socket.
    arrivals: RefCell<Vec<u8>>,
    /// Encrypted and not sent, all connections together.
    unsent_bytes: Cell<usize>,
}

impl GatewayTls {
    /// With the settings of this process.
    pub fn new(settings: Arc<TlsSettings>) -> Rc<Self> {
        Rc::new(Self {
            settings,
            arrivals: RefCell::default(),
            unsent_bytes: Cell::new(0),
        })
    }
    /// The state of a connection that a client has opened.
    pub fn accept(self: &Rc<Self>) -> io::Result<Rc<ConnectionTls>> {
        self.begin(self.settings.accept())
    }
    /// The state of a connection opened to another process of the store.
    pub fn connect(self: &Rc<Self>, address: IpAddr) -> io::Result<Rc<ConnectionTls>> {
        self.begin(self.settings.connect(address))
    }
    fn begin(
        self: &Rc<Self>,
        session: Result<Session, impl Into<Box<dyn std::error::Error + Send + Sync>>>,
    ) -> io::Result<Rc<ConnectionTls>> {
        Ok(Rc::new(ConnectionTls {
            shared: Rc::clone(self),
            session: RefCell::new(session.map_err(io::Error::other)?),
            unsent_bytes: Cell::new(0),
        }))
    }
    /// How much to encrypt ahead of what a socket takes: little for each once many clients do not read.
    fn batch_bytes(&self) -> usize {
        if self.unsent_bytes.get() < TLS_UNSENT_BYTES {
            TLS_BATCH_BYTES_MAX
        } else {
            TLS_BATCH_BYTES_MIN
        }
    }
}

/// The TLS state of one connection.
pub struct ConnectionTls {
    shared: Rc<GatewayTls>,
    session: RefCell<Session>,
    unsent_bytes: Cell<usize>,
}

impl Drop for ConnectionTls {
    fn drop(&mut self) {
        self.note_unsent(0);
    }
}

impl ConnectionTls {
    /// Whether data can flow yet.
    pub fn is_handshaking(&self) -> bool {
        self.session.borrow().is_handshaking()
    }
    /// The state itself, for the bridge to hyper.
    pub fn session(&self) -> RefMut<'_, Session> {
        self.session.borrow_mut()
    }
    /// Whether there is something to receive, or the end, without the socket.
    pub fn has_plaintext(&self) -> bool {
        // An error is found again by whoever reads.
        self.session.borrow_mut().has_plaintext().unwrap_or(true)
    }
    /// Receives into the spare capacity of `buffer` without waiting: how many bytes, 0 at the end of the peer's stream;
    /// `None`: nothing is there. An error when the stream just stopped.
    pub fn try_read(&self, socket: BorrowedFd<'_>, buffer: &mut Vec<u8>) -> io::Result<Option<usize>> {
        let room = buffer.capacity() - buffer.len();
        let mut taken = 0;
        let mut take = |plaintext: &[u8]| {
            let part = plaintext.get(..room - taken).unwrap_or(plaintext);
            buffer.extend_from_slice(part);
            taken += part.len();
            part.len()
        };
        let mut received = self.take_in(socket, &[], &mut take)?;
        while received.taken == 0 && !received.closed && room > 0 {
            match self.try_receive(socket, room, &mut take)? {
                Some(more) => received = more,
                None => return Ok(None),
            }
        }
        Ok(Some(received.taken))
    }
    /// Receives what is there of a handshake; `false`: nothing is.
    pub fn try_handshake(&self, socket: BorrowedFd<'_>) -> io::Result<bool> {
        // What the peer sends right behind its handshake stays in the session.
        Ok(self.try_receive(socket, 0, &mut |_| 0)?.is_some())
    }
    fn try_receive(
        &self,
        socket: BorrowedFd<'_>,
        room: usize,
        take: &mut dyn FnMut(&[u8]) -> usize,
    ) -> io::Result<Option<Received>> {
        let mut arrivals = self.shared.arrivals.borrow_mut();
        if arrivals.is_empty() {
            arrivals.resize(TLS_RECEIVE_BYTES_MAX, 0);
        }
        let limit = room.clamp(TLS_RECEIVE_BYTES_MIN, TLS_RECEIVE_BYTES_MAX);
        let space = arrivals.get_mut(..limit).unwrap_or_default();
        match receive_now(socket, space)? {
            None => Ok(None),
            Some(0) => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the connection ended without close_notify",
            )),
            Some(count) => self
                .take_in(socket, space.get(..count).unwrap_or_default(), take)
                .map(Some),
        }
    }
    /// Passes ciphertext to the session, and what the session answers to the socket.
    fn take_in(
        &self,
        socket: BorrowedFd<'_>,
        ciphertext: &[u8],
        take: &mut dyn FnMut(&[u8]) -> usize,
    ) -> io::Result<Received> {
        let received = self.session.borrow_mut().receive(ciphertext, take);
        if self.session.borrow().wants_write() {
            // What does not go now goes with whatever is sent next; an alert is as good as its connection.
            let _ = self.send_now(socket);
        }
        received.map_err(SessionError::into)
    }
    /// Encrypts the first of some bytes; how many. What was encrypted before must have been sent.
    pub fn encrypt(&self, bytes: &[u8]) -> io::Result<usize> {
        let slices = [IoSlice::new(bytes)];
        let count = self.session.borrow_mut().encrypt(&slices, self.shared.batch_bytes())?;
        if count == 0 {
            // Nothing more can be encrypted: the keys are used up (TLS 1.2), or the session has failed.
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.note_unsent(self.unsent_bytes.get() + count);
        Ok(count)
    }
    /// Sends what was encrypted, as far as the socket takes it now. Whether it took everything.
    pub fn send_now(&self, socket: BorrowedFd<'_>) -> io::Result<bool> {
        let mut session = self.session.borrow_mut();
        while session.wants_write() {
            match session.write_to(&mut Now(socket)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                // Records are a little longer than what is in them, which is all the same here.
                Ok(count) => self.note_unsent(self.unsent_bytes.get().saturating_sub(count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        self.note_unsent(0);
        Ok(true)
    }
    /// Says that nothing more comes, if the socket takes that now.
    pub fn close(&self, socket: BorrowedFd<'_>) {
        self.session.borrow_mut().close();
        let _ = self.send_now(socket);
    }
    fn note_unsent(&self, bytes: usize) {
        let all = &self.shared.unsent_bytes;
        let others = all.get().saturating_sub(self.unsent_bytes.replace(bytes));
        all.set(others + bytes);
    }
}

/// `None`: nothing is there.
fn receive_now(socket: BorrowedFd<'_>, space: &mut [u8]) -> io::Result<Option<usize>> {
    match recv(socket, space, RecvFlags::DONTWAIT) {
        Ok((count, _)) => Ok(Some(count)),
        Err(Errno::AGAIN | Errno::INTR) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A socket that takes what it has room for.
struct Now<'s>(BorrowedFd<'s>);

impl Write for Now<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        sendmsg(self.0, slices, &mut SendAncillaryBuffer::default(), flags).map_err(io::Error::from)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
