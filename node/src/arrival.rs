//! Connections that did not come through a core's own port: a gateway or a sibling core passed them on, with what was
//! received of their next request.

use crate::{admission::Admitted, connection::Pass, core::Core, limits::UNSENT_BYTES_MAX, rt::Stream, server};
use proto::http::head::RequestHead;
use std::{io, os::fd::OwnedFd, rc::Rc};

/// A connection on its way to a core.
#[derive(Debug)]
pub struct Arrival {
    /// The socket.
    pub descriptor: OwnedFd,
    /// What it begins with.
    pub beginning: Beginning,
}

/// What a connection begins with; the default is nothing, as on a core's own port.
#[derive(Debug, Default)]
pub struct Beginning {
    /// Received and not consumed.
    pub received: Vec<u8>,
    /// A sibling has found out already what comes first.
    pub admitted: Option<Box<(RequestHead, Admitted)>>,
    /// What it brings from a gateway.
    pub pass: Pass,
}

impl Arrival {
    /// Serves it on this core as a task of its own.
    pub fn serve(self, core: &Rc<Core>) {
        let Some(counted) = core.count_connection() else {
            return core.links.refuse(self);
        };
        match stream(self.descriptor) {
            Ok(stream) => server::spawn(core, counted, stream, self.beginning),
            Err(error) => tracing::warn!(%error, "a connection that was passed on cannot be used"),
        }
    }
}

fn stream(descriptor: OwnedFd) -> io::Result<Stream> {
    // What a core's own port gives to every connection it accepts.
    socket2::SockRef::from(&descriptor).set_tcp_notsent_lowat(UNSENT_BYTES_MAX)?;
    Stream::from_descriptor(descriptor)
}
