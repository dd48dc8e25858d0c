//! The channel of a gateway on the same host: messages both ways, with connections' descriptors beside them.

use crate::rt::Stream;
use proto::{cluster::handoff::MessageReader, wire::WireError};
use rustix::{
    io::Errno,
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
        recvmsg, sendmsg,
    },
};
use std::{
    cell::RefCell,
    collections::VecDeque,
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{BorrowedFd, OwnedFd},
};

/// Descriptors that may come with one receive: a message brings one, and a receive ends at it.
const DESCRIPTORS_PER_RECEIVE_MAX: usize = 4;
/// Bytes taken at once.
const RECEIVE_BYTES: usize = 64 * 1024;

/// A connected channel. Sending never waits: what the socket does not take at once is kept, up to a limit.
pub struct Channel {
    stream: Stream,
    unsent: RefCell<VecDeque<u8>>,
}

/// What comes in on a channel.
pub struct Incoming {
    buffer: Box<[u8]>,
    messages: MessageReader,
    descriptors: VecDeque<OwnedFd>,
}

impl Default for Incoming {
    fn default() -> Self {
        Self {
            buffer: vec![0; RECEIVE_BYTES].into_boxed_slice(),
            messages: MessageReader::default(),
            descriptors: VecDeque::new(),
        }
    }
}

impl Incoming {
    /// The next complete message.
    pub fn message(&mut self) -> Result<Option<&[u8]>, WireError> {
        self.messages.take()
    }

    /// The descriptor that came with the last message.
    pub fn descriptor(&mut self) -> Option<OwnedFd> {
        self.descriptors.pop_front()
    }
}

impl Channel {
    /// Over a connected Unix stream socket whose other end runs as the same user; `PermissionDenied` for any other:
    /// connections and leases must not get into a stranger's hands.
    pub fn new(stream: Stream) -> io::Result<Self> {
        let peer = rustix::net::sockopt::socket_peercred(stream.descriptor())?;
        if peer.uid != rustix::process::geteuid() {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(Self {
            stream,
            unsent: RefCell::default(),
        })
    }

    /// Sends a message; `false`: the other side takes nothing now, or is gone.
    pub fn send(&self, message: &[u8], descriptor: Option<BorrowedFd<'_>>) -> bool {
        if !self.flush() {
            return false;
        }
        match self.send_now(message, descriptor) {
            Ok(sent) => {
                // The descriptor went with the first byte; the other side waits for the rest.
                self.unsent.borrow_mut().extend(message.get(sent..).unwrap_or_default());
                true
            }
            Err(error) => {
                tracing::debug!(%error, "a channel takes nothing");
                false
            }
        }
    }

    /// Sends what is left of an earlier message; whether nothing is left.
    pub fn flush(&self) -> bool {
        let mut unsent = self.unsent.borrow_mut();
        while !unsent.is_empty() {
            match self.send_now(unsent.make_contiguous(), None) {
                Ok(sent) => drop(unsent.drain(..sent)),
                Err(_) => return false,
            }
        }
        true
    }

    fn send_now(&self, bytes: &[u8], descriptor: Option<BorrowedFd<'_>>) -> rustix::io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let descriptors = descriptor.map(|descriptor| [descriptor]);
        if let Some(descriptors) = &descriptors {
            control.push(SendAncillaryMessage::ScmRights(descriptors));
        }
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        sendmsg(self.stream.descriptor(), &[IoSlice::new(bytes)], &mut control, flags)
    }

    /// Waits for more and takes it in; `false` at the end of the channel.
    pub async fn receive(&self, incoming: &mut Incoming) -> io::Result<bool> {
        self.stream.readable().await?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_PER_RECEIVE_MAX))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let received = match recvmsg(
            self.stream.descriptor(),
            &mut [IoSliceMut::new(&mut incoming.buffer)],
            &mut control,
            flags,
        ) {
            Ok(received) => received,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(true),
            Err(error) => return Err(error.into()),
        };
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                incoming.descriptors.extend(descriptors);
            }
        }
        let bytes = incoming.buffer.get(..received.bytes).unwrap_or_default();
        incoming.messages.push(bytes);
        Ok(received.bytes > 0)
    }
}
