//! `corelane`: serves and operates a Corelane object store.
#![deny(unsafe_code)]

mod certificate;
mod client;
mod cmd;
mod error;
mod limits;
mod private_file;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  corelane serve                                   Serve ./corelane-data on 127.0.0.1:51080
  corelane serve --data /disk1 --data /disk2       One mountpath a disk
  corelane serve --host 0.0.0.0 --advertise store.example.org
                                                   Reachable from other hosts, with redirects to the cores
  corelane serve --tls                             HTTPS, with a certificate made at the first start
  corelane key create --user alice                 A key of her own for alice
  corelane key ls                                  Who has keys
  corelane cert                                    What the store's certificate says

Every command explains itself: corelane COMMAND --help";

/// An S3 object store with one io_uring lane per CPU core, from disk to socket.
#[derive(Parser)]
#[command(name = "corelane", version, after_help = EXAMPLES, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve a store on this machine: a gateway, and a node with one lane per core
    Serve(cmd::serve::ServeArgs),
    /// Create, list and remove access keys of a running store
    Key(cmd::key::KeyArgs),
    /// Show, make and renew certificates for HTTPS
    Cert(cmd::cert::CertArgs),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(args) => cmd::serve::run(&args),
        Command::Key(args) => cmd::key::run(&args),
        Command::Cert(args) => cmd::cert::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(message) = error.message() {
                eprintln!("error: {message}");
            }
            ExitCode::from(error.exit_code())
        }
    }
}
