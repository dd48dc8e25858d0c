//! Membership: a node tells its gateways every second that it lives, which cores it has and which shards they own. On a
//! thread of its own, with blocking sockets: it must go on when the cores are busy.

use crate::{core::unix_ms, limits::REGISTER_INTERVAL};
use proto::{
    auth::ticket::{Grant, Principal, QUERY_PARAMETER, Ticket, TicketKey},
    cluster::{map::NodeInfo, message::REGISTER_PATH},
    http::response::ResponseHead,
    limits::TICKET_LIFE_S,
    tls::settings::TlsSettings,
    wire::Encoder,
};
use rustls::{ClientConnection, StreamOwned};
use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(5);
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// Why a registration did not happen.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The gateway's shard map and this node disagree; nothing a retry could mend.
    #[error("{0}")]
    Refused(String),
    /// The gateway cannot be reached or answers something else.
    #[error("the gateway at {0} cannot be registered with: {1}")]
    Unreachable(SocketAddr, io::Error),
}

/// Announces a node to its gateways.
pub struct Membership {
    key: TicketKey,
    info: NodeInfo,
    gateways: Vec<SocketAddr>,
    tls: Option<Arc<TlsSettings>>,
}

impl Membership {
    /// The announcer of a node; `tls`: what its gateways speak.
    pub fn new(key: TicketKey, info: NodeInfo, gateways: Vec<SocketAddr>, tls: Option<Arc<TlsSettings>>) -> Self {
        Self {
            key,
            info,
            gateways,
            tls,
        }
    }

    /// Registers with every gateway once.
    pub fn register(&self) -> Result<(), RegisterError> {
        for gateway in &self.gateways {
            let (status, text) = self
                .exchange(*gateway)
                .map_err(|error| RegisterError::Unreachable(*gateway, error))?;
            match status {
                200..=299 => {}
                409 => return Err(RegisterError::Refused(text)),
                _ => {
                    let error = io::Error::other(format!("status {status}: {text}"));
                    return Err(RegisterError::Unreachable(*gateway, error));
                }
            }
        }
        Ok(())
    }

    /// Registers again and again until the node stops.
    pub fn run(&self, stopping: &Arc<AtomicBool>) {
        let mut failing = false;
        while !stopping.load(Ordering::Relaxed) {
            std::thread::sleep(REGISTER_INTERVAL);
            match self.register() {
                Ok(()) => failing = false,
                Err(error) if !failing => {
                    failing = true;
                    tracing::warn!(%error, "registration failed; trying on");
                }
                Err(_) => {}
            }
        }
    }

    fn exchange(&self, gateway: SocketAddr) -> io::Result<(u16, String)> {
        let ticket = Ticket {
            issued_unix_ms: unix_ms(),
            expires_unix_s: unix_ms() / 1000 + TICKET_LIFE_S,
            node: self.info.node,
            core: 0,
            shard: [0; 16],
            principal: Principal::default(),
            proxied: false,
            grant: Grant::Register { node: self.info.node },
        };
        let mut body = Encoder::new();
        self.info.encode(&mut body);
        let body = body.finish();
        let sealed = self.key.seal(&ticket);
        let mut request = format!(
            "POST {REGISTER_PATH}?{QUERY_PARAMETER}={sealed} HTTP/1.1\r\nHost: {gateway}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(&body);
        let stream = TcpStream::connect_timeout(&gateway, EXCHANGE_TIMEOUT)?;
        stream.set_read_timeout(Some(EXCHANGE_TIMEOUT))?;
        stream.set_write_timeout(Some(EXCHANGE_TIMEOUT))?;
        let answer = match &self.tls {
            None => ask(stream, &request)?,
            Some(tls) => {
                let name = gateway.ip().into();
                let connection = ClientConnection::new(tls.client(), name).map_err(io::Error::other)?;
                ask(StreamOwned::new(connection, stream), &request)?
            }
        };
        let head = ResponseHead::parse(&answer)
            .ok()
            .flatten()
            .ok_or_else(|| io::Error::other("the answer is not HTTP"))?;
        let text = String::from_utf8_lossy(answer.get(head.length..).unwrap_or_default())
            .trim()
            .to_owned();
        Ok((head.status, text))
    }
}

/// Sends a request and receives until the gateway closes.
fn ask(mut stream: impl Read + Write, request: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(request)?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX as u64).read_to_end(&mut answer)?;
    Ok(answer)
}
