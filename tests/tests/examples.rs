//! The training loops of `examples/`, as a reader of their headers runs them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use corelane_tests::{
    command::{program_of_environment, run},
    directory::workspace,
    matrix::{Scheme, Target},
    store::Store,
};

fn trains(environment: &str, script: &str, scheme: Scheme) {
    let store = match scheme {
        Scheme::Http => Store::start(),
        Scheme::Https => Store::start_with(&["--tls"]),
    };
    let target = Target::new(&store, scheme);
    let mut command = target.clients.command(&program_of_environment(environment, "python"));
    command
        .arg(workspace().join("examples").join(script))
        .env("S3_ENDPOINT", &target.endpoint);
    if let Some(certificate) = &target.certificate {
        command.env("AWS_CA_BUNDLE", certificate).env("S3_CA_FILE", certificate);
    }
    // The script itself fails unless the loss has fallen and every batch came from the bucket.
    run(command).ok().says("epoch 4: loss").says("trained");
    assert!(store.log().contains("bucket created"));
}

#[test]
fn pytorch_trains_over_http() {
    trains("debian-torch", "pytorch_training.py", Scheme::Http);
}

#[test]
fn pytorch_trains_over_https() {
    trains("debian-torch", "pytorch_training.py", Scheme::Https);
}

#[test]
#[ignore = "gigabytes to install: ./scripts/test --all-clients"]
fn tensorflow_trains_over_http() {
    trains("tensorflow", "tensorflow_training.py", Scheme::Http);
}

#[test]
#[ignore = "gigabytes to install: ./scripts/test --all-clients"]
fn tensorflow_trains_over_https() {
    trains("tensorflow", "tensorflow_training.py", Scheme::Https);
}
