//! What a gateway and a core on the same host tell each other over the channel on which they pass connections: messages
//! on a Unix stream socket, each behind its length; a connection's descriptor comes along with the first byte of the
//! message that is about it (SCM_RIGHTS, unix(7)), so descriptors come in the order of those messages.

use super::map::{ShardMap, Uuid, count, decode_list};
use crate::{
    auth::lease::Lease,
    limits::{CHANNEL_MESSAGE_BYTES_MAX, REVOCATIONS_PER_MESSAGE_MAX},
    s3::{bucket::BucketId, properties::Access},
    wire::{Decoder, Encoder, WireError},
};

/// From a gateway to a core.
#[derive(Debug, Clone, PartialEq, Eq)]
// Nearly all messages are about connections, and none is kept.
#[allow(clippy::large_enum_variant)]
pub enum ToCore {
    /// The first message: a sealed `Grant::Channel`.
    Hello {
        /// Base64url.
        ticket: String,
    },
    /// The shard map from here on.
    ShardMap(ShardMap),
    /// What tickets made before are not worth any more; at most [`REVOCATIONS_PER_MESSAGE_MAX`].
    Revoked(Vec<Revocation>),
    /// Leases of this epoch, and of no other, are good for [`crate::limits::LEASE_LIFE_MS`] from `sent_ms`.
    Heartbeat {
        /// The gateway's epoch.
        epoch: u64,
        /// CLOCK_MONOTONIC of the host, in milliseconds.
        sent_ms: u64,
    },
    /// A client's connection, whose descriptor comes along.
    Connection(HandedConnection),
}

/// Something that tickets made up to then do not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// What it is.
    pub what: Revoked,
    /// Milliseconds since the epoch.
    pub revoked_unix_ms: u64,
}

/// See [`Revocation`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revoked {
    /// An access key was removed: tickets made for it are worth nothing.
    Key(String),
    /// A bucket's `access` is this: tickets for its objects are worth what that allows.
    Access(BucketId, Access),
}

impl Revocation {
    fn encode(&self, encoder: &mut Encoder) {
        match &self.what {
            Revoked::Key(access_key) => encoder.u8(0).string(access_key),
            Revoked::Access(bucket, access) => encoder.u8(1).u64(bucket.0).u8(access.code()),
        };
        encoder.u64(self.revoked_unix_ms);
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        let what = match decoder.u8()? {
            0 => Revoked::Key(decoder.string()?),
            1 => {
                let bucket = BucketId(decoder.u64()?);
                let access = Access::from_code(decoder.u8()?).ok_or(WireError::Invalid)?;
                Revoked::Access(bucket, access)
            }
            _ => return Err(WireError::Invalid),
        };
        Ok(Self {
            what,
            revoked_unix_ms: decoder.u64()?,
        })
    }
}

/// A client's connection on its way to a core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandedConnection {
    /// The client's address.
    pub client: String,
    /// It had come from a core's port: nobody redirects it.
    pub relayed: bool,
    /// The sealed ticket of its first request.
    pub ticket: String,
    /// For the requests after that.
    pub lease: Option<Lease>,
    /// What was received and not served: the first request's head, and what came behind it.
    pub received: Vec<u8>,
}

/// From a core to a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToGateway {
    /// No lease of an earlier epoch is used any more, and the revocations before it hold.
    Acknowledged {
        /// The heartbeat's.
        epoch: u64,
    },
    /// A client's connection, whose next request is a gateway's; its descriptor comes along.
    Connection(ReturnedConnection),
}

/// A client's connection on its way to a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnedConnection {
    /// The client's address.
    pub client: String,
    /// It had come from a core's port: nobody redirects it.
    pub relayed: bool,
    /// The core has no room for it: its next request is not to be passed to a core again.
    pub refused: bool,
    /// What was received and not served.
    pub received: Vec<u8>,
}

