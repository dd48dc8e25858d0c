//! Messages to cores: listings, deletions, fences. Each is a POST with a ticket, and may be repeated without harm.

use crate::{
    cluster::Core,
    core_response::{NoResponse, read_head},
    gateway::Gateway,
    limits::{BODY_PROGRESS_TIME, CORE_ANSWER_TIME, MESSAGE_BYTES_MAX},
    rt::Stream,
    ticketing,
};
use proto::{
    auth::ticket::{Grant, Principal, QUERY_PARAMETER},
    error::{ErrorCode, S3Error},
};
use std::io;

/// Sends a message and returns the body of its 200 answer. A core that cannot be reached, or is too slow, is `ServiceUnavailable`.
pub async fn call(
    gateway: &Gateway,
    core: &Core,
    path: &str,
    principal: Principal,
    grant: Grant,
    body: &[u8],
) -> Result<Vec<u8>, S3Error> {
    let ticket = ticketing::for_core(&gateway.ticket_key, core, principal, grant);
    let mut message = format!(
        "POST {path}?{QUERY_PARAMETER}={ticket} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n",
        core.address,
        body.len()
    )
    .into_bytes();
    message.extend_from_slice(body);
    let answer = send(gateway, core, message, true).await?;
    if answer.status == 200 {
        Ok(answer.body)
    } else {
        Err(refusal(core, path, answer.status, &answer.body))
    }
}

/// The status of an object's HEAD with this path and query, which the ticket is for.
pub async fn head(gateway: &Gateway, core: &Core, target: &str, ticket: &str) -> Result<u16, S3Error> {
    Ok(look(gateway, core, target, ticket, "").await?.status)
}

/// The same with headers, each with its line end, and with the whole head of the answer.
pub async fn look(
    gateway: &Gateway,
    core: &Core,
    target: &str,
    ticket: &str,
    headers: &str,
) -> Result<Answered, S3Error> {
    let separator = if target.contains('?') { '&' } else { '?' };
    let message = format!(
        "HEAD {target}{separator}{QUERY_PARAMETER}={ticket} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n",
        core.address
    );
    send(gateway, core, message.into_bytes(), false).await
}

/// An answer of a core.
#[derive(Debug)]
pub struct Answered {
    /// Its status.
    pub status: u16,
    head: Vec<u8>,
    body: Vec<u8>,
}

impl Answered {
    /// The first value of a header, if it is UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers()
            .find(|(candidate, _)| candidate.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }

    /// All headers, if they are UTF-8.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let text = std::str::from_utf8(&self.head).unwrap_or_default();
        let fields = text.split("\r\n").filter_map(|line| line.split_once(':'));
        fields.map(|(name, value)| (name, value.trim()))
    }
}

async fn send(gateway: &Gateway, core: &Core, message: Vec<u8>, answer_has_body: bool) -> Result<Answered, S3Error> {
    let mut answer = Err(NoResponse::Nothing(io::ErrorKind::NotConnected.into()));
    if let Some(stream) = gateway.pool.reuse(core.address) {
        answer = exchange(gateway, core, stream, message.clone(), answer_has_body).await;
    }
    // A kept-alive connection that the core had closed meanwhile: nothing was done.
    if let Err(NoResponse::Nothing(_)) = answer {
        answer = match gateway.pool.connect(core.address).await {
            Ok(stream) => exchange(gateway, core, stream, message, answer_has_body).await,
            Err(error) => Err(NoResponse::Broken(error)),
        };
    }
    answer.map_err(|no_response| {
        tracing::warn!(core = %core.address, error = %no_response.error(), "message to a core");
        ErrorCode::ServiceUnavailable.into()
    })
}

async fn exchange(
    gateway: &Gateway,
    core: &Core,
    mut stream: Stream,
    message: Vec<u8>,
    has_body: bool,
) -> Result<Answered, NoResponse> {
    let (sent, _) = stream.writer.write_all(message, BODY_PROGRESS_TIME).await;
    sent.map_err(NoResponse::Nothing)?;
    let mut buffer = Vec::with_capacity(4096);
    let head = read_head(&mut stream.reader, &mut buffer, Some(CORE_ANSWER_TIME)).await?;
    let too_large = || NoResponse::Broken(io::Error::other("answer too large or without a length"));
    let length = head.content_length.filter(|_| has_body).or((!has_body).then_some(0));
    let length = length.and_then(|length| usize::try_from(length).ok());
    let length = length
        .filter(|&length| length <= MESSAGE_BYTES_MAX)
        .ok_or_else(too_large)?;
    let end = head.length.checked_add(length).ok_or_else(too_large)?;
    while buffer.len() < end {
        buffer.reserve(end - buffer.len());
        let (result, returned) = stream.reader.read(buffer, Some(BODY_PROGRESS_TIME)).await;
        buffer = returned;
        if result.map_err(NoResponse::Broken)? == 0 {
            return Err(NoResponse::Broken(io::ErrorKind::UnexpectedEof.into()));
        }
    }
    if head.keep_alive && buffer.len() == end {
        gateway.pool.keep(core.address, stream);
    }
    buffer.truncate(end);
    let body = buffer.split_off(head.length.min(buffer.len()));
    Ok(Answered {
        status: head.status,
        head: buffer,
        body,
    })
}

/// The S3 error a core answered with; one this version does not know is `InternalError`.
fn refusal(core: &Core, path: &str, status: u16, body: &[u8]) -> S3Error {
    let code = error_code(body);
    tracing::warn!(core = %core.address, path, status, code = code.map(ErrorCode::as_str), "a core refused a message");
    code.unwrap_or(ErrorCode::InternalError).into()
}

fn error_code(body: &[u8]) -> Option<ErrorCode> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once("<Code>")?;
    let (name, _) = rest.split_once("</Code>")?;
    ErrorCode::ALL.iter().copied().find(|code| code.as_str() == name)
}

#[cfg(test)]
mod tests {
    use super::error_code;
    use proto::error::ErrorCode;

    #[test]
    fn error_codes_are_read_from_xml() {
        assert_eq!(
            error_code(b"<Error><Code>SlowDown</Code></Error>"),
            Some(ErrorCode::SlowDown)
        );
        assert_eq!(error_code(b"<Error><Code>Unheard</Code></Error>"), None);
        assert_eq!(error_code(b"\xff"), None);
        assert_eq!(error_code(b""), None);
    }
}
