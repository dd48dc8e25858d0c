//! Benchmarks of Corelane: beside nginx on the same core, as ratios; writing, beside the disk; listing; multipart uploads,
//! copies and conditions; space; restarts; stalled clients.

mod cell;
mod command;
mod contention;
mod disk;
mod disk_use;
mod engine;
mod error;
mod fio;
mod limits;
mod listing;
mod loadgen;
mod machine;
mod measure;
mod object_client;
mod output;
mod progress;
mod report;
mod server;
mod session;
mod signature;
mod stalled_clients;
mod subject;
mod table;
mod tickets;
mod xml_text;

use clap::{Parser, Subcommand};
use command::{
    compare, etag, fill, lease, list, mixed, objects, put_durable, put_large, restart, space, stalled, ways,
};
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
    PutLarge(put_large::PutLarge),
    Etag(etag::Etag),
    Ways(ways::Ways),
    Mixed(mixed::Mixed),
    Lease(lease::Lease),
    List(list::List),
    Objects(objects::Objects),
    Space(space::Space),
    Restart(restart::Restart),
    Stalled(stalled::Stalled),
    #[command(hide = true)]
    Fill(fill::Fill),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Compare(flags) => compare::run(&flags),
        Command::PutDurable(flags) => put_durable::run(&flags),
        Command::PutLarge(flags) => put_large::run(&flags),
        Command::Etag(flags) => etag::run(&flags),
        Command::Ways(flags) => ways::run(&flags),
        Command::Mixed(flags) => mixed::run(&flags),
        Command::Lease(flags) => lease::run(&flags),
        Command::List(flags) => list::run(&flags),
        Command::Objects(flags) => objects::run(&flags),
        Command::Space(flags) => space::run(&flags),
        Command::Restart(flags) => restart::run(&flags),
        Command::Stalled(flags) => stalled::run(&flags),
        Command::Fill(flags) => fill::run(&flags),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
