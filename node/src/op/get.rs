//! GetObject (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>).

use super::{
    ObjectRequest,
    head::{Selection, Served, part_checksum, select},
    version::locate,
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
    let located = match locate(core, &object, head, query).await {
        Ok(located) => located,
        Err(absent) => return absent.answer(connection, head, exchange).await,
    };
    let entry = Arc::clone(&located.entry);
    let mut served = Served {
        entry: &entry,
        versioning: object.bucket.versioning,
        last_modified_unix_ms: entry.meta.modified_unix_ms,
    };
    let portion = match select(head, query, &entry) {
        Ok(Selection::Serve(portion)) => portion,
        Ok(Selection::NotModified) => {
            served.last_modified_unix_ms = match located.shown_unix_ms(&object).await {
                Ok(unix_ms) => unix_ms,
                Err(error) => return connection.refuse(head, exchange, &error).await,
            };
            let bytes = served.not_modified(core, &exchange);
            return connection.answer(&exchange, &bytes).await;
        }
        Err(error) => {
            let bytes = exchange.error(core, &error);
            return connection.answer(&exchange, &bytes).await;
        }
    };
    // Held open before anything is awaited: a change from now on leaves it as it is.
    let found = match located.open(object.bucket.id) {
        Ok(found) => found,
        Err(error) => {
            let error = store_error(&error, &object.bucket.name, &object.key);
            return connection.refuse(head, exchange, &error).await;
        }
    };
    let checksum = match part_checksum(head, &object, &located, portion).await {
        Ok(checksum) => checksum,
        Err(error) => return connection.refuse(head, exchange, &error).await,
    };
    served.last_modified_unix_ms = located.touch(core, &object).await;
    let range = portion.bytes(entry.meta.size);
    let bytes = served.head(core, &exchange, (head, query), portion, checksum.as_ref());
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
