//! Corelane: `corelane serve` with its gateway and node, all on the server core.

use super::{
    cpu,
    process::{Server, ServerProcess},
};
use crate::{
    error::{BenchError, Result},
    session::Session,
};
use serde::Deserialize;
use std::{
    io::{BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

/// What `corelane serve --json` prints when it serves.
#[derive(Debug, Deserialize)]
struct Ready {
    port: u16,
}

const READY_PREFIX: &str = "READY ";
const HEALTH_PATH: &str = "/v1/health";

/// Starts the binaries found in `binaries` with their data below `directory`.
pub fn start(binaries: &Path, directory: &Path) -> Result<Server> {
    let program = binaries.join("corelane");
    for name in ["corelane", "corelane-gateway", "corelane-node"] {
        if !binaries.join(name).is_file() {
            return Err(BenchError::Usage(format!(
                "{} does not exist: run scripts/bench, which builds it, or name another folder with --binaries",
                binaries.join(name).display()
            )));
        }
    }
    let data = directory.join("corelane").display().to_string();
    let arguments = [
        "serve",
        "--anonymous",
        "--json",
        "--port",
        "0",
        "--cores",
        "1",
        "--data",
        &data,
    ];
    let mut serve = ServerProcess::spawn("corelane", &program, &arguments, directory.join("corelane.log"))?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, read_port(&mut serve)?));
    serve.wait_until(|| {
        matches!(
            Session::open(address).and_then(|mut session| session.status(HEALTH_PATH)),
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
    Ok(serve.serving(address, workers))
}

/// The line comes once requests would succeed; before it the pipe is silent, or ends when `serve` fails.
fn read_port(serve: &mut ServerProcess) -> Result<u16> {
    let Some(stdout) = serve.stdout() else {
        return Err(serve.failure("has no standard output"));
    };
    for line in BufReader::new(stdout).lines().map_while(std::result::Result::ok) {
        let ready = line
            .strip_prefix(READY_PREFIX)
            .and_then(|json| serde_json::from_str::<Ready>(json).ok());
        if let Some(ready) = ready {
            return Ok(ready.port);
        }
    }
    Err(serve.failure("did not say that it is ready"))
}
