//! `GET /v1/buckets`: the caller's buckets; root is shown all.

use super::{
    super::{call::Call, reply::Reply},
    view::BucketView,
};
use crate::records::BucketState;
use proto::error::S3Error;
use serde_json::json;

/// 200, in the order of their names.
pub fn serve(call: &Call<'_>) -> Result<Reply, S3Error> {
    let user = &call.caller()?.user;
    let catalog = &call.gateway.catalog;
    let mut buckets = match user.is_root() {
        true => catalog.buckets(),
        false => catalog.buckets_of(&user.name),
    };
    buckets.retain(|bucket| bucket.state == BucketState::Active);
    buckets.sort_by(|one, other| one.name.cmp(&other.name));
    let views: Vec<BucketView> = buckets.iter().map(|bucket| BucketView::from(&**bucket)).collect();
    Ok(Reply::json(200, &json!({ "buckets": views })))
}
