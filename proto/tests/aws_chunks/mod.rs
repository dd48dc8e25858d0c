//! aws-chunked bodies as an independent signer makes them, and two ways to read them back.
#![allow(dead_code, clippy::unwrap_used)]

use crate::oracle::{SECRET_KEY, chunk_signature, signing_key, trailer_signature};
use corelane_proto::{
    auth::{
        body::BodyDecoder,
        chunked::{AwsChunked, ChunkSigner},
        payload::{ContentSha256, PayloadDeclaration},
        sigv4::{Scope, SigningKey, from_hex},
    },
    digest::checksum::ChecksumAlgorithm,
    error::{ErrorCode, S3Error},
    http::{body::Want, head::BodyFraming},
};

const TIMESTAMP: &str = "20130524T000000Z";
const SCOPE: &str = "20130524/us-east-1/s3/aws4_request";
/// The seed signature of AWS's example.
pub const SEED: &str = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";

pub const CHUNKS: [&[u8]; 3] = [b"hello, ", b"aws-chunked\r\n0\r\n\r\n", b"w"];
pub const LENGTH: u64 = 7 + 18 + 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    SignedChunks,
    SignedChunksTrailer,
    UnsignedTrailer,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::SignedChunks, Self::SignedChunksTrailer, Self::UnsignedTrailer];

    pub fn declaration(self, length: u64) -> PayloadDeclaration {
        let (content_sha256, trailer) = match self {
            Self::SignedChunks => (ContentSha256::SignedChunks, None),
            Self::SignedChunksTrailer => (ContentSha256::SignedChunksTrailer, Some(ChecksumAlgorithm::Crc32)),
            Self::UnsignedTrailer => (ContentSha256::UnsignedTrailer, Some(ChecksumAlgorithm::Crc32)),
        };
        declaration(content_sha256, trailer, length)
    }

    pub fn signer(self) -> Option<ChunkSigner> {
        (self != Self::UnsignedTrailer).then(|| signer(SEED))
    }

    pub fn body(self, chunks: &[&[u8]]) -> Vec<u8> {
        self.chunks(chunks).concat()
    }

    /// The chunks as they go over the wire; the last holds the trailer.
    pub fn chunks(self, chunks: &[&[u8]]) -> Vec<Vec<u8>> {
        let key = signing_key("20130524", "us-east-1");
        let mut previous = SEED.to_owned();
        let mut wire = Vec::new();
        for chunk in chunks.iter().chain([&&b""[..]]) {
            previous = chunk_signature(&key, TIMESTAMP, SCOPE, &previous, chunk);
            let line = match self {
                Self::UnsignedTrailer => format!("{:x}\r\n", chunk.len()),
                _ => format!("{:x};chunk-signature={previous}\r\n", chunk.len()),
            };
            let end: &[u8] = if chunk.is_empty() { b"" } else { b"\r\n" };
            wire.push([line.as_bytes(), chunk, end].concat());
        }
        let trailer = "x-amz-checksum-crc32:AAAAAA==";
        let signature = trailer_signature(&key, TIMESTAMP, SCOPE, &previous, &format!("{trailer}\n"));
        let section = match self {
            Self::SignedChunks => "\r\n".to_owned(),
            Self::SignedChunksTrailer => format!("{trailer}\r\nx-amz-trailer-signature:{signature}\r\n\r\n"),
            Self::UnsignedTrailer => format!("{trailer}\r\n\r\n"),
        };
        wire.last_mut().unwrap().extend_from_slice(section.as_bytes());
        wire
    }
}

pub fn declaration(
    content_sha256: ContentSha256,
    trailer: Option<ChecksumAlgorithm>,
    decoded_length: u64,
) -> PayloadDeclaration {
    PayloadDeclaration {
        content_sha256,
        content_md5: None,
        checksum: None,
        trailer,
        decoded_length: Some(decoded_length),
    }
}

pub fn signer(seed: &str) -> ChunkSigner {
    let scope = Scope {
        date: "20130524".to_owned(),
        region: "us-east-1".to_owned(),
        service: "s3".to_owned(),
    };
    ChunkSigner {
        signing_key: SigningKey::derive(SECRET_KEY, &scope),
        timestamp: TIMESTAMP.to_owned(),
        scope,
        seed_signature: from_hex(seed).unwrap(),
    }
}

pub fn http_chunks(inner: &[u8], size: usize) -> Vec<u8> {
    let mut wire = Vec::new();
    for chunk in inner.chunks(size) {
        wire.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        wire.extend_from_slice(chunk);
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b"0\r\n\r\n");
    wire
}

#[derive(Debug, PartialEq, Eq)]
pub struct Body {
    pub payload: Vec<u8>,
    pub trailers: Vec<(String, String)>,
    pub consumed: usize,
}

/// Feeds pieces to the inner decoder; all of them must be wanted.
pub fn decode(
    declaration: &PayloadDeclaration,
    signer: Option<ChunkSigner>,
    pieces: &[&[u8]],
) -> Result<Body, S3Error> {
    let mut decoder = AwsChunked::new(declaration, signer)?;
    let mut payload = Vec::new();
    let mut consumed = 0;
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let count = match decoder.want() {
                Want::Payload(left) => {
                    let count = rest.len().min(usize::try_from(left).unwrap());
                    decoder.payload(&rest[..count]);
                    payload.extend_from_slice(&rest[..count]);
                    count
                }
                Want::Framing => decoder.framing(rest)?,
                Want::End => return Err(ErrorCode::IncompleteBody.into()),
            };
            consumed += count;
            rest = &rest[count..];
        }
    }
    if decoder.want() != Want::End {
        return Err(ErrorCode::IncompleteBody.into());
    }
    Ok(Body {
        payload,
        trailers: decoder.trailers().to_vec(),
        consumed,
    })
}

/// Reads a body as a connection does: at most `read` bytes at a time, framing that was not consumed kept for the next
/// time.
pub fn decode_body(
    declaration: &PayloadDeclaration,
    signer: Option<ChunkSigner>,
    framing: BodyFraming,
    wire: &[u8],
    read: usize,
) -> Result<Body, S3Error> {
    let mut decoder = BodyDecoder::new(framing, declaration, signer)?;
    let mut payload = Vec::new();
    let (mut start, mut end) = (0, 0);
    loop {
        match decoder.want() {
            Want::End => break,
            Want::Payload(left) if start < end => {
                let count = (end - start).min(usize::try_from(left).unwrap());
                decoder.payload(&wire[start..start + count]);
                payload.extend_from_slice(&wire[start..start + count]);
                start += count;
                continue;
            }
            Want::Payload(_) => (),
            Want::Framing => {
                let count = decoder.framing(&wire[start..end])?;
                start += count;
                if count > 0 {
                    continue;
                }
            }
        }
        if end == wire.len() {
            return Err(ErrorCode::IncompleteBody.into());
        }
        end = (end + read).min(wire.len());
    }
    assert_eq!(decoder.payload_length(), payload.len() as u64);
    Ok(Body {
        payload,
        trailers: decoder.trailers().to_vec(),
        consumed: start,
    })
}
