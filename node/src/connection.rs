//! A connection on a core's port: head, ticket, operation, again. A request without a ticket takes the whole
//! connection to a gateway.

use crate::{
    admission::{Admission, admit},
    answer::Exchange,
    core::Core,
    deadline::Deadline,
    op,
    recv::{self, HeadOutcome, Inbox},
    relay,
    rt::Stream,
};
use proto::{
    auth::ticket::{Grant, Ticket},
    error::{ErrorCode, S3Error},
    http::head::{BodyFraming, HeadError, Method, RequestHead},
    s3::{operation::Operation, query::Query},
};
use std::rc::Rc;

/// A client's connection while a core serves it.
pub struct Connection<'c> {
    /// The core.
    pub core: &'c Rc<Core>,
    /// The socket.
    pub stream: Stream,
    /// Bytes received and not consumed.
    pub inbox: Inbox,
    /// The time-out.
    pub deadline: Rc<Deadline>,
}

/// What an operation leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// The next request may come on this connection.
    KeepAlive,
    /// The connection closes.
    Close,
}

/// Serves a connection to its end.
pub async fn serve(core: &Rc<Core>, stream: Stream, deadline: Rc<Deadline>) {
    let mut connection = Connection {
        core,
        stream,
        inbox: Inbox::default(),
        deadline,
    };
    let mut first = true;
    loop {
        let outcome = recv::head(
            &mut connection.inbox,
            &mut connection.stream,
            &connection.deadline,
            first,
        )
        .await;
        first = false;
        let after = match outcome {
            HeadOutcome::Closed => After::Close,
            HeadOutcome::Bad(error) => {
                connection.answer_bad_head(error).await;
                After::Close
            }
            HeadOutcome::Head(head) => match admit(core, &head) {
                Ok(Admission::NoTicket) => return relay::run(connection, head).await,
                Ok(Admission::Granted(ticket, query)) => connection.perform(&head, *ticket, &query).await,
                Err(error) => {
                    let exchange = connection.exchange_for(&head);
                    connection.refuse(&head, exchange, &error).await
                }
            },
        };
        if after == After::Close {
            break;
        }
    }
    connection.stream.finish();
}

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        self.deadline.disarm();
    }
}

impl Connection<'_> {
    async fn perform(&mut self, head: &RequestHead, ticket: Ticket, query: &Query) -> After {
        let exchange = self.exchange_for(head);
        let Ticket { shard, grant, .. } = ticket;
        match grant {
            Grant::Object {
                operation,
                bucket,
                key,
                payload,
                signer,
                ..
            } => {
                let object = op::ObjectRequest { shard, bucket, key };
                match (operation, payload) {
                    (Operation::GetObject, _) => op::get::run(self, head, query, exchange, object).await,
                    (Operation::HeadObject, _) => op::head::run(self, head, query, exchange, object).await,
                    (Operation::DeleteObject, _) => op::delete::run(self, head, exchange, object).await,
                    (Operation::PutObject, Some(declaration)) => {
                        let upload = op::put::Upload { declaration, signer };
                        op::put::run(self, head, exchange, object, upload).await
                    }
                    _ => {
                        self.refuse(head, exchange, &S3Error::new(ErrorCode::NotImplemented))
                            .await
                    }
                }
            }
            Grant::List { bucket, query } => op::list::run(self, head, exchange, bucket, &query).await,
            Grant::DeleteBatch { bucket, body_sha256 } => {
                op::delete_batch::run(self, head, exchange, bucket, body_sha256).await
            }
            Grant::Fence { bucket, fenced } => op::fence::run(self, head, exchange, bucket, fenced).await,
            Grant::Relay { .. } | Grant::Register { .. } => {
                self.refuse(head, exchange, &S3Error::new(ErrorCode::AccessDenied))
                    .await
            }
        }
    }

    /// What answers to a request need.
    pub fn exchange_for(&self, head: &RequestHead) -> Exchange {
        Exchange {
            request_id: self.core.next_request_id(),
            method: head.method(),
            resource: head.raw_path().to_owned(),
            keep_alive: head.keep_alive() && !self.core.is_stopping(),
        }
    }

    /// Sends a complete answer.
    pub async fn answer(&mut self, exchange: &Exchange, bytes: &[u8]) -> After {
        self.deadline.set(crate::limits::BODY_TIMEOUT);
        match self.stream.write_all(bytes).await {
            Ok(()) if exchange.keep_alive => After::KeepAlive,
            _ => After::Close,
        }
    }

    /// Answers an error before the body was read. The connection stays only if there is no body: what the client is
    /// about to send must not be taken for a request.
    pub async fn refuse(&mut self, head: &RequestHead, mut exchange: Exchange, error: &S3Error) -> After {
        exchange.keep_alive &= matches!(head.framing(), BodyFraming::None | BodyFraming::Length(0));
        let bytes = exchange.error(self.core, error);
        let after = self.answer(&exchange, &bytes).await;
        if after == After::Close {
            self.linger().await;
        }
        after
    }

    /// Closes without a reset: a client that is still sending its body must be able to read the answer first.
    pub async fn linger(&mut self) {
        self.stream.finish();
        self.deadline.set(crate::limits::LINGER_TIMEOUT);
        let mut scratch = [0u8; 8192];
        let mut left = crate::limits::LINGER_BYTES_MAX;
        while left > 0 {
            match self.stream.read(&mut scratch).await {
                Ok(0) | Err(_) => return,
                Ok(count) => left = left.saturating_sub(count),
            }
        }
    }

    async fn answer_bad_head(&mut self, error: HeadError) {
        let exchange = Exchange {
            request_id: self.core.next_request_id(),
            method: Method::Other,
            resource: "/".to_owned(),
            keep_alive: false,
        };
        let error = match error {
            HeadError::TooLarge | HeadError::TooManyHeaders => S3Error::new(ErrorCode::RequestHeaderSectionTooLarge),
            _ => S3Error::with_message(ErrorCode::InvalidRequest, "The request is not valid HTTP/1.1."),
        };
        let bytes = exchange.error(self.core, &error);
        self.answer(&exchange, &bytes).await;
        self.linger().await;
    }
}
