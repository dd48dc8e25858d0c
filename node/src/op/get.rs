//! GetObject (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>).

use super::{
    ObjectRequest,
    head::{FoundObject, Selection, find, not_modified, object_head, select},
};
use crate::{
    answer::{Exchange, store_error},
    connection::{After, Connection},
    send::{PayloadSender, SendError},
};
use proto::{
    http::{head::RequestHead, range::ByteRange},
    s3::query::Query,
};
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
    let part = match select(head, &found.object.entry) {
        Ok(Selection::Serve(part)) => part,
        Ok(Selection::NotModified) => {
            let bytes = not_modified(core, &exchange, &found.object.entry);
            return connection.answer(&exchange, &bytes).await;
        }
        Err(error) => {
            let bytes = exchange.error(core, &error);
            return connection.answer(&exchange, &bytes).await;
        }
    };
    let FoundObject {
        shard_index,
        shard,
        object: opened,
    } = found;
    let entry = Arc::clone(&opened.entry);
    shard.touch(object.bucket.id, object.key.as_bytes(), core.unix_ms());
    let range = part.unwrap_or(ByteRange {
        start: 0,
        length: entry.meta.size,
    });
    let bytes = object_head(core, &exchange, head, query, &entry, part);
    let mut sender = PayloadSender::new(core, shard_index, shard, opened, object.bucket.validate_warm_get, range);
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
