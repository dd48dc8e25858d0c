//! The runtime: the one place that names monoio. Everything else sees tasks, timers, and sockets that take owned
//! buffers. Deadlines are kept by a watchdog that shuts the socket down, because cancelling a receive on the ring
//! can lose the bytes it already took.

use crate::{
    limits::{LISTEN_BACKLOG, RING_ENTRIES},
    tls::{ConnectionTls, GatewayTls},
    watchdog::{Deadlines, Watchdog},
};
use monoio::{
    buf::{IoBufMut, Slice},
    io::{AsyncReadRent, AsyncWriteRent, OwnedReadHalf, OwnedWriteHalf, Splitable},
    net::{TcpListener, TcpStream, UnixStream},
};
use rustix::{
    fs::OFlags,
    io::Errno,
    net::{AddressFamily, RecvFlags, Shutdown, SocketType},
};
use std::{
    future::Future,
    io,
    net::SocketAddr,
    os::fd::{AsRawFd, BorrowedFd, OwnedFd},
    rc::Rc,
    time::{Duration, Instant},
};

/// Runs a future, and all tasks it spawns, on this thread's io_uring until the future ends.
pub fn run<F: Future>(future: F) -> io::Result<F::Output> {
    let mut runtime = monoio::RuntimeBuilder::<monoio::IoUringDriver>::new()
        .with_entries(RING_ENTRIES)
        .enable_timer()
        .build()?;
    Ok(runtime.block_on(future))
}

/// Starts a task on this thread.
pub fn spawn(future: impl Future<Output = ()> + 'static) {
    drop(monoio::spawn(future));
}

/// The output of a future that runs as a task of its own: it comes to its end even if nobody waits for it any more.
pub async fn detached<T: 'static>(future: impl Future<Output = T> + 'static) -> T {
    monoio::spawn(future).await
}

/// Waits.
pub async fn sleep(time: Duration) {
    monoio::time::sleep(time).await;
}

/// The future's output, or `None` after `limit`. Only for futures that may be dropped at any point.
pub async fn timeout<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    monoio::time::timeout(limit, future).await.ok()
}

/// Waits for SIGTERM or SIGINT.
pub struct Termination {
    signalled: UnixStream,
}

impl Termination {
    /// Takes the two signals over; from here on they only wake [`Termination::wait`].
    pub fn new() -> io::Result<Self> {
        Self::of(&[signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT])
    }
    fn of(signals: &[i32]) -> io::Result<Self> {
        let (read, write) = std::os::unix::net::UnixStream::pair()?;
        for &signal in signals {
            signal_hook::low_level::pipe::register(signal, write.try_clone()?)?;
        }
        Ok(Self {
            signalled: UnixStream::from_std(read)?,
        })
    }
    /// Returns with the first signal.
    pub async fn wait(&mut self) {
        let (result, _) = self.signalled.read(vec![0; 1]).await;
        if result.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Waits for SIGHUP.
pub struct Hangup(Termination);

impl Hangup {
    /// Takes the signal over; from here on it only wakes [`Hangup::wait`].
    pub fn new() -> io::Result<Self> {
        Termination::of(&[signal_hook::consts::SIGHUP]).map(Self)
    }
    /// Returns with the next signal.
    pub async fn wait(&mut self) {
        self.0.wait().await;
    }
}

/// A listening socket.
pub struct Listener {
    inner: TcpListener,
}

impl Listener {
    /// Binds and listens. The socket blocks: on the ring a non-blocking one would answer EAGAIN.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let family = if address.is_ipv4() {
            AddressFamily::INET
        } else {
            AddressFamily::INET6
        };
        let socket = rustix::net::socket_with(family, SocketType::STREAM, rustix::net::SocketFlags::CLOEXEC, None)?;
        rustix::net::sockopt::set_socket_reuseaddr(&socket, true)?;
        rustix::net::bind(&socket, &address)?;
        rustix::net::listen(&socket, LISTEN_BACKLOG)?;
        Ok(Self {
            inner: TcpListener::from_std(socket.into())?,
        })
    }
    /// The port it listens on.
    pub fn port(&self) -> io::Result<u16> {
        Ok(self.inner.local_addr()?.port())
    }
    /// The next connection.
    pub async fn accept(&self, watchdog: &Watchdog) -> io::Result<(Stream, SocketAddr)> {
        let (stream, peer) = self.inner.accept().await?;
        Ok((Stream::new(stream, watchdog)?, peer))
    }
}

