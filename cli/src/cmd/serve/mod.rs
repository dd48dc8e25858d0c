//! `corelane serve`: one machine's store. Prepares the data directories, starts a gateway and a node, and stays
//! until a signal or the end of one of them.

mod banner;
mod children;
pub mod credentials;
pub mod data_dir;
mod health;
mod kernel;
mod ready;
mod tls;

use crate::{
    error::{CliError, Result},
    limits::{CORES_MAX, DEFAULT_PORT},
};
use banner::Banner;
use children::{Children, Interrupted, Role};
use clap::{Args, ValueEnum};
use data_dir::DataDirs;
use ready::{GatewayReady, NodeReady};
use std::{
    ffi::OsStr,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    path::PathBuf,
    process::Command,
};
use tls::{Tls, TlsArgs};

const EXAMPLES: &str = "\
Examples:
  corelane serve
  corelane serve --data /disk1 --data /disk2 --port 9000
  corelane serve --host 0.0.0.0 --advertise store.example.org
  corelane serve --tls
  corelane serve --tls-cert server.pem --tls-key server.key
  CORELANE_ACCESS_KEY=owner CORELANE_SECRET_KEY=only-for-me corelane serve

The first start makes credentials, keeps them in DIR/control/credentials.json (0600) and prints them with lines to
paste for s3cmd, aws, boto3 and curl. CORELANE_ACCESS_KEY and CORELANE_SECRET_KEY set them instead; later starts keep
what the store has. CORELANE_LOG filters the log, such as CORELANE_LOG=debug (default: info).";

/// The flags of `corelane serve`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ServeArgs {
    /// A directory on one disk, made if missing; repeat it for more disks. The set must stay the same from then on
    #[arg(long, value_name = "DIR", default_value = "./corelane-data")]
    data: Vec<PathBuf>,
    /// The address to listen on: an IP address or a name of this machine
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1")]
    host: String,
    /// The gateway's port; the cores' ports follow it. 0 picks free ones and prints them
    #[arg(long, value_name = "PORT", default_value_t = DEFAULT_PORT)]
    port: u16,
    /// How many cores serve data, each with a port and a thread of its own [default: all]
    #[arg(long, value_name = "N")]
    cores: Option<usize>,
    /// Verify nothing: everyone may do everything
    #[arg(long)]
    anonymous: bool,
    /// Take AWS Signature Version 2 as well, for old clients: it is weak
    #[arg(long)]
    allow_sigv2: bool,
    /// How object requests reach their core
    #[arg(long, value_name = "HOW", default_value = "auto")]
    route: Route,
    /// Keep clients' connections with the gateway: --route auto then redirects or proxies
    #[arg(long)]
    no_handoff: bool,
    /// The host clients are redirected to; needed for redirects when --host is a wildcard such as 0.0.0.0
    #[arg(long, value_name = "HOST")]
    advertise: Option<String>,
    /// A domain below which hosts are buckets, as in http://BUCKET.NAME:PORT/KEY; repeat it for several
    #[arg(long = "domain", value_name = "NAME", default_value = "localhost")]
    domains: Vec<String>,
    /// Serve buckets that have a website configuration as web sites, to everyone, as http://BUCKET.NAME:PORT/ for each
    /// --domain. 0 picks a free port and prints it
    #[arg(long, value_name = "PORT")]
    website_port: Option<u16>,
    /// A TOML file that says which further clients are redirected, or not; see corelane-gateway --print-redirect-table
    #[arg(long, value_name = "FILE")]
    redirect_table: Option<PathBuf>,
    /// Write down every request, a line each, in a file; `-` is standard error. SIGHUP has the file opened again
    #[arg(long, value_name = "FILE")]
    access_log: Option<PathBuf>,
    /// How the access log is written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    access_log_format: LogFormat,
    /// How many seconds a day of a lifecycle rule has; fewer, and a test sees objects expire
    #[arg(long, value_name = "N", default_value_t = 86400, value_parser = clap::value_parser!(u32).range(1..))]
    lifecycle_day_seconds: u32,
    /// When an upload is answered: `sync` when it survives a power failure, `none` when the operating system has it
    #[arg(long, value_name = "WHEN", default_value = "sync")]
    durability: Durability,
    #[command(flatten)]
    tls: TlsArgs,
    /// Print one line `READY {"port":..,"core_ports":[..],"pid":..}` for programs in place of the text for people
    #[arg(long)]
    json: bool,
}

/// When an upload is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Durability {
    /// When it is on the disk
    Sync,
    /// When the operating system has it; what came last is lost with the power
    None,
}

/// How the access log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Fields between spaces
    Text,
    /// A JSON object a line
    Json,
}

impl ServeArgs {
    /// The access log's flags, which gateway and node have in common.
    fn access_log_flags(&self) -> Vec<&OsStr> {
        let Some(file) = &self.access_log else {
            return Vec::new();
        };
        let format = match self.access_log_format {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        };
        [
            "--access-log".as_ref(),
            file.as_os_str(),
            "--access-log-format".as_ref(),
            format.as_ref(),
        ]
        .into()
    }
}

