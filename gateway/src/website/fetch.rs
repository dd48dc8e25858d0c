//! Objects of a site: looked at, and sent.

use super::Visit;
use crate::{
    body::Body,
    cluster::Placement,
    connection::{Connection, Served},
    core_client,
    exchange::Start,
    proxy, ticketing,
};
use proto::{
    auth::object_grant::ObjectGrant,
    error::{ErrorCode, S3Error},
    http::{head::RequestHead, percent, response::reason},
    s3::{bucket::BucketId, config::cors_headers::CorsHeaders, name::ObjectKey, operation::Operation, query::Query},
};

/// Headers of a visitor that change what an object's answer is.
const CONDITIONS: [&str; 6] = [
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "range",
    "if-range",
];

/// An object of a site.
pub enum Wanted<'k> {
    /// What a visitor asks for, under the conditions named.
    Page(&'k str),
    /// What is shown for an error, whole.
    Error(&'k str, ErrorCode),
}

/// What was found.
pub enum Found {
    /// An object, and where it sends visitors instead (`x-amz-website-redirect-location`).
    Object {
        /// A path or a URL.
        redirect: Option<String>,
    },
    /// None, or none to be served.
    Nothing(S3Error),
}

impl Wanted<'_> {
    fn key(&self) -> &str {
        match self {
            Self::Page(key) | Self::Error(key, _) => key,
        }
    }

    /// The visitor's conditions, each with its line end.
    fn conditions(&self, head: &RequestHead) -> String {
        let Self::Page(_) = self else {
            return String::new();
        };
        let named = head
            .headers()
            .filter(|(name, _)| CONDITIONS.iter().any(|known| name.eq_ignore_ascii_case(known)))
            .filter_map(|(name, value)| Some((name, std::str::from_utf8(value).ok()?)));
        named.map(|(name, value)| format!("{name}: {value}\r\n")).collect()
    }
}

/// Looks at an object, as the answer to its HEAD says.
pub async fn look(visit: &Visit<'_>, wanted: &Wanted<'_>) -> Result<Found, S3Error> {
    // With the suffix of an index a key may have become too long for any object.
    if ObjectKey::parse(wanted.key()).is_err() {
        return Ok(Found::Nothing(missing(wanted.key())));
    }
    let conditions = wanted.conditions(visit.head);
    let request = request(visit, wanted, "HEAD", &conditions)?;
    let core = &request.placement.core;
    let ticket = request.ticket(visit, Operation::HeadObject, None)?;
    let answer = core_client::look(visit.gateway, core, &request.path, &ticket, &conditions).await?;
    Ok(match answer.status {
        200 | 206 | 304 => Found::Object {
            redirect: answer.header("x-amz-website-redirect-location").map(str::to_owned),
        },
        404 | 405 => Found::Nothing(missing(wanted.key())),
        412 => Found::Nothing(ErrorCode::PreconditionFailed.into()),
        416 => Found::Nothing(ErrorCode::InvalidRange.into()),
        503 => Found::Nothing(ErrorCode::ServiceUnavailable.into()),
        status => {
            tracing::warn!(status, "HEAD of an object of a site");
            Found::Nothing(ErrorCode::InternalError.into())
        }
    })
}

fn missing(key: &str) -> S3Error {
    S3Error::new(ErrorCode::NoSuchKey).field("Key", key)
}

/// Has the object's core answer.
pub async fn send(
    visit: &Visit<'_>,
    connection: &mut Connection,
    body: &mut Body,
    wanted: &Wanted<'_>,
) -> Result<Served, S3Error> {
    let mut headers = wanted.conditions(visit.head);
    // What becomes of the connection is the visitor's to say.
    if !visit.head.keep_alive() {
        headers.push_str("Connection: close\r\n");
    }
    let method = visit.head.method_name();
    let request = request(visit, wanted, method, &headers)?;
    let operation = match method {
        "HEAD" => Operation::HeadObject,
        _ => Operation::GetObject,
    };
    let ticket = request.ticket(visit, operation, visit.cors)?;
    let start = match wanted {
        Wanted::Page(_) => None,
        Wanted::Error(_, code) => Some(start_of(*code)),
    };
    let to = (&*request.placement.core, ticket.as_str());
    proxy::forward_starting_with(visit.gateway, connection, &request.head, body, to, start)
        .await
        .map(Served::Relayed)
}

/// The site's page for an error has the error's status, and names it.
fn start_of(code: ErrorCode) -> Start {
    let status = code.status();
    Start {
        status,
        lines: format!(
            "HTTP/1.1 {status} {}\r\nx-amz-error-code: {}\r\nx-amz-error-message: {}\r\n",
            reason(status),
            code.as_str(),
            code.message()
        ),
    }
}

/// A request of the gateway's own for an object.
struct Inner {
    path: String,
    head: RequestHead,
    placement: Placement,
    key: String,
}

fn request(visit: &Visit<'_>, wanted: &Wanted<'_>, method: &str, headers: &str) -> Result<Inner, S3Error> {
    let key = wanted.key();
    let placement = visit.gateway.cluster.owner(BucketId(visit.bucket.id), key)?;
    let path = format!("/{}/{}", visit.bucket.name, percent::encode(key.as_bytes(), true));
    let text = format!(
        "{method} {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n",
        placement.core.address
    );
    let parsed = RequestHead::parse(text.as_bytes()).ok().flatten();
    let (head, _) = parsed.ok_or(ErrorCode::InternalError)?;
    Ok(Inner {
        path,
        head,
        placement,
        key: key.to_owned(),
    })
}

impl Inner {
    fn ticket(&self, visit: &Visit<'_>, operation: Operation, cors: Option<&CorsHeaders>) -> Result<String, S3Error> {
        let gateway = visit.gateway;
        let mut object = ObjectGrant::new(operation, visit.bucket.grant(), &self.key, &self.head, None)?;
        object.cors = cors.cloned().map(Box::new);
        let asked = ticketing::Asked {
            principal: gateway.catalog.root().principal(),
            head: &self.head,
            query: &Query::default(),
            proxied: true,
        };
        Ok(ticketing::for_object(
            &gateway.ticket_key,
            &self.placement,
            object,
            asked,
        ))
    }
}
