//! The engine as these tests use it: the only file of them that calls it.

use super::{directory::Directory, generator::Generator};
use corelane_mountpath::{
    buffer::BufferPool,
    completion::Receiver,
    error::StoreError,
    index::entry::ObjectEntry,
    io::{
        medium::{Medium, Observer, Operation},
        sleep, yield_now,
    },
    record::{Multipart, ObjectMeta, PartSize, Placement},
    shard_store::{Change, NewPayload, NewVersion, OpenObject, Outcome, ShardStore, StoreOptions},
};
use proto::{
    digest::hasher::block_checksum,
    limits::BLOCK_BYTES,
    s3::{
        bucket::BucketId,
        listing::{ListEntry, ListPage, ListQuery, ListScope},
        object::ObjectHeaders,
        version::{UploadId, VersionId, Versioning},
    },
};
use std::{
    fmt, io,
    rc::Rc,
    sync::{Arc, Mutex},
    time::Duration,
};

/// An object: what is compared.
#[derive(Clone, PartialEq, Eq)]
pub struct Object {
    pub bytes: Arc<[u8]>,
    pub etag: String,
    pub modified_unix_ms: u64,
}

impl Object {
    /// An object of random bytes; no two have the same ETag.
    pub fn random(generator: &mut Generator, size: usize) -> Self {
        Self {
            etag: format!("{:016x}", generator.next()),
            modified_unix_ms: 1_795_000_000_000 + generator.next() % 1_000_000,
            bytes: generator.bytes(size),
        }
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} bytes with ETag {}", self.bytes.len(), self.etag)
    }
}

/// How a payload is brought to the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    Small,
    Buffered,
    Blob,
    /// As the parts of an upload, one of them twice and one that is not chosen.
    Parts,
}

/// The bucket that keeps versions in these tests: what a key holds there is its newest version, and a deletion makes a
/// delete marker.
const VERSIONED: BucketId = BucketId(2);

fn versioning(bucket: BucketId) -> Versioning {
    match bucket == VERSIONED {
        true => Versioning::Enabled,
        false => Versioning::Unversioned,
    }
}

/// How a store is opened.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub sync: bool,
    pub segment_bytes: u64,
    /// The shard works by itself in the background.
    pub maintain: bool,
    /// The filesystem has O_DIRECT.
    pub direct: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sync: true,
            segment_bytes: 1 << 20,
            maintain: false,
            direct: true,
        }
    }
}

/// What opening found.
#[derive(Debug, Clone, Default)]
pub struct Found {
    pub damage: Vec<String>,
    pub torn_bytes: u64,
}

pub struct Store {
    engine: Rc<ShardStore>,
    pool: BufferPool,
    switch: Arc<Switch>,
}

/// An object open for reading.
pub struct Reader {
    engine: Rc<ShardStore>,
    bucket: BucketId,
    object: OpenObject,
}

impl Reader {
    /// The object with the bytes of some of its blocks only.
    pub async fn read(&self, first: u64, count: u64) -> Result<Object, StoreError> {
        let meta = &self.object.entry.meta;
        let mut bytes = Vec::new();
        match &meta.multipart {
            None => read_blocks(&self.engine, &self.object, (first, count), &mut bytes).await?,
            Some(multipart) => {
                for part in &multipart.parts {
                    let missing = || StoreError::Damaged(format!("part {} is missing", part.number));
                    let entry = self.engine.part(self.bucket, multipart.upload, part.number).await?;
                    let open = self.engine.open_entry(self.bucket, entry.ok_or_else(missing)?)?;
                    read_blocks(&self.engine, &open, (0, u64::MAX), &mut bytes).await?;
                }
                let block = |number: u64| usize::try_from(number).unwrap().saturating_mul(BLOCK_BYTES);
                bytes.truncate(block(first.saturating_add(count).min(1 << 20)));
                bytes.drain(..block(first).min(bytes.len()));
            }
        }
        Ok(Object {
            bytes: bytes.into(),
            etag: meta.etag.clone(),
            modified_unix_ms: meta.modified_unix_ms,
        })
    }
}

