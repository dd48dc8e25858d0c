//! What a request declares of its payload: `x-amz-content-sha256`, Content-MD5, `x-amz-checksum-*`, trailers.

pub use super::checksum_headers::{checksum_mismatch, wants_checksum};
use super::{
    checksum_headers::{checksum, invalid, is_of_unknown_body, second_checksum, trailer},
    sigv4::from_hex,
};
use crate::{
    digest::{
        checksum::{Checksum, ChecksumAlgorithm},
        multipart::unsupported_algorithm,
    },
    error::{ErrorCode, S3Error},
    http::head::{BodyFraming, Method, RequestHead},
    limits::PUT_OBJECT_BYTES_MAX,
    s3::query::Query,
    wire::{Decoder, Encoder, WireError},
};
use base64::prelude::{BASE64_STANDARD, Engine as _};

/// The header, and in presigned URLs the query parameter (in any case), that says how the payload is signed.
pub const CONTENT_SHA256_HEADER: &str = "x-amz-content-sha256";
/// The value of [`CONTENT_SHA256_HEADER`] for a payload that no signature covers.
pub const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

const SIGNED_CHUNKS: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
const SIGNED_CHUNKS_TRAILER: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
const UNSIGNED_TRAILER: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

/// The meaning of `x-amz-content-sha256`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContentSha256 {
    /// A digest the body must have.
    Digest([u8; 32]),
    /// `UNSIGNED-PAYLOAD` (also: no header, anonymous or presigned).
    Unsigned,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`: every chunk is signed.
    SignedChunks,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER`: chunks and trailer signed.
    SignedChunksTrailer,
    /// `STREAMING-UNSIGNED-PAYLOAD-TRAILER`.
    UnsignedTrailer,
}

/// Everything a PUT promises about its payload; a core verifies all of it before it commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadDeclaration {
    /// How the body is signed and framed.
    pub content_sha256: ContentSha256,
    /// Content-MD5.
    pub content_md5: Option<[u8; 16]>,
    /// A checksum given in a header.
    pub checksum: Option<Checksum>,
    /// The checksum promised in a trailer (`x-amz-trailer`).
    pub trailer: Option<ChecksumAlgorithm>,
    /// Payload bytes without framing; `None` when unknown (only where a length is not required).
    pub decoded_length: Option<u64>,
}

impl ContentSha256 {
    /// Reads a value of `x-amz-content-sha256`; `InvalidArgument` for an unknown one.
    pub fn parse(value: &str) -> Result<Self, S3Error> {
        match value {
            UNSIGNED_PAYLOAD => Ok(Self::Unsigned),
            SIGNED_CHUNKS => Ok(Self::SignedChunks),
            SIGNED_CHUNKS_TRAILER => Ok(Self::SignedChunksTrailer),
            UNSIGNED_TRAILER => Ok(Self::UnsignedTrailer),
            digest => from_hex(digest).map(Self::Digest).ok_or_else(|| {
                let message = "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
                     STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 \
                     value.";
                S3Error::with_message(ErrorCode::InvalidArgument, message)
                    .field("ArgumentName", CONTENT_SHA256_HEADER)
                    .field("ArgumentValue", digest)
            }),
        }
    }
}

impl PayloadDeclaration {
    /// Reads it from a head. `InvalidDigest` for a bad Content-MD5, `InvalidArgument` for an unknown
    /// x-amz-content-sha256, `InvalidRequest` for a bad, unknown or second checksum ("Expecting a single x-amz-checksum-
    /// header. ..."), `MalformedTrailerError` for a promised trailer that has no place, `MissingContentLength` (a PUT with
    /// neither length, an aws-chunked body without `x-amz-decoded-content-length`). A body over PUT_OBJECT_BYTES_MAX is
    /// `EntityTooLarge` (fields ProposedSize, MaxSizeAllowed). Content-Encoding `aws-chunked` with an
    /// x-amz-content-sha256 that is not streaming is `InvalidRequest`; without x-amz-content-sha256 the body is taken
    /// as it comes. In a presigned URL x-amz-content-sha256 may stand in the query.
    pub fn from_request(head: &RequestHead) -> Result<Self, S3Error> {
        let declared = content_sha256_value(head)?;
        let content_sha256 = match &declared {
            Some(value) => ContentSha256::parse(value)?,
            None => ContentSha256::Unsigned,
        };
        let mut declaration = Self {
            content_sha256,
            content_md5: content_md5(head)?,
            checksum: checksum(head)?,
            trailer: trailer(head)?,
            decoded_length: None,
        };
        declaration.check_combination(head, declared.is_some())?;
        declaration.decoded_length = declaration.read_decoded_length(head)?;
        let is_of_another = |checksum: &Checksum| is_of_unknown_body(head, checksum);
        if declaration.decoded_length != Some(0) && declaration.checksum.as_ref().is_some_and(is_of_another) {
            declaration.checksum = None;
        }
        Ok(declaration)
    }

