//! Connections that a core passed on: their first head carries a sealed note of it, and they are never redirected, since
//! the client is already where a redirect has sent it.

use crate::{clock::unix_s, connection::Connection, gateway::Gateway};
use proto::{auth::ticket::Grant, http::head::RequestHead};
use std::net::{IpAddr, SocketAddr};

/// The header; one that does not open is ignored.
pub const HEADER: &str = "x-corelane-relay";

/// Marks the connection if its first head carries a valid note.
pub fn take(gateway: &Gateway, connection: &mut Connection, head: &RequestHead) {
    let Some(sealed) = head.header_str(HEADER) else { return };
    if let Ok(ticket) = gateway.ticket_key.open(sealed, unix_s())
        && let Grant::Relay { client } = ticket.grant
    {
        connection.relayed = true;
        connection.client = address(&client).unwrap_or(connection.client);
    }
}

fn address(text: &str) -> Option<IpAddr> {
    let with_port = text.parse::<SocketAddr>().map(|address| address.ip());
    with_port.or_else(|_| text.parse()).ok()
}

#[cfg(test)]
mod tests {
    use super::address;
    use std::net::IpAddr;

    #[test]
    fn addresses_with_and_without_port() {
        let local = IpAddr::from([127, 0, 0, 1]);
        assert_eq!(address("127.0.0.1:80"), Some(local));
        assert_eq!(address("127.0.0.1"), Some(local));
        assert_eq!(address("[::1]:80"), Some("::1".parse().ok()).flatten());
        assert_eq!(address("nobody"), None);
    }
}
