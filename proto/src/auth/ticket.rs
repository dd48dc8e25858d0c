//! Tickets: sealed, short-lived capabilities for one operation on one core. A core holds no credentials and no bucket
//! metadata; a valid ticket is the only way in.

use super::object_grant::ObjectGrant;
pub use super::request_digest::request_digest;
use crate::{
    error::S3Error,
    limits::TICKET_BYTES_MAX,
    s3::{
        bucket::{BucketGrant, BucketId},
        copy_source::CopyRange,
        listing::ListQuery,
        version::VersionId,
    },
    wire::{Decoder, Encoder, WireError},
};
use aws_lc_rs::{
    aead::{AES_256_GCM_SIV, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    rand,
};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};

/// The query parameter that carries a ticket.
pub const QUERY_PARAMETER: &str = "corelane-ticket";
/// The header by which a core tells a gateway that it passed a connection on: a sealed [`Grant::Relay`].
pub const RELAY_HEADER: &str = "x-corelane-relay";

/// The first byte of what base64 holds.
const VERSION: u8 = 1;
const ASSOCIATED_DATA: &[u8] = b"corelane ticket v1";
/// Bytes before the ciphertext: version and nonce.
const HEADER_BYTES: usize = 1 + NONCE_LEN;

/// The cluster key: seals and opens tickets with AES-256-GCM-SIV (RFC 8452) and random nonces; what is sealed is
/// base64url of version byte, nonce, ciphertext, tag. Made at first start; never printed.
///
/// SIV, because one key seals a ticket a request for as long as the cluster lives: 96 random bits are too few for that
/// under plain GCM, where one repeated nonce lets tickets be forged. Under SIV it would only show that two tickets are
/// equal.
pub struct TicketKey {
    key: Option<RandomizedNonceKey>,
}

impl std::fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TicketKey(..)")
    }
}

/// Who acts. The default is nobody: a message of the cluster itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Principal {
    /// 64 hex digits; empty for anonymous.
    pub user_id: String,
    /// Display name.
    pub display_name: String,
    /// The access key id that signed; empty for none. When it is revoked, so is the ticket.
    pub access_key: String,
}

/// What a ticket allows.
#[derive(Debug, Clone)]
// Nearly all tickets are for an object, and each lives as long as its request.
#[allow(clippy::large_enum_variant)]
pub enum Grant {
    /// One S3 operation on one object.
    Object {
        /// What is to be done.
        object: ObjectGrant,
        /// Digest of the headers and query that must not change: [`request_digest`].
        request_digest: [u8; 32],
    },
    /// A page of a bucket from the shards of one core.
    List {
        /// The bucket.
        bucket: BucketId,
        /// The page.
        query: ListQuery,
    },
    /// DeleteObjects' share of one core: the body holds the keys (`cluster::delete_batch::DeleteBatch`) and has this
    /// SHA-256.
    DeleteBatch {
        /// The bucket.
        bucket: BucketGrant,
        /// SHA-256 of the request's body.
        body_sha256: [u8; 32],
    },
    /// What a bucket's lifecycle takes away on one core: the body says what (`cluster::expiry::ExpireBatch`) and has this
    /// SHA-256.
    Expire {
        /// The bucket.
        bucket: BucketGrant,
        /// SHA-256 of the request's body.
        body_sha256: [u8; 32],
    },
    /// Fences a bucket id for deletion on all shards of the core (durably), or lifts the fence.
    Fence {
        /// The bucket.
        bucket: BucketId,
        /// Whether the fence is to stand or to go.
        fenced: bool,
    },
    /// A connection that a core passed to a gateway: never redirect it. From this client address.
    Relay {
        /// The client's address.
        client: String,
    },
    /// A node announcing itself to a gateway.
    Register {
        /// The node.
        node: [u8; 16],
    },
    /// What the core counts and holds.
    Stats,
    /// Settings that have changed: the body names them (`cluster::configure::Configure`) and has this SHA-256.
    Configure {
        /// SHA-256 of the request's body.
        body_sha256: [u8; 32],
    },
    /// An object, or a range of it, for the core that copies it.
    Read {
        /// The bucket.
        bucket: BucketGrant,
        /// The decoded key.
        key: String,
        /// Which version; `None`: the newest.
        version: Option<VersionId>,
        /// Which bytes; `None`: all.
        range: Option<CopyRange>,
    },
    /// A gateway's channel to the core, over which connections are passed.
    Channel {
        /// The gateway, as long as it runs.
        gateway: [u8; 16],
    },
}

