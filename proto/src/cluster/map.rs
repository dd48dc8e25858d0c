//! The cluster map: nodes with their cores' addresses, and the shard map that keys are placed by.

use crate::{
    limits::SHARD_COUNT_MAX,
    wire::{Decoder, Encoder, WireError},
};

/// A 16-byte random identity, printed as 32 hex digits.
pub type Uuid = [u8; 16];

/// A shard of the map: placement hashes over these, in this order, and over nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardEntry {
    /// The shard.
    pub shard: Uuid,
    /// The node that holds it.
    pub node: Uuid,
}

/// Versioned; changed only by an explicit cluster command, never by a flag or a failure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShardMap {
    /// Rises by one with every change.
    pub version: u64,
    /// At most SHARD_COUNT_MAX.
    pub shards: Vec<ShardEntry>,
}

/// A core as clients and gateways reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoreAddress {
    /// The TCP port.
    pub port: u16,
    /// The name of its channel for gateways on the same host, in the abstract socket namespace; `None`: it has none.
    pub channel: Option<String>,
    /// The shards it owns.
    pub shards: Vec<Uuid>,
}

/// What a node says of itself when it registers with a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeInfo {
    /// The node.
    pub node: Uuid,
    /// Where gateways connect: an IP address.
    pub address: String,
    /// The host name or address clients are redirected to; `None`: never redirect to this node.
    pub advertise: Option<String>,
    /// Its cores, by index.
    pub cores: Vec<CoreAddress>,
    /// Shards that belong to it and that it cannot serve now: their disk is away or broken.
    pub unavailable: Vec<Uuid>,
}

impl ShardMap {
    /// Encodes it.
    pub fn encode(&self, encoder: &mut Encoder) {
        encoder.u64(self.version).u32(count(self.shards.len()));
        for entry in &self.shards {
            encoder.fixed(&entry.shard).fixed(&entry.node);
        }
    }
    /// Decodes it.
    pub fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        let version = decoder.u64()?;
        let shards = decode_list(decoder, SHARD_COUNT_MAX, |decoder| {
            Ok(ShardEntry {
                shard: decoder.array()?,
                node: decoder.array()?,
            })
        })?;
        Ok(Self { version, shards })
    }
}

impl NodeInfo {
    /// Encodes it.
    pub fn encode(&self, encoder: &mut Encoder) {
        encoder.fixed(&self.node).string(&self.address);
        encoder.option(self.advertise.as_deref(), |encoder, host| {
            encoder.string(host);
        });
        encoder.u32(count(self.cores.len()));
        for core in &self.cores {
            encoder.u16(core.port);
            encoder.option(core.channel.as_deref(), |encoder, name| {
                encoder.string(name);
            });
            encoder.u32(count(core.shards.len()));
            for shard in &core.shards {
                encoder.fixed(shard);
            }
        }
        encoder.u32(count(self.unavailable.len()));
        for shard in &self.unavailable {
            encoder.fixed(shard);
        }
    }
    /// Decodes it; at most SHARD_COUNT_MAX cores and as many shards on all of them and on none together.
    pub fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        let node = decoder.array()?;
        let address = decoder.string()?;
        let advertise = decoder.option(Decoder::string)?;
        let mut shards_left = SHARD_COUNT_MAX;
        let cores = decode_list(decoder, SHARD_COUNT_MAX, |decoder| {
            let port = decoder.u16()?;
            let channel = decoder.option(Decoder::string)?;
            let shards = decode_list(decoder, shards_left, |decoder| decoder.array())?;
            shards_left -= shards.len();
            Ok(CoreAddress { port, channel, shards })
        })?;
        let unavailable = decode_list(decoder, shards_left, |decoder| decoder.array())?;
        Ok(Self {
            node,
            address,
            advertise,
            cores,
            unavailable,
        })
    }
}

/// A length as it is encoded. Every list is far below the maximum; one that were not would be refused when decoded.
pub(super) fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// A count and that many items. Memory grows with what was received, not with what the count claims.
pub(super) fn decode_list<T>(
    decoder: &mut Decoder<'_>,
    count_max: usize,
    mut item: impl FnMut(&mut Decoder<'_>) -> Result<T, WireError>,
) -> Result<Vec<T>, WireError> {
    let count = usize::try_from(decoder.u32()?).map_err(|_| WireError::Invalid)?;
    if count > count_max {
        return Err(WireError::Invalid);
    }
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(item(decoder)?);
    }
    Ok(items)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{CoreAddress, NodeInfo, ShardEntry, ShardMap};
    use crate::{
        limits::SHARD_COUNT_MAX,
        wire::{Decoder, Encoder, WireError},
    };

    #[test]
    fn shard_map_round_trips() {
        let shards = (0..5u8)
            .map(|i| ShardEntry {
                shard: [i; 16],
                node: [i / 2; 16],
            })
            .collect();
        let map = ShardMap { version: 7, shards };
        let mut encoder = Encoder::new();
        map.encode(&mut encoder);
        let bytes = encoder.finish();
        let mut decoder = Decoder::new(&bytes);
        assert_eq!(ShardMap::decode(&mut decoder).unwrap(), map);
        decoder.finish().unwrap();
        for cut in 0..bytes.len() {
            assert!(ShardMap::decode(&mut Decoder::new(&bytes[..cut])).is_err());
        }
    }

    #[test]
    fn a_count_over_the_limit_is_refused_before_its_items_are_read() {
        let mut encoder = Encoder::new();
        encoder.u64(1).u32(u32::try_from(SHARD_COUNT_MAX + 1).unwrap());
        let bytes = encoder.finish();
        assert_eq!(ShardMap::decode(&mut Decoder::new(&bytes)), Err(WireError::Invalid));
    }

    #[test]
    fn node_info_round_trips() {
        for advertise in [None, Some("store.example".to_owned())] {
            let info = NodeInfo {
                node: [9; 16],
                address: "127.0.0.1".to_owned(),
                advertise,
                cores: vec![
                    CoreAddress {
                        port: 51081,
                        channel: Some("corelane-channel".to_owned()),
                        shards: vec![[1; 16], [2; 16]],
                    },
                    CoreAddress {
                        port: 51082,
                        channel: None,
                        shards: Vec::new(),
                    },
                ],
                unavailable: vec![[3; 16]],
            };
            let mut encoder = Encoder::new();
            info.encode(&mut encoder);
            let bytes = encoder.finish();
            assert_eq!(NodeInfo::decode(&mut Decoder::new(&bytes)).unwrap(), info);
            for cut in 0..bytes.len() {
                assert!(NodeInfo::decode(&mut Decoder::new(&bytes[..cut])).is_err());
            }
        }
    }
}
