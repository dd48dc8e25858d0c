//! Flags, and the two secret files they name.

use crate::{
    access_log, catalog::RootKey, certificate::Certificate, configuration::Configuration, gateway::Settings,
    live_settings::LiveSettings, log_filter::LogFilter,
};
use clap::{Args, Parser, ValueEnum};
use proto::{
    access_log::Format,
    auth::{sigv4::from_hex, ticket::TicketKey},
    s3::address::Domains,
    settings::{
        names,
        values::{Layer, Layers},
    },
};
use std::{
    net::{SocketAddr, ToSocketAddrs},
    path::{Path, PathBuf},
};

/// How object requests reach their core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RouteMode {
    /// The client's connection is passed to the core; where that cannot be, what is known of the client decides.
    Auto,
    /// The client's connection is passed to the core; where that cannot be, the gateway stands between.
    Handoff,
    /// 307 to the core, wherever S3 allows it.
    Redirect,
    /// Through the gateway.
    Proxy,
}

impl RouteMode {
    /// As flags and settings have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Handoff => "handoff",
            Self::Redirect => "redirect",
            Self::Proxy => "proxy",
        }
    }
    /// By its name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Auto, Self::Handoff, Self::Redirect, Self::Proxy]
            .into_iter()
            .find(|mode| mode.name() == name)
    }
}

/// How the access log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Fields between spaces.
    Text,
    /// A JSON object a line.
    Json,
}

impl LogFormat {
    /// As flags and settings have it.
    fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

impl From<LogFormat> for Format {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Text => Self::Text,
            LogFormat::Json => Self::Json,
        }
    }
}

/// The front door of a Corelane object store: authentication, buckets, listings, routing to cores. Usually started by
/// `corelane serve`.
#[derive(Debug, Parser)]
#[command(name = "corelane-gateway", version)]
pub struct Arguments {
    /// Print the built-in redirect table, as a file for --redirect-table has it, and end.
    #[arg(long, exclusive = true)]
    pub print_redirect_table: bool,
    /// How to serve.
    #[command(flatten)]
    pub flags: Option<Flags>,
}

/// How a gateway serves.
#[derive(Debug, Args)]
pub struct Flags {
    /// What `corelane serve` was told, as JSON: for those who ask, and for changes.
    #[arg(long, value_name = "JSON", value_parser = parse_layers)]
    pub settings: Option<Layers>,
    /// Where to listen; port 0 picks a free one.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:51080")]
    pub listen: String,
    /// Where buckets are served as web sites, as bucket.NAME for each --domain NAME; port 0 picks a free one.
    #[arg(long, value_name = "HOST:PORT")]
    pub website_listen: Option<String>,
    /// The directory of the metadata store.
    #[arg(long, value_name = "DIR")]
    pub state: PathBuf,
    /// The file with the cluster key: 64 hex digits.
    #[arg(long, value_name = "FILE")]
    pub cluster_key_file: PathBuf,
    /// The file with the root user's key: {"access_key": .., "secret_key": ..}.
    #[arg(long, value_name = "FILE")]
    pub credentials_file: PathBuf,
    /// Verify nothing: everyone acts as the root user.
    #[arg(long)]
    pub anonymous: bool,
    /// Take AWS Signature Version 2 as well, for old clients. It is weak: it covers no payload, no host and little of the
    /// query, and uses SHA-1.
    #[arg(long)]
    pub allow_sigv2: bool,
    /// How object requests reach their core.
    #[arg(long, value_enum, default_value_t = RouteMode::Auto)]
    pub route: RouteMode,
    /// Pass no connections to cores on this host.
    #[arg(long)]
    pub no_handoff: bool,
    /// A domain below which hosts are buckets: bucket.NAME; repeat it for several.
    #[arg(long = "domain", value_name = "NAME", default_value = "localhost")]
    pub domains: Vec<String>,
    /// A TOML file with rows that come before those of the built-in redirect table (see --print-redirect-table).
    #[arg(long, value_name = "FILE")]
    pub redirect_table: Option<PathBuf>,
    /// Where requests are written down, a line each; `-` is standard error. SIGHUP has the file opened again.
    #[arg(long, value_name = "FILE")]
    pub access_log: Option<PathBuf>,
    /// How.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Text)]
    pub access_log_format: LogFormat,
    /// How many seconds a day of a lifecycle rule has: fewer, and a test sees objects expire.
    #[arg(long, value_name = "N", default_value_t = 86400, value_parser = clap::value_parser!(u32).range(1..))]
    pub lifecycle_day_seconds: u32,
    /// Speak HTTPS with this certificate: a PEM file, with those that signed it behind it if there are any. The nodes must
    /// have the same one. SIGHUP reads it again.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key: a PEM file without a passphrase.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
}

