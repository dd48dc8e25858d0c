//! From what a request was admitted for to the operation.

use crate::{
    admission::{Admitted, Work},
    answer::Exchange,
    connection::{After, Connection},
    op, receive,
    stats::Kind,
};
use proto::{
    auth::{
        object_grant::ObjectGrant,
        ticket::{Grant, Principal},
    },
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
    let Admitted {
        principal,
        shard,
        work,
        query,
        ..
    } = admitted;
    let after = match work {
        Work::Object(grant) => object(connection, head, &query, exchange, (&principal, shard), grant).await,
        Work::Message(grant) => message(connection, head, exchange, shard, grant).await,
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
    (principal, shard): (&Principal, [u8; 16]),
    grant: ObjectGrant,
) -> After {
    let ObjectGrant {
        operation,
        bucket,
        key,
        payload,
        signer,
        open_length_max,
        copy_source,
        cors,
    } = grant;
    exchange.cors = cors;
    let object = op::ObjectRequest { shard, bucket, key };
    let upload = payload.map(|declaration| receive::Upload {
        declaration,
        signer,
        open_length_max,
    });
    match (operation, upload, copy_source) {
        (Operation::GetObject, ..) => op::get::run(connection, head, query, exchange, object).await,
        (Operation::HeadObject, ..) => op::head::run(connection, head, query, exchange, object).await,
        (Operation::DeleteObject, ..) => op::delete::run(connection, head, query, exchange, object).await,
        (Operation::GetObjectAttributes, ..) => op::attributes::run(connection, head, query, exchange, object).await,
        (Operation::GetObjectTagging, ..) => op::tagging_get::run(connection, head, query, exchange, object).await,
        (Operation::DeleteObjectTagging, ..) => {
            op::tagging_delete::run(connection, head, query, exchange, object).await
        }
        (Operation::PutObjectTagging, Some(upload), _) => {
            op::tagging_put::run(connection, head, query, exchange, object, upload).await
        }
        (Operation::PutObject, Some(upload), _) => op::put::run(connection, head, exchange, object, upload).await,
        (Operation::CopyObject, _, Some(source)) => {
            op::copy_object::run(connection, head, query, exchange, object, &source).await
        }
        (Operation::CreateMultipartUpload, ..) => {
            op::create_multipart_upload::run(connection, head, exchange, object).await
        }
        (Operation::UploadPart, Some(upload), _) => {
            op::upload_part::run(connection, head, query, exchange, object, upload).await
        }
        (Operation::UploadPartCopy, _, Some(source)) => {
            op::upload_part_copy::run(connection, head, query, exchange, object, &source).await
        }
        (Operation::CompleteMultipartUpload, Some(upload), _) => {
            op::complete_multipart_upload::run(connection, head, query, exchange, object, upload).await
        }
        (Operation::AbortMultipartUpload, ..) => {
            op::abort_multipart_upload::run(connection, head, query, exchange, object).await
        }
        (Operation::ListParts, ..) => op::list_parts::run(connection, head, query, exchange, object, principal).await,
        _ => {
            connection
                .refuse(head, exchange, &S3Error::new(ErrorCode::NotImplemented))
                .await
        }
    }
}

async fn message(
    connection: &mut Connection<'_>,
    head: &RequestHead,
    exchange: Exchange,
    shard: [u8; 16],
    grant: Grant,
) -> After {
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
        Grant::Configure { body_sha256 } => op::configure::run(connection, head, exchange, body_sha256).await,
        Grant::Read {
            bucket,
            key,
            version,
            range,
        } => {
            let wanted = op::read_source::Wanted {
                shard,
                bucket,
                key,
                version,
                range,
            };
            op::read_source::run(connection, exchange, wanted).await
        }
        Grant::Object { .. } | Grant::Relay { .. } | Grant::Register { .. } | Grant::Channel { .. } => {
            connection
                .refuse(head, exchange, &S3Error::new(ErrorCode::AccessDenied))
                .await
        }
    }
}