impl ToCore {
    /// The message with its length before it.
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new();
        match self {
            Self::Hello { ticket } => {
                encoder.u8(1).string(ticket);
            }
            Self::ShardMap(map) => {
                encoder.u8(2);
                map.encode(&mut encoder);
            }
            Self::Revoked(revocations) => {
                encoder.u8(3).u32(count(revocations.len()));
                for revocation in revocations {
                    revocation.encode(&mut encoder);
                }
            }
            Self::Heartbeat { epoch, sent_ms } => {
                encoder.u8(4).u64(*epoch).u64(*sent_ms);
            }
            Self::Connection(handed) => {
                encoder
                    .u8(5)
                    .string(&handed.client)
                    .bool(handed.relayed)
                    .string(&handed.ticket);
                encoder.option(handed.lease.as_ref(), |encoder, lease| lease.encode(encoder));
                encoder.bytes(&handed.received);
            }
        }
        framed(&encoder.finish())
    }

    /// Out of a message without its length.
    pub fn decode(message: &[u8]) -> Result<Self, WireError> {
        let mut decoder = Decoder::new(message);
        let message = match decoder.u8()? {
            1 => Self::Hello {
                ticket: decoder.string()?,
            },
            2 => Self::ShardMap(ShardMap::decode(&mut decoder)?),
            3 => {
                let revocations = decode_list(&mut decoder, REVOCATIONS_PER_MESSAGE_MAX, Revocation::decode)?;
                Self::Revoked(revocations)
            }
            4 => Self::Heartbeat {
                epoch: decoder.u64()?,
                sent_ms: decoder.u64()?,
            },
            5 => Self::Connection(HandedConnection {
                client: decoder.string()?,
                relayed: decoder.bool()?,
                ticket: decoder.string()?,
                lease: decoder.option(Lease::decode)?,
                received: decoder.bytes()?.to_vec(),
            }),
            _ => return Err(WireError::Invalid),
        };
        decoder.finish()?;
        Ok(message)
    }
}

impl ToGateway {
    /// The message with its length before it.
    pub fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new();
        match self {
            Self::Acknowledged { epoch } => {
                encoder.u8(1).u64(*epoch);
            }
            Self::Connection(returned) => {
                encoder
                    .u8(2)
                    .string(&returned.client)
                    .bool(returned.relayed)
                    .bool(returned.refused)
                    .bytes(&returned.received);
            }
        }
        framed(&encoder.finish())
    }

    /// Out of a message without its length.
    pub fn decode(message: &[u8]) -> Result<Self, WireError> {
        let mut decoder = Decoder::new(message);
        let message = match decoder.u8()? {
            1 => Self::Acknowledged { epoch: decoder.u64()? },
            2 => Self::Connection(ReturnedConnection {
                client: decoder.string()?,
                relayed: decoder.bool()?,
                refused: decoder.bool()?,
                received: decoder.bytes()?.to_vec(),
            }),
            _ => return Err(WireError::Invalid),
        };
        decoder.finish()?;
        Ok(message)
    }
}

/// A channel's bytes on their way to become messages.
#[derive(Debug, Default)]
pub struct MessageReader {
    received: Vec<u8>,
    start: usize,
}

impl MessageReader {
    /// Takes bytes in.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start == self.received.len() {
            self.received.clear();
            self.start = 0;
        }
        self.received.extend_from_slice(bytes);
    }

    /// The next message, once it is complete. An error: the other side does not speak this language.
    pub fn take(&mut self) -> Result<Option<&[u8]>, WireError> {
        let rest = self.received.get(self.start..).unwrap_or_default();
        let Some((length, rest)) = rest.split_first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| WireError::Invalid)?;
        if length > CHANNEL_MESSAGE_BYTES_MAX {
            return Err(WireError::Invalid);
        }
        if rest.len() < length {
            self.received.drain(..self.start);
            self.start = 0;
            return Ok(None);
        }
        let begin = self.start + LENGTH_BYTES;
        self.start = begin + length;
        Ok(self.received.get(begin..self.start))
    }
}

const LENGTH_BYTES: usize = 4;

fn framed(message: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(LENGTH_BYTES + message.len());
    bytes.extend_from_slice(&count(message.len()).to_le_bytes());
    bytes.extend_from_slice(message);
    bytes
}

/// The name of a core's socket in the abstract namespace of unix(7): nothing lies on a disk, and what cannot be reached
/// by it is on another host. `random`: nobody can take the name before the node does.
pub fn channel_name(node: Uuid, random: Uuid, core: u16) -> String {
    let node = u128::from_be_bytes(node);
    let random = u128::from_be_bytes(random);
    format!("corelane-{node:032x}-{random:032x}-{core}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
