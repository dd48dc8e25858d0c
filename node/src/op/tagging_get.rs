//! GetObjectTagging (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html>).

use super::{
    ObjectRequest,
    version::{locate, write_version_id},
};
use crate::{
    answer::Exchange,
    connection::{After, Connection},
};
use proto::{
    http::head::RequestHead,
    s3::{query::Query, tagging},
};

/// Answers with the tags of a version.
pub async fn run(
    connection: &mut Connection<'_>,
    head: &RequestHead,
    query: &Query,
    exchange: Exchange,
    object: ObjectRequest,
) -> After {
    let core = connection.core;
    let entry = match locate(core, &object, head, query).await {
        Ok(located) => located.entry,
        Err(absent) => return absent.answer(connection, head, exchange).await,
    };
    let document = tagging::write(&entry.meta.tags);
    let bytes = exchange.body_with(core, 200, "application/xml", &document, |response| {
        write_version_id(response, object.bucket.versioning, entry.version);
    });
    connection.answer(&exchange, &bytes).await
}
