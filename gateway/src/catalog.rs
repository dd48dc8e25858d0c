//! Buckets, users, keys and the shard map in memory, kept true by the store's commits: requests never wait for a disk
//! to be authenticated or routed.

use crate::{
    clock::unix_ms,
    limits::{ACCESS_KEY_COUNT_MAX, TRANSACTION_ATTEMPTS_MAX, USER_BUCKET_COUNT_MAX},
    records::{BucketRecord, BucketState, KeyRecord, UserRecord},
    store::{Change, CommitError, MetaStore, StoreError},
};
use proto::{
    cluster::map::ShardMap,
    digest::checksum::ChecksumType,
    wire::{Decoder, Encoder},
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, HashMap},
    rc::Rc,
};

const BUCKET_PREFIX: &str = "bucket/";
const USER_PREFIX: &str = "user/";
const KEY_PREFIX: &str = "key/";
const BUCKET_COUNTER: &str = "counter/bucket";
const SHARD_MAP: &str = "cluster/shard-map";

/// Why a change of the catalog was refused.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The bucket exists; whose it is says the record.
    #[error("the bucket exists")]
    BucketExists(Rc<BucketRecord>),
    /// The owner has as many buckets as a user may have.
    #[error("the user has too many buckets")]
    TooManyBuckets,
    /// What was to be changed is not, or not any more, as the caller saw it.
    #[error("changed meanwhile")]
    Changed,
    /// The access key exists.
    #[error("the access key exists")]
    KeyExists,
    /// The user exists under another tenant.
    #[error("the user belongs to another tenant")]
    OtherTenant,
    /// There are as many access keys as there may be.
    #[error("there are too many access keys")]
    TooManyKeys,
    /// The store failed, or holds what this version cannot read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The key of the credentials file, which is not in the store.
#[derive(Clone, serde::Deserialize)]
pub struct RootKey {
    /// The access key id.
    pub access_key: String,
    /// The secret.
    pub secret_key: String,
}

/// A record with the bytes it was read from, which a transaction compares.
struct Stored<T> {
    record: Rc<T>,
    raw: Vec<u8>,
}

#[derive(Default)]
struct View {
    buckets: HashMap<String, Stored<BucketRecord>>,
    owned: HashMap<String, BTreeSet<String>>,
    users: HashMap<String, Stored<UserRecord>>,
    keys: BTreeMap<String, Stored<KeyRecord>>,
    bucket_counter: Option<(u64, Vec<u8>)>,
    shard_map: Option<Stored<ShardMap>>,
}

/// See the module.
pub struct Catalog {
    store: Box<dyn MetaStore>,
    view: Rc<RefCell<View>>,
    root_key: RootKey,
    root: Rc<UserRecord>,
}

impl Catalog {
    /// Reads everything from the store and follows its commits from then on.
    pub async fn open(store: Box<dyn MetaStore>, root_key: RootKey) -> Result<Self, StoreError> {
        let view: Rc<RefCell<View>> = Rc::default();
        let observing = Rc::clone(&view);
        store.watch(Box::new(move |changes| {
            let mut view = observing.borrow_mut();
            for change in changes {
                if let Err(error) = view.apply(&change.key, change.value.as_deref()) {
                    tracing::error!(%error, "a committed record cannot be read");
                }
            }
        }));
        for (key, value) in store.scan().await? {
            view.borrow_mut().apply(&key, Some(&value))?;
        }
        Ok(Self {
            store,
            view,
            root_key,
            root: Rc::new(UserRecord::root()),
        })
    }

    /// The bucket of this name.
    pub fn bucket(&self, name: &str) -> Option<Rc<BucketRecord>> {
        Some(Rc::clone(&self.view.borrow().buckets.get(name)?.record))
    }
    /// All buckets of a user, in the order of their names.
    pub fn buckets_of(&self, owner: &str) -> Vec<Rc<BucketRecord>> {
        let view = self.view.borrow();
        let names = view.owned.get(owner).into_iter().flatten();
        names
            .filter_map(|name| Some(Rc::clone(&view.buckets.get(name)?.record)))
            .collect()
    }
    /// All buckets whose deletion has begun and not ended.
    pub fn buckets_deleting(&self) -> Vec<Rc<BucketRecord>> {
        let view = self.view.borrow();
        let all = view.buckets.values().map(|stored| &stored.record);
        all.filter(|bucket| bucket.state == BucketState::Deleting)
            .cloned()
            .collect()
    }
    /// The root user.
    pub fn root(&self) -> Rc<UserRecord> {
        Rc::clone(&self.root)
    }
    /// The root user's own access key.
    pub fn root_access_key(&self) -> &str {
        &self.root_key.access_key
    }
    /// The secret and the user of an access key.
    pub fn credential(&self, access_key: &str) -> Option<(String, Rc<UserRecord>)> {
        if access_key == self.root_key.access_key {
            return Some((self.root_key.secret_key.clone(), self.root()));
        }
        let view = self.view.borrow();
        let key = &view.keys.get(access_key)?.record;
        Some((key.secret_key.clone(), self.user_in(&view, &key.user)?))
    }
    /// All access keys with their users, by access key; the root user's own first.
    pub fn keys(&self) -> Vec<(String, u64, Rc<UserRecord>)> {
        let view = self.view.borrow();
        let root = (self.root_key.access_key.clone(), 0, self.root());
        let others = view.keys.values().filter_map(|stored| {
            let key = &stored.record;
            Some((
                key.access_key.clone(),
                key.created_unix_ms,
                self.user_in(&view, &key.user)?,
            ))
        });
        std::iter::once(root).chain(others).collect()
    }
    /// The shard map; empty until a first node has registered.
    pub fn shard_map(&self) -> Rc<ShardMap> {
        let view = self.view.borrow();
        view.shard_map
            .as_ref()
            .map(|stored| Rc::clone(&stored.record))
            .unwrap_or_default()
    }
    fn user_in(&self, view: &View, name: &str) -> Option<Rc<UserRecord>> {
        if name == self.root.name {
            return Some(self.root());
        }
        Some(Rc::clone(&view.users.get(name)?.record))
    }

