//! `corelane object get`.

use super::flags::{TransferArgs, usage};
use crate::{
    bucket_name::{BucketName, ObjectName, Place},
    client::Client,
    error::{CliError, Result},
    output::OutputArgs,
    s3::{CallResult, Failure, Listed},
    transfer::{Done, Print, Slice, Transfer, Wanted, below, file_name, run_pool},
};
use clap::Args;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  corelane object get photos/2026/a.jpg b.jpg               To a file
  corelane object get photos/2026/a.jpg                     To a.jpg
  corelane object get photos/2026/a.jpg pictures/           To pictures/a.jpg
  corelane object get photos/2026/ pictures                 A folder, with the folders in it
  corelane object get photos pictures --recursive           A whole bucket
  corelane object get photos/all.tar - | tar x              To standard output
  corelane object get photos/a.jpg --offset 0 --length 10   Some of its bytes, to a.jpg
  corelane object get photos/a.jpg old.jpg --version 3f2a   A version that is not the newest

Large objects come in ranges, several at a time. What is there so far lies in a hidden file beside the target; the same
command goes on with it, as long as the object is the same. A file appears under its name when all of it is there and its
checksum is right.";

/// The flags of `corelane object get`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct GetArgs {
    /// BUCKET/KEY, or BUCKET/FOLDER/
    #[arg(value_name = "BUCKET/KEY")]
    object: Place,
    /// A file, a folder, or - for standard output [default: the object's own name, here]
    #[arg(value_name = "FILE")]
    target: Option<PathBuf>,
    /// All objects below BUCKET/KEY
    #[arg(long, short)]
    recursive: bool,
    /// First byte to get
    #[arg(long, value_name = "BYTES", conflicts_with = "recursive")]
    offset: Option<u64>,
    /// How many bytes to get
    #[arg(long, value_name = "BYTES", conflicts_with = "recursive", value_parser = clap::value_parser!(u64).range(1..))]
    length: Option<u64>,
    /// A version other than the newest
    #[arg(long, value_name = "ID", conflicts_with = "recursive")]
    version: Option<String>,
    #[command(flatten)]
    transfer: TransferArgs,
}

/// Runs the command.
pub fn run(client: Client, output: OutputArgs, args: &GetArgs) -> Result<()> {
    let Some(bucket) = &args.object.bucket else {
        return usage("name an object: BUCKET/KEY, or BUCKET/FOLDER/");
    };
    let key = &args.object.key;
    let is_slice = args.offset.is_some() || args.length.is_some();
    let is_folder = args.recursive || (key.ends_with('/') && !is_slice && args.version.is_none());
    if key.is_empty() && !is_folder {
        return usage("name an object, BUCKET/KEY, or get the whole bucket with --recursive");
    }
    let to_output = args.target.as_deref() == Some(Path::new("-"));
    if is_folder && to_output {
        return usage("only one object at a time can go to standard output");
    }
    let transfer = args.transfer.transfer(client, output)?;
    let print = match args.transfer.print(output) {
        // Standard output is the object's.
        _ if to_output => Print::Nothing,
        print => print,
    };
    match is_folder {
        true => get_folder(&transfer, bucket, key, args.target.as_deref()),
        false => get_one(&transfer, bucket, args),
    }
    transfer.progress.clear(transfer.store.interrupt().is_wanted());
    transfer.tally.finish("Got", ("file", "files"), print)
}

fn get_one(transfer: &Transfer, bucket: &BucketName, args: &GetArgs) {
    let name = ObjectName {
        bucket: bucket.clone(),
        key: args.object.key.clone(),
    };
    let wanted = Wanted {
        name,
        version: args.version.clone(),
        size: None,
    };
    let slice = (args.offset.is_some() || args.length.is_some()).then(|| Slice {
        offset: args.offset.unwrap_or_default(),
        length: args.length,
    });
    transfer.progress.expect(0);
    let result = match args.target.as_deref() {
        Some(target) if target == Path::new("-") => transfer.get_stream(&wanted, slice, &mut std::io::stdout().lock()),
        target => target_of(&wanted.name.key, target).and_then(|target| get_to(transfer, &wanted, slice, &target)),
    };
    tell(transfer, &wanted.name, result);
}