impl Flags {
    /// Where to listen, resolved.
    pub fn listen_address(&self) -> Result<SocketAddr, String> {
        resolve(&self.listen, "--listen")
    }
    /// Where to listen for visitors of web sites, resolved.
    pub fn website_address(&self) -> Result<Option<SocketAddr>, String> {
        let listen = self.website_listen.as_deref();
        listen.map(|listen| resolve(listen, "--website-listen")).transpose()
    }
    /// What the operator decides.
    pub fn settings(&self, log_filter: LogFilter) -> Result<Settings, String> {
        let layers = match &self.settings {
            Some(layers) => layers.clone(),
            None => self.layers(),
        };
        let access_log = access_log::switch()?;
        if let Some(path) = &self.access_log {
            let opened = access_log.open(path);
            let turned = opened.and_then(|log| access_log.turn_on(path, log, self.access_log_format.into()));
            turned.map_err(|error| format!("--access-log {}: {error}", path.display()))?;
        }
        Ok(Settings {
            anonymous: self.anonymous,
            hands_over: !self.no_handoff && !self.speaks_tls(),
            access_log,
            domains: Domains::parse(&self.domains).map_err(|error| format!("--domain: {error}"))?,
            live: LiveSettings::new(&layers)?,
            configuration: Configuration::new(layers, Some(log_filter)),
        })
    }
    fn speaks_tls(&self) -> bool {
        // A core cannot take over a session of TLS.
        self.tls_cert.is_some()
    }
    /// The settings of a gateway that was not started by `corelane serve`: its flags, and no file that could be changed.
    fn layers(&self) -> Layers {
        let mut flags = Layer::new();
        let mut set = |name: &str, value: String| flags.insert(name.to_owned(), value);
        if let Ok(address) = self.listen_address() {
            set(names::NET_HOST, address.ip().to_string());
            set(names::NET_PORT, address.port().to_string());
        }
        if let Ok(Some(address)) = self.website_address() {
            set(names::NET_WEBSITE_PORT, address.port().to_string());
        }
        set(names::ANONYMOUS, self.anonymous.to_string());
        set(names::ALLOW_SIGV2, self.allow_sigv2.to_string());
        set(names::ROUTE_MODE, self.route.name().to_owned());
        set(names::ROUTE_HANDOFF, (!self.no_handoff).to_string());
        set(names::NET_DOMAIN, self.domains.join(","));
        set(names::ACCESS_LOG_FORMAT, self.access_log_format.name().to_owned());
        set(names::LIFECYCLE_DAY_SECONDS, self.lifecycle_day_seconds.to_string());
        set(names::USE_HTTPS, self.speaks_tls().to_string());
        let files = [
            (names::REDIRECT_TABLE, &self.redirect_table),
            (names::ACCESS_LOG_FILE, &self.access_log),
            (names::SERVER_CRT, &self.tls_cert),
            (names::SERVER_KEY, &self.tls_key),
        ];
        for (name, path) in files {
            if let Some(path) = path {
                set(name, path.display().to_string());
            }
        }
        Layers {
            flags,
            ..Layers::default()
        }
    }
    /// The certificate, with HTTPS.
    pub fn certificate(&self) -> Result<Option<Certificate>, String> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => Certificate::load(certificate, key).map(Some),
            _ => Ok(None),
        }
    }
    /// The cluster key.
    pub fn cluster_key(&self) -> Result<TicketKey, String> {
        let text = read(&self.cluster_key_file)?;
        let bytes = from_hex::<32>(text.trim()).ok_or_else(|| {
            let path = self.cluster_key_file.display();
            format!("{path} does not hold 64 hex digits; restore it, or remove it to have a new one made")
        })?;
        Ok(TicketKey::from_bytes(bytes))
    }
    /// The root user's key.
    pub fn root_key(&self) -> Result<RootKey, String> {
        let text = read(&self.credentials_file)?;
        let path = self.credentials_file.display();
        let key: RootKey = serde_json::from_str(&text)
            .map_err(|_| format!("{path} is not JSON with access_key and secret_key; correct or remove it"))?;
        if key.access_key.is_empty() || key.secret_key.is_empty() {
            return Err(format!(
                "{path} holds an empty access_key or secret_key; correct or remove it"
            ));
        }
        Ok(key)
    }
}

fn parse_layers(json: &str) -> Result<Layers, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

fn resolve(listen: &str, flag: &str) -> Result<SocketAddr, String> {
    let mut addresses = listen
        .to_socket_addrs()
        .map_err(|error| format!("cannot listen on {listen}: {error}; give {flag} HOST:PORT"))?;
    addresses
        .next()
        .ok_or_else(|| format!("{listen} names no address; give {flag} HOST:PORT"))
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}
