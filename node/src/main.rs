//! corelane-node: flags, start-up, signals.

mod access_log;
mod admission;
mod answer;
mod arrival;
mod boot;
mod cache;
mod certificate;
mod channel;
mod config;
mod connection;
mod copy_source;
mod core;
mod deadline;
mod dispatch;
mod error;
mod failed_shards;
mod limits;
mod link;
mod log_filter;
mod md5_lanes;
mod membership;
mod mountpath_set;
mod moving;
mod op;
mod receive;
mod recv;
mod relay;
mod rt;
mod scrub;
mod send;
mod send_object;
mod server;
mod siblings;
mod stats;
mod tls;
mod traffic;
mod window;

use clap::Parser;
use std::{
    io::{self, Write},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = config::Arguments::parse();
    let log_filter = log_filter::LogFilter::start();
    let config = match arguments {
        config::Arguments {
            command: Some(config::Command::Scrub(flags)),
            ..
        } => return scrub::run(&flags),
        config::Arguments { config, .. } => config,
    };
    // The parser has seen to it that there is one where there is no command.
    let Some(config) = config else {
        eprintln!("error: nothing to serve; give --mountpath, --cluster-key-file and --gateway, or see --help");
        return ExitCode::FAILURE;
    };
    let stopping = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        if let Err(error) = signal_hook::flag::register(signal, Arc::clone(&stopping)) {
            eprintln!("error: signals cannot be handled: {error}");
            return ExitCode::FAILURE;
        }
    }
    let reload = Arc::new(AtomicBool::new(false));
    if config.tls_cert.is_some()
        && let Err(error) = signal_hook::flag::register(signal_hook::consts::SIGHUP, Arc::clone(&reload))
    {
        eprintln!("error: signals cannot be handled: {error}");
        return ExitCode::FAILURE;
    }
    raise_descriptor_limit();
    match boot::start(&config, &log_filter, &stopping) {
        Ok(node) => serve(node, &stopping, &reload),
        Err(error) => {
            // In one piece: a gateway beside it writes to the same place.
            let _ = io::stderr().write_all(format!("error: {error}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}

fn serve(node: boot::Node, stopping: &AtomicBool, reload: &AtomicBool) -> ExitCode {
    let id = proto::auth::sigv4::hex(&node.info.node);
    let ports: Vec<u16> = node.info.cores.iter().map(|core| core.port).collect();
    println!("READY {}", serde_json::json!({ "node": id, "ports": ports }));
    let _ = io::stdout().flush();
    while !stopping.load(Ordering::Relaxed) {
        if node.has_lost_a_core() {
            eprintln!("error: a core has ended; see the log above");
            return ExitCode::FAILURE;
        }
        if reload.swap(false, Ordering::Relaxed)
            && let Some(certificate) = &node.certificate
        {
            certificate.reload();
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    if node.wait() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Every connection is a descriptor: the soft limit of 1,024 is raised as far as is allowed.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
}
