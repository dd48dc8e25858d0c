//! Random operations on keys with versions, against the engine and against plain lists: every version is found by its
//! id, the newest without one, and listings show them in order, through merges, compaction and dead processes. Every
//! sequence follows from its seed; CORELANE_SEED repeats one.
#![cfg(debug_assertions)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use corelane_mountpath::{
    index::entry::ObjectEntry,
    io::run,
    record::ObjectMeta,
    shard_store::{Change, NewVersion, Outcome, ShardStore},
};
use proto::s3::{
    bucket::BucketId,
    listing::{ListEntry, ListQuery, ListScope, common_prefix},
    version::{VersionId, Versioning},
};
use std::{collections::BTreeMap, rc::Rc};
use support::{
    directory::Directory,
    environment,
    generator::Generator,
    store::{Body, Object, Options, Store},
};

const SEQUENCES: u64 = 24;
const STEPS: usize = 120;
const BUCKET: BucketId = BucketId(5);
const KEYS: [&str; 8] = ["a", "a/", "a/b", "a\0", "a\0b", "a\u{1}", "b/c", "é"];

/// A version as it should be; the newest of a key comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    id: VersionId,
    /// The ETag; `None`: a delete marker.
    etag: Option<String>,
    tags: Vec<(String, String)>,
}

struct Model {
    directory: Directory,
    generator: Generator,
    keys: BTreeMap<String, Vec<Version>>,
    versioning: Versioning,
    steps: Vec<String>,
}

fn version(entry: &ObjectEntry) -> Version {
    Version {
        id: entry.version,
        etag: (!entry.is_delete_marker()).then(|| entry.meta.etag.clone()),
        tags: entry.meta.tags.clone(),
    }
}

impl Model {
    async fn open(&self) -> Rc<Store> {
        let options = Options {
            sync: false,
            ..Options::default()
        };
        let (store, found) = Store::open(&self.directory, None, options).await.unwrap();
        assert_eq!(found.damage, Vec::<String>::new());
        Rc::new(store)
    }

    fn key(&mut self) -> String {
        (*self.generator.pick(&KEYS)).to_owned()
    }

    /// Some version of a key, or one that never was.
    fn some_version(&mut self, key: &str) -> VersionId {
        let versions = self.keys.get(key).map(Vec::as_slice).unwrap_or_default();
        match self.generator.below(versions.len() + 2) {
            0 => VersionId::Null,
            1 => VersionId::Number(self.generator.next() | 1 << 60),
            index => versions[index - 2].id,
        }
    }

    async fn step(&mut self, store: &Rc<Store>) -> Option<Rc<Store>> {
        let engine = Rc::clone(store.engine());
        match self.generator.below(100) {
            0..=29 => self.put(store).await,
            30..=39 => self.mark(&engine).await,
            40..=54 => self.delete(&engine).await,
            55..=62 => self.tag(&engine).await,
            63..=67 => {
                self.versioning = *self.generator.pick(&[Versioning::Enabled, Versioning::Suspended]);
                self.steps.push(format!("{:?}", self.versioning));
            }
            68..=77 => self.list(&engine).await,
            78..=89 => self.find(&engine).await,
            90..=95 => {
                self.steps.push("merge, compact, sweep".to_owned());
                store.merge().await.unwrap();
                store.compact().await.unwrap();
                assert_eq!(store.sweep().await.unwrap(), Vec::<String>::new());
            }
            _ => {
                self.steps.push("restart".to_owned());
                if self.generator.percent(50) {
                    store.close().await;
                } else {
                    store.crash().await;
                }
                return Some(self.open().await);
            }
        }
        None
    }

    /// A new version takes its place; a null version takes that of the one before.
    fn insert(&mut self, key: &str, made: Version) {
        let versions = self.keys.entry(key.to_owned()).or_default();
        if made.id == VersionId::Null {
            versions.retain(|version| version.id != VersionId::Null);
        }
        versions.insert(0, made);
    }

