//! The catalog's view: every record of the store by its key, with the bytes a transaction compares.

use super::revocations::Revocations;
use crate::{
    records::{BucketRecord, KeyRecord, UserRecord},
    store::StoreError,
};
use proto::{
    cluster::{handoff::Revoked, map::ShardMap},
    s3::bucket::BucketId,
    wire::Decoder,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    rc::Rc,
};

/// Buckets, by name.
pub const BUCKET_PREFIX: &str = "bucket/";
/// Users, by name.
pub const USER_PREFIX: &str = "user/";
/// Access keys.
pub const KEY_PREFIX: &str = "key/";
/// The highest bucket id handed out.
pub const BUCKET_COUNTER: &str = "counter/bucket";
/// The shard map.
pub const SHARD_MAP: &str = "cluster/shard-map";

/// A record with the bytes it was read from, which a transaction compares.
pub struct Stored<T> {
    /// The record.
    pub record: Rc<T>,
    /// Its bytes.
    pub raw: Vec<u8>,
}

/// See the module.
#[derive(Default)]
pub struct View {
    /// Buckets by name.
    pub buckets: HashMap<String, Stored<BucketRecord>>,
    /// The names of each user's buckets, by user name.
    pub owned: HashMap<String, BTreeSet<String>>,
    /// Users by name; the root user is not among them.
    pub users: HashMap<String, Stored<UserRecord>>,
    /// Access keys; the root user's own is not among them.
    pub keys: BTreeMap<String, Stored<KeyRecord>>,
    /// The highest bucket id handed out, with its bytes.
    pub bucket_counter: Option<(u64, Vec<u8>)>,
    /// The shard map, once a node has defined it.
    pub shard_map: Option<Stored<ShardMap>>,
    /// Rises whenever a bucket, user or key changes or goes: what was allowed before is to be asked for again.
    pub epoch: u64,
    /// What has taken something from tickets.
    pub revocations: Revocations,
}

impl View {
    /// Takes one key's new value over.
    pub fn apply(&mut self, key: &str, value: Option<&[u8]>) -> Result<(), StoreError> {
        if let Some(name) = key.strip_prefix(BUCKET_PREFIX) {
            let old = self.buckets.remove(name);
            self.epoch += u64::from(old.is_some());
            if let Some(old) = &old
                && let Some(owned) = self.owned.get_mut(&old.record.owner)
            {
                owned.remove(name);
            }
            if let Some(stored) = read::<BucketRecord>(key, value)? {
                let new = &stored.record;
                if old.is_some_and(|old| old.record.id == new.id && old.record.access != new.access) {
                    self.revocations.note(Revoked::Access(BucketId(new.id), new.access));
                }
                let owned = self.owned.entry(stored.record.owner.clone()).or_default();
                owned.insert(name.to_owned());
                self.buckets.insert(name.to_owned(), stored);
            }
        } else if let Some(name) = key.strip_prefix(USER_PREFIX) {
            let old = match read(key, value)? {
                Some(stored) => self.users.insert(name.to_owned(), stored),
                None => self.users.remove(name),
            };
            self.epoch += u64::from(old.is_some());
        } else if let Some(access_key) = key.strip_prefix(KEY_PREFIX) {
            let old = match read(key, value)? {
                Some(stored) => self.keys.insert(access_key.to_owned(), stored),
                None => self.keys.remove(access_key),
            };
            if old.is_some() {
                self.epoch += 1;
                self.revocations.note(Revoked::Key(access_key.to_owned()));
            }
        } else if key == BUCKET_COUNTER {
            self.bucket_counter = read::<u64>(key, value)?.map(|stored| (*stored.record, stored.raw));
        } else if key == SHARD_MAP {
            self.epoch += 1;
            self.shard_map = value.map(read_shard_map).transpose()?;
        } else {
            return Err(StoreError(format!(
                "unknown record {key}: it was written by a newer version"
            )));
        }
        Ok(())
    }
}

/// A record as the store holds it.
pub fn encode<T: Serialize>(record: &T) -> Result<Vec<u8>, StoreError> {
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
