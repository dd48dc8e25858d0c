//! Why a node does not start; every message says what to do.

use crate::mountpath_set::MountpathSetError;
use std::{io, net::IpAddr, path::PathBuf};

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum BootError {
    #[error(transparent)]
    Mountpaths(#[from] MountpathSetError),
    #[error("port {0} on {1} is in use; stop what holds it or give another --port")]
    PortInUse(u16, IpAddr),
    #[error("cannot listen on {1} port {0}: {2}; give another --host or --port")]
    Bind(u16, IpAddr, io::Error),
    #[error("--cores {wanted} is out of range: this process may run on {available} (1 to {available} are possible)")]
    Cores { wanted: usize, available: usize },
    #[error("the cluster key file {0} cannot be read: {1}")]
    ClusterKey(String, String),
    #[error(
        "core {0} does not start: {1}; it needs io_uring (kernel 5.11 or later, not disabled by kernel.io_uring_disabled) and a memlock limit of 512 KiB a core (ulimit -l)"
    )]
    Core(usize, String),
    #[error("shard {0} cannot be opened: {1}")]
    Shard(String, String),
    #[error("{0}")]
    Refused(String),
    #[error("the channels between cores and gateways cannot be made: {0}; raise the limit of open files (ulimit -n)")]
    Channel(io::Error),
    #[error("--access-log {0}: {1}")]
    AccessLog(String, io::Error),
    #[error("TLS cannot be used with {0}: {1}; --tls-cert and --tls-key name two PEM files that belong together")]
    Certificate(PathBuf, String),
    #[error("no random numbers: {0}")]
    Random(io::Error),
}
