//! aws-chunked framing (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>): chunks with or without
//! signatures, and trailers.

use super::{
    payload::{ContentSha256, PayloadDeclaration},
    sigv4::{Scope, SigningKey, array, from_hex, hex, sha256},
};
use crate::{
    digest::checksum::ChecksumAlgorithm,
    error::{ErrorCode, S3Error},
    http::body::Want,
    limits::{CHUNK_LINE_BYTES_MAX, PUT_OBJECT_BYTES_MAX, TRAILER_BYTES_MAX},
    wire::{Decoder, Encoder, WireError},
};
use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{Context, SHA256},
};

const TRAILER_SIGNATURE: &str = "x-amz-trailer-signature";

/// What signed chunks are verified with.
#[derive(Clone)]
pub struct ChunkSigner {
    /// The derived key.
    pub signing_key: SigningKey,
    /// The request's timestamp.
    pub timestamp: String,
    /// The request's scope.
    pub scope: Scope,
    /// The request's own signature.
    pub seed_signature: [u8; 32],
}

impl ChunkSigner {
    pub(super) fn encode(&self, encoder: &mut Encoder) {
        encoder
            .fixed(self.signing_key.as_bytes())
            .string(&self.timestamp)
            .string(&self.scope.date)
            .string(&self.scope.region)
            .string(&self.scope.service)
            .fixed(&self.seed_signature);
    }

    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, WireError> {
        Ok(Self {
            signing_key: SigningKey::from_bytes(decoder.array()?),
            timestamp: decoder.string()?,
            scope: Scope {
                date: decoder.string()?,
                region: decoder.string()?,
                service: decoder.string()?,
            },
            seed_signature: decoder.array()?,
        })
    }
}

impl std::fmt::Debug for ChunkSigner {
    /// Without the signature: until it is too old, whoever has it can send the request again.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChunkSigner")
            .field("timestamp", &self.timestamp)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// Decodes aws-chunked without copying payload; same protocol as [`crate::http::body::HttpFraming`]. Framing may arrive
/// in any pieces, even torn by HTTP's own chunks: a line that is not complete is kept here.
#[derive(Debug)]
pub struct AwsChunked {
    state: State,
    /// The line being received, without its end.
    line: Vec<u8>,
    verifier: Option<Verifier>,
    has_trailer: bool,
    promised: Option<ChecksumAlgorithm>,
    trailers: Vec<(String, String)>,
    trailer_bytes: usize,
    decoded_length: Option<u64>,
    received: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// In the line that opens a chunk.
    ChunkLine,
    /// In payload, of which this much is missing.
    Payload(u64),
    /// In the empty line after a chunk's payload.
    PayloadEnd,
    /// In a trailer line, or in the empty line that ends the trailer section.
    Trailer,
    End,
    Failed(S3Error),
}

impl AwsChunked {
    /// `signer` is required for signed chunks (`AccessDenied` otherwise).
    pub fn new(declaration: &PayloadDeclaration, signer: Option<ChunkSigner>) -> Result<Self, S3Error> {
        let verifier = match (&declaration.content_sha256, signer) {
            (ContentSha256::SignedChunks | ContentSha256::SignedChunksTrailer, Some(signer)) => {
                Some(Verifier::new(signer))
            }
            (ContentSha256::SignedChunks | ContentSha256::SignedChunksTrailer, None) => {
                return Err(ErrorCode::AccessDenied.into());
            }
            _ => None,
        };
        Ok(Self {
            state: State::ChunkLine,
            line: Vec::new(),
            verifier,
            has_trailer: declaration.has_trailer(),
            promised: declaration.trailer,
            trailers: Vec::new(),
            trailer_bytes: 0,
            decoded_length: declaration.decoded_length,
            received: 0,
        })
    }

    /// What comes next.
    pub fn want(&self) -> Want {
        match self.state {
            State::Payload(left) => Want::Payload(left),
            State::End => Want::End,
            State::ChunkLine | State::PayloadEnd | State::Trailer | State::Failed(_) => Want::Framing,
        }
    }

