//! Buckets, users, keys and the shard map in memory, kept true by the store's commits: requests never wait for a disk
//! to be authenticated or routed.

mod revocations;
mod view;

use crate::{
    bucket_configuration::BucketConfiguration,
    clock::unix_ms,
    limits::{ACCESS_KEY_COUNT_MAX, BUCKET_ID_RANGE, CONFIGURE_ATTEMPTS_MAX, USER_BUCKET_COUNT_MAX},
    records::{BucketRecord, BucketState, KeyRecord, UserRecord},
    store::{Change, CommitError, MetaStore, StoreError},
};
use proto::{
    cluster::{handoff::Revocation, map::ShardMap},
    s3::properties::BucketProperties,
    wire::Encoder,
};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    rc::Rc,
};
use view::{BUCKET_COUNTER, BUCKET_PREFIX, KEY_PREFIX, SHARD_MAP, USER_PREFIX, View, encode};

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

/// See the module.
pub struct Catalog {
    store: Box<dyn MetaStore>,
    view: Rc<RefCell<View>>,
    root_key: RootKey,
    root: Rc<UserRecord>,
    /// Ids of new buckets: the next, and the end of the range taken from the store's counter.
    bucket_ids: Cell<(u64, u64)>,
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
            bucket_ids: Cell::new((0, 0)),
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
    /// All buckets in use.
    pub fn buckets(&self) -> Vec<Rc<BucketRecord>> {
        let view = self.view.borrow();
        let all = view.buckets.values().map(|stored| &stored.record);
        all.filter(|bucket| bucket.state == BucketState::Active)
            .cloned()
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
    /// Rises whenever something that requests are allowed by changes or goes.
    pub fn epoch(&self) -> u64 {
        self.view.borrow().epoch
    }
    /// Ends all leases, as a change of what they were given for does.
    pub fn raise_epoch(&self) {
        self.view.borrow_mut().epoch += 1;
    }
    /// At most `most` revocations after the first `told`, and how many are told with them.
    pub fn revocations_after(&self, told: u64, most: usize) -> (Vec<Revocation>, u64) {
        self.view.borrow().revocations.after(told, most)
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

    /// Makes a bucket with these properties.
    pub async fn create_bucket(
        &self,
        name: &str,
        owner: &str,
        properties: BucketProperties,
    ) -> Result<(), CatalogError> {
        self.check_new_bucket(name, owner)?;
        let record = BucketRecord {
            id: self.next_bucket_id().await?,
            name: name.to_owned(),
            owner: owner.to_owned(),
            created_unix_ms: unix_ms(),
            checksum_type: properties.checksum_type,
            validate_warm_get: properties.validate_warm_get,
            last_modified: properties.last_modified,
            access: properties.access,
            state: BucketState::Active,
            configuration: BucketConfiguration {
                versioning: properties.versioning,
                ..BucketConfiguration::default()
            },
        };
        let change = Change {
            key: format!("{BUCKET_PREFIX}{name}"),
            expected: None,
            value: Some(encode(&record)?),
        };
        match self.commit_one(change).await {
            // Someone else has made it, and may have removed it since.
            Err(CatalogError::Changed) => Err(self
                .check_new_bucket(name, owner)
                .err()
                .unwrap_or(CatalogError::Changed)),
            other => other,
        }
    }
    fn check_new_bucket(&self, name: &str, owner: &str) -> Result<(), CatalogError> {
        let view = self.view.borrow();
        if let Some(existing) = view.buckets.get(name) {
            return Err(CatalogError::BucketExists(Rc::clone(&existing.record)));
        }
        if view.owned.get(owner).map_or(0, BTreeSet::len) >= USER_BUCKET_COUNT_MAX {
            return Err(CatalogError::TooManyBuckets);
        }
        Ok(())
    }
    /// An id no bucket ever had. Ids are taken from the store's counter a range at a time, so that many creations at
    /// once do not get in each other's way; what is left of a range at a restart is never used.
    async fn next_bucket_id(&self) -> Result<u64, CatalogError> {
        loop {
            let (next, end) = self.bucket_ids.get();
            if next < end {
                self.bucket_ids.set((next + 1, end));
                return Ok(next);
            }
            let (last, expected) = self
                .view
                .borrow()
                .bucket_counter
                .clone()
                .map_or((0, None), |(id, raw)| (id, Some(raw)));
            let reserved = last + BUCKET_ID_RANGE;
            let change = Change {
                key: BUCKET_COUNTER.to_owned(),
                expected,
                value: Some(encode(&reserved)?),
            };
            match self.commit_one(change).await {
                Ok(()) => self.bucket_ids.set((last + 1, reserved + 1)),
                // Another creation has just taken a range.
                Err(CatalogError::Changed) => {}
                Err(error) => return Err(error),
            }
        }
    }
    /// Moves a bucket from the state the caller saw to another.
    pub async fn set_bucket_state(&self, bucket: &BucketRecord, state: BucketState) -> Result<(), CatalogError> {
        let changed = BucketRecord {
            state,
            ..bucket.clone()
        };
        self.replace_bucket(bucket, Some(&changed)).await
    }
    /// Changes a bucket in use; returns it as it was before. Other changes of it at the same time are kept, so `change` may
    /// be called again, with what is there then.
    pub async fn change_bucket(
        &self,
        bucket: &BucketRecord,
        change: impl Fn(&mut BucketRecord),
    ) -> Result<Rc<BucketRecord>, CatalogError> {
        for _ in 0..CONFIGURE_ATTEMPTS_MAX {
            let current = self.bucket(&bucket.name).filter(|current| {
                // One of the same name that was made since is another bucket.
                current.id == bucket.id && current.state == BucketState::Active
            });
            let Some(current) = current else { break };
            let mut changed = (*current).clone();
            change(&mut changed);
            if changed == *current {
                return Ok(current);
            }
            match self.replace_bucket(&current, Some(&changed)).await {
                Ok(()) => return Ok(current),
                Err(CatalogError::Changed) => {}
                Err(error) => return Err(error),
            }
        }
        Err(CatalogError::Changed)
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

#[cfg(test)]
mod tests;