    /// Makes a bucket.
    pub async fn create_bucket(
        &self,
        name: &str,
        owner: &str,
        checksum_type: ChecksumType,
    ) -> Result<(), CatalogError> {
        for _ in 0..TRANSACTION_ATTEMPTS_MAX {
            let changes = self.decide_create_bucket(name, owner, checksum_type)?;
            match self.store.commit(changes).await {
                Err(CommitError::Conflict) => {}
                Err(CommitError::Store(error)) => return Err(error.into()),
                Ok(()) => return Ok(()),
            }
        }
        Err(CatalogError::Changed)
    }
    fn decide_create_bucket(
        &self,
        name: &str,
        owner: &str,
        checksum_type: ChecksumType,
    ) -> Result<Vec<Change>, CatalogError> {
        let view = self.view.borrow();
        if let Some(existing) = view.buckets.get(name) {
            return Err(CatalogError::BucketExists(Rc::clone(&existing.record)));
        }
        if view.owned.get(owner).map_or(0, BTreeSet::len) >= USER_BUCKET_COUNT_MAX {
            return Err(CatalogError::TooManyBuckets);
        }
        let id = view.bucket_counter.as_ref().map_or(0, |counter| counter.0) + 1;
        let record = BucketRecord {
            id,
            name: name.to_owned(),
            owner: owner.to_owned(),
            created_unix_ms: unix_ms(),
            checksum_type: checksum_type.code(),
            state: BucketState::Active,
        };
        Ok(vec![
            Change {
                key: BUCKET_COUNTER.to_owned(),
                expected: view.bucket_counter.as_ref().map(|counter| counter.1.clone()),
                value: Some(encode(&id)?),
            },
            Change {
                key: format!("{BUCKET_PREFIX}{name}"),
                expected: None,
                value: Some(encode(&record)?),
            },
        ])
    }
    /// Moves a bucket from the state the caller saw to another.
    pub async fn set_bucket_state(&self, bucket: &BucketRecord, state: BucketState) -> Result<(), CatalogError> {
        let changed = BucketRecord {
            state,
            ..bucket.clone()
        };
        self.replace_bucket(bucket, Some(&changed)).await
    }
    /// Removes a bucket the caller has found empty.
    pub async fn remove_bucket(&self, bucket: &BucketRecord) -> Result<(), CatalogError> {
        self.replace_bucket(bucket, None).await
    }
    async fn replace_bucket(&self, bucket: &BucketRecord, new: Option<&BucketRecord>) -> Result<(), CatalogError> {
        let expected = match self.view.borrow().buckets.get(&bucket.name) {
            Some(stored) if *stored.record == *bucket => stored.raw.clone(),
            _ => return Err(CatalogError::Changed),
        };
        self.commit_one(Change {
            key: format!("{BUCKET_PREFIX}{}", bucket.name),
            expected: Some(expected),
            value: new.map(encode).transpose()?,
        })
        .await
    }

