//! `corelane serve`: one machine's store. Prepares the data directories, starts a gateway and a node, and stays
//! until a signal or the end of one of them.

mod banner;
mod children;
pub mod credentials;
pub mod data_dir;
mod health;
mod kernel;
mod ready;
mod settings;
mod tls;

use crate::error::{CliError, Result};
use banner::Banner;
use children::{Children, Interrupted, Role};
use clap::Args;
use data_dir::DataDirs;
use proto::{
    limits::CORE_COUNT_MAX,
    settings::{names, values::Layers},
};
use ready::{GatewayReady, NodeReady};
use std::{
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    path::PathBuf,
    process::Command,
};
use tls::Tls;

const EXAMPLES: &str = "\
Examples:
  corelane serve
  corelane serve --data /disk1 --data /disk2 --port 9000
  corelane serve --host 0.0.0.0 --advertise store.example.org
  corelane serve --tls
  corelane serve --tls-cert server.pem --tls-key server.key
  corelane serve --set net.http.read_buffer_size=128KiB --set node.memory_bytes=1GiB
  CORELANE_ROUTE_MODE=proxy corelane serve
  CORELANE_ACCESS_KEY=owner CORELANE_SECRET_KEY=only-for-me corelane serve

The first start makes credentials, keeps them in DIR/control/credentials.json (0600) and prints them with lines to
paste for s3cmd, aws, boto3 and curl. CORELANE_ACCESS_KEY and CORELANE_SECRET_KEY set them instead; later starts keep
what the store has. It also makes DIR/control/corelane.toml, the configuration file, with every setting in it: flags come
before environment variables (CORELANE_NET_PORT for net.port), those before the file. CORELANE_LOG filters the log, such
as CORELANE_LOG=debug (default: info).";

/// The flags of `corelane serve`. What they are `None` of, environment variables, the configuration file and defaults say.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ServeArgs {
    /// A directory on one disk, made if missing; repeat it for more disks. The set must stay the same from then on
    #[arg(long, value_name = "DIR", default_value = "./corelane-data")]
    data: Vec<PathBuf>,
    /// The configuration file [default: control/corelane.toml in the first --data directory, made at the first start]
    #[arg(long, value_name = "FILE", env = settings::FILE_VARIABLE)]
    config: Option<PathBuf>,
    /// Any setting of the configuration file; repeat it for more. `corelane config template` lists them
    #[arg(long = "set", value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// The address to listen on: an IP address or a name of this machine [default: 127.0.0.1]
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// The gateway's port; the cores' ports follow it. 0 picks free ones and prints them [default: 51080]
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// How many cores serve data, each with a port and a thread of its own [default: all]
    #[arg(long, value_name = "N")]
    cores: Option<String>,
    /// Verify nothing: everyone may do everything
    #[arg(long)]
    anonymous: bool,
    /// Take AWS Signature Version 2 as well, for old clients: it is weak
    #[arg(long)]
    allow_sigv2: bool,
    /// How object requests reach their core. auto: the client's connection is passed to it; where that cannot be, those that
    /// follow are redirected, and the gateway stands between the rest. handoff: passed, else between. redirect: always.
    /// proxy: always between [default: auto]
    #[arg(long, value_name = "HOW", value_parser = ["auto", "handoff", "redirect", "proxy"])]
    route: Option<String>,
    /// Keep clients' connections with the gateway: --route auto then redirects or proxies
    #[arg(long)]
    no_handoff: bool,
    /// The host clients are redirected to; needed for redirects when --host is a wildcard such as 0.0.0.0
    #[arg(long, value_name = "HOST")]
    advertise: Option<String>,
    /// A domain below which hosts are buckets, as in http://BUCKET.NAME:PORT/KEY; repeat it for several [default: localhost]
    #[arg(long = "domain", value_name = "NAME")]
    domains: Vec<String>,
    /// Serve buckets that have a website configuration as web sites, to everyone, as http://BUCKET.NAME:PORT/ for each
    /// --domain. 0 picks a free port and prints it
    #[arg(long, value_name = "PORT")]
    website_port: Option<u16>,
    /// A TOML file that says which further clients are redirected, or not; see corelane-gateway --print-redirect-table
    #[arg(long, value_name = "FILE")]
    redirect_table: Option<String>,
    /// Write down every request, a line each, in a file; `-` is standard error. SIGHUP has the file opened again
    #[arg(long, value_name = "FILE")]
    access_log: Option<String>,
    /// How the access log is written: fields between spaces, or an object a line [default: text]
    #[arg(long, value_name = "FORMAT", value_parser = ["text", "json"])]
    access_log_format: Option<String>,
    /// How many seconds a day of a lifecycle rule has; fewer, and a test sees objects expire [default: 86400]
    #[arg(long, value_name = "N")]
    lifecycle_day_seconds: Option<String>,
    /// When an upload is answered: `sync` when it survives a power failure, `none` when the operating system has it
    /// [default: sync]
    #[arg(long, value_name = "WHEN", value_parser = ["sync", "none"])]
    durability: Option<String>,
    /// Speak HTTPS on every port, with a certificate that the first start makes (DIR/control/tls/cert.pem)
    #[arg(long)]
    tls: bool,
    /// Speak HTTPS with this certificate: a PEM file. SIGHUP reads it again
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<String>,
    /// The key of --tls-cert: a PEM file without a passphrase
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<String>,
    /// Print one line `READY {"port":..,"core_ports":[..],"pid":..}` for programs in place of the text for people
    #[arg(long)]
    json: bool,
}

