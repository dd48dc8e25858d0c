//! Transitions of the catalog over the real store.
#![allow(clippy::unwrap_used)]

use super::{Catalog, CatalogError, RootKey, ShardMap};
use crate::{
    limits::USER_BUCKET_COUNT_MAX,
    list::fanout::join_all,
    records::{BucketState, KeyRecord},
    rt,
    store::{Change, MetaStore, redb::RedbStore},
    testing::TemporaryDirectory,
};
use proto::{
    cluster::map::ShardEntry,
    digest::checksum::ChecksumType,
    s3::properties::{Access, BucketProperties},
};
use std::collections::BTreeSet;

fn md5() -> BucketProperties {
    BucketProperties::new(ChecksumType::Md5)
}

async fn open(directory: &TemporaryDirectory) -> Catalog {
    let root = RootKey {
        access_key: "ROOTKEY".to_owned(),
        secret_key: "root-secret".to_owned(),
    };
    Catalog::open(Box::new(RedbStore::open(directory.path()).unwrap()), root)
        .await
        .unwrap()
}

fn key(access_key: &str, user: &str) -> KeyRecord {
    KeyRecord {
        access_key: access_key.to_owned(),
        secret_key: "a-secret".to_owned(),
        user: user.to_owned(),
        created_unix_ms: 5,
    }
}

#[test]
fn a_bucket_made_again_has_another_id() {
    let directory = TemporaryDirectory::new();
    let first = rt::run(async {
        let catalog = open(&directory).await;
        catalog.create_bucket("photos", "ann", md5()).await.unwrap();
        let again = catalog.create_bucket("photos", "bob", md5()).await;
        assert!(matches!(again, Err(CatalogError::BucketExists(existing)) if existing.owner == "ann"));
        let bucket = catalog.bucket("photos").unwrap();
        catalog.set_bucket_state(&bucket, BucketState::Deleting).await.unwrap();
        assert_eq!(catalog.buckets_deleting().len(), 1);
        // A decision on what has changed meanwhile is refused.
        assert!(matches!(
            catalog.remove_bucket(&bucket).await,
            Err(CatalogError::Changed)
        ));
        catalog.remove_bucket(&catalog.bucket("photos").unwrap()).await.unwrap();
        assert!(catalog.bucket("photos").is_none());
        assert!(catalog.buckets_of("ann").is_empty());
        bucket.id
    })
    .unwrap();
    rt::run(async {
        let catalog = open(&directory).await;
        catalog.create_bucket("photos", "ann", md5()).await.unwrap();
        assert!(catalog.bucket("photos").unwrap().id > first);
    })
    .unwrap();
}

#[test]
fn everything_is_read_back_after_a_restart() {
    let directory = TemporaryDirectory::new();
    let map = ShardMap {
        version: 1,
        shards: vec![ShardEntry {
            shard: [1; 16],
            node: [2; 16],
        }],
    };
    rt::run(async {
        let catalog = open(&directory).await;
        for name in ["zoo", "ark"] {
            catalog.create_bucket(name, "ann", md5()).await.unwrap();
        }
        catalog.create_key(&key("ANNKEY", "ann"), Some("film")).await.unwrap();
        catalog.define_shard_map(&map).await.unwrap();
        assert!(catalog.define_shard_map(&map).await.is_err());
    })
    .unwrap();
    rt::run(async {
        let catalog = open(&directory).await;
        let names: Vec<String> = catalog
            .buckets_of("ann")
            .iter()
            .map(|bucket| bucket.name.clone())
            .collect();
        assert_eq!(names, ["ark", "zoo"]);
        let (secret, user) = catalog.credential("ANNKEY").unwrap();
        assert_eq!((secret.as_str(), user.tenant.as_deref()), ("a-secret", Some("film")));
        assert_eq!(*catalog.shard_map(), map);
    })
    .unwrap();
}