/// To a file, or to what else has a name: a device or a pipe is written to, and never replaced.
fn get_to(transfer: &Transfer, wanted: &Wanted, slice: Option<Slice>, target: &Path) -> CallResult<Done> {
    let is_special = std::fs::metadata(target).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir());
    if is_special {
        let mut file = std::fs::File::options()
            .write(true)
            .open(target)
            .map_err(|error| Failure::of_file("open", target, &error))?;
        return transfer.get_stream(wanted, slice, &mut file);
    }
    // A link to a file stays one.
    let target = match target.is_symlink() {
        true => std::fs::canonicalize(target).map_err(|error| Failure::of_file("open", target, &error))?,
        false => target.to_owned(),
    };
    match slice {
        Some(slice) => transfer.get_slice(wanted, slice, &target),
        None => transfer.get_file(wanted, &target),
    }
}

/// The file that one object becomes.
fn target_of(key: &str, target: Option<&Path>) -> CallResult<PathBuf> {
    let Some(target) = target else {
        return file_name(key).map(PathBuf::from);
    };
    let is_folder = target.is_dir() || target.as_os_str().as_encoded_bytes().ends_with(b"/");
    if !is_folder {
        return Ok(target.to_owned());
    }
    std::fs::create_dir_all(target).map_err(|error| Failure::of_file("make", target, &error))?;
    Ok(target.join(file_name(key)?))
}

/// All objects below a key, each where the rest of its key says.
fn get_folder(transfer: &Transfer, bucket: &BucketName, key: &str, target: Option<&Path>) {
    let prefix = match key.is_empty() || key.ends_with('/') {
        true => key.to_owned(),
        false => format!("{key}/"),
    };
    let target = target.unwrap_or(Path::new("."));
    let found = run_pool(
        transfer.jobs,
        |give: &mut dyn FnMut(Listed) -> bool| {
            let mut count = 0_u64;
            transfer.store.list(bucket, &prefix, |page| {
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
                    "there is nothing below {bucket}/{prefix}; see `corelane ls {bucket}`"
                )))),
                _ => Ok(()),
            }
        },
        |listed| {
            if transfer.tally.is_stopped() {
                return;
            }
            let relative = listed.key.strip_prefix(&prefix).unwrap_or(&listed.key);
            let name = ObjectName {
                bucket: bucket.clone(),
                key: listed.key.clone(),
            };
            let result = get_below(transfer, target, relative, &name, listed.size);
            tell(transfer, &name, result);
        },
    );
    if let Err(failure) = found {
        let what = format!("{bucket}/{prefix}");
        transfer
            .tally
            .failed(&transfer.store, &transfer.progress, &what, failure);
    }
}

fn get_below(transfer: &Transfer, folder: &Path, relative: &str, name: &ObjectName, size: u64) -> CallResult<Done> {
    // What consoles make to show an empty folder.
    if let (0, Some(inner)) = (size, relative.strip_suffix('/').or(relative.is_empty().then_some(""))) {
        let path = match inner {
            "" => folder.to_owned(),
            inner => below(folder, inner)?,
        };
        std::fs::create_dir_all(&path).map_err(|error| Failure::of_file("make", &path, &error))?;
        return Ok(Done {
            object: name.to_string(),
            file: Some(path.display().to_string()),
            size: 0,
            etag: None,
            version: None,
            verified: None,
            resumed_bytes: 0,
        });
    }
    let path = below(folder, relative)?;
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|error| Failure::of_file("make", parent, &error))?;
    }
    let wanted = Wanted {
        name: name.clone(),
        version: None,
        size: Some(size),
    };
    transfer.get_file(&wanted, &path)
}

fn tell(transfer: &Transfer, name: &ObjectName, result: CallResult<Done>) {
    transfer.progress.end();
    match result {
        Ok(done) => transfer.tally.done(done),
        Err(failure) => transfer
            .tally
            .failed(&transfer.store, &transfer.progress, &name.to_string(), failure),
    }
}
