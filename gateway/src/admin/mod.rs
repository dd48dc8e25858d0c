//! The admin API under `/v1`, in JSON. It shares the S3 port: no bucket can have a name of two letters. hyper serves it,
//! one request a connection, from the bytes already read.

mod bucket;
mod call;
mod caller;
mod cluster;
mod config;
mod health;
mod hyper_io;
mod keys;
mod metrics;
mod object;
mod openapi;
mod reply;
mod route;

use crate::{
    access_log::{self, Noted, Outcome},
    connection::{Connection, Counted},
    gateway::Gateway,
    limits::ADMIN_TIME,
    rt,
};
use bytes::Bytes;
use call::Call;
use http_body_util::Full;
use hyper::{Response, body::Incoming, service::service_fn};
use proto::{
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
    s3::{name::is_native_object, query::Query},
};
use reply::Reply;
use route::{Access, Found};
use std::{convert::Infallible, net::IpAddr, rc::Rc};

/// Where it is asked whether all is well.
pub const HEALTH_PATH: &str = "/v1/health";

/// Whether a path is the admin API's. Object data under `/v1/objects` is served as S3's is.
pub fn is_admin_path(path: &str) -> bool {
    (path == "/v1" || path.starts_with("/v1/")) && !is_native_object(path)
}

/// Serves the request whose head was just read, and closes the connection.
pub async fn serve(gateway: Rc<Gateway>, connection: Connection, head: RequestHead) {
    let client = connection.client;
    let mut received = head.raw().to_vec();
    received.extend_from_slice(&connection.buffer);
    let io = match connection
        .stream
        .into_inner()
        .and_then(|(stream, tls)| hyper_io::HyperIo::new(stream, tls, received))
    {
        Ok(io) => io,
        Err(error) => return tracing::warn!(%error, "admin connection"),
    };
    let head = Rc::new(head);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (gateway, head) = (Rc::clone(&gateway), Rc::clone(&head));
        async move { Ok::<_, Infallible>(answer(&gateway, &head, client, request.into_body()).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .keep_alive(false)
        .serve_connection(io, service);
    match rt::timeout(ADMIN_TIME, served).await {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::debug!(%error, "admin connection"),
        None => tracing::debug!("admin connection took too long"),
    }
}

async fn answer(
    gateway: &Rc<Gateway>,
    head: &Rc<RequestHead>,
    client: IpAddr,
    body: Incoming,
) -> Response<Full<Bytes>> {
    let id = gateway.request_ids.next();
    let mut noted = Noted::new(gateway);
    let reply = route(gateway, head, body, &mut noted).await.unwrap_or_else(Reply::from);
    gateway.requests.count(Some("Admin"), reply.status, None);
    noted.sent_bytes = u64::try_from(reply.body.len()).unwrap_or(u64::MAX);
    let outcome = Outcome {
        status: reply.status,
        way: None,
        request_id: &id,
    };
    access_log::record_admin(gateway, client, &noted, head, outcome);
    tracing::debug!(
        request_id = id,
        method = head.method_name(),
        path = head.raw_path(),
        status = reply.status,
        "admin"
    );
    let mut response = Response::builder().status(reply.status).header("x-amz-request-id", id);
    if !reply.body.is_empty() {
        response = response.header("content-type", reply.content_type);
    }
    if let Some(allow) = &reply.allow {
        response = response.header("allow", allow);
    }
    response.body(Full::new(reply.body.into())).unwrap_or_default()
}

async fn route(
    gateway: &Rc<Gateway>,
    head: &Rc<RequestHead>,
    body: Incoming,
    noted: &mut Noted,
) -> Result<Reply, S3Error> {
    let (route, parameters) = match route::find(head.method_name(), head.raw_path()) {
        Found::Route(route, parameters) => (route, parameters),
        Found::OtherMethods(allow) => {
            let message = format!("There is {allow} at this path, and no {}.", head.method_name());
            return Ok(Reply {
                allow: Some(allow),
                ..Reply::error(405, ErrorCode::MethodNotAllowed.as_str(), &message)
            });
        }
        Found::Nothing => {
            let message = "There is nothing at this path of the admin API. GET /v1/openapi.json says what there is; object data is at /v1/objects/{bucket}/{key}.";
            return Ok(Reply::error(404, "NotFound", message));
        }
    };
    let query = Query::parse(head.raw_query())?;
    let caller = match route.access {
        Access::Anyone => None,
        Access::Key => Some(caller::any(gateway, head, &query, noted)?),
        Access::Root => Some(caller::root(gateway, head, &query, noted)?),
    };
    route.check_query(&query)?;
    let body = match route.method {
        "POST" | "PUT" | "PATCH" => caller::verified_body(gateway, head, body).await?,
        _ => Bytes::new(),
    };
    if route.method == "GET" {
        let call = Call {
            gateway,
            query,
            parameters,
            caller,
            body,
        };
        return (route.handler)(&call).await;
    }
    // A change that has begun comes to its end, also when its client does not wait for it, or for too long.
    let (gateway, head) = (Rc::clone(gateway), Rc::clone(head));
    rt::detached(async move {
        let counted = Counted::new(&gateway);
        let call = Call {
            gateway: &gateway,
            query,
            parameters: route.parameters(head.raw_path()).unwrap_or_default(),
            caller,
            body,
        };
        let reply = (route.handler)(&call).await;
        drop(counted);
        reply
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::is_admin_path;

    #[test]
    fn admin_paths_are_no_buckets() {
        assert!(is_admin_path("/v1"));
        assert!(is_admin_path("/v1/health"));
        assert!(!is_admin_path("/v1x/key"));
        assert!(!is_admin_path("/v1/objects/bucket/key"));
        assert!(is_admin_path("/v1/objects/bucket/"));
        assert!(is_admin_path("/v1/objects"));
        assert!(!is_admin_path("/s3/v1"));
    }
}
