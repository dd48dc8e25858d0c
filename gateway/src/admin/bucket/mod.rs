//! `/v1/buckets`: buckets and their properties.

pub mod change;
pub mod create;
pub mod list;
pub mod remove;
pub mod show;
mod view;
mod wanted;
