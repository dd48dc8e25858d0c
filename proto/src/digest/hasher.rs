//! One pass over a payload: block checksums, the object's integrity checksum, the ETag and whatever the client
//! declared.

use super::{
    checksum::{Checksum, ChecksumAlgorithm, ChecksumHasher, ChecksumType},
    md5::Md5,
};
use crate::{
    auth::{
        payload::{ContentSha256, PayloadDeclaration, checksum_mismatch},
        sigv4::hex,
    },
    error::{ErrorCode, S3Error},
    limits::BLOCK_BYTES,
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

/// What S3 computes for an object that comes without checksum
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html>).
const SERVICE_CHECKSUM: ChecksumAlgorithm = ChecksumAlgorithm::Crc64Nvme;

/// What the pass computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadDigests {
    /// Bytes.
    pub length: u64,
    /// xxh3-64 of every BLOCK_BYTES block, the last one short.
    pub block_checksums: Vec<u64>,
    /// xxh3-128 of the whole.
    pub xxh3_128: u128,
    /// The ETag without quotes: the MD5 in hex for md5 buckets, else `<hex of the bucket's checksum>-x` (for none and
    /// xxhash: the xxh3-128).
    pub etag: String,
    /// The checksum to be stored and echoed: the client's, verified, or without one the CRC64NVME that S3 adds by itself
    /// (in md5 buckets only).
    pub checksum: Option<Checksum>,
}

/// Where the MD5 is.
enum Md5State {
    /// Nobody needs one.
    None,
    Here(Md5),
    /// With the caller of [`PayloadHasher::take_md5`].
    Taken,
}

/// Runs every digest a PUT needs.
pub struct PayloadHasher {
    checksum_type: ChecksumType,
    declaration: PayloadDeclaration,
    length: u64,
    block_checksums: Vec<u64>,
    block: Xxh3Default,
    block_length: usize,
    whole: Xxh3Default,
    md5: Md5State,
    /// One hasher an algorithm, whether the bucket, the declared content digest or the client's checksum asks for it.
    checksums: Vec<ChecksumHasher>,
    /// What the payload gets a checksum of when its client brings none.
    missing: ChecksumAlgorithm,
}

impl PayloadHasher {
    /// For a bucket's checksum type and a request's declaration.
    pub fn new(checksum_type: ChecksumType, declaration: &PayloadDeclaration) -> Self {
        let of_bucket = match checksum_type {
            ChecksumType::Crc32c => Some(ChecksumAlgorithm::Crc32c),
            ChecksumType::Sha256 => Some(ChecksumAlgorithm::Sha256),
            ChecksumType::Sha512 => Some(ChecksumAlgorithm::Sha512),
            ChecksumType::None | ChecksumType::Xxhash | ChecksumType::Md5 => None,
        };
        let of_client = declaration.checksum_algorithm();
        // S3 adds one to objects that come without. Beside MD5 it takes 1 % of the time that hashing takes, beside xxh3
        // alone it would take 17 %.
        let of_service = (checksum_type == ChecksumType::Md5 && of_client.is_none()).then_some(SERVICE_CHECKSUM);
        let of_content =
            matches!(declaration.content_sha256, ContentSha256::Digest(_)).then_some(ChecksumAlgorithm::Sha256);
        let mut checksums: Vec<ChecksumHasher> = Vec::new();
        for algorithm in [of_bucket, of_content, of_client, of_service].into_iter().flatten() {
            if !is_computed_anyway(algorithm) && checksums.iter().all(|hasher| hasher.algorithm() != algorithm) {
                checksums.push(ChecksumHasher::new(algorithm));
            }
        }
        let md5 = checksum_type == ChecksumType::Md5
            || declaration.content_md5.is_some()
            || of_client == Some(ChecksumAlgorithm::Md5);
        let block_count = declaration
            .decoded_length
            .and_then(|length| usize::try_from(length).ok())
            .map_or(0, |length| length.div_ceil(BLOCK_BYTES));
        Self {
            checksum_type,
            declaration: declaration.clone(),
            length: 0,
            // A declared length costs nothing to the one who lies about it: memory is taken for 64 MiB at most.
            block_checksums: Vec::with_capacity(block_count.min(512)),
            block: Xxh3Default::new(),
            block_length: 0,
            whole: Xxh3Default::new(),
            md5: if md5 {
                Md5State::Here(Md5::new())
            } else {
                Md5State::None
            },
            checksums,
            missing: SERVICE_CHECKSUM,
        }
    }