async fn read_blocks(
    engine: &ShardStore,
    object: &OpenObject,
    (first, count): (u64, u64),
    bytes: &mut Vec<u8>,
) -> Result<(), StoreError> {
    let blocks = object.entry.meta.size.div_ceil(BLOCK_BYTES as u64);
    for block in first..first.saturating_add(count).min(blocks) {
        bytes.extend_from_slice(&engine.read_block(object, block, true).await?);
    }
    Ok(())
}

/// A change under way.
pub struct Waiting(Receiver<Result<Outcome, StoreError>>);

impl Waiting {
    pub async fn done(self) -> Result<(), StoreError> {
        self.0.wait().await.unwrap_or(Err(StoreError::ReadOnly)).map(drop)
    }
}

impl Store {
    pub async fn open(
        directory: &Directory,
        observer: Option<Arc<dyn Observer>>,
        options: Options,
    ) -> Result<(Self, Found), StoreError> {
        let switch = Arc::new(Switch {
            state: Mutex::default(),
            observer,
            direct: options.direct,
        });
        let paths = directory
            .paths()
            .with_medium(Medium::observed(Arc::clone(&switch) as Arc<dyn Observer>));
        let options = StoreOptions {
            sync: options.sync,
            segment_bytes: options.segment_bytes,
            memory: 3 << 20,
            maintain: options.maintain,
            ..StoreOptions::default()
        };
        let (engine, report) = ShardStore::open(paths, directory.uuid(), options).await?;
        let found = Found {
            damage: report.damage,
            torn_bytes: report.torn_bytes,
        };
        let store = Self {
            engine,
            pool: BufferPool::new(64 << 20),
            switch,
        };
        Ok((store, found))
    }

    /// Brings the payload as far as it goes before the change is submitted.
    pub async fn prepare(&self, object: &Object, body: Body) -> Result<Change, StoreError> {
        let payload = self.payload(&object.bytes, body).await?;
        Ok(Change::Put(
            NewVersion::Null,
            Box::new(meta(object, &object.bytes)),
            payload,
        ))
    }

    /// Brings an object in parts to the point where one step makes it of them.
    pub async fn upload(&self, bucket: BucketId, key: &str, object: &Object) -> Result<UploadId, StoreError> {
        let key = key.as_bytes().to_vec();
        let begun = ObjectMeta {
            multipart: Some(Box::default()),
            ..ObjectMeta::default()
        };
        let upload = self.engine.create_upload(bucket, key.clone(), begun).await?;
        let middle = object.bytes.len() / 2;
        let bodies = [Body::Blob, Body::Small, Body::Small, Body::Blob];
        let pieces = [
            &object.bytes[..0],
            &object.bytes[..middle],
            &object.bytes[middle..],
            &object.bytes[middle..],
        ];
        for ((number, piece), body) in [2, 2, 7, 9].into_iter().zip(pieces).zip(bodies) {
            let meta = Box::new(meta(object, piece));
            let payload = self.payload(piece, body).await?;
            let put = self
                .engine
                .put_part(bucket, key.clone(), upload, number, meta, payload)
                .await?;
            assert!(put.is_some(), "the upload is gone");
        }
        Ok(upload)
    }

    /// Makes an object of parts 2 and 7 of an upload.
    pub async fn complete(
        &self,
        bucket: BucketId,
        key: &str,
        object: &Object,
        upload: UploadId,
    ) -> Result<(), StoreError> {
        let decide = |_: &ObjectEntry, parts: &[(u16, Arc<ObjectEntry>)], _: Option<&ObjectEntry>| {
            let chosen = parts.iter().filter(|(number, _)| *number < 9);
            let parts = chosen.map(|(number, entry)| PartSize {
                number: *number,
                size: entry.meta.size,
            });
            let multipart = Multipart {
                parts: parts.collect(),
                ..Multipart::default()
            };
            Ok::<_, ()>(ObjectMeta {
                multipart: Some(Box::new(multipart)),
                block_checksums: Vec::new(),
                ..meta(object, &object.bytes)
            })
        };
        let key = key.as_bytes().to_vec();
        let made = self
            .engine
            .complete_upload(bucket, key, versioning(bucket), upload, decide)
            .await?;
        assert!(made.is_ok_and(|made| made.is_some()), "the upload is gone");
        Ok(())
    }

