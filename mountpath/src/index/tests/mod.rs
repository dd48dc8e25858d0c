//! Tests of the index on disk as a whole.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod crash;
mod damage;
mod measure;
mod model;
mod pages;
mod reference;
mod rows;
mod scenario;
mod simulated_file;
mod support;
