//! What the internal messages of gateways share: small bodies in, wire encoding out.

use crate::{
    answer::Exchange,
    connection::{After, Connection},
    limits::MESSAGE_BODY_BYTES_MAX,
};
use proto::{
    error::{ErrorCode, S3Error},
    http::head::{BodyFraming, RequestHead},
    wire::Encoder,
};

impl Connection<'_> {
    /// Receives the body of a message; it must have a Content-Length within the limit.
    pub async fn message_body(&mut self, head: &RequestHead) -> Result<Vec<u8>, S3Error> {
        let length = match head.framing() {
            BodyFraming::None => 0,
            BodyFraming::Length(length) => usize::try_from(length).unwrap_or(usize::MAX),
            BodyFraming::Chunked => return Err(S3Error::new(ErrorCode::MissingContentLength)),
        };
        if length > MESSAGE_BODY_BYTES_MAX {
            return Err(S3Error::new(ErrorCode::MaxMessageLengthExceeded));
        }
        let mut body = vec![0; length];
        let mut filled = 0;
        while filled < length {
            let space = body.get_mut(filled..).unwrap_or_default();
            let unread = self.inbox.unread();
            let count = if unread.is_empty() {
                self.deadline.set(crate::limits::BODY_TIMEOUT);
                self.stream.read(space).await.unwrap_or(0)
            } else {
                let count = unread.len().min(space.len());
                for (to, from) in space.iter_mut().zip(unread) {
                    *to = *from;
                }
                self.inbox.consume(count);
                count
            };
            if count == 0 {
                return Err(S3Error::new(ErrorCode::IncompleteBody));
            }
            filled += count;
        }
        Ok(body)
    }

    /// Answers a message.
    pub async fn answer_message(&mut self, exchange: &Exchange, encode: impl FnOnce(&mut Encoder)) -> After {
        let mut encoder = Encoder::new();
        encode(&mut encoder);
        let bytes = exchange.body(self.core, 200, "application/octet-stream", &encoder.finish());
        self.answer(exchange, &bytes).await
    }
}