#[test]
fn keys_come_and_go_and_users_stay() {
    let directory = TemporaryDirectory::new();
    rt::run(async {
        let catalog = open(&directory).await;
        assert!(catalog.credential("ROOTKEY").unwrap().1.is_root());
        catalog.create_key(&key("K1", "ann"), Some("film")).await.unwrap();
        catalog.create_key(&key("K2", "ann"), None).await.unwrap();
        catalog.create_key(&key("K3", "root"), None).await.unwrap();
        assert!(catalog.credential("K3").unwrap().1.is_root());
        assert!(matches!(
            catalog.create_key(&key("K1", "bob"), None).await,
            Err(CatalogError::KeyExists)
        ));
        assert!(matches!(
            catalog.create_key(&key("ROOTKEY", "bob"), None).await,
            Err(CatalogError::KeyExists)
        ));
        let moved = catalog.create_key(&key("K4", "ann"), Some("music")).await;
        assert!(matches!(moved, Err(CatalogError::OtherTenant)));
        let listed: Vec<String> = catalog
            .keys()
            .into_iter()
            .map(|(access_key, _, _)| access_key)
            .collect();
        assert_eq!(listed, ["ROOTKEY", "K1", "K2", "K3"]);
        catalog.remove_key("K1").await.unwrap();
        assert!(catalog.remove_key("K1").await.is_err());
        assert!(catalog.credential("K1").is_none());
        assert!(catalog.credential("K2").is_some());
    })
    .unwrap();
}

#[test]
fn a_user_has_at_most_so_many_buckets() {
    let directory = TemporaryDirectory::new();
    rt::run(async {
        let catalog = open(&directory).await;
        {
            let mut view = catalog.view.borrow_mut();
            let owned = view.owned.entry("ann".to_owned()).or_default();
            owned.extend((0..USER_BUCKET_COUNT_MAX).map(|n| format!("b{n}")));
        }
        let full = catalog.create_bucket("one-more", "ann", md5()).await;
        assert!(matches!(full, Err(CatalogError::TooManyBuckets)));
        catalog.create_bucket("another-users", "bob", md5()).await.unwrap();
    })
    .unwrap();
}

#[test]
fn a_record_of_a_newer_version_is_refused() {
    let directory = TemporaryDirectory::new();
    rt::run(async {
        let store = RedbStore::open(directory.path()).unwrap();
        let change = Change {
            key: "quota/ann".to_owned(),
            expected: None,
            value: Some(vec![1]),
        };
        store.commit(vec![change]).await.unwrap();
        drop(store);
        let store = Box::new(RedbStore::open(directory.path()).unwrap());
        let root = RootKey {
            access_key: String::new(),
            secret_key: String::new(),
        };
        assert!(Catalog::open(store, root).await.is_err());
    })
    .unwrap();
}

#[test]
fn many_buckets_made_at_once_all_exist_with_their_own_ids() {
    let directory = TemporaryDirectory::new();
    rt::run(async {
        let catalog = open(&directory).await;
        let names: Vec<String> = (0..200).map(|n| format!("bucket-{n}")).collect();
        let made = join_all(names.iter().map(|name| catalog.create_bucket(name, "ann", md5()))).await;
        assert!(made.iter().all(Result::is_ok));
        let ids: BTreeSet<u64> = catalog.buckets_of("ann").iter().map(|bucket| bucket.id).collect();
        assert_eq!(ids.len(), 200);
        let same = (0..20).map(|_| catalog.create_bucket("one-name", "ann", md5()));
        assert_eq!(join_all(same).await.iter().filter(|made| made.is_ok()).count(), 1);
    })
    .unwrap();
}

#[test]
fn a_change_is_made_to_what_is_there() {
    let directory = TemporaryDirectory::new();
    rt::run(async {
        let catalog = open(&directory).await;
        catalog.create_bucket("photos", "ann", md5()).await.unwrap();
        let seen = catalog.bucket("photos").unwrap();
        let epoch = catalog.epoch();
        let before = catalog
            .change_bucket(&seen, |record| record.access = Access::READ_ONLY)
            .await
            .unwrap();
        assert_eq!(before.access, Access::ALL);
        assert!(catalog.epoch() > epoch);
        // By one who has not seen it yet.
        let before = catalog
            .change_bucket(&seen, |record| record.validate_warm_get = false)
            .await
            .unwrap();
        assert_eq!((before.access, before.validate_warm_get), (Access::READ_ONLY, true));
        let now = catalog.bucket("photos").unwrap();
        assert_eq!((now.access, now.validate_warm_get), (Access::READ_ONLY, false));
        catalog.remove_bucket(&now).await.unwrap();
        let gone = catalog.change_bucket(&now, |record| record.access = Access::ALL).await;
        assert!(matches!(gone, Err(CatalogError::Changed)));
    })
    .unwrap();
    let reopened = rt::run(async { open(&directory).await.bucket("photos") }).unwrap();
    assert_eq!(reopened, None);
}
