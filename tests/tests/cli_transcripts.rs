//! What the commands print, word by word: `tests/transcripts`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{store::Store, transcript::play};

#[test]
fn errors() {
    play("errors", &Store::start());
}

#[test]
fn buckets() {
    play("buckets", &Store::start());
}

#[test]
fn listings() {
    play("listings", &Store::start());
}

#[test]
fn keys() {
    play("keys", &Store::start());
}

#[test]
fn cluster() {
    play("cluster", &Store::start());
}
