//! A payload whose length nobody knows before its end: the file of a form.

use super::{Failure, UploadPlace, blob::IncomingBlob, fill, hash_md5_of_buffer, take_buffer};
use crate::{core::Core, limits::SMALL_PUT_BYTES_MAX, recv::Body};
use mountpath::shard_store::{NewPayload, ShardStore};
use proto::{
    digest::hasher::PayloadHasher,
    error::{ErrorCode, S3Error},
    limits::INLINE_OBJECT_BYTES_MAX,
};
use std::rc::Rc;

/// Receives it: small into memory, as large as fits into the log into the buffer it is written from, else into a blob.
/// `EntityTooLarge` above `length_max` bytes.
pub(super) async fn receive(
    core: &Core,
    shard: &Rc<ShardStore>,
    body: &mut Body<'_>,
    hasher: &mut PayloadHasher,
    length_max: u64,
) -> Result<NewPayload, Failure> {
    body.ready().await?;
    let mut buffer = take_buffer(core, INLINE_OBJECT_BYTES_MAX).await?;
    let mut room = usize::try_from(INLINE_OBJECT_BYTES_MAX)
        .unwrap_or(usize::MAX)
        .min(buffer.size());
    let mut filled = fill(body, hasher, &mut buffer, room).await?;
    check_length(body, length_max)?;
    if filled < room {
        let small = usize::try_from(SMALL_PUT_BYTES_MAX).unwrap_or(usize::MAX);
        let buffer = hash_md5_of_buffer(core, hasher, buffer, filled).await?;
        return Ok(match buffer.bytes().get(..filled) {
            Some(bytes) if filled <= small => NewPayload::Small(bytes.to_vec()),
            _ => NewPayload::Buffered(buffer),
        });
    }
    let _place = UploadPlace::take(core)?;
    let mut blob = IncomingBlob::new(core, shard.create_blob(length_max).await?);
    loop {
        blob.write(hasher, buffer, filled).await?;
        // Only the last buffer is not full.
        if filled < room {
            break;
        }
        body.ready().await?;
        buffer = blob
            .take_buffer(hasher, length_max - body.decoder.payload_length())
            .await?;
        room = buffer.size();
        filled = fill(body, hasher, &mut buffer, room).await?;
        check_length(body, length_max)?;
        if filled == 0 {
            break;
        }
    }
    blob.finish(shard, hasher).await
}

fn check_length(body: &Body<'_>, length_max: u64) -> Result<(), S3Error> {
    match body.decoder.payload_length() {
        length if length > length_max => Err(S3Error::new(ErrorCode::EntityTooLarge)
            .field("ProposedSize", length.to_string())
            .field("MaxSizeAllowed", length_max.to_string())),
        _ => Ok(()),
    }
}
