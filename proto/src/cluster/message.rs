//! Messages between a gateway and a core: HTTP requests with a ticket to these paths, bodies in `wire` encoding.

use super::map::{Uuid, count, decode_list};
use crate::{
    limits::{REQUEST_COUNTS_MAX, SHARD_COUNT_MAX},
    wire::{Decoder, Encoder, WireError},
};

/// POST: `Grant::List`; empty request body; answers a `ListPage`.
pub const LIST_PATH: &str = "/_corelane/list";
/// POST: `Grant::DeleteBatch`; request body `DeleteBatch`; answers `DeleteBatchResult`.
pub const DELETE_BATCH_PATH: &str = "/_corelane/delete-batch";
/// POST: `Grant::Fence`; empty bodies, 200 or an S3 error.
pub const FENCE_PATH: &str = "/_corelane/fence";
/// POST: `Grant::Stats`; empty request body; answers `CoreStats`.
pub const STATS_PATH: &str = "/_corelane/stats";
/// POST on a gateway: `Grant::Register`; body `NodeInfo`; 204, or 409 when the shard map names other shards for this
/// node.
pub const REGISTER_PATH: &str = "/_corelane/register";

/// What a core has counted since its node started, and what it holds now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CoreStats {
    /// Client connections open now.
    pub connections: u64,
    /// Requests answered, by operation and status; pairs that never occurred are left out.
    pub requests: Vec<RequestCount>,
    /// Blocks found in the read cache.
    pub cache_hits: u64,
    /// Blocks looked for in the read cache in vain.
    pub cache_misses: u64,
    /// Bytes received on the core's port.
    pub received_bytes: u64,
    /// Bytes sent from the core's port.
    pub sent_bytes: u64,
    /// Large uploads being received now.
    pub uploads: u64,
    /// Connections that were passed around.
    pub handoff: HandoffStats,
    /// Lines of the node's access log that were lost; the node's first core tells.
    pub access_log_dropped_lines: u64,
    /// Memory of the read cache.
    pub cache: PoolStats,
    /// Memory uploads are received into.
    pub receiving: PoolStats,
    /// Memory of blocks being read and sent.
    pub sending: PoolStats,
    /// Its shards, those it cannot serve included.
    pub shards: Vec<ShardStats>,
}

/// Connections a core got from others and gave to others, since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HandoffStats {
    /// From a gateway.
    pub handed: u64,
    /// To a sibling core.
    pub moved: u64,
    /// To a gateway.
    pub returned: u64,
    /// Requests that were served under a lease.
    pub leased: u64,
}

/// How many requests for an operation were answered with a class of status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestCount {
    /// S3's name, or that of an internal message.
    pub operation: String,
    /// The hundreds of the status; 0: the client was gone before there was one.
    pub status_class: u8,
    /// How many.
    pub count: u64,
}

/// Memory with a limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// In use.
    pub used_bytes: u64,
    /// Never more than this.
    pub limit_bytes: u64,
}

/// Whether a shard serves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ShardState {
    /// Reads and writes.
    #[default]
    Serving,
    /// Reads only: a write or sync has failed.
    ReadOnly,
    /// Neither: it could not be opened.
    Unavailable,
}

/// What a shard has counted since it was opened, and what it holds now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShardStats {
    /// The shard.
    pub shard: Uuid,
    /// Whether it serves.
    pub state: ShardState,
    /// fdatasync calls of the log.
    pub syncs: u64,
    /// Bytes appended to the log.
    pub appended_bytes: u64,
    /// Batches appended to the log.
    pub batches: u64,
    /// Records appended to the log.
    pub records: u64,
    /// Objects it holds.
    pub objects: u64,
    /// Bytes of their payloads.
    pub object_bytes: u64,
    /// Bytes of the log that something still needs.
    pub log_live_bytes: u64,
    /// Bytes of the log's segments.
    pub log_bytes: u64,
    /// Entries of the index that are in memory only.
    pub memtable_entries: u64,
    /// Merges of those into the index on disk.
    pub merges: u64,
    /// Segments that were compacted away.
    pub compacted_segments: u64,
    /// Objects found damaged.
    pub damaged_objects: u64,
}

