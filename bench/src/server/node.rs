//! A gateway and a node started one by one, so that the node can be killed and started again.

use super::{corelane::program, process::ServerProcess};
use crate::{
    error::{BenchError, Context, Result},
    limits::{RESTART_MAX, START_MAX},
};
use proto::auth::{sigv4::hex, ticket::TicketKey};
use serde::Deserialize;
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// A gateway that nodes can register with, and the cluster's key.
#[derive(Debug)]
pub struct Cluster {
    binaries: PathBuf,
    directory: PathBuf,
    key: [u8; 32],
    gateway: SocketAddr,
    _gateway: ServerProcess,
}

/// A node that serves.
#[derive(Debug)]
pub struct Node {
    process: ServerProcess,
    /// Where its only core listens.
    pub address: SocketAddr,
    /// When it was started.
    pub begun: Instant,
    /// From its start to its word that it serves.
    pub ready: Duration,
}

#[derive(Debug, Deserialize)]
struct GatewayReady {
    port: u16,
}

#[derive(Debug, Deserialize)]
struct NodeReady {
    ports: Vec<u16>,
}

const KEY_FILE: &str = "cluster.key";

impl Cluster {
    /// Starts a gateway with its state below `directory`.
    pub fn start(binaries: &Path, directory: &Path) -> Result<Self> {
        let state = directory.join("gateway");
        fs::create_dir_all(&state).context(format_args!("create {}", state.display()))?;
        let key = TicketKey::generate_bytes();
        let (key_file, credentials) = (directory.join(KEY_FILE), directory.join("credentials.json"));
        fs::write(&key_file, hex(&key)).context("write a cluster key")?;
        fs::write(&credentials, r#"{"access_key":"bench","secret_key":"bench-only"}"#).context("write credentials")?;
        let (key_file, state) = (key_file.display().to_string(), state.display().to_string());
        let credentials = credentials.display().to_string();
        let arguments = [
            "--anonymous",
            "--listen",
            "127.0.0.1:0",
            "--state",
            &state,
            "--cluster-key-file",
            &key_file,
            "--credentials-file",
            &credentials,
        ];
        let program = program(binaries, "corelane-gateway")?;
        let log = directory.join("gateway.log");
        let mut process = ServerProcess::spawn("corelane-gateway", &program, &arguments, log)?;
        let port = process.ready::<GatewayReady>(START_MAX, |_| {})?.port;
        Ok(Self {
            binaries: binaries.to_owned(),
            directory: directory.to_owned(),
            key,
            gateway: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            _gateway: process,
        })
    }

    /// What tickets are sealed with.
    pub fn ticket_key(&self) -> TicketKey {
        TicketKey::from_bytes(self.key)
    }

    /// Starts a node of one core on a mountpath and waits until it serves.
    pub fn start_node(&self, mountpath: &Path) -> Result<Node> {
        let program = program(&self.binaries, "corelane-node")?;
        let mountpath = mountpath.display().to_string();
        let key_file = self.directory.join(KEY_FILE).display().to_string();
        let gateway = self.gateway.to_string();
        let arguments = [
            "--mountpath",
            &mountpath,
            "--port",
            "0",
            "--cores",
            "1",
            "--cluster-key-file",
            &key_file,
            "--gateway",
            &gateway,
        ];
        let log = self.directory.join("node.log");
        let begun = Instant::now();
        let mut process = ServerProcess::spawn("corelane-node", &program, &arguments, log)?;
        let said = process.ready::<NodeReady>(RESTART_MAX, |_| {})?;
        let ready = begun.elapsed();
        let Some(port) = said.ports.first() else {
            return Err(process.failure("has no core"));
        };
        Ok(Node {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, *port)),
            process,
            begun,
            ready,
        })
    }
}

impl Node {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Adds the end of its log to an error that it may explain.
    pub fn explain(&self, error: &BenchError) -> BenchError {
        self.process.failure(&format!("is the server of this: {error}"))
    }

    /// SIGKILL.
    pub fn kill(self) -> Result<()> {
        self.process.kill()
    }
}
