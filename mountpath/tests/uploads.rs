//! Multipart uploads in the engine: parts take no space once nothing keeps them, readers keep what they read, and what is
//! decided on something that changes meanwhile is decided again.
#![cfg(debug_assertions)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use corelane_mountpath::{
    index::entry::ObjectEntry,
    io::run,
    record::ObjectMeta,
    shard_store::{Change, NewPayload, NewVersion, Outcome},
};
use proto::s3::{
    bucket::BucketId,
    version::{UploadId, VersionId, Versioning},
};
use std::cell::Cell;
use support::{
    directory::Directory,
    generator::Generator,
    seed,
    store::{Body, Object, Options, Store, wait_until},
};

const BUCKET: BucketId = BucketId(3);
const KEY: &str = "key";

async fn open(directory: &Directory) -> Store {
    let options = Options {
        sync: false,
        ..Options::default()
    };
    Store::open(directory, None, options).await.unwrap().0
}

fn blobs(directory: &Directory) -> usize {
    let is_blob = |path: &std::path::PathBuf| path.extension().is_some_and(|extension| extension == "blob");
    directory.files().iter().filter(|path| is_blob(path)).count()
}

fn random_object() -> Object {
    Object::random(&mut Generator::new(seed()), 700_000)
}

/// Two merges: the first learns that nothing keeps the parts, the second forgets them.
async fn merge_twice(store: &Store) {
    store.merge().await.unwrap();
    store.merge().await.unwrap();
}

#[test]
fn parts_go_with_what_keeps_them() {
    let directory = Directory::new("parts-go");
    run(async {
        let object = random_object();
        let mut store = open(&directory).await;
        for round in 0..3 {
            // Replaced, deleted, aborted; with a restart between, nothing of it is in memory.
            let upload = store.upload(BUCKET, KEY, &object).await.unwrap();
            if round < 2 {
                store.complete(BUCKET, KEY, &object, upload).await.unwrap();
                assert_eq!(store.read(BUCKET, KEY).await.unwrap().as_ref(), Some(&object));
            }
            store.close().await;
            store = open(&directory).await;
            match round {
                0 => store.put(BUCKET, KEY, &object, Body::Small).await.unwrap(),
                1 => store.delete(BUCKET, KEY).await.unwrap(),
                _ => assert!(store.engine().abort_upload(BUCKET, KEY.into(), upload).await.unwrap()),
            }
            merge_twice(&store).await;
            wait_until("the blobs of parts go", || blobs(&directory) == 0).await;
            let parts = store.engine().parts(BUCKET, upload, 0, 10).await.unwrap();
            assert_eq!(parts.len(), 0, "round {round}");
            assert!(!store.engine().abort_upload(BUCKET, KEY.into(), upload).await.unwrap());
        }
        store.close().await;
    })
    .unwrap();
}

#[test]
fn a_start_forgets_parts_that_nothing_keeps() {
    let directory = Directory::new("orphan-parts");
    run(async {
        let object = random_object();
        let store = open(&directory).await;
        let kept = store.upload(BUCKET, KEY, &object).await.unwrap();
        let aborted = store.upload(BUCKET, "other", &object).await.unwrap();
        store.merge().await.unwrap();
        assert!(
            store
                .engine()
                .abort_upload(BUCKET, "other".into(), aborted)
                .await
                .unwrap()
        );
        store.crash().await;
        drop(store);
        // The index is made anew: the log holds the parts, and nothing says that they are gone but the end of the upload.
        std::fs::remove_file(directory.paths().index()).unwrap();
        let store = open(&directory).await;
        store.sweep().await.unwrap();
        merge_twice(&store).await;
        assert_eq!(store.engine().parts(BUCKET, aborted, 0, 10).await.unwrap().len(), 0);
        assert_eq!(store.engine().parts(BUCKET, kept, 0, 10).await.unwrap().len(), 3);
        store.complete(BUCKET, KEY, &object, kept).await.unwrap();
        store.close().await;
        std::fs::remove_file(directory.paths().index()).unwrap();
        let store = open(&directory).await;
        store.sweep().await.unwrap();
        merge_twice(&store).await;
        assert_eq!(store.read(BUCKET, KEY).await.unwrap().as_ref(), Some(&object));
        store.close().await;
    })
    .unwrap();
}