/// A ticket.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// Milliseconds since the epoch when it was made.
    pub issued_unix_ms: u64,
    /// Seconds since the epoch after which it is worthless.
    pub expires_unix_s: u64,
    /// The node it is for.
    pub node: [u8; 16],
    /// The core it is for.
    pub core: u16,
    /// The shard that owns the key (index in the node's own list); 0 where it does not apply.
    pub shard: [u8; 16],
    /// Who acts.
    pub principal: Principal,
    /// A gateway passes request and answer through, and writes them down in its access log.
    pub proxied: bool,
    /// What is allowed.
    pub grant: Grant,
}

/// Why a ticket is refused. All are 403 AccessDenied to a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum TicketError {
    #[error("not a ticket, or sealed with another key")]
    Unsealed,
    #[error("expired")]
    Expired,
    #[error("its content cannot be decoded")]
    Malformed(#[from] WireError),
}

impl TicketKey {
    /// From 32 bytes of key material.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        // Fails only for a wrong length. Without a key nothing opens.
        Self {
            key: RandomizedNonceKey::new(&AES_256_GCM_SIV, &bytes).ok(),
        }
    }
    /// New random key material.
    pub fn generate_bytes() -> [u8; 32] {
        let mut bytes = [0; 32];
        if rand::fill(&mut bytes).is_err() {
            // A cluster key that can be guessed lets everybody in: better no process than such a key.
            std::process::abort();
        }
        bytes
    }
    /// Seals a ticket to base64url without padding.
    pub fn seal(&self, ticket: &Ticket) -> String {
        let mut encoder = Encoder::new();
        ticket.encode(&mut encoder);
        let mut content = encoder.finish();
        let nonce = self.key.as_ref().and_then(|key| {
            key.seal_in_place_append_tag(Aad::from(ASSOCIATED_DATA), &mut content)
                .ok()
        });
        // Sealing fails only for contents of many gigabytes. An empty text opens nothing.
        let Some(nonce) = nonce else {
            return String::new();
        };
        let mut sealed = Vec::with_capacity(HEADER_BYTES + content.len());
        sealed.push(VERSION);
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&content);
        BASE64_URL_SAFE_NO_PAD.encode(sealed)
    }
    /// Opens a ticket and checks its expiry.
    pub fn open(&self, sealed: &str, now_unix_s: u64) -> Result<Ticket, TicketError> {
        if sealed.len() > TICKET_BYTES_MAX.div_ceil(3) * 4 {
            return Err(TicketError::Unsealed);
        }
        let mut bytes = BASE64_URL_SAFE_NO_PAD
            .decode(sealed)
            .map_err(|_| TicketError::Unsealed)?;
        let content = self.unseal(&mut bytes).ok_or(TicketError::Unsealed)?;
        let mut decoder = Decoder::new(content);
        let ticket = Ticket::decode(&mut decoder)?;
        decoder.finish()?;
        if now_unix_s > ticket.expires_unix_s {
            return Err(TicketError::Expired);
        }
        Ok(ticket)
    }

    fn unseal<'b>(&self, bytes: &'b mut [u8]) -> Option<&'b [u8]> {
        let (header, content) = bytes.split_at_mut_checked(HEADER_BYTES)?;
        let (version, nonce) = header.split_first()?;
        if *version != VERSION {
            return None;
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let key = self.key.as_ref()?;
        let content = key.open_in_place(nonce, Aad::from(ASSOCIATED_DATA), content).ok()?;
        Some(content)
    }
}

impl Principal {
    pub(super) fn encode(&self, encoder: &mut Encoder) {
        encoder
            .string(&self.user_id)
            .string(&self.display_name)
            .string(&self.access_key);
    }

    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        Ok(Self {
            user_id: decoder.string()?,
            display_name: decoder.string()?,
            access_key: decoder.string()?,
        })
    }
}