    /// The same for a payload that is to have a checksum of this algorithm, if its client brings none: a part of an upload
    /// that was begun with one, or a copy.
    #[must_use]
    pub fn with_missing(mut self, algorithm: ChecksumAlgorithm) -> Self {
        if self.declaration.checksum_algorithm().is_some() {
            return self;
        }
        self.missing = algorithm;
        if algorithm == ChecksumAlgorithm::Md5 && matches!(self.md5, Md5State::None) {
            self.md5 = Md5State::Here(Md5::new());
        }
        self.checksums
            .retain(|hasher| hasher.algorithm() != SERVICE_CHECKSUM || algorithm == SERVICE_CHECKSUM);
        if !is_computed_anyway(algorithm) && self.checksums.iter().all(|hasher| hasher.algorithm() != algorithm) {
            self.checksums.push(ChecksumHasher::new(algorithm));
        }
        self
    }

    /// Adds bytes; cheap to call with any size, best with whole blocks still in cache.
    pub fn update(&mut self, bytes: &[u8]) {
        self.update_but_md5(bytes);
        if let Md5State::Here(md5) = &mut self.md5 {
            md5.update(bytes);
        }
    }

    /// Adds bytes to everything but the MD5: the caller adds them to what [`PayloadHasher::take_md5`] gives.
    pub fn update_but_md5(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            // Never past the end of a block: every digest sees a piece while it is in cache.
            let count = rest.len().min(BLOCK_BYTES - self.block_length);
            let (piece, tail) = rest.split_at(count);
            self.update_block(piece);
            self.whole.update(piece);
            for checksum in &mut self.checksums {
                checksum.update(piece);
            }
            self.length += piece.len() as u64;
            rest = tail;
        }
    }

    /// The MD5, if one is needed, to be given back by [`PayloadHasher::put_md5`] before the next one is taken.
    pub fn take_md5(&mut self) -> Option<Md5> {
        match std::mem::replace(&mut self.md5, Md5State::None) {
            Md5State::None => None,
            Md5State::Here(md5) => {
                self.md5 = Md5State::Taken;
                Some(md5)
            }
            Md5State::Taken => {
                self.md5 = Md5State::Taken;
                None
            }
        }
    }

    /// Takes it back.
    pub fn put_md5(&mut self, md5: Md5) {
        self.md5 = Md5State::Here(md5);
    }

    fn update_block(&mut self, piece: &[u8]) {
        if piece.len() == BLOCK_BYTES {
            self.block_checksums.push(block_checksum(piece));
            return;
        }
        self.block.update(piece);
        self.block_length += piece.len();
        if self.block_length == BLOCK_BYTES {
            self.finish_block();
        }
    }

    fn finish_block(&mut self) {
        self.block_checksums.push(self.block.digest());
        self.block.reset();
        self.block_length = 0;
    }

    /// Finishes and verifies against the declaration and the trailers received (names in lower case): `IncompleteBody`,
    /// `XAmzContentSHA256Mismatch` (fields ClientComputedContentSHA256, S3ComputedContentSHA256), `BadDigest` (for
    /// Content-MD5 with ExpectedDigest, CalculatedDigest; for x-amz-checksum: "The CRC32 you specified did not match
    /// the calculated checksum."), `MalformedTrailerError` when a promised trailer is missing.
    pub fn finish(mut self, trailers: &[(String, String)]) -> Result<PayloadDigests, S3Error> {
        if self
            .declaration
            .decoded_length
            .is_some_and(|declared| declared != self.length)
        {
            return Err(ErrorCode::IncompleteBody.into());
        }
        if self.block_length > 0 {
            self.finish_block();
        }
        let md5 = match std::mem::replace(&mut self.md5, Md5State::None) {
            Md5State::None => None,
            Md5State::Here(md5) => Some(md5.finish()),
            // Whoever had it was given up: there is nothing to hold the payload against.
            Md5State::Taken => return Err(ErrorCode::InternalError.into()),
        };
        let xxh3_128 = self.whole.digest128();
        let mut computed: Vec<Checksum> = std::mem::take(&mut self.checksums)
            .into_iter()
            .map(ChecksumHasher::finish)
            .collect();
        let algorithm = self.declaration.checksum_algorithm().unwrap_or(self.missing);
        let value = match (algorithm, md5) {
            (ChecksumAlgorithm::Md5, Some(md5)) => Some(md5.to_vec()),
            (ChecksumAlgorithm::Xxhash3, _) => Some(self.whole.digest().to_be_bytes().to_vec()),
            (ChecksumAlgorithm::Xxhash128, _) => Some(xxh3_128.to_be_bytes().to_vec()),
            _ => None,
        };
        computed.extend(value.map(|value| Checksum { algorithm, value }));

        verify_content_sha256(&self.declaration, &computed)?;
        verify_content_md5(&self.declaration, md5.as_ref())?;
        let checksum = verify_checksum(&self.declaration, &computed, trailers)?
            .or_else(|| of_algorithm(&computed, self.missing).cloned());

        let etag = match (self.checksum_type, md5) {
            (ChecksumType::Md5, Some(md5)) => hex(&md5),
            (ChecksumType::Sha512, _) => marked_etag(&computed, ChecksumAlgorithm::Sha512, xxh3_128),
            (ChecksumType::Crc32c, _) => marked_etag(&computed, ChecksumAlgorithm::Crc32c, xxh3_128),
            (ChecksumType::Sha256, _) => marked_etag(&computed, ChecksumAlgorithm::Sha256, xxh3_128),
            _ => format!("{xxh3_128:032x}-x"),
        };
        Ok(PayloadDigests {
            length: self.length,
            block_checksums: self.block_checksums,
            xxh3_128,
            etag,
            checksum,
        })
    }
}

