//! `DELETE /v1/buckets/{bucket}`: removes an empty bucket.

use super::super::{call::Call, reply::Reply};
use crate::s3::delete_bucket;
use proto::error::S3Error;

/// 204 once no core answers for it any more.
pub async fn serve(call: &Call<'_>) -> Result<Reply, S3Error> {
    let bucket = call.bucket()?;
    delete_bucket::remove(call.gateway, &bucket, &call.caller()?.user.name).await?;
    Ok(Reply::empty(204))
}
