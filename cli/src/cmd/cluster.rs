//! `corelane cluster show`, over `/v1/cluster`.

use super::parse_answer;
use crate::{
    client::{Client, GlobalArgs},
    error::Result,
    output::{self, Columns, OutputArgs, pairs, size},
};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

/// What `--help` shows.
pub const EXAMPLES: &str = "\
Examples:
  corelane cluster show                                     Nodes, cores and shards, and what they hold
  corelane cluster show --json
  corelane --endpoint http://10.0.0.7:51080 cluster show    Of another store";

/// The flags of `corelane cluster`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ClusterArgs {
    #[command(subcommand)]
    command: Option<ClusterCommand>,
    #[command(flatten)]
    global: GlobalArgs,
}

#[derive(Subcommand)]
enum ClusterCommand {
    /// Show nodes, cores and shards, and what they hold
    #[command(after_help = EXAMPLES, visible_alias = "status")]
    Show,
}

#[derive(Deserialize)]
struct Cluster {
    version: String,
    status: String,
    reason: Option<String>,
    uptime_seconds: u64,
    gateways: Vec<Gateway>,
    nodes: Vec<Node>,
    buckets: u64,
    objects: u64,
    object_bytes: u64,
}

#[derive(Deserialize)]
struct Gateway {
    host: Option<String>,
    port: Option<u16>,
    connections: u64,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    host: Option<String>,
    live: bool,
    cores: Vec<Core>,
    #[serde(default)]
    missing_shards: Vec<String>,
}

#[derive(Deserialize)]
struct Core {
    core: u16,
    port: u16,
    answers: bool,
    connections: u64,
    shards: Vec<Shard>,
}

#[derive(Deserialize)]
struct Shard {
    uuid: String,
    state: String,
    objects: u64,
    object_bytes: u64,
    log_bytes: u64,
}

/// Runs the command.
pub fn run(args: &ClusterArgs) -> Result<()> {
    let client = Client::new(&args.global.connection)?;
    match args.command {
        None | Some(ClusterCommand::Show) => show(&client, args.global.output),
    }
}

/// Prints what the store consists of.
pub fn show(client: &Client, output: OutputArgs) -> Result<()> {
    let answer: Value = client.send_for(&Method::GET, "/v1/cluster", &[], None)?;
    if output.is_json() {
        return output::json(&answer);
    }
    let cluster: Cluster = parse_answer(answer)?;
    let status = match &cluster.reason {
        Some(reason) => format!("{} ({reason})", cluster.status),
        None => cluster.status.clone(),
    };
    let mut rows = vec![
        ("Status", status),
        ("Version", cluster.version.clone()),
        ("Uptime", uptime(cluster.uptime_seconds)),
        ("Buckets", cluster.buckets.to_string()),
        (
            "Objects",
            format!("{}, {}", cluster.objects, size(cluster.object_bytes)),
        ),
    ];
    for gateway in &cluster.gateways {
        let connections = counted(gateway.connections, "connection");
        rows.push((
            "Gateway",
            format!("{}, {connections}", address(gateway.host.as_deref(), gateway.port)),
        ));
    }
    for node in &cluster.nodes {
        rows.push(("Node", node_line(node)));
    }
    output::line(&pairs(rows))?;
    let shards: Vec<Vec<String>> = cluster.nodes.iter().flat_map(shard_rows).collect();
    if shards.is_empty() {
        return Ok(());
    }
    let headings = [
        "NODE",
        "CORE",
        "PORT",
        "CONNECTIONS",
        "SHARD",
        "STATE",
        "OBJECTS",
        "SIZE",
        "LOG",
    ];
    let mut table = Columns::new(headings).right(6).right(7).right(8);
    output::line(&format!("\n{}", table.page(shards, output.style())))
}

fn address(host: Option<&str>, port: Option<u16>) -> String {
    let host = host.unwrap_or("?");
    match port {
        Some(port) if host.contains(':') => format!("[{host}]:{port}"),
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn node_line(node: &Node) -> String {
    let mut line = format!("{} at {}", short(&node.id), node.host.as_deref().unwrap_or("?"));
    match node.live {
        true => line.push_str(&format!(", {}", counted(node.cores.len(), "core"))),
        false => line.push_str(", does not answer"),
    }
    if !node.missing_shards.is_empty() {
        line.push_str(&format!(", {} missing", counted(node.missing_shards.len(), "shard")));
    }
    line
}

fn shard_rows(node: &Node) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for core in &node.cores {
        let of_core = |rest: [String; 5]| {
            let mut row = vec![
                short(&node.id).to_owned(),
                core.core.to_string(),
                core.port.to_string(),
                core.connections.to_string(),
            ];
            row.extend(rest);
            row
        };
        if !core.answers {
            rows.push(of_core(["-", "does not answer", "-", "-", "-"].map(str::to_owned)));
        }
        rows.extend(core.shards.iter().map(|shard| {
            of_core([
                short(&shard.uuid).to_owned(),
                shard.state.clone(),
                shard.objects.to_string(),
                size(shard.object_bytes),
                size(shard.log_bytes),
            ])
        }));
    }
    for shard in &node.missing_shards {
        let row = [short(&node.id), "-", "-", "-", short(shard), "missing", "-", "-", "-"];
        rows.push(row.map(str::to_owned).into());
    }
    rows
}

/// `1 core`, `2 cores`.
fn counted(count: impl ToString, noun: &str) -> String {
    match count.to_string() {
        one if one == "1" => format!("1 {noun}"),
        many => format!("{many} {noun}s"),
    }
}

/// Enough of an id to tell one from another.
fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

/// The two largest units: `3d 4h`, `12s`.
fn uptime(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {}s", seconds % 60),
        (0, _, _) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::{address, uptime};

    #[test]
    fn uptimes_have_their_two_largest_units() {
        let texts = [12, 75, 3_700, 90_000].map(uptime);
        assert_eq!(texts, ["12s", "1m 15s", "1h 1m", "1d 1h"]);
    }

    #[test]
    fn addresses_are_as_in_urls() {
        assert_eq!(address(Some("::1"), Some(51080)), "[::1]:51080");
        assert_eq!(address(Some("10.0.0.1"), None), "10.0.0.1");
    }
}
