//! A channel to one core: messages both ways, with connections' descriptors beside them, and what the core was told.

use super::socket::ChannelSocket;
use proto::{
    cluster::{
        handoff::{MessageReader, ToCore, ToGateway},
        map::Uuid,
    },
    wire::WireError,
};
use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io,
    os::fd::{BorrowedFd, OwnedFd},
};

/// Bytes taken at once.
const RECEIVE_BYTES: usize = 64 * 1024;

/// See the module. Sending never waits: what the socket does not take at once is kept.
pub struct Channel {
    /// The core's node.
    pub node: Uuid,
    /// The core's number in it.
    pub core: u16,
    /// The socket's name.
    pub name: String,
    /// The last epoch the core has acknowledged.
    pub acknowledged: Cell<u64>,
    /// The shard map's version it was told last.
    pub map_version: Cell<u64>,
    /// How many revocations it was told.
    pub revocations: Cell<u64>,
    socket: ChannelSocket,
    unsent: RefCell<VecDeque<u8>>,
}

/// What a channel has brought.
#[derive(Debug)]
pub enum Incoming {
    /// A message, and the descriptor that belongs to it if it is about a connection.
    Message(ToGateway, Option<OwnedFd>),
    /// The other side is gone.
    End,
}

/// Received bytes and descriptors on their way to become messages.
pub struct Receiver {
    buffer: Box<[u8]>,
    messages: MessageReader,
    descriptors: VecDeque<OwnedFd>,
}

impl Default for Receiver {
    fn default() -> Self {
        Self {
            buffer: vec![0; RECEIVE_BYTES].into_boxed_slice(),
            messages: MessageReader::default(),
            descriptors: VecDeque::new(),
        }
    }
}

impl Channel {
    /// To a core on this host; an error when it is on another one, or runs as another user: connections and leases must
    /// not get into a stranger's hands.
    pub fn connect(node: Uuid, core: u16, name: &str) -> io::Result<Self> {
        Ok(Self {
            node,
            core,
            name: name.to_owned(),
            acknowledged: Cell::new(0),
            map_version: Cell::new(0),
            revocations: Cell::new(0),
            socket: ChannelSocket::connect(name)?,
            unsent: RefCell::default(),
        })
    }

    /// Sends a message; `false`: the core takes nothing now, or is gone.
    pub fn send(&self, message: &ToCore, descriptor: Option<BorrowedFd<'_>>) -> bool {
        if self.socket.is_orphaned() || !self.flush() {
            return false;
        }
        let bytes = message.encode();
        match self.socket.try_send(&bytes, descriptor) {
            Ok(Some(sent)) => {
                // The descriptor went with the first byte; the core waits for the rest.
                self.unsent.borrow_mut().extend(bytes.get(sent..).unwrap_or_default());
                true
            }
            Ok(None) | Err(_) => false,
        }
    }

    /// Sends what is left of an earlier message; whether nothing is left.
    fn flush(&self) -> bool {
        let mut unsent = self.unsent.borrow_mut();
        while !unsent.is_empty() {
            match self.socket.try_send(unsent.make_contiguous(), None) {
                Ok(Some(sent)) => drop(unsent.drain(..sent)),
                Ok(None) | Err(_) => return false,
            }
        }
        true
    }

    /// The next message.
    pub async fn receive(&self, receiver: &mut Receiver) -> io::Result<Incoming> {
        let malformed = |error: WireError| io::Error::new(io::ErrorKind::InvalidData, error);
        loop {
            if let Some(bytes) = receiver.messages.take().map_err(malformed)? {
                let message = ToGateway::decode(bytes).map_err(malformed)?;
                let descriptor = match &message {
                    ToGateway::Connection(_) => receiver.descriptors.pop_front(),
                    ToGateway::Acknowledged { .. } => None,
                };
                return Ok(Incoming::Message(message, descriptor));
            }
            self.socket.readable().await?;
            match self
                .socket
                .try_receive(&mut receiver.buffer, &mut receiver.descriptors)?
            {
                None => {}
                Some(0) => return Ok(Incoming::End),
                Some(count) => receiver.messages.push(receiver.buffer.get(..count).unwrap_or_default()),
            }
        }
    }
}
