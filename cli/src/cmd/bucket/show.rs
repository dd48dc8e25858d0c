//! `corelane bucket show`, also as `corelane show bucket`.

use super::view::{Bucket, fetch};
use crate::{
    bucket_name::BucketName,
    client::Client,
    cmd::list::summary::{Summary, summarize},
    error::Result,
    output::{self, Columns, OutputArgs, size},
};
use clap::Args;
use serde_json::json;

const EXAMPLES: &str = "\
Examples:
  corelane bucket show photos
  corelane bucket show ais://photos | grep checksum
  corelane bucket show photos --summary                     With the number and size of its objects, which are counted
  corelane bucket show photos --json";

/// The flags of `corelane bucket show`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ShowBucketArgs {
    /// The bucket
    bucket: BucketName,
    /// Count its objects and their bytes too: lists all of it
    #[arg(long)]
    summary: bool,
}

/// Runs the command.
pub fn show(client: &Client, output: OutputArgs, args: &ShowBucketArgs) -> Result<()> {
    let mut answer = fetch(client, &args.bucket)?;
    let counted = match args.summary {
        true => Some(summarize(client, &args.bucket, "")?),
        false => None,
    };
    if output.is_json() {
        if let (Some(Summary { objects, bytes }), Some(fields)) = (counted, answer.as_object_mut()) {
            fields.insert("objects".to_owned(), json!(objects));
            fields.insert("object_bytes".to_owned(), json!(bytes));
        }
        return output::json(&answer);
    }
    let bucket = Bucket::of(&answer)?;
    let mut rows = vec![
        ("name", bucket.name.clone()),
        ("owner", bucket.owner.clone()),
        ("created", bucket.created()),
    ];
    rows.extend(bucket.ordered_properties());
    rows.push((
        "configured",
        match bucket.configured.is_empty() {
            true => "nothing".to_owned(),
            false => bucket.configured.join(", "),
        },
    ));
    if let Some(Summary { objects, bytes }) = counted {
        rows.push(("objects", objects.to_string()));
        rows.push(("size", size(bytes)));
    }
    output::line(&property_table(rows, output))
}

/// Names and values under a heading.
pub fn property_table<'a>(rows: impl IntoIterator<Item = (&'a str, String)>, output: OutputArgs) -> String {
    let rows = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]);
    Columns::new(["PROPERTY", "VALUE"]).page(rows, output.style())
}
