//! Flags.

use crate::limits::{NODE_MEMORY_BYTES_DEFAULT, SCRUB_INTERVAL_S_DEFAULT};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::{net::IpAddr, path::PathBuf};

/// Corelane's data plane: one pinned io_uring executor, one port and one share of the disks per core. Usually started by
/// `corelane serve`.
#[derive(Debug, Parser)]
#[command(
    name = "corelane-node",
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub struct Arguments {
    /// Something else than serving.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// What to serve.
    #[command(flatten)]
    pub config: Option<Config>,
}

/// What a node can do but serve.
#[derive(Debug, Subcommand)]
pub enum Command {
    Scrub(Scrub),
}

/// Read and verify everything that is stored, and name what is damaged. The node must be stopped; a running one does the
/// same in the background (--scrub-interval).
///
/// Ends with 0 when all is well, 2 when something is damaged, 1 when it could not be found out.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  corelane-node scrub --mountpath /disks/a --mountpath /disks/b")]
pub struct Scrub {
    /// A directory that the node serves; repeat it for several.
    #[arg(long = "mountpath", required = true, value_name = "DIR")]
    pub mountpaths: Vec<PathBuf>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

/// What a node serves, and how.
#[derive(Debug, Args)]
pub struct Config {
    /// A directory on a disk; repeat it for several disks. Empty ones are formatted.
    #[arg(long = "mountpath", required = true, value_name = "DIR")]
    pub mountpaths: Vec<PathBuf>,
    /// Address the cores listen on.
    #[arg(long, default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// Port of the first core; the others follow. 0 picks free ports.
    #[arg(long, default_value_t = 51081)]
    pub port: u16,
    /// How many cores serve; all this process may run on by default.
    #[arg(long, value_name = "N")]
    pub cores: Option<usize>,
    /// File with the cluster key, 64 hex digits.
    #[arg(long, value_name = "FILE")]
    pub cluster_key_file: PathBuf,
    /// A gateway to register with; repeat it for several.
    #[arg(long = "gateway", required = true, value_name = "HOST:PORT")]
    pub gateways: Vec<std::net::SocketAddr>,
    /// Host name or address clients are redirected to; without it they never are.
    #[arg(long, value_name = "HOST")]
    pub advertise: Option<String>,
    /// Memory for buffers and cache, in bytes, shared by all cores.
    #[arg(long, default_value_t = NODE_MEMORY_BYTES_DEFAULT, value_name = "BYTES")]
    pub memory: usize,
    /// Seconds between two background passes that read and verify everything; 0 turns them off.
    #[arg(long, default_value_t = SCRUB_INTERVAL_S_DEFAULT, value_name = "SECONDS")]
    pub scrub_interval: u64,
    /// When an upload is answered: `sync` after it is on the disk, `none` after it was written.
    #[arg(long, value_enum, default_value_t = Durability::Sync)]
    pub durability: Durability,
    /// Where requests that cores answer on clients' own connections are written down, a line each; `-` is standard error.
    /// SIGHUP has the file opened again.
    #[arg(long, value_name = "FILE")]
    pub access_log: Option<PathBuf>,
    /// How.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Text)]
    pub access_log_format: LogFormat,
    /// Speak HTTPS only, with this certificate: a PEM file, with those that signed it behind it if there are any. The
    /// gateways must have the same one. SIGHUP reads it again.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key: a PEM file without a passphrase.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
}

/// How the access log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Fields between spaces.
    Text,
    /// A JSON object a line.
    Json,
}

/// When a change is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Durability {
    /// After it survives power loss.
    Sync,
    /// After it was handed to the operating system.
    None,
}
