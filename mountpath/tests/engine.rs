//! The engine against a real directory: what was acknowledged is there after a restart, damage is found and named.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_mountpath as mountpath;
use mountpath::{
    buffer::BufferPool,
    io::run,
    layout::{FormatOptions, Mountpath, ShardPaths},
    record::ObjectMeta,
    shard_store::{Change, NewPayload, NewVersion, Outcome, RecoveryReport, ShardStore, StoreOptions},
};
use proto::{
    digest::hasher::block_checksum,
    limits::BLOCK_BYTES,
    s3::{
        bucket::BucketId,
        listing::{ListEntry, ListQuery},
        object::ObjectHeaders,
        version::VersionId,
    },
};
use std::{fs, path::PathBuf, rc::Rc};

const BUCKET: BucketId = BucketId(7);

struct TempDir(PathBuf);

impl TempDir {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("engine-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }
    fn open(&self) -> Mountpath {
        Mountpath::open(&self.0, || FormatOptions {
            node: [1; 16],
            shard_count: 1,
        })
        .unwrap()
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

async fn open(mountpath: &Mountpath) -> (Rc<ShardStore>, RecoveryReport) {
    let options = StoreOptions {
        maintain: false,
        ..StoreOptions::default()
    };
    ShardStore::open(mountpath.shard_paths(0), mountpath.shards()[0], options)
        .await
        .unwrap()
}

fn payload(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..size)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .collect()
}

fn meta(bytes: &[u8]) -> ObjectMeta {
    ObjectMeta {
        modified_unix_ms: 1_795_000_000_000,
        size: bytes.len() as u64,
        xxh3_128: 5,
        etag: format!("{:x}", bytes.len()),
        checksum: None,
        headers: ObjectHeaders::default(),
        block_checksums: bytes.chunks(BLOCK_BYTES).map(block_checksum).collect(),
        ..ObjectMeta::default()
    }
}

async fn put(store: &ShardStore, pool: &BufferPool, key: &str, bytes: &[u8]) {
    let new = if bytes.len() <= 32 * 1024 {
        NewPayload::Small(bytes.to_vec())
    } else if bytes.len() <= 256 * 1024 {
        let mut buffer = pool.take(bytes.len() as u64).await;
        buffer.bytes_mut()[..bytes.len()].copy_from_slice(bytes);
        NewPayload::Buffered(buffer)
    } else {
        let mut writer = store.create_blob(bytes.len() as u64).await.unwrap();
        for chunk in bytes.chunks(1024 * 1024) {
            let mut buffer = pool.take(1 << 30).await;
            buffer.bytes_mut()[..chunk.len()].copy_from_slice(chunk);
            writer.write(buffer, chunk.len()).await.unwrap();
        }
        NewPayload::Blob(store.finish_blob(writer).await.unwrap())
    };
    store
        .change(
            BUCKET,
            key.as_bytes().to_vec(),
            Change::Put(NewVersion::Null, Box::new(meta(bytes)), new),
        )
        .await
        .unwrap();
}

async fn read(store: &ShardStore, key: &str) -> Option<Vec<u8>> {
    let object = store.open_object(BUCKET, key.as_bytes()).await.unwrap()?;
    let mut bytes = Vec::new();
    for block in 0..object.entry.meta.size.div_ceil(BLOCK_BYTES as u64) {
        bytes.extend_from_slice(&store.read_block(&object, block, true).await.unwrap());
    }
    Some(bytes)
}

async fn keys(store: &ShardStore) -> Vec<String> {
    let query = ListQuery {
        limit: 1000,
        ..ListQuery::default()
    };
    store
        .page(BUCKET, &query)
        .await
        .unwrap()
        .entries
        .iter()
        .map(|entry: &ListEntry| entry.name().to_owned())
        .collect()
}

fn blobs(paths: &ShardPaths) -> Vec<u64> {
    (0..256).flat_map(|directory| paths.blobs(directory).unwrap()).collect()
}

/// Files are removed by tasks of their own.
async fn settle() {
    mountpath::io::sleep(std::time::Duration::from_millis(50)).await;
}

const SIZES: [usize; 12] = [
    0,
    1,
    4095,
    4096,
    4097,
    32 * 1024,
    32 * 1024 + 1,
    131_072,
    200_001,
    262_144,
    262_145,
    3_000_001,
];

#[test]
fn every_size_survives_a_restart_and_overwrites_win() {
    let directory = TempDir::new("sizes");
    run(async {
        let mountpath = directory.open();
        let pool = BufferPool::new(16 << 20);
        let (store, report) = open(&mountpath).await;
        assert_eq!(report, RecoveryReport::default());
        for (index, size) in SIZES.iter().enumerate() {
            put(&store, &pool, &format!("key-{index:02}"), &payload(index as u64, *size)).await;
        }
        put(&store, &pool, "key-00", &payload(99, 300_000)).await;
        put(&store, &pool, "key-11", &payload(98, 10)).await;
        let deleted = store
            .change(BUCKET, b"key-05".to_vec(), Change::Delete(VersionId::Null))
            .await
            .unwrap();
        assert!(matches!(deleted, Outcome::Deleted));
        drop(store);

        let (store, report) = open(&mountpath).await;
        assert_eq!(report.damage, Vec::<String>::new());
        assert_eq!(report.objects, SIZES.len() as u64 - 1);
        for (index, size) in SIZES
            .iter()
            .enumerate()
            .filter(|(index, _)| ![0, 5, 11].contains(index))
        {
            assert_eq!(
                read(&store, &format!("key-{index:02}")).await.unwrap(),
                payload(index as u64, *size)
            );
        }
        assert_eq!(read(&store, "key-00").await.unwrap(), payload(99, 300_000));
        assert_eq!(read(&store, "key-11").await.unwrap(), payload(98, 10));
        assert_eq!(read(&store, "key-05").await, None);
        assert_eq!(keys(&store).await.len(), SIZES.len() - 1);
    })
    .unwrap();
}

#[test]
fn changes_that_wait_together_share_a_sync() {
    let directory = TempDir::new("group");
    run(async {
        let mountpath = directory.open();
        let (store, _) = open(&mountpath).await;
        let bytes = payload(1, 4096);
        let waiting: Vec<_> = (0..200)
            .map(|index| {
                let change = Change::Put(
                    NewVersion::Null,
                    Box::new(meta(&bytes)),
                    NewPayload::Small(bytes.clone()),
                );
                store.submit(BUCKET, format!("k{index:03}").into_bytes(), change)
            })
            .collect();
        for receiver in waiting {
            receiver.wait().await.unwrap().unwrap();
        }
        assert!(
            (1..=4).contains(&store.counters().syncs),
            "{} syncs",
            store.counters().syncs
        );
        store
            .change(BUCKET, b"lone".to_vec(), Change::Delete(VersionId::Null))
            .await
            .unwrap();
        let before = store.counters().syncs;
        store
            .change(BUCKET, b"k000".to_vec(), Change::Delete(VersionId::Null))
            .await
            .unwrap();
        assert_eq!(store.counters().syncs, before + 1);
    })
    .unwrap();
}

#[test]
fn a_fence_stops_writes_in_order_and_survives() {
    let directory = TempDir::new("fence");
    run(async {
        let mountpath = directory.open();
        let (store, _) = open(&mountpath).await;
        let bytes = payload(1, 10);
        let change = || {
            Change::Put(
                NewVersion::Null,
                Box::new(meta(&bytes)),
                NewPayload::Small(bytes.clone()),
            )
        };
        let before = store.submit(BUCKET, b"before".to_vec(), change());
        let fence = store.submit(BUCKET, Vec::new(), Change::Fence(true));
        let after = store.submit(BUCKET, b"after".to_vec(), change());
        assert!(before.wait().await.unwrap().is_ok());
        assert!(fence.wait().await.unwrap().is_ok());
        assert!(after.wait().await.unwrap().is_err());
        drop(store);
        let (store, _) = open(&mountpath).await;
        assert!(store.is_fenced(BUCKET));
        assert_eq!(keys(&store).await, ["before"]);
        store.change(BUCKET, Vec::new(), Change::Fence(false)).await.unwrap();
        assert!(store.change(BUCKET, b"after".to_vec(), change()).await.is_ok());
    })
    .unwrap();
}

#[test]
fn a_torn_tail_is_cut_off_and_corruption_below_a_durable_mark_is_named() {
    let directory = TempDir::new("torn");
    run(async {
        let mountpath = directory.open();
        let pool = BufferPool::new(16 << 20);
        let (store, _) = open(&mountpath).await;
        for index in 0..3u64 {
            put(&store, &pool, &format!("key-{index}"), &payload(index, 5000)).await;
        }
        drop(store);
        let segment = mountpath
            .shard_paths(0)
            .segment(mountpath.shard_paths(0).segments().unwrap()[0]);
        let intact = fs::read(&segment).unwrap();
        // Header block 4 KiB, then batches of 12 KiB each: 4 KiB head, 8 KiB payload.
        let third = 4096 + 2 * 12_288;
        for (position, survivors, damaged) in [(third + 100, 2, 0), (third + 4096 + 4999, 2, 0), (4096 + 100, 2, 1)] {
            let mut bytes = intact.clone();
            bytes[position] ^= 0x10;
            fs::write(&segment, &bytes).unwrap();
            fs::remove_file(mountpath.shard_paths(0).index()).unwrap();
            let (store, report) = open(&mountpath).await;
            assert_eq!(keys(&store).await.len(), survivors, "flip at {position}");
            assert_eq!(report.damage.len(), damaged, "flip at {position}: {:?}", report.damage);
            drop(store);
            for id in mountpath.shard_paths(0).segments().unwrap().into_iter().skip(1) {
                fs::remove_file(mountpath.shard_paths(0).segment(id)).unwrap();
            }
        }
        // A damaged payload below the mark is served by nobody, and only that one.
        let mut bytes = intact.clone();
        bytes[4096 + 4096 + 17] ^= 1;
        fs::write(&segment, &bytes).unwrap();
        fs::remove_file(mountpath.shard_paths(0).index()).unwrap();
        let (store, report) = open(&mountpath).await;
        assert_eq!((keys(&store).await.len(), report.damage.len()), (3, 0));
        let entry = store.open_object(BUCKET, b"key-0").await.unwrap().unwrap();
        assert!(store.read_block(&entry, 0, true).await.is_err());
        assert_eq!(read(&store, "key-1").await.unwrap(), payload(1, 5000));
    })
    .unwrap();
}

#[test]
fn writes_after_a_torn_tail_are_found_by_every_later_start() {
    let directory = TempDir::new("after-torn");
    run(async {
        let mountpath = directory.open();
        let pool = BufferPool::new(16 << 20);
        let (store, _) = open(&mountpath).await;
        put(&store, &pool, "first", &payload(1, 5000)).await;
        put(&store, &pool, "torn", &payload(2, 5000)).await;
        drop(store);
        let segment = mountpath
            .shard_paths(0)
            .segment(mountpath.shard_paths(0).segments().unwrap()[0]);
        let mut bytes = fs::read(&segment).unwrap();
        bytes[4096 + 12_288 + 4096 + 30] ^= 1;
        fs::write(&segment, &bytes).unwrap();
        let (store, _) = open(&mountpath).await;
        put(&store, &pool, "later", &payload(3, 5000)).await;
        drop(store);
        for _ in 0..3 {
            let (store, report) = open(&mountpath).await;
            assert_eq!(keys(&store).await, ["first", "later"]);
            assert_eq!(report.damage, Vec::<String>::new());
            assert_eq!(read(&store, "later").await.unwrap(), payload(3, 5000));
        }
    })
    .unwrap();
}

#[test]
fn blobs_without_a_record_go_and_records_without_a_blob_are_named() {
    let directory = TempDir::new("blobs");
    run(async {
        let mountpath = directory.open();
        let pool = BufferPool::new(16 << 20);
        let paths = mountpath.shard_paths(0);
        let (store, _) = open(&mountpath).await;
        put(&store, &pool, "kept", &payload(1, 1_000_000)).await;
        put(&store, &pool, "replaced", &payload(2, 1_000_000)).await;
        put(&store, &pool, "replaced", &payload(3, 1_000_000)).await;
        let orphan = store.create_blob(1 << 20).await.unwrap();
        std::mem::forget(orphan);
        drop(store);
        let (store, _) = open(&mountpath).await;
        let report = store.sweep().await.unwrap();
        assert!(report.orphan_blobs >= 1);
        assert_eq!(report.damage, Vec::<String>::new());
        settle().await;
        assert_eq!(blobs(&paths).len(), 2);
        assert_eq!(read(&store, "replaced").await.unwrap(), payload(3, 1_000_000));
        drop(store);
        let lost = *blobs(&paths).iter().min().unwrap();
        fs::remove_file(paths.blob(lost)).unwrap();
        let (store, _) = open(&mountpath).await;
        let report = store.sweep().await.unwrap();
        assert_eq!(report.damage.len(), 1);
        assert!(report.damage[0].contains("kept"), "{:?}", report.damage);
        assert_eq!(read(&store, "replaced").await.unwrap(), payload(3, 1_000_000));
    })
    .unwrap();
}

#[test]
fn a_reader_keeps_what_it_reads_while_the_object_is_replaced() {
    let directory = TempDir::new("reader");
    run(async {
        let mountpath = directory.open();
        let pool = BufferPool::new(16 << 20);
        let (store, _) = open(&mountpath).await;
        let old = payload(1, 1_000_000);
        put(&store, &pool, "key", &old).await;
        let entry = store.open_object(BUCKET, b"key").await.unwrap().unwrap();
        put(&store, &pool, "key", &payload(2, 500_000)).await;
        store
            .change(BUCKET, b"key".to_vec(), Change::Delete(VersionId::Null))
            .await
            .unwrap();
        let block = store.read_block(&entry, 3, true).await.unwrap();
        assert_eq!(&*block, &old[3 * BLOCK_BYTES..4 * BLOCK_BYTES]);
        drop(entry);
    })
    .unwrap();
}

#[test]
fn directories_that_are_not_ours_are_refused_untouched() {
    let directory = TempDir::new("foreign");
    fs::create_dir_all(&directory.0).unwrap();
    fs::write(directory.0.join("precious.txt"), "mine").unwrap();
    let format = || FormatOptions {
        node: [1; 16],
        shard_count: 1,
    };
    let error = Mountpath::open(&directory.0, format).unwrap_err().to_string();
    assert!(error.contains("is not a Corelane mountpath"), "{error}");
    assert_eq!(fs::read_dir(&directory.0).unwrap().count(), 1);
    fs::remove_file(directory.0.join("precious.txt")).unwrap();

    let mountpath = Mountpath::open(&directory.0, format).unwrap();
    let locked = Mountpath::open(&directory.0, format).unwrap_err().to_string();
    assert!(locked.contains("in use"), "{locked}");
    drop(mountpath);
    fs::write(directory.0.join("corelane.format"), "version = 99\n").unwrap();
    let version = Mountpath::open(&directory.0, format).unwrap_err().to_string();
    assert!(version.contains("99"), "{version}");
}

#[test]
fn uploads_leave_no_file_open() {
    let directory = TempDir::new("descriptors");
    run(async {
        let mountpath = directory.open();
        let pool = BufferPool::new(16 << 20);
        let (store, _) = open(&mountpath).await;
        let open_blobs = || {
            let links = fs::read_dir("/proc/self/fd").unwrap();
            let targets = links.filter_map(|link| fs::read_link(link.unwrap().path()).ok());
            targets
                .filter(|target| target.extension().is_some_and(|extension| extension == "blob"))
                .count()
        };
        for index in 0..20 {
            put(&store, &pool, &format!("key-{index}"), &payload(index, 300_000)).await;
        }
        // Closing is asynchronous: it happens in one of the next turns of the ring.
        for _ in 0..100 {
            mountpath::io::yield_now().await;
            put(&store, &pool, "turn", b"x").await;
            if open_blobs() == 0 {
                break;
            }
        }
        assert_eq!(open_blobs(), 0);
        assert_eq!(read(&store, "key-7").await.unwrap(), payload(7, 300_000));
    })
    .unwrap();
}
