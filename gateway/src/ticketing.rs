//! Makes the tickets that let requests and messages into cores.

use crate::{
    clock::{unix_ms, unix_s},
    cluster::{Core, Placement},
};
use proto::{
    auth::{
        object_grant::ObjectGrant,
        ticket::{Grant, Principal, Ticket, TicketKey, request_digest},
    },
    http::head::RequestHead,
    limits::TICKET_LIFE_S,
    s3::query::Query,
};

/// Seals a grant for a core that needs no shard.
pub fn for_core(key: &TicketKey, core: &Core, principal: Principal, grant: Grant) -> String {
    seal(key, core, [0; 16], principal, false, grant)
}

/// Seals a grant for the shard that owns a key.
pub fn for_shard(key: &TicketKey, placement: &Placement, principal: Principal, grant: Grant) -> String {
    seal(key, &placement.core, placement.shard, principal, false, grant)
}

/// Who asks, and the request as the core will see it.
#[derive(Debug)]
pub struct Asked<'a> {
    /// Who.
    pub principal: Principal,
    /// The head.
    pub head: &'a RequestHead,
    /// Its query.
    pub query: &'a Query,
    /// The gateway itself sends it to the core.
    pub proxied: bool,
}

/// Seals one object operation.
pub fn for_object(key: &TicketKey, placement: &Placement, object: ObjectGrant, asked: Asked<'_>) -> String {
    let grant = Grant::Object {
        object,
        request_digest: request_digest(asked.head.method(), asked.head, asked.query),
    };
    let Placement { core, shard } = placement;
    seal(key, core, *shard, asked.principal, asked.proxied, grant)
}

fn seal(key: &TicketKey, core: &Core, shard: [u8; 16], principal: Principal, proxied: bool, grant: Grant) -> String {
    key.seal(&Ticket {
        issued_unix_ms: unix_ms(),
        expires_unix_s: unix_s().saturating_add(TICKET_LIFE_S),
        node: core.node,
        core: core.index,
        shard,
        principal,
        proxied,
        grant,
    })
}
