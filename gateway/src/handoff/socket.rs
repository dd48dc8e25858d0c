//! The socket of a channel: messages as bytes, with descriptors beside them.

use crate::rt::UnixSocket;
use rustix::{
    event::{PollFd, PollFlags, Timespec},
    io::Errno,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
        SendFlags, SocketAddrUnix, SocketFlags, SocketType,
    },
    process::PidfdFlags,
};
use std::{
    collections::VecDeque,
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{BorrowedFd, OwnedFd},
};

/// A Unix stream socket on which descriptors can be passed.
pub struct ChannelSocket {
    socket: UnixSocket,
    /// The process at the other end, where it can be seen.
    peer: Option<OwnedFd>,
}

/// Descriptors that may come with one receive: a message brings one, and a receive ends at it.
const DESCRIPTORS_PER_RECEIVE_MAX: usize = 4;

impl ChannelSocket {
    /// Connects to a name of the abstract namespace; `PermissionDenied` when another user listens there.
    pub fn connect(name: &str) -> io::Result<Self> {
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        rustix::net::connect(&socket, &SocketAddrUnix::new_abstract_name(name.as_bytes())?)?;
        let peer = rustix::net::sockopt::socket_peercred(&socket)?;
        if peer.uid != rustix::process::geteuid() {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(Self {
            socket: UnixSocket::from_descriptor(socket)?,
            peer: rustix::process::pidfd_open(peer.pid, PidfdFlags::empty()).ok(),
        })
    }
    /// Whether the process at the other end has ended. The kernel may let go of its sockets only later, when it used
    /// them with io_uring, and what is sent to them until then is lost.
    pub fn is_orphaned(&self) -> bool {
        let Some(peer) = &self.peer else { return false };
        let mut ended = [PollFd::new(peer, PollFlags::IN)];
        rustix::event::poll(&mut ended, Some(&Timespec::default())).is_ok_and(|count| count > 0)
    }
    /// Waits until something can be received, or the peer is gone.
    pub async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }
    /// Sends what the socket takes at once; `None`: nothing. The descriptor goes with the first byte.
    pub fn try_send(&self, bytes: &[u8], descriptor: Option<BorrowedFd<'_>>) -> io::Result<Option<usize>> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let descriptors = descriptor.map(|descriptor| [descriptor]);
        if let Some(descriptors) = &descriptors {
            control.push(SendAncillaryMessage::ScmRights(descriptors));
        }
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        match rustix::net::sendmsg(self.socket.descriptor(), &[IoSlice::new(bytes)], &mut control, flags) {
            Ok(sent) => Ok(Some(sent)),
            Err(Errno::AGAIN | Errno::INTR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
    /// Receives what is there; `None`: nothing, `Some(0)`: the peer is gone.
    pub fn try_receive(&self, buffer: &mut [u8], descriptors: &mut VecDeque<OwnedFd>) -> io::Result<Option<usize>> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_PER_RECEIVE_MAX))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        match rustix::net::recvmsg(
            self.socket.descriptor(),
            &mut [IoSliceMut::new(buffer)],
            &mut control,
            flags,
        ) {
            Ok(received) => {
                for message in control.drain() {
                    if let RecvAncillaryMessage::ScmRights(passed) = message {
                        descriptors.extend(passed);
                    }
                }
                Ok(Some(received.bytes))
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
