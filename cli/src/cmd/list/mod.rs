//! `corelane ls`, also as `bucket ls` and `object ls`: buckets, or the objects of one.

mod buckets;
mod columns;
mod objects;
pub mod pages;
pub mod summary;

use crate::{
    bucket_name::{BucketName, Place},
    client::{Client, GlobalArgs},
    error::{CliError, Result},
    output::OutputArgs,
};
use clap::Args;
use columns::Column;

const EXAMPLES: &str = "\
Examples:
  corelane ls                                               All buckets; ais://, ais: and s3:// mean the same
  corelane ls photos                                        The objects of a bucket
  corelane ls s3://photos/2026/                             Those whose names begin with 2026/
  corelane ls photos --delimiter /                          Folders as one line each
  corelane ls photos --props size,checksum,atime,version
  corelane ls photos --props all --limit 10
  corelane ls photos --versions                             Old versions and delete markers too
  corelane ls photos --summary                              How many they are, and how large
  corelane ls photos --json

Columns: name, size, checksum, checksum.type, etag, mtime (last write), atime (last access), version, class, state.
In a bucket that keeps no versions, version counts the writes of an object.";

/// The flags of `corelane ls`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct LsArgs {
    #[command(flatten)]
    list: ListArgs,
    #[command(flatten)]
    global: GlobalArgs,
}

/// What is listed, and how.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub struct ListArgs {
    /// A bucket, BUCKET/PREFIX, or ais:// for all buckets
    place: Option<Place>,
    /// What is said of each object, with commas between; `all` is everything
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    props: Vec<Column>,
    /// Only objects whose names begin so
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,
    /// Names that are the same up to this text, behind the prefix, become one line
    #[arg(long, value_name = "TEXT")]
    delimiter: Option<String>,
    /// At most so many lines
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// All versions, and delete markers
    #[arg(long, conflicts_with = "summary")]
    versions: bool,
    /// Only the number of objects and their bytes
    #[arg(long)]
    summary: bool,
    /// No heading, for scripts
    #[arg(long)]
    no_heading: bool,
}

/// Runs the command.
pub fn run(args: &LsArgs) -> Result<()> {
    let client = Client::new(&args.global.connection)?;
    list(&client, args.global.output, &args.list)
}

/// Lists what the flags say.
pub fn list(client: &Client, output: OutputArgs, args: &ListArgs) -> Result<()> {
    match args.place.as_ref().and_then(|place| place.bucket.as_ref()) {
        Some(bucket) => {
            let prefix = args.prefix()?;
            match args.summary {
                true => summary::print(client, output, bucket, prefix),
                false => objects::print(client, output, args, bucket, prefix),
            }
        }
        None => {
            let listing_objects = !args.props.is_empty() || args.prefix.is_some() || args.delimiter.is_some();
            if listing_objects || args.versions || args.limit.is_some() {
                return Err(CliError::usage(
                    "these flags are for the objects of a bucket; name one, as in `corelane ls photos`",
                ));
            }
            buckets::print(client, output, args.summary, args.no_heading)
        }
    }
}

impl ListArgs {
    fn prefix(&self) -> Result<&str> {
        let of_place = self.place.as_ref().map_or("", |place| place.key.as_str());
        match &self.prefix {
            Some(_) if !of_place.is_empty() => Err(CliError::usage(
                "the prefix is given twice; write either BUCKET/PREFIX or BUCKET --prefix PREFIX",
            )),
            Some(prefix) => Ok(prefix),
            None => Ok(of_place),
        }
    }
}

/// How a bucket is written where it is a title.
fn title(bucket: &BucketName, prefix: &str) -> String {
    match prefix.is_empty() {
        true => bucket.to_string(),
        false => format!("{bucket}/{prefix}"),
    }
}
