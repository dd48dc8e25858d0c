//! The source of a copy, read from the core that owns it: that may be another node's, a sibling, or this one.

use crate::{
    core::Core,
    deadline::Deadline,
    limits::BODY_TIMEOUT,
    recv::{Body, Inbox, answer_head},
    rt::{Stream, within},
};
use proto::{
    auth::{
        body::BodyDecoder,
        object_grant::SealedSource,
        payload::{ContentSha256, PayloadDeclaration},
        ticket::QUERY_PARAMETER,
    },
    cluster::source::{READ_PATH, SourceAnswer, SourceObject},
    digest::checksum::Checksum,
    error::{ErrorCode, S3Error},
    http::head::BodyFraming,
    limits::SOURCE_OBJECT_BYTES_MAX,
};
use std::{io, net::SocketAddr, rc::Rc};

/// A source whose payload is on its way.
pub struct Source {
    /// The object.
    pub object: SourceObject,
    inbox: Inbox,
    stream: Stream,
    deadline: Rc<Deadline>,
}

impl Drop for Source {
    fn drop(&mut self) {
        self.deadline.disarm();
    }
}

/// The source, and what decodes the rest of the answer that it comes in.
pub struct Opened {
    /// The source.
    pub source: Source,
    /// To be used with it.
    pub decoder: BodyDecoder,
}

impl Source {
    /// Asks for it. `ServiceUnavailable` when its core cannot be reached.
    pub async fn open(core: &Rc<Core>, sealed: &SealedSource) -> Result<Opened, S3Error> {
        let unavailable = |error: &io::Error| {
            tracing::warn!(address = sealed.address, %error, "the source of a copy cannot be read");
            S3Error::new(ErrorCode::ServiceUnavailable)
        };
        let address: SocketAddr = sealed
            .address
            .parse()
            .map_err(|_| S3Error::new(ErrorCode::InternalError))?;
        let connecting = within(BODY_TIMEOUT, Stream::connect(address, core.tls.as_ref())).await;
        let stream = connecting.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()));
        let stream = stream.map_err(|error| unavailable(&error))?;
        let deadline = core.deadlines.add(stream.number(), BODY_TIMEOUT);
        let mut source = Self {
            object: SourceObject::default(),
            inbox: Inbox::default(),
            stream,
            deadline,
        };
        let asked = source.ask(sealed).await;
        let length = asked.map_err(|error| unavailable(&error))?;
        let decoder = BodyDecoder::new(BodyFraming::Length(length), &declared(length, None), None)?;
        let mut body = source.body(decoder);
        let answer = answer(&mut body).await?;
        let decoder = body.decoder;
        match answer {
            SourceAnswer::Found(object) => source.object = *object,
            SourceAnswer::Refused { code, message } => return Err(S3Error::with_message(code, message)),
        }
        Ok(Opened { source, decoder })
    }

    /// What is left of the answer: the payload.
    pub fn body(&mut self, decoder: BodyDecoder) -> Body<'_> {
        Body {
            inbox: &mut self.inbox,
            stream: &mut self.stream,
            deadline: &self.deadline,
            decoder,
        }
    }

    /// Sends the message; how long its answer's body is.
    async fn ask(&mut self, sealed: &SealedSource) -> io::Result<u64> {
        let message = format!(
            "POST {READ_PATH}?{QUERY_PARAMETER}={} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            sealed.ticket, sealed.address
        );
        self.stream.write_all(message.as_bytes()).await?;
        let head = answer_head(&mut self.inbox, &mut self.stream, &self.deadline).await?;
        match (head.status, head.content_length) {
            (200, Some(length)) => Ok(length),
            (status, _) => Err(io::Error::other(format!("its core answered {status}"))),
        }
    }
}

/// Receives what comes before the payload.
async fn answer(body: &mut Body<'_>) -> Result<SourceAnswer, S3Error> {
    let malformed = || S3Error::new(ErrorCode::InternalError);
    let mut length = [0; 4];
    fill(body, &mut length).await?;
    let length = usize::try_from(u32::from_le_bytes(length)).map_err(|_| malformed())?;
    if length > SOURCE_OBJECT_BYTES_MAX {
        return Err(malformed());
    }
    let mut bytes = vec![0; length];
    fill(body, &mut bytes).await?;
    SourceAnswer::decode(&bytes).map_err(|_| malformed())
}

async fn fill(body: &mut Body<'_>, bytes: &mut [u8]) -> Result<(), S3Error> {
    match body.fill(bytes).await {
        Ok(count) if count == bytes.len() => Ok(()),
        _ => Err(ErrorCode::ServiceUnavailable.into()),
    }
}

/// What is declared of a payload of this length that comes from another core, and maybe has this checksum.
pub fn declared(length: u64, checksum: Option<Checksum>) -> PayloadDeclaration {
    PayloadDeclaration {
        content_sha256: ContentSha256::Unsigned,
        content_md5: None,
        checksum,
        trailer: None,
        decoded_length: Some(length),
    }
}
