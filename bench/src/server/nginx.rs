//! nginx, the yardstick: one worker, sendfile, open files cached, WebDAV for PUT.

use super::{
    certificate::Certificate,
    cpu::{self, Process},
    process::{Server, ServerProcess},
};
use crate::error::{BenchError, Context, Result};
use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Starts nginx with a prefix and configuration of its own below `directory`; with HTTPS if there is a certificate.
pub fn start(program: Option<PathBuf>, directory: &Path, certificate: Option<&Certificate>) -> Result<Server> {
    let program = find(program)?;
    let prefix = directory.join("nginx");
    for part in ["root", "body", "logs"] {
        fs::create_dir_all(prefix.join(part)).context(format_args!("create {}/{part}", prefix.display()))?;
    }
    let address = free_address()?;
    let configuration = prefix.join("nginx.conf");
    fs::write(&configuration, configure(&prefix, address, certificate)).context("write nginx.conf")?;
    let (prefix_text, configuration) = (prefix.display().to_string(), configuration.display().to_string());
    let arguments = ["-p", &prefix_text, "-c", &configuration, "-e", "stderr"];
    let mut master = ServerProcess::spawn("nginx", &program, &arguments, prefix.join("stderr.log"))?;
    master.wait_until(|| TcpStream::connect(address).is_ok())?;
    let workers = cpu::children(master.id());
    let workers = workers
        .into_iter()
        .map(|worker| Process {
            role: "worker".to_owned(),
            ..worker
        })
        .collect();
    let tls = certificate.map(|certificate| Arc::clone(&certificate.client));
    Ok(master.serving(address, workers).with_tls(tls))
}

/// Keeps nginx at its best for this comparison. No access log, since Corelane writes none either.
fn configure(prefix: &Path, address: SocketAddr, certificate: Option<&Certificate>) -> String {
    let prefix = prefix.display();
    // Workers of a master that runs as root change to another user, who cannot read the prefix.
    let user = if rustix::process::geteuid().is_root() {
        "user root;"
    } else {
        ""
    };
    let (ssl, certificate) = match certificate {
        None => ("", String::new()),
        Some(Certificate { certificate, key, .. }) => (
            "ssl ",
            format!(
                "ssl_certificate {};
        ssl_certificate_key {};
        ssl_protocols TLSv1.3;
        ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;",
                certificate.display(),
                key.display()
            ),
        ),
    };
    format!(
        "{user}
daemon off;
worker_processes 1;
worker_cpu_affinity 1;
worker_rlimit_nofile 65536;
pid {prefix}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 16384; use epoll; multi_accept on; }}
http {{
    access_log off;
    default_type application/octet-stream;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_timeout 300s;
    keepalive_requests 1000000;
    server_tokens off;
    open_file_cache max=10000 inactive=300s;
    open_file_cache_valid 300s;
    open_file_cache_min_uses 1;
    client_max_body_size 0;
    client_body_buffer_size 1m;
    client_body_temp_path {prefix}/body;
    fastcgi_temp_path {prefix}/body;
    proxy_temp_path {prefix}/body;
    scgi_temp_path {prefix}/body;
    uwsgi_temp_path {prefix}/body;
    server {{
        listen {address} {ssl}backlog=16384;
        {certificate}
        root {prefix}/root;
        location / {{ dav_methods PUT DELETE; create_full_put_path on; dav_access user:rw; }}
    }}
}}
"
    )
}

fn find(program: Option<PathBuf>) -> Result<PathBuf> {
    let candidates = program.map_or_else(search_path, |program| vec![program]);
    candidates
        .into_iter()
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| {
            BenchError::Usage("nginx was not found: install nginx-light, or name it with --nginx".to_owned())
        })
}

fn search_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = [PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")];
    std::env::split_paths(&path)
        .chain(system)
        .map(|folder| folder.join("nginx"))
        .collect()
}

/// nginx cannot listen on port 0, so the system is asked for a free port first.
fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port")?;
    listener.local_addr().context("find a free port")
}
