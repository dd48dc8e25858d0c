//! Makes the tickets that let requests and messages into cores.

use crate::{
    clock::unix_s,
    cluster::{Core, Placement},
};
use proto::{
    auth::{
        chunked::ChunkSigner,
        payload::PayloadDeclaration,
        ticket::{Grant, Principal, Ticket, TicketKey, request_digest},
        verify::Verified,
    },
    http::head::RequestHead,
    limits::TICKET_LIFE_S,
    s3::{bucket::BucketGrant, operation::Operation, query::Query},
};

/// Seals a grant for a core that needs no shard.
pub fn for_core(key: &TicketKey, core: &Core, principal: Principal, grant: Grant) -> String {
    seal(key, core, [0; 16], principal, false, grant)
}

/// What an object operation's ticket is made of.
#[derive(Debug)]
pub struct ObjectGrant<'a> {
    /// PutObject, GetObject, HeadObject or DeleteObject.
    pub operation: Operation,
    /// The bucket.
    pub bucket: BucketGrant,
    /// The decoded key.
    pub key: &'a str,
    /// The declared payload of a PUT.
    pub payload: Option<PayloadDeclaration>,
    /// The verified signature, from which signed chunks chain.
    pub verified: Option<&'a Verified>,
    /// The request as the core will see it.
    pub head: &'a RequestHead,
    /// Its query.
    pub query: &'a Query,
    /// The gateway itself sends it to the core.
    pub proxied: bool,
}

/// Seals one object operation.
pub fn for_object(key: &TicketKey, placement: &Placement, principal: Principal, grant: ObjectGrant<'_>) -> String {
    let chunks_are_signed = grant.payload.as_ref().is_some_and(PayloadDeclaration::is_aws_chunked);
    let signer = grant
        .verified
        .filter(|_| chunks_are_signed)
        .map(|verified| ChunkSigner {
            signing_key: verified.signing_key.clone(),
            timestamp: verified.timestamp.clone(),
            scope: verified.scope.clone(),
            seed_signature: verified.signature,
        });
    let sealed = Grant::Object {
        operation: grant.operation,
        bucket: grant.bucket,
        key: grant.key.to_owned(),
        payload: grant.payload,
        signer,
        request_digest: request_digest(grant.head.method(), grant.head, grant.query),
    };
    seal(key, &placement.core, placement.shard, principal, grant.proxied, sealed)
}

fn seal(key: &TicketKey, core: &Core, shard: [u8; 16], principal: Principal, proxied: bool, grant: Grant) -> String {
    key.seal(&Ticket {
        expires_unix_s: unix_s().saturating_add(TICKET_LIFE_S),
        node: core.node,
        core: core.index,
        shard,
        principal,
        proxied,
        grant,
    })
}
