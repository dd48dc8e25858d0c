//! GetObject (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>).

use super::{
    ObjectRequest,
    head::{Selection, find, not_modified, object_head, part_checksum, select},
};
use crate::{
    answer::{Exchange, store_error},
    connection::{After, Connection},
    send::SendError,
    send_object::ObjectSender,
};
use proto::{http::head::RequestHead, s3::query::Query};
use std::sync::Arc;

/// Answers GetObject: cache, else segment or blob, block by block, verified.
pub async fn run(
    connection: &mut Connection<'_>,
    head: &RequestHead,
    query: &Query,
    exchange: Exchange,
    object: ObjectRequest,
) -> After {
    let core = connection.core;
    let found = match find(core, &object).await {
        Ok(found) => found,
        Err(error) => return connection.refuse(head, exchange, &error).await,
    };
    let served = match select(head, query, &found.object.entry) {
        Ok(Selection::Serve(served)) => served,
        Ok(Selection::NotModified) => {
            let bytes = not_modified(core, &exchange, &found.object.entry);
            return connection.answer(&exchange, &bytes).await;
        }
        Err(error) => {
            let bytes = exchange.error(core, &error);
            return connection.answer(&exchange, &bytes).await;
        }
    };
    let checksum = match part_checksum(head, &object, &found, served).await {
        Ok(checksum) => checksum,
        Err(error) => return connection.refuse(head, exchange, &error).await,
    };
    let entry = Arc::clone(&found.object.entry);
    found
        .shard
        .touch(object.bucket.id, object.key.as_bytes(), core.unix_ms());
    let range = served.bytes(entry.meta.size);
    let bytes = object_head(core, &exchange, (head, query), &entry, served, checksum.as_ref());
    let mut sender = ObjectSender::new(core, found, object.bucket.id, object.bucket.validate_warm_get, range);
    let sent = match sender.prepare().await {
        Ok(()) => {
            let (stream, deadline) = (&mut connection.stream, &connection.deadline);
            sender.send(stream, deadline, &bytes, &exchange.sent_bytes).await
        }
        Err(SendError::Store { error, .. }) => {
            let error = store_error(&error, &object.bucket.name, &object.key);
            return connection.refuse(head, exchange, &error).await;
        }
        Err(SendError::Client) => Err(SendError::Client),
    };
    match sent {
        Ok(()) if exchange.keep_alive => After::KeepAlive,
        Ok(()) | Err(SendError::Client) => After::Close,
        Err(SendError::Store { offset, error }) => {
            // The status is out already: cutting the connection is the only way to say that the bytes are wrong.
            tracing::error!(bucket = object.bucket.name, key = object.key, offset, %error, "a GET was cut off");
            connection.stream.close().await;
            After::Close
        }
    }
}
