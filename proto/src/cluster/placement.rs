//! Rendezvous hashing: the shard with the highest score for a key owns it.

use super::map::{ShardMap, Uuid};
use crate::s3::bucket::BucketId;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The index in `map.shards` of the shard that owns a key; `None` for an empty map. The score is a 64-bit mix of
/// xxh3-64 of the key, seeded with the bucket id, and the shard's uuid; fixed for ever (a test pins it), since data was
/// placed by it. The order of the shards in the map does not matter.
pub fn owner(map: &ShardMap, bucket: BucketId, key: &[u8]) -> Option<usize> {
    let key_hash = xxh3_64_with_seed(key, bucket.0);
    map.shards
        .iter()
        .enumerate()
        .max_by_key(|(_, entry)| (score(key_hash, &entry.shard), entry.shard))
        .map(|(index, _)| index)
}

fn score(key_hash: u64, shard: &Uuid) -> u64 {
    let shard = u128::from_le_bytes(*shard);
    let low = (shard & u128::from(u64::MAX)) as u64;
    let high = (shard >> 64) as u64;
    mix(mix(key_hash ^ low) ^ high)
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014; constants by Stafford): a bijection in which every input bit
/// flips every output bit with a chance near one half.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