/// How object requests reach the core that owns the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Route {
    /// Pass the client's connection to the core; where that cannot be, redirect those that follow, proxy the rest
    Auto,
    /// Pass the client's connection to the core; where that cannot be, proxy
    Handoff,
    /// Always answer with a redirect to the core
    Redirect,
    /// Always carry the data through the gateway
    Proxy,
}

impl Route {
    fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Handoff => "handoff",
            Self::Redirect => "redirect",
            Self::Proxy => "proxy",
        }
    }
}

/// What the flags come down to once they are checked.
struct Plan {
    address: IpAddr,
    cores: usize,
    /// Where clients are redirected to; `None`: nowhere.
    advertise: Option<String>,
}

/// Serves until a signal (success) or until a process of the store ends (failure).
pub fn run(args: &ServeArgs) -> Result<()> {
    let plan = plan(args)?;
    let first_credentials = credentials::from_environment()?;
    let gateway = children::find_beside_me("corelane-gateway")?;
    let node = children::find_beside_me("corelane-node")?;
    kernel::check(plan.cores)?;
    let data = DataDirs::open(&args.data)?;
    let credentials = credentials::load_or_create(&data.control, first_credentials)?;
    credentials::ensure_cluster_key(&data.control)?;
    let tls = args.tls.prepare(&plan, &args.host, &data)?;

    let logs_to_file = args.access_log.as_ref().is_some_and(|file| file.as_os_str() != "-");
    let mut children = Children::new(args.tls.is_on() || logs_to_file)?;
    data.note_process(args.tls.is_on())?;
    let programs = Programs { gateway, node };
    match start(args, &plan, &data, tls.as_ref(), &programs, &mut children) {
        Ok((gateway, node)) => {
            let banner = Banner {
                address: SocketAddr::new(plan.address, gateway.port),
                website: gateway
                    .website_port
                    .map(|port| (port, args.domains.first().map_or("localhost", String::as_str))),
                advertise: plan.advertise.as_deref(),
                core_ports: &node.ports,
                data: &args.data,
                credentials: (!args.anonymous).then_some(&credentials),
                redirects_off: plan.advertise.is_none() && args.route != Route::Proxy,
                tls: tls.as_ref(),
            };
            if args.json {
                banner.print_json()
            } else {
                banner.print()
            }
            let ended = children.wait_for_end();
            children.shut_down();
            ended
        }
        Err(interrupted) => {
            children.shut_down();
            match interrupted {
                Interrupted::Signal => Ok(()),
                Interrupted::Failed(error) => Err(error),
            }
        }
    }
}

fn plan(args: &ServeArgs) -> Result<Plan> {
    if args.route == Route::Handoff && args.no_handoff {
        return Err(CliError::usage(
            "--route handoff and --no-handoff contradict each other; drop one",
        ));
    }
    let address = resolve(&args.host)?;
    let available = std::thread::available_parallelism().map_or(1, usize::from);
    let cores = args.cores.unwrap_or(available);
    if cores == 0 || cores > available.min(CORES_MAX) {
        return Err(CliError::usage(format!(
            "--cores {cores}: this process may use {available} cores, so give a number from 1 to {available}"
        )));
    }
    if args.port != 0 && usize::from(u16::MAX - args.port) < cores {
        return Err(CliError::usage(format!(
            "--port {}: the {cores} core ports that follow it would be above 65535; choose a lower port",
            args.port
        )));
    }
    let advertise = match &args.advertise {
        Some(host) => Some(check_advertised(host)?),
        None if address.is_unspecified() => None,
        None => Some(args.host.trim_matches(['[', ']']).to_owned()),
    };
    let first = usize::from(args.port);
    let taken = first..=first + cores;
    if args.port != 0 && args.website_port.is_some_and(|port| taken.contains(&usize::from(port))) {
        return Err(CliError::usage(
            "--website-port is one of the ports of the gateway and the cores; choose another",
        ));
    }
    if args.route == Route::Redirect && advertise.is_none() {
        return Err(CliError::usage(format!(
            "--route redirect with --host {} needs --advertise HOST: the name or address clients reach this machine by",
            args.host
        )));
    }
    Ok(Plan {
        address,
        cores,
        advertise,
    })
}

fn resolve(host: &str) -> Result<IpAddr> {
    let bare = host.trim_matches(['[', ']']);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return Ok(address);
    }
    let addresses: Vec<IpAddr> = (bare, 0)
        .to_socket_addrs()
        .map_err(|error| {
            CliError::failed(format!(
                "--host {host} cannot be resolved ({error}); give an IP address of this machine, or 0.0.0.0 for all"
            ))
        })?
        .map(|address| address.ip())
        .collect();
    // A name such as localhost often has both; IPv4 is what most clients try first.
    let preferred = addresses.iter().find(|address| address.is_ipv4()).or(addresses.first());
    preferred.copied().ok_or_else(|| {
        CliError::failed(format!(
            "--host {host} has no address; give an IP address of this machine"
        ))
    })
}