impl Ticket {
    fn encode(&self, encoder: &mut Encoder) {
        encoder
            .u64(self.issued_unix_ms)
            .u64(self.expires_unix_s)
            .fixed(&self.node)
            .u16(self.core)
            .fixed(&self.shard);
        self.principal.encode(encoder);
        encoder.bool(self.proxied);
        self.grant.encode(encoder);
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        Ok(Self {
            issued_unix_ms: decoder.u64()?,
            expires_unix_s: decoder.u64()?,
            node: decoder.array()?,
            core: decoder.u16()?,
            shard: decoder.array()?,
            principal: Principal::decode(decoder)?,
            proxied: decoder.bool()?,
            grant: Grant::decode(decoder)?,
        })
    }
}

impl Grant {
    fn encode(&self, encoder: &mut Encoder) {
        match self {
            Self::Object { object, request_digest } => {
                encoder.u8(1);
                object.encode(encoder);
                encoder.fixed(request_digest);
            }
            Self::List { bucket, query } => {
                encoder.u8(2).u64(bucket.0);
                query.encode(encoder);
            }
            Self::DeleteBatch { bucket, body_sha256 } => {
                encoder.u8(3);
                bucket.encode(encoder);
                encoder.fixed(body_sha256);
            }
            Self::Fence { bucket, fenced } => {
                encoder.u8(4).u64(bucket.0).bool(*fenced);
            }
            Self::Relay { client } => {
                encoder.u8(5).string(client);
            }
            Self::Register { node } => {
                encoder.u8(6).fixed(node);
            }
            Self::Stats => {
                encoder.u8(7);
            }
            Self::Configure { body_sha256 } => {
                encoder.u8(11).fixed(body_sha256);
            }
            Self::Channel { gateway } => {
                encoder.u8(8).fixed(gateway);
            }
            Self::Expire { bucket, body_sha256 } => {
                encoder.u8(10);
                bucket.encode(encoder);
                encoder.fixed(body_sha256);
            }
            Self::Read {
                bucket,
                key,
                version,
                range,
            } => {
                encoder.u8(9);
                bucket.encode(encoder);
                encoder
                    .string(key)
                    .option(*version, |encoder, version| version.encode(encoder))
                    .option(*range, |encoder, range| range.encode(encoder));
            }
        }
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        match decoder.u8()? {
            1 => Ok(Self::Object {
                object: ObjectGrant::decode(decoder)?,
                request_digest: decoder.array()?,
            }),
            2 => Ok(Self::List {
                bucket: BucketId(decoder.u64()?),
                query: ListQuery::decode(decoder)?,
            }),
            3 => Ok(Self::DeleteBatch {
                bucket: BucketGrant::decode(decoder)?,
                body_sha256: decoder.array()?,
            }),
            4 => Ok(Self::Fence {
                bucket: BucketId(decoder.u64()?),
                fenced: decoder.bool()?,
            }),
            5 => Ok(Self::Relay {
                client: decoder.string()?,
            }),
            6 => Ok(Self::Register { node: decoder.array()? }),
            7 => Ok(Self::Stats),
            11 => Ok(Self::Configure {
                body_sha256: decoder.array()?,
            }),
            8 => Ok(Self::Channel {
                gateway: decoder.array()?,
            }),
            10 => Ok(Self::Expire {
                bucket: BucketGrant::decode(decoder)?,
                body_sha256: decoder.array()?,
            }),
            9 => Ok(Self::Read {
                bucket: BucketGrant::decode(decoder)?,
                key: decoder.string()?,
                version: decoder.option(VersionId::decode)?,
                range: decoder.option(CopyRange::decode)?,
            }),
            _ => Err(WireError::Invalid),
        }
    }
}

/// Takes the ticket out of a raw query: the sealed text (as sent) and nothing else. `None`: there is none. Of several
/// the last counts, since gateways append theirs.
pub fn find(raw_query: &str) -> Option<&str> {
    raw_query
        .rsplit('&')
        .find_map(|parameter| parameter.strip_prefix(QUERY_PARAMETER)?.strip_prefix('='))
}

impl From<TicketError> for S3Error {
    fn from(_: TicketError) -> Self {
        S3Error::new(crate::error::ErrorCode::AccessDenied)
    }
}
