//! The admin API under `/v1`, in JSON. It shares the S3 port: no bucket can have a name of two letters. hyper serves it,
//! one request a connection, from the bytes already read.

mod config;
mod health;
mod hyper_io;
mod keys;
mod metrics;

use crate::{
    access_log::{self, Noted, Outcome},
    auth::{self, Caller},
    connection::Connection,
    gateway::Gateway,
    limits::{ADMIN_BODY_BYTES_MAX, ADMIN_TIME},
    rt,
};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Response, body::Incoming, service::service_fn};
use proto::{
    auth::{
        sigv4::{from_hex, sha256},
        verify::version_2_refused,
    },
    error::{ErrorCode, S3Error},
    http::head::{Method, RequestHead},
    s3::{address::Address, query::Query},
};
use serde::Serialize;
use std::{convert::Infallible, net::IpAddr, rc::Rc};

/// Where it is asked whether all is well.
pub const HEALTH_PATH: &str = "/v1/health";

/// Whether a path is the admin API's.
pub fn is_admin_path(path: &str) -> bool {
    path == "/v1" || path.starts_with("/v1/")
}

/// An answer, in JSON unless it says otherwise.
#[derive(Debug)]
struct Reply {
    status: u16,
    content_type: &'static str,
    body: Vec<u8>,
}

impl Reply {
    fn json(status: u16, value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => Self {
                body,
                ..Self::empty(status)
            },
            Err(_) => Self::empty(500),
        }
    }
    fn empty(status: u16) -> Self {
        Self {
            status,
            content_type: "application/json",
            body: Vec::new(),
        }
    }
    fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, &serde_json::json!({ "code": code, "message": message }))
    }
}

impl From<S3Error> for Reply {
    fn from(error: S3Error) -> Self {
        Self::error(error.status(), error.code.as_str(), &error.message)
    }
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

async fn answer(gateway: &Rc<Gateway>, head: &RequestHead, client: IpAddr, body: Incoming) -> Response<Full<Bytes>> {
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
    response.body(Full::new(reply.body.into())).unwrap_or_default()
}

async fn route(gateway: &Rc<Gateway>, head: &RequestHead, body: Incoming, noted: &mut Noted) -> Result<Reply, S3Error> {
    let path = head.raw_path().strip_prefix("/v1").unwrap_or_default();
    let not_allowed = || Reply::error(405, "MethodNotAllowed", ErrorCode::MethodNotAllowed.message());
    Ok(match (path.trim_end_matches('/'), head.method()) {
        ("/health", Method::Get | Method::Head) => health::serve(gateway),
        ("/health", _) => not_allowed(),
        ("/metrics", Method::Get) => {
            caller(gateway, head, noted)?;
            metrics::serve(gateway).await
        }
        ("/metrics", _) => not_allowed(),
        ("/config", Method::Get) => {
            root_caller(gateway, head, noted)?;
            config::show(gateway, head.raw_query())?
        }
        ("/config", _) if head.method_name() == "PATCH" => {
            root_caller(gateway, head, noted)?;
            let body = verified_body(gateway, head, body).await?;
            config::modify(gateway, &body).await
        }
        ("/config", _) => not_allowed(),
        ("/keys", Method::Get) => {
            root_caller(gateway, head, noted)?;
            keys::list(gateway)
        }
        ("/keys", Method::Post) => {
            root_caller(gateway, head, noted)?;
            let body = verified_body(gateway, head, body).await?;
            keys::create(gateway, &body).await
        }
        (path, Method::Delete) if path.starts_with("/keys/") => {
            root_caller(gateway, head, noted)?;
            keys::remove(gateway, path.strip_prefix("/keys/").unwrap_or_default()).await
        }
        (path, _) if path == "/keys" || path.starts_with("/keys/") => not_allowed(),
        _ => Reply::error(404, "NotFound", "There is nothing at this path of the admin API."),
    })
}

/// Only the root user administers.
fn root_caller(gateway: &Gateway, head: &RequestHead, noted: &mut Noted) -> Result<Caller, S3Error> {
    match caller(gateway, head, noted)? {
        caller if caller.user.is_root() => Ok(caller),
        _ => Err(ErrorCode::AccessDenied.into()),
    }
}

/// Whoever has a valid key. Any refusal is 403.
fn caller(gateway: &Gateway, head: &RequestHead, noted: &mut Noted) -> Result<Caller, S3Error> {
    let query = Query::parse(head.raw_query())?;
    match auth::authenticate(gateway, head, &Address::Path, &query) {
        // Signature Version 2 would leave the body to whoever carries it.
        Ok(caller) if caller.is_verified && caller.verified.is_none() => Err(S3Error::with_message(
            ErrorCode::AccessDenied,
            version_2_refused().message,
        )),
        Ok(caller) => {
            noted.caller(&caller);
            Ok(caller)
        }
        Err(error) if error.status() == 403 => Err(error),
        Err(error) => Err(S3Error::with_message(ErrorCode::AccessDenied, error.message)),
    }
}

/// The body, if it is the one that was signed.
async fn verified_body(gateway: &Gateway, head: &RequestHead, body: Incoming) -> Result<Bytes, S3Error> {
    let collected = Limited::new(body, ADMIN_BODY_BYTES_MAX).collect().await;
    let bytes = collected
        .map_err(|_| S3Error::new(ErrorCode::MaxMessageLengthExceeded))?
        .to_bytes();
    let declared = head.header_str("x-amz-content-sha256").unwrap_or("UNSIGNED-PAYLOAD");
    if gateway.anonymous || declared == "UNSIGNED-PAYLOAD" || from_hex::<32>(declared) == Some(sha256(&bytes)) {
        Ok(bytes)
    } else {
        Err(ErrorCode::XAmzContentSHA256Mismatch.into())
    }
}

#[cfg(test)]
mod tests {
    use super::is_admin_path;

    #[test]
    fn admin_paths_are_no_buckets() {
        assert!(is_admin_path("/v1"));
        assert!(is_admin_path("/v1/health"));
        assert!(!is_admin_path("/v1x/key"));
        assert!(!is_admin_path("/s3/v1"));
    }
}
