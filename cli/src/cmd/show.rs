//! `corelane show ...`: the same as `bucket show`, `cluster show` and so on, with the words the other way round.

use super::{bucket::show::ShowBucketArgs, cluster, config, object::show::ShowObjectArgs};
use crate::{
    client::{Client, GlobalArgs},
    error::Result,
};
use clap::{Args, Subcommand};

const EXAMPLES: &str = "\
Examples:
  corelane show bucket photos                               The same as `corelane bucket show photos`
  corelane show object photos/a.jpg                         The same as `corelane object show photos/a.jpg`
  corelane show cluster
  corelane show config net.http                             The same as `corelane config show net.http`";

/// The flags of `corelane show`.
#[derive(Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub struct ShowArgs {
    #[command(subcommand)]
    command: ShowCommand,
    #[command(flatten)]
    global: GlobalArgs,
}

#[derive(Subcommand)]
enum ShowCommand {
    /// Show a bucket's properties: `bucket show`
    Bucket(ShowBucketArgs),
    /// Show what the store says of an object: `object show`
    Object(ShowObjectArgs),
    /// Show what the store consists of: `cluster show`
    #[command(after_help = cluster::EXAMPLES)]
    Cluster,
    /// Show settings and their values: `config show`
    Config(config::ShowArgs),
}

/// Runs the command.
pub fn run(args: &ShowArgs) -> Result<()> {
    let client = || Client::new(&args.global.connection);
    let output = args.global.output;
    match &args.command {
        ShowCommand::Bucket(args) => super::bucket::show::show(&client()?, output, args),
        ShowCommand::Object(args) => super::object::show::show(&client()?, output, args),
        ShowCommand::Cluster => cluster::show(&client()?, output),
        ShowCommand::Config(show) => config::show(&args.global, show.prefix.as_deref(), show.verbose),
    }
}
