//! Prebuilt requests: the bytes of a head, and a payload, most often cut from a shared pattern.

use super::random::Random;
use crate::limits::{PATTERN_BYTES, PATTERN_STRIDE_BYTES};
use std::{fmt::Write, sync::Arc};

/// The pseudo-random bytes all objects are made of.
#[derive(Debug, Clone)]
pub struct Pattern {
    bytes: Arc<[u8]>,
}

/// The content of one object: the pattern from an offset on, repeated; or bytes of its own.
#[derive(Debug, Clone)]
pub struct Payload {
    pattern: Arc<[u8]>,
    offset: u64,
    length: u64,
}

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads an object.
    Get,
    /// Writes an object.
    Put,
    /// Begins or completes a multipart upload.
    Post,
    /// Removes an object.
    Delete,
}

/// One request, ready to be sent any number of times.
#[derive(Debug, Clone)]
pub struct Request {
    /// Request line and headers, the empty line included.
    pub head: Vec<u8>,
    /// The body sent after it.
    pub payload: Option<Payload>,
}

impl Pattern {
    /// The same bytes at every call.
    pub fn new() -> Self {
        let mut random = Random::default();
        let bytes = (0..PATTERN_BYTES / 8).flat_map(|_| random.value().to_le_bytes());
        Self { bytes: bytes.collect() }
    }

    /// The content of object number `index` of `length` bytes.
    pub fn payload(&self, index: usize, length: u64) -> Payload {
        let offset = (index as u64).wrapping_mul(PATTERN_STRIDE_BYTES) % PATTERN_BYTES as u64;
        Payload {
            pattern: Arc::clone(&self.bytes),
            offset,
            length,
        }
    }
}

impl Payload {
    /// These bytes.
    pub fn of(bytes: Vec<u8>) -> Self {
        Self {
            length: bytes.len() as u64,
            pattern: bytes.into(),
            offset: 0,
        }
    }

    /// Its length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The content from `position` on, as much as is contiguous; empty at the end.
    pub fn chunk(&self, position: u64) -> &[u8] {
        let left = usize::try_from(self.length.saturating_sub(position)).unwrap_or(usize::MAX);
        let period = (self.pattern.len() as u64).max(1);
        let start = usize::try_from((self.offset + position) % period).unwrap_or(0);
        let run = self.pattern.get(start..).unwrap_or_default();
        run.get(..left).unwrap_or(run)
    }
}

impl Method {
    /// As it stands in a request line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

impl Request {
    /// A request for `target` (path and query); for a PUT the payload goes with it.
    pub fn new(
        method: Method,
        authority: &str,
        target: &str,
        headers: &[(&str, &str)],
        payload: Option<Payload>,
    ) -> Self {
        let mut head = head_start(method, authority, target, headers);
        if let Some(payload) = &payload {
            let _infallible = write!(head, "content-length: {}\r\n", payload.length());
        }
        head.push_str("\r\n");
        Self {
            head: head.into_bytes(),
            payload,
        }
    }

    /// A PUT's head alone, which waits for `100 Continue` or, as hoped for, a redirect.
    pub fn expecting(authority: &str, target: &str, headers: &[(&str, &str)], length: u64) -> Self {
        let mut head = head_start(Method::Put, authority, target, headers);
        let _infallible = write!(head, "content-length: {length}\r\nexpect: 100-continue\r\n\r\n");
        Self {
            head: head.into_bytes(),
            payload: None,
        }
    }
}

fn head_start(method: Method, authority: &str, target: &str, headers: &[(&str, &str)]) -> String {
    let mut head = format!("{} {target} HTTP/1.1\r\nhost: {authority}\r\n", method.name());
    for (name, value) in headers {
        let _infallible = write!(head, "{name}: {value}\r\n");
    }
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_join_to_the_whole_payload() {
        let payload = Pattern::new().payload(7, 3 * PATTERN_BYTES as u64 + 5);
        let mut position = 0;
        let mut whole = Vec::new();
        while position < payload.length() {
            let chunk = payload.chunk(position);
            assert!(!chunk.is_empty());
            whole.extend_from_slice(chunk);
            position += chunk.len() as u64;
        }
        assert_eq!(whole.len() as u64, payload.length());
        assert!(payload.chunk(position).is_empty());
        assert_eq!(whole.get(..9), whole.get(PATTERN_BYTES..PATTERN_BYTES + 9));
    }

    #[test]
    fn bytes_of_ones_own_are_sent_once() {
        let payload = Payload::of(b"<a/>".to_vec());
        assert_eq!(
            (payload.length(), payload.chunk(0), payload.chunk(1)),
            (4, &b"<a/>"[..], &b"a/>"[..])
        );
        assert!(payload.chunk(4).is_empty());
        assert!(Payload::of(Vec::new()).chunk(0).is_empty());
    }

    #[test]
    fn objects_differ() {
        let pattern = Pattern::new();
        assert_ne!(pattern.payload(0, 16).chunk(0), pattern.payload(1, 16).chunk(0));
    }

    #[test]
    fn a_put_announces_its_length() {
        let payload = Pattern::new().payload(0, 12);
        let request = Request::new(Method::Put, "h:1", "/b/k", &[("x", "y")], Some(payload));
        assert_eq!(
            request.head,
            b"PUT /b/k HTTP/1.1\r\nhost: h:1\r\nx: y\r\ncontent-length: 12\r\n\r\n"
        );
    }
}
