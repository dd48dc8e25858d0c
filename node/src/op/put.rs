//! PutObject (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html>). The payload is received into the
//! buffer it is written from, and hashed there block by block while it is in the processor's cache.

use super::{ObjectRequest, commit, version::write_version_id};
use crate::{
    answer::{Exchange, store_error},
    connection::{After, Connection},
    core::{Core, unix_ms},
    receive::{self, Failure, Upload, decoder, receive_whole},
    recv::{Body, send_continue},
};
use mountpath::{
    error::StoreError,
    record::ObjectMeta,
    shard_store::{NewPayload, ShardStore},
};
use proto::{
    digest::hasher::{PayloadDigests, PayloadHasher},
    error::{ErrorCode, S3Error},
    http::{conditional::WriteCondition, head::RequestHead},
    s3::{object::ObjectHeaders, tagging::TagSet, version::VersionId},
};
use std::rc::Rc;

/// What is known of an object before its payload.
struct NewObject {
    headers: ObjectHeaders,
    tags: TagSet,
    condition: Option<WriteCondition>,
}

/// What became of an upload.
struct Stored {
    digests: PayloadDigests,
    version: VersionId,
}

impl NewObject {
    fn from_request(head: &RequestHead) -> Result<Self, S3Error> {
        Ok(Self {
            headers: ObjectHeaders::from_request(head)?,
            tags: TagSet::from_request(head)?,
            condition: WriteCondition::from_request(head)?,
        })
    }
}

/// Receives, verifies, stores, answers.
pub async fn run(
    connection: &mut Connection<'_>,
    head: &RequestHead,
    exchange: Exchange,
    object: ObjectRequest,
    upload: Upload,
) -> After {
    let core = Rc::clone(connection.core);
    let Some((_, shard)) = core.shard(object.shard) else {
        return connection
            .refuse(head, exchange, &S3Error::new(ErrorCode::ServiceUnavailable))
            .await;
    };
    let parts = NewObject::from_request(head).and_then(|new| Ok((new, decoder(head, &upload)?)));
    let (new, decoder) = match parts {
        Ok(parts) => parts,
        Err(error) => return connection.refuse(head, exchange, &error).await,
    };
    if shard.is_fenced(object.bucket.id) {
        let error = store_error(&StoreError::Fenced, &object.bucket.name, &object.key);
        return connection.refuse(head, exchange, &error).await;
    }
    if let Err(error) = commit::check_early(shard, &object, new.condition.as_ref()).await {
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
    let received = receive(&core, shard, &mut body, &object, &upload, new).await;
    exchange.received_bytes.set(body.decoder.payload_length());
    match received {
        Ok(Stored { digests, version }) => {
            let bytes = exchange.empty(&core, 200, |response| {
                response.header_etag(&digests.etag);
                write_version_id(response, object.bucket.versioning, version);
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
    core: &Core,
    shard: &Rc<ShardStore>,
    body: &mut Body<'_>,
    object: &ObjectRequest,
    upload: &Upload,
    new: NewObject,
) -> Result<Stored, Failure> {
    let hasher = PayloadHasher::new(object.bucket.checksum_type, &upload.declaration);
    let (payload, digests) = receive_whole(core, shard, body, hasher, upload).await?;
    let meta = ObjectMeta {
        modified_unix_ms: unix_ms(),
        size: digests.length,
        xxh3_128: digests.xxh3_128,
        etag: digests.etag.clone(),
        checksum: digests.checksum.clone().map(Into::into),
        headers: new.headers,
        tags: new.tags.into_tags(),
        block_checksums: digests.block_checksums.clone(),
        ..ObjectMeta::default()
    };
    if matches!(payload, NewPayload::Blob(_)) {
        // Brings what is replaced into memory, so that its space comes back at once and not at the next merge.
        shard.lookup(object.bucket.id, object.key.as_bytes()).await?;
    }
    let entry = commit::put(shard, object, meta, payload, new.condition.as_ref()).await?;
    Ok(Stored {
        digests,
        version: entry.version,
    })
}
