//! Reading XML that a core is sent: small, in one piece, and held against everything that its head declares of it.

use crate::{
    answer::Exchange,
    connection::Connection,
    receive::{Upload, decoder},
    recv::{Body, send_continue},
};
use proto::{
    auth::{body::BodyDecoder, xml_body},
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
};

/// A body that was not read to a good end.
pub struct Unread {
    /// Why.
    pub error: S3Error,
    /// How far its framing was understood; `None`: nothing was read.
    pub decoder: Option<BodyDecoder>,
}

/// Receives a body of at most `bytes_max` and verifies it.
pub async fn read(
    connection: &mut Connection<'_>,
    head: &RequestHead,
    exchange: &Exchange,
    upload: &Upload,
    bytes_max: usize,
) -> Result<Vec<u8>, Unread> {
    let refused = |error: S3Error| Unread { error, decoder: None };
    let length = upload
        .declaration
        .decoded_length
        .and_then(|length| usize::try_from(length).ok());
    let length = length.ok_or_else(|| refused(ErrorCode::MissingContentLength.into()))?;
    if length > bytes_max {
        return Err(refused(ErrorCode::MaxMessageLengthExceeded.into()));
    }
    let decoder = decoder(head, upload).map_err(refused)?;
    let continued = send_continue(head, &connection.inbox, &mut connection.stream).await;
    continued.map_err(|_| refused(ErrorCode::IncompleteBody.into()))?;
    let mut body = Body {
        inbox: &mut connection.inbox,
        stream: &mut connection.stream,
        deadline: &connection.deadline,
        decoder,
    };
    let received = receive(&mut body, upload, length).await;
    exchange.received_bytes.set(body.decoder.payload_length());
    received.map_err(|error| Unread {
        error,
        decoder: Some(body.decoder),
    })
}

async fn receive(body: &mut Body<'_>, upload: &Upload, length: usize) -> Result<Vec<u8>, S3Error> {
    let mut bytes = vec![0; length];
    let filled = body.fill(&mut bytes).await?;
    if filled < length {
        return Err(ErrorCode::IncompleteBody.into());
    }
    body.end().await?;
    xml_body::verify(&upload.declaration, &bytes, body.decoder.trailers())?;
    Ok(bytes)
}
