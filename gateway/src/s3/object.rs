//! PutObject, GetObject, HeadObject, DeleteObject: everything that the head can be refused for is checked here, before
//! a body is sent; the rest is the core's.

use crate::{
    body::Body,
    connection::Connection,
    connection::Served,
    proxy, redirect,
    request::Request,
    route::{self, Way},
    ticketing::{self, ObjectGrant},
};
use proto::{
    auth::payload::PayloadDeclaration,
    error::S3Error,
    s3::{bucket::BucketId, object::ObjectHeaders, operation::Operation},
};

/// Serves them.
pub async fn serve(request: &Request<'_>, connection: &mut Connection, body: &mut Body) -> Result<Served, S3Error> {
    let gateway = request.gateway;
    let bucket = request.bucket()?;
    let key = request.key()?.as_str();
    let payload = match request.operation {
        Operation::PutObject => Some(put_payload(request)?),
        _ => None,
    };
    let placement = gateway.cluster.owner(BucketId(bucket.id), key)?;
    let core = &placement.core;
    let way = route::decide(request, connection, core)?;
    let grant = ObjectGrant {
        operation: request.operation,
        bucket: bucket.grant(),
        key,
        payload,
        verified: request.caller.verified.as_ref(),
        head: request.head,
        query: &request.query,
        proxied: way == Way::Proxy,
    };
    let ticket = ticketing::for_object(&gateway.ticket_key, &placement, request.caller.principal(), grant);
    match (way, &core.advertise) {
        (Way::Redirect, Some(host)) => Ok(redirect::answer(request, core, host, &ticket).into()),
        _ => proxy::forward(gateway, connection, request.head, body, core, &ticket)
            .await
            .map(Served::Relayed),
    }
}

fn put_payload(request: &Request<'_>) -> Result<PayloadDeclaration, S3Error> {
    let payload = PayloadDeclaration::from_request(request.head)?;
    ObjectHeaders::from_request(request.head)?;
    // Without verification there is no key to check the signatures of chunks with.
    Ok(match request.caller.verified {
        Some(_) => payload,
        None => payload.without_chunk_signatures(),
    })
}
