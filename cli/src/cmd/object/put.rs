//! `corelane object put`.

use super::flags::{TransferArgs, parse_pair, usage};
use crate::{
    bucket_name::{BucketName, ObjectName, Place},
    client::Client,
    error::{CliError, Result},
    output::OutputArgs,
    s3::{CallResult, Described, Failure},
    transfer::{Transfer, content_type_of, run_pool, walk},
};
use clap::Args;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  corelane object put a.jpg photos/2026/a.jpg               A file
  corelane object put a.jpg photos                          With its own name
  corelane object put a.jpg b.jpg photos/2026/              Several files
  corelane object put pictures photos/2026/                 A folder: pictures/x/a.jpg becomes 2026/x/a.jpg
  corelane object put pictures photos --prefix 2026-        pictures/x/a.jpg becomes 2026-x/a.jpg
  tar c pictures | corelane object put - photos/all.tar     Standard input
  corelane object put a.bin photos/a --content-type image/jpeg --metadata camera=x100 --tags year=2026

Larger files go up in parts, several at a time. A command that was interrupted goes on when it is given again, as long as
the file is the same. Whatever is put, the store holds it against a checksum before anyone can see it.";

/// The flags of `corelane object put`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct PutArgs {
    /// Files and folders, or - for standard input
    #[arg(required = true, value_name = "FILE")]
    sources: Vec<String>,
    /// BUCKET, BUCKET/KEY or BUCKET/FOLDER/
    #[arg(required = true, value_name = "BUCKET/KEY")]
    destination: Place,
    /// Begins the key of every file
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,
    /// The content type [default: by the file's name]
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// User metadata; repeat it for more
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_pair)]
    metadata: Vec<(String, String)>,
    /// Tags, with commas between
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_pair, value_delimiter = ',')]
    tags: Vec<(String, String)>,
    #[command(flatten)]
    transfer: TransferArgs,
}

/// What is put where.
enum Job {
    File(PathBuf, ObjectName),
    Input(ObjectName),
}

/// Runs the command.
pub fn run(client: Client, output: OutputArgs, args: &PutArgs) -> Result<()> {
    let (destination, sources) = (&args.destination, args.sources.as_slice());
    let Some(bucket) = &destination.bucket else {
        return usage("name a bucket: BUCKET, BUCKET/KEY or BUCKET/FOLDER/");
    };
    let plan = Plan {
        bucket,
        key: &destination.key,
        prefix: args.prefix.as_deref().unwrap_or_default(),
        is_one: sources.len() == 1,
    };
    plan.check(sources)?;
    let transfer = args.transfer.transfer(client, output)?;
    let described = |path: &Path| args.described(path);
    let found = run_pool(
        transfer.jobs,
        |give| plan.find(&transfer, sources, give),
        |job| put(&transfer, &job, &described),
    );
    transfer.progress.clear(transfer.store.interrupt().is_wanted());
    if let Err(failure) = found {
        transfer
            .tally
            .failed(&transfer.store, &transfer.progress, bucket.as_str(), failure);
    }
    transfer
        .tally
        .finish("Put", ("file", "files"), args.transfer.print(output))
}

fn put(transfer: &Transfer, job: &Job, described: &dyn Fn(&Path) -> Described) {
    let (result, what) = match job {
        Job::File(path, name) => (transfer.put_file(path, name, &described(path)), name),
        Job::Input(name) => {
            let item = transfer.progress.begin(&name.key, 0);
            let input = std::io::stdin();
            let described = described(Path::new(&name.key));
            (
                transfer.put_stream(input, "standard input", name, &described, &item),
                name,
            )
        }
    };
    transfer.progress.end();
    match result {
        Ok(done) => transfer.tally.done(done),
        Err(failure) => transfer
            .tally
            .failed(&transfer.store, &transfer.progress, &what.to_string(), failure),
    }
}

/// How sources become keys.
struct Plan<'a> {
    bucket: &'a BucketName,
    key: &'a str,
    prefix: &'a str,
    is_one: bool,
}

