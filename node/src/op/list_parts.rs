//! ListParts (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html>).

use super::ObjectRequest;
use crate::{
    answer::{Exchange, store_error},
    connection::{After, Connection},
    core::Core,
};
use mountpath::error::StoreError;
use proto::{
    auth::ticket::Principal,
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
    limits::{LIST_PARTS_MAX, PART_NUMBER_MAX},
    s3::{
        part,
        query::Query,
        version::UploadId,
        xml_multipart::{self, ListedPart, PartsResult},
        xml_write::Owner,
    },
};

/// Answers it.
pub async fn run(
    connection: &mut Connection<'_>,
    head: &RequestHead,
    query: &Query,
    exchange: Exchange,
    object: ObjectRequest,
    principal: &Principal,
) -> After {
    let core = connection.core;
    match list(core, query, &object, principal).await {
        Ok(document) => {
            let bytes = exchange.document(core, &document, |_| {});
            connection.answer(&exchange, &bytes).await
        }
        Err(error) => connection.refuse(head, exchange, &error).await,
    }
}

async fn list(core: &Core, query: &Query, object: &ObjectRequest, principal: &Principal) -> Result<Vec<u8>, S3Error> {
    let (_, shard) = core
        .shard(object.shard)
        .ok_or_else(|| S3Error::new(ErrorCode::ServiceUnavailable))?;
    let bucket = &object.bucket;
    let told = |error: StoreError| store_error(&error, &bucket.name, &object.key);
    let upload = part::upload_id(query)?;
    let max_parts = number(query, "max-parts", "maxParts")?
        .unwrap_or(LIST_PARTS_MAX)
        .min(LIST_PARTS_MAX);
    let marker = number(query, "part-number-marker", "partNumberMarker")?.unwrap_or(0);
    // Behind the highest number there is nothing.
    let marker = u16::try_from(marker).unwrap_or(u16::MAX).min(PART_NUMBER_MAX);
    let found = shard.upload(bucket.id, object.key.as_bytes(), upload).await;
    let entry = found
        .map_err(told)?
        .ok_or_else(|| UploadId::unknown(&upload.to_string()))?;
    let mut entries = match max_parts {
        0 => Vec::new(),
        _ => shard
            .parts(bucket.id, upload, marker, max_parts + 1)
            .await
            .map_err(told)?,
    };
    let truncated = entries.len() > max_parts;
    entries.truncate(max_parts);
    let parts: Vec<ListedPart> = entries
        .into_iter()
        .map(|(number, part)| ListedPart {
            number,
            modified_unix_ms: part.meta.modified_unix_ms,
            etag: part.meta.etag.clone(),
            size: part.meta.size,
            checksum: part.meta.checksum.clone(),
        })
        .collect();
    let initiator = Owner {
        id: principal.user_id.clone(),
        display_name: principal.display_name.clone(),
    };
    let owner = Owner {
        id: bucket.owner_id.clone(),
        // Nobody but the owner gets here, unless nobody is verified.
        display_name: principal.display_name.clone(),
    };
    let multipart = entry.meta.multipart.as_ref();
    Ok(xml_multipart::list_parts_result(&PartsResult {
        bucket: &bucket.name,
        key: &object.key,
        upload,
        part_number_marker: marker,
        max_parts,
        truncated,
        initiator: &initiator,
        owner: &owner,
        storage_class: entry.meta.headers.storage_class.as_deref(),
        checksum: multipart.and_then(|multipart| multipart.checksum),
        parts: &parts,
    }))
}

/// A parameter that counts, as S3 reads those: in 32 bits.
fn number(query: &Query, name: &str, argument: &str) -> Result<Option<usize>, S3Error> {
    let Some(text) = query.value(name).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let refuse = |message: String| {
        S3Error::with_message(ErrorCode::InvalidArgument, message)
            .field("ArgumentName", name)
            .field("ArgumentValue", text)
    };
    let number: i32 = text
        .parse()
        .map_err(|_| refuse(format!("Provided {name} not an integer or within integer range")))?;
    let number = usize::try_from(number).map_err(|_| {
        refuse(format!(
            "Argument {argument} must be an integer between 0 and 2147483647"
        ))
    })?;
    Ok(Some(number))
}
