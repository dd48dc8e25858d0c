//! A connection without a ticket goes to a gateway, as a whole: bytes both ways, with one header that tells the gateway
//! who the client is and that redirecting again would loop.

use crate::{
    connection::Connection,
    core::Core,
    deadline::Deadline,
    limits::{BODY_TIMEOUT, RELAY_BUFFER_BYTES, RELAY_TIMEOUT, RELAYS_PER_CORE_MAX},
    rt::{Stream, within},
    stats::Kind,
};
use proto::{
    auth::ticket::{Grant, Principal, RELAY_HEADER, Ticket},
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
    limits::TICKET_LIFE_S,
};
use std::rc::Rc;

/// Passes the connection through until either side ends it.
pub async fn run(mut connection: Connection<'_>, head: RequestHead) {
    let core = Rc::clone(connection.core);
    if core.relays.get() >= RELAYS_PER_CORE_MAX {
        return refuse(connection, &head).await;
    }
    let Some(mut gateway) = connect(&core).await else {
        return refuse(connection, &head).await;
    };
    core.relays.set(core.relays.get() + 1);
    core.counters.requests.count(Kind::Relay, 0);
    let first = opening(&core, &connection, &head);
    if gateway.write_all(&first).await.is_ok() && gateway.write_all(connection.inbox.unread()).await.is_ok() {
        let count = connection.inbox.unread().len();
        connection.inbox.consume(count);
        pass_both_ways(&mut connection, gateway).await;
    }
    core.relays.set(core.relays.get() - 1);
}

async fn refuse(mut connection: Connection<'_>, head: &RequestHead) {
    let error = S3Error::new(ErrorCode::SlowDown);
    let exchange = connection.exchange_for(head, Kind::Relay);
    connection.refuse(head, exchange, &error).await;
}

async fn connect(core: &Core) -> Option<Stream> {
    for address in &core.gateways {
        if let Some(Ok(stream)) = within(BODY_TIMEOUT, Stream::connect(*address, core.tls.as_ref())).await {
            return Some(stream);
        }
    }
    None
}

/// The first head, with the relay header before its empty line.
fn opening(core: &Core, connection: &Connection<'_>, head: &RequestHead) -> Vec<u8> {
    let client = connection
        .stream
        .peer()
        .map(|address| address.to_string())
        .unwrap_or_default();
    let ticket = Ticket {
        issued_unix_ms: core.unix_ms(),
        expires_unix_s: core.unix_s() + TICKET_LIFE_S,
        node: core.node,
        core: core.index,
        shard: [0; 16],
        principal: Principal::default(),
        proxied: false,
        grant: Grant::Relay { client },
    };
    let raw = head.raw();
    let lines = raw.strip_suffix(b"\r\n").unwrap_or(raw);
    let mut bytes = lines.to_vec();
    bytes.extend_from_slice(RELAY_HEADER.as_bytes());
    bytes.extend_from_slice(b": ");
    bytes.extend_from_slice(core.ticket_key.seal(&ticket).as_bytes());
    bytes.extend_from_slice(b"\r\n\r\n");
    bytes
}

async fn pass_both_ways(connection: &mut Connection<'_>, mut gateway: Stream) {
    let (Ok(mut to_gateway), Ok(mut to_client)) = (gateway.duplicate(), connection.stream.duplicate()) else {
        return;
    };
    connection.deadline.set(RELAY_TIMEOUT);
    let deadline = &connection.deadline;
    let up = pass(&mut connection.stream, &mut to_gateway, deadline);
    let down = pass(&mut gateway, &mut to_client, deadline);
    futures_lite::future::zip(up, down).await;
}

/// Passes one direction to its end, then ends it on the other side too.
async fn pass(from: &mut Stream, to: &mut Stream, deadline: &Deadline) {
    let mut buffer = vec![0; RELAY_BUFFER_BYTES];
    loop {
        let count = match from.read(&mut buffer).await {
            Ok(0) => break,
            Ok(count) => count,
            Err(_) => {
                to.close().await;
                return;
            }
        };
        deadline.set(RELAY_TIMEOUT);
        if to.write_all(buffer.get(..count).unwrap_or_default()).await.is_err() {
            from.close().await;
            return;
        }
    }
    to.finish();
}
