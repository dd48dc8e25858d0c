//! Tickets that the benchmark seals itself with the cluster's key: as many as it likes without asking the gateway, and
//! with the checksum type it likes, whatever the bucket's is.

use crate::{
    cell::{BUCKET_PATH, Cell},
    error::{BenchError, Result},
    limits::OWN_TICKET_LIFE_S,
    loadgen::{
        client::Location,
        plan::{Order, Plan, Step},
        request::{Method, Pattern, Payload, Request},
    },
    session::Session,
    subject::ROUTE_HEADER,
};
use proto::{
    auth::{
        object_grant::ObjectGrant,
        payload::PayloadDeclaration,
        ticket::{self, Grant, Principal, QUERY_PARAMETER, Ticket, TicketKey, request_digest},
    },
    digest::checksum::ChecksumType,
    http::head::RequestHead,
    s3::{bucket::BucketGrant, operation::Operation, query::Query},
};
use std::{
    net::SocketAddr,
    time::{SystemTime, UNIX_EPOCH},
};

/// What the payload of a PUT is hashed with, besides the blocks' xxh3-64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Checksum {
    /// The ETag is the MD5, as S3's own clients know it.
    Md5,
    /// xxh3-128.
    Xxhash,
}

impl Checksum {
    /// As it is written in flags and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Xxhash => "xxhash",
        }
    }

    fn checksum_type(self) -> ChecksumType {
        match self {
            Self::Md5 => ChecksumType::Md5,
            Self::Xxhash => ChecksumType::Xxhash,
        }
    }
}

/// Where the objects of a bucket lie: on the one shard of one core.
#[derive(Debug, Clone)]
pub struct Place {
    /// Where the core listens.
    pub address: SocketAddr,
    /// Its node.
    pub node: [u8; 16],
    /// Its number.
    pub core: u16,
    /// The shard.
    pub shard: [u8; 16],
    /// The bucket as tickets describe it.
    pub bucket: BucketGrant,
}

/// Makes requests that a core takes without a gateway.
#[derive(Debug)]
pub struct Issuer {
    key: TicketKey,
    place: Place,
    authority: String,
    expires_unix_s: u64,
}

impl Issuer {
    /// For the objects at `place`, hashed as `checksum` says.
    pub fn new(key: TicketKey, place: Place, checksum: Checksum) -> Self {
        let bucket = BucketGrant {
            checksum_type: checksum.checksum_type(),
            validate_warm_get: true,
            versioning: proto::s3::version::Versioning::Unversioned,
            last_modified: proto::s3::properties::LastModified::Mtime,
            access: proto::s3::properties::Access::ALL,
            has_cors: false,
            ..place.bucket
        };
        let place = Place { bucket, ..place };
        Self {
            key,
            authority: place.address.to_string(),
            place,
            expires_unix_s: unix_s().saturating_add(OWN_TICKET_LIFE_S),
        }
    }

    /// The same, with the place taken out of a ticket of the gateway's. The store must have one core and one disk, so
    /// that all its objects are at one place.
    pub fn learn(gateway: SocketAddr, key: TicketKey, checksum: Checksum) -> Result<Self> {
        let authority = gateway.to_string();
        let target = format!("{BUCKET_PATH}/any");
        let ask = Request::expecting(&authority, &target, &[(ROUTE_HEADER, "redirect")], 0);
        Self::learn_by(&ask, gateway, key, checksum)
    }

    /// The same where requests must be signed: `ask` is one that the gateway answers with a redirect.
    pub fn learn_by(ask: &Request, gateway: SocketAddr, key: TicketKey, checksum: Checksum) -> Result<Self> {
        let location = Session::open(gateway)?.redirect(ask)?;
        let place = place(&key, &location)?;
        Ok(Self::new(key, place, checksum))
    }

    /// One operation on the object `key`, whose name needs no percent-encoding.
    pub fn step(&self, method: Method, key: &str, payload: Option<Payload>) -> Result<Step> {
        let target = self.target(method, key, payload.clone())?;
        Ok(Step::Straight {
            address: self.place.address,
            request: Request::new(method, &self.authority, &target, &[], payload),
        })
    }

    /// Path and query, ticket included, of an operation.
    pub fn target(&self, method: Method, key: &str, payload: Option<Payload>) -> Result<String> {
        let path = format!("/{}/{key}", self.place.bucket.name);
        let ticket = self.seal(&Request::new(method, &self.authority, &path, &[], payload), method, key)?;
        Ok(format!("{path}?{QUERY_PARAMETER}={ticket}"))
    }

    /// The load of a cell.
    pub fn plan(&self, cell: &Cell, pattern: &Pattern) -> Result<Plan> {
        let step = |index| self.step(cell.method, &cell.key(index), cell.payload(index, pattern));
        Ok(Plan {
            tls: None,
            clients: cell.clients,
            steps: (0..cell.objects).map(step).collect::<Result<_>>()?,
            order: Order::InTurn,
            accept: &[200],
            answer_bytes: (cell.method == Method::Get).then_some(cell.object_bytes),
        })
    }

