//! Requests that reach their core through the gateway: the head with a ticket, the bodies both ways as raw bytes.

use crate::{
    body::Body,
    clock::unix_s,
    cluster::Core,
    connection::{Connection, Relayed},
    core_response::NoResponse,
    exchange::{Exchange, Outcome, Start},
    gateway::Gateway,
    relay_ticket,
};
use proto::{
    auth::ticket::{Grant, QUERY_PARAMETER},
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
};
use std::rc::Rc;

/// Passes a request on with a ticket that the gateway has just sealed.
pub async fn forward(
    gateway: &Rc<Gateway>,
    connection: &mut Connection,
    head: &RequestHead,
    body: &mut Body,
    core: &Core,
    ticket: &str,
) -> Result<Relayed, S3Error> {
    forward_starting_with(gateway, connection, head, body, (core, ticket), None).await
}

/// The same for an answer that is to begin otherwise.
pub async fn forward_starting_with(
    gateway: &Rc<Gateway>,
    connection: &mut Connection,
    head: &RequestHead,
    body: &mut Body,
    (core, ticket): (&Core, &str),
    start: Option<Start>,
) -> Result<Relayed, S3Error> {
    let separator = if head.raw_query().is_empty() { "" } else { "&" };
    let target = format!(
        "{}?{}{separator}{QUERY_PARAMETER}={ticket}",
        head.raw_path(),
        head.raw_query()
    );
    send(gateway, connection, head, body, (core, &target), start).await
}

/// Passes on a request that brought its ticket: a redirected client on a connection that a core passed back.
pub async fn with_ticket(
    gateway: &Rc<Gateway>,
    connection: &mut Connection,
    head: &RequestHead,
    body: &mut Body,
    sealed: &str,
) -> Result<Relayed, S3Error> {
    let mut ticket = gateway.ticket_key.open(sealed, unix_s())?;
    let Grant::Object { object, .. } = &ticket.grant else {
        return Err(ErrorCode::AccessDenied.into());
    };
    connection.operation = Some(object.operation.name());
    connection.noted.principal(&ticket.principal);
    let core = gateway
        .cluster
        .core(ticket.node, ticket.core)
        .ok_or(ErrorCode::ServiceUnavailable)?;
    if gateway.access_log.format().is_none() {
        return send(gateway, connection, head, body, (&core, head.target()), None).await;
    }
    // The last ticket counts: the core leaves the access log to this gateway.
    ticket.proxied = true;
    let sealed = gateway.ticket_key.seal(&ticket);
    forward(gateway, connection, head, body, &core, &sealed).await
}

async fn send(
    gateway: &Rc<Gateway>,
    connection: &mut Connection,
    head: &RequestHead,
    body: &mut Body,
    (core, target): (&Core, &str),
    start: Option<Start>,
) -> Result<Relayed, S3Error> {
    let _upload = match body.is_complete() {
        true => None,
        false => Some(gateway.uploads.reserve(1).ok_or(ErrorCode::SlowDown)?),
    };
    let request = request_head(head, target);
    if let Some(stream) = gateway.pool.reuse(core.address) {
        let mut exchange = Exchange::new(gateway, connection, head, body).starting_with(start.clone());
        match exchange.run(core, stream, request.clone()).await? {
            Outcome::Relayed(relayed) => return Ok(relayed),
            // The core had closed the kept-alive connection as it was taken: nothing of the request was done.
            Outcome::NoResponse(NoResponse::Nothing(_)) if !exchange.body_was_started() => {}
            Outcome::NoResponse(no_response) => return Err(unavailable(core, body, &no_response)),
        }
    }
    let stream = gateway.pool.connect(core.address).await;
    let stream = stream.map_err(|error| unavailable(core, body, &NoResponse::Broken(error)))?;
    match Exchange::new(gateway, connection, head, body)
        .starting_with(start)
        .run(core, stream, request)
        .await?
    {
        Outcome::Relayed(relayed) => Ok(relayed),
        Outcome::NoResponse(no_response) => Err(unavailable(core, body, &no_response)),
    }
}

fn unavailable(core: &Core, body: &Body, no_response: &NoResponse) -> S3Error {
    let error = no_response.error();
    tracing::warn!(core = %core.address, body_complete = body.is_complete(), %error, "no response from a core");
    ErrorCode::SlowDown.into()
}

/// The head as a core gets it: everything but hop-by-hop headers (RFC 9110 section 7.6.1). What delimits the body stays
/// as received, because the body is relayed with its framing.
fn request_head(head: &RequestHead, target: &str) -> Vec<u8> {
    let nominated: Vec<&str> = head
        .headers()
        .filter(|(name, _)| name.eq_ignore_ascii_case("connection"))
        .filter_map(|(_, value)| std::str::from_utf8(value).ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    let mut out = Vec::with_capacity(head.raw().len() + target.len());
    out.extend_from_slice(head.method_name().as_bytes());
    out.push(b' ');
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    for (name, value) in head.headers() {
        // An HTTP/1.0 client must not be sent `100 Continue` (RFC 9110 section 10.1.1).
        let is_idle_expect = name.eq_ignore_ascii_case("expect") && !head.expects_continue();
        if !is_idle_expect && !is_hop_by_hop(name, &nominated) {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        }
    }
    // HTTP/1.1 must have one, HTTP/1.0 need not (RFC 9112 section 3.2); a core does not look at it.
    if head.header("host").is_none() {
        out.extend_from_slice(b"Host: core\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out
}

fn is_hop_by_hop(name: &str, nominated: &[&str]) -> bool {
    const HOP_BY_HOP: [&str; 8] = [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "upgrade",
        relay_ticket::HEADER,
    ];
    // What delimits the body cannot be nominated away: that would smuggle a request.
    const KEPT: [&str; 4] = ["content-length", "transfer-encoding", "host", "expect"];
    let is = |other: &&str| name.eq_ignore_ascii_case(other);
    HOP_BY_HOP.iter().any(is) || (nominated.iter().any(is) && !KEPT.iter().any(is))
}
