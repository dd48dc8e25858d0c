//! TLS on a core's sockets. The state of a connection is shared by the handles of both directions and touched only while
//! something is polled; ciphertext is received into one buffer of the core and sent from the records it was encrypted into.

use crate::{
    limits::{
        TLS_BATCH_BYTES_MAX, TLS_BATCH_BYTES_MIN, TLS_RECEIVE_BYTES_MAX, TLS_RECEIVE_BYTES_MIN, TLS_UNSENT_BYTES,
    },
    rt::Stream,
};
use proto::tls::{
    session::{Received, Session, SessionError},
    settings::TlsSettings,
};
use std::{
    cell::{Cell, RefCell},
    io::{self, IoSlice, Write},
    net::IpAddr,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
};

/// What the TLS connections of a core share.
pub struct CoreTls {
    settings: Arc<TlsSettings>,
    /// Ciphertext as it comes from a socket; empty again whenever nobody polls.
    arrivals: RefCell<Vec<u8>>,
    /// Encrypted and not sent, all connections together.
    unsent_bytes: Cell<usize>,
}

impl CoreTls {
    /// With the settings of the node.
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
            core: Rc::clone(self),
            session: RefCell::new(session.map_err(io::Error::other)?),
            unsent_bytes: Cell::new(0),
        }))
    }

    /// How much to encrypt ahead of what a socket takes. Ciphertext cannot be let go when its client stops reading, so
    /// there is little of it for each once many have stopped.
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
    core: Rc<CoreTls>,
    session: RefCell<Session>,
    unsent_bytes: Cell<usize>,
}

impl Drop for ConnectionTls {
    fn drop(&mut self) {
        self.note_unsent(0);
    }
}

