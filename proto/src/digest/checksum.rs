//! The checksum algorithms S3 names
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>) and the bucket property
//! `checksum.type`.

use super::md5::Md5;
use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA512};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use crc_fast::CrcAlgorithm;
use serde::{Deserialize, Serialize};
use xxhash_rust::{xxh3::Xxh3Default, xxh64::Xxh64};

/// `checksum.type` of a bucket: what its objects' checksum and ETag are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
#[allow(missing_docs)]
pub enum ChecksumType {
    None,
    Xxhash,
    Md5,
    Crc32c,
    Sha256,
    Sha512,
}

impl ChecksumType {
    /// All of them, each at the place that its number says.
    pub const ALL: [Self; 6] = [
        Self::None,
        Self::Xxhash,
        Self::Md5,
        Self::Crc32c,
        Self::Sha256,
        Self::Sha512,
    ];
    /// Its number in tickets and records.
    pub fn code(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Xxhash => 1,
            Self::Md5 => 2,
            Self::Crc32c => 3,
            Self::Sha256 => 4,
            Self::Sha512 => 5,
        }
    }
    /// From its number.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }
    /// Its name in the property.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Xxhash => "xxhash",
            Self::Md5 => "md5",
            Self::Crc32c => "crc32c",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }
    /// From its name, in either case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|checksum_type| checksum_type.name().eq_ignore_ascii_case(name))
    }
}

impl From<ChecksumType> for u8 {
    fn from(checksum_type: ChecksumType) -> Self {
        checksum_type.code()
    }
}

impl TryFrom<u8> for ChecksumType {
    type Error = &'static str;

    fn try_from(code: u8) -> Result<Self, Self::Error> {
        Self::from_code(code).ok_or("unknown checksum type")
    }
}

/// A client's checksum algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum ChecksumAlgorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
    Sha512,
    Md5,
    Xxhash64,
    /// XXH3, 64 bits.
    Xxhash3,
    /// XXH3, 128 bits.
    Xxhash128,
}

impl ChecksumAlgorithm {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Crc32,
        Self::Crc32c,
        Self::Crc64Nvme,
        Self::Sha1,
        Self::Sha256,
        Self::Sha512,
        Self::Md5,
        Self::Xxhash64,
        Self::Xxhash3,
        Self::Xxhash128,
    ];
    /// Bytes of the longest value.
    pub const LENGTH_MAX: usize = 64;
    /// The header, such as `x-amz-checksum-crc32`.
    pub fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
            Self::Sha512 => "x-amz-checksum-sha512",
            Self::Md5 => "x-amz-checksum-md5",
            Self::Xxhash64 => "x-amz-checksum-xxhash64",
            Self::Xxhash3 => "x-amz-checksum-xxhash3",
            Self::Xxhash128 => "x-amz-checksum-xxhash128",
        }
    }
    /// From a header or trailer name, in either case.
    pub fn from_header(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.header().eq_ignore_ascii_case(name))
    }
    /// Its name, as in `x-amz-checksum-algorithm`, in XML and in error messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
            Self::Md5 => "MD5",
            Self::Xxhash64 => "XXHASH64",
            Self::Xxhash3 => "XXHASH3",
            Self::Xxhash128 => "XXHASH128",
        }
    }
    /// From its name as in `x-amz-checksum-algorithm` and `x-amz-sdk-checksum-algorithm`, in either case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }
    /// Bytes of a value.
    pub fn length(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme | Self::Xxhash64 | Self::Xxhash3 => 8,
            Self::Md5 | Self::Xxhash128 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
    /// Its number in tickets and records.
    pub fn code(self) -> u8 {
        match self {
            Self::Crc32 => 1,
            Self::Crc32c => 2,
            Self::Crc64Nvme => 3,
            Self::Sha1 => 4,
            Self::Sha256 => 5,
            Self::Sha512 => 6,
            Self::Md5 => 7,
            Self::Xxhash64 => 8,
            Self::Xxhash3 => 9,
            Self::Xxhash128 => 10,
        }
    }
    /// From its number.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.code() == code)
    }
}