    /// A ticket for this request as the core will see it.
    fn seal(&self, request: &Request, method: Method, key: &str) -> Result<String> {
        let refused = |what: String| BenchError::Server(format!("no ticket can be made for {key}: {what}"));
        let (head, _) = RequestHead::parse(&request.head)
            .map_err(|error| refused(format!("{error:?}")))?
            .ok_or_else(|| refused("half a head".to_owned()))?;
        let (operation, payload) = match method {
            Method::Get => (Operation::GetObject, None),
            Method::Put => {
                let declaration = PayloadDeclaration::from_request(&head);
                let declaration = declaration.map_err(|error| refused(format!("{error:?}")))?;
                (Operation::PutObject, Some(declaration))
            }
            Method::Post | Method::Delete => return Err(refused(format!("{} goes by the gateway", method.name()))),
        };
        Ok(self.key.seal(&Ticket {
            issued_unix_ms: unix_s() * 1000,
            expires_unix_s: self.expires_unix_s,
            node: self.place.node,
            core: self.place.core,
            shard: self.place.shard,
            principal: Principal::default(),
            proxied: false,
            grant: Grant::Object {
                object: ObjectGrant {
                    operation,
                    bucket: self.place.bucket.clone(),
                    key: key.to_owned(),
                    payload,
                    signer: None,
                    copy_source: None,
                    open_length_max: None,
                    cors: None,
                },
                request_digest: request_digest(head.method(), &head, &Query::default()),
            },
        }))
    }
}

fn place(key: &TicketKey, location: &Location) -> Result<Place> {
    let unusable = |what: &str| BenchError::Server(format!("the gateway's ticket cannot be read: {what}"));
    let (_, query) = location
        .target
        .split_once('?')
        .ok_or_else(|| unusable("there is none"))?;
    let sealed = ticket::find(query).ok_or_else(|| unusable("there is none"))?;
    let ticket = key
        .open(sealed, unix_s())
        .map_err(|error| unusable(&error.to_string()))?;
    let Grant::Object { object, .. } = ticket.grant else {
        return Err(unusable("it is for something else than an object"));
    };
    Ok(Place {
        address: location.address,
        node: ticket.node,
        core: ticket.core,
        shard: ticket.shard,
        bucket: object.bucket,
    })
}

/// Seconds since the epoch.
pub fn unix_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use proto::s3::bucket::BucketId;

    fn issuer(checksum: Checksum) -> Issuer {
        let place = Place {
            address: "127.0.0.1:7".parse().unwrap(),
            node: [1; 16],
            core: 0,
            shard: [2; 16],
            bucket: BucketGrant {
                id: BucketId(3),
                name: "bench".to_owned(),
                checksum_type: ChecksumType::Md5,
                validate_warm_get: true,
                versioning: proto::s3::version::Versioning::Unversioned,
                last_modified: proto::s3::properties::LastModified::Mtime,
                access: proto::s3::properties::Access::ALL,
                has_cors: false,
                owner_id: String::new(),
            },
        };
        Issuer::new(TicketKey::from_bytes([9; 32]), place, checksum)
    }

    #[test]
    fn a_ticket_fits_the_request_it_is_sent_with() {
        let issuer = issuer(Checksum::Xxhash);
        let payload = Pattern::new().payload(0, 4096);
        let step = issuer.step(Method::Put, "a/b.jpg", Some(payload)).unwrap();
        let Step::Straight { request, .. } = step else {
            panic!("it goes straight to the core")
        };
        let (head, _) = RequestHead::parse(&request.head).unwrap().unwrap();
        assert_eq!(head.raw_path(), "/bench/a/b.jpg");
        let ticket = issuer
            .key
            .open(ticket::find(head.raw_query()).unwrap(), unix_s())
            .unwrap();
        let Grant::Object {
            object,
            request_digest: digest,
        } = ticket.grant
        else {
            panic!("it is for an object")
        };
        assert_eq!(object.operation, Operation::PutObject);
        assert_eq!(object.bucket.checksum_type, ChecksumType::Xxhash);
        assert_eq!(object.payload, Some(PayloadDeclaration::from_request(&head).unwrap()));
        let query = Query::parse_without(head.raw_query(), QUERY_PARAMETER).unwrap();
        assert_eq!(digest, request_digest(head.method(), &head, &query));
    }

    #[test]
    fn the_place_is_read_from_a_location() {
        let issuer = issuer(Checksum::Md5);
        let location = Location {
            authority: issuer.authority.clone(),
            address: issuer.place.address,
            target: issuer.target(Method::Get, "k", None).unwrap(),
        };
        let place = place(&issuer.key, &location).unwrap();
        assert_eq!((place.node, place.shard), ([1; 16], [2; 16]));
        assert_eq!(place.bucket, issuer.place.bucket);
        assert!(super::place(&TicketKey::from_bytes([8; 32]), &location).is_err());
    }
}
