//! What a request may do: its ticket is opened and held against it as it came, or the lease of its connection covers it.

use crate::{
    connection::Pass,
    core::{Core, unix_ms},
    link,
};
use proto::{
    auth::{
        object_grant::ObjectGrant,
        ticket::{self, Grant, Principal},
    },
    cluster::{
        configure::CONFIGURE_PATH,
        expiry::EXPIRE_PATH,
        message::{DELETE_BATCH_PATH, FENCE_PATH, LIST_PATH, STATS_PATH},
        source::READ_PATH,
    },
    error::{ErrorCode, S3Error},
    http::head::{Method, RequestHead},
    s3::{address::target_named, operation::Operation, query::Query},
};

/// Where a request is served.
#[derive(Debug)]
pub enum Admission {
    /// Here.
    Here(Admitted),
    /// By the core of this node with this number, under the connection's lease.
    Sibling(u16, Admitted),
    /// By a gateway, with the connection.
    Gateway,
}

/// What is allowed, and whose shard it is about.
#[derive(Debug)]
pub struct Admitted {
    /// Who asks.
    pub principal: Principal,
    /// How the request got here.
    pub authority: Authority,
    /// The shard that owns the key; zeros for messages.
    pub shard: [u8; 16],
    /// What is to be done.
    pub work: Work,
    /// The request's query, without the ticket.
    pub query: Query,
}

/// What lets a request in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// A ticket that the client was redirected with.
    Ticket,
    /// A ticket of a gateway that passes the answer on itself.
    ProxiedTicket,
    /// A ticket that came with the connection.
    HandedTicket,
    /// The connection's lease.
    Lease,
}

/// What is to be done.
#[derive(Debug)]
pub enum Work {
    /// An operation on an object.
    Object(ObjectGrant),
    /// What a gateway wants to know or to have done.
    Message(Grant),
}

/// Finds out what a request may do. `pass`: what its connection brought from a gateway.
pub fn admit(core: &Core, head: &RequestHead, pass: &mut Pass) -> Result<Admission, S3Error> {
    if let Some(sealed) = pass.ticket.take() {
        let query = Query::parse(head.raw_query())?;
        return open(core, head, &sealed, query, (pass, Authority::HandedTicket));
    }
    if let Some(sealed) = ticket::find(head.raw_query()) {
        let query = Query::parse_without(head.raw_query(), ticket::QUERY_PARAMETER)?;
        return open(core, head, sealed, query, (pass, Authority::Ticket));
    }
    Ok(link::admit_leased(core, head, pass).unwrap_or(Admission::Gateway))
}

/// Opens a ticket and checks that it was made for this request, and for this core, unless the connection was passed
/// around: then its client sends to the port where it was connected, and the ticket says where that is.
fn open(
    core: &Core,
    head: &RequestHead,
    sealed: &str,
    query: Query,
    (pass, authority): (&Pass, Authority),
) -> Result<Admission, S3Error> {
    let ticket = core.ticket_key.open(sealed, unix_ms() / 1000)?;
    let is_here = ticket.node == core.node && ticket.core == core.index;
    if !is_here && !pass.is_guest() {
        return Err(denied("The ticket is for another core."));
    }
    if ticket.node != core.node {
        return Ok(Admission::Gateway);
    }
    if core.links.is_revoked(&ticket) {
        return Err(denied("The key that the ticket was made for has been removed."));
    }
    let fits = match &ticket.grant {
        Grant::Object { object, request_digest } => {
            let Some(target) = target_named(head.raw_path(), &object.bucket.name, &object.key) else {
                return Err(denied(OTHER_REQUEST));
            };
            if let Some(access) = core.links.access_since(object.bucket.id, ticket.issued_unix_ms) {
                access.check_operation(object.operation)?;
            }
            Operation::parse(head, &target, &query)? == object.operation
                && ticket::request_digest(head.method(), head, &query) == *request_digest
                && object.declares_same_payload(head)?
        }
        Grant::List { .. } => is_message(head, LIST_PATH),
        Grant::DeleteBatch { .. } => is_message(head, DELETE_BATCH_PATH),
        Grant::Expire { .. } => is_message(head, EXPIRE_PATH),
        Grant::Fence { .. } => is_message(head, FENCE_PATH),
        Grant::Stats => is_message(head, STATS_PATH),
        Grant::Configure { .. } => is_message(head, CONFIGURE_PATH),
        Grant::Read { .. } => is_message(head, READ_PATH),
        Grant::Relay { .. } | Grant::Register { .. } | Grant::Channel { .. } => false,
    };
    if !fits {
        return Err(denied(OTHER_REQUEST));
    }
    let shard = ticket.shard;
    let work = match ticket.grant {
        Grant::Object { object, .. } => Work::Object(object),
        grant => Work::Message(grant),
    };
    let admitted = Admitted {
        principal: ticket.principal,
        authority: match ticket.proxied {
            true => Authority::ProxiedTicket,
            false => authority,
        },
        shard,
        work,
        query,
    };
    Ok(if is_here {
        Admission::Here(admitted)
    } else {
        Admission::Sibling(ticket.core, admitted)
    })
}

const OTHER_REQUEST: &str = "The ticket is for another request.";

fn is_message(head: &RequestHead, path: &str) -> bool {
    head.method() == Method::Post && head.raw_path() == path
}

fn denied(message: &'static str) -> S3Error {
    S3Error::with_message(ErrorCode::AccessDenied, message)
}
