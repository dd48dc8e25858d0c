//! What is told about the store to whoever watches it: the gateway's own counters, and those of all cores, gathered when
//! they are asked for.

mod families;

use crate::{cluster::Core, core_client, gateway::Gateway, limits::STATS_TIME, list::fanout::join_all, route::Way, rt};
use prometheus_client::{encoding::text, registry::Registry};
use proto::{
    auth::ticket::Grant,
    cluster::{
        map::ShardEntry,
        message::{CoreStats, STATS_PATH},
    },
    error::{ErrorCode, S3Error},
    wire::Decoder,
};
use std::{cell::RefCell, collections::BTreeMap, fmt};

/// A request's operation, class of status, and way to its core, if it got that far.
type RequestKey = (&'static str, u16, Option<Way>);

/// Requests answered.
#[derive(Debug, Default)]
pub struct RequestCounters(RefCell<BTreeMap<RequestKey, u64>>);

impl RequestCounters {
    /// One more. `way`: `None`, the gateway answered it by itself.
    pub fn count(&self, operation: Option<&'static str>, status: u16, way: Option<Way>) {
        let key = (operation.unwrap_or("Unknown"), status / 100, way);
        *self.0.borrow_mut().entry(key).or_default() += 1;
    }

    fn counts(&self) -> Vec<(RequestKey, u64)> {
        self.0.borrow().iter().map(|(key, count)| (*key, *count)).collect()
    }
}

/// What everybody said at one time.
#[derive(Debug)]
pub struct Snapshot {
    requests: Vec<(RequestKey, u64)>,
    connections: usize,
    /// `None`: there is no access log.
    access_log_dropped: Option<u64>,
    nodes: Vec<NodeSnapshot>,
    /// The shard map.
    shards: Vec<ShardEntry>,
}

/// A node of the cluster.
#[derive(Debug)]
struct NodeSnapshot {
    node: [u8; 16],
    /// It lives and all of its cores have answered.
    is_up: bool,
    /// What the cores said that did.
    cores: Vec<(u16, CoreStats)>,
}

/// Asks all cores of all live nodes at the same time. One that does not answer in time is left out.
pub async fn gather(gateway: &Gateway) -> Snapshot {
    let nodes = gateway.cluster.nodes();
    let cores = nodes.iter().flat_map(|node| &node.cores);
    let mut answers = join_all(cores.map(|core| stats(gateway, core))).await.into_iter();
    let snapshots = nodes.iter().map(|node| {
        let answered: Vec<Option<(u16, CoreStats)>> = answers.by_ref().take(node.cores.len()).collect();
        NodeSnapshot {
            node: node.node,
            is_up: !answered.is_empty() && answered.iter().all(Option::is_some),
            cores: answered.into_iter().flatten().collect(),
        }
    });
    let snapshots = snapshots.collect();
    Snapshot {
        requests: gateway.requests.counts(),
        connections: gateway.connections.get(),
        access_log_dropped: gateway.access_log.dropped(),
        nodes: snapshots,
        shards: gateway.catalog.shard_map().shards.clone(),
    }
}

/// What a core counts, with its index; `None`: it does not say in time.
pub async fn stats(gateway: &Gateway, core: &Core) -> Option<(u16, CoreStats)> {
    let asked = rt::timeout(STATS_TIME, ask(gateway, core)).await;
    match asked.unwrap_or_else(|| Err(ErrorCode::RequestTimeout.into())) {
        Ok(stats) => Some((core.index, stats)),
        Err(error) => {
            tracing::warn!(core = %core.address, %error, "a core does not say what it counts");
            None
        }
    }
}

async fn ask(gateway: &Gateway, core: &Core) -> Result<CoreStats, S3Error> {
    let principal = gateway.catalog.root().principal();
    let answer = core_client::call(gateway, core, STATS_PATH, principal, Grant::Stats, &[]).await?;
    let mut decoder = Decoder::new(&answer);
    let stats = CoreStats::decode(&mut decoder).and_then(|stats| decoder.finish().map(|()| stats));
    stats.map_err(|error| S3Error::with_message(ErrorCode::InternalError, error.to_string()))
}

impl Snapshot {
    /// As Prometheus reads it.
    pub fn into_text(self) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix("corelane");
        registry.register_collector(Box::new(self));
        let mut text = String::new();
        text::encode(&mut text, &registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests;
