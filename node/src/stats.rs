//! What a core counts, and how it is told. Single-threaded like the core: plain cells, no atomics.

use crate::{admission::Work, core::Core, traffic::Traffic};
use mountpath::{buffer::BufferPool, shard_store::ShardStore};
use proto::{
    auth::ticket::Grant,
    cluster::message::{CoreStats, HandoffStats, PoolStats, RequestCount, ShardState, ShardStats},
    s3::operation::Operation,
};
use std::{cell::Cell, fmt, rc::Rc};

/// What a request to a core is counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An operation on an object.
    Object(Operation),
    /// A gateway's message.
    List,
    /// A gateway's message.
    DeleteBatch,
    /// A gateway's message.
    Expire,
    /// A gateway's message.
    Fence,
    /// A gateway's message.
    Stats,
    /// A gateway's message.
    Configure,
    /// Another core's message: it copies an object of this one.
    Read,
    /// A connection without a ticket, passed through to a gateway; counted once, without a status.
    Relay,
    /// No valid ticket, or not HTTP.
    Refused,
}

/// Kinds that are no operations on objects.
const OTHER_KINDS: [Kind; 9] = [
    Kind::List,
    Kind::DeleteBatch,
    Kind::Expire,
    Kind::Fence,
    Kind::Stats,
    Kind::Configure,
    Kind::Read,
    Kind::Relay,
    Kind::Refused,
];
const KIND_COUNT: usize = OTHER_KINDS.len() + Operation::OF_CORES.len();

impl Kind {
    /// All of them, in the order they are counted in.
    fn all() -> impl Iterator<Item = Self> {
        let of_objects = Operation::OF_CORES
            .iter()
            .map(|(operation, _)| Self::Object(*operation));
        OTHER_KINDS.into_iter().chain(of_objects)
    }

    /// Its place in that order.
    fn position(self) -> Option<usize> {
        match self {
            // Their numbers begin with 1.
            Self::Object(operation) => Some(OTHER_KINDS.len() + usize::from(operation.of_core()?) - 1),
            other => OTHER_KINDS.iter().position(|kind| *kind == other),
        }
    }

    /// Of an admitted request.
    pub fn of(work: &Work) -> Self {
        match work {
            Work::Object(object) => Self::Object(object.operation),
            Work::Message(Grant::List { .. }) => Self::List,
            Work::Message(Grant::DeleteBatch { .. }) => Self::DeleteBatch,
            Work::Message(Grant::Expire { .. }) => Self::Expire,
            Work::Message(Grant::Fence { .. }) => Self::Fence,
            Work::Message(Grant::Stats) => Self::Stats,
            Work::Message(Grant::Configure { .. }) => Self::Configure,
            Work::Message(Grant::Read { .. }) => Self::Read,
            Work::Message(_) => Self::Refused,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Object(operation) => operation.name(),
            Self::List => "List",
            Self::DeleteBatch => "DeleteBatch",
            Self::Expire => "Expire",
            Self::Fence => "Fence",
            Self::Stats => "Stats",
            Self::Configure => "Configure",
            Self::Read => "Read",
            Self::Relay => "Relay",
            Self::Refused => "Refused",
        }
    }
}

/// Classes of status, by their hundreds; 0 is no status at all.
const STATUS_CLASSES: usize = 6;

/// Requests by kind and class of status.
#[derive(Default)]
pub struct RequestCounters([[Cell<u64>; STATUS_CLASSES]; KIND_COUNT]);

impl fmt::Debug for RequestCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestCounters(..)")
    }
}

impl RequestCounters {
    /// One more, answered with this status; 0: not answered.
    pub fn count(&self, kind: Kind, status: u16) {
        let classes = kind.position().and_then(|position| self.0.get(position));
        if let Some(cell) = classes.and_then(|classes| classes.get(usize::from(status / 100))) {
            cell.set(cell.get() + 1);
        }
    }

    fn counts(&self) -> Vec<RequestCount> {
        let mut counts = Vec::new();
        for (kind, classes) in Kind::all().zip(&self.0) {
            for (status_class, cell) in (0..).zip(classes) {
                if cell.get() > 0 {
                    counts.push(RequestCount {
                        operation: kind.name().to_owned(),
                        status_class,
                        count: cell.get(),
                    });
                }
            }
        }
        counts
    }
}

/// A number that only rises.
#[derive(Debug, Default)]
pub struct Counter(Cell<u64>);

