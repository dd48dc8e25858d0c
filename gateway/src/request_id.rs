//! The id of a request: 16 upper-case hex digits, in `x-amz-request-id`, error bodies and logs.

use std::{
    cell::Cell,
    hash::{BuildHasher, Hasher, RandomState},
};

/// Hands out request ids that differ between requests and, very likely, between restarts.
#[derive(Debug)]
pub struct RequestIds {
    next: Cell<u64>,
}

impl RequestIds {
    /// Starts at a random number.
    pub fn new() -> Self {
        Self {
            next: Cell::new(RandomState::new().build_hasher().finish()),
        }
    }
    /// The next id.
    pub fn next(&self) -> String {
        let number = self.next.get().wrapping_add(1);
        self.next.set(number);
        format!("{:016X}", mix(number))
    }
}

/// SplitMix64's finaliser: a bijection, so that ids of one run never repeat and neighbours do not look alike.
fn mix(number: u64) -> u64 {
    let mut x = number;
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::RequestIds;
    use std::collections::HashSet;

    #[test]
    fn ids_are_sixteen_upper_hex_digits_and_differ() {
        let ids = RequestIds::new();
        let seen: HashSet<String> = (0..1000).map(|_| ids.next()).collect();
        assert_eq!(seen.len(), 1000);
        for id in seen {
            assert_eq!(id.len(), 16);
            assert!(id.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b)));
        }
    }
}
