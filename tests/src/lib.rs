//! What the end-to-end tests share: stores made of the real binaries, raw HTTP, signatures, and real clients.
// A harness fails by panicking: its caller is a test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod client;
pub mod cluster;
pub mod command;
pub mod digest;
pub mod directory;
pub mod examples;
pub mod form;
pub mod history;
pub mod lanes;
pub mod linear;
pub mod matrix;
pub mod metrics;
pub mod multipart;
pub mod process;
pub mod properties;
pub mod random;
pub mod raw;
pub mod relay;
pub mod request;
pub mod rest;
pub mod schema;
pub mod sign;
pub mod small_disk;
pub mod store;
pub mod tickets;
pub mod tls;
pub mod transcript;
pub mod value;
pub mod worker;
pub mod xml;