/// A connected socket.
pub struct Stream {
    /// Receives.
    pub reader: Reader,
    /// Sends.
    pub writer: Writer,
}

impl Stream {
    fn new(stream: TcpStream, watchdog: &Watchdog) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let deadlines = watchdog.watch_over(stream.as_raw_fd());
        let (read, write) = stream.into_split();
        Ok(Self {
            reader: Reader {
                deadlines: Rc::clone(&deadlines),
                tls: None,
                half: read,
            },
            writer: Writer {
                deadlines,
                tls: None,
                half: write,
            },
        })
    }
    /// Connects, with TLS if there is any; `TimedOut` after `limit`, twice as long with TLS.
    pub async fn connect(
        address: SocketAddr,
        limit: Duration,
        watchdog: &Watchdog,
        tls: Option<&Rc<GatewayTls>>,
    ) -> io::Result<Self> {
        // A connect may be dropped: there are no bytes to lose yet.
        let Some(stream) = timeout(limit, TcpStream::connect_addr(address)).await else {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "no connection in time"));
        };
        let mut stream = Self::new(stream?, watchdog)?;
        if let Some(tls) = tls {
            stream.set_tls(Some(tls.connect(address.ip())?));
            stream.handshake(limit).await?;
        }
        Ok(stream)
    }
    /// Takes over a connected socket that came from elsewhere. It must block: on the ring, one that does not answers
    /// EAGAIN.
    pub fn from_descriptor(descriptor: OwnedFd, watchdog: &Watchdog) -> io::Result<Self> {
        let flags = rustix::fs::fcntl_getfl(&descriptor)?;
        if flags.contains(OFlags::NONBLOCK) {
            rustix::fs::fcntl_setfl(&descriptor, flags - OFlags::NONBLOCK)?;
        }
        Self::new(TcpStream::from_std(descriptor.into())?, watchdog)
    }
    /// The socket, to be passed elsewhere. No receive may be pending: the bytes it took would be lost.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.reader.deadlines.descriptor()
    }
    /// Closes this descriptor of a socket that goes on living elsewhere. A half that is merely dropped shuts the whole
    /// socket down for sending.
    pub fn let_go(self) {
        drop(self.into_inner());
    }
    /// Speaks TLS from here on, as the server of a client that has sent nothing yet.
    pub fn begin_tls(&mut self, tls: &Rc<GatewayTls>) -> io::Result<()> {
        self.set_tls(Some(tls.accept()?));
        Ok(())
    }
    /// Speaks plain bytes from here on: to a client that never began TLS.
    pub fn end_tls(&mut self) {
        self.set_tls(None);
    }
    fn set_tls(&mut self, tls: Option<Rc<ConnectionTls>>) {
        self.reader.tls = tls.clone();
        self.writer.tls = tls;
    }
    /// Brings the handshake of TLS to its end, within `limit`; nothing without TLS.
    pub async fn handshake(&mut self, limit: Duration) -> io::Result<()> {
        let Some(tls) = self.reader.tls.clone() else {
            return Ok(());
        };
        self.reader.set_deadline(Some(limit));
        loop {
            self.writer.flush(&tls, limit).await?;
            if !tls.is_handshaking() {
                break;
            }
            match tls.try_handshake(self.reader.deadlines.descriptor()) {
                Ok(true) => {}
                Ok(false) => self.reader.wait_readable().await?,
                Err(error) => return Err(self.reader.deadlines.explain(error)),
            }
        }
        self.reader.set_deadline(None);
        Ok(())
    }
    /// The runtime's own stream and the state of its TLS, for the bridge to hyper. No operation may be pending.
    pub fn into_inner(self) -> io::Result<(TcpStream, Option<Rc<ConnectionTls>>)> {
        let Self { reader, writer } = self;
        let Writer { half, deadlines, tls } = writer;
        drop(deadlines);
        let Reader {
            half: read, deadlines, ..
        } = reader;
        drop(deadlines);
        let stream = read.reunite(half);
        Ok((
            stream.map_err(|_| io::Error::other("the halves belong to different sockets"))?,
            tls,
        ))
    }
}

