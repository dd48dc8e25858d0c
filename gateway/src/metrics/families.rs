//! Each metric with its name, what it says, and where its samples come from.

use super::{NodeSnapshot, Snapshot};
use crate::route::Way;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};
use proto::{
    auth::sigv4::hex,
    cluster::message::{CoreStats, ShardState, ShardStats},
};
use std::{collections::HashSet, fmt};

/// Name (a counter's without `_total`), what it says, and the number.
type Family<T> = (&'static str, &'static str, fn(&T) -> u64);

const CORE_COUNTERS: &[Family<CoreStats>] = &[
    (
        "core_access_log_dropped_lines",
        "Lines of the node's access log that were lost, told by its first core.",
        |core| core.access_log_dropped_lines,
    ),
    ("core_cache_hits", "Blocks found in the read cache.", |core| {
        core.cache_hits
    }),
    (
        "core_cache_misses",
        "Blocks looked for in the read cache in vain.",
        |core| core.cache_misses,
    ),
    ("core_received_bytes", "Bytes received on the core's port.", |core| {
        core.received_bytes
    }),
    ("core_sent_bytes", "Bytes sent from the core's port.", |core| {
        core.sent_bytes
    }),
    (
        "core_connections_handed",
        "Connections that gateways have passed to the core.",
        |core| core.handoff.handed,
    ),
    (
        "core_connections_moved",
        "Connections that the core has passed to another one of its node.",
        |core| core.handoff.moved,
    ),
    (
        "core_connections_returned",
        "Connections that the core has passed to a gateway.",
        |core| core.handoff.returned,
    ),
    (
        "core_leased_requests",
        "Requests that were admitted under a lease, without a gateway.",
        |core| core.handoff.leased,
    ),
];

const CORE_GAUGES: &[Family<CoreStats>] = &[
    ("core_connections", "Connections open on the core's port.", |core| {
        core.connections
    }),
    ("core_uploads", "Large uploads being received.", |core| core.uploads),
];

const SHARD_COUNTERS: &[Family<ShardStats>] = &[
    ("log_fdatasync", "fdatasync calls of the shard's log.", |shard| {
        shard.syncs
    }),
    ("log_appended_bytes", "Bytes appended to the shard's log.", |shard| {
        shard.appended_bytes
    }),
    ("log_batches", "Batches appended to the shard's log.", |shard| {
        shard.batches
    }),
    ("log_records", "Records appended to the shard's log.", |shard| {
        shard.records
    }),
    (
        "log_compacted_segments",
        "Segments of the shard's log that were compacted away.",
        |shard| shard.compacted_segments,
    ),
    (
        "index_merges",
        "Merges of the shard's memtable into its index on disk.",
        |shard| shard.merges,
    ),
    (
        "shard_damaged_objects",
        "Objects of the shard found damaged.",
        |shard| shard.damaged_objects,
    ),
];

const SHARD_GAUGES: &[Family<ShardStats>] = &[
    ("log_bytes", "Bytes of the segments of the shard's log.", |shard| {
        shard.log_bytes
    }),
    (
        "log_live_bytes",
        "Bytes of the shard's log that are still needed.",
        |shard| shard.log_live_bytes,
    ),
    (
        "index_memtable_entries",
        "Entries of the shard's index that are in memory only.",
        |shard| shard.memtable_entries,
    ),
    ("shard_objects", "Objects of the shard.", |shard| shard.objects),
    (
        "shard_object_bytes",
        "Bytes of the payloads of the shard's objects.",
        |shard| shard.object_bytes,
    ),
    (
        "shard_read_only",
        "1 after a failed write or sync: the shard takes no writes until a restart.",
        |shard| u64::from(shard.state == ShardState::ReadOnly),
    ),
];

type Labels = Vec<(&'static str, String)>;

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.encode_gateway(&mut encoder)?;
        let nodes = self
            .nodes
            .iter()
            .map(|node| (vec![("node", hex(&node.node))], u64::from(node.is_up)));
        gauge(
            &mut encoder,
            "node_up",
            "Whether the node lives and all of its cores answer.",
            nodes,
        )?;
        self.encode_cores(&mut encoder)?;
        self.encode_shards(&mut encoder)
    }
}