    /// Of a request whose `x-amz-checksum-*` headers are those of an object and not of its body, as
    /// CompleteMultipartUpload's: they are left to the operation.
    pub fn beside_object_checksum(head: &RequestHead) -> Result<Self, S3Error> {
        let declared = content_sha256_value(head)?;
        let mut declaration = Self {
            content_sha256: match &declared {
                Some(value) => ContentSha256::parse(value)?,
                None => ContentSha256::Unsigned,
            },
            content_md5: content_md5(head)?,
            checksum: None,
            trailer: trailer(head)?,
            decoded_length: None,
        };
        if declaration.trailer.is_some() && !declaration.has_trailer() {
            return Err(ErrorCode::MalformedTrailerError.into());
        }
        declaration.decoded_length = declaration.read_decoded_length(head)?;
        Ok(declaration)
    }

    /// Of a request without body, which has the digests of nothing.
    pub fn of_nothing(head: &RequestHead) -> Result<Self, S3Error> {
        Ok(Self {
            content_sha256: match content_sha256_value(head)? {
                Some(value) => ContentSha256::parse(&value)?,
                None => ContentSha256::Unsigned,
            },
            content_md5: content_md5(head)?,
            checksum: checksum(head)?,
            trailer: None,
            decoded_length: Some(0),
        })
    }

    /// Of a form's file, which comes without a length; its digests are fields of the form, and here headers.
    pub fn of_form(head: &RequestHead) -> Result<Self, S3Error> {
        Ok(Self {
            content_sha256: ContentSha256::Unsigned,
            content_md5: content_md5(head)?,
            checksum: checksum(head)?,
            trailer: None,
            decoded_length: None,
        })
    }

    fn check_combination(&self, head: &RequestHead, is_declared: bool) -> Result<(), S3Error> {
        if self.trailer.is_some() {
            if self.checksum.is_some() {
                return Err(second_checksum());
            }
            if !self.has_trailer() {
                return Err(ErrorCode::MalformedTrailerError.into());
            }
        }
        if is_declared && !self.is_aws_chunked() && has_aws_chunked_encoding(head) {
            return Err(invalid(
                "Content-Encoding aws-chunked requires an x-amz-content-sha256 that begins with STREAMING-.",
            ));
        }
        if matches!(head.method(), Method::Put | Method::Post) {
            self.check_sdk_algorithm(head)?;
        }
        Ok(())
    }

    /// `x-amz-sdk-checksum-algorithm` goes with a checksum, in a header or a trailer, of that algorithm (PutObject's API
    /// page: else 400, for another algorithm `BadDigest`).
    fn check_sdk_algorithm(&self, head: &RequestHead) -> Result<(), S3Error> {
        let Some(name) = head.header("x-amz-sdk-checksum-algorithm") else {
            return Ok(());
        };
        let named = std::str::from_utf8(name).ok().and_then(ChecksumAlgorithm::from_name);
        let named = named.ok_or_else(|| unsupported_algorithm(|_| true))?;
        match self.checksum_algorithm() {
            Some(algorithm) if algorithm == named => Ok(()),
            Some(_) => Err(checksum_mismatch(named)),
            None => Err(invalid(
                "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer \
                 headers were found.",
            )),
        }
    }

    fn read_decoded_length(&self, head: &RequestHead) -> Result<Option<u64>, S3Error> {
        let length = match head.framing() {
            _ if self.is_aws_chunked() && head.header("x-amz-decoded-content-length").is_none() => {
                return Err(ErrorCode::MissingContentLength.into());
            }
            // Without aws-chunked framing Content-Length is the truth, whatever else is said.
            BodyFraming::Length(length) if !self.is_aws_chunked() => Some(length),
            _ => match head.decoded_length() {
                Ok(length) => Some(length),
                Err(error) if error.code == ErrorCode::MissingContentLength && head.method() != Method::Put => None,
                Err(error) => return Err(error),
            },
        };
        match length {
            Some(length) if length > PUT_OBJECT_BYTES_MAX => Err(S3Error::new(ErrorCode::EntityTooLarge)
                .field("ProposedSize", length.to_string())
                .field("MaxSizeAllowed", PUT_OBJECT_BYTES_MAX.to_string())),
            length => Ok(length),
        }
    }

    /// Whether the body is in aws-chunked framing.
    pub fn is_aws_chunked(&self) -> bool {
        matches!(
            self.content_sha256,
            ContentSha256::SignedChunks | ContentSha256::SignedChunksTrailer | ContentSha256::UnsignedTrailer
        )
    }

