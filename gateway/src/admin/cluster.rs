//! `GET /v1/cluster`: gateways, nodes, cores and shards, and how much they hold.

use super::reply::Reply;
use crate::{
    cluster::{Availability, NodeView},
    gateway::Gateway,
    list::fanout::join_all,
    metrics,
};
use proto::{
    auth::sigv4::hex,
    cluster::{
        map::Uuid,
        message::{CoreStats, ShardState, ShardStats},
    },
};
use serde::Serialize;
use std::collections::HashSet;

#[derive(Serialize)]
struct ClusterReport {
    version: &'static str,
    status: &'static str,
    reason: Option<String>,
    uptime_seconds: u64,
    gateways: Vec<GatewayReport>,
    nodes: Vec<NodeReport>,
    shards: usize,
    buckets: usize,
    objects: u64,
    object_bytes: u64,
}

#[derive(Serialize)]
struct GatewayReport {
    id: String,
    host: Option<String>,
    port: Option<u16>,
    connections: usize,
}

#[derive(Serialize)]
struct NodeReport {
    id: String,
    host: Option<String>,
    live: bool,
    cores: Vec<CoreReport>,
    /// Shards of the map that no core of it has.
    missing_shards: Vec<String>,
}

#[derive(Serialize)]
struct CoreReport {
    core: u16,
    port: u16,
    answers: bool,
    connections: u64,
    memory_used_bytes: u64,
    memory_limit_bytes: u64,
    shards: Vec<ShardReport>,
}

#[derive(Serialize)]
struct ShardReport {
    uuid: String,
    state: &'static str,
    objects: u64,
    object_bytes: u64,
    log_bytes: u64,
}

/// 200, whatever of the cluster is there to be asked.
pub async fn serve(gateway: &Gateway) -> Reply {
    let views = gateway.cluster.nodes();
    let cores = views.iter().flat_map(|node| &node.cores);
    let mut answers = join_all(cores.map(|core| metrics::stats(gateway, core)))
        .await
        .into_iter();
    let map = gateway.catalog.shard_map();
    let nodes: Vec<NodeReport> = views
        .iter()
        .map(|view| {
            let of_map = map.shards.iter().filter(|entry| entry.node == view.node);
            let stats: Vec<_> = answers.by_ref().take(view.cores.len()).collect();
            NodeReport::new(view, &stats, of_map.map(|entry| entry.shard))
        })
        .collect();
    let (status, reason) = match gateway.cluster.availability() {
        Availability::Whole => ("ok", None),
        Availability::Degraded(reason) => ("degraded", Some(reason)),
        Availability::Unavailable(reason) => ("unavailable", Some(reason)),
    };
    let shards = || {
        let cores = nodes.iter().flat_map(|node| &node.cores);
        cores.flat_map(|core| &core.shards)
    };
    let report = ClusterReport {
        version: env!("CARGO_PKG_VERSION"),
        status,
        reason,
        uptime_seconds: gateway.started.elapsed().as_secs(),
        gateways: vec![GatewayReport::new(gateway)],
        shards: map.shards.len(),
        buckets: gateway.catalog.buckets().len(),
        objects: shards().map(|shard| shard.objects).sum(),
        object_bytes: shards().map(|shard| shard.object_bytes).sum(),
        nodes,
    };
    Reply::json(200, &report)
}

impl GatewayReport {
    fn new(gateway: &Gateway) -> Self {
        let listening = gateway.listening.get();
        Self {
            id: hex(&gateway.handoff.gateway()),
            host: listening.map(|address| address.ip().to_string()),
            port: listening.map(|address| address.port()),
            connections: gateway.connections.get(),
        }
    }
}

impl NodeReport {
    fn new(view: &NodeView, stats: &[Option<(u16, CoreStats)>], of_map: impl Iterator<Item = Uuid>) -> Self {
        let told: Vec<&CoreStats> = stats.iter().flatten().map(|(_, stats)| stats).collect();
        let known: HashSet<Uuid> = told
            .iter()
            .flat_map(|stats| &stats.shards)
            .map(|shard| shard.shard)
            .collect();
        let missing = of_map.filter(|shard| !known.contains(shard));
        let cores = view.cores.iter().zip(stats).map(|(core, stats)| {
            let stats = stats.as_ref().map(|(_, stats)| stats);
            CoreReport::new((core.index, core.address.port()), stats)
        });
        Self {
            id: hex(&view.node),
            host: view.host.clone(),
            live: !view.cores.is_empty(),
            cores: cores.collect(),
            missing_shards: missing.map(|shard| hex(&shard)).collect(),
        }
    }
}

impl CoreReport {
    fn new((core, port): (u16, u16), stats: Option<&CoreStats>) -> Self {
        let pools = stats.map_or([Default::default(); 3], |stats| {
            [stats.cache, stats.receiving, stats.sending]
        });
        let shards = stats.map(|stats| stats.shards.iter().map(ShardReport::new).collect());
        Self {
            core,
            port,
            answers: stats.is_some(),
            connections: stats.map_or(0, |stats| stats.connections),
            memory_used_bytes: pools.iter().map(|pool| pool.used_bytes).sum(),
            memory_limit_bytes: pools.iter().map(|pool| pool.limit_bytes).sum(),
            shards: shards.unwrap_or_default(),
        }
    }
}

impl ShardReport {
    fn new(stats: &ShardStats) -> Self {
        Self {
            uuid: hex(&stats.shard),
            state: match stats.state {
                ShardState::Serving => "serving",
                ShardState::ReadOnly => "read-only",
                ShardState::Unavailable => "unavailable",
            },
            objects: stats.objects,
            object_bytes: stats.object_bytes,
            log_bytes: stats.log_bytes,
        }
    }
}
