//! CreateMultipartUpload (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html>).

use super::ObjectRequest;
use crate::{
    answer::{Exchange, store_error},
    connection::{After, Connection},
    core::{Core, unix_ms},
};
use mountpath::{
    error::StoreError,
    record::{Multipart, ObjectMeta},
};
use proto::{
    digest::multipart::MultipartChecksum,
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
    s3::{object::ObjectHeaders, tagging::TagSet, version::UploadId, xml_multipart},
};

/// Answers it.
pub async fn run(
    connection: &mut Connection<'_>,
    head: &RequestHead,
    exchange: Exchange,
    object: ObjectRequest,
) -> After {
    let core = connection.core;
    match create(core, head, &object).await {
        Ok((upload, checksum)) => {
            let document = xml_multipart::initiate_result(&object.bucket.name, &object.key, upload);
            let bytes = exchange.document(core, &document, |response| {
                if let Some(checksum) = checksum {
                    response.header("x-amz-checksum-algorithm", checksum.algorithm.name());
                    response.header("x-amz-checksum-type", checksum.form.name());
                }
            });
            connection.answer(&exchange, &bytes).await
        }
        Err(error) => connection.refuse(head, exchange, &error).await,
    }
}

async fn create(
    core: &Core,
    head: &RequestHead,
    object: &ObjectRequest,
) -> Result<(UploadId, Option<MultipartChecksum>), S3Error> {
    let bucket = &object.bucket;
    let (_, shard) = core
        .shard(object.shard)
        .ok_or_else(|| S3Error::new(ErrorCode::ServiceUnavailable))?;
    let checksum = MultipartChecksum::from_request(head)?;
    let meta = ObjectMeta {
        modified_unix_ms: unix_ms(),
        headers: ObjectHeaders::from_request(head)?,
        tags: TagSet::from_request(head)?.into_tags(),
        multipart: Some(Box::new(Multipart {
            upload: UploadId(0),
            checksum: checksum.map(|checksum| (checksum.algorithm, checksum.form)),
            parts: Vec::new(),
        })),
        ..ObjectMeta::default()
    };
    let told = |error: StoreError| store_error(&error, &bucket.name, &object.key);
    if shard.is_fenced(bucket.id) {
        return Err(told(StoreError::Fenced));
    }
    shard.note_bucket(bucket.id, &bucket.name);
    let created = shard
        .create_upload(bucket.id, object.key.clone().into_bytes(), meta)
        .await;
    Ok((created.map_err(told)?, checksum))
}
