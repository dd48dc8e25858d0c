//! `corelane bucket rm`.

use super::view::{explain, fetch, path};
use crate::{
    bucket_name::BucketName,
    client::Client,
    error::{CliError, Result},
    interrupt::Interrupt,
    output::{self, OutputArgs, confirm, printable},
    s3::{CallResult, Doomed, Failure, Store},
};
use clap::Args;
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
pub fn run(client: Client, output: OutputArgs, args: &RmArgs) -> Result<()> {
    let store = Store::new(client, Interrupt::listen()?);
    for bucket in &args.buckets {
        let mut removed = 0;
        if args.force {
            // Nobody is asked about a bucket that is not there.
            fetch(store.client(), bucket)?;
            let question = format!("Remove {bucket} with all its objects?");
            if !args.yes && !confirm(&question)? {
                return Err(CliError::failed(format!("{bucket} is left as it is")));
            }
            removed = empty(&store, bucket).map_err(|failure| failure.into_error(store.client(), bucket.as_str()))?;
        }
        store
            .client()
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

/// Removes all versions of all objects, and delete markers; how many they were.
fn empty(store: &Store, bucket: &BucketName) -> CallResult<u64> {
    let mut removed = 0;
    store.list_versions(bucket, "", |page| {
        store.interrupt().check()?;
        let doomed: Vec<Doomed> = page
            .into_iter()
            .map(|listed| Doomed {
                key: listed.key,
                version: Some(listed.version),
            })
            .collect();
        if doomed.is_empty() {
            return Ok(());
        }
        let deletion = store.delete(bucket, &doomed)?;
        if let Some((key, code, message)) = deletion.failed.first() {
            return Err(Failure::Plain(CliError::failed(format!(
                "cannot remove {bucket}/{}: {code}: {message}; {removed} others are removed",
                printable(key)
            ))));
        }
        removed += u64::try_from(doomed.len()).unwrap_or(u64::MAX);
        Ok(())
    })?;
    Ok(removed)
}
