//! PutObject (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>). The payload is received into the
//! buffer it is written from, and hashed there block by block while it is in the processor's cache.

use super::ObjectRequest;
use crate::{
    answer::{Exchange, store_error},
    connection::{After, Connection},
    core::unix_ms,
    limits::{BUFFER_WAIT, SMALL_PUT_BYTES_MAX, UPLOADS_PER_CORE_MAX},
    recv::{Body, send_continue},
    rt::{within, yield_if_needed},
};
use mountpath::{
    buffer::PooledBuffer,
    error::StoreError,
    record::ObjectMeta,
    shard_store::{Change, NewPayload, NewVersion, ShardStore},
};
use proto::{
    auth::{body::BodyDecoder, chunked::ChunkSigner, payload::PayloadDeclaration, verify::Credential},
    digest::hasher::{PayloadDigests, PayloadHasher},
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
    limits::{BLOCK_BYTES, INLINE_OBJECT_BYTES_MAX},
    s3::{object::ObjectHeaders, query::Query},
};
use std::rc::Rc;

/// Receives, verifies, stores, answers.
pub async fn run(
    connection: &mut Connection<'_>,
    head: &RequestHead,
    mut exchange: Exchange,
    object: ObjectRequest,
    upload: Upload,
) -> After {
    let core = Rc::clone(connection.core);
    let Some((_, shard)) = core.shard(object.shard) else {
        return connection
            .refuse(head, exchange, &S3Error::new(ErrorCode::ServiceUnavailable))
            .await;
    };
    let parts = ObjectHeaders::from_request(head).and_then(|headers| Ok((headers, decoder(head, &upload)?)));
    let (headers, decoder) = match parts {
        Ok(parts) => parts,
        Err(error) => return connection.refuse(head, exchange, &error).await,
    };
    if shard.is_fenced(object.bucket.id) {
        let error = store_error(&StoreError::Fenced, &object.bucket.name, &object.key);
        return connection.refuse(head, exchange, &error).await;
    }
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
    let received = receive(&core, shard, &mut body, &object, &upload.declaration, headers).await;
    exchange.received_bytes.set(body.decoder.payload_length());
    match received {
        Ok(digests) => {
            let bytes = exchange.empty(&core, 200, |response| {
                response.header_etag(&digests.etag);
                if let Some(checksum) = &digests.checksum {
                    response.header(checksum.algorithm.header(), &checksum.to_base64());
                    response.header("x-amz-checksum-type", "FULL_OBJECT");
                }
            });
            connection.answer(&exchange, &bytes).await
        }
        Err(failure) => {
            let decoder = body.decoder;
            let error = failure.error(&object.bucket.name, &object.key);
            receive::refuse(connection, exchange, decoder, &error).await
        }
    }
}

async fn receive(
    core: &crate::core::Core,
    shard: &Rc<ShardStore>,
    body: &mut Body<'_>,
    object: &ObjectRequest,
    declaration: &PayloadDeclaration,
    headers: ObjectHeaders,
) -> Result<PayloadDigests, Failure> {
    let size = declaration
        .decoded_length
        .ok_or_else(|| S3Error::new(ErrorCode::MissingContentLength))?;
    let hasher = PayloadHasher::new(object.bucket.checksum_type, declaration);
    let (payload, digests) = receive_whole(core, shard, body, hasher, size).await?;
    let meta = ObjectMeta {
        modified_unix_ms: unix_ms(),
        size,
        xxh3_128: digests.xxh3_128,
        etag: digests.etag.clone(),
        checksum: digests.checksum.clone().map(Into::into),
        headers,
        block_checksums: digests.block_checksums.clone(),
        ..ObjectMeta::default()
    };
    if matches!(payload, NewPayload::Blob(_)) {
        // Brings what is replaced into memory, so that its space comes back at once and not at the next merge.
        shard.lookup(object.bucket.id, object.key.as_bytes()).await?;
    }
    shard.note_bucket(object.bucket.id, &object.bucket.name);
    shard
        .change(
            object.bucket.id,
            object.key.clone().into_bytes(),
            Change::Put(NewVersion::Null, Box::new(meta), payload),
        )
        .await?;
    Ok(digests)
}