    /// Accounts for (and hashes, when signed) received payload.
    pub fn payload(&mut self, bytes: &[u8]) {
        let count = bytes.len() as u64;
        self.state = match self.state {
            State::Payload(left) if count == left => State::PayloadEnd,
            State::Payload(left) if count < left => State::Payload(left - count),
            _ => State::Failed(ErrorCode::InternalError.into()),
        };
        if let Some(verifier) = &mut self.verifier {
            verifier.chunk.update(bytes);
        }
        self.received += count;
    }

    /// Consumes framing up to the next payload or the end, and returns how much: all of `bytes` unless one of the two
    /// was reached. A chunk's signature is checked when its payload is complete: `SignatureDoesNotMatch`. More or less
    /// payload than declared: `IncompleteBody`. After an error the decoder stays failed.
    pub fn framing(&mut self, bytes: &[u8]) -> Result<usize, S3Error> {
        if let State::Failed(error) = &self.state {
            return Err(error.clone());
        }
        let mut consumed = 0;
        for &byte in bytes {
            if self.want() != Want::Framing {
                break;
            }
            consumed += 1;
            if let Err(error) = self.step(byte) {
                self.state = State::Failed(error.clone());
                return Err(error);
            }
        }
        Ok(consumed)
    }

    /// Trailers received (names in lower case), complete once `want` is `End`.
    pub fn trailers(&self) -> &[(String, String)] {
        &self.trailers
    }

    fn step(&mut self, byte: u8) -> Result<(), S3Error> {
        let after_return = self.line.last() == Some(&b'\r');
        if byte == b'\n' && after_return {
            self.line.pop();
            let line = std::mem::take(&mut self.line);
            self.complete_line(&line)?;
            self.line = line;
            self.line.clear();
            return Ok(());
        }
        // Trailer values may end with a line feed of their own, as AWS's documentation shows them.
        if after_return || (byte == b'\n' && self.state != State::Trailer) {
            return Err(malformed());
        }
        self.line.push(byte);
        let is_within_limit = match self.state {
            State::Trailer => {
                self.trailer_bytes += 1;
                self.trailer_bytes <= TRAILER_BYTES_MAX
            }
            State::PayloadEnd => self.line == [b'\r'],
            _ => self.line.len() <= CHUNK_LINE_BYTES_MAX,
        };
        if is_within_limit { Ok(()) } else { Err(malformed()) }
    }

    fn complete_line(&mut self, line: &[u8]) -> Result<(), S3Error> {
        self.state = match self.state {
            State::ChunkLine => self.open_chunk(line)?,
            State::PayloadEnd => {
                self.close_chunk()?;
                State::ChunkLine
            }
            State::Trailer if line.is_empty() => {
                self.close_trailer()?;
                State::End
            }
            State::Trailer => {
                self.trailer(line)?;
                State::Trailer
            }
            State::Payload(_) | State::End | State::Failed(_) => return Err(ErrorCode::InternalError.into()),
        };
        Ok(())
    }

    fn open_chunk(&mut self, line: &[u8]) -> Result<State, S3Error> {
        let line = std::str::from_utf8(line).map_err(|_| malformed())?;
        let (size, extension) = match line.split_once(';') {
            Some((size, extension)) => (size, Some(extension)),
            None => (line, None),
        };
        let size = parse_size(size).ok_or_else(malformed)?;
        if let Some(verifier) = &mut self.verifier {
            let signature = extension.and_then(|extension| extension.strip_prefix("chunk-signature="));
            verifier.open(signature.and_then(from_hex).ok_or_else(malformed)?);
        }
        let total = self.received.checked_add(size).ok_or_else(malformed)?;
        if total > self.decoded_length.unwrap_or(PUT_OBJECT_BYTES_MAX) {
            return Err(match self.decoded_length {
                Some(_) => ErrorCode::IncompleteBody.into(),
                None => ErrorCode::EntityTooLarge.into(),
            });
        }
        if size > 0 {
            return Ok(State::Payload(size));
        }
        self.close_chunk()?;
        if self.decoded_length.is_some_and(|declared| declared != total) {
            return Err(ErrorCode::IncompleteBody.into());
        }
        Ok(State::Trailer)
    }

