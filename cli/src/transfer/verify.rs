//! Whether what came is what the store has: against the checksum kept with the object, else against its ETag.

use crate::{
    bucket_name::ObjectName,
    s3::{CallResult, Failure, ObjectHead, Store},
};
use proto::{
    auth::sigv4::hex,
    digest::{
        checksum::{Checksum, ChecksumAlgorithm, ChecksumHasher},
        md5::Md5,
    },
};
use std::sync::Mutex;

use super::pool;

/// What an object's bytes must give.
#[derive(Debug, Clone)]
pub enum Expected {
    /// A checksum of all bytes.
    Whole(Checksum),
    /// Something made of the checksums of parts of these sizes.
    OfParts(Vec<u64>, OfParts),
    /// The store says nothing that could be computed.
    Nothing,
}

/// What is made of parts' checksums.
#[derive(Debug, Clone)]
pub enum OfParts {
    /// The checksum of the checksums.
    Checksum(Checksum),
    /// The ETag: of the parts' MD5s, or of the texts of their ETags where those are no MD5s.
    Etag(String),
}

impl Expected {
    /// What the store says of an object. Sizes of parts are asked for where they matter.
    pub fn of(store: &Store, name: &ObjectName, head: &ObjectHead, jobs: usize) -> CallResult<Self> {
        if let Some(stored) = &head.checksum {
            let checksum = stored.checksum.clone();
            return Ok(match stored.composite_parts {
                None => Self::Whole(checksum),
                Some(count) => Self::OfParts(part_sizes(store, name, head, count, jobs)?, OfParts::Checksum(checksum)),
            });
        }
        if let Some(checksum) = whole_of_etag(&head.etag) {
            return Ok(Self::Whole(checksum));
        }
        match head.etag.split_once('-').map(|(_, count)| count.parse()) {
            Some(Ok(count)) => Ok(Self::OfParts(
                part_sizes(store, name, head, count, jobs)?,
                OfParts::Etag(head.etag.clone()),
            )),
            _ => Ok(Self::Nothing),
        }
    }

    /// The checksum if those of pieces can be made that of the whole.
    pub fn combinable(&self) -> Option<&Checksum> {
        match self {
            Self::Whole(checksum)
                if matches!(
                    checksum.algorithm,
                    ChecksumAlgorithm::Crc32 | ChecksumAlgorithm::Crc32c | ChecksumAlgorithm::Crc64Nvme
                ) =>
            {
                Some(checksum)
            }
            _ => None,
        }
    }

    /// What it is called in answers; `None` if nothing is verified.
    pub fn name(&self) -> Option<String> {
        match self {
            Self::Whole(checksum) => Some(checksum.algorithm.name().to_ascii_lowercase()),
            Self::OfParts(_, OfParts::Checksum(checksum)) => {
                Some(format!("{}-of-parts", checksum.algorithm.name().to_ascii_lowercase()))
            }
            Self::OfParts(_, OfParts::Etag(_)) => Some("etag-of-parts".to_owned()),
            Self::Nothing => None,
        }
    }

    /// Verifies bytes in order.
    pub fn verifier(&self) -> Verifier {
        let state = match self {
            Self::Whole(checksum) => State::Whole(ChecksumHasher::new(checksum.algorithm)),
            Self::OfParts(sizes, of) => State::Parts(PartsState::new(sizes, of)),
            Self::Nothing => State::Nothing,
        };
        Verifier {
            expected: self.clone(),
            state,
        }
    }
}

/// The error for bytes that are others than the store said.
pub fn damaged() -> Failure {
    Failure::Damaged(
        "what came is not what the store has: its checksum differs, so nothing of it was kept; try again, and if it \
         stays so, look for what changes data on the way"
            .to_owned(),
    )
}

/// Takes bytes in order and decides at the end.
pub struct Verifier {
    expected: Expected,
    state: State,
}

enum State {
    Whole(ChecksumHasher),
    Parts(PartsState),
    Nothing,
}

/// Where the parts of an object begin and end, and what they gave so far.
struct PartsState {
    /// Sizes of the parts to come, the next one last.
    sizes: Vec<u64>,
    left: u64,
    hashers: Vec<ChecksumHasher>,
    digests: Vec<Vec<Checksum>>,
}

impl Verifier {
    /// Takes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Whole(hasher) => hasher.update(bytes),
            State::Parts(parts) => parts.update(bytes),
            State::Nothing => {}
        }
    }

    /// Decides.
    pub fn finish(self) -> CallResult<()> {
        let is_right = match (self.state, &self.expected) {
            (State::Whole(hasher), Expected::Whole(expected)) => hasher.finish() == *expected,
            (State::Parts(parts), Expected::OfParts(_, expected)) => parts.gives(expected),
            _ => true,
        };
        if is_right { Ok(()) } else { Err(damaged()) }
    }
}

impl PartsState {
    fn new(sizes: &[u64], of: &OfParts) -> Self {
        let algorithms = match of {
            OfParts::Checksum(checksum) => vec![checksum.algorithm],
            OfParts::Etag(_) => vec![ChecksumAlgorithm::Md5, ChecksumAlgorithm::Xxhash128],
        };
        let mut sizes: Vec<u64> = sizes.iter().rev().copied().collect();
        Self {
            left: sizes.pop().unwrap_or_default(),
            sizes,
            hashers: algorithms.into_iter().map(ChecksumHasher::new).collect(),
            digests: Vec::new(),
        }
    }

    fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
            let (piece, rest) = bytes.split_at(count);
            for hasher in &mut self.hashers {
                hasher.update(piece);
            }
            self.left -= u64::try_from(count).unwrap_or_default();
            bytes = rest;
            if self.left == 0 {
                self.finish_part();
                match self.sizes.pop() {
                    Some(next) => self.left = next,
                    // More bytes than the parts have: nothing will come out right.
                    None => return,
                }
            }
        }
    }

    fn finish_part(&mut self) {
        let finished = self
            .hashers
            .iter_mut()
            .map(|hasher| {
                let fresh = ChecksumHasher::new(hasher.algorithm());
                std::mem::replace(hasher, fresh).finish()
            })
            .collect();
        self.digests.push(finished);
    }

    fn gives(self, expected: &OfParts) -> bool {
        if !self.sizes.is_empty() || self.left > 0 {
            return false;
        }
        match expected {
            OfParts::Checksum(expected) => {
                let mut hasher = ChecksumHasher::new(expected.algorithm);
                for digest in self.digests.iter().flatten() {
                    hasher.update(&digest.value);
                }
                hasher.finish() == *expected
            }
            OfParts::Etag(expected) => {
                let count = self.digests.len();
                let (mut md5s, mut texts) = (Md5::new(), Md5::new());
                for digests in &self.digests {
                    for digest in digests {
                        match digest.algorithm {
                            ChecksumAlgorithm::Md5 => md5s.update(&digest.value),
                            _ => texts.update(format!("{}-x", hex(&digest.value)).as_bytes()),
                        }
                    }
                }
                [md5s, texts]
                    .into_iter()
                    .any(|md5| format!("{}-{count}", hex(&md5.finish())) == *expected)
            }
        }
    }
}

/// The checksum that an ETag is: MD5s as they are, others with `-x` behind them, told apart by their length.
fn whole_of_etag(etag: &str) -> Option<Checksum> {
    let (digits, algorithms): (&str, &[ChecksumAlgorithm]) = match etag.strip_suffix("-x") {
        None => (etag, &[ChecksumAlgorithm::Md5]),
        Some(digits) => (
            digits,
            &[
                ChecksumAlgorithm::Crc32c,
                ChecksumAlgorithm::Xxhash128,
                ChecksumAlgorithm::Sha256,
                ChecksumAlgorithm::Sha512,
            ],
        ),
    };
    let value = bytes_of(digits)?;
    let algorithm = algorithms
        .iter()
        .copied()
        .find(|algorithm| algorithm.length() == value.len())?;
    Some(Checksum { algorithm, value })
}

fn bytes_of(digits: &str) -> Option<Vec<u8>> {
    let (pairs, odd) = digits.as_bytes().as_chunks::<2>();
    let digit = |character: u8| {
        char::from(character)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    if !odd.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?))
        .collect()
}

fn part_sizes(store: &Store, name: &ObjectName, head: &ObjectHead, count: u16, jobs: usize) -> CallResult<Vec<u64>> {
    let sizes = Mutex::new(vec![0; usize::from(count)]);
    pool::number(jobs, u64::from(count), |index| {
        let number = u16::try_from(index + 1).map_err(|_| Failure::odd("number of parts"))?;
        let part = store.head(name, head.version.as_deref(), Some(number))?;
        if part.etag != head.etag {
            return Err(Failure::Local("it changed while it was read; try again".to_owned()));
        }
        let mut sizes = sizes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(size) = usize::try_from(index).ok().and_then(|index| sizes.get_mut(index)) {
            *size = part.size;
        }
        Ok(())
    })?;
    Ok(sizes.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Expected, OfParts, whole_of_etag};
    use proto::digest::checksum::{ChecksumAlgorithm, ChecksumHasher};

    #[test]
    fn etags_say_which_checksum_they_are() {
        let algorithm = |etag: &str| whole_of_etag(etag).map(|checksum| checksum.algorithm);
        assert_eq!(
            algorithm("d41d8cd98f00b204e9800998ecf8427e"),
            Some(ChecksumAlgorithm::Md5)
        );
        assert_eq!(
            algorithm("99aa06d3014798d86001c324468d497f-x"),
            Some(ChecksumAlgorithm::Xxhash128)
        );
        assert_eq!(algorithm("00000000-x"), Some(ChecksumAlgorithm::Crc32c));
        assert_eq!(algorithm("d41d8cd98f00b204e9800998ecf8427e-2"), None);
        assert_eq!(algorithm("xyz"), None);
    }

    #[test]
    fn bytes_are_held_against_what_was_expected() {
        let mut hasher = ChecksumHasher::new(ChecksumAlgorithm::Sha256);
        hasher.update(b"hello");
        let expected = Expected::Whole(hasher.finish());
        for (bytes, is_right) in [("hello", true), ("hellO", false), ("", false)] {
            let mut verifier = expected.verifier();
            verifier.update(bytes.as_bytes());
            assert_eq!(verifier.finish().is_ok(), is_right, "{bytes}");
        }
    }

    /// The ETag was computed with hashlib.
    #[test]
    fn etags_of_parts_are_computed_by_part() {
        let etag = "fd279fa64fe1fa9a3551a4a88ae83424-2".to_owned();
        let expected = Expected::OfParts(vec![3, 2], OfParts::Etag(etag));
        for (bytes, is_right) in [("abcde", true), ("abcdE", false), ("abcd", false), ("abcdef", false)] {
            let mut verifier = expected.verifier();
            for byte in bytes.bytes() {
                verifier.update(&[byte]);
            }
            assert_eq!(verifier.finish().is_ok(), is_right, "{bytes}");
        }
    }
}
