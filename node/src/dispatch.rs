//! From what a request was admitted for to the operation.

use crate::{
    admission::{Admitted, Work},
    answer::Exchange,
    connection::{After, Connection},
    op,
    receive::Upload,
    stats::Kind,
};
use proto::{
    auth::{object_grant::ObjectGrant, ticket::Grant},
    error::{ErrorCode, S3Error},
    http::head::{BodyFraming, RequestHead},
    s3::{operation::Operation, query::Query},
};

/// Performs it and answers.
pub async fn perform(connection: &mut Connection<'_>, head: &RequestHead, admitted: Admitted) -> After {
    let mut exchange = connection.exchange_for(head, Kind::of(&admitted.work));
    exchange.record = exchange.record.take().and_then(|record| record.granted(&admitted));
    let stray_body = has_stray_body(&admitted.work, head);
    exchange.keep_alive &= !stray_body;
    let Admitted { shard, work, query, .. } = admitted;
    let after = match work {
        Work::Object(grant) => object(connection, head, &query, exchange, shard, grant).await,
        Work::Message(grant) => message(connection, head, exchange, grant).await,
    };
    if stray_body {
        connection.linger().await;
        return After::Close;
    }
    after
}

/// A body where none belongs is not read, and must not be taken for the next request: on a connection of a gateway, the
/// answer to that would go to another client.
fn has_stray_body(work: &Work, head: &RequestHead) -> bool {
    let takes_none = match work {
        Work::Object(object) => !object.operation.takes_payload(),
        Work::Message(_) => false,
    };
    takes_none && !matches!(head.framing(), BodyFraming::None | BodyFraming::Length(0))
}

async fn object(
    connection: &mut Connection<'_>,
    head: &RequestHead,
    query: &Query,
    mut exchange: Exchange,
    shard: [u8; 16],
    grant: ObjectGrant,
) -> After {
    let ObjectGrant {
        operation,
        bucket,
        key,
        payload,
        signer,
        cors,
        ..
    } = grant;
    exchange.cors = cors;
    let object = op::ObjectRequest { shard, bucket, key };
    match (operation, payload) {
        (Operation::GetObject, _) => op::get::run(connection, head, query, exchange, object).await,
        (Operation::HeadObject, _) => op::head::run(connection, head, query, exchange, object).await,
        (Operation::DeleteObject, _) => op::delete::run(connection, head, query, exchange, object).await,
        (Operation::GetObjectAttributes, _) => op::attributes::run(connection, head, query, exchange, object).await,
        (Operation::GetObjectTagging, _) => op::tagging_get::run(connection, head, query, exchange, object).await,
        (Operation::DeleteObjectTagging, _) => op::tagging_delete::run(connection, head, query, exchange, object).await,
        (Operation::PutObjectTagging, Some(declaration)) => {
            let upload = Upload { declaration, signer };
            op::tagging_put::run(connection, head, query, exchange, object, upload).await
        }
        (Operation::PutObject, Some(declaration)) => {
            let upload = Upload { declaration, signer };
            op::put::run(connection, head, exchange, object, upload).await
        }
        _ => {
            connection
                .refuse(head, exchange, &S3Error::new(ErrorCode::NotImplemented))
                .await
        }
    }
}

async fn message(connection: &mut Connection<'_>, head: &RequestHead, exchange: Exchange, grant: Grant) -> After {
    match grant {
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
        Grant::Expire { bucket, body_sha256 } => op::expire::run(connection, head, exchange, bucket, body_sha256).await,
        Grant::Fence { bucket, fenced } => op::fence::run(connection, head, exchange, bucket, fenced).await,
        Grant::Stats => op::stats::run(connection, exchange).await,
        Grant::Read { .. }
        | Grant::Object { .. }
        | Grant::Relay { .. }
        | Grant::Register { .. }
        | Grant::Channel { .. } => {
            connection
                .refuse(head, exchange, &S3Error::new(ErrorCode::AccessDenied))
                .await
        }
    }
}
