//! The cores of a node among themselves: a connection whose next key a sibling owns moves there, socket and all.

use crate::{arrival::Arrival, core::Core, limits::MOVES_WAITING_MAX, rt::Stream};
use rustix::{
    io::Errno,
    net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType},
};
use std::{
    collections::HashMap,
    io,
    os::fd::OwnedFd,
    rc::Rc,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Where connections for one core wait. The bell is a socket, because a byte on a socket wakes an executor the way
/// requests do.
#[derive(Debug)]
struct Mailbox {
    waiting: Mutex<Vec<Arrival>>,
    bell: OwnedFd,
}

impl Mailbox {
    fn put(&self, arrival: Arrival) {
        let is_first = {
            let mut waiting = self.waiting();
            waiting.push(arrival);
            waiting.len() == 1
        };
        if is_first {
            // A bell that is full of rings rings.
            let _ = rustix::net::send(&self.bell, &[1], SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
        }
    }

    fn take(&self) -> Vec<Arrival> {
        std::mem::take(&mut *self.waiting())
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Arrival>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every core's mailbox, and which core serves which shard.
#[derive(Debug)]
pub struct Siblings {
    mailboxes: Vec<Mailbox>,
    owners: HashMap<[u8; 16], u16>,
}

/// A core's own end of its bell.
#[derive(Debug)]
pub struct Bell(OwnedFd);

impl Siblings {
    /// The cores of a node, by the shards each serves.
    pub fn new(shards_of_cores: &[Vec<[u8; 16]>]) -> io::Result<(Arc<Self>, Vec<Bell>)> {
        let mut mailboxes = Vec::new();
        let mut bells = Vec::new();
        let mut owners = HashMap::new();
        for (core, shards) in (0u16..).zip(shards_of_cores) {
            let (bell, ear) =
                rustix::net::socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
            mailboxes.push(Mailbox {
                waiting: Mutex::default(),
                bell,
            });
            bells.push(Bell(ear));
            owners.extend(shards.iter().map(|shard| (*shard, core)));
        }
        Ok((Arc::new(Self { mailboxes, owners }), bells))
    }

    /// The core of this node that serves a shard.
    pub fn owner(&self, shard: &[u8; 16]) -> Option<u16> {
        self.owners.get(shard).copied()
    }

    /// Whether a sibling may be sent more connections: one that does not get round to taking them gets no more.
    pub fn has_room(&self, core: u16) -> bool {
        let mailbox = self.mailboxes.get(usize::from(core));
        mailbox.is_some_and(|mailbox| mailbox.waiting().len() < MOVES_WAITING_MAX)
    }

    /// Sends a connection to a sibling.
    pub fn send(&self, core: u16, arrival: Arrival) {
        if let Some(mailbox) = self.mailboxes.get(usize::from(core)) {
            mailbox.put(arrival);
        }
    }
}

/// Serves what siblings send to this core, for as long as it runs.
pub async fn receive(core: Rc<Core>, bell: Bell) {
    let stream = match Stream::from_descriptor(bell.0) {
        Ok(stream) => stream,
        Err(error) => return tracing::error!(%error, "this core hears nothing from its siblings"),
    };
    while stream.readable().await.is_ok() {
        let mut rings = [0u8; 64];
        match rustix::net::recv(stream.descriptor(), &mut rings, RecvFlags::DONTWAIT) {
            Ok((_, 0)) => return,
            Ok(_) | Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return tracing::error!(%error, "this core hears nothing from its siblings"),
        }
        let Some(mailbox) = core.siblings.mailboxes.get(usize::from(core.index)) else {
            return;
        };
        for arrival in mailbox.take() {
            arrival.serve(&core);
        }
    }
}
