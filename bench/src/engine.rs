//! Fills a mountpath through the storage engine itself, a few million objects a minute. The only file of the benchmark
//! that names the engine.

use crate::{
    error::{BenchError, Context, Result},
    limits::{FILL_IN_FLIGHT_MAX, FILL_SAY_EVERY, SAMPLES_PER_SHARD},
};
use mountpath::{
    completion::Receiver,
    error::StoreError,
    layout::{FormatOptions, Mountpath, ShardPaths, random_uuid},
    record::ObjectMeta,
    shard_store::{Change, NewPayload, NewVersion, Outcome, ShardStore, StoreOptions},
};
use proto::{
    auth::payload::{ContentSha256, PayloadDeclaration},
    digest::{checksum::ChecksumType, hasher::PayloadHasher},
    s3::{bucket::BucketId, object::ObjectHeaders},
};
use std::{
    collections::VecDeque,
    convert::Infallible,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

/// The bucket the objects are in.
pub const BUCKET: BucketId = BucketId(1);
/// Its name.
pub const BUCKET_NAME: &str = "bench";

/// What becomes of the filling.
#[derive(Debug)]
pub enum Event {
    /// So many objects were acknowledged.
    Stored(u64),
    /// All were. The process goes on, and holds the mountpath, until it is killed.
    Filled {
        /// The mountpath's node.
        node: [u8; 16],
        /// Its only shard.
        shard: [u8; 16],
    },
}

/// The key of object number `number`, as training sets name theirs.
pub fn sample_key(number: u64) -> String {
    let shard = number / SAMPLES_PER_SHARD;
    format!("train/shard-{shard:06}/sample-{number:08}.jpg")
}

/// Formats `root` with one shard and stores `objects` objects in it, all with this payload. Never returns but for an
/// error.
pub fn fill(root: &Path, objects: u64, payload: &[u8], tell: impl FnMut(Event)) -> Result<Infallible> {
    let failed = |error: &dyn std::fmt::Display| BenchError::Server(format!("the mountpath cannot be filled: {error}"));
    let node = random_uuid().context("read random numbers")?;
    let mountpath = Mountpath::open(root, || FormatOptions { node, shard_count: 1 }).map_err(|error| failed(&error))?;
    let shard = mountpath
        .shards()
        .first()
        .copied()
        .ok_or_else(|| failed(&"it has no shard"))?;
    let filling = Filling {
        node: mountpath.node(),
        shard,
        objects,
        payload,
        meta: meta(payload)?,
    };
    let outcome = mountpath::io::run(filling.run(mountpath.shard_paths(0), tell)).context("start an executor")?;
    outcome.map_err(|error| failed(&error))
}

struct Filling<'a> {
    node: [u8; 16],
    shard: [u8; 16],
    objects: u64,
    payload: &'a [u8],
    meta: ObjectMeta,
}

impl Filling<'_> {
    async fn run(self, paths: ShardPaths, mut tell: impl FnMut(Event)) -> std::result::Result<Infallible, StoreError> {
        // Without a sync a batch: what is filled in is to survive the process, not the machine.
        let options = StoreOptions {
            sync: false,
            ..StoreOptions::default()
        };
        let (store, _) = ShardStore::open(paths, self.shard, options).await?;
        store.note_bucket(BUCKET, BUCKET_NAME);
        let mut waiting = VecDeque::new();
        for number in 0..self.objects {
            let change = Change::Put(
                NewVersion::Null,
                Box::new(self.meta.clone()),
                NewPayload::Small(self.payload.to_vec()),
            );
            waiting.push_back(store.submit(BUCKET, sample_key(number).into_bytes(), change));
            if waiting.len() >= FILL_IN_FLIGHT_MAX
                && let Some(oldest) = waiting.pop_front()
            {
                acknowledged(oldest).await?;
            }
            if number.is_multiple_of(FILL_SAY_EVERY) {
                tell(Event::Stored(number));
            }
        }
        for receiver in waiting {
            acknowledged(receiver).await?;
        }
        tell(Event::Filled {
            node: self.node,
            shard: self.shard,
        });
        std::future::pending().await
    }
}

async fn acknowledged(
    receiver: Receiver<std::result::Result<Outcome, StoreError>>,
) -> std::result::Result<(), StoreError> {
    receiver.wait().await.unwrap_or(Err(StoreError::ReadOnly)).map(drop)
}

/// What a PUT of this payload into an xxhash bucket leaves.
fn meta(payload: &[u8]) -> Result<ObjectMeta> {
    let declaration = PayloadDeclaration {
        content_sha256: ContentSha256::Unsigned,
        content_md5: None,
        checksum: None,
        trailer: None,
        decoded_length: Some(payload.len() as u64),
    };
    let mut hasher = PayloadHasher::new(ChecksumType::Xxhash, &declaration);
    hasher.update(payload);
    let digests = hasher.finish(&[]);
    let digests = digests.map_err(|error| BenchError::Server(format!("the payload cannot be hashed: {error:?}")))?;
    let modified = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(ObjectMeta {
        modified_unix_ms: u64::try_from(modified.as_millis()).unwrap_or(u64::MAX),
        size: payload.len() as u64,
        xxh3_128: digests.xxh3_128,
        etag: digests.etag,
        checksum: digests.checksum.map(Into::into),
        headers: ObjectHeaders::default(),
        block_checksums: digests.block_checksums,
        ..ObjectMeta::default()
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{meta, sample_key};

    #[test]
    fn keys_are_named_like_a_training_set() {
        assert_eq!(sample_key(0), "train/shard-000000/sample-00000000.jpg");
        assert_eq!(sample_key(12_345), "train/shard-000123/sample-00012345.jpg");
    }

    #[test]
    fn the_metadata_is_that_of_an_xxhash_bucket() {
        let meta = meta(&[7; 4096]).unwrap();
        assert_eq!((meta.size, meta.block_checksums.len()), (4096, 1));
        assert!(meta.etag.ends_with("-x"), "{}", meta.etag);
    }
}