impl CoreStats {
    /// Encodes it.
    pub fn encode(&self, encoder: &mut Encoder) {
        encoder.u64(self.connections).u32(count(self.requests.len()));
        for request in &self.requests {
            encoder
                .string(&request.operation)
                .u8(request.status_class)
                .u64(request.count);
        }
        encoder
            .u64(self.cache_hits)
            .u64(self.cache_misses)
            .u64(self.received_bytes)
            .u64(self.sent_bytes)
            .u64(self.uploads)
            .u64(self.handoff.handed)
            .u64(self.handoff.moved)
            .u64(self.handoff.returned)
            .u64(self.handoff.leased)
            .u64(self.access_log_dropped_lines);
        for pool in [self.cache, self.receiving, self.sending] {
            encoder.u64(pool.used_bytes).u64(pool.limit_bytes);
        }
        encoder.u32(count(self.shards.len()));
        for shard in &self.shards {
            shard.encode(encoder);
        }
    }
    /// Decodes it; at most REQUEST_COUNTS_MAX counts of requests and SHARD_COUNT_MAX shards.
    pub fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        Ok(Self {
            connections: decoder.u64()?,
            requests: decode_list(decoder, REQUEST_COUNTS_MAX, |decoder| {
                Ok(RequestCount {
                    operation: decoder.string()?,
                    status_class: decoder.u8()?,
                    count: decoder.u64()?,
                })
            })?,
            cache_hits: decoder.u64()?,
            cache_misses: decoder.u64()?,
            received_bytes: decoder.u64()?,
            sent_bytes: decoder.u64()?,
            uploads: decoder.u64()?,
            handoff: HandoffStats {
                handed: decoder.u64()?,
                moved: decoder.u64()?,
                returned: decoder.u64()?,
                leased: decoder.u64()?,
            },
            access_log_dropped_lines: decoder.u64()?,
            cache: PoolStats::decode(decoder)?,
            receiving: PoolStats::decode(decoder)?,
            sending: PoolStats::decode(decoder)?,
            shards: decode_list(decoder, SHARD_COUNT_MAX, ShardStats::decode)?,
        })
    }
}

impl PoolStats {
    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        Ok(Self {
            used_bytes: decoder.u64()?,
            limit_bytes: decoder.u64()?,
        })
    }
}

impl ShardStats {
    fn encode(&self, encoder: &mut Encoder) {
        let state = match self.state {
            ShardState::Serving => 1,
            ShardState::ReadOnly => 2,
            ShardState::Unavailable => 3,
        };
        encoder
            .fixed(&self.shard)
            .u8(state)
            .u64(self.syncs)
            .u64(self.appended_bytes)
            .u64(self.batches)
            .u64(self.records)
            .u64(self.objects)
            .u64(self.object_bytes)
            .u64(self.log_live_bytes)
            .u64(self.log_bytes)
            .u64(self.memtable_entries)
            .u64(self.merges)
            .u64(self.compacted_segments)
            .u64(self.damaged_objects);
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        Ok(Self {
            shard: decoder.array()?,
            state: match decoder.u8()? {
                1 => ShardState::Serving,
                2 => ShardState::ReadOnly,
                3 => ShardState::Unavailable,
                _ => return Err(WireError::Invalid),
            },
            syncs: decoder.u64()?,
            appended_bytes: decoder.u64()?,
            batches: decoder.u64()?,
            records: decoder.u64()?,
            objects: decoder.u64()?,
            object_bytes: decoder.u64()?,
            log_live_bytes: decoder.u64()?,
            log_bytes: decoder.u64()?,
            memtable_entries: decoder.u64()?,
            merges: decoder.u64()?,
            compacted_segments: decoder.u64()?,
            damaged_objects: decoder.u64()?,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{CoreStats, HandoffStats, PoolStats, RequestCount, ShardState, ShardStats};
    use crate::wire::{Decoder, Encoder};

    #[test]
    fn statistics_round_trip() {
        let shard = |number: u64, state| ShardStats {
            shard: [9; 16],
            state,
            syncs: number,
            appended_bytes: number + 1,
            batches: number + 2,
            records: number + 3,
            objects: number + 4,
            object_bytes: number + 5,
            log_live_bytes: number + 6,
            log_bytes: number + 7,
            memtable_entries: number + 8,
            merges: number + 9,
            compacted_segments: number + 10,
            damaged_objects: number + 11,
        };
        let pool = |number| PoolStats {
            used_bytes: number,
            limit_bytes: number + 1,
        };
        let stats = CoreStats {
            connections: 1,
            requests: vec![RequestCount {
                operation: "GetObject".to_owned(),
                status_class: 2,
                count: u64::MAX,
            }],
            cache_hits: 3,
            cache_misses: 4,
            received_bytes: 5,
            sent_bytes: 6,
            uploads: 7,
            handoff: HandoffStats {
                handed: 8,
                moved: 9,
                returned: 10,
                leased: 11,
            },
            access_log_dropped_lines: 8,
            cache: pool(10),
            receiving: pool(20),
            sending: pool(30),
            shards: vec![
                shard(100, ShardState::Serving),
                shard(200, ShardState::ReadOnly),
                shard(300, ShardState::Unavailable),
            ],
        };
        let mut encoder = Encoder::new();
        stats.encode(&mut encoder);
        let bytes = encoder.finish();
        assert_eq!(CoreStats::decode(&mut Decoder::new(&bytes)).unwrap(), stats);
        for cut in 0..bytes.len() {
            assert!(CoreStats::decode(&mut Decoder::new(&bytes[..cut])).is_err());
        }
    }
}