    fn new_version(&self) -> NewVersion {
        self.versioning.into()
    }

    async fn put(&mut self, store: &Store) {
        let key = self.key();
        let size = *self.generator.pick(&[0, 10, 5000, 300_000]);
        let object = Object::random(&mut self.generator, size);
        let body = if size > 100_000 { Body::Blob } else { Body::Small };
        self.steps.push(format!("put {key:?} {object:?}"));
        let Change::Put(_, meta, payload) = store.prepare(&object, body).await.unwrap() else {
            panic!("a PUT is no PUT");
        };
        let change = Change::Put(self.new_version(), meta, payload);
        let made = store.engine().change(BUCKET, key.clone().into_bytes(), change).await;
        let Ok(Outcome::Put(entry)) = made else {
            panic!("a PUT failed");
        };
        assert_eq!(
            entry.version == VersionId::Null,
            self.versioning == Versioning::Suspended
        );
        self.insert(&key, version(&entry));
    }

    async fn mark(&mut self, engine: &ShardStore) {
        let key = self.key();
        self.steps.push(format!("mark {key:?}"));
        let change = Change::Mark(self.new_version(), 7);
        let Ok(Outcome::Put(entry)) = engine.change(BUCKET, key.clone().into_bytes(), change).await else {
            panic!("a delete marker failed");
        };
        assert!(entry.is_delete_marker());
        self.insert(&key, version(&entry));
    }

    async fn delete(&mut self, engine: &ShardStore) {
        let key = self.key();
        let id = self.some_version(&key);
        self.steps.push(format!("delete {key:?} {id}"));
        let deleted = engine
            .change(BUCKET, key.clone().into_bytes(), Change::Delete(id))
            .await;
        assert!(matches!(deleted, Ok(Outcome::Deleted)));
        if let Some(versions) = self.keys.get_mut(&key) {
            versions.retain(|version| version.id != id);
        }
    }

    async fn tag(&mut self, engine: &ShardStore) {
        let key = self.key();
        let id = self.generator.percent(70).then(|| self.some_version(&key));
        let tags = vec![("colour".to_owned(), self.generator.next().to_string())];
        self.steps.push(format!("tag {key:?} {id:?} {tags:?}"));
        let edit = |entry: Option<&ObjectEntry>| {
            let entry = entry.filter(|entry| !entry.is_delete_marker()).ok_or(())?;
            Ok::<_, ()>(ObjectMeta {
                tags: tags.clone(),
                ..entry.meta.clone()
            })
        };
        let edited = engine
            .edit(BUCKET, key.clone().into_bytes(), self.versioning, id, edit)
            .await;
        let edited = edited.unwrap().ok().flatten().map(|entry| version(&entry));
        let versions = self.keys.entry(key).or_default();
        let expected = match id {
            Some(id) => versions.iter_mut().find(|version| version.id == id),
            None => versions.first_mut(),
        };
        let expected = expected.filter(|version| version.etag.is_some());
        let expected = expected.map(|version| {
            version.tags = tags;
            version.clone()
        });
        assert_eq!(edited, expected);
    }

    async fn find(&mut self, engine: &ShardStore) {
        let key = self.key();
        let id = self.generator.percent(50).then(|| self.some_version(&key));
        self.steps.push(format!("find {key:?} {id:?}"));
        let found = engine.find(BUCKET, key.as_bytes(), self.versioning, id).await.unwrap();
        let versions = self.keys.get(&key).map(Vec::as_slice).unwrap_or_default();
        let expected = match id {
            Some(id) => versions.iter().find(|version| version.id == id),
            None => versions.first(),
        };
        assert_eq!(found.as_deref().map(version).as_ref(), expected, "{key:?} {id:?}");
        let Some(entry) = found.filter(|entry| !entry.is_delete_marker()) else {
            return;
        };
        let size = entry.meta.size;
        let open = engine.open_entry(BUCKET, entry).unwrap();
        let mut length = 0;
        for block in 0..open.entry.meta.block_checksums.len() as u64 {
            length += engine.read_block(&open, block, true).await.unwrap().len() as u64;
        }
        assert_eq!(length, size);
    }

