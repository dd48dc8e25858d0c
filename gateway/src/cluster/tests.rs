//! Registrations, and what they make reachable.
#![allow(clippy::unwrap_used)]

use super::{Availability, BTreeSet, Cluster, check_against_map, offered_shards};
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
use std::{path::Path, rc::Rc};

fn node(first_shard: u8) -> NodeInfo {
    let core = |port, shard| CoreAddress {
        channel: None,
        port,
        shards: vec![[shard; 16]],
    };
    NodeInfo {
        node: [9; 16],
        address: "127.0.0.1".to_owned(),
        advertise: None,
        cores: vec![core(1000, first_shard), core(1001, first_shard + 1)],
        unavailable: Vec::new(),
    }
}

async fn cluster(directory: &Path) -> (Rc<Catalog>, Cluster) {
    let store = RedbStore::open(directory).unwrap();
    let root = RootKey {
        access_key: "a".to_owned(),
        secret_key: "s".to_owned(),
    };
    let catalog = Rc::new(Catalog::open(Box::new(store), root).await.unwrap());
    let cluster = Cluster::new(Rc::clone(&catalog));
    (catalog, cluster)
}

#[test]
fn first_node_defines_the_map_and_others_must_match() {
    let directory = TemporaryDirectory::new();
    rt::run(async {
        let (catalog, cluster) = cluster(directory.path()).await;
        assert!(matches!(cluster.availability(), Availability::Unavailable(_)));
        assert!(cluster.nodes().is_empty());
        assert!(cluster.owner(BucketId(1), "k").is_err());
        assert!(cluster.all_cores().is_err());

        cluster.register(node(1)).await.unwrap();
        assert_eq!(catalog.shard_map().version, 1);
        assert_eq!(cluster.availability(), Availability::Whole);
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
fn shards_that_are_away_are_known_and_not_served() {
    let directory = TemporaryDirectory::new();
    rt::run(async {
        let (_, cluster) = cluster(directory.path()).await;
        cluster.register(node(1)).await.unwrap();
        let mut reduced = node(1);
        reduced.cores[1].shards.clear();
        // It has to say so: a shard that is just not there is a changed set of directories.
        assert!(cluster.register(reduced.clone()).await.is_err());
        assert_eq!(cluster.availability(), Availability::Whole);

        reduced.unavailable = vec![[2; 16]];
        cluster.register(reduced.clone()).await.unwrap();
        assert!(matches!(cluster.availability(), Availability::Degraded(_)));
        assert!(cluster.all_cores().is_err(), "a listing would be incomplete");
        assert_eq!(cluster.nodes()[0].cores.len(), 2);
        let keys: Vec<String> = (0..64).map(|number| format!("key-{number}")).collect();
        let found = keys.iter().filter_map(|key| cluster.owner(BucketId(1), key).ok());
        let found: Vec<_> = found.map(|placement| placement.shard).collect();
        assert!(!found.is_empty() && found.len() < keys.len());
        assert!(found.iter().all(|shard| *shard == [1; 16]));

        reduced.unavailable.push([3; 16]);
        assert!(cluster.register(reduced).await.is_err(), "an unknown shard");
        cluster.register(node(1)).await.unwrap();
        assert_eq!(cluster.availability(), Availability::Whole);
    })
    .unwrap();
}

#[test]
fn a_map_names_what_is_away_at_its_making() {
    let directory = TemporaryDirectory::new();
    rt::run(async {
        let (catalog, cluster) = cluster(directory.path()).await;
        let mut reduced = node(1);
        reduced.unavailable = std::mem::take(&mut reduced.cores[1].shards);
        cluster.register(reduced).await.unwrap();
        assert_eq!(catalog.shard_map().shards.len(), 2);
        cluster.register(node(1)).await.unwrap();
        assert_eq!(cluster.availability(), Availability::Whole);
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
