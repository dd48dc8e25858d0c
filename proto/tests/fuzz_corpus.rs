//! Runs every fuzz target's body on its committed corpus, and on every prefix and a flip of every byte of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../../fuzz/bodies.rs"]
mod bodies;

fn corpus(target: &str, body: fn(&[u8])) {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let mut files = 0;
    for entry in std::fs::read_dir(&directory).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        body(&bytes);
        for at in 0..bytes.len() {
            body(&bytes[..at]);
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            body(&flipped);
        }
        files += 1;
    }
    assert!(files > 0, "{} is empty", directory.display());
}

#[test]
fn head() {
    corpus("head", bodies::head);
}

#[test]
fn xml() {
    corpus("xml", bodies::xml);
}

#[test]
fn form() {
    corpus("form", bodies::form);
}

#[test]
fn sigv4() {
    corpus("sigv4", bodies::sigv4);
}

#[test]
fn aws_chunked() {
    corpus("aws_chunked", bodies::aws_chunked);
}

#[test]
fn ticket() {
    corpus("ticket", bodies::ticket);
}
