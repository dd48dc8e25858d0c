//! `POST /v1/buckets`: makes a bucket.

use super::{
    super::{call::Call, reply::Reply},
    view::BucketView,
    wanted::{self, WantedProperties},
};
use crate::{bucket_properties, request::bucket_in_use, s3::create_bucket};
use proto::{error::S3Error, s3::name::BucketName};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateBucket {
    name: String,
    #[serde(default)]
    properties: WantedProperties,
}

/// 201 with the bucket, which is the caller's. Unlike in S3, one that is there already is 409.
pub async fn serve(call: &Call<'_>) -> Result<Reply, S3Error> {
    let wanted: CreateBucket = call.json()?;
    let name = BucketName::parse(&wanted.name)?;
    let properties = bucket_properties::set(
        call.gateway.live.native_bucket_properties(),
        &wanted::read(&wanted.properties)?,
    )
    .map_err(|error| bucket_properties::refused(&error))?;
    create_bucket::make(call.gateway, call.caller()?, &name, properties).await?;
    let bucket = bucket_in_use(call.gateway, name.as_str())?;
    Ok(Reply::json(201, &BucketView::from(&*bucket)))
}