impl Plan<'_> {
    fn check(&self, sources: &[String]) -> Result<()> {
        let is_folder = self.key.is_empty() || self.key.ends_with('/');
        if !self.is_one && !is_folder {
            return usage("several files need a folder to go to: end BUCKET/FOLDER/ with a slash");
        }
        if !self.prefix.is_empty() && !self.key.is_empty() {
            return usage("--prefix is for a bucket alone; write either BUCKET/FOLDER/ or --prefix");
        }
        if sources.iter().any(|source| source == "-") && (!self.is_one || is_folder) {
            return usage("standard input needs a name: corelane object put - BUCKET/KEY");
        }
        Ok(())
    }

    /// Finds every file. A source that is not there ends all, before anything is half done for a slip of the pen.
    fn find(&self, transfer: &Transfer, sources: &[String], give: &mut dyn FnMut(Job) -> bool) -> CallResult<()> {
        for source in sources.iter().filter(|source| *source != "-") {
            std::fs::metadata(source)
                .map_err(|error| CliError::failed(format!("cannot open {source}: {error}; nothing was put")))?;
        }
        for source in sources {
            if source == "-" {
                transfer.progress.expect(0);
                give(Job::Input(self.name(self.key.to_owned())));
                continue;
            }
            let path = Path::new(source);
            match path.is_dir() {
                true => self.find_below(transfer, path, give),
                false => {
                    let name = self.name(self.key_of_file(path)?);
                    expect(transfer, path);
                    give(Job::File(path.to_owned(), name));
                }
            }
        }
        Ok(())
    }

    fn find_below(&self, transfer: &Transfer, folder: &Path, give: &mut dyn FnMut(Job) -> bool) {
        let slash = if self.key.is_empty() || self.key.ends_with('/') {
            ""
        } else {
            "/"
        };
        let mut start = format!("{}{slash}{}", self.key, self.prefix);
        // One folder is what is in it; several are told apart by their names.
        if let (false, Some(name)) = (self.is_one, folder.file_name().and_then(|name| name.to_str())) {
            start = format!("{start}{name}/");
        }
        let mut each = |path: PathBuf, key: String| {
            expect(transfer, &path);
            !transfer.tally.is_stopped()
                && !transfer.store.interrupt().is_wanted()
                && give(Job::File(path, self.name(key)))
        };
        let mut odd = |path: &Path, reason: String| {
            let failure = Failure::Local(reason);
            let what = path.display().to_string();
            transfer
                .tally
                .failed(&transfer.store, &transfer.progress, &what, failure);
        };
        walk(folder, &start, &mut each, &mut odd);
    }

    fn key_of_file(&self, path: &Path) -> CallResult<String> {
        if !self.key.is_empty() && !self.key.ends_with('/') {
            return Ok(self.key.to_owned());
        }
        match path.file_name().and_then(|name| name.to_str()) {
            Some(name) => Ok(format!("{}{}{name}", self.key, self.prefix)),
            None => Err(Failure::Local(format!(
                "{} has no name that a key can have; write BUCKET/KEY",
                path.display()
            ))),
        }
    }

    fn name(&self, key: String) -> ObjectName {
        ObjectName {
            bucket: self.bucket.clone(),
            key,
        }
    }
}

fn expect(transfer: &Transfer, path: &Path) {
    let bytes = std::fs::metadata(path).map_or(0, |metadata| match metadata.is_file() {
        true => metadata.len(),
        false => 0,
    });
    transfer.progress.expect(bytes);
}

impl PutArgs {
    /// What is said of a file.
    fn described(&self, path: &Path) -> Described {
        let content_type = self.content_type.as_deref().or_else(|| content_type_of(path));
        let mut described = Described {
            headers: content_type
                .map(|content_type| ("content-type", content_type.to_owned()))
                .into_iter()
                .collect(),
            metadata: self
                .metadata
                .iter()
                .map(|(name, value)| (format!("x-amz-meta-{}", name.to_ascii_lowercase()), value.clone()))
                .collect(),
        };
        described.set_tags(&self.tags);
        described
    }
}
