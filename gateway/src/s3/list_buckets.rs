//! ListBuckets: the caller's own buckets.

use crate::{answer::Answer, records::BucketState, request::Request};
use proto::s3::xml_write;

/// Serves it.
pub fn serve(request: &Request<'_>) -> Answer {
    let user = &request.caller.user;
    let owned = request.gateway.catalog.buckets_of(&user.name);
    let buckets: Vec<(String, u64)> = owned
        .iter()
        .filter(|bucket| bucket.state == BucketState::Active)
        .map(|bucket| (bucket.name.clone(), bucket.created_unix_ms))
        .collect();
    Answer::xml(xml_write::list_buckets(&user.owner(), &buckets))
}
