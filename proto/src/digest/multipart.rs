//! Checksums of multipart objects: which form an algorithm has, what CreateMultipartUpload declares, and how the parts'
//! values make the object's
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html>).

use super::{
    checksum::{Checksum, ChecksumAlgorithm, ChecksumHasher},
    stored::{ChecksumForm, StoredChecksum},
};
use crate::{
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
    wire::{Decoder, Encoder, WireError},
};

/// What CreateMultipartUpload says of the checksums to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MultipartChecksum {
    /// `x-amz-checksum-algorithm`.
    pub algorithm: ChecksumAlgorithm,
    /// `x-amz-checksum-type`, or what the algorithm has without it.
    pub form: ChecksumForm,
}

impl MultipartChecksum {
    /// Reads `x-amz-checksum-algorithm` and `x-amz-checksum-type` of a CreateMultipartUpload; `None`: neither was sent,
    /// and the object gets whatever its service adds by itself. `InvalidRequest`, in S3's words, for an algorithm or a
    /// type that it does not know, a type alone, and a type that the algorithm does not have.
    pub fn from_request(head: &RequestHead) -> Result<Option<Self>, S3Error> {
        let form = match head.header_str("x-amz-checksum-type") {
            None => None,
            Some(name) => Some(
                ChecksumForm::from_name(name)
                    .ok_or_else(|| invalid("Value for x-amz-checksum-type header is invalid."))?,
            ),
        };
        let Some(name) = head.header_str("x-amz-checksum-algorithm") else {
            return match form {
                None => Ok(None),
                Some(_) => Err(invalid(
                    "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
                )),
            };
        };
        if name.contains(',') {
            return Err(invalid(
                "Invalid types are specified in x-amz-checksum-algorithm header.",
            ));
        }
        let Some(algorithm) = ChecksumAlgorithm::from_name(name) else {
            let form = form.unwrap_or(ChecksumForm::Composite);
            return Err(unsupported_algorithm(|algorithm| algorithm.has_form(form)));
        };
        let form = form.unwrap_or(algorithm.default_form());
        if !algorithm.has_form(form) {
            let message = format!(
                "The {} checksum type cannot be used with the {} checksum algorithm.",
                form.name(),
                algorithm.name().to_ascii_lowercase()
            );
            return Err(S3Error::with_message(ErrorCode::InvalidRequest, message));
        }
        Ok(Some(Self { algorithm, form }))
    }

    /// Encodes it within a ticket or a record.
    pub fn encode(&self, encoder: &mut Encoder) {
        encoder.u8(self.algorithm.code()).u8(self.form.code());
    }
    /// Decodes it.
    pub fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        Ok(Self {
            algorithm: ChecksumAlgorithm::from_code(decoder.u8()?).ok_or(WireError::Invalid)?,
            form: ChecksumForm::from_code(decoder.u8()?).ok_or(WireError::Invalid)?,
        })
    }

    /// The object's checksum from its parts' checksums and lengths in bytes, in order. `None` when a part's is of
    /// another algorithm, when there are more parts than a u16 counts, and when the algorithm does not have the form.
    pub fn of_parts(self, parts: &[(&Checksum, u64)]) -> Option<StoredChecksum> {
        match self.form {
            ChecksumForm::FullObject => combine_crc(self.algorithm, parts.iter().copied()).map(Into::into),
            ChecksumForm::Composite => composite(self.algorithm, parts.iter().map(|(checksum, _)| *checksum)),
        }
    }
}

impl ChecksumAlgorithm {
    /// Whether a multipart object can have a checksum of this algorithm in this form. Of parts' values only those of
    /// CRCs can be made the whole's; S3 has no composite CRC64NVME.
    pub fn has_form(self, form: ChecksumForm) -> bool {
        match (self, form) {
            (Self::Crc32 | Self::Crc32c, _) => true,
            (Self::Crc64Nvme, form) => form == ChecksumForm::FullObject,
            (_, form) => form == ChecksumForm::Composite,
        }
    }
    /// The form of a multipart object's checksum when none is asked for.
    pub fn default_form(self) -> ChecksumForm {
        match self {
            Self::Crc64Nvme => ChecksumForm::FullObject,
            _ => ChecksumForm::Composite,
        }
    }
}

