//! Decides, for each request for object data, how it reaches its core.

use crate::{cluster::Core, config::RouteMode, connection::Connection, redirect_table, request::Request};
use proto::{
    error::{ErrorCode, S3Error},
    http::head::{BodyFraming, Method},
    s3::operation::Operation,
};

/// Opts in or out for one request.
const QUERY_PARAMETER: &str = "corelane-route";
/// The same, as a header.
const HEADER: &str = "x-corelane-route";

/// How a request reaches its core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// The client's connection is passed to it.
    Handoff,
    /// The client goes there itself.
    Redirect,
    /// Through this gateway.
    Proxy,
}

impl Way {
    /// As metrics and the access log name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Handoff => "handoff",
            Self::Redirect => "redirect",
            Self::Proxy => "proxy",
        }
    }
}

/// Decides for one request.
pub fn decide(request: &Request<'_>, connection: &Connection, core: &Core) -> Result<Way, S3Error> {
    let mode = wished(request)?.unwrap_or(request.gateway.live.route.get());
    let hands_over = !connection.refused && request.gateway.handoff.reaches(core);
    Ok(match mode {
        RouteMode::Auto | RouteMode::Handoff if hands_over => Way::Handoff,
        RouteMode::Auto if can_redirect(request, connection, core) => {
            let table = request.gateway.live.redirect_table();
            match table.redirects(request.head, || is_non_follower(request, connection)) {
                true => Way::Redirect,
                false => Way::Proxy,
            }
        }
        RouteMode::Redirect if can_redirect(request, connection, core) => Way::Redirect,
        _ => Way::Proxy,
    })
}

/// What the request itself asks for.
fn wished(request: &Request<'_>) -> Result<Option<RouteMode>, S3Error> {
    let header = request.head.header_str(HEADER);
    match request.query.value(QUERY_PARAMETER).or(header) {
        None => Ok(None),
        Some("redirect") => Ok(Some(RouteMode::Redirect)),
        Some("proxy") => Ok(Some(RouteMode::Proxy)),
        Some("handoff") => Ok(Some(RouteMode::Handoff)),
        Some(other) => Err(S3Error::with_message(
            ErrorCode::InvalidArgument,
            "corelane-route must be handoff, redirect or proxy.",
        )
        .field("ArgumentName", QUERY_PARAMETER)
        .field("ArgumentValue", other)),
    }
}

/// What no wish overrides: where the client is already, nodes clients cannot reach, s3cmd's HEAD, and everything but reads,
/// writes and deletes of whole objects.
fn can_redirect(request: &Request<'_>, connection: &Connection, core: &Core) -> bool {
    let head = request.head;
    let is_s3cmd_head = head.method() == Method::Head && redirect_table::is_s3cmd(head);
    let has_body = !matches!(head.framing(), BodyFraming::None | BodyFraming::Length(0));
    let has_odd_body = has_body && head.method() != Method::Put;
    // It holds the Content-Length of the 307 against the body of the 204, which has no such header.
    let is_delete_of_sdk_cpp = head.method() == Method::Delete
        && head
            .header_str("user-agent")
            .is_some_and(|user_agent| user_agent.contains("aws-sdk-cpp"));
    // What clients were measured with; none was seen to follow with a list of parts or a copy.
    let is_whole_object = matches!(
        request.operation,
        Operation::GetObject | Operation::HeadObject | Operation::PutObject | Operation::DeleteObject
    );
    let is_followed = is_whole_object && !is_s3cmd_head && !has_odd_body && !is_delete_of_sdk_cpp;
    !connection.relayed && core.advertise.is_some() && is_followed
}

/// Whether the client has come back to the gateway after a redirect, now or lately.
fn is_non_follower(request: &Request<'_>, connection: &Connection) -> bool {
    let user_agent = request.head.header_str("user-agent").unwrap_or_default();
    let access_key = request.caller.access_key.as_str();
    let clients = &request.gateway.non_followers;
    if request.head.header_str("amz-sdk-request").is_some_and(is_repeated) {
        clients.remember(user_agent, access_key, connection.client);
        return true;
    }
    clients.contains(user_agent, access_key, connection.client)
}

/// Reads `amz-sdk-request: attempt=2; max=5`.
fn is_repeated(value: &str) -> bool {
    value
        .split(';')
        .filter_map(|part| part.trim().strip_prefix("attempt="))
        .any(|number| number.parse::<u32>().is_ok_and(|attempt| attempt > 1))
}

#[cfg(test)]
mod tests {
    use super::is_repeated;

    #[test]
    fn attempts() {
        assert!(!is_repeated("attempt=1"));
        assert!(!is_repeated("attempt=1; max=5"));
        assert!(is_repeated("attempt=2; max=5"));
        assert!(is_repeated("ttl=20260101T000000Z; attempt=3; max=3"));
        assert!(!is_repeated("max=5"));
        assert!(!is_repeated("attempt=two"));
    }
}