    async fn payload(&self, bytes: &[u8], body: Body) -> Result<NewPayload, StoreError> {
        Ok(match body {
            Body::Small | Body::Parts => NewPayload::Small(bytes.to_vec()),
            Body::Buffered => {
                let mut buffer = self.pool.take(bytes.len() as u64).await;
                buffer.bytes_mut()[..bytes.len()].copy_from_slice(bytes);
                NewPayload::Buffered(buffer)
            }
            Body::Blob => {
                let mut writer = self.engine.create_blob(bytes.len() as u64).await?;
                for chunk in bytes.chunks(64 * 1024) {
                    let mut buffer = self.pool.take(chunk.len() as u64).await;
                    buffer.bytes_mut()[..chunk.len()].copy_from_slice(chunk);
                    writer.write(buffer, chunk.len()).await?;
                }
                NewPayload::Blob(self.engine.finish_blob(writer).await?)
            }
        })
    }

    pub fn submit(&self, bucket: BucketId, key: &str, change: Change) -> Waiting {
        let change = match change {
            Change::Put(_, meta, payload) => Change::Put(NewVersion::from(versioning(bucket)), meta, payload),
            Change::Delete(VersionId::Null) if bucket == VERSIONED => Change::Mark(NewVersion::Numbered, 1),
            change => change,
        };
        Waiting(self.engine.submit(bucket, key.as_bytes().to_vec(), change))
    }

    pub async fn put(&self, bucket: BucketId, key: &str, object: &Object, body: Body) -> Result<(), StoreError> {
        if body == Body::Parts {
            let upload = self.upload(bucket, key, object).await?;
            return self.complete(bucket, key, object, upload).await;
        }
        let change = self.prepare(object, body).await?;
        self.submit(bucket, key, change).done().await
    }

    pub async fn delete(&self, bucket: BucketId, key: &str) -> Result<(), StoreError> {
        self.submit(bucket, key, Change::Delete(VersionId::Null)).done().await
    }

    pub async fn fence(&self, bucket: BucketId, fenced: bool) -> Result<(), StoreError> {
        self.submit(bucket, "", Change::Fence(fenced)).done().await
    }

    pub fn is_fenced(&self, bucket: BucketId) -> bool {
        self.engine.is_fenced(bucket)
    }

    /// Whether the object a key holds lies in a blob.
    pub async fn is_blob(&self, bucket: BucketId, key: &str) -> Result<bool, StoreError> {
        let entry = self
            .engine
            .find(bucket, key.as_bytes(), versioning(bucket), None)
            .await?;
        Ok(entry.is_some_and(|entry| matches!(entry.placement, Placement::Blob { .. })))
    }

    pub fn is_read_only(&self) -> bool {
        self.engine.is_read_only()
    }

    /// The object a key holds now, to be read later: changes do not change what is read.
    pub async fn reader(&self, bucket: BucketId, key: &str) -> Result<Option<Reader>, StoreError> {
        let found = self
            .engine
            .find(bucket, key.as_bytes(), versioning(bucket), None)
            .await?;
        let entry = found.filter(|entry| !entry.is_delete_marker());
        let object = entry.map(|entry| self.engine.open_entry(bucket, entry)).transpose()?;
        Ok(object.map(|object| Reader {
            engine: Rc::clone(&self.engine),
            bucket,
            object,
        }))
    }

    /// The whole object, every block verified.
    pub async fn read(&self, bucket: BucketId, key: &str) -> Result<Option<Object>, StoreError> {
        match self.reader(bucket, key).await? {
            Some(reader) => reader.read(0, u64::MAX).await.map(Some),
            None => Ok(None),
        }
    }

