//! `/v1/buckets/{bucket}/objects`: what there is in a bucket. The data itself is at `/v1/objects`, and no business of the
//! admin API.

mod continuation;
mod head;
pub mod list;
pub mod show;
mod view;
