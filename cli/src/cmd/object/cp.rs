//! `corelane object cp`.

use super::flags::{TransferArgs, usage};
use crate::{
    bucket_name::{BucketName, ObjectName, Place},
    client::Client,
    error::{CliError, Result},
    output::OutputArgs,
    s3::{CopySource, Failure, Listed},
    transfer::{Transfer, file_name, run_pool},
};
use clap::Args;

const EXAMPLES: &str = "\
Examples:
  corelane object cp photos/a.jpg archive/2026/a.jpg        Another name, another bucket
  corelane object cp photos/a.jpg archive                   The same name in another bucket
  corelane object cp photos/2026/ archive/photos/           A folder
  corelane object cp photos archive --recursive             A whole bucket
  corelane object cp photos/a.jpg photos/a.jpg --version 3f2a
                                                            An old version becomes the newest

No data passes this machine. Content type, metadata and tags are copied too.";

/// The flags of `corelane object cp`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct CpArgs {
    /// BUCKET/KEY, or BUCKET/FOLDER/
    #[arg(value_name = "FROM")]
    from: Place,
    /// BUCKET, BUCKET/KEY or BUCKET/FOLDER/
    #[arg(value_name = "TO")]
    to: Place,
    /// All objects below FROM
    #[arg(long, short)]
    recursive: bool,
    /// A version other than the newest
    #[arg(long, value_name = "ID", conflicts_with = "recursive")]
    version: Option<String>,
    #[command(flatten)]
    transfer: TransferArgs,
}

/// Runs the command.
pub fn run(client: Client, output: OutputArgs, args: &CpArgs) -> Result<()> {
    let (Some(from), Some(to)) = (&args.from.bucket, &args.to.bucket) else {
        return usage("name two objects: BUCKET/KEY BUCKET/KEY");
    };
    let key = &args.from.key;
    let is_folder = args.recursive || (key.ends_with('/') && args.version.is_none());
    if key.is_empty() && !is_folder {
        return usage("name an object, BUCKET/KEY, or copy the whole bucket with --recursive");
    }
    let transfer = args.transfer.transfer(client, output)?;
    match is_folder {
        true => copy_folder(&transfer, (from, key), (to, &args.to.key))?,
        false => {
            let source = CopySource {
                name: ObjectName {
                    bucket: from.clone(),
                    key: key.clone(),
                },
                version: args.version.clone(),
            };
            let destination = destination_of(key, to, &args.to.key)?;
            transfer.progress.expect(0);
            copy(&transfer, &source, &destination);
        }
    }
    transfer.progress.clear(transfer.store.interrupt().is_wanted());
    transfer
        .tally
        .finish("Copied", ("object", "objects"), args.transfer.print(output))
}

fn destination_of(key: &str, bucket: &BucketName, destination: &str) -> Result<ObjectName> {
    let key = match destination {
        "" => key.to_owned(),
        folder if folder.ends_with('/') => match file_name(key) {
            Ok(name) => format!("{folder}{name}"),
            Err(_) => return usage("the object's key does not end in a name; write BUCKET/KEY for the copy"),
        },
        key => key.to_owned(),
    };
    Ok(ObjectName {
        bucket: bucket.clone(),
        key,
    })
}

fn copy_folder(transfer: &Transfer, from: (&BucketName, &str), to: (&BucketName, &str)) -> Result<()> {
    let folder = |key: &str| match key.is_empty() || key.ends_with('/') {
        true => key.to_owned(),
        false => format!("{key}/"),
    };
    let (prefix, target) = (folder(from.1), folder(to.1));
    if from.0 == to.0 && target.starts_with(&prefix) {
        return usage("a folder cannot be copied into itself");
    }
    let found = run_pool(
        transfer.jobs,
        |give: &mut dyn FnMut(Listed) -> bool| {
            let mut count = 0_u64;
            transfer.store.list(from.0, &prefix, |page| {
                for listed in page {
                    count += 1;
                    transfer.progress.expect(listed.size);
                    if transfer.tally.is_stopped() || transfer.store.interrupt().is_wanted() || !give(listed) {
                        return transfer.store.interrupt().check();
                    }
                }
                Ok(())
            })?;
            match count {
                0 => Err(Failure::Plain(CliError::not_found(format!(
                    "there is nothing below {}/{prefix}; see `corelane ls {}`",
                    from.0, from.0
                )))),
                _ => Ok(()),
            }
        },
        |listed| {
            if transfer.tally.is_stopped() {
                return;
            }
            let relative = listed.key.strip_prefix(&prefix).unwrap_or(&listed.key);
            let destination = ObjectName {
                bucket: to.0.clone(),
                key: format!("{target}{relative}"),
            };
            let source = CopySource {
                name: ObjectName {
                    bucket: from.0.clone(),
                    key: listed.key.clone(),
                },
                version: None,
            };
            copy(transfer, &source, &destination);
        },
    );
    if let Err(failure) = found {
        let what = format!("{}/{prefix}", from.0);
        transfer
            .tally
            .failed(&transfer.store, &transfer.progress, &what, failure);
    }
    Ok(())
}

fn copy(transfer: &Transfer, source: &CopySource, destination: &ObjectName) {
    let result = match destination.key.is_empty() {
        true => Err(Failure::Local("the copy would have no key".to_owned())),
        false => transfer.copy(source, destination),
    };
    transfer.progress.end();
    match result {
        Ok(done) => transfer.tally.done(done),
        Err(failure) => {
            let what = source.name.to_string();
            transfer
                .tally
                .failed(&transfer.store, &transfer.progress, &what, failure);
        }
    }
}