impl std::fmt::Debug for PayloadHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PayloadHasher")
            .field("checksum_type", &self.checksum_type)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

/// xxh3-64 of one block.
pub fn block_checksum(block: &[u8]) -> u64 {
    xxh3_64(block)
}

/// Whether an algorithm needs no hasher of its own: the integrity checksum's state has it, or that of MD5.
fn is_computed_anyway(algorithm: ChecksumAlgorithm) -> bool {
    matches!(
        algorithm,
        ChecksumAlgorithm::Md5 | ChecksumAlgorithm::Xxhash3 | ChecksumAlgorithm::Xxhash128
    )
}

fn of_algorithm(computed: &[Checksum], algorithm: ChecksumAlgorithm) -> Option<&Checksum> {
    computed.iter().find(|checksum| checksum.algorithm == algorithm)
}

fn marked_etag(computed: &[Checksum], algorithm: ChecksumAlgorithm, xxh3_128: u128) -> String {
    match of_algorithm(computed, algorithm) {
        Some(checksum) => format!("{}-x", hex(&checksum.value)),
        None => format!("{xxh3_128:032x}-x"),
    }
}

fn verify_content_sha256(declaration: &PayloadDeclaration, computed: &[Checksum]) -> Result<(), S3Error> {
    let ContentSha256::Digest(declared) = &declaration.content_sha256 else {
        return Ok(());
    };
    let calculated = of_algorithm(computed, ChecksumAlgorithm::Sha256).map_or(&[][..], |checksum| &checksum.value);
    if calculated == declared {
        return Ok(());
    }
    Err(S3Error::new(ErrorCode::XAmzContentSHA256Mismatch)
        .field("ClientComputedContentSHA256", hex(declared))
        .field("S3ComputedContentSHA256", hex(calculated)))
}

fn verify_content_md5(declaration: &PayloadDeclaration, calculated: Option<&[u8; 16]>) -> Result<(), S3Error> {
    let Some(declared) = &declaration.content_md5 else {
        return Ok(());
    };
    if calculated == Some(declared) {
        return Ok(());
    }
    let message = "The Content-MD5 you specified did not match what we received.";
    Err(S3Error::with_message(ErrorCode::BadDigest, message)
        .field("ExpectedDigest", BASE64_STANDARD.encode(declared))
        .field(
            "CalculatedDigest",
            calculated.map_or_else(String::new, |digest| BASE64_STANDARD.encode(digest)),
        ))
}

/// The client's checksum, from the header or the promised trailer, compared with what was computed.
fn verify_checksum(
    declaration: &PayloadDeclaration,
    computed: &[Checksum],
    trailers: &[(String, String)],
) -> Result<Option<Checksum>, S3Error> {
    let declared = match (&declaration.checksum, declaration.trailer) {
        (Some(checksum), _) => checksum.clone(),
        (None, Some(algorithm)) => from_trailers(algorithm, trailers)?,
        (None, None) => return Ok(None),
    };
    if of_algorithm(computed, declared.algorithm) == Some(&declared) {
        return Ok(Some(declared));
    }
    Err(checksum_mismatch(declared.algorithm))
}

fn from_trailers(algorithm: ChecksumAlgorithm, trailers: &[(String, String)]) -> Result<Checksum, S3Error> {
    let name = algorithm.header();
    let Some((_, value)) = trailers.iter().find(|(trailer, _)| trailer == name) else {
        return Err(ErrorCode::MalformedTrailerError.into());
    };
    Checksum::from_base64(algorithm, value).ok_or_else(|| {
        let message = format!("Value for {name} trailing header is invalid.");
        S3Error::with_message(ErrorCode::InvalidRequest, message)
    })
}
