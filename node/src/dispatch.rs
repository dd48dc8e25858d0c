//! From an opened ticket to the operation it grants.

use crate::{
    answer::Exchange,
    connection::{After, Connection},
    op,
    stats::Kind,
};
use proto::{
    auth::ticket::{Grant, Ticket},
    error::{ErrorCode, S3Error},
    http::head::{BodyFraming, RequestHead},
    s3::{operation::Operation, query::Query},
};

/// Performs what a ticket allows and answers.
pub async fn perform(connection: &mut Connection<'_>, head: &RequestHead, ticket: Ticket, query: &Query) -> After {
    let mut exchange = connection.exchange_for(head, Kind::of(&ticket.grant));
    exchange.record = exchange.record.take().and_then(|record| record.granted(&ticket));
    let Ticket { shard, grant, .. } = ticket;
    let stray_body = has_stray_body(&grant, head);
    exchange.keep_alive &= !stray_body;
    let after = answer(connection, head, query, exchange, shard, grant).await;
    if stray_body {
        connection.linger().await;
        return After::Close;
    }
    after
}

/// A body where none belongs is not read, and must not be taken for the next request: on a connection of a gateway, the
/// answer to that would go to another client.
fn has_stray_body(grant: &Grant, head: &RequestHead) -> bool {
    let takes_none = match grant {
        Grant::Object { operation, .. } => *operation != Operation::PutObject,
        _ => false,
    };
    takes_none && !matches!(head.framing(), BodyFraming::None | BodyFraming::Length(0))
}

async fn answer(
    connection: &mut Connection<'_>,
    head: &RequestHead,
    query: &Query,
    exchange: Exchange,
    shard: [u8; 16],
    grant: Grant,
) -> After {
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
                (Operation::GetObject, _) => op::get::run(connection, head, query, exchange, object).await,
                (Operation::HeadObject, _) => op::head::run(connection, head, query, exchange, object).await,
                (Operation::DeleteObject, _) => op::delete::run(connection, head, exchange, object).await,
                (Operation::PutObject, Some(declaration)) => {
                    let upload = op::put::Upload { declaration, signer };
                    op::put::run(connection, head, exchange, object, upload).await
                }
                _ => {
                    connection
                        .refuse(head, exchange, &S3Error::new(ErrorCode::NotImplemented))
                        .await
                }
            }
        }
        // A page without what such a shard holds would look complete, and a bucket with an unfenced shard empty.
        Grant::List { .. } | Grant::Fence { .. } if !connection.core.unavailable.is_empty() => {
            connection
                .refuse(head, exchange, &S3Error::new(ErrorCode::ServiceUnavailable))
                .await
        }
        Grant::List { bucket, query } => op::list::run(connection, head, exchange, bucket, &query).await,
        Grant::DeleteBatch { bucket, body_sha256 } => {
            op::delete_batch::run(connection, head, exchange, bucket, body_sha256).await
        }
        Grant::Fence { bucket, fenced } => op::fence::run(connection, head, exchange, bucket, fenced).await,
        Grant::Stats => op::stats::run(connection, exchange).await,
        Grant::Relay { .. } | Grant::Register { .. } => {
            connection
                .refuse(head, exchange, &S3Error::new(ErrorCode::AccessDenied))
                .await
        }
    }
}
