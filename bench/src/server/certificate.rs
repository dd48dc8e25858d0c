//! The certificate that both servers of a comparison show.

use super::corelane;
use crate::{
    error::{BenchError, Context, Result},
    loadgen::wire,
};
use rustls::ClientConfig;
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

/// See the module.
#[derive(Debug)]
pub struct Certificate {
    /// PEM.
    pub certificate: PathBuf,
    /// PEM.
    pub key: PathBuf,
    /// A client that accepts it.
    pub client: Arc<ClientConfig>,
}

impl Certificate {
    /// Makes one below `directory`, with the `corelane` in `binaries`.
    pub fn make(binaries: &Path, directory: &Path) -> Result<Self> {
        let out = directory.join("tls");
        let made = Command::new(corelane::program(binaries, "corelane")?)
            .args(["cert", "make", "--name", "127.0.0.1", "--json", "--out"])
            .arg(&out)
            .output()
            .context("run corelane cert make")?;
        if !made.status.success() {
            let said = String::from_utf8_lossy(&made.stderr);
            return Err(BenchError::Server(format!("corelane cert make: {said}")));
        }
        let certificate = out.join("cert.pem");
        Ok(Self {
            client: wire::client(&certificate)?,
            certificate,
            key: out.join("key.pem"),
        })
    }
}
