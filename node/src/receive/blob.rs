//! A payload too large for the log: a buffer is filled while the one before is hashed and those before that are written.

use super::{Failure, take_buffer};
use crate::{core::Core, md5_lanes::Hashing};
use mountpath::{
    buffer::PooledBuffer,
    files::blob::BlobWriter,
    shard_store::{NewPayload, ShardStore},
};
use proto::{
    digest::hasher::PayloadHasher,
    error::{ErrorCode, S3Error},
};
use std::rc::Rc;

/// A blob being received.
pub(super) struct IncomingBlob<'c> {
    core: &'c Core,
    writer: BlobWriter,
    /// The last buffer, and the bytes in it, while its MD5 is computed.
    hashing: Option<(Hashing, usize)>,
}

impl<'c> IncomingBlob<'c> {
    pub(super) fn new(core: &'c Core, writer: BlobWriter) -> Self {
        Self {
            core,
            writer,
            hashing: None,
        }
    }

    /// Takes in a buffer that is hashed but for the MD5. Only the last one may be less than full.
    pub(super) async fn write(
        &mut self,
        hasher: &mut PayloadHasher,
        buffer: PooledBuffer,
        filled: usize,
    ) -> Result<(), Failure> {
        self.settle(hasher).await?;
        match hasher.take_md5() {
            None => self.writer.write(buffer, filled).await?,
            Some(md5) => {
                let hashing = self.core.md5.update(md5, buffer, filled);
                self.hashing = Some((hashing, filled));
            }
        }
        Ok(())
    }

    /// A buffer of the pool. When there is none, this upload first lets go of what it holds.
    pub(super) async fn take_buffer(
        &mut self,
        hasher: &mut PayloadHasher,
        wanted: u64,
    ) -> Result<PooledBuffer, Failure> {
        if let Some(buffer) = self.core.receiving.try_take(wanted) {
            return Ok(buffer);
        }
        self.settle(hasher).await?;
        Ok(take_buffer(self.core, wanted).await?)
    }

    /// The payload, when all of it is on the disk.
    pub(super) async fn finish(
        mut self,
        shard: &Rc<ShardStore>,
        hasher: &mut PayloadHasher,
    ) -> Result<NewPayload, Failure> {
        self.settle(hasher).await?;
        Ok(NewPayload::Blob(shard.finish_blob(self.writer).await?))
    }

    /// Waits for the MD5 under way, and writes what it was of.
    async fn settle(&mut self, hasher: &mut PayloadHasher) -> Result<(), Failure> {
        let Some((hashing, filled)) = self.hashing.take() else {
            return Ok(());
        };
        match hashing.done().await {
            Some((md5, buffer)) => {
                hasher.put_md5(md5);
                self.writer.write(buffer, filled).await?;
                Ok(())
            }
            None => Err(S3Error::new(ErrorCode::InternalError).into()),
        }
    }
}
