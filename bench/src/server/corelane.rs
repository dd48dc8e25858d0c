//! Corelane: `corelane serve` with its gateway and node, all on the server core.

use super::{
    certificate::Certificate,
    cpu,
    process::{Server, ServerProcess},
};
use crate::{
    error::{BenchError, Context, Result},
    limits::START_MAX,
    session::Session,
};
use proto::auth::{sigv4::from_hex, ticket::TicketKey};
use serde::Deserialize;
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

/// What `corelane serve --json` prints when it serves.
#[derive(Debug, Deserialize)]
struct Ready {
    port: u16,
}

const HEALTH_PATH: &str = "/v1/health";

/// One of Corelane's programs in the folder `binaries`.
pub fn program(binaries: &Path, name: &str) -> Result<PathBuf> {
    let program = binaries.join(name);
    if program.is_file() {
        return Ok(program);
    }
    Err(BenchError::Usage(format!(
        "{} does not exist: run scripts/bench, which builds it, or name another folder with --binaries",
        program.display()
    )))
}

/// The data directory, a mountpath, of a server that was started with `directory`.
pub fn data(directory: &Path) -> PathBuf {
    directory.join("corelane")
}

/// The key that server's tickets are sealed with.
pub fn cluster_key(directory: &Path) -> Result<TicketKey> {
    let path = data(directory).join("control").join("cluster.key");
    let text = fs::read_to_string(&path).context(format_args!("read {}", path.display()))?;
    from_hex(text.trim())
        .map(TicketKey::from_bytes)
        .ok_or_else(|| BenchError::Server(format!("{} does not hold 64 hex digits", path.display())))
}

/// Starts the binaries found in `binaries` with their data below `directory`: one core, and nothing is verified.
pub fn start(binaries: &Path, directory: &Path) -> Result<Server> {
    start_with(binaries, directory, None)
}

/// The same with HTTPS if there is a certificate.
pub fn start_with(binaries: &Path, directory: &Path, certificate: Option<&Certificate>) -> Result<Server> {
    let flags = ["--anonymous", "--cores", "1"];
    run(binaries, directory, &flags, certificate, ServerProcess::spawn)
}

/// The same on one core, where every request must be signed or carry a ticket.
pub fn start_verifying(binaries: &Path, directory: &Path) -> Result<Server> {
    run(binaries, directory, &["--cores", "1"], None, ServerProcess::spawn)
}

/// Starts them on all processors, as they are started by default: every request must be signed.
pub fn start_on_all_cores(binaries: &Path, directory: &Path) -> Result<Server> {
    run(binaries, directory, &[], None, ServerProcess::spawn_anywhere)
}

type Spawn = fn(&'static str, &Path, &[&str], PathBuf) -> Result<ServerProcess>;

fn run(
    binaries: &Path,
    directory: &Path,
    flags: &[&str],
    certificate: Option<&Certificate>,
    spawn: Spawn,
) -> Result<Server> {
    let program = self::program(binaries, "corelane")?;
    for name in ["corelane-gateway", "corelane-node"] {
        self::program(binaries, name)?;
    }
    let data = data(directory).display().to_string();
    let tls = certificate.map(|certificate| Arc::clone(&certificate.client));
    let paths = certificate
        .map(|certificate| [&certificate.certificate, &certificate.key].map(|path| path.display().to_string()));
    let mut arguments = [&["serve", "--json", "--port", "0", "--data", &data], flags].concat();
    if let Some([certificate, key]) = &paths {
        arguments.extend(["--tls-cert", certificate, "--tls-key", key]);
    }
    let mut serve = spawn("corelane", &program, &arguments, directory.join("corelane.log"))?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, serve.ready::<Ready>(START_MAX, |_| {})?.port));
    serve.wait_until(|| {
        matches!(
            Session::open_with(address, tls.clone()).and_then(|mut session| session.status(HEALTH_PATH)),
            Ok(200)
        )
    })?;
    let children = cpu::children(serve.id());
    let mut workers: Vec<_> = children
        .into_iter()
        .filter_map(|child| {
            let role = child.role.strip_prefix("corelane-")?.to_owned();
            Some(cpu::Process { role, ..child })
        })
        .collect();
    workers.sort_by(|a, b| b.role.cmp(&a.role));
    if workers.len() != 2 {
        return Err(serve.failure("does not run one gateway and one node"));
    }
    Ok(serve.serving(address, workers).with_tls(tls))
}
