#![no_main]

#[path = "../log_bodies.rs"]
#[allow(dead_code)]
mod log_bodies;

libfuzzer_sys::fuzz_target!(|data: &[u8]| log_bodies::batch(data));
