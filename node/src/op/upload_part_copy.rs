//! UploadPartCopy (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html>).

use super::{
    ObjectRequest,
    copy_object::{check_size, describe, receive},
    upload_part::{Target, store, target},
};
use crate::{
    answer::Exchange,
    connection::{After, Connection},
    copy_source::{Opened, Source},
    core::Core,
    limits::COPY_TIMEOUT,
};
use mountpath::index::entry::ObjectEntry;
use proto::{
    auth::object_grant::SealedSource,
    error::S3Error,
    http::{conditional::check_copy, head::RequestHead},
    s3::{copy_source::CopyRange, query::Query, version::VersionId, xml_multipart},
};
use std::{rc::Rc, sync::Arc};

/// Copies, answers.
pub async fn run(
    connection: &mut Connection<'_>,
    head: &RequestHead,
    query: &Query,
    exchange: Exchange,
    object: ObjectRequest,
    sealed: &SealedSource,
) -> After {
    let core = Rc::clone(connection.core);
    connection.deadline.set(COPY_TIMEOUT);
    match copy(&core, head, query, &object, sealed).await {
        Ok((part, source_version)) => {
            let meta = &part.meta;
            let checksum = meta.checksum.as_ref();
            let document = xml_multipart::copy_part_result(&meta.etag, meta.modified_unix_ms, checksum);
            let bytes = exchange.document(&core, &document, |response| {
                if let Some(version) = source_version {
                    response.header("x-amz-copy-source-version-id", &version.to_string());
                }
            });
            connection.answer(&exchange, &bytes).await
        }
        Err(error) => connection.refuse(head, exchange, &error).await,
    }
}

async fn copy(
    core: &Rc<Core>,
    head: &RequestHead,
    query: &Query,
    object: &ObjectRequest,
    sealed: &SealedSource,
) -> Result<(Arc<ObjectEntry>, Option<VersionId>), S3Error> {
    let target: Target = target(core, query, object).await?;
    let range = CopyRange::from_request(head, query)?;
    let Opened { mut source, decoder } = Source::open(core, sealed)
        .await
        .map_err(|error| describe(error, sealed))?;
    check_copy(head, query, &source.object.etag, source.object.modified_unix_ms)?;
    let length = match range {
        Some(range) => range.within(source.object.size)?.length,
        None => source.object.size,
    };
    check_size(length)?;
    let algorithm = target.checksum.map(|(algorithm, _)| algorithm);
    let told = |failure: crate::receive::Failure| failure.error(&object.bucket.name, &object.key);
    let (payload, digests) = receive(core, &target.shard, object, &mut source, decoder, length, algorithm)
        .await
        .map_err(told)?;
    let part = store(&target, object, payload, digests).await.map_err(told)?;
    Ok((part, source.object.version))
}
