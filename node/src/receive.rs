//! Receiving a payload, of a client or of the core that owns a copy's source: into the buffer it is written from, and
//! hashed there block by block while it is in the processor's cache.

mod blob;
mod open;

use crate::{
    answer::{Exchange, store_error},
    connection::{After, Connection},
    core::Core,
    limits::{BUFFER_WAIT, SMALL_PUT_BYTES_MAX, UPLOADS_PER_CORE_MAX},
    recv::Body,
    rt::{within, yield_if_needed},
};
use blob::IncomingBlob;
use mountpath::{
    buffer::PooledBuffer,
    error::StoreError,
    shard_store::{NewPayload, ShardStore},
};
use proto::{
    auth::{body::BodyDecoder, chunked::ChunkSigner, payload::PayloadDeclaration, verify::Credential},
    digest::hasher::{PayloadDigests, PayloadHasher},
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
    limits::{BLOCK_BYTES, INLINE_OBJECT_BYTES_MAX},
    s3::query::Query,
};
use std::rc::Rc;

/// What the ticket says of the payload.
#[derive(Debug)]
pub struct Upload {
    /// What it must be.
    pub declaration: PayloadDeclaration,
    /// What signed chunks chain from.
    pub signer: Option<ChunkSigner>,
    /// Its length is not declared; it has no more bytes than this.
    pub open_length_max: Option<u64>,
}

/// Why an upload failed: a client's fault and the engine's are told differently.
pub enum Failure {
    /// What the client is told.
    Client(S3Error),
    /// What the engine said.
    Store(StoreError),
}

