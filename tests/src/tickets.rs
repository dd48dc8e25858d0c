//! Tickets as an attacker would want them: opened and sealed again with the store's own cluster key.

use crate::{sign::now_unix_s, store::Store};
use proto::auth::{
    sigv4::from_hex,
    ticket::{QUERY_PARAMETER, Ticket, TicketKey},
};

/// The cluster key of a store.
pub fn cluster_key(store: &Store) -> TicketKey {
    let text = std::fs::read_to_string(store.data().join("control/cluster.key")).unwrap();
    TicketKey::from_bytes(from_hex(text.trim()).unwrap())
}

/// The sealed ticket in a Location.
pub fn sealed(location: &str) -> String {
    let (_, query) = location.split_once('?').expect("a query");
    let parameter = format!("{QUERY_PARAMETER}=");
    query
        .split('&')
        .find_map(|part| part.strip_prefix(&parameter))
        .expect("a ticket")
        .to_owned()
}

/// The ticket in a Location.
pub fn open(store: &Store, location: &str) -> Ticket {
    cluster_key(store)
        .open(&sealed(location), now_unix_s())
        .expect("a valid ticket")
}

/// The Location with another ticket in the place of its own.
pub fn replace(location: &str, ticket: &str) -> String {
    location.replace(&sealed(location), ticket)
}

/// Port and target (path and query) of a Location.
pub fn parts(location: &str) -> (u16, String) {
    let rest = location
        .strip_prefix("http://127.0.0.1:")
        .or_else(|| location.strip_prefix("https://127.0.0.1:"))
        .expect("an address of this machine");
    let slash = rest.find('/').expect("a path");
    (rest[..slash].parse().expect("a port"), rest[slash..].to_owned())
}
