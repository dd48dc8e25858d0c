//! Benchmarks of Corelane: beside nginx on the same core, as ratios; durable PUTs; stalled clients.

mod cell;
mod command;
mod disk;
mod error;
mod limits;
mod loadgen;
mod machine;
mod measure;
mod progress;
mod report;
mod server;
mod session;
mod stalled_clients;
mod subject;
mod table;

use clap::{Parser, Subcommand};
use command::{compare, put_durable, stalled};
use std::process::ExitCode;

/// Measure Corelane. Needs Linux with processors 0 and 1 to itself.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Compare(compare::Compare),
    PutDurable(put_durable::PutDurable),
    Stalled(stalled::Stalled),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Compare(flags) => compare::run(&flags),
        Command::PutDurable(flags) => put_durable::run(&flags),
        Command::Stalled(flags) => stalled::run(&flags),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
