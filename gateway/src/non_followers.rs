//! Remembers clients that came back to the gateway instead of following a redirect, so that they are not redirected
//! again for a while: each redirect they do not follow costs them a round trip.

use crate::limits::{NON_FOLLOWER_COUNT_MAX, NON_FOLLOWER_TIME};
use std::{
    cell::RefCell,
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    time::Instant,
};

/// See the module. Clients are known by User-Agent, access key and address, hashed with a key of this process.
#[derive(Debug)]
pub struct NonFollowers {
    hasher: RandomState,
    until: RefCell<HashMap<u64, Instant>>,
}

impl NonFollowers {
    /// Nobody is remembered.
    pub fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            until: RefCell::default(),
        }
    }
    /// Remembers a client.
    pub fn remember(&self, user_agent: &str, access_key: &str, address: IpAddr) {
        let mut until = self.until.borrow_mut();
        let now = Instant::now();
        if until.len() >= NON_FOLLOWER_COUNT_MAX {
            until.retain(|_, end| *end > now);
        }
        // Still full: forgetting someone costs them one round trip.
        if until.len() >= NON_FOLLOWER_COUNT_MAX
            && let Some(&victim) = until.keys().next()
        {
            until.remove(&victim);
        }
        until.insert(
            self.hasher.hash_one((user_agent, access_key, address)),
            now + NON_FOLLOWER_TIME,
        );
    }
    /// Whether a client is remembered.
    pub fn contains(&self, user_agent: &str, access_key: &str, address: IpAddr) -> bool {
        let client = self.hasher.hash_one((user_agent, access_key, address));
        self.until
            .borrow()
            .get(&client)
            .is_some_and(|end| *end > Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::{NON_FOLLOWER_COUNT_MAX, NonFollowers};
    use std::net::IpAddr;

    #[test]
    fn remembers_up_to_a_bound() {
        let clients = NonFollowers::new();
        let address = IpAddr::from([127, 0, 0, 1]);
        assert!(!clients.contains("Boto3/1", "key", address));
        for n in 0..NON_FOLLOWER_COUNT_MAX + 10 {
            clients.remember("Boto3/1", &n.to_string(), address);
        }
        let last = (NON_FOLLOWER_COUNT_MAX + 9).to_string();
        assert!(clients.contains("Boto3/1", &last, address));
        assert!(!clients.contains("Boto3/2", &last, address));
        assert_eq!(clients.until.borrow().len(), NON_FOLLOWER_COUNT_MAX);
    }
}