fn check_advertised(host: &str) -> Result<String> {
    let bare = host.trim_matches(['[', ']']);
    let is_address = bare.parse::<IpAddr>().is_ok_and(|address| !address.is_unspecified());
    let is_name = bare.parse::<IpAddr>().is_err()
        && !bare.is_empty()
        && bare
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if is_address || is_name {
        Ok(bare.to_owned())
    } else {
        Err(CliError::usage(format!(
            "--advertise {host}: give a host name or an IP address alone, without scheme, port or path"
        )))
    }
}

/// Where the store's programs are.
struct Programs {
    gateway: PathBuf,
    node: PathBuf,
}

fn start(
    args: &ServeArgs,
    plan: &Plan,
    data: &DataDirs,
    tls: Option<&Tls>,
    programs: &Programs,
    children: &mut Children,
) -> std::result::Result<(GatewayReady, NodeReady), Interrupted> {
    let certificate = |command: &mut Command| {
        if let Some(tls) = tls {
            command.arg("--tls-cert").arg(&tls.files.certificate);
            command.arg("--tls-key").arg(&tls.files.key);
        }
    };
    let mut gateway = Command::new(&programs.gateway);
    gateway
        .arg("--listen")
        .arg(SocketAddr::new(plan.address, args.port).to_string())
        .arg("--state")
        .arg(data.control.join("gateway"))
        .arg("--cluster-key-file")
        .arg(data.control.join(credentials::CLUSTER_KEY_FILE))
        .arg("--credentials-file")
        .arg(data.control.join(credentials::CREDENTIALS_FILE))
        .args(["--route", args.route.as_str()]);
    if args.anonymous {
        gateway.arg("--anonymous");
    }
    gateway.args(["--lifecycle-day-seconds", &args.lifecycle_day_seconds.to_string()]);
    if let Some(port) = args.website_port {
        let listen = SocketAddr::new(plan.address, port).to_string();
        gateway.args(["--website-listen", &listen]);
    }
    if args.no_handoff {
        gateway.arg("--no-handoff");
    }
    if args.allow_sigv2 {
        gateway.arg("--allow-sigv2");
    }
    if let Some(file) = &args.redirect_table {
        gateway.arg("--redirect-table").arg(file);
    }
    gateway.args(args.access_log_flags());
    for domain in &args.domains {
        gateway.args(["--domain", domain]);
    }
    certificate(&mut gateway);
    children.spawn(Role::Gateway, gateway)?;
    let gateway: GatewayReady = children.wait_for_ready(Role::Gateway)?;

    let reachable = SocketAddr::new(reachable(plan.address), gateway.port);
    let mut node = Command::new(&programs.node);
    for path in &data.paths {
        node.arg("--mountpath").arg(path);
    }
    let first_core_port = if args.port == 0 { 0 } else { args.port.saturating_add(1) };
    node.args(["--host", &plan.address.to_string()])
        .args(["--port", &first_core_port.to_string()])
        .args(["--cores", &plan.cores.to_string()])
        .arg("--cluster-key-file")
        .arg(data.control.join(credentials::CLUSTER_KEY_FILE))
        .args(["--gateway", &reachable.to_string()]);
    node.args(args.access_log_flags());
    if args.durability == Durability::None {
        node.args(["--durability", "none"]);
    }
    if let Some(host) = &plan.advertise {
        node.args(["--advertise", host]);
    }
    certificate(&mut node);
    children.spawn(Role::Node, node)?;
    let node: NodeReady = children.wait_for_ready(Role::Node)?;
    let client = tls.map(Tls::client).transpose()?;
    health::wait_until_healthy(reachable, client.as_ref(), children)?;
    Ok((gateway, node))
}

/// The address by which this machine reaches a listener on `address`.
fn reachable(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) if v4.is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(v6) if v6.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        specific => specific,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{check_advertised, reachable, resolve};

    #[test]
    fn hosts_resolve_with_and_without_brackets() {
        assert_eq!(resolve("127.0.0.1").unwrap().to_string(), "127.0.0.1");
        assert_eq!(resolve("[::1]").unwrap().to_string(), "::1");
        assert_eq!(reachable("0.0.0.0".parse().unwrap()).to_string(), "127.0.0.1");
        assert_eq!(reachable("::".parse().unwrap()).to_string(), "::1");
    }

    #[test]
    fn only_plain_hosts_are_advertised() {
        for good in ["store.example.org", "10.0.0.7", "[fd00::7]", "node_1"] {
            assert!(check_advertised(good).is_ok(), "{good}");
        }
        for bad in ["", "0.0.0.0", "http://store", "store:51080", "store/s3", "a b"] {
            assert!(check_advertised(bad).is_err(), "{bad}");
        }
    }
}
