//! The nodes that have registered, and which core owns a key. Keys are placed over the shard map alone; where a
//! shard is right now comes from the registrations. A shard nobody serves is an answer of 503, never another shard.

use crate::{
    catalog::{Catalog, CatalogError},
    limits::{NODE_COUNT_MAX, NODE_LIVE_TIME},
};
use proto::{
    cluster::{
        map::{NodeInfo, ShardEntry, ShardMap, Uuid},
        placement,
    },
    error::{ErrorCode, S3Error},
    limits::SHARD_COUNT_MAX,
    s3::bucket::BucketId,
};
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeSet, HashMap, HashSet},
    net::{IpAddr, SocketAddr},
    rc::Rc,
    time::Instant,
};

/// A core as the gateway reaches it.
#[derive(Debug)]
pub struct Core {
    /// Its node.
    pub node: Uuid,
    /// Its index in the node.
    pub index: u16,
    /// Where it listens.
    pub address: SocketAddr,
    /// The host clients are redirected to; `None`: they are not.
    pub advertise: Option<String>,
    /// Where gateways on its host pass connections to it.
    pub channel: Option<String>,
    last_seen: Rc<Cell<Instant>>,
}

impl Core {
    /// Whether its node registered lately.
    pub fn is_live(&self) -> bool {
        self.last_seen.get().elapsed() < NODE_LIVE_TIME
    }
}

/// Where a key is.
#[derive(Debug, Clone)]
pub struct Placement {
    /// The core that owns it.
    pub core: Rc<Core>,
    /// The shard that owns it.
    pub shard: Uuid,
}

struct Node {
    info: NodeInfo,
    last_seen: Rc<Cell<Instant>>,
    cores: Vec<Rc<Core>>,
}

/// A node for whoever looks after it: its identity, and its cores as long as it lives.
#[derive(Debug)]
pub struct NodeView {
    /// The node.
    pub node: Uuid,
    /// Where it is, as clients are told, or as gateways reach it; `None`: it has not registered with this gateway.
    pub host: Option<String>,
    /// Empty when it does not live.
    pub cores: Vec<Rc<Core>>,
}

/// Whether all data can be reached.
#[derive(Debug, PartialEq, Eq)]
pub enum Availability {
    /// Every shard is on a live node.
    Whole,
    /// Some shards are not; why.
    Degraded(String),
    /// None is; why.
    Unavailable(String),
}

/// Why a registration is refused, in one line for the person who started the node.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// See the module.
pub struct Cluster {
    catalog: Rc<Catalog>,
    nodes: RefCell<HashMap<Uuid, Node>>,
    by_shard: RefCell<HashMap<Uuid, Rc<Core>>>,
}

impl Cluster {
    /// A cluster nobody has registered with yet.
    pub fn new(catalog: Rc<Catalog>) -> Self {
        Self {
            catalog,
            nodes: RefCell::default(),
            by_shard: RefCell::default(),
        }
    }

    /// The core and shard of a key; `ServiceUnavailable` when nobody serves them.
    pub fn owner(&self, bucket: BucketId, key: &str) -> Result<Placement, S3Error> {
        let map = self.catalog.shard_map();
        let entry = placement::owner(&map, bucket, key.as_bytes()).and_then(|index| map.shards.get(index));
        let shard = entry.map(|entry| entry.shard);
        shard
            .and_then(|shard| {
                let core = self.serving(shard)?;
                Some(Placement { core, shard })
            })
            .ok_or_else(|| S3Error::new(ErrorCode::ServiceUnavailable))
    }
    /// The cores that serve all shards of the map, each once; `ServiceUnavailable` when one is missing.
    pub fn all_cores(&self) -> Result<Vec<Rc<Core>>, S3Error> {
        let map = self.catalog.shard_map();
        let mut cores: Vec<Rc<Core>> = Vec::new();
        let mut seen = HashSet::new();
        for entry in &map.shards {
            let core = self.serving(entry.shard).ok_or(ErrorCode::ServiceUnavailable)?;
            if seen.insert((core.node, core.index)) {
                cores.push(core);
            }
        }
        if cores.is_empty() {
            return Err(ErrorCode::ServiceUnavailable.into());
        }
        Ok(cores)
    }
    /// A core by its node and index, as tickets name it.
    pub fn core(&self, node: Uuid, index: u16) -> Option<Rc<Core>> {
        let nodes = self.nodes.borrow();
        let core = nodes.get(&node)?.cores.get(usize::from(index))?;
        core.is_live().then(|| Rc::clone(core))
    }
    /// Whether requests can all succeed now.
    pub fn availability(&self) -> Availability {
        let map = self.catalog.shard_map();
        let total = map.shards.len();
        if total == 0 {
            return Availability::Unavailable("no node has registered yet".to_owned());
        }
        let serving = map.shards.iter().filter(|entry| self.serving(entry.shard).is_some());
        let missing = total - serving.count();
        let reason = format!("{missing} of {total} shards are on no live node");
        match missing {
            0 => Availability::Whole,
            _ if missing < total => Availability::Degraded(reason),
            _ => Availability::Unavailable(reason),
        }
    }
    /// All nodes of the shard map.
    pub fn nodes(&self) -> Vec<NodeView> {
        let map = self.catalog.shard_map();
        let known: BTreeSet<Uuid> = map.shards.iter().map(|entry| entry.node).collect();
        let view = |node: Uuid| NodeView {
            node,
            host: self.host_of(node),
            cores: self.cores_of(node),
        };
        known.into_iter().map(view).collect()
    }
    fn host_of(&self, node: Uuid) -> Option<String> {
        let nodes = self.nodes.borrow();
        let info = &nodes.get(&node)?.info;
        Some(info.advertise.clone().unwrap_or_else(|| info.address.clone()))
    }
    /// The cores of a node, if it lives.
    pub fn cores_of(&self, node: Uuid) -> Vec<Rc<Core>> {
        let nodes = self.nodes.borrow();
        let cores = nodes.get(&node).map(|node| node.cores.iter());
        cores
            .into_iter()
            .flatten()
            .filter(|core| core.is_live())
            .cloned()
            .collect()
    }
    /// Whether clients are redirected to a node by this name, given in lower case.
    pub fn is_node_name(&self, name: &str) -> bool {
        let nodes = self.nodes.borrow();
        let mut advertised = nodes.values().filter_map(|node| node.info.advertise.as_deref());
        advertised.any(|advertised| advertised.eq_ignore_ascii_case(name))
    }
    fn serving(&self, shard: Uuid) -> Option<Rc<Core>> {
        let by_shard = self.by_shard.borrow();
        let core = by_shard.get(&shard)?;
        core.is_live().then(|| Rc::clone(core))
    }

