//! Connections that leave a core with their next request: to the sibling that owns its key, or to a gateway.

use crate::{
    admission::Admitted,
    arrival::{Arrival, Beginning},
    connection::{Connection, Pass},
    relay,
};
use proto::http::head::RequestHead;

/// Passes a connection to the core of this node that owns the key of its next request, or, where that has no room, to a
/// gateway.
pub async fn to_sibling(mut connection: Connection<'_>, head: RequestHead, owner: u16, admitted: Admitted) {
    let core = connection.core;
    if !core.siblings.has_room(owner) {
        return to_gateway(connection, head).await;
    }
    let Ok(descriptor) = connection.stream.duplicate_descriptor() else {
        return to_gateway(connection, head).await;
    };
    let client = connection.client();
    let pass = Pass {
        relayed: connection.pass.is_relayed(),
        client: Some(client),
        ..std::mem::take(&mut connection.pass)
    };
    let beginning = Beginning {
        received: connection.inbox.unread().to_vec(),
        admitted: Some(Box::new((head, admitted))),
        pass,
    };
    core.siblings.send(owner, Arrival { descriptor, beginning });
    core.counters.handoff.moved.add(1);
}

/// Passes a connection to a gateway: the socket itself where there is a channel, else its bytes both ways.
pub async fn to_gateway(connection: Connection<'_>, head: RequestHead) {
    if connection.core.links.give_back(&connection, &head) {
        connection.core.counters.handoff.returned.add(1);
        return;
    }
    relay::run(connection, head).await;
}
