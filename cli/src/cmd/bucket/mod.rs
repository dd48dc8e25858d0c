//! `corelane bucket`: buckets and their properties, over `/v1/buckets`.

mod assignment;
mod create;
mod props;
mod rm;
pub mod show;
pub mod view;

use super::list::{self, ListArgs};
use crate::{
    client::{Client, GlobalArgs},
    error::Result,
};
use clap::{Args, Subcommand};

const EXAMPLES: &str = "\
Examples:
  corelane bucket create photos                             A bucket with the store's defaults
  corelane bucket create s3://train --props checksum.type=md5
                                                            One whose ETags are MD5
  corelane bucket ls                                        All buckets
  corelane bucket ls photos --props size,checksum,atime     The objects of one
  corelane bucket show photos                               Its properties
  corelane bucket props photos checksum.type=md5 versioning.enabled=true
                                                            Change them
  corelane bucket rm train                                  Remove it

A bucket is written photos, s3://photos or ais://photos.";

/// The flags of `corelane bucket`.
#[derive(Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub struct BucketArgs {
    #[command(subcommand)]
    command: BucketCommand,
    #[command(flatten)]
    global: GlobalArgs,
}

#[derive(Subcommand)]
enum BucketCommand {
    /// Create a bucket
    Create(create::CreateArgs),
    /// List buckets, or the objects of one
    #[command(visible_alias = "list")]
    Ls(ListArgs),
    /// Show a bucket's properties
    Show(show::ShowBucketArgs),
    /// Change a bucket's properties, or show them
    Props(props::PropsArgs),
    /// Remove a bucket
    Rm(rm::RmArgs),
}

/// Runs the command.
pub fn run(args: &BucketArgs) -> Result<()> {
    let client = Client::new(&args.global.connection)?;
    let output = args.global.output;
    match &args.command {
        BucketCommand::Create(args) => create::run(&client, output, args),
        BucketCommand::Ls(args) => list::list(&client, output, args),
        BucketCommand::Show(args) => show::show(&client, output, args),
        BucketCommand::Props(args) => props::run(&client, output, args),
        BucketCommand::Rm(args) => rm::run(client, output, args),
    }
}
