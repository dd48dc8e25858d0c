//! Waits until requests would succeed: `GET /v1/health` answers 200, or says that some of the disks are away.

use super::children::{Children, Interrupted};
use crate::{
    error::CliError,
    limits::{HEALTH_PAUSE, HEALTH_REQUEST, HEALTH_WAIT},
};
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Instant,
};

/// Asks until the answer is 200, a child ends, a signal comes, or the time is over. A store that can serve some of its
/// data does so, with a warning. `tls`: how a gateway is asked that speaks HTTPS.
pub fn wait_until_healthy(
    gateway: SocketAddr,
    tls: Option<&Arc<ClientConfig>>,
    children: &mut Children,
) -> Result<(), Interrupted> {
    let deadline = Instant::now() + HEALTH_WAIT;
    loop {
        let state = match ask(gateway, tls) {
            Ok((200, _)) => return Ok(()),
            Ok((_, body)) => match degraded(&body) {
                Some(reason) => {
                    // In one piece: the processes write to the same place.
                    let warning = format!(
                        "warning: the store serves a part of its data: {reason}; the log above names what is missing\n"
                    );
                    let _ = io::stderr().write_all(warning.as_bytes());
                    return Ok(());
                }
                None => body,
            },
            Err(error) => error.to_string(),
        };
        if Instant::now() >= deadline {
            return Err(Interrupted::Failed(CliError::failed(format!(
                "the store runs but does not become healthy: {state}; its log above may say why"
            ))));
        }
        children.pause(HEALTH_PAUSE)?;
    }
}

/// Why a store serves only a part of its data, if it does.
fn degraded(body: &str) -> Option<String> {
    let body: serde_json::Value = serde_json::from_str(body).ok()?;
    (body.get("status")?.as_str()? == "degraded").then_some(())?;
    Some(body.get("reason")?.as_str()?.to_owned())
}

/// The status and the body of one answer.
fn ask(gateway: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> io::Result<(u16, String)> {
    let stream = TcpStream::connect_timeout(&gateway, HEALTH_REQUEST)?;
    stream.set_read_timeout(Some(HEALTH_REQUEST))?;
    stream.set_write_timeout(Some(HEALTH_REQUEST))?;
    match tls {
        None => ask_over(stream, gateway),
        Some(tls) => {
            let connection = ClientConnection::new(Arc::clone(tls), gateway.ip().into()).map_err(io::Error::other)?;
            ask_over(StreamOwned::new(connection, stream), gateway)
        }
    }
}

fn ask_over(mut stream: impl Read + Write, gateway: SocketAddr) -> io::Result<(u16, String)> {
    write!(
        stream,
        "GET /v1/health HTTP/1.1\r\nHost: {gateway}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.take(64 * 1024).read_to_string(&mut answer)?;
    parse(&answer).ok_or_else(|| io::Error::other("the answer is not HTTP"))
}

fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{degraded, parse};

    #[test]
    fn a_status_and_a_body_are_found() {
        let answer = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(parse(answer), Some((503, "{}".to_owned())));
        assert_eq!(parse("nonsense"), None);
    }

    #[test]
    fn a_part_of_the_data_is_told_from_none() {
        let body = r#"{"status":"degraded","reason":"1 of 2 shards"}"#;
        assert_eq!(degraded(body).as_deref(), Some("1 of 2 shards"));
        for other in [
            r#"{"status":"unavailable","reason":"none"}"#,
            r#"{"status":"ok"}"#,
            "{}",
            "",
        ] {
            assert_eq!(degraded(other), None);
        }
    }
}
