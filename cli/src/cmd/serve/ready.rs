//! What a child says on its one line `READY {json}` once it listens.

use serde::Deserialize;

/// What stands before the JSON.
pub const PREFIX: &str = "READY ";

/// The gateway's.
#[derive(Debug, Deserialize)]
pub struct GatewayReady {
    /// Where it listens.
    pub port: u16,
    /// Where it serves buckets as web sites, if it does.
    #[serde(default)]
    pub website_port: Option<u16>,
}

/// The node's.
#[derive(Debug, Deserialize)]
pub struct NodeReady {
    /// Where its cores listen, by core.
    pub ports: Vec<u16>,
}
