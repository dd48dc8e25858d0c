//! A segment that is gone: what was acknowledged in it is reported, the rest serves; and segments that compaction removed
//! are not taken for lost.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use corelane_mountpath::io::run;
use proto::s3::bucket::BucketId;
use std::fs;
use support::{
    directory::Directory,
    generator::Generator,
    seed,
    store::{Body, Object, Options, Store},
};

const BUCKET: BucketId = BucketId(4);

fn key(number: usize) -> String {
    format!("key-{number:03}")
}

/// Puts objects until there are some segments.
async fn fill(store: &Store, generator: &mut Generator, numbers: std::ops::Range<usize>) -> Vec<Object> {
    let mut objects = Vec::new();
    for number in numbers {
        let object = Object::random(generator, 30_000);
        store.put(BUCKET, &key(number), &object, Body::Small).await.unwrap();
        objects.push(object);
    }
    objects
}

#[test]
fn a_segment_that_the_index_did_not_know_yet_is_missed() {
    run(async {
        let directory = Directory::new("lost-tail");
        let mut generator = Generator::new(seed());
        let (store, _) = Store::open(&directory, None, Options::default()).await.unwrap();
        let merged = fill(&store, &mut generator, 0..40).await;
        store.merge().await.unwrap();
        let known = directory.paths().segments().unwrap();
        fill(&store, &mut generator, 40..160).await;
        store.crash().await;
        drop(store);
        let tail: Vec<u64> = directory.paths().segments().unwrap().split_off(known.len());
        assert!(tail.len() >= 3, "{tail:?}");
        fs::remove_file(directory.paths().segment(tail[1])).unwrap();

        let (store, found) = Store::open(&directory, None, Options::default()).await.unwrap();
        assert_eq!(found.damage.len(), 1, "{:?}", found.damage);
        assert!(found.damage[0].contains("of the log are damaged"), "{:?}", found.damage);
        for (number, object) in merged.iter().enumerate() {
            assert_eq!(store.read(BUCKET, &key(number)).await.unwrap().as_ref(), Some(object));
        }
        let keys = store.keys(BUCKET, 1000).await.unwrap().len();
        assert!((100..160).contains(&keys), "{keys} keys");
        store.close().await;
    })
    .unwrap();
}

#[test]
fn a_segment_that_the_index_knows_is_named_with_its_objects() {
    run(async {
        let directory = Directory::new("lost-old");
        let mut generator = Generator::new(seed());
        let (store, _) = Store::open(&directory, None, Options::default()).await.unwrap();
        let objects = fill(&store, &mut generator, 0..120).await;
        store.close().await;
        drop(store);
        let segments = directory.paths().segments().unwrap();
        fs::remove_file(directory.paths().segment(segments[1])).unwrap();

        let (store, found) = Store::open(&directory, None, Options::default()).await.unwrap();
        assert_eq!(found.damage.len(), 1, "{:?}", found.damage);
        let named = store.sweep().await.unwrap();
        for (number, object) in objects.iter().enumerate() {
            let is_named = named.iter().any(|line| line.contains(&key(number)));
            match store.read(BUCKET, &key(number)).await {
                Ok(read) => assert!(read.as_ref() == Some(object) && !is_named),
                Err(error) => assert!(is_named, "{}: {error}", key(number)),
            }
        }
        assert!((10..60).contains(&named.len()), "{named:?}");
        store.close().await;
    })
    .unwrap();
}
