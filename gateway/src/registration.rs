//! A node announces itself to the gateway: 204, or 409 with the reason in one line.

use crate::{
    answer::Answer, body::Body, clock::unix_s, connection::Connection, gateway::Gateway, handoff,
    limits::REGISTRATION_BYTES_MAX,
};
use proto::{
    auth::ticket::{self, Grant},
    cluster::map::NodeInfo,
    error::{ErrorCode, S3Error},
    http::head::{Method, RequestHead},
    wire::Decoder,
};
use std::rc::Rc;

/// Serves a registration.
pub async fn serve(
    gateway: &Rc<Gateway>,
    connection: &mut Connection,
    head: &RequestHead,
    body: &mut Body,
) -> Result<Answer, S3Error> {
    if head.method() != Method::Post {
        return Err(ErrorCode::MethodNotAllowed.into());
    }
    let sealed = ticket::find(head.raw_query()).ok_or(ErrorCode::AccessDenied)?;
    let Grant::Register { node } = gateway.ticket_key.open(sealed, unix_s())?.grant else {
        return Err(ErrorCode::AccessDenied.into());
    };
    let bytes = body
        .read(gateway, connection, head, None, REGISTRATION_BYTES_MAX)
        .await?;
    let mut decoder = Decoder::new(&bytes);
    let info = NodeInfo::decode(&mut decoder).and_then(|info| decoder.finish().map(|()| info));
    let info = info.map_err(|error| S3Error::with_message(ErrorCode::InvalidRequest, error.to_string()))?;
    if info.node != node {
        return Err(ErrorCode::AccessDenied.into());
    }
    Ok(match gateway.cluster.register(info).await {
        Ok(()) => {
            handoff::connect(gateway, node);
            Answer::empty(204)
        }
        Err(refusal) => {
            tracing::warn!(%refusal, "registration refused");
            Answer::text(409, &refusal.0)
        }
    })
}
