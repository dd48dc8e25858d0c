//! Placement: pinned for ever, even, and moving no more keys than it must.
#![allow(clippy::unwrap_used)]

use corelane_proto::{
    cluster::{
        map::{ShardEntry, ShardMap},
        placement::owner,
    },
    s3::bucket::BucketId,
};

/// Data was placed by these answers. If this test fails, the change that made it fail loses data.
#[test]
fn pinned() {
    let map = map(8);
    let owners: Vec<usize> = [
        (0, ""),
        (1, "a"),
        (1, "a/b"),
        (2, "a"),
        (u64::MAX, "clé"),
        (7, "train/part-00000.tar"),
        (7, "train/part-00001.tar"),
        (7, "train/part-00002.tar"),
    ]
    .into_iter()
    .map(|(bucket, key)| owner(&map, BucketId(bucket), key.as_bytes()).unwrap())
    .collect();
    let long = owner(&map, BucketId(9), &[b'k'; 1024]).unwrap();
    assert_eq!((owners, long), (vec![0, 2, 3, 4, 7, 4, 3, 1], 4));
}

#[test]
fn an_empty_map_owns_nothing() {
    assert_eq!(owner(&ShardMap::default(), BucketId(1), b"key"), None);
}

#[test]
fn the_order_of_the_shards_does_not_matter() {
    let forward = map(9);
    let mut backward = forward.clone();
    backward.shards.reverse();
    for key in keys(1000) {
        let bucket = BucketId(3);
        let one = forward.shards[owner(&forward, bucket, key.as_bytes()).unwrap()];
        let other = backward.shards[owner(&backward, bucket, key.as_bytes()).unwrap()];
        assert_eq!(one, other);
    }
}

/// Chi-squared over the shards; for 63 degrees of freedom a fair placement exceeds 120 once in 100,000 runs, and this
/// run is always the same.
#[test]
fn keys_spread_evenly() {
    let map = map(64);
    for bucket in [1, 2, 1 << 40] {
        let mut counts = vec![0u32; map.shards.len()];
        let total = 64_000u32;
        for key in keys(total) {
            counts[owner(&map, BucketId(bucket), key.as_bytes()).unwrap()] += 1;
        }
        let mean = f64::from(total) / 64.0;
        let chi_squared: f64 = counts
            .iter()
            .map(|&count| (f64::from(count) - mean).powi(2) / mean)
            .sum();
        assert!(chi_squared < 120.0, "bucket {bucket}: {chi_squared}");
    }
}

/// A key moves only to a shard that joined or from a shard that left, and one in n does.
#[test]
fn movement_is_minimal() {
    let small = map(10);
    let large = map(11);
    let total = 20_000u32;
    let mut moved = 0u32;
    for key in keys(total) {
        let before = small.shards[owner(&small, BucketId(5), key.as_bytes()).unwrap()];
        let after = owner(&large, BucketId(5), key.as_bytes()).unwrap();
        if large.shards[after] != before {
            assert_eq!(after, 10, "{key} moved between shards that were there before");
            moved += 1;
        }
    }
    let expected = f64::from(total) / 11.0;
    assert!(
        (f64::from(moved) - expected).abs() < 6.0 * expected.sqrt(),
        "{moved} of {total} moved"
    );
}

/// Shards with identities that look random and are always the same.
fn map(count: u64) -> ShardMap {
    let shards = (0..count)
        .map(|index| {
            let half = |salt: u64| (index * 2 + salt + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
            let mut shard = [0; 16];
            shard[..8].copy_from_slice(&half(0));
            shard[8..].copy_from_slice(&half(1));
            ShardEntry { shard, node: [1; 16] }
        })
        .collect();
    ShardMap { version: 1, shards }
}

fn keys(count: u32) -> impl Iterator<Item = String> {
    (0..count).map(|index| format!("train/part-{index:05}.tar"))
}