    pub async fn list(&self, bucket: BucketId, query: &ListQuery) -> Result<ListPage, StoreError> {
        let query = ListQuery {
            scope: match versioning(bucket) {
                Versioning::Unversioned => ListScope::Objects,
                _ => ListScope::Newest,
            },
            ..query.clone()
        };
        self.engine.page(bucket, &query).await
    }

    /// All keys of a bucket with their ETags, in pages of `limit`.
    pub async fn keys(&self, bucket: BucketId, limit: usize) -> Result<Vec<(String, String)>, StoreError> {
        let mut query = ListQuery {
            limit,
            ..ListQuery::default()
        };
        let mut keys = Vec::new();
        loop {
            let page = self.list(bucket, &query).await?;
            for entry in page.entries {
                match entry {
                    ListEntry::Object(object) => keys.push((object.key, object.etag)),
                    other => panic!("nobody asked for {:?}", other.name()),
                }
            }
            if !page.truncated {
                return Ok(keys);
            }
            query.start_after = keys.last().expect("a truncated page is not empty").0.clone();
        }
    }

    /// A clean stop: what is under way ends, nothing happens afterwards.
    pub async fn close(&self) {
        wait_until("changes end", || self.engine.is_settled()).await;
        // A damaged shard does not close cleanly.
        let _ = self.engine.close().await;
        self.crash().await;
    }

    pub async fn merge(&self) -> Result<(), StoreError> {
        self.engine.merge().await
    }

    /// Reclaims segments until there is none worth it.
    pub async fn compact(&self) -> Result<u64, StoreError> {
        let mut bytes = 0;
        while let Some(reclaimed) = self.engine.compact().await? {
            bytes += reclaimed;
        }
        Ok(bytes)
    }

    /// What a sweep reports as damage.
    pub async fn sweep(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.engine.sweep().await?.damage)
    }

    pub fn engine(&self) -> &Rc<ShardStore> {
        &self.engine
    }

    /// The process dies: nothing more reaches the files, but what did stays there.
    pub async fn crash(&self) {
        self.switch.state.lock().unwrap().off = true;
        wait_until("operations end", || self.switch.state.lock().unwrap().in_flight == 0).await;
    }
}

/// What is kept of an object with some of its bytes.
fn meta(object: &Object, bytes: &[u8]) -> ObjectMeta {
    ObjectMeta {
        modified_unix_ms: object.modified_unix_ms,
        size: bytes.len() as u64,
        xxh3_128: 5,
        etag: object.etag.clone(),
        headers: ObjectHeaders::default(),
        block_checksums: bytes.chunks(BLOCK_BYTES).map(block_checksum).collect(),
        ..ObjectMeta::default()
    }
}

/// Lets the core run until something has happened.
pub async fn wait_until(what: &str, condition: impl Fn() -> bool) {
    for turn in 0..20_000 {
        if condition() {
            return;
        }
        if turn < 1000 {
            yield_now().await;
        } else {
            sleep(Duration::from_millis(1)).await;
        }
    }
    panic!("in vain: {what}");
}

/// Turns everything off at once, and takes O_DIRECT away.
struct Switch {
    state: Mutex<SwitchState>,
    observer: Option<Arc<dyn Observer>>,
    direct: bool,
}

#[derive(Default)]
struct SwitchState {
    off: bool,
    in_flight: usize,
}

impl Observer for Switch {
    fn begin(&self, operation: &Operation<'_>) -> io::Result<u64> {
        let mut state = self.state.lock().unwrap();
        if state.off {
            return Err(io::Error::other("the process is dead"));
        }
        if !self.direct && matches!(operation, Operation::Direct { .. }) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let id = match &self.observer {
            Some(observer) => observer.begin(operation)?,
            None => 0,
        };
        state.in_flight += 1;
        Ok(id)
    }

    fn end(&self, id: u64, succeeded: bool) {
        self.state.lock().unwrap().in_flight -= 1;
        if let Some(observer) = &self.observer {
            observer.end(id, succeeded);
        }
    }
}
