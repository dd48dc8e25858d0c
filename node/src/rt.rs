//! The seam to the runtime: the only file of this crate that names glommio.

use glommio::{
    LocalExecutorBuilder, Placement,
    net::{TcpListener, TcpStream},
    timer::{sleep as timer_sleep, timeout},
};
use rustix::{
    io::Errno,
    net::{SendAncillaryBuffer, SendFlags, sendmsg},
};
use std::{
    future::{Future, poll_fn},
    io::{self, IoSlice},
    net::{Shutdown, SocketAddr},
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
    thread::JoinHandle,
    time::Duration,
};

use crate::{
    limits::{EXECUTOR_IO_BYTES, NAP_TIME_MAX, RING_DEPTH},
    tls::{ConnectionTls, CoreTls},
    traffic::Traffic,
};
use futures_lite::io::{AsyncRead, AsyncWrite};

/// Starts an executor on a thread pinned to `cpu` and runs the future there.
pub fn spawn_core<F, T>(
    cpu: usize,
    name: &str,
    body: impl FnOnce() -> F + Send + 'static,
) -> io::Result<JoinHandle<Option<T>>>
where
    F: Future<Output = T> + 'static,
    T: Send + 'static,
{
    let handle = LocalExecutorBuilder::new(Placement::Fixed(cpu))
        .name(name)
        .io_memory(EXECUTOR_IO_BYTES)
        .ring_depth(RING_DEPTH)
        .spawn(move || {
            spawn(async {
                loop {
                    sleep(NAP_TIME_MAX).await;
                }
            });
            body()
        })
        .map_err(io::Error::from)?;
    std::thread::Builder::new()
        .name(format!("{name}-join"))
        .spawn(move || handle.join().ok())
}

/// Runs a future on this core.
pub fn spawn(future: impl Future<Output = ()> + 'static) {
    glommio::spawn_local(future).detach();
}

/// Waits.
pub async fn sleep(duration: Duration) {
    timer_sleep(duration).await;
}

/// The future's output, or `None` when it takes longer.
pub async fn within<T>(duration: Duration, future: impl Future<Output = T>) -> Option<T> {
    timeout(duration, async { Ok(future.await) }).await.ok()
}

/// Lets other tasks of this core run if this one had its share.
pub async fn yield_if_needed() {
    glommio::yield_if_needed().await;
}

/// Lets the other tasks run that can go on now. The runtime's own `yield_now` would let it look for I/O, or sleep, each
/// time.
pub async fn yield_now() {
    futures_lite::future::yield_now().await;
}

/// A listening socket.
pub struct Listener(TcpListener);

impl Listener {
    /// Takes over a bound, listening socket.
    pub fn from_std(listener: std::net::TcpListener) -> Self {
        // SAFETY: the descriptor is owned by `listener`, which gives it up here.
        Self(unsafe { TcpListener::from_raw_fd(listener.into_raw_fd()) })
    }

    /// Takes over a bound, listening Unix socket.
    pub fn from_unix(listener: OwnedFd) -> Self {
        // SAFETY: as above; accept(2) is the same for every kind of stream socket.
        Self(unsafe { TcpListener::from_raw_fd(listener.into_raw_fd()) })
    }

    /// The next connection.
    pub async fn accept(&self) -> io::Result<Stream> {
        let stream = self.0.accept().await.map_err(io::Error::from)?;
        stream.set_nodelay(true).map_err(io::Error::from)?;
        Ok(Stream::new(stream))
    }

    /// The next connection to a Unix socket.
    pub async fn accept_unix(&self) -> io::Result<Stream> {
        self.0.accept().await.map(Stream::new).map_err(io::Error::from)
    }
}

/// The number of an open socket, for the one thing a sweeper does with it.
#[derive(Debug, Clone, Copy)]
pub struct SocketNumber(RawFd);

impl SocketNumber {
    /// Shuts both directions down; whoever waits on the socket sees its end.
    pub fn shut_down(self) {
        // SAFETY: only `Deadline` keeps a number, and a connection takes it away before it closes the socket.
        let socket = unsafe { BorrowedFd::borrow_raw(self.0) };
        let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Both);
    }
}

/// A TCP connection, plain or with TLS. Plain reads and writes go straight to and from the caller's buffers.
pub struct Stream {
    socket: TcpStream,
    tls: Option<Rc<ConnectionTls>>,
    traffic: Option<Rc<Traffic>>,
}

