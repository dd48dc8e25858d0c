//! What a client knows: for every key the values it may hold, given what was submitted and acknowledged until a moment.

use super::store::{Object, Store};
use corelane_mountpath::error::StoreError;
use proto::s3::bucket::BucketId;
use std::collections::BTreeMap;

/// A bucket and a key.
pub type Name = (BucketId, String);

/// The key that stands for a bucket's fence; it holds `fence_object` while the bucket is fenced.
pub fn fence_name(bucket: BucketId) -> Name {
    (bucket, "\0fence".into())
}

pub fn fence_object() -> Object {
    Object {
        bytes: [].into(),
        etag: "fence".into(),
        modified_unix_ms: 0,
    }
}

/// One change of a key, in the order of submission.
#[derive(Debug, Clone)]
struct Version {
    object: Option<Object>,
    submitted: usize,
    acknowledged: Option<usize>,
}

/// All changes of all keys.
#[derive(Debug, Clone, Default)]
pub struct History {
    names: BTreeMap<Name, Vec<Version>>,
}

/// A change that was submitted.
#[derive(Debug, Clone)]
pub struct Ticket {
    name: Name,
    index: usize,
}

impl History {
    pub fn submitted(&mut self, name: &Name, object: Option<Object>, tick: usize) -> Ticket {
        let versions = self.names.entry(name.clone()).or_default();
        versions.push(Version {
            object,
            submitted: tick,
            acknowledged: None,
        });
        Ticket {
            name: name.clone(),
            index: versions.len() - 1,
        }
    }

    pub fn acknowledged(&mut self, ticket: &Ticket, tick: usize) {
        self.names.get_mut(&ticket.name).unwrap()[ticket.index].acknowledged = Some(tick);
    }

    /// Somebody has seen what all keys hold: it stays.
    pub fn observed(&mut self, seen: &BTreeMap<Name, Object>, tick: usize) {
        let names: Vec<Name> = self.names.keys().chain(seen.keys()).cloned().collect();
        for name in names {
            let ticket = self.submitted(&name, seen.get(&name).cloned(), tick);
            self.acknowledged(&ticket, tick);
        }
    }

    /// What a key may hold when everything stopped after a tick, the oldest first.
    fn possible(&self, name: &Name, cut: usize) -> Vec<Option<Object>> {
        let versions: Vec<&Version> = self
            .names
            .get(name)
            .into_iter()
            .flatten()
            .filter(|version| version.submitted <= cut)
            .collect();
        let certain = versions
            .iter()
            .rposition(|version| version.acknowledged.is_some_and(|tick| tick <= cut));
        let mut possible = Vec::new();
        if certain.is_none() {
            possible.push(None);
        }
        let from = certain.unwrap_or(0);
        possible.extend(versions[from..].iter().map(|version| version.object.clone()));
        possible
    }

    /// The history of those who come after a cut.
    pub fn after(&self, cut: usize) -> Self {
        let mut after = Self::default();
        for name in self.names.keys() {
            for (age, object) in self.possible(name, cut).into_iter().enumerate() {
                let ticket = after.submitted(name, object, 0);
                if age == 0 {
                    after.acknowledged(&ticket, 0);
                }
            }
        }
        after
    }

    /// Whether what is seen may be seen when everything until a tick has happened.
    pub fn check(&self, seen: &BTreeMap<Name, Object>, cut: usize) -> Result<(), String> {
        for name in self.names.keys().chain(seen.keys()) {
            let possible = self.possible(name, cut);
            let found = seen.get(name).cloned();
            if !possible.contains(&found) {
                return Err(format!("{name:?} holds {found:?}, possible are {possible:?}"));
            }
        }
        Ok(())
    }

    /// Forgets all keys but one.
    pub fn keep(&mut self, name: &Name) {
        self.names.retain(|other, _| other == name);
    }

    pub fn names(&self) -> Vec<Name> {
        self.names.keys().cloned().collect()
    }
}

/// All that some buckets hold, and their fences, listed and read; listing and reading must agree, for all `names` too.
pub async fn see(store: &Store, buckets: &[BucketId], names: &[Name]) -> Result<BTreeMap<Name, Object>, String> {
    let failed = |what: &str, error: StoreError| format!("{what}: {error}");
    let mut seen = BTreeMap::new();
    for bucket in buckets {
        let keys = store.keys(*bucket, 7).await.map_err(|error| failed("listing", error))?;
        if !keys.is_sorted_by(|one, two| one.0 < two.0) {
            return Err(format!("the listing is out of order: {keys:?}"));
        }
        for (key, etag) in keys {
            let object = store.read(*bucket, &key).await.map_err(|error| failed(&key, error))?;
            match object {
                Some(object) if object.etag == etag => seen.insert((*bucket, key), object),
                other => return Err(format!("{key:?} is listed with ETag {etag} and read as {other:?}")),
            };
        }
        if store.is_fenced(*bucket) {
            seen.insert(fence_name(*bucket), fence_object());
        }
    }
    for name in names {
        if seen.contains_key(name) {
            continue;
        }
        let object = store
            .read(name.0, &name.1)
            .await
            .map_err(|error| failed(&name.1, error))?;
        if let Some(object) = object {
            return Err(format!("{name:?} is not listed and read as {object:?}"));
        }
    }
    Ok(seen)
}
