//! corelane-gateway: the front door of a Corelane object store. Authenticates S3 requests, keeps the buckets, merges
//! listings, and sends requests for object data to the core that owns the key.

mod access_log;
mod admin;
mod answer;
mod auth;
mod body;
mod bucket_configuration;
mod bucket_properties;
mod catalog;
mod certificate;
mod clock;
mod cluster;
mod config;
mod configuration;
mod connection;
mod core_client;
mod core_pool;
mod core_response;
mod cors;
mod dispatch;
mod exchange;
mod gateway;
mod handoff;
mod lifecycle;
mod limits;
mod list;
mod live_settings;
mod log_filter;
mod memory;
mod metrics;
mod non_followers;
mod proxy;
#[cfg(test)]
mod proxy_tests;
mod records;
mod redirect;
mod redirect_table;
mod registration;
mod relay;
mod relay_ticket;
mod request;
mod request_id;
mod route;
mod rt;
mod s3;
mod server;
mod store;
#[cfg(test)]
mod testing;
mod ticketing;
mod tls;
mod watchdog;
mod website;

use catalog::Catalog;
use clap::Parser;
use config::{Arguments, Flags};
use gateway::Gateway;
use log_filter::LogFilter;
use std::{io::Write, net::SocketAddr, process::ExitCode, rc::Rc, sync::Arc};
use store::redb::RedbStore;
use tls::GatewayTls;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let flags = match Arguments::parse() {
        Arguments {
            print_redirect_table: true,
            ..
        } => return print(redirect_table::BUILT_IN),
        Arguments { flags: Some(flags), .. } => flags,
        // The parser has seen to it that there are flags where nothing is printed.
        Arguments { flags: None, .. } => {
            return print_error("give --state, --cluster-key-file and --credentials-file; see --help");
        }
    };
    // The metadata store holds users' secret keys; redb makes its file with the process's default mode.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let log_filter = LogFilter::start();
    let outcome = rt::run(run(flags, log_filter)).unwrap_or_else(|error| Err(no_ring(&error)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => print_error(&message),
    }
}

fn print(text: &str) -> ExitCode {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => print_error(&format!("cannot write to stdout: {error}")),
    }
}

fn print_error(message: &str) -> ExitCode {
    // In one piece: a node beside it writes to the same place.
    let _ = std::io::stderr().write_all(format!("error: {message}\n").as_bytes());
    ExitCode::FAILURE
}

async fn run(flags: Flags, log_filter: LogFilter) -> Result<(), String> {
    let address = flags.listen_address()?;
    let settings = flags.settings(log_filter)?;
    let ticket_key = flags.cluster_key()?;
    let root_key = flags.root_key()?;
    let certificate = flags.certificate()?;
    let no_signals = |error| format!("cannot handle signals: {error}");
    let termination = rt::Termination::new().map_err(no_signals)?;
    std::fs::create_dir_all(&flags.state).map_err(|error| {
        format!(
            "cannot create {}: {error}; give a writable --state directory",
            flags.state.display()
        )
    })?;
    let store = RedbStore::open(&flags.state).map_err(|error| error.to_string())?;
    let catalog = Catalog::open(Box::new(store), root_key)
        .await
        .map_err(|error| error.to_string())?;
    let mut tls = None;
    if let Some(certificate) = certificate {
        tls = Some(GatewayTls::new(Arc::clone(&certificate.settings)));
        let mut hangup = rt::Hangup::new().map_err(no_signals)?;
        rt::spawn(async move {
            loop {
                hangup.wait().await;
                certificate.reload();
            }
        });
    }
    let gateway = Rc::new(Gateway::new(Rc::new(catalog), ticket_key, settings, tls));
    s3::delete_bucket::recover(&gateway);
    rt::spawn(handoff::keep(Rc::clone(&gateway)));
    rt::spawn(lifecycle::keep(Rc::clone(&gateway)));
    let listener = server::bind(address)
        .await
        .map_err(|error| format!("cannot listen on {address}: {error}; stop what uses the port, or choose another"))?;
    let port = listener.port().map_err(|error| error.to_string())?;
    // Nobody else sets it.
    let _ = gateway.listening.set(SocketAddr::new(address.ip(), port));
    let website = match flags.website_address()? {
        Some(address) => Some(server::bind(address).await.map_err(|error| {
            format!("cannot listen on {address}: {error}; stop what uses the port, or choose another website port")
        })?),
        None => None,
    };
    let website_port = website.as_ref().map(rt::Listener::port).transpose();
    let website_port = website_port.map_err(|error| error.to_string())?;
    announce(port, website_port).map_err(|error| format!("cannot write to stdout: {error}"))?;
    tracing::info!(%address, port, website_port, "listening");
    let listeners = server::Listeners { s3: listener, website };
    server::serve(Rc::clone(&gateway), listeners, termination).await;
    gateway.access_log.close();
    Ok(())
}

/// The one line on stdout: whoever started the gateway waits for it.
fn announce(port: u16, website_port: Option<u16>) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match website_port {
        Some(website_port) => writeln!(stdout, "READY {{\"port\":{port},\"website_port\":{website_port}}}")?,
        None => writeln!(stdout, "READY {{\"port\":{port}}}")?,
    }
    stdout.flush()
}

fn no_ring(error: &std::io::Error) -> String {
    let advice = match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::NOMEM) => "raise the memlock limit (ulimit -l)",
        Some(rustix::io::Errno::PERM) => {
            "allow it (sysctl kernel.io_uring_disabled=0, or the container's seccomp profile)"
        }
        _ => "it needs Linux 5.11 or newer with io_uring",
    };
    format!("io_uring cannot be used: {error}; {advice}")
}