impl Stream {
    fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            tls: None,
            traffic: None,
        }
    }

    /// Speaks TLS from here on, as the server of a client that has sent nothing yet.
    pub fn begin_tls(&mut self, tls: &Rc<CoreTls>) -> io::Result<()> {
        self.tls = Some(tls.accept()?);
        Ok(())
    }

    /// Whether it speaks TLS.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Speaks plain bytes from here on: to a client that never began TLS.
    pub fn end_tls(&mut self) {
        self.tls = None;
    }

    /// Brings the handshake of TLS to its end; nothing without TLS.
    pub async fn handshake(&mut self) -> io::Result<()> {
        match self.tls.clone() {
            None => Ok(()),
            Some(tls) => poll_fn(|context| tls.poll_handshake(self, context)).await,
        }
    }

    /// Counts the bytes of this connection from here on.
    pub fn count_into(&mut self, traffic: &Rc<Traffic>) {
        self.traffic = Some(Rc::clone(traffic));
    }

    /// Connects to another process of the store; with TLS where it has any.
    pub async fn connect(address: SocketAddr, tls: Option<&Rc<CoreTls>>) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await.map_err(io::Error::from)?;
        stream.set_nodelay(true).map_err(io::Error::from)?;
        let mut stream = Self::new(stream);
        if let Some(tls) = tls {
            stream.tls = Some(tls.connect(address.ip())?);
            stream.handshake().await?;
        }
        Ok(stream)
    }

    /// Takes over a connected stream socket that came from elsewhere. It must block: on the ring, one that does not
    /// answers EAGAIN.
    pub fn from_descriptor(descriptor: OwnedFd) -> io::Result<Self> {
        let flags = rustix::fs::fcntl_getfl(&descriptor)?;
        if flags.contains(rustix::fs::OFlags::NONBLOCK) {
            rustix::fs::fcntl_setfl(&descriptor, flags - rustix::fs::OFlags::NONBLOCK)?;
        }
        // SAFETY: the descriptor is owned, and given up here.
        Ok(Self::new(unsafe { TcpStream::from_raw_fd(descriptor.into_raw_fd()) }))
    }

    /// Another descriptor of the same socket, to be taken elsewhere. Nothing may be waiting for bytes: what a receive
    /// on this ring still took would be lost.
    pub fn duplicate_descriptor(&self) -> io::Result<OwnedFd> {
        self.fd().try_clone_to_owned()
    }

    /// The socket, for calls that do not wait.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.fd()
    }

    /// Another handle of the same connection, for the other direction.
    pub fn duplicate(&self) -> io::Result<Self> {
        let mut copy = Self::from_descriptor(self.duplicate_descriptor()?)?;
        copy.tls.clone_from(&self.tls);
        copy.traffic.clone_from(&self.traffic);
        Ok(copy)
    }

    /// Receives what there is, at most a buffer full; 0 at the end.
    pub async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.tls.clone() {
            None => poll_fn(|context| self.poll_receive(context, buffer)).await,
            Some(tls) => poll_fn(|context| tls.poll_read(self, context, buffer)).await,
        }
    }

    /// Waits until there is something to receive, without a buffer.
    pub async fn readable(&self) -> io::Result<()> {
        if self.tls.as_ref().is_some_and(|tls| tls.has_plaintext()) {
            return Ok(());
        }
        let mut byte = [0u8; 1];
        self.socket.peek(&mut byte).await.map_err(io::Error::from)?;
        Ok(())
    }

    /// Sends all bytes.
    pub async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        if let Some(tls) = self.tls.clone() {
            return poll_fn(|context| tls.poll_write_all(self, context, &mut bytes)).await;
        }
        while !bytes.is_empty() {
            let sent = poll_fn(|context| self.poll_send(context, bytes)).await?;
            if sent == 0 {
                return Err(io::Error::from(io::ErrorKind::WriteZero));
            }
            bytes = bytes.get(sent..).unwrap_or_default();
        }
        Ok(())
    }

    /// Sends what the socket takes at once of several slices, in one system call; `None` when it takes nothing now. With
    /// TLS it takes a batch at a time, and may keep the end of it: see [`Stream::progress`].
    pub fn try_send(&self, slices: &[IoSlice<'_>]) -> io::Result<Option<usize>> {
        match &self.tls {
            None => self.send_now(slices),
            Some(tls) => tls.try_send(self, slices),
        }
    }

    /// With TLS, waits until the socket has taken some of what [`Stream::try_send`] has kept. Whether nothing is kept.
    pub async fn progress(&mut self) -> io::Result<bool> {
        match self.tls.clone() {
            None => Ok(true),
            Some(tls) => poll_fn(|context| tls.poll_progress(self, context)).await,
        }
    }

    /// Receives from the socket itself.
    pub fn poll_receive(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let received = ready!(Pin::new(&mut self.socket).poll_read(context, buffer))?;
        if let Some(traffic) = &self.traffic {
            traffic.receive(received);
        }
        Poll::Ready(Ok(received))
    }

    /// Sends to the socket itself.
    pub fn poll_send(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let sent = ready!(Pin::new(&mut self.socket).poll_write(context, bytes))?;
        self.note_sent(sent);
        Poll::Ready(Ok(sent))
    }

    /// Sends what the socket itself takes at once; `None` when that is nothing.
    pub fn send_now(&self, slices: &[IoSlice<'_>]) -> io::Result<Option<usize>> {
        let mut control = SendAncillaryBuffer::default();
        match sendmsg(
            self.fd(),
            slices,
            &mut control,
            SendFlags::DONTWAIT | SendFlags::NOSIGNAL,
        ) {
            Ok(sent) => {
                self.note_sent(sent);
                Ok(Some(sent))
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends the sending direction.
    pub fn finish(&self) {
        if let Some(tls) = &self.tls {
            tls.close(self);
        }
        // A connection the peer has already closed is as finished as it can be.
        let _ = rustix::net::shutdown(self.fd(), rustix::net::Shutdown::Write);
    }

    /// Cuts the connection, both directions: with TLS the peer can tell it from an end.
    pub async fn close(&self) {
        let _ = self.socket.shutdown(Shutdown::Both).await;
    }

    /// The peer's address.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.socket.peer_addr().ok()
    }

    /// The socket's number; the caller forgets it before this stream is dropped.
    pub fn number(&self) -> SocketNumber {
        SocketNumber(self.socket.as_raw_fd())
    }

    fn fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor lives as long as `self`.
        unsafe { BorrowedFd::borrow_raw(self.socket.as_raw_fd()) }
    }

    fn note_sent(&self, bytes: usize) {
        if let Some(traffic) = &self.traffic {
            traffic.send(bytes);
        }
    }
}
