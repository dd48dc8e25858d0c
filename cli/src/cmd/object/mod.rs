//! `corelane object`: files become objects and objects files, over S3.

mod cp;
mod flags;
mod get;
mod put;
mod rm;
pub mod show;

use super::list::{self, ListArgs};
use crate::{
    client::{Client, GlobalArgs},
    error::Result,
};
use clap::{Args, Subcommand};

const EXAMPLES: &str = "\
Examples:
  corelane object put a.jpg photos/2026/a.jpg               A file
  corelane object put pictures photos/2026/                 A folder, with the folders in it
  tar c pictures | corelane object put - photos/all.tar     Standard input
  corelane object get photos/2026/a.jpg b.jpg               To a file
  corelane object get photos/2026/ pictures                 A folder
  corelane object cp photos/2026/ archive/photos/           From bucket to bucket, within the store
  corelane object ls photos --props name,size,checksum
  corelane object show photos/2026/a.jpg                    What the store says of it
  corelane object rm photos/2026/a.jpg

An object is written photos/a.jpg, s3://photos/a.jpg or ais://photos/a.jpg. What ends in a slash is a folder: all objects
whose names begin so.";

/// The flags of `corelane object`.
#[derive(Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub struct ObjectArgs {
    #[command(subcommand)]
    command: ObjectCommand,
    #[command(flatten)]
    global: GlobalArgs,
}

#[derive(Subcommand)]
enum ObjectCommand {
    /// Put files, folders or standard input
    Put(put::PutArgs),
    /// Get objects to files, folders or standard output
    Get(get::GetArgs),
    /// Copy objects within the store
    #[command(visible_alias = "copy")]
    Cp(cp::CpArgs),
    /// Remove objects
    Rm(rm::RmArgs),
    /// Show what the store says of an object
    Show(show::ShowObjectArgs),
    /// List the objects of a bucket
    #[command(visible_alias = "list")]
    Ls(ListArgs),
}

/// Runs the command.
pub fn run(args: &ObjectArgs) -> Result<()> {
    let client = Client::new(&args.global.connection)?;
    let output = args.global.output;
    match &args.command {
        ObjectCommand::Put(args) => put::run(client, output, args),
        ObjectCommand::Get(args) => get::run(client, output, args),
        ObjectCommand::Cp(args) => cp::run(client, output, args),
        ObjectCommand::Rm(args) => rm::run(client, output, args),
        ObjectCommand::Show(args) => show::show(&client, output, args),
        ObjectCommand::Ls(args) => list::list(&client, output, args),
    }
}
