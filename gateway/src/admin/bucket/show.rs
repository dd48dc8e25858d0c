//! `GET /v1/buckets/{bucket}`: a bucket and its properties.

use super::{
    super::{call::Call, reply::Reply},
    view::BucketView,
};
use proto::error::S3Error;

/// 200 with the bucket.
pub fn serve(call: &Call<'_>) -> Result<Reply, S3Error> {
    let bucket = call.bucket()?;
    Ok(Reply::json(200, &BucketView::from(&*bucket)))
}