    /// Whether a trailer section may follow the last chunk.
    pub fn has_trailer(&self) -> bool {
        matches!(
            self.content_sha256,
            ContentSha256::SignedChunksTrailer | ContentSha256::UnsignedTrailer
        )
    }

    /// The algorithm of the checksum in a header or promised in a trailer.
    pub fn checksum_algorithm(&self) -> Option<ChecksumAlgorithm> {
        self.checksum
            .as_ref()
            .map(|checksum| checksum.algorithm)
            .or(self.trailer)
    }

    /// The same promises without signed chunks: the framing is read, its signatures are not. Only for a server that
    /// verifies nobody (`--anonymous`), which has no key to check them with.
    #[must_use]
    pub fn without_chunk_signatures(mut self) -> Self {
        if self.is_aws_chunked() {
            self.content_sha256 = ContentSha256::UnsignedTrailer;
        }
        self
    }

    /// Encodes for a ticket.
    pub fn encode(&self, encoder: &mut Encoder) {
        match &self.content_sha256 {
            ContentSha256::Digest(digest) => encoder.u8(1).fixed(digest),
            ContentSha256::Unsigned => encoder.u8(2),
            ContentSha256::SignedChunks => encoder.u8(3),
            ContentSha256::SignedChunksTrailer => encoder.u8(4),
            ContentSha256::UnsignedTrailer => encoder.u8(5),
        };
        encoder.option(self.content_md5.as_ref(), |encoder, digest| {
            encoder.fixed(digest);
        });
        encoder.option(self.checksum.as_ref(), |encoder, checksum| {
            encoder.u8(checksum.algorithm.code()).bytes(&checksum.value);
        });
        encoder.option(self.trailer, |encoder, algorithm| {
            encoder.u8(algorithm.code());
        });
        encoder.option(self.decoded_length, |encoder, length| {
            encoder.u64(length);
        });
    }

    /// Decodes from a ticket.
    pub fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        let content_sha256 = match decoder.u8()? {
            1 => ContentSha256::Digest(decoder.array()?),
            2 => ContentSha256::Unsigned,
            3 => ContentSha256::SignedChunks,
            4 => ContentSha256::SignedChunksTrailer,
            5 => ContentSha256::UnsignedTrailer,
            _ => return Err(WireError::Invalid),
        };
        Ok(Self {
            content_sha256,
            content_md5: decoder.option(Decoder::array)?,
            checksum: decoder.option(decode_checksum)?,
            trailer: decoder.option(decode_algorithm)?,
            decoded_length: decoder.option(Decoder::u64)?,
        })
    }
}

fn decode_algorithm(decoder: &mut Decoder<'_>) -> Result<ChecksumAlgorithm, WireError> {
    ChecksumAlgorithm::from_code(decoder.u8()?).ok_or(WireError::Invalid)
}

fn decode_checksum(decoder: &mut Decoder<'_>) -> Result<Checksum, WireError> {
    let algorithm = decode_algorithm(decoder)?;
    let value = decoder.bytes()?.to_vec();
    if value.len() != algorithm.length() {
        return Err(WireError::Invalid);
    }
    Ok(Checksum { algorithm, value })
}

/// `x-amz-content-sha256` as sent: the header, else the parameter of a presigned URL.
pub(super) fn content_sha256_value(head: &RequestHead) -> Result<Option<String>, S3Error> {
    if let Some(value) = head.header(CONTENT_SHA256_HEADER) {
        return Ok(Some(String::from_utf8_lossy(value).into_owned()));
    }
    if head.raw_query().is_empty() {
        return Ok(None);
    }
    let query = Query::parse(head.raw_query())?;
    Ok(query
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(CONTENT_SHA256_HEADER))
        .map(|(_, value)| value.to_owned()))
}

fn content_md5(head: &RequestHead) -> Result<Option<[u8; 16]>, S3Error> {
    let Some(value) = head.header("content-md5") else {
        return Ok(None);
    };
    match BASE64_STANDARD.decode(value).ok().map(<[u8; 16]>::try_from) {
        Some(Ok(digest)) => Ok(Some(digest)),
        _ => Err(
            S3Error::with_message(ErrorCode::InvalidDigest, "The Content-MD5 you specified was invalid.")
                .field("Content-MD5", String::from_utf8_lossy(value)),
        ),
    }
}

fn has_aws_chunked_encoding(head: &RequestHead) -> bool {
    head.headers()
        .filter(|(name, _)| name.eq_ignore_ascii_case("content-encoding"))
        .flat_map(|(_, value)| value.split(|&byte| byte == b','))
        .any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"aws-chunked"))
}