impl Counter {
    /// So many more.
    pub fn add(&self, count: u64) {
        self.0.set(self.0.get().wrapping_add(count));
    }
}

/// Connections that were passed around, and what was done on them without a gateway.
#[derive(Debug, Default)]
pub struct HandoffCounters {
    /// Connections a gateway passed to the core.
    pub handed: Counter,
    /// Connections the core passed to a sibling.
    pub moved: Counter,
    /// Connections the core passed to a gateway.
    pub returned: Counter,
    /// Requests served, here or by a sibling, under a lease.
    pub leased: Counter,
}

/// The counters of a core that are not part of anything else.
#[derive(Debug, Default)]
pub struct Counters {
    /// Requests answered.
    pub requests: Rc<RequestCounters>,
    /// Bytes on its port.
    pub traffic: Rc<Traffic>,
    /// Connections passed around.
    pub handoff: HandoffCounters,
}

/// All of a core's numbers.
pub fn core_stats(core: &Core) -> CoreStats {
    let unavailable = core.unavailable.iter().map(|shard| ShardStats {
        shard: *shard,
        state: ShardState::Unavailable,
        ..ShardStats::default()
    });
    CoreStats {
        connections: core.connection_count() as u64,
        requests: core.counters.requests.counts(),
        cache_hits: core.cache.hits(),
        cache_misses: core.cache.misses(),
        received_bytes: core.counters.traffic.received(),
        sent_bytes: core.counters.traffic.sent(),
        uploads: core.uploads.get() as u64,
        handoff: HandoffStats {
            handed: core.counters.handoff.handed.0.get(),
            moved: core.counters.handoff.moved.0.get(),
            returned: core.counters.handoff.returned.0.get(),
            leased: core.counters.handoff.leased.0.get(),
        },
        access_log_dropped_lines: match core.index {
            // All cores of a node have one queue.
            0 => core.access_log.dropped().unwrap_or(0),
            _ => 0,
        },
        cache: PoolStats {
            used_bytes: core.cache.used_bytes(),
            limit_bytes: core.cache.limit_bytes(),
        },
        receiving: pool_stats(&core.receiving),
        sending: pool_stats(&core.sending),
        shards: core
            .shards
            .iter()
            .map(|shard| shard_stats(shard))
            .chain(unavailable)
            .collect(),
    }
}

fn pool_stats(pool: &BufferPool) -> PoolStats {
    PoolStats {
        used_bytes: pool.used() as u64,
        limit_bytes: pool.limit() as u64,
    }
}

/// A shard's numbers: the one place that knows what the storage engine counts.
fn shard_stats(shard: &ShardStore) -> ShardStats {
    let state = if shard.unavailable().is_some() {
        ShardState::Unavailable
    } else if shard.is_read_only() {
        ShardState::ReadOnly
    } else {
        ShardState::Serving
    };
    let counters = shard.counters();
    ShardStats {
        shard: shard.uuid(),
        state,
        syncs: counters.syncs,
        appended_bytes: counters.appended_bytes,
        batches: counters.batches,
        records: counters.records,
        objects: counters.objects,
        object_bytes: counters.object_bytes,
        log_live_bytes: counters.log_live_bytes,
        log_bytes: counters.log_bytes,
        memtable_entries: counters.recent_entries,
        merges: counters.merges,
        compacted_segments: counters.compacted_segments,
        damaged_objects: counters.damaged_objects,
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, RequestCounters};
    use proto::s3::operation::Operation;

    #[test]
    fn requests_are_counted_by_kind_and_class_of_status() {
        let counters = RequestCounters::default();
        for status in [200, 206, 404, 0] {
            counters.count(Kind::Object(Operation::GetObject), status);
        }
        counters.count(Kind::Refused, 403);
        // No status HTTP has.
        counters.count(Kind::Refused, 999);
        let counts = counters.counts();
        let seen: Vec<(&str, u8, u64)> = counts
            .iter()
            .map(|count| (count.operation.as_str(), count.status_class, count.count))
            .collect();
        assert_eq!(
            seen,
            [
                ("Refused", 4, 1),
                ("GetObject", 0, 1),
                ("GetObject", 2, 2),
                ("GetObject", 4, 1)
            ]
        );
    }

    #[test]
    fn kinds_are_numbered_as_they_are_listed() {
        assert!(
            Kind::all()
                .enumerate()
                .all(|(index, kind)| kind.position() == Some(index))
        );
    }
}