impl ConnectionTls {
    /// Brings the handshake to its end.
    pub fn poll_handshake(&self, stream: &mut Stream, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_flush(stream, context))?;
            if !self.session.borrow().is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            // What the client sends right behind its handshake stays in the session.
            ready!(self.poll_receive(stream, context, TLS_RECEIVE_BYTES_MIN, &mut |_| 0))?;
        }
    }

    /// Receives plaintext; 0 when the client has said that nothing more comes, an error when it just stopped.
    pub fn poll_read(
        &self,
        stream: &mut Stream,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let limit = buffer.len().clamp(TLS_RECEIVE_BYTES_MIN, TLS_RECEIVE_BYTES_MAX);
        let mut filled = 0;
        let mut take = |plaintext: &[u8]| {
            let space = buffer.get_mut(filled..).unwrap_or_default();
            let count = plaintext.len().min(space.len());
            if let Some((to, from)) = space.get_mut(..count).zip(plaintext.get(..count)) {
                to.copy_from_slice(from);
            }
            filled += count;
            count
        };
        let mut received = self.take_in(stream, &[], &mut take)?;
        while received.taken == 0 && !received.closed {
            received = ready!(self.poll_receive(stream, context, limit, &mut take))?;
        }
        Poll::Ready(Ok(received.taken))
    }

    /// Whether there is something to receive, or the end, without the socket.
    pub fn has_plaintext(&self) -> bool {
        // An error is found again by whoever reads.
        self.session.borrow_mut().has_plaintext().unwrap_or(true)
    }

    fn poll_receive(
        &self,
        stream: &mut Stream,
        context: &mut Context<'_>,
        limit: usize,
        take: &mut dyn FnMut(&[u8]) -> usize,
    ) -> Poll<io::Result<Received>> {
        let mut arrivals = self.core.arrivals.borrow_mut();
        if arrivals.is_empty() {
            arrivals.resize(TLS_RECEIVE_BYTES_MAX, 0);
        }
        let space = arrivals.get_mut(..limit).unwrap_or_default();
        let count = ready!(stream.poll_receive(context, space))?;
        if count == 0 {
            let error = io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the connection ended without close_notify",
            );
            return Poll::Ready(Err(error));
        }
        Poll::Ready(self.take_in(stream, space.get(..count).unwrap_or_default(), take))
    }

    /// Passes ciphertext to the session, and what the session answers to the socket.
    fn take_in(
        &self,
        stream: &Stream,
        ciphertext: &[u8],
        take: &mut dyn FnMut(&[u8]) -> usize,
    ) -> io::Result<Received> {
        let received = self.session.borrow_mut().receive(ciphertext, take);
        if self.session.borrow().wants_write() {
            // What does not go now goes with whatever is sent next; an alert is as good as its connection.
            let _ = self.send_now(stream);
        }
        received.map_err(SessionError::into)
    }

    /// Sends all of `bytes`.
    pub fn poll_write_all(
        &self,
        stream: &mut Stream,
        context: &mut Context<'_>,
        bytes: &mut &[u8],
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_flush(stream, context))?;
            if bytes.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let count = self.encrypt(&[IoSlice::new(bytes)])?;
            *bytes = bytes.get(count..).unwrap_or_default();
        }
    }

    /// Encrypts a batch and sends what the socket takes of it at once; how many bytes are in the batch. `None` while the
    /// socket has not taken the batch before.
    pub fn try_send(&self, stream: &Stream, slices: &[IoSlice<'_>]) -> io::Result<Option<usize>> {
        if !self.send_now(stream)? {
            return Ok(None);
        }
        let count = self.encrypt(slices)?;
        self.send_now(stream)?;
        Ok(Some(count))
    }

    /// Says that nothing more comes, if the socket takes that now.
    pub fn close(&self, stream: &Stream) {
        self.session.borrow_mut().close();
        let _ = self.send_now(stream);
    }

    fn encrypt(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let count = self.session.borrow_mut().encrypt(slices, self.core.batch_bytes())?;
        if count == 0 {
            // Nothing more can be encrypted: the keys are used up (TLS 1.2), or the session has failed.
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.note_unsent(self.unsent_bytes.get() + count);
        Ok(count)
    }

    /// Whether the socket took everything.
    fn send_now(&self, stream: &Stream) -> io::Result<bool> {
        self.write_out(&mut Now(stream))
    }

    /// Waits until the socket has taken something of what it had no room for; whether it has everything then.
    pub fn poll_progress(&self, stream: &mut Stream, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let unsent_bytes = self.unsent_bytes.get();
        match self.poll_flush(stream, context)? {
            Poll::Ready(()) => Poll::Ready(Ok(true)),
            Poll::Pending if self.unsent_bytes.get() < unsent_bytes => Poll::Ready(Ok(false)),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_flush(&self, stream: &mut Stream, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.write_out(&mut WhenWritable { stream, context }) {
            Ok(true) => Poll::Ready(Ok(())),
            Ok(false) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn write_out(&self, socket: &mut dyn Write) -> io::Result<bool> {
        let mut session = self.session.borrow_mut();
        while session.wants_write() {
            match session.write_to(socket) {
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

    fn note_unsent(&self, bytes: usize) {
        let others = self
            .core
            .unsent_bytes
            .get()
            .saturating_sub(self.unsent_bytes.replace(bytes));
        self.core.unsent_bytes.set(others + bytes);
    }
}

/// A socket that takes what it has room for.
struct Now<'s>(&'s Stream);

impl Write for Now<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.send_now(slices)?.ok_or(io::ErrorKind::WouldBlock.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The same, and it wakes the task once it has room again.
struct WhenWritable<'s, 'c, 'w> {
    stream: &'s mut Stream,
    context: &'c mut Context<'w>,
}

impl Write for WhenWritable<'_, '_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if let Some(sent) = self.stream.send_now(slices)? {
            return Ok(sent);
        }
        let first = slices.iter().find(|slice| !slice.is_empty());
        match self.stream.poll_send(self.context, first.map_or(&[], |slice| slice)) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
