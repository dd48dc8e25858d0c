//! `PATCH /v1/buckets/{bucket}`: changes properties, all that are given or none.

use super::{
    super::{call::Call, reply::Reply},
    view::BucketView,
    wanted::{self, WantedProperties},
};
use crate::{bucket_properties, request::bucket_in_use};
use proto::error::S3Error;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeBucket {
    properties: WantedProperties,
}

/// 200 with what has changed, once no core acts on the old properties any more.
pub async fn serve(call: &Call<'_>) -> Result<Reply, S3Error> {
    let bucket = call.bucket()?;
    let wanted: ChangeBucket = call.json()?;
    let wanted = wanted::read(&wanted.properties)?;
    let changed = bucket_properties::change(call.gateway, &bucket, &wanted).await?;
    let changed: Vec<Value> = changed
        .iter()
        .map(|changed| json!({ "name": changed.property.name(), "value": changed.value, "was": changed.was }))
        .collect();
    let bucket = bucket_in_use(call.gateway, &bucket.name)?;
    let view = BucketView::from(&*bucket);
    Ok(Reply::json(200, &json!({ "changed": changed, "bucket": view })))
}
