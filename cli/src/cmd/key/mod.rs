//! `corelane key`: the access keys of a running store, over `/v1/keys`.

mod create;
mod ls;
mod rm;
mod rotate;
mod view;

use crate::{
    client::{Client, GlobalArgs},
    error::Result,
};
use clap::{Args, Subcommand};

const EXAMPLES: &str = "\
Examples:
  corelane key create --user alice                     A new user with a new key; the secret is shown once
  corelane key create --user alice                     One more key for the same user
  corelane key ls
  corelane key rotate AKEXAMPLE                        A new key for the same user; AKEXAMPLE works until it is removed
  corelane key rm AKEXAMPLE

A bucket belongs to the user who made it; other users get AccessDenied. Keys are managed by the user root, whom the
store's first key belongs to. It is read from --data DIR (control/credentials.json), or from CORELANE_ACCESS_KEY and CORELANE_SECRET_KEY.";

/// The flags of `corelane key`.
#[derive(Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
    #[command(flatten)]
    global: GlobalArgs,
}

#[derive(Subcommand)]
enum KeyCommand {
    /// Create an access key, and its user if there is none of that name
    Create(create::CreateArgs),
    /// List all access keys, without secrets
    #[command(visible_alias = "list", after_help = ls::EXAMPLES)]
    Ls,
    /// Give the user of a key a new one
    Rotate(rotate::RotateArgs),
    /// Remove an access key; its user's buckets stay
    Rm(rm::RmArgs),
}

/// Runs the command.
pub fn run(args: &KeyArgs) -> Result<()> {
    let client = Client::new(&args.global.connection)?;
    let output = args.global.output;
    match &args.command {
        KeyCommand::Create(args) => create::run(&client, output, args),
        KeyCommand::Ls => ls::run(&client, output),
        KeyCommand::Rotate(args) => rotate::run(&client, output, args),
        KeyCommand::Rm(args) => rm::run(&client, output, args),
    }
}