/// A connected Unix stream socket, for calls that do not wait and for waiting until they need not.
pub struct UnixSocket {
    stream: UnixStream,
}

impl UnixSocket {
    /// Takes over a connected socket.
    pub fn from_descriptor(descriptor: OwnedFd) -> io::Result<Self> {
        let stream = UnixStream::from_std(descriptor.into())?;
        Ok(Self { stream })
    }
    /// Waits until something can be received, or the peer is gone.
    pub async fn readable(&self) -> io::Result<()> {
        self.stream.readable(true).await
    }
    /// The socket.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor lives as long as `self`.
        unsafe { BorrowedFd::borrow_raw(self.stream.as_raw_fd()) }
    }
}

/// The receiving half of a socket.
pub struct Reader {
    deadlines: Rc<Deadlines>,
    tls: Option<Rc<ConnectionTls>>,
    half: OwnedReadHalf<TcpStream>,
}

impl Reader {
    /// Receives at the end of `buffer`, into its spare capacity (reserve some first). 0: the peer has ended its stream.
    /// `limit`: `None` leaves the deadline to [`Reader::set_deadline`].
    pub async fn read(&mut self, buffer: Vec<u8>, limit: Option<Duration>) -> (io::Result<usize>, Vec<u8>) {
        if limit.is_some() {
            self.set_deadline(limit);
        }
        let (result, buffer) = match self.tls.clone() {
            None => {
                let (begin, end) = (buffer.len(), buffer.capacity());
                let (result, slice) = self.half.read(buffer.slice_mut(begin..end)).await;
                (result, slice.into_inner())
            }
            Some(tls) => {
                let mut buffer = buffer;
                (self.read_tls(&tls, &mut buffer).await, buffer)
            }
        };
        if limit.is_some() {
            self.set_deadline(None);
        }
        (self.check(result), buffer)
    }
    async fn read_tls(&mut self, tls: &ConnectionTls, buffer: &mut Vec<u8>) -> io::Result<usize> {
        loop {
            match tls.try_read(self.deadlines.descriptor(), buffer)? {
                Some(count) => return Ok(count),
                None => self.wait_readable().await?,
            }
        }
    }
    /// The same, marked as the wait between two requests, which [`Watchdog::expire_idle`] ends.
    pub async fn read_idle(&mut self, buffer: Vec<u8>, limit: Duration) -> (io::Result<usize>, Vec<u8>) {
        self.deadlines.idle.set(true);
        let outcome = self.read(buffer, Some(limit)).await;
        self.deadlines.idle.set(false);
        outcome
    }
    /// Waits until something can be received, or the peer has ended its stream. May be dropped: it takes no bytes.
    pub async fn readable(&mut self, limit: Duration) -> io::Result<()> {
        if self.tls.as_ref().is_some_and(|tls| tls.has_plaintext()) {
            return Ok(());
        }
        self.set_deadline(Some(limit));
        let result = self.wait_readable().await;
        self.set_deadline(None);
        result
    }
    async fn wait_readable(&mut self) -> io::Result<()> {
        // SAFETY: both halves live on this thread, and the shared reference is used to submit one poll operation only.
        let stream = unsafe { &*self.half.0.get() };
        stream.readable(true).await
    }
    /// Receives what is there without waiting; `None`: nothing is.
    pub fn try_read(&mut self, buffer: &mut Vec<u8>) -> io::Result<Option<usize>> {
        if buffer.len() == buffer.capacity() {
            return Ok(Some(0));
        }
        if let Some(tls) = &self.tls {
            let result = tls.try_read(self.deadlines.descriptor(), buffer);
            return result.map_err(|error| self.deadlines.explain(error));
        }
        let spare = rustix::buffer::spare_capacity(buffer);
        match rustix::net::recv(self.deadlines.descriptor(), spare, RecvFlags::DONTWAIT) {
            Ok((_, count)) => self.check(Ok(count)).map(Some),
            Err(Errno::AGAIN | Errno::INTR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
    /// Whether the peer has closed, or has sent something nobody asked for: an idle connection in this state is of no use.
    pub fn is_stale(&self) -> bool {
        if self.tls.as_ref().is_some_and(|tls| tls.has_plaintext()) {
            return true;
        }
        let mut byte = [0u8; 1];
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        !matches!(
            rustix::net::recv(self.deadlines.descriptor(), &mut byte, flags),
            Err(Errno::AGAIN)
        )
    }
    /// When waiting for bytes ends; `None`: never.
    pub fn set_deadline(&self, limit: Option<Duration>) {
        self.deadlines.read.set(limit.map(|limit| Instant::now() + limit));
    }
    /// A handle that sets this half's deadline from elsewhere.
    pub fn deadline(&self) -> ReadDeadline {
        ReadDeadline(Rc::clone(&self.deadlines))
    }
    fn check(&self, result: io::Result<usize>) -> io::Result<usize> {
        match result {
            Ok(0) if self.deadlines.expired.get() => Err(self.deadlines.timed_out()),
            Ok(count) => Ok(count),
            Err(error) => Err(self.deadlines.explain(error)),
        }
    }
}

/// Sets the deadline of a [`Reader`] that is borrowed by a pending receive.
pub struct ReadDeadline(Rc<Deadlines>);

impl ReadDeadline {
    /// See [`Reader::set_deadline`].
    pub fn set(&self, limit: Duration) {
        self.0.read.set(Some(Instant::now() + limit));
    }
}

/// The sending half of a socket.
pub struct Writer {
    deadlines: Rc<Deadlines>,
    tls: Option<Rc<ConnectionTls>>,
    half: OwnedWriteHalf<TcpStream>,
}

impl Writer {
    /// Sends all of `buffer`; `limit` is the time without progress. The buffer comes back for reuse.
    pub async fn write_all(&mut self, buffer: Vec<u8>, limit: Duration) -> (io::Result<()>, Vec<u8>) {
        if let Some(tls) = self.tls.clone() {
            return (self.write_tls(&tls, &buffer, limit).await, buffer);
        }
        let mut buffer = buffer;
        let (mut sent, end) = (0, buffer.len());
        while sent < end {
            self.deadlines.write.set(Some(Instant::now() + limit));
            let (result, slice) = self.half.write(Slice::new(buffer, sent, end)).await;
            self.deadlines.write.set(None);
            buffer = slice.into_inner();
            match result {
                Ok(0) => return (Err(io::ErrorKind::WriteZero.into()), buffer),
                Ok(count) => sent += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) if self.deadlines.expired.get() => return (Err(self.deadlines.timed_out()), buffer),
                Err(error) => return (Err(error), buffer),
            }
        }
        (Ok(()), buffer)
    }
    async fn write_tls(&mut self, tls: &ConnectionTls, mut bytes: &[u8], limit: Duration) -> io::Result<()> {
        self.flush(tls, limit).await?;
        while !bytes.is_empty() {
            let count = tls.encrypt(bytes)?;
            bytes = bytes.get(count..).unwrap_or_default();
            self.flush(tls, limit).await?;
        }
        Ok(())
    }
    /// Sends everything that is encrypted.
    async fn flush(&mut self, tls: &ConnectionTls, limit: Duration) -> io::Result<()> {
        loop {
            match tls.send_now(self.deadlines.descriptor()) {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(_) if self.deadlines.expired.get() => return Err(self.deadlines.timed_out()),
                Err(error) => return Err(error),
            }
            self.deadlines.write.set(Some(Instant::now() + limit));
            // SAFETY: both halves live on this thread, and the shared reference is used to submit one poll operation only.
            let stream = unsafe { &*self.half.0.get() };
            let result = stream.writable(true).await;
            self.deadlines.write.set(None);
            result?;
        }
    }
    /// Ends this side of the stream; the peer may still send.
    pub fn shutdown(&self) {
        if let Some(tls) = &self.tls {
            tls.close(self.deadlines.descriptor());
        }
        let _ = rustix::net::shutdown(self.deadlines.descriptor(), Shutdown::Write);
    }
}
