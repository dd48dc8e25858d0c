//! Leases: what a core needs to serve further requests of a connection that a gateway has passed to it, on one bucket,
//! without asking. A lease holds no secret key, but one that is derived from it for a day, a region and a service.

use super::{
    object_grant::ObjectGrant,
    sigv4::{Scope, SigningKey},
    ticket::Principal,
    verify::{Credential, SignatureClaim},
};
use crate::{
    http::head::RequestHead,
    s3::{address::Address, bucket::BucketGrant, expected_owner, name::BucketName, operation::Operation, query::Query},
    wire::{Decoder, Encoder, WireError},
};

/// Who sends the requests of a leased connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeasedCredential {
    /// Whoever it is: nothing is verified in this store.
    Anonymous,
    /// The holder of an access key.
    Key {
        /// What the signing key was derived for; claims of another scope are a gateway's.
        scope: Scope,
        /// The derived key.
        signing_key: SigningKey,
    },
}

/// What a core may do on a connection without asking a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// How who sends is known.
    pub credential: LeasedCredential,
    /// Who sends.
    pub principal: Principal,
    /// The one bucket.
    pub bucket: BucketGrant,
    /// The Host header under which the gateway found the bucket; a request with another one is the gateway's.
    pub host: Vec<u8>,
    /// The bucket is named by the host, and the whole path is the key.
    pub bucket_in_host: bool,
    /// The operations allowed.
    pub operations: LeasedOperations,
    /// The gateway's epoch when it was made. In any later one it is worth nothing.
    pub epoch: u64,
}

/// A set of operations on objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeasedOperations(u16);

impl LeasedOperations {
    /// What a bucket's owner may do without a gateway: everything but copies, which need to know where another object lies.
    pub const ALL: Self = Self(!(1 << COPY_OBJECT | 1 << UPLOAD_PART_COPY | 1));

    /// Whether an operation is in the set.
    pub fn contains(self, operation: Operation) -> bool {
        operation.of_core().is_some_and(|code| self.0 & (1 << code) != 0)
    }
}

/// Numbers of [`Operation::OF_CORES`].
const COPY_OBJECT: u8 = 5;
const UPLOAD_PART_COPY: u8 = 12;

impl Lease {
    /// What a request is allowed under the lease, verified at `now_unix_s`. `None`: the lease does not cover it, or it
    /// is to be refused; a gateway says which.
    pub fn open(&self, head: &RequestHead, now_unix_s: u64) -> Option<(ObjectGrant, Query)> {
        if head.header("host").unwrap_or_default() != self.host {
            return None;
        }
        // What the page's origin is granted is for the gateway to say.
        if self.bucket.has_cors && head.header("origin").is_some() {
            return None;
        }
        let query = Query::parse(head.raw_query()).ok()?;
        let address = self.address()?;
        let target = address.target(head.raw_path()).ok()?;
        let key = target.key()?;
        if target.bucket()?.as_str() != self.bucket.name {
            return None;
        }
        expected_owner::check(head, &query, expected_owner::OF_BUCKET, &self.bucket.owner_id).ok()?;
        let operation = Operation::parse(head, &target, &query).ok()?;
        if !self.operations.contains(operation) {
            return None;
        }
        address.allows(head.raw_path(), operation).ok()?;
        let verified = match &self.credential {
            LeasedCredential::Anonymous => None,
            LeasedCredential::Key { scope, signing_key } => {
                let claim = self.claim(head, &query).filter(|claim| claim.scope == *scope)?;
                Some(claim.verify_with(head, signing_key.clone(), now_unix_s).ok()?)
            }
        };
        let bucket = self.bucket.clone();
        let grant = ObjectGrant::new(operation, bucket, key.as_str(), head, verified.as_ref()).ok()?;
        Some((grant, query))
    }

    /// Where requests name the bucket.
    fn address(&self) -> Option<Address> {
        Some(match self.bucket_in_host {
            true => Address::Host(BucketName::parse(&self.bucket.name).ok()?),
            false => Address::Path,
        })
    }

    /// The request's signature, if it is the key's.
    fn claim(&self, head: &RequestHead, query: &Query) -> Option<SignatureClaim> {
        match Credential::from_request(head, query) {
            Ok(Credential::Signed(claim)) if claim.access_key == self.principal.access_key => {
                Some(if self.bucket_in_host {
                    claim.for_bucket_host()
                } else {
                    claim
                })
            }
            _ => None,
        }
    }

    /// Encodes it.
    pub fn encode(&self, encoder: &mut Encoder) {
        match &self.credential {
            LeasedCredential::Anonymous => {
                encoder.u8(0);
            }
            LeasedCredential::Key { scope, signing_key } => {
                encoder
                    .u8(1)
                    .string(&scope.date)
                    .string(&scope.region)
                    .string(&scope.service)
                    .fixed(signing_key.as_bytes());
            }
        }
        self.principal.encode(encoder);
        self.bucket.encode(encoder);
        encoder
            .bytes(&self.host)
            .bool(self.bucket_in_host)
            .u16(self.operations.0)
            .u64(self.epoch);
    }

    /// Decodes it.
    pub fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        let credential = match decoder.u8()? {
            0 => LeasedCredential::Anonymous,
            1 => LeasedCredential::Key {
                scope: Scope {
                    date: decoder.string()?,
                    region: decoder.string()?,
                    service: decoder.string()?,
                },
                signing_key: SigningKey::from_bytes(decoder.array()?),
            },
            _ => return Err(WireError::Invalid),
        };
        Ok(Self {
            credential,
            principal: Principal::decode(decoder)?,
            bucket: BucketGrant::decode(decoder)?,
            host: decoder.bytes()?.to_vec(),
            bucket_in_host: decoder.bool()?,
            operations: LeasedOperations(decoder.u16()?),
            epoch: decoder.u64()?,
        })
    }
}