impl From<S3Error> for Failure {
    fn from(error: S3Error) -> Self {
        Self::Client(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Failure {
    /// As the client of this object is told.
    pub fn error(self, bucket: &str, key: &str) -> S3Error {
        match self {
            Self::Client(error) => error,
            Self::Store(error) => store_error(&error, bucket, key),
        }
    }
}

/// What reads a request's body.
pub fn decoder(head: &RequestHead, upload: &Upload) -> Result<BodyDecoder, S3Error> {
    let signer = match &upload.signer {
        Some(signer) => Some(resigned(head, signer)?),
        None => None,
    };
    BodyDecoder::new(head.framing(), &upload.declaration, signer)
}

/// A client that signed again for this core chains its chunks from the new signature. It needs no check here: only a
/// holder of the signing key can make chunks that continue it.
fn resigned(head: &RequestHead, signer: &ChunkSigner) -> Result<ChunkSigner, S3Error> {
    match Credential::from_request(head, &Query::default())? {
        Credential::Signed(claim) if claim.scope == signer.scope => Ok(ChunkSigner {
            signing_key: signer.signing_key.clone(),
            timestamp: claim.timestamp,
            scope: claim.scope,
            seed_signature: claim.signature,
        }),
        _ => Ok(signer.clone()),
    }
}

/// Receives a payload to its end and holds it against what was declared of it.
pub async fn receive_whole(
    core: &Core,
    shard: &Rc<ShardStore>,
    body: &mut Body<'_>,
    mut hasher: PayloadHasher,
    upload: &Upload,
) -> Result<(NewPayload, PayloadDigests), Failure> {
    let payload = match (upload.declaration.decoded_length, upload.open_length_max) {
        (None, Some(length_max)) => open::receive(core, shard, body, &mut hasher, length_max).await?,
        (Some(size), None) => receive_declared(core, shard, body, &mut hasher, size).await?,
        _ => return Err(S3Error::new(ErrorCode::MissingContentLength).into()),
    };
    // A blob goes when it is dropped.
    body.end().await?;
    let digests = hasher.finish(body.decoder.trailers())?;
    Ok((payload, digests))
}

/// Answers an upload that failed. What is left of a short body is taken in, so that the connection can be kept.
pub async fn refuse(
    connection: &mut Connection<'_>,
    mut exchange: Exchange,
    decoder: BodyDecoder,
    error: &S3Error,
) -> After {
    let mut body = Body {
        inbox: &mut connection.inbox,
        stream: &mut connection.stream,
        deadline: &connection.deadline,
        decoder,
    };
    exchange.keep_alive &= body.drain().await;
    let bytes = exchange.error(connection.core, error);
    let after = connection.answer(&exchange, &bytes).await;
    if after == After::Close {
        connection.linger().await;
    }
    after
}

async fn receive_declared(
    core: &Core,
    shard: &Rc<ShardStore>,
    body: &mut Body<'_>,
    hasher: &mut PayloadHasher,
    size: u64,
) -> Result<NewPayload, Failure> {
    if size <= SMALL_PUT_BYTES_MAX {
        return receive_small(core, shard, body, hasher, size).await;
    }
    if size > INLINE_OBJECT_BYTES_MAX {
        return receive_blob(core, shard, body, hasher, size, None).await;
    }
    body.ready().await?;
    let buffer = take_buffer(core, size).await?;
    let (buffer, filled) = fill_up(body, hasher, buffer, size).await?;
    if (filled as u64) < size {
        // The pool is short and gave a smaller buffer than the object: it takes the way of a large one.
        return receive_blob(core, shard, body, hasher, size, Some((buffer, filled))).await;
    }
    hash_md5_of_buffer(core, hasher, buffer, filled)
        .await
        .map(NewPayload::Buffered)
}

async fn receive_small(
    core: &Core,
    shard: &ShardStore,
    body: &mut Body<'_>,
    hasher: &mut PayloadHasher,
    size: u64,
) -> Result<NewPayload, Failure> {
    if size > 0 {
        body.ready().await?;
    }
    let mut payload = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
    let filled = body.fill(&mut payload).await?;
    if filled != payload.len() {
        return Err(S3Error::new(ErrorCode::IncompleteBody).into());
    }
    hasher.update_but_md5(&payload);
    let Some(md5) = hasher.take_md5() else {
        return Ok(NewPayload::Small(payload));
    };
    match core.md5.update_small(md5, payload, shard.is_appending()).await {
        Some((md5, payload)) => {
            hasher.put_md5(md5);
            Ok(NewPayload::Small(payload))
        }
        None => Err(S3Error::new(ErrorCode::InternalError).into()),
    }
}

async fn receive_blob(
    core: &Core,
    shard: &Rc<ShardStore>,
    body: &mut Body<'_>,
    hasher: &mut PayloadHasher,
    size: u64,
    begun: Option<(PooledBuffer, usize)>,
) -> Result<NewPayload, Failure> {
    let _place = UploadPlace::take(core)?;
    let (buffer, mut filled) = match begun {
        Some(begun) => begun,
        None => {
            body.ready().await?;
            fill_up(body, hasher, take_buffer(core, size).await?, size).await?
        }
    };
    // The file is made when the first bytes are here: a client that only announces holds nothing.
    let mut blob = IncomingBlob::new(core, shard.create_blob(size).await?);
    blob.write(hasher, buffer, filled).await?;
    let mut left = size;
    loop {
        left = left.saturating_sub(filled as u64);
        if left == 0 {
            return blob.finish(shard, hasher).await;
        }
        body.ready().await?;
        let buffer = blob.take_buffer(hasher, left).await?;
        let (buffer, count) = fill_up(body, hasher, buffer, left).await?;
        filled = count;
        blob.write(hasher, buffer, filled).await?;
    }
}

/// The MD5 of a payload that is in one buffer as a whole.
async fn hash_md5_of_buffer(
    core: &Core,
    hasher: &mut PayloadHasher,
    buffer: PooledBuffer,
    filled: usize,
) -> Result<PooledBuffer, Failure> {
    let Some(md5) = hasher.take_md5() else {
        return Ok(buffer);
    };
    match core.md5.update(md5, buffer, filled).done().await {
        Some((md5, buffer)) => {
            hasher.put_md5(md5);
            Ok(buffer)
        }
        None => Err(S3Error::new(ErrorCode::InternalError).into()),
    }
}

/// A place among the blobs a core receives at once.
struct UploadPlace<'c>(&'c Core);

impl<'c> UploadPlace<'c> {
    fn take(core: &'c Core) -> Result<Self, S3Error> {
        if core.uploads.get() >= UPLOADS_PER_CORE_MAX {
            return Err(S3Error::new(ErrorCode::SlowDown));
        }
        core.uploads.set(core.uploads.get() + 1);
        Ok(Self(core))
    }
}

impl Drop for UploadPlace<'_> {
    fn drop(&mut self) {
        self.0.uploads.set(self.0.uploads.get() - 1);
    }
}

/// Fills a buffer, or as much of it as is left to come. `IncompleteBody` when less comes.
async fn fill_up(
    body: &mut Body<'_>,
    hasher: &mut PayloadHasher,
    mut buffer: PooledBuffer,
    left: u64,
) -> Result<(PooledBuffer, usize), Failure> {
    let length = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.size());
    let filled = fill(body, hasher, &mut buffer, length).await?;
    if filled < length {
        return Err(S3Error::new(ErrorCode::IncompleteBody).into());
    }
    Ok((buffer, filled))
}

/// Receives block by block, and hashes each but for the MD5; fewer bytes only at the end of the body.
async fn fill(
    body: &mut Body<'_>,
    hasher: &mut PayloadHasher,
    buffer: &mut PooledBuffer,
    length: usize,
) -> Result<usize, S3Error> {
    let mut filled = 0;
    while filled < length {
        let stop = (filled + BLOCK_BYTES).min(length);
        let block = buffer.bytes_mut().get_mut(filled..stop).unwrap_or_default();
        let count = body.fill(block).await?;
        if count == 0 {
            break;
        }
        hasher.update_but_md5(block.get(..count).unwrap_or_default());
        filled += count;
        yield_if_needed().await;
    }
    Ok(filled)
}

/// A buffer of the pool; `SlowDown` when the pool stays empty.
async fn take_buffer(core: &Core, wanted: u64) -> Result<PooledBuffer, S3Error> {
    if let Some(buffer) = core.receiving.try_take(wanted) {
        return Ok(buffer);
    }
    within(BUFFER_WAIT, core.receiving.take(wanted))
        .await
        .ok_or_else(|| S3Error::new(ErrorCode::SlowDown))
}
