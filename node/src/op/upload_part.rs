//! UploadPart (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html>).

use super::ObjectRequest;
use crate::{
    answer::{Exchange, store_error},
    connection::{After, Connection},
    core::{Core, unix_ms},
    receive::{self, Failure, Upload, decoder, receive_whole},
    recv::{Body, send_continue},
};
use mountpath::{
    error::StoreError,
    index::entry::ObjectEntry,
    record::ObjectMeta,
    shard_store::{NewPayload, ShardStore},
};
use proto::{
    auth::body::BodyDecoder,
    digest::{
        checksum::ChecksumAlgorithm,
        hasher::{PayloadDigests, PayloadHasher},
        stored::ChecksumForm,
    },
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
    s3::{completion::checksum_type_mismatch, part, query::Query, version::UploadId},
};
use std::{rc::Rc, sync::Arc};

/// The upload a part is for.
pub struct Target {
    /// The shard that owns the key.
    pub shard: Rc<ShardStore>,
    /// The upload.
    pub upload: UploadId,
    /// The part's number.
    pub number: u16,
    /// What the upload was begun with.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumForm)>,
}

/// Receives, verifies, stores, answers.
pub async fn run(
    connection: &mut Connection<'_>,
    head: &RequestHead,
    query: &Query,
    exchange: Exchange,
    object: ObjectRequest,
    upload: Upload,
) -> After {
    let core = Rc::clone(connection.core);
    let (target, hasher, decoder) = match begin(&core, head, query, &object, &upload).await {
        Ok(begun) => begun,
        Err(error) => return connection.refuse(head, exchange, &error).await,
    };
    if send_continue(head, &connection.inbox, &mut connection.stream)
        .await
        .is_err()
    {
        return After::Close;
    }
    let mut body = Body {
        inbox: &mut connection.inbox,
        stream: &mut connection.stream,
        deadline: &connection.deadline,
        decoder,
    };
    let received = receive_whole(&core, &target.shard, &mut body, hasher, &upload).await;
    exchange.received_bytes.set(body.decoder.payload_length());
    let decoder = body.decoder;
    let stored = match received {
        Ok((payload, digests)) => store(&target, &object, payload, digests).await,
        Err(failure) => Err(failure),
    };
    match stored {
        Ok(part) => {
            let bytes = exchange.empty(&core, 200, |response| {
                response.header_etag(&part.meta.etag);
                if let Some(checksum) = &part.meta.checksum {
                    response.header(checksum.algorithm().header(), &checksum.text());
                }
            });
            connection.answer(&exchange, &bytes).await
        }
        Err(failure) => {
            let error = failure.error(&object.bucket.name, &object.key);
            receive::refuse(connection, exchange, decoder, &error).await
        }
    }
}

/// Everything that can be refused before the body is sent.
async fn begin(
    core: &Core,
    head: &RequestHead,
    query: &Query,
    object: &ObjectRequest,
    upload: &Upload,
) -> Result<(Target, PayloadHasher, BodyDecoder), S3Error> {
    let target = target(core, query, object).await?;
    let mut hasher = PayloadHasher::new(object.bucket.checksum_type, &upload.declaration);
    if let Some((expected, form)) = target.checksum {
        let name = || expected.name().to_ascii_lowercase();
        match upload.declaration.checksum_algorithm() {
            Some(actual) if actual != expected => return Err(checksum_type_mismatch(&name(), actual)),
            Some(_) => {}
            // The whole object's is made of it, and the client need not know it.
            None if form == ChecksumForm::FullObject => hasher = hasher.with_missing(expected),
            None => {
                let message = format!(
                    "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: null",
                    name()
                );
                return Err(S3Error::with_message(ErrorCode::InvalidRequest, message));
            }
        }
    }
    Ok((target, hasher, decoder(head, upload)?))
}

/// Finds the upload; `NoSuchUpload`.
pub async fn target(core: &Core, query: &Query, object: &ObjectRequest) -> Result<Target, S3Error> {
    let (_, shard) = core
        .shard(object.shard)
        .ok_or_else(|| S3Error::new(ErrorCode::ServiceUnavailable))?;
    let (upload, number) = (part::upload_id(query)?, part::part_number(query)?);
    let told = |error: StoreError| store_error(&error, &object.bucket.name, &object.key);
    if shard.is_fenced(object.bucket.id) {
        return Err(told(StoreError::Fenced));
    }
    let found = shard.upload(object.bucket.id, object.key.as_bytes(), upload).await;
    let entry = found.map_err(told)?.ok_or_else(|| no_such_upload(upload))?;
    Ok(Target {
        shard: Rc::clone(shard),
        upload,
        number,
        checksum: entry.meta.multipart.as_ref().and_then(|multipart| multipart.checksum),
    })
}

/// Stores a part; `NoSuchUpload` when the upload has gone meanwhile.
pub async fn store(
    target: &Target,
    object: &ObjectRequest,
    payload: NewPayload,
    digests: PayloadDigests,
) -> Result<Arc<ObjectEntry>, Failure> {
    let meta = ObjectMeta {
        modified_unix_ms: unix_ms(),
        size: digests.length,
        xxh3_128: digests.xxh3_128,
        etag: digests.etag,
        checksum: digests.checksum.map(Into::into),
        block_checksums: digests.block_checksums,
        ..ObjectMeta::default()
    };
    let key = object.key.clone().into_bytes();
    let Target {
        shard, upload, number, ..
    } = target;
    let stored = shard
        .put_part(object.bucket.id, key, *upload, *number, Box::new(meta), payload)
        .await?;
    stored.ok_or_else(|| no_such_upload(*upload).into())
}

fn no_such_upload(upload: UploadId) -> S3Error {
    UploadId::unknown(&upload.to_string())
}
