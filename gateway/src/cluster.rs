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
    /// Why requests cannot all succeed now; `None`: they can.
    pub fn unavailable(&self) -> Option<String> {
        let map = self.catalog.shard_map();
        if map.shards.is_empty() {
            return Some("no node has registered yet".to_owned());
        }
        let missing = map
            .shards
            .iter()
            .filter(|entry| self.serving(entry.shard).is_none())
            .count();
        (missing > 0).then(|| format!("{missing} of {} shards are on no live node", map.shards.len()))
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
        let shards = info.cores.iter().flat_map(|core| &core.shards);
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
        for (index, core) in (0u16..).zip(&info.cores) {
            let entry = Rc::new(Core {
                node: info.node,
                index,
                address: SocketAddr::new(address, core.port),
                advertise: info.advertise.clone(),
                last_seen: Rc::clone(&last_seen),
            });
            by_shard.extend(core.shards.iter().map(|&shard| (shard, Rc::clone(&entry))));
            cores.push(entry);
        }
        tracing::info!(cores = cores.len(), %address, "node registered");
        nodes.insert(info.node, Node { info, last_seen, cores });
        Ok(())
    }
}

/// The shards a node offers, each on one core.
fn offered_shards(info: &NodeInfo) -> Result<BTreeSet<Uuid>, Refusal> {
    let mut offered = BTreeSet::new();
    for shard in info.cores.iter().flat_map(|core| &core.shards) {
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
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{BTreeSet, Cluster, check_against_map, offered_shards};
    use crate::{
        catalog::{Catalog, RootKey},
        rt,
        store::redb::RedbStore,
        testing::TemporaryDirectory,
    };
    use proto::{
        cluster::map::{CoreAddress, NodeInfo, ShardEntry, ShardMap},
        s3::bucket::BucketId,
    };
    use std::rc::Rc;

    fn node(first_shard: u8) -> NodeInfo {
        let core = |port, shard| CoreAddress {
            port,
            shards: vec![[shard; 16]],
        };
        NodeInfo {
            node: [9; 16],
            address: "127.0.0.1".to_owned(),
            advertise: None,
            cores: vec![core(1000, first_shard), core(1001, first_shard + 1)],
        }
    }

    #[test]
    fn first_node_defines_the_map_and_others_must_match() {
        let directory = TemporaryDirectory::new();
        rt::run(async {
            let store = RedbStore::open(directory.path()).unwrap();
            let root = RootKey {
                access_key: "a".to_owned(),
                secret_key: "s".to_owned(),
            };
            let catalog = Rc::new(Catalog::open(Box::new(store), root).await.unwrap());
            let cluster = Cluster::new(Rc::clone(&catalog));
            assert!(cluster.unavailable().is_some());
            assert!(cluster.owner(BucketId(1), "k").is_err());
            assert!(cluster.all_cores().is_err());

            cluster.register(node(1)).await.unwrap();
            assert_eq!(catalog.shard_map().version, 1);
            assert_eq!(cluster.unavailable(), None);
            assert_eq!(cluster.all_cores().unwrap().len(), 2);
            let placement = cluster.owner(BucketId(1), "k").unwrap();
            assert!(placement.core.is_live());
            assert_eq!(cluster.core([9; 16], 1).unwrap().address.port(), 1001);
            assert!(cluster.core([9; 16], 2).is_none());

            assert!(cluster.register(node(2)).await.is_err());
            let mut other = node(1);
            other.node = [8; 16];
            assert!(cluster.register(other).await.is_err());
            let mut nowhere = node(1);
            nowhere.address = "nowhere".to_owned();
            assert!(cluster.register(nowhere).await.is_err());
        })
        .unwrap();
    }

    #[test]
    fn refusals_say_why() {
        let map = ShardMap {
            version: 1,
            shards: vec![ShardEntry {
                shard: [1; 16],
                node: [9; 16],
            }],
        };
        assert_eq!(check_against_map(&map, [9; 16], &BTreeSet::from([[1; 16]])), Ok(()));
        let grown = BTreeSet::from([[1; 16], [2; 16]]);
        assert!(
            check_against_map(&map, [9; 16], &grown)
                .unwrap_err()
                .0
                .contains("names 1 shards")
        );
        assert!(
            check_against_map(&map, [8; 16], &grown)
                .unwrap_err()
                .0
                .contains("does not name this node")
        );
        let mut twice = node(1);
        twice.cores[1].shards = vec![[1; 16]];
        assert!(offered_shards(&twice).is_err());
    }
}
