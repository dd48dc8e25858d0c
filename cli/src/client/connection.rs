//! Where the store is, and whom to trust there: the flags of every command that talks to one.

use crate::{
    certificate::CertificateFiles,
    error::{CliError, Result},
    limits::{COMMAND_REQUEST, CONNECT},
    output::OutputArgs,
};
use clap::Args;
use std::{
    error::Error,
    io,
    path::{Path, PathBuf},
};

/// How a command reaches the store; the same flags for every command that talks to one.
#[derive(Args, Clone)]
pub struct ConnectionArgs {
    /// Address of the store; a trailing /s3 is fine
    #[arg(
        long,
        value_name = "URL",
        env = "CORELANE_ENDPOINT",
        default_value = "http://127.0.0.1:51080",
        global = true
    )]
    pub endpoint: String,
    /// Where the store's own credentials are read from unless CORELANE_ACCESS_KEY and CORELANE_SECRET_KEY are set: its
    /// first data directory
    #[arg(long, value_name = "DIR", default_value = "./corelane-data", global = true)]
    pub data: PathBuf,
    /// With https: what signed the store's certificate, or that itself, a PEM file; nothing else is trusted then [default:
    /// what this machine trusts, and the certificate in --data]
    #[arg(long, value_name = "FILE", global = true)]
    pub ca: Option<PathBuf>,
    /// With https: trust whoever answers. He learns no secret, but may read and change what is sent
    #[arg(long, global = true, conflicts_with = "ca")]
    pub insecure: bool,
}

/// The flags that every command has that talks to a store.
#[derive(Args, Clone)]
pub struct GlobalArgs {
    /// How the store is reached.
    #[command(flatten)]
    pub connection: ConnectionArgs,
    /// What is printed, and how.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Where requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `http://host:port` or `https://host:port`, without a path.
    pub origin: String,
    /// What the Host header says: signed.
    pub host: String,
}

impl Endpoint {
    /// Of something like `http://127.0.0.1:51080/s3`. Usage error for what is no address.
    pub fn parse(endpoint: &str) -> Result<Self> {
        let wrong = |what: &str| {
            CliError::usage(format!(
                "--endpoint {endpoint}: {what}; write it like http://127.0.0.1:51080"
            ))
        };
        let (scheme, default_port, rest) = match endpoint.strip_prefix("https://") {
            Some(rest) => ("https", ":443", rest),
            None => ("http", ":80", endpoint.strip_prefix("http://").unwrap_or(endpoint)),
        };
        let rest = rest.trim_end_matches('/');
        let host = rest.strip_suffix("/s3").unwrap_or(rest);
        if host.is_empty() || host.contains(['/', '?', '#', '@']) || host.contains(char::is_whitespace) {
            return Err(wrong("it is not an address"));
        }
        // HTTP leaves the default port out of Host, and the signature covers Host.
        let host = host.strip_suffix(default_port).unwrap_or(host).to_ascii_lowercase();
        Ok(Self {
            origin: format!("{scheme}://{host}"),
            host,
        })
    }

    /// Whether it is `https://`.
    pub fn is_https(&self) -> bool {
        self.origin.starts_with("https://")
    }
}

/// A client for the store that trusts whom the flags say, and no proxy in between.
pub(super) fn http_client(args: &ConnectionArgs, endpoint: &Endpoint) -> Result<reqwest::blocking::Client> {
    let mut http = reqwest::blocking::Client::builder()
        .user_agent(concat!("corelane/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        // Until an answer's head is there, and between two pieces of its body.
        .timeout(COMMAND_REQUEST)
        .redirect(reqwest::redirect::Policy::none())
        // A proxy meant for the internet has no business between an operator and the store.
        .no_proxy();
    let own = CertificateFiles::of_store(&args.data.join("control")).certificate;
    if args.insecure {
        http = http.tls_danger_accept_invalid_certs(true);
    } else if let Some(ca) = &args.ca {
        http = http.tls_certs_only(trusted(ca)?);
    } else if endpoint.is_https() && own.exists() {
        http = http.tls_certs_merge(trusted(&own)?);
    }
    http.build()
        .map_err(|error| CliError::failed(format!("cannot make an HTTP client: {error}")))
}

/// The certificates of a PEM file, to trust.
fn trusted(path: &Path) -> Result<Vec<reqwest::Certificate>> {
    let pem = std::fs::read(path)
        .map_err(|error| CliError::failed(format!("cannot read the certificate {}: {error}", path.display())))?;
    match reqwest::Certificate::from_pem_bundle(&pem) {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(CliError::failed(format!(
            "{} holds no certificate in PEM (-----BEGIN CERTIFICATE-----)",
            path.display()
        ))),
    }
}

/// Why a certificate was not accepted, if that is why there was no answer.
pub(super) fn certificate_error(error: &reqwest::Error) -> Option<String> {
    let mut cause: Option<&dyn Error> = Some(error);
    while let Some(error) = cause {
        if let Some(rustls::Error::InvalidCertificate(reason)) = error.downcast_ref() {
            return Some(reason.to_string());
        }
        // An I/O error passes its inner error's source off as its own.
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(|error| error.get_ref())
            .map(|error| error as &dyn Error);
        cause = inner.or_else(|| error.source());
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Endpoint;

    #[test]
    fn endpoints_lose_their_path_and_default_port() {
        let host = |endpoint| {
            Endpoint::parse(endpoint)
                .map(|endpoint| endpoint.host)
                .map_err(|error| error.exit_code())
        };
        assert_eq!(host("http://127.0.0.1:51080/s3/"), Ok("127.0.0.1:51080".to_owned()));
        assert_eq!(host("Store.example:80"), Ok("store.example".to_owned()));
        assert_eq!(host("https://store:443/s3"), Ok("store".to_owned()));
        assert_eq!(host("https://store:80"), Ok("store:80".to_owned()));
        assert_eq!(Endpoint::parse("https://Store").unwrap().origin, "https://store");
        assert_eq!(host("http://store/other"), Err(2));
        assert_eq!(host("http://"), Err(2));
    }
}