    fn close_chunk(&mut self) -> Result<(), S3Error> {
        match &mut self.verifier {
            Some(verifier) => verifier.close(),
            None => Ok(()),
        }
    }

    fn trailer(&mut self, line: &[u8]) -> Result<(), S3Error> {
        let line = std::str::from_utf8(line).map_err(|_| malformed_trailer())?;
        let (name, value) = line.split_once(':').ok_or_else(malformed_trailer)?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().to_owned());
        let is_signature = name == TRAILER_SIGNATURE;
        let is_promised = self.promised.is_some_and(|algorithm| algorithm.header() == name);
        // The signature comes last, and nothing comes twice.
        let is_misplaced = self
            .trailers
            .iter()
            .any(|(earlier, _)| *earlier == name || earlier == TRAILER_SIGNATURE);
        if !self.has_trailer || is_misplaced || !(is_signature || is_promised) || value.contains(['\r', '\n']) {
            return Err(malformed_trailer());
        }
        self.trailers.push((name, value));
        Ok(())
    }

    fn close_trailer(&mut self) -> Result<(), S3Error> {
        let signature = self.trailers.pop_if(|(name, _)| name == TRAILER_SIGNATURE);
        match &mut self.verifier {
            Some(verifier) if self.has_trailer => {
                let signature = signature.and_then(|(_, value)| from_hex(&value));
                verifier.verify_trailers(&self.trailers, signature.ok_or_else(malformed_trailer)?)
            }
            _ => Ok(()),
        }
    }
}

/// The chain of signatures: each covers the one before it, the first the request's own.
struct Verifier {
    signer: ChunkSigner,
    previous: [u8; 32],
    /// The signature the open chunk claims.
    claimed: [u8; 32],
    /// SHA-256 of the open chunk's payload so far.
    chunk: Context,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier")
            .field("signer", &self.signer)
            .finish_non_exhaustive()
    }
}

impl Verifier {
    fn new(signer: ChunkSigner) -> Self {
        Self {
            previous: signer.seed_signature,
            claimed: [0; 32],
            chunk: Context::new(&SHA256),
            signer,
        }
    }

    fn open(&mut self, claimed: [u8; 32]) {
        self.claimed = claimed;
    }

    fn close(&mut self) -> Result<(), S3Error> {
        let chunk = std::mem::replace(&mut self.chunk, Context::new(&SHA256)).finish();
        let hashes = format!("{}\n{}", hex(&sha256(b"")), hex(&array::<32>(chunk.as_ref())));
        self.verify("AWS4-HMAC-SHA256-PAYLOAD", &hashes, self.claimed)
    }

    fn verify_trailers(&mut self, trailers: &[(String, String)], claimed: [u8; 32]) -> Result<(), S3Error> {
        let lines: String = trailers
            .iter()
            .map(|(name, value)| format!("{name}:{value}\n"))
            .collect();
        self.verify("AWS4-HMAC-SHA256-TRAILER", &hex(&sha256(lines.as_bytes())), claimed)
    }

    fn verify(&mut self, algorithm: &str, hashes: &str, claimed: [u8; 32]) -> Result<(), S3Error> {
        let ChunkSigner {
            timestamp,
            scope,
            signing_key,
            ..
        } = &self.signer;
        let previous = hex(&self.previous);
        let calculated = signing_key.sign(&format!("{algorithm}\n{timestamp}\n{scope}\n{previous}\n{hashes}"));
        verify_slices_are_equal(&calculated, &claimed).map_err(|_| S3Error::new(ErrorCode::SignatureDoesNotMatch))?;
        self.previous = calculated;
        Ok(())
    }
}

fn parse_size(text: &str) -> Option<u64> {
    // `from_str_radix` alone would take a sign.
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hex {
        u64::from_str_radix(text, 16).ok()
    } else {
        None
    }
}

fn malformed() -> S3Error {
    S3Error::with_message(
        ErrorCode::InvalidRequest,
        "The body is not in well-formed aws-chunked framing.",
    )
}

fn malformed_trailer() -> S3Error {
    let message =
        "The request contained trailing data that was not well-formed or did not conform to our published schema.";
    S3Error::with_message(ErrorCode::InvalidRequest, message)
}