    /// Pages of all versions, and of the newest objects, one after the other.
    async fn list(&mut self, engine: &ShardStore) {
        let prefix = (*self.generator.pick(&["", "", "a", "a/", "a\0", "x"])).to_owned();
        let delimiter = (*self.generator.pick(&["", "", "/"])).to_owned();
        let limit = self.generator.between(1, 6);
        for scope in [
            ListScope::Versions { after: None },
            ListScope::Newest,
            ListScope::NewestVersions,
        ] {
            let mut query = ListQuery {
                prefix: prefix.clone(),
                delimiter: delimiter.clone(),
                start_after: String::new(),
                limit,
                scope,
                details: false,
            };
            self.steps.push(format!("list {query:?}"));
            let mut found = Vec::new();
            loop {
                let page = engine.page(BUCKET, &query).await.unwrap();
                found.extend(page.entries.iter().map(describe));
                assert!(page.entries.len() <= limit);
                match page.entries.last().filter(|_| page.truncated) {
                    Some(last) => query = query.continued(last),
                    None => break,
                }
            }
            assert_eq!(found, self.expected(&query), "{:#?}", self.keys);
        }
    }

    fn expected(&self, query: &ListQuery) -> Vec<String> {
        let mut expected: Vec<String> = Vec::new();
        for (key, versions) in &self.keys {
            if !key.starts_with(&query.prefix) {
                continue;
            }
            let newest_only = !matches!(query.scope, ListScope::Versions { .. });
            let shown = versions
                .iter()
                .enumerate()
                .filter(|(age, version)| !newest_only || (*age == 0 && version.etag.is_some()));
            for (age, version) in shown {
                let line = match common_prefix(key, &query.prefix, &query.delimiter) {
                    Some(prefix) => format!("prefix {prefix:?}"),
                    None if query.scope == ListScope::Newest => format!("{key:?} {:?}", version.etag),
                    None => format!("{key:?} {version:?} latest: {}", age == 0),
                };
                if expected.last() != Some(&line) {
                    expected.push(line);
                }
            }
        }
        expected
    }
}

fn describe(entry: &ListEntry) -> String {
    match entry {
        ListEntry::CommonPrefix(prefix) => format!("prefix {prefix:?}"),
        ListEntry::Object(object) => format!("{:?} {:?}", object.key, Some(&object.etag)),
        ListEntry::Version(listed) => {
            let version = Version {
                id: listed.version,
                etag: (!listed.is_delete_marker).then(|| listed.object.etag.clone()),
                tags: listed.tags.clone(),
            };
            format!("{:?} {version:?} latest: {}", listed.object.key, listed.is_latest)
        }
        ListEntry::Upload(listed) => format!("upload {}", listed.upload),
    }
}

#[test]
fn versions_are_what_plain_lists_say() {
    let seeds = match environment("CORELANE_SEED") {
        Some(seed) => seed..=seed,
        None => 1..=SEQUENCES,
    };
    for seed in seeds {
        let mut model = Model {
            directory: Directory::new(&format!("versions-{seed}")),
            generator: Generator::new(seed),
            keys: BTreeMap::new(),
            versioning: Versioning::Enabled,
            steps: Vec::new(),
        };
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            run(async {
                let mut store = model.open().await;
                for _ in 0..STEPS {
                    if let Some(reopened) = model.step(&store).await {
                        store = reopened;
                    }
                }
                store.close().await;
            })
            .unwrap();
        }));
        if outcome.is_err() {
            let from = model.steps.len().saturating_sub(25);
            panic!("CORELANE_SEED={seed}, after:\n  {}", model.steps[from..].join("\n  "));
        }
    }
}