#[test]
fn a_reader_keeps_the_parts_it_reads() {
    let directory = Directory::new("read-parts");
    run(async {
        let object = random_object();
        let store = open(&directory).await;
        store.put(BUCKET, KEY, &object, Body::Parts).await.unwrap();
        let reader = store.reader(BUCKET, KEY).await.unwrap().unwrap();
        store.delete(BUCKET, KEY).await.unwrap();
        merge_twice(&store).await;
        merge_twice(&store).await;
        assert_eq!(reader.read(0, u64::MAX).await.unwrap(), object);
        drop(reader);
        merge_twice(&store).await;
        wait_until("the blobs of parts go", || blobs(&directory) == 0).await;
        store.close().await;
    })
    .unwrap();
}

/// A change of the key that comes between the decision and the turn that appends makes it be decided again.
#[test]
fn what_changed_meanwhile_is_decided_again() {
    let directory = Directory::new("decided-again");
    run(async {
        let store = open(&directory).await;
        let object = random_object();
        let put = async |etag: &str| {
            let object = Object {
                etag: etag.to_owned(),
                ..object.clone()
            };
            store.prepare(&object, Body::Small).await.unwrap()
        };
        let asked = Cell::new(0);
        let other = put("other").await;
        let other = Cell::new(Some(other));
        let mine = put("mine").await;
        let allows = |found: Option<&ObjectEntry>| {
            asked.set(asked.get() + 1);
            // In line before what is decided here.
            if let Some(other) = other.take() {
                drop(store.engine().submit(BUCKET, KEY.into(), other));
            }
            match found {
                None => Ok(()),
                Some(entry) => Err(entry.meta.etag.clone()),
            }
        };
        let changed = store
            .engine()
            .change_if(BUCKET, KEY.into(), Versioning::Unversioned, None, mine, allows)
            .await;
        assert_eq!(changed.unwrap().err().as_deref(), Some("other"));
        assert_eq!(asked.get(), 2);
        store.close().await;
    })
    .unwrap();
}

#[test]
fn only_one_of_many_creates_a_key() {
    let directory = Directory::new("one-creates");
    run(async {
        let store = open(&directory).await;
        for versioning in [Versioning::Unversioned, Versioning::Enabled] {
            let key = format!("{versioning:?}");
            let attempts = (0..20).map(|number| {
                let (engine, key) = (std::rc::Rc::clone(store.engine()), key.clone());
                let (giver, receiver) = corelane_mountpath::completion::completion();
                corelane_mountpath::io::spawn(async move {
                    let meta = ObjectMeta {
                        etag: number.to_string(),
                        ..ObjectMeta::default()
                    };
                    let change = Change::Put(
                        NewVersion::from(versioning),
                        Box::new(meta),
                        NewPayload::Small(Vec::new()),
                    );
                    let absent = |found: Option<&ObjectEntry>| found.map_or(Ok(()), |_| Err(()));
                    let made = engine
                        .change_if(BUCKET, key.into(), versioning, None, change, absent)
                        .await;
                    giver.give(made.unwrap().is_ok());
                });
                receiver
            });
            let attempts: Vec<_> = attempts.collect();
            let mut made = 0;
            for attempt in attempts {
                made += usize::from(attempt.wait().await.unwrap());
            }
            assert_eq!(made, 1);
        }
        store.close().await;
    })
    .unwrap();
}

#[test]
fn an_upload_ends_once() {
    let directory = Directory::new("ends-once");
    run(async {
        let store = open(&directory).await;
        let object = random_object();
        let upload = store.upload(BUCKET, KEY, &object).await.unwrap();
        store.complete(BUCKET, KEY, &object, upload).await.unwrap();
        let engine = store.engine();
        let decide = |_: &ObjectEntry, _: &[_], _: Option<&ObjectEntry>| Ok::<_, ()>(ObjectMeta::default());
        let again = engine
            .complete_upload(BUCKET, KEY.into(), Versioning::Unversioned, upload, decide)
            .await;
        assert_eq!(again.unwrap().unwrap(), None);
        let meta = Box::new(ObjectMeta::default());
        let payload = NewPayload::Small(Vec::new());
        let late = engine.put_part(BUCKET, KEY.into(), upload, 1, meta, payload).await;
        assert_eq!(late.unwrap(), None);
        assert!(!engine.abort_upload(BUCKET, KEY.into(), upload).await.unwrap());
        assert_eq!(
            engine
                .upload(BUCKET, KEY.as_bytes(), UploadId(upload.0 + 1))
                .await
                .unwrap(),
            None
        );
        assert_eq!(store.read(BUCKET, KEY).await.unwrap().as_ref(), Some(&object));
        let deleted = engine.change(BUCKET, KEY.into(), Change::Delete(VersionId::Null)).await;
        assert!(matches!(deleted, Ok(Outcome::Deleted)));
        store.close().await;
    })
    .unwrap();
}
