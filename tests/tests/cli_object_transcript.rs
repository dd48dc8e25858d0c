//! What `corelane object` prints, word for word.

use corelane_tests::{store::Store, transcript};

#[test]
fn objects() {
    transcript::play("objects", &Store::start());
}
