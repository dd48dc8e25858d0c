//! The operations on objects that cores serve: everything that the head can be refused for is checked here, before a body
//! is sent; the rest is the core's.

use super::copy_source;
use crate::{
    body::Body,
    connection::Connection,
    connection::Served,
    handoff, proxy, redirect,
    request::Request,
    route::{self, Way},
    ticketing,
};
use proto::{
    auth::object_grant::ObjectGrant,
    error::S3Error,
    s3::{bucket::BucketId, operation::Operation},
};

/// Serves them.
pub async fn serve(request: &Request<'_>, connection: &mut Connection, body: &mut Body) -> Result<Served, S3Error> {
    let gateway = request.gateway;
    let bucket = request.bucket()?;
    let key = request.key()?.as_str();
    let verified = request.caller.verified.as_ref();
    let mut object = ObjectGrant::new(request.operation, bucket.grant(), key, request.head, verified)?;
    if matches!(request.operation, Operation::CopyObject | Operation::UploadPartCopy) {
        object.copy_source = Some(Box::new(copy_source::seal(request)?));
    }
    object.cors = request.cors.clone().map(Box::new);
    let placement = gateway.cluster.owner(BucketId(bucket.id), key)?;
    let core = &placement.core;
    let way = route::decide(request, connection, core)?;
    let seal = |proxied| {
        let asked = ticketing::Asked {
            principal: request.caller.principal(),
            head: request.head,
            query: &request.query,
            proxied,
        };
        ticketing::for_object(&gateway.ticket_key, &placement, object.clone(), asked)
    };
    match (way, &core.advertise) {
        (Way::Handoff, _) if handoff::pass(request, connection, &bucket, core, &seal(false)) => Ok(Served::Passed),
        (Way::Redirect, Some(host)) => Ok(redirect::answer(request, core, host, &seal(false)).into()),
        _ => proxy::forward(gateway, connection, request.head, body, core, &seal(true))
            .await
            .map(Served::Relayed),
    }
}
