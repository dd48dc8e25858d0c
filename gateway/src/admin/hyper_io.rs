//! The bridge to hyper: monoio's poll-style stream through monoio-compat, behind the bytes that were read before hyper
//! took over.

use hyper::rt::{Read, ReadBufCursor, Write};
use monoio::{io::IntoPollIo, net::TcpStream};
use monoio_compat::hyper::MonoioIo;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

/// See the module.
pub struct HyperIo {
    received: Vec<u8>,
    taken: usize,
    stream: MonoioIo<<TcpStream as IntoPollIo>::PollIo>,
}

impl HyperIo {
    /// Over a stream with no operation pending, and what was received from it and not served.
    pub fn new(stream: TcpStream, received: Vec<u8>) -> io::Result<Self> {
        let stream = stream.try_into_poll_io().map_err(|(error, _)| error)?;
        Ok(Self {
            received,
            taken: 0,
            stream: MonoioIo::new(stream),
        })
    }
}

impl Read for HyperIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let left = self.received.get(self.taken..).unwrap_or_default();
        if left.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let part = left.get(..buffer.remaining()).unwrap_or(left);
        buffer.put_slice(part);
        self.taken += part.len();
        Poll::Ready(Ok(()))
    }
}

impl Write for HyperIo {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
