//! Straight to a key's core: tickets as a gateway makes them, for clients that talk to a node while its gateway rests.

use crate::{request::Request, sign::now_unix_s, tickets::sealed};
use proto::{
    auth::{
        object_grant::ObjectGrant,
        payload::PayloadDeclaration,
        sigv4::from_hex,
        ticket::{Grant, Principal, QUERY_PARAMETER, Ticket, TicketKey, request_digest},
    },
    http::head::{Method, RequestHead},
    limits::TICKET_LIFE_S,
    s3::{bucket::BucketGrant, name::Target, operation::Operation, query::Query},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// Where keys live.
#[derive(Debug)]
pub struct Lanes {
    key: TicketKey,
    lanes: BTreeMap<String, Lane>,
}

/// Where one key lives, and what a ticket says besides.
#[derive(Debug)]
struct Lane {
    node: [u8; 16],
    core: u16,
    shard: [u8; 16],
    bucket: BucketGrant,
    principal: Principal,
}

impl Lanes {
    /// No key yet; the cluster key is in this file.
    pub fn new(cluster_key_file: &Path) -> Self {
        let text = std::fs::read_to_string(cluster_key_file).unwrap();
        Self {
            key: TicketKey::from_bytes(from_hex(text.trim()).unwrap()),
            lanes: BTreeMap::new(),
        }
    }

    /// Takes the lane of a key from where the gateway redirects its GET.
    #[track_caller]
    pub fn learn(&mut self, key: &str, location: &str) {
        let ticket = self.key.open(&sealed(location), now_unix_s()).expect("a valid ticket");
        let Grant::Object { object, .. } = ticket.grant else {
            panic!("not a ticket for an object: {:?}", ticket.grant);
        };
        assert_eq!(object.key, key);
        let lane = Lane {
            node: ticket.node,
            core: ticket.core,
            shard: ticket.shard,
            bucket: object.bucket,
            principal: ticket.principal,
        };
        self.lanes.insert(key.to_owned(), lane);
    }

    /// Tickets say from now on whether what is read from the disk is verified (`checksum.validate_warm_get`).
    pub fn validate_warm_get(&mut self, validate: bool) {
        for lane in self.lanes.values_mut() {
            lane.bucket.validate_warm_get = validate;
        }
    }

    /// The index of the core that owns a key.
    pub fn core(&self, key: &str) -> usize {
        self.lane(key).core.into()
    }

    /// How many shards the known keys are on.
    pub fn shards(&self) -> usize {
        let shards: BTreeSet<[u8; 16]> = self.lanes.values().map(|lane| lane.shard).collect();
        shards.len()
    }

    /// The request of an object with a ticket in its query.
    pub fn with_ticket(&self, key: &str, request: Request) -> Request {
        let lane = self.lane(key);
        let (head, _) = RequestHead::parse(&request.head()).unwrap().expect("a whole head");
        let query = Query::parse(head.raw_query()).unwrap();
        let target = Target::parse(head.raw_path()).unwrap();
        let ticket = Ticket {
            issued_unix_ms: now_unix_s() * 1000,
            expires_unix_s: now_unix_s() + TICKET_LIFE_S,
            node: lane.node,
            core: lane.core,
            shard: lane.shard,
            principal: lane.principal.clone(),
            proxied: false,
            grant: Grant::Object {
                object: ObjectGrant {
                    operation: Operation::parse(&head, &target, &query).unwrap(),
                    bucket: lane.bucket.clone(),
                    key: key.to_owned(),
                    payload: (head.method() == Method::Put).then(|| PayloadDeclaration::from_request(&head).unwrap()),
                    signer: None,
                    copy_source: None,
                    open_length_max: None,
                    cors: None,
                },
                request_digest: request_digest(head.method(), &head, &query),
            },
        };
        request.query(QUERY_PARAMETER, &self.key.seal(&ticket))
    }

    fn lane(&self, key: &str) -> &Lane {
        self.lanes.get(key).expect("a key whose lane is known")
    }
}