    /// Makes an access key, and its user if there is none of that name.
    pub async fn create_key(&self, key: &KeyRecord, tenant: Option<&str>) -> Result<Rc<UserRecord>, CatalogError> {
        if self.credential(&key.access_key).is_some() {
            return Err(CatalogError::KeyExists);
        }
        let mut changes = vec![Change {
            key: format!("{KEY_PREFIX}{}", key.access_key),
            expected: None,
            value: Some(encode(key)?),
        }];
        let existing = {
            let view = self.view.borrow();
            if view.keys.len() >= ACCESS_KEY_COUNT_MAX {
                return Err(CatalogError::TooManyKeys);
            }
            self.user_in(&view, &key.user)
        };
        let user = match existing {
            Some(user) if tenant.is_some() && user.tenant.as_deref() != tenant => {
                return Err(CatalogError::OtherTenant);
            }
            Some(user) => user,
            None => {
                let user = UserRecord {
                    name: key.user.clone(),
                    tenant: tenant.map(str::to_owned),
                    created_unix_ms: key.created_unix_ms,
                };
                changes.push(Change {
                    key: format!("{USER_PREFIX}{}", user.name),
                    expected: None,
                    value: Some(encode(&user)?),
                });
                Rc::new(user)
            }
        };
        match self.store.commit(changes).await {
            Ok(()) => Ok(user),
            Err(CommitError::Conflict) => Err(CatalogError::Changed),
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }
    /// Removes an access key; `Changed` when there is none. Its user stays, and so do that user's buckets.
    pub async fn remove_key(&self, access_key: &str) -> Result<(), CatalogError> {
        let expected = match self.view.borrow().keys.get(access_key) {
            Some(stored) => stored.raw.clone(),
            None => return Err(CatalogError::Changed),
        };
        self.commit_one(Change {
            key: format!("{KEY_PREFIX}{access_key}"),
            expected: Some(expected),
            value: None,
        })
        .await
    }
    /// Sets the first shard map of a new cluster.
    pub async fn define_shard_map(&self, map: &ShardMap) -> Result<(), CatalogError> {
        let mut encoder = Encoder::new();
        map.encode(&mut encoder);
        self.commit_one(Change {
            key: SHARD_MAP.to_owned(),
            expected: None,
            value: Some(encoder.finish()),
        })
        .await
    }
    async fn commit_one(&self, change: Change) -> Result<(), CatalogError> {
        match self.store.commit(vec![change]).await {
            Ok(()) => Ok(()),
            Err(CommitError::Conflict) => Err(CatalogError::Changed),
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }
}

impl View {
    /// Takes one key's new value over.
    fn apply(&mut self, key: &str, value: Option<&[u8]>) -> Result<(), StoreError> {
        if let Some(name) = key.strip_prefix(BUCKET_PREFIX) {
            if let Some(old) = self.buckets.remove(name)
                && let Some(owned) = self.owned.get_mut(&old.record.owner)
            {
                owned.remove(name);
            }
            if let Some(stored) = read::<BucketRecord>(key, value)? {
                let owned = self.owned.entry(stored.record.owner.clone()).or_default();
                owned.insert(name.to_owned());
                self.buckets.insert(name.to_owned(), stored);
            }
        } else if let Some(name) = key.strip_prefix(USER_PREFIX) {
            match read(key, value)? {
                Some(stored) => drop(self.users.insert(name.to_owned(), stored)),
                None => drop(self.users.remove(name)),
            }
        } else if let Some(access_key) = key.strip_prefix(KEY_PREFIX) {
            match read(key, value)? {
                Some(stored) => drop(self.keys.insert(access_key.to_owned(), stored)),
                None => drop(self.keys.remove(access_key)),
            }
        } else if key == BUCKET_COUNTER {
            self.bucket_counter = read::<u64>(key, value)?.map(|stored| (*stored.record, stored.raw));
        } else if key == SHARD_MAP {
            self.shard_map = value.map(read_shard_map).transpose()?;
        } else {
            return Err(StoreError(format!(
                "unknown record {key}: it was written by a newer version"
            )));
        }
        Ok(())
    }
}

fn encode<T: Serialize>(record: &T) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(record).map_err(|error| StoreError(error.to_string()))
}

fn read<T: DeserializeOwned>(key: &str, value: Option<&[u8]>) -> Result<Option<Stored<T>>, StoreError> {
    let Some(raw) = value else { return Ok(None) };
    let record = serde_json::from_slice(raw).map_err(|error| StoreError(format!("record {key}: {error}")))?;
    Ok(Some(Stored {
        record: Rc::new(record),
        raw: raw.to_vec(),
    }))
}

fn read_shard_map(raw: &[u8]) -> Result<Stored<ShardMap>, StoreError> {
    let mut decoder = Decoder::new(raw);
    let map = ShardMap::decode(&mut decoder).and_then(|map| decoder.finish().map(|()| map));
    Ok(Stored {
        record: Rc::new(map.map_err(|error| StoreError(format!("record {SHARD_MAP}: {error}")))?),
        raw: raw.to_vec(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Catalog, CatalogError, RootKey, ShardMap};
    use crate::{
        limits::USER_BUCKET_COUNT_MAX,
        records::{BucketState, KeyRecord},
        rt,
        store::{Change, MetaStore, redb::RedbStore},
        testing::TemporaryDirectory,
    };
    use proto::{cluster::map::ShardEntry, digest::checksum::ChecksumType};

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
            catalog.create_bucket("photos", "ann", ChecksumType::Md5).await.unwrap();
            let again = catalog.create_bucket("photos", "bob", ChecksumType::Md5).await;
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
            catalog.create_bucket("photos", "ann", ChecksumType::Md5).await.unwrap();
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
                catalog.create_bucket(name, "ann", ChecksumType::Md5).await.unwrap();
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
            let full = catalog.create_bucket("one-more", "ann", ChecksumType::Md5).await;
            assert!(matches!(full, Err(CatalogError::TooManyBuckets)));
            catalog
                .create_bucket("another-users", "bob", ChecksumType::Md5)
                .await
                .unwrap();
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
}