/// A checksum value of an algorithm; big-endian for CRCs and xxHashes, as in the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checksum {
    /// The algorithm.
    pub algorithm: ChecksumAlgorithm,
    /// The value, `algorithm.length()` bytes.
    pub value: Vec<u8>,
}

impl Checksum {
    /// From base64; `None` when it is not base64 of the right length.
    pub fn from_base64(algorithm: ChecksumAlgorithm, text: &str) -> Option<Self> {
        let value = BASE64_STANDARD.decode(text).ok()?;
        (value.len() == algorithm.length()).then_some(Self { algorithm, value })
    }
    /// To base64.
    pub fn to_base64(&self) -> String {
        BASE64_STANDARD.encode(&self.value)
    }
}

/// Computes a checksum incrementally.
pub struct ChecksumHasher {
    algorithm: ChecksumAlgorithm,
    state: HasherState,
}

enum HasherState {
    Crc32(crc32fast::Hasher),
    Crc(Box<crc_fast::Digest>),
    Sha(Context),
    Md5(Md5),
    Xxhash64(Box<Xxh64>),
    Xxhash3(Box<Xxh3Default>),
}

impl ChecksumHasher {
    /// A fresh hasher.
    pub fn new(algorithm: ChecksumAlgorithm) -> Self {
        let state = match algorithm {
            ChecksumAlgorithm::Crc32 => HasherState::Crc32(crc32fast::Hasher::new()),
            ChecksumAlgorithm::Crc32c => HasherState::Crc(Box::new(crc_fast::Digest::new(CrcAlgorithm::Crc32Iscsi))),
            ChecksumAlgorithm::Crc64Nvme => HasherState::Crc(Box::new(crc_fast::Digest::new(CrcAlgorithm::Crc64Nvme))),
            ChecksumAlgorithm::Sha1 => HasherState::Sha(Context::new(&SHA1_FOR_LEGACY_USE_ONLY)),
            ChecksumAlgorithm::Sha256 => HasherState::Sha(Context::new(&SHA256)),
            ChecksumAlgorithm::Sha512 => HasherState::Sha(Context::new(&SHA512)),
            ChecksumAlgorithm::Md5 => HasherState::Md5(Md5::new()),
            ChecksumAlgorithm::Xxhash64 => HasherState::Xxhash64(Box::new(Xxh64::new(0))),
            ChecksumAlgorithm::Xxhash3 | ChecksumAlgorithm::Xxhash128 => {
                HasherState::Xxhash3(Box::new(Xxh3Default::new()))
            }
        };
        Self { algorithm, state }
    }
    /// What it computes.
    pub fn algorithm(&self) -> ChecksumAlgorithm {
        self.algorithm
    }
    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            HasherState::Crc32(crc) => crc.update(bytes),
            HasherState::Crc(crc) => crc.update(bytes),
            HasherState::Sha(context) => context.update(bytes),
            HasherState::Md5(md5) => md5.update(bytes),
            HasherState::Xxhash64(xxhash) => xxhash.update(bytes),
            HasherState::Xxhash3(xxhash) => xxhash.update(bytes),
        }
    }
    /// The value.
    pub fn finish(self) -> Checksum {
        let value = match self.state {
            HasherState::Crc32(crc) => crc.finalize().to_be_bytes().to_vec(),
            // A 32-bit CRC stands in the low half of the 64 bits.
            HasherState::Crc(crc) => {
                let bytes = crc.finalize().to_be_bytes();
                bytes.into_iter().skip(8 - self.algorithm.length()).collect()
            }
            HasherState::Sha(context) => context.finish().as_ref().to_vec(),
            HasherState::Md5(md5) => md5.finish().to_vec(),
            HasherState::Xxhash64(xxhash) => xxhash.digest().to_be_bytes().to_vec(),
            HasherState::Xxhash3(xxhash) if self.algorithm == ChecksumAlgorithm::Xxhash128 => {
                xxhash.digest128().to_be_bytes().to_vec()
            }
            HasherState::Xxhash3(xxhash) => xxhash.digest().to_be_bytes().to_vec(),
        };
        Checksum {
            algorithm: self.algorithm,
            value,
        }
    }
}

impl std::fmt::Debug for ChecksumHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChecksumHasher")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}