/// The CRC of a whole, from those of its pieces and their lengths in bytes, in order. `None` when the algorithm is no CRC
/// or a piece's is another one.
pub fn combine_crc<'a>(
    algorithm: ChecksumAlgorithm,
    pieces: impl IntoIterator<Item = (&'a Checksum, u64)>,
) -> Option<Checksum> {
    let field = CrcField::of(algorithm)?;
    let mut whole = number(&ChecksumHasher::new(algorithm).finish())?;
    let mut shift: Option<(u64, u64)> = None;
    for (piece, length) in pieces {
        if piece.algorithm != algorithm {
            return None;
        }
        if length == 0 {
            continue;
        }
        // Nearly all parts of an upload are of the same size.
        let factor = match shift {
            Some((of_length, factor)) if of_length == length => factor,
            _ => field.shift(length),
        };
        shift = Some((length, factor));
        whole = field.multiply(factor, whole) ^ number(piece)?;
    }
    let bytes = whole.to_be_bytes();
    let value = bytes.get(bytes.len() - algorithm.length()..)?.to_vec();
    Some(Checksum { algorithm, value })
}

/// Polynomials over two elements modulo a CRC's own, with their bits in reverse, as these CRCs have them: the highest bit is
/// the coefficient of 1. A CRC of `a` followed by `n` bytes is `a`'s multiplied by x^8n; zlib's `crc32_combine` is the same.
#[derive(Debug, Clone, Copy)]
struct CrcField {
    polynomial: u64,
    one: u64,
}

impl CrcField {
    fn of(algorithm: ChecksumAlgorithm) -> Option<Self> {
        let polynomial = match algorithm {
            ChecksumAlgorithm::Crc32 => 0xedb8_8320,
            ChecksumAlgorithm::Crc32c => 0x82f6_3b78,
            ChecksumAlgorithm::Crc64Nvme => 0x9a6c_9329_ac4b_c9b5,
            _ => return None,
        };
        let bits = 8 * algorithm.length();
        Some(Self {
            polynomial,
            one: 1 << (bits - 1),
        })
    }

    fn multiply(self, a: u64, mut b: u64) -> u64 {
        let (mut bit, mut product) = (self.one, 0);
        while bit > 0 {
            if a & bit > 0 {
                product ^= b;
            }
            b = (b >> 1) ^ if b & 1 > 0 { self.polynomial } else { 0 };
            bit >>= 1;
        }
        product
    }

    /// x^8n for n bytes.
    fn shift(self, bytes: u64) -> u64 {
        let (mut power, mut base, mut left) = (self.one, self.one >> 8, bytes);
        while left > 0 {
            if left & 1 > 0 {
                power = self.multiply(power, base);
            }
            base = self.multiply(base, base);
            left >>= 1;
        }
        power
    }
}

/// The checksum of parts' checksums, in order: of their values, one after the other.
pub fn composite<'a>(
    algorithm: ChecksumAlgorithm,
    parts: impl IntoIterator<Item = &'a Checksum>,
) -> Option<StoredChecksum> {
    let mut hasher = ChecksumHasher::new(algorithm);
    let mut count: u16 = 0;
    for part in parts {
        if part.algorithm != algorithm {
            return None;
        }
        hasher.update(&part.value);
        count = count.checked_add(1)?;
    }
    Some(StoredChecksum {
        checksum: hasher.finish(),
        composite_parts: Some(count),
    })
}

/// A CRC's value as a number.
fn number(checksum: &Checksum) -> Option<u64> {
    let mut bytes = [0; 8];
    let start = bytes.len().checked_sub(checksum.value.len())?;
    bytes.get_mut(start..)?.copy_from_slice(&checksum.value);
    Some(u64::from_be_bytes(bytes))
}

/// "Checksum algorithm provided is unsupported", with the names of those that are offered.
pub fn unsupported_algorithm(offered: impl Fn(ChecksumAlgorithm) -> bool) -> S3Error {
    let mut names: Vec<&str> = ChecksumAlgorithm::ALL
        .into_iter()
        .filter(|&algorithm| offered(algorithm))
        .map(ChecksumAlgorithm::name)
        .collect();
    names.sort_unstable();
    let message = format!(
        "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [{}]",
        names.join(", ")
    );
    S3Error::with_message(ErrorCode::InvalidRequest, message)
}

fn invalid(message: &'static str) -> S3Error {
    S3Error::with_message(ErrorCode::InvalidRequest, message)
}
