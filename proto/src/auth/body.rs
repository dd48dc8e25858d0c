//! A request body as a core or gateway reads it: HTTP framing around, maybe, aws-chunked framing.

use super::{
    chunked::{AwsChunked, ChunkSigner},
    payload::PayloadDeclaration,
};
use crate::{
    error::{ErrorCode, S3Error},
    http::{
        body::{HttpFraming, Want},
        head::BodyFraming,
    },
    limits::PUT_OBJECT_BYTES_MAX,
};

/// Both framings as one decoder. Received bytes go to `payload` or `framing` as `want` says; a caller that got
/// `Framing` may call `framing` with no bytes at hand: a body that can no longer become complete is then refused
/// without waiting for more.
#[derive(Debug)]
pub struct BodyDecoder {
    http: HttpFraming,
    aws: Option<AwsChunked>,
    /// Payload must not grow beyond this.
    length_max: u64,
    declared: Option<u64>,
    received: u64,
}

impl BodyDecoder {
    /// The decoder for a request.
    pub fn new(
        framing: BodyFraming,
        declaration: &PayloadDeclaration,
        signer: Option<ChunkSigner>,
    ) -> Result<Self, S3Error> {
        let aws = match declaration.is_aws_chunked() {
            true => Some(AwsChunked::new(declaration, signer)?),
            false => None,
        };
        let decoder = Self {
            http: HttpFraming::new(framing),
            aws,
            length_max: declaration.decoded_length.unwrap_or(PUT_OBJECT_BYTES_MAX),
            declared: declaration.decoded_length,
            received: 0,
        };
        decoder.check_end()?;
        Ok(decoder)
    }

    /// What the next wire bytes are.
    pub fn want(&self) -> Want {
        let inner = match &self.aws {
            Some(aws) => aws.want(),
            None => match self.length_max - self.received {
                0 => Want::End,
                left => Want::Payload(left),
            },
        };
        match (self.http.want(), inner) {
            (Want::Payload(outer), Want::Payload(inner)) => Want::Payload(outer.min(inner)),
            (Want::End, _) if self.check_end().is_ok() => Want::End,
            // Framing, or a contradiction between the two that `framing` reports.
            _ => Want::Framing,
        }
    }

    /// Accounts for received payload, at most what `want` said.
    pub fn payload(&mut self, bytes: &[u8]) {
        let count = bytes.len() as u64;
        self.http.payload(count);
        if let Some(aws) = &mut self.aws {
            aws.payload(bytes);
        }
        self.received = self.received.saturating_add(count).min(self.length_max);
    }

    /// Consumes framing bytes; how many.
    pub fn framing(&mut self, bytes: &[u8]) -> Result<usize, S3Error> {
        let mut rest = bytes;
        while self.want() == Want::Framing {
            let count = self.framing_once(rest)?;
            if count == 0 {
                break;
            }
            rest = rest.get(count..).unwrap_or_default();
        }
        Ok(bytes.len() - rest.len())
    }

    /// Hands `bytes` to the framing whose turn it is.
    fn framing_once(&mut self, bytes: &[u8]) -> Result<usize, S3Error> {
        let outer = match self.http.want() {
            Want::Framing => return self.http.framing(bytes),
            Want::End => return self.check_end().map(|()| 0),
            Want::Payload(outer) => outer,
        };
        // aws-chunked framing is payload to HTTP. Payload that HTTP announces beyond the inner end has no place.
        let aws = match &mut self.aws {
            Some(aws) if aws.want() == Want::Framing => aws,
            None if self.declared.is_none() => return Err(ErrorCode::EntityTooLarge.into()),
            _ => return Err(ErrorCode::IncompleteBody.into()),
        };
        let count = usize::try_from(outer).unwrap_or(usize::MAX).min(bytes.len());
        let count = aws.framing(bytes.get(..count).unwrap_or_default())?;
        self.http.payload(count as u64);
        self.check_end()?;
        Ok(count)
    }

    /// Fails when HTTP's framing has ended and the payload is not complete.
    fn check_end(&self) -> Result<(), S3Error> {
        if self.http.want() != Want::End {
            return Ok(());
        }
        let is_complete = match &self.aws {
            Some(aws) => aws.want() == Want::End,
            None => self.declared.is_none_or(|declared| declared == self.received),
        };
        if is_complete {
            Ok(())
        } else {
            Err(ErrorCode::IncompleteBody.into())
        }
    }

    /// Payload bytes so far.
    pub fn payload_length(&self) -> u64 {
        self.received
    }

    /// Trailers, complete at the end.
    pub fn trailers(&self) -> &[(String, String)] {
        self.aws.as_ref().map_or(&[], AwsChunked::trailers)
    }
}
