//! `corelane bucket rm`.

use super::view::{Bucket, fetch, path};
use crate::{
    bucket_name::BucketName,
    client::Client,
    cmd::list::pages::{Listing, Pages},
    error::{CliError, Result},
    output::{self, OutputArgs, confirm, printable},
};
use clap::Args;
use proto::http::percent;
use reqwest::Method;
use serde_json::json;

const EXAMPLES: &str = "\
Examples:
  corelane bucket rm photos                                 An empty bucket
  corelane bucket rm ais://train --force                    With all its objects and versions; asks first on a terminal
  corelane bucket rm train --force --yes                    Does not ask";

/// The flags of `corelane bucket rm`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct RmArgs {
    /// The bucket
    #[arg(required = true, value_name = "BUCKET")]
    buckets: Vec<BucketName>,
    /// Remove its objects first, with all their versions
    #[arg(long, short)]
    force: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

/// Runs the command.
pub fn run(client: &Client, output: OutputArgs, args: &RmArgs) -> Result<()> {
    for bucket in &args.buckets {
        let mut removed = 0;
        if args.force {
            let question = format!("Remove {bucket} with all its objects?");
            if !args.yes && !confirm(&question)? {
                return Err(CliError::failed(format!("{bucket} is left as it is")));
            }
            removed = empty(client, bucket)?;
        }
        client
            .send(&Method::DELETE, &path(bucket), &[], None)
            .map_err(|error| explain(error, bucket))?;
        match (output.is_json(), removed) {
            (true, _) => output::json(&json!({"removed": bucket.as_str(), "objects": removed}))?,
            (false, 0) => output::line(&format!("\"{bucket}\" bucket removed"))?,
            (false, _) => output::line(&format!(
                "\"{bucket}\" bucket removed, with {removed} objects and versions"
            ))?,
        }
    }
    Ok(())
}

fn explain(error: CliError, bucket: &BucketName) -> CliError {
    match error {
        CliError::Failed(message) if message.starts_with("BucketNotEmpty") => CliError::Failed(format!(
            "{message} `corelane bucket rm {bucket} --force` removes its objects too"
        )),
        error => error,
    }
}

/// Removes all versions of all objects; how many they were.
fn empty(client: &Client, bucket: &BucketName) -> Result<u64> {
    let has_versions = Bucket::of(&fetch(client, bucket)?)?.versioning != "Unversioned";
    let mut removed = 0;
    let listing = Listing {
        versions: has_versions,
        ..Listing::default()
    };
    let mut pages = Pages::new(client, bucket, listing);
    while let Some(page) = pages.next()? {
        for object in &page.objects {
            let path = format!("/v1/objects/{bucket}/{}", percent::encode(object.name.as_bytes(), true));
            let version = [("versionId", object.version.as_str())];
            let query = if has_versions { version.as_slice() } else { &[] };
            client.send(&Method::DELETE, &path, query, None).map_err(|error| {
                CliError::failed(format!(
                    "cannot remove {bucket}/{}: {error}; {removed} others are removed",
                    printable(&object.name)
                ))
            })?;
            removed += 1;
        }
    }
    Ok(removed)
}
