//! The bridge to hyper: monoio's poll-style stream through monoio-compat, behind the bytes that were read before hyper
//! took over, and behind TLS if the connection speaks it.

use crate::{
    limits::{ADMIN_RECEIVE_BYTES, TLS_BATCH_BYTES_MAX},
    tls::ConnectionTls,
};
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use monoio::{io::IntoPollIo, net::TcpStream};
use monoio_compat::hyper::MonoioIo;
use std::{
    io::{self, IoSlice},
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, ready},
};

/// See the module.
pub struct HyperIo {
    received: Vec<u8>,
    taken: usize,
    tls: Option<Rc<ConnectionTls>>,
    /// Encrypted, and not sent yet.
    unsent: Vec<u8>,
    stream: MonoioIo<<TcpStream as IntoPollIo>::PollIo>,
}

impl HyperIo {
    /// Over a stream with no operation pending, and what was received from it and not served.
    pub fn new(stream: TcpStream, tls: Option<Rc<ConnectionTls>>, received: Vec<u8>) -> io::Result<Self> {
        let stream = stream.try_into_poll_io().map_err(|(error, _)| error)?;
        Ok(Self {
            received,
            taken: 0,
            tls,
            unsent: Vec::new(),
            stream: MonoioIo::new(stream),
        })
    }
    /// Waits for more plaintext; none at the end.
    fn poll_receive(&mut self, tls: &ConnectionTls, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.received.clear();
        self.taken = 0;
        let mut space = [0; ADMIN_RECEIVE_BYTES];
        let mut ciphertext: &[u8] = &[];
        loop {
            let mut take = |plaintext: &[u8]| {
                self.received.extend_from_slice(plaintext);
                plaintext.len()
            };
            let received = tls.session().receive(ciphertext, &mut take)?;
            if received.taken > 0 || received.closed {
                return Poll::Ready(Ok(()));
            }
            let mut arrived = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut self.stream).poll_read(context, arrived.unfilled()))?;
            let count = arrived.filled().len();
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            ciphertext = space.get(..count).unwrap_or_default();
        }
    }
    /// Sends everything that is encrypted.
    fn poll_send(&mut self, tls: &ConnectionTls, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            while tls.session().wants_write() {
                tls.session().write_to(&mut self.unsent)?;
            }
            if self.unsent.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let sent = ready!(Pin::new(&mut self.stream).poll_write(context, &self.unsent))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unsent.drain(..sent.min(self.unsent.len()));
        }
    }
}

impl Read for HyperIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.taken == self.received.len() {
            match self.tls.clone() {
                None => return Pin::new(&mut self.stream).poll_read(context, buffer),
                Some(tls) => ready!(self.poll_receive(&tls, context))?,
            }
        }
        let left = self.received.get(self.taken..).unwrap_or_default();
        let part = left.get(..buffer.remaining()).unwrap_or(left);
        buffer.put_slice(part);
        self.taken += part.len();
        Poll::Ready(Ok(()))
    }
}

impl Write for HyperIo {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Some(tls) = self.tls.clone() else {
            return Pin::new(&mut self.stream).poll_write(context, bytes);
        };
        ready!(self.poll_send(&tls, context))?;
        let encrypted = tls.session().encrypt(&[IoSlice::new(bytes)], TLS_BATCH_BYTES_MAX);
        Poll::Ready(encrypted)
    }
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(tls) = self.tls.clone() {
            ready!(self.poll_send(&tls, context))?;
        }
        Pin::new(&mut self.stream).poll_flush(context)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(tls) = self.tls.clone() {
            tls.session().close();
            ready!(self.poll_send(&tls, context))?;
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