/// What the settings come down to once they are checked.
struct Plan {
    address: IpAddr,
    port: u16,
    website_port: Option<u16>,
    cores: usize,
    /// Where clients are redirected to; `None`: nowhere.
    advertise: Option<String>,
}

/// Serves until a signal (success) or until a process of the store ends (failure).
pub fn run(args: &ServeArgs) -> Result<()> {
    let mut layers = settings::gather(args)?;
    let plan = plan(&layers)?;
    let first_credentials = credentials::from_environment()?;
    let gateway = children::find_beside_me("corelane-gateway")?;
    let node = children::find_beside_me("corelane-node")?;
    kernel::check(plan.cores)?;
    let data = DataDirs::open(&args.data)?;
    let credentials = credentials::load_or_create(&data.control, first_credentials)?;
    credentials::ensure_cluster_key(&data.control)?;
    settings::make_file(&mut layers, args.config.is_some(), &data.control)?;
    let tls = tls::prepare(&layers, &plan, &data)?;
    settings::derive(&mut layers, &data.control, plan.advertise.as_deref());

    let mut children = Children::new()?;
    data.note_process(tls.is_some())?;
    let programs = Programs { gateway, node };
    match start(&layers, &plan, &data, tls.as_ref(), &programs, &mut children) {
        Ok((gateway, node)) => {
            let domain = layers.text(names::NET_DOMAIN).split(',').next().unwrap_or("localhost");
            let is_anonymous = layers.is_true(names::ANONYMOUS);
            let banner = Banner {
                address: SocketAddr::new(plan.address, gateway.port),
                website: gateway.website_port.map(|port| (port, domain)),
                advertise: plan.advertise.as_deref(),
                core_ports: &node.ports,
                data: &args.data,
                credentials: (!is_anonymous).then_some(&credentials),
                redirects_off: plan.advertise.is_none() && layers.text(names::ROUTE_MODE) != "proxy",
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

fn plan(layers: &Layers) -> Result<Plan> {
    let host = layers.text(names::NET_HOST);
    let address = resolve(host)?;
    let available = std::thread::available_parallelism().map_or(1, usize::from);
    let cores = match layers.text(names::NODE_CORES) {
        "all" => available,
        number => number.parse().unwrap_or(0),
    };
    let most = available.min(usize::try_from(CORE_COUNT_MAX).unwrap_or(usize::MAX));
    if cores == 0 || cores > most {
        return Err(CliError::usage(format!(
            "--cores {cores} (node.cores): this process may use {available} cores, so give a number from 1 to {most}"
        )));
    }
    let port: u16 = layers.number(names::NET_PORT).unwrap_or_default();
    if port != 0 && usize::from(u16::MAX - port) < cores {
        return Err(CliError::usage(format!(
            "--port {port} (net.port): the {cores} core ports that follow it would be above 65535; choose a lower port"
        )));
    }
    let advertise = match layers.text(names::NET_ADVERTISE) {
        "" if address.is_unspecified() => None,
        "" => Some(host.trim_matches(['[', ']']).to_owned()),
        advertised => Some(check_advertised(advertised)?),
    };
    let website_port = layers.number(names::NET_WEBSITE_PORT);
    let first = usize::from(port);
    let taken = first..=first + cores;
    if port != 0 && website_port.is_some_and(|port: u16| taken.contains(&usize::from(port))) {
        return Err(CliError::usage(
            "--website-port (net.website_port) is one of the ports of the gateway and the cores; choose another",
        ));
    }
    if layers.text(names::ROUTE_MODE) == "redirect" && advertise.is_none() {
        return Err(CliError::usage(format!(
            "--route redirect with --host {host} needs --advertise HOST: the name or address clients reach this machine by"
        )));
    }
    Ok(Plan {
        address,
        port,
        website_port,
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
    layers: &Layers,
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
        .arg(SocketAddr::new(plan.address, plan.port).to_string())
        .arg("--state")
        .arg(data.control.join("gateway"))
        .arg("--cluster-key-file")
        .arg(data.control.join(credentials::CLUSTER_KEY_FILE))
        .arg("--credentials-file")
        .arg(data.control.join(credentials::CREDENTIALS_FILE));
    settings::for_gateway(layers, &mut gateway)?;
    if let Some(port) = plan.website_port {
        let listen = SocketAddr::new(plan.address, port).to_string();
        gateway.args(["--website-listen", &listen]);
    }
    certificate(&mut gateway);
    children.spawn(Role::Gateway, gateway)?;
    let gateway: GatewayReady = children.wait_for_ready(Role::Gateway)?;

    let reachable = SocketAddr::new(reachable(plan.address), gateway.port);
    let mut node = Command::new(&programs.node);
    for path in &data.paths {
        node.arg("--mountpath").arg(path);
    }
    let first_core_port = if plan.port == 0 { 0 } else { plan.port.saturating_add(1) };
    node.args(["--host", &plan.address.to_string()])
        .args(["--port", &first_core_port.to_string()])
        .args(["--cores", &plan.cores.to_string()])
        .arg("--cluster-key-file")
        .arg(data.control.join(credentials::CLUSTER_KEY_FILE))
        .args(["--gateway", &reachable.to_string()]);
    settings::for_node(layers, &mut node);
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
