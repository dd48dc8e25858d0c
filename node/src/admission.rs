//! What a request with a ticket is allowed to do: the ticket is opened and held against the request as it came.

use crate::core::{Core, unix_ms};
use proto::{
    auth::{
        payload::PayloadDeclaration,
        ticket::{self, Grant, Ticket},
    },
    cluster::message::{DELETE_BATCH_PATH, FENCE_PATH, LIST_PATH, STATS_PATH},
    error::{ErrorCode, S3Error},
    http::head::{Method, RequestHead},
    s3::{address::target_named, operation::Operation, query::Query},
};

/// What a head without a ticket, or with one, leads to.
#[derive(Debug)]
pub enum Admission {
    /// No ticket: the connection goes to a gateway.
    NoTicket,
    /// The ticket fits the request.
    Granted(Box<Ticket>, Query),
}

/// Opens a request's ticket and checks that it was made for this request on this core.
pub fn admit(core: &Core, head: &RequestHead) -> Result<Admission, S3Error> {
    let Some(sealed) = ticket::find(head.raw_query()) else {
        return Ok(Admission::NoTicket);
    };
    let ticket = core.ticket_key.open(sealed, unix_ms() / 1000)?;
    if ticket.node != core.node || ticket.core != core.index {
        return Err(denied("The ticket is for another core."));
    }
    let query = Query::parse_without(head.raw_query(), ticket::QUERY_PARAMETER)?;
    let fits = match &ticket.grant {
        Grant::Object {
            operation,
            bucket,
            key,
            payload,
            request_digest,
            ..
        } => {
            let Some(target) = target_named(head.raw_path(), &bucket.name, key) else {
                return Err(denied(OTHER_REQUEST));
            };
            Operation::parse(head, &target, &query)? == *operation
                && ticket::request_digest(head.method(), head, &query) == *request_digest
                && same_payload(head, payload.as_ref())?
        }
        Grant::List { .. } => is_message(head, LIST_PATH),
        Grant::DeleteBatch { .. } => is_message(head, DELETE_BATCH_PATH),
        Grant::Fence { .. } => is_message(head, FENCE_PATH),
        Grant::Stats => is_message(head, STATS_PATH),
        Grant::Relay { .. } | Grant::Register { .. } => false,
    };
    if fits {
        Ok(Admission::Granted(Box::new(ticket), query))
    } else {
        Err(denied(OTHER_REQUEST))
    }
}

const OTHER_REQUEST: &str = "The ticket is for another request.";

fn is_message(head: &RequestHead, path: &str) -> bool {
    head.method() == Method::Post && head.raw_path() == path
}

/// A PUT must still declare the payload the gateway saw.
fn same_payload(head: &RequestHead, declared: Option<&PayloadDeclaration>) -> Result<bool, S3Error> {
    match declared {
        Some(declared) => Ok(PayloadDeclaration::from_request(head)? == *declared),
        None => Ok(true),
    }
}

fn denied(message: &'static str) -> S3Error {
    S3Error::with_message(ErrorCode::AccessDenied, message)
}