    /// Takes a registration: the first node of a new cluster defines the shard map, any other must match it.
    pub async fn register(&self, info: NodeInfo) -> Result<(), Refusal> {
        let address: IpAddr = info
            .address
            .parse()
            .map_err(|_| Refusal(format!("the node's address {:?} is not an IP address", info.address)))?;
        let offered = offered_shards(&info)?;
        if self.catalog.shard_map().shards.is_empty() {
            self.define_map(&info).await?;
        }
        check_against_map(&self.catalog.shard_map(), info.node, &offered)?;
        self.take(info, address)
    }
    async fn define_map(&self, info: &NodeInfo) -> Result<(), Refusal> {
        let shards = shards_of(info);
        let map = ShardMap {
            version: 1,
            shards: shards.map(|&shard| ShardEntry { shard, node: info.node }).collect(),
        };
        match self.catalog.define_shard_map(&map).await {
            // Another node was first: what it defined decides.
            Ok(()) | Err(CatalogError::Changed) => Ok(()),
            Err(error) => Err(Refusal(error.to_string())),
        }
    }
    fn take(&self, info: NodeInfo, address: IpAddr) -> Result<(), Refusal> {
        let mut nodes = self.nodes.borrow_mut();
        if let Some(node) = nodes.get(&info.node)
            && node.info == info
        {
            node.last_seen.set(Instant::now());
            return Ok(());
        }
        if nodes.len() >= NODE_COUNT_MAX && !nodes.contains_key(&info.node) {
            return Err(Refusal(format!("the cluster already has {NODE_COUNT_MAX} nodes")));
        }
        let last_seen = Rc::new(Cell::new(Instant::now()));
        let mut cores = Vec::with_capacity(info.cores.len());
        let mut by_shard = self.by_shard.borrow_mut();
        // What it served before and does not now is not to be found there.
        by_shard.retain(|_, core| core.node != info.node);
        for (index, core) in (0u16..).zip(&info.cores) {
            let entry = Rc::new(Core {
                node: info.node,
                index,
                address: SocketAddr::new(address, core.port),
                advertise: info.advertise.clone(),
                channel: core.channel.clone(),
                last_seen: Rc::clone(&last_seen),
            });
            by_shard.extend(core.shards.iter().map(|&shard| (shard, Rc::clone(&entry))));
            cores.push(entry);
        }
        tracing::info!(cores = cores.len(), unavailable_shards = info.unavailable.len(), %address, "node registered");
        nodes.insert(info.node, Node { info, last_seen, cores });
        Ok(())
    }
}

/// A node's shards, those included that it cannot serve now.
fn shards_of(info: &NodeInfo) -> impl Iterator<Item = &Uuid> {
    let served = info.cores.iter().flat_map(|core| &core.shards);
    served.chain(&info.unavailable)
}

/// The shards a node owns, each on one core or on none.
fn offered_shards(info: &NodeInfo) -> Result<BTreeSet<Uuid>, Refusal> {
    let mut offered = BTreeSet::new();
    for shard in shards_of(info) {
        if !offered.insert(*shard) {
            return Err(Refusal("the node names a shard twice".to_owned()));
        }
    }
    if offered.is_empty() {
        return Err(Refusal("the node has no shards".to_owned()));
    }
    if offered.len() > SHARD_COUNT_MAX {
        return Err(Refusal(format!("the node has more than {SHARD_COUNT_MAX} shards")));
    }
    Ok(offered)
}

fn check_against_map(map: &ShardMap, node: Uuid, offered: &BTreeSet<Uuid>) -> Result<(), Refusal> {
    let named = map.shards.iter().filter(|entry| entry.node == node);
    let named: BTreeSet<Uuid> = named.map(|entry| entry.shard).collect();
    if named == *offered {
        return Ok(());
    }
    if named.is_empty() {
        return Err(Refusal(
            "the cluster's shard map does not name this node: its data directories belong to another cluster, \
             or the gateway's state is from before they were made; start with the directories the cluster was made with"
                .to_owned(),
        ));
    }
    Err(Refusal(format!(
        "the cluster's shard map names {} shards for this node, and it offers {} ({} of them unknown): \
         start with the same --data directories as before",
        named.len(),
        offered.len(),
        offered.difference(&named).count(),
    )))
}

#[cfg(test)]
mod tests;
