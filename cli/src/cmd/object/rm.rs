//! `corelane object rm`.

use super::flags::usage;
use crate::{
    bucket_name::{BucketName, ObjectName, Place},
    client::Client,
    error::{CliError, Result},
    interrupt::Interrupt,
    output::{OutputArgs, confirm},
    s3::{CallResult, Doomed, Failure, Store},
    transfer::{Done, Print, Progress, Tally},
};
use clap::Args;

const EXAMPLES: &str = "\
Examples:
  corelane object rm photos/a.jpg                           An object
  corelane object rm photos/a.jpg photos/b.jpg              Several
  corelane object rm photos/2026/ --recursive               A folder; asks first on a terminal
  corelane object rm photos --recursive --yes               Every object of a bucket
  corelane object rm photos/a.jpg --version 3f2a            One version of it, for good
  corelane object rm photos/2026/ --recursive --all-versions

In a bucket that keeps versions, removed objects leave delete markers, and can be had back, unless --version or
--all-versions is given.";

/// The flags of `corelane object rm`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct RmArgs {
    /// BUCKET/KEY; with --recursive BUCKET or BUCKET/FOLDER/
    #[arg(required = true, value_name = "BUCKET/KEY")]
    objects: Vec<Place>,
    /// All objects below BUCKET/KEY
    #[arg(long, short)]
    recursive: bool,
    /// This version, for good
    #[arg(long, value_name = "ID", conflicts_with_all = ["recursive", "all_versions"])]
    version: Option<String>,
    /// All versions and delete markers, for good
    #[arg(long)]
    all_versions: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// No total
    #[arg(long, short)]
    quiet: bool,
}

/// What removing needs.
struct Removal {
    store: Store,
    progress: Progress,
    tally: Tally,
}

/// Runs the command.
pub fn run(client: Client, output: OutputArgs, args: &RmArgs) -> Result<()> {
    let mut places = Vec::new();
    for place in &args.objects {
        let Some(bucket) = &place.bucket else {
            return usage("name an object: BUCKET/KEY");
        };
        if place.key.is_empty() && !args.recursive {
            return usage("name an object, BUCKET/KEY, or remove every object of the bucket with --recursive");
        }
        places.push((bucket, place.key.as_str()));
    }
    if args.version.is_some() && places.len() > 1 {
        return usage("--version is of one object");
    }
    if args.recursive && !args.yes {
        for (bucket, key) in &places {
            let what = match folder(key).as_str() {
                "" => format!("every object of {bucket}"),
                folder => format!("every object below {bucket}/{folder}"),
            };
            let versions = if args.all_versions { ", with all versions" } else { "" };
            if !confirm(&format!("Remove {what}{versions}?"))? {
                return Err(CliError::failed("nothing was removed"));
            }
        }
    }
    let removal = Removal {
        store: Store::new(client, Interrupt::listen()?),
        progress: Progress::new(true),
        tally: Tally::new(output.is_json()),
    };
    for (bucket, key) in places {
        let result = match (args.recursive, args.all_versions) {
            (true, false) => removal.remove_folder(bucket, &folder(key)),
            (_, true) => removal.remove_versions(bucket, key, args.recursive),
            (false, false) => removal.remove_one(bucket, key, args.version.as_deref()),
        };
        if let Err(failure) = result {
            let what = format!("{bucket}/{key}");
            removal.tally.failed(&removal.store, &removal.progress, &what, failure);
        }
        if removal.tally.is_stopped() {
            break;
        }
    }
    let print = match (output.is_json(), args.quiet) {
        (true, _) => Print::Json,
        (false, true) => Print::Nothing,
        (false, false) => Print::Total,
    };
    removal.tally.finish("Removed", ("object", "objects"), print)
}

/// What begins the keys below a key.
fn folder(key: &str) -> String {
    match key.is_empty() || key.ends_with('/') {
        true => key.to_owned(),
        false => format!("{key}/"),
    }
}

impl Removal {
    /// S3 does not mind removing what is not there; people do.
    fn remove_one(&self, bucket: &BucketName, key: &str, version: Option<&str>) -> CallResult<()> {
        let name = ObjectName {
            bucket: bucket.clone(),
            key: key.to_owned(),
        };
        if matches!(key, "." | "..") {
            // URLs cannot name them.
            let version = version.map(str::to_owned);
            return self.remove_listed(
                bucket,
                vec![Doomed {
                    key: key.to_owned(),
                    version,
                }],
            );
        }
        match self.store.head(&name, version, None) {
            // A delete marker, named by its version, answers 405 to HEAD.
            Err(Failure::Answered { status, .. }) if version.is_some() && status.as_u16() == 405 => {}
            Err(failure) => return Err(failure),
            Ok(_) => {}
        }
        self.store.remove(&name, version)?;
        self.tally.done(removed(bucket, key, version));
        Ok(())
    }

    fn remove_folder(&self, bucket: &BucketName, prefix: &str) -> CallResult<()> {
        let mut count = 0_u64;
        self.store.list(bucket, prefix, |page| {
            count += u64::try_from(page.len()).unwrap_or(u64::MAX);
            let doomed = page.into_iter().map(|listed| Doomed {
                key: listed.key,
                version: None,
            });
            self.remove_listed(bucket, doomed.collect())
        })?;
        some(count, bucket, prefix)
    }

    /// All versions of one key, or of all keys below it.
    fn remove_versions(&self, bucket: &BucketName, key: &str, recursive: bool) -> CallResult<()> {
        let prefix = if recursive { folder(key) } else { key.to_owned() };
        let mut count = 0_u64;
        self.store.list_versions(bucket, &prefix, |page| {
            let doomed: Vec<Doomed> = page
                .into_iter()
                .filter(|listed| recursive || listed.key == key)
                .map(|listed| Doomed {
                    key: listed.key,
                    version: Some(listed.version),
                })
                .collect();
            count += u64::try_from(doomed.len()).unwrap_or(u64::MAX);
            self.remove_listed(bucket, doomed)
        })?;
        some(count, bucket, &prefix)
    }

    fn remove_listed(&self, bucket: &BucketName, doomed: Vec<Doomed>) -> CallResult<()> {
        self.store.interrupt().check()?;
        if doomed.is_empty() {
            return Ok(());
        }
        let deletion = self.store.delete(bucket, &doomed)?;
        for one in doomed {
            let failed = deletion.failed.iter().find(|(key, ..)| *key == one.key);
            match failed {
                None => self.tally.done(removed(bucket, &one.key, one.version.as_deref())),
                Some((_, code, message)) => {
                    let failure = Failure::Answered {
                        status: reqwest::StatusCode::OK,
                        code: code.clone(),
                        message: message.clone(),
                    };
                    let what = format!("{bucket}/{}", one.key);
                    self.tally.failed(&self.store, &self.progress, &what, failure);
                }
            }
        }
        Ok(())
    }
}

fn some(count: u64, bucket: &BucketName, prefix: &str) -> CallResult<()> {
    match count {
        0 => Err(Failure::Plain(CliError::not_found(format!(
            "there is nothing below {bucket}/{prefix}; see `corelane ls {bucket}`"
        )))),
        _ => Ok(()),
    }
}

fn removed(bucket: &BucketName, key: &str, version: Option<&str>) -> Done {
    Done {
        object: format!("{bucket}/{key}"),
        file: None,
        size: 0,
        etag: None,
        version: version.map(str::to_owned),
        verified: None,
        resumed_bytes: 0,
    }
}
