//! What the engine's tests share: a seeded generator, directories, the engine behind one small interface, and disks
//! that lose power.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod directory;
pub mod disk;
pub mod faults;
pub mod generator;
pub mod history;
pub mod power;
pub mod store;
pub mod tape;

/// The seed of this run: CORELANE_SEED, or always the same one.
pub fn seed() -> u64 {
    environment("CORELANE_SEED").unwrap_or(1)
}

/// A number from the environment.
pub fn environment(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text:?}")))
}