impl Snapshot {
    fn encode_gateway(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let requests = self.requests.iter().map(|((operation, class, way), count)| {
            let way = way.map_or("gateway", Way::name);
            let labels = vec![
                ("operation", (*operation).to_owned()),
                ("status", status(*class)),
                ("way", way.to_owned()),
            ];
            (labels, *count)
        });
        counter(
            encoder,
            "gateway_requests",
            "Requests: answered by the gateway itself, with a redirect to a core, or with what a core answered; or passed to a core with their connection.",
            requests,
        )?;
        if let Some(lines) = self.access_log_dropped {
            let name = "gateway_access_log_dropped_lines";
            let help = "Lines of the gateway's access log that were lost: requests came faster than they were written.";
            ConstCounter::new(lines).encode(encoder.encode_descriptor(name, help, None, MetricType::Counter)?)?;
        }
        let connections = ConstGauge::new(u64::try_from(self.connections).unwrap_or(u64::MAX));
        let help = "Client connections of the gateway.";
        connections.encode(encoder.encode_descriptor("gateway_connections", help, None, MetricType::Gauge)?)
    }

    fn encode_cores(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let requests = self.cores().flat_map(|(labels, core)| {
            core.requests.iter().map(move |request| {
                let mut labels = labels.clone();
                labels.push(("operation", request.operation.clone()));
                labels.push(("status", status(u16::from(request.status_class))));
                (labels, request.count)
            })
        });
        counter(
            encoder,
            "core_requests",
            "Requests to the core: S3 operations, gateways' messages, connections passed to a gateway, refusals.",
            requests,
        )?;
        for (name, help, value) in CORE_COUNTERS {
            let samples = self.cores().map(|(labels, core)| (labels, value(core)));
            counter(encoder, name, help, samples)?;
        }
        for (name, help, value) in CORE_GAUGES {
            let samples = self.cores().map(|(labels, core)| (labels, value(core)));
            gauge(encoder, name, help, samples)?;
        }
        let pools = || {
            self.cores().flat_map(|(labels, core)| {
                let pools = [
                    ("cache", core.cache),
                    ("receiving", core.receiving),
                    ("sending", core.sending),
                ];
                pools.map(|(name, pool)| {
                    let mut labels = labels.clone();
                    labels.push(("pool", name.to_owned()));
                    (labels, pool)
                })
            })
        };
        gauge(
            encoder,
            "core_memory_used_bytes",
            "Memory in use, by what it is for.",
            pools().map(|(labels, pool)| (labels, pool.used_bytes)),
        )?;
        gauge(
            encoder,
            "core_memory_limit_bytes",
            "Most memory that may be in use, by what it is for.",
            pools().map(|(labels, pool)| (labels, pool.limit_bytes)),
        )
    }

    fn encode_shards(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let serving: HashSet<[u8; 16]> = self.shard_stats().map(|(_, shard)| shard.shard).collect();
        let up = self.shards.iter().map(|entry| {
            let labels = vec![("node", hex(&entry.node)), ("shard", hex(&entry.shard))];
            (labels, u64::from(serving.contains(&entry.shard)))
        });
        gauge(
            encoder,
            "shard_up",
            "Whether a core that answers serves the shard. Requests for one that is not up are answered 503.",
            up,
        )?;
        for (name, help, value) in SHARD_COUNTERS {
            let samples = self.shard_stats().map(|(labels, shard)| (labels, value(shard)));
            counter(encoder, name, help, samples)?;
        }
        for (name, help, value) in SHARD_GAUGES {
            let samples = self.shard_stats().map(|(labels, shard)| (labels, value(shard)));
            gauge(encoder, name, help, samples)?;
        }
        Ok(())
    }

    /// Every core that answered.
    fn cores(&self) -> impl Iterator<Item = (Labels, &CoreStats)> {
        let of_node = |node: &NodeSnapshot| hex(&node.node);
        self.nodes.iter().flat_map(move |node| {
            let node_id = of_node(node);
            node.cores.iter().map(move |(index, core)| {
                let labels = vec![("node", node_id.clone()), ("core", index.to_string())];
                (labels, core)
            })
        })
    }

    /// Every shard that is served; one that is not has no numbers.
    fn shard_stats(&self) -> impl Iterator<Item = (Labels, &ShardStats)> {
        self.cores().flat_map(|(labels, core)| {
            let served = core
                .shards
                .iter()
                .filter(|shard| shard.state != ShardState::Unavailable);
            served.map(move |shard| {
                let mut labels = labels.clone();
                labels.push(("shard", hex(&shard.shard)));
                (labels, shard)
            })
        })
    }
}

/// `2xx`; `none` for a request that got no answer.
fn status(class: u16) -> String {
    match class {
        0 => "none".to_owned(),
        class => format!("{class}xx"),
    }
}

fn counter(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    samples: impl Iterator<Item = (Labels, u64)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (labels, value) in samples {
        ConstCounter::new(value).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    samples: impl Iterator<Item = (Labels, u64)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in samples {
        ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}
