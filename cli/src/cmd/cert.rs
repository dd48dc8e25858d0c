//! `corelane cert`: certificates for HTTPS, the store's own and any other.

use super::serve::data_dir::{RunningStore, running_store};
use crate::{
    certificate::{
        CertificateFiles,
        describe::{self, Description},
        make::{make, names_of_this_machine},
    },
    error::{CliError, Result},
    output::{self, pairs},
};
use clap::{Args, Subcommand};
use proto::http::date;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
Examples:
  corelane cert                                   What the certificate of ./corelane-data says
  corelane cert --file server.pem --json          The same of any PEM file, for scripts
  corelane cert make --out tls --name store.example.org --name 10.0.0.7
                                                  tls/cert.pem and tls/key.pem, for --tls-cert and --tls-key
  corelane cert renew                             A new one for ./corelane-data; a store that runs takes it at once
  corelane cert renew --data /disk1 --name other.example.org
                                                  The same, good for one more name

Certificates made here are self-signed and good for 825 days, the most that macOS accepts. Clients are given cert.pem
itself as what they trust: s3cmd --ca-certs, aws --ca-bundle, AWS_CA_BUNDLE, curl --cacert.";

const MAKE_EXAMPLES: &str = "\
Examples:
  corelane cert make --out tls
  corelane cert make --out tls --name store.example.org --name 10.0.0.7
  corelane cert make --out tls --force            A new one in the place of one that is there";

const RENEW_EXAMPLES: &str = "\
Examples:
  corelane cert renew
  corelane cert renew --data /disk1 --name other.example.org";

/// The flags of `corelane cert`.
#[derive(Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct CertArgs {
    #[command(subcommand)]
    command: Option<CertCommand>,
    #[command(flatten)]
    show: ShowArgs,
}

#[derive(Subcommand)]
enum CertCommand {
    /// Make a self-signed certificate with a new key
    Make(MakeArgs),
    /// Replace the certificate a store has made for itself, and tell the store
    Renew(RenewArgs),
}

#[derive(Args)]
struct ShowArgs {
    /// The store's first data directory
    #[arg(long, value_name = "DIR", default_value = "./corelane-data")]
    data: PathBuf,
    /// Another certificate: a PEM file
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    file: Option<PathBuf>,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[command(after_help = MAKE_EXAMPLES)]
struct MakeArgs {
    /// Where cert.pem and key.pem are written; made if missing
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// A host name or address it is good for; repeat it for more [default: what this machine is called]
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
    /// Replace files that are there
    #[arg(long)]
    force: bool,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
#[command(after_help = RENEW_EXAMPLES)]
struct RenewArgs {
    /// The store's first data directory
    #[arg(long, value_name = "DIR", default_value = "./corelane-data")]
    data: PathBuf,
    /// One more host name or address it is to be good for, besides those of the old one; repeat it for more
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &CertArgs) -> Result<()> {
    match &args.command {
        None => show(&args.show),
        Some(CertCommand::Make(args)) => run_make(args),
        Some(CertCommand::Renew(args)) => renew(args),
    }
}

fn show(args: &ShowArgs) -> Result<()> {
    let path = match &args.file {
        Some(file) => file.clone(),
        None => {
            let files = CertificateFiles::of_store(&args.data.join("control"));
            if !files.certificate.exists() {
                return Err(CliError::failed(format!(
                    "{} has no certificate of its own; `corelane serve --tls` makes one, and --file FILE shows any other",
                    args.data.display()
                )));
            }
            files.certificate
        }
    };
    print(&path, &describe::read(&path)?, args.json)
}

fn run_make(args: &MakeArgs) -> Result<()> {
    let files = CertificateFiles::in_directory(&args.out);
    if let Some(there) = [&files.certificate, &files.key]
        .into_iter()
        .find(|path| path.exists() && !args.force)
    {
        return Err(CliError::failed(format!(
            "{} is there already; give another --out, or --force to replace it",
            there.display()
        )));
    }
    let names = match args.names.as_slice() {
        [] => names_of_this_machine(&[]),
        names => names.to_vec(),
    };
    files.write(&make(&names)?)?;
    print(&files.certificate, &files.describe()?, args.json)
}

fn renew(args: &RenewArgs) -> Result<()> {
    let control = args.data.join("control");
    if !control.is_dir() {
        return Err(CliError::failed(format!(
            "{} is not the first data directory of a store; name it with --data",
            args.data.display()
        )));
    }
    let files = CertificateFiles::of_store(&control);
    let mut names = match files.certificate.exists() {
        true => files.describe()?.names,
        false => names_of_this_machine(&[]),
    };
    for name in &args.names {
        let name = name.trim_matches(['[', ']']).to_ascii_lowercase();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    files.write(&make(&names)?)?;
    let told = tell_store(&control)?;
    print(&files.certificate, &files.describe()?, args.json)?;
    match (args.json, told) {
        (true, _) => Ok(()),
        (false, Some(pid)) => output::line(&format!(
            "\nThe running store (process {pid}) shows it to new connections."
        )),
        (false, None) => output::line("\nThe next `corelane serve --tls` shows it."),
    }
}

/// SIGHUP to the store that serves this data, if one does and would read its certificate again.
fn tell_store(control: &Path) -> Result<Option<i32>> {
    let Some(RunningStore { pid, reloads: true }) = running_store(control)? else {
        return Ok(None);
    };
    let process = Pid::from_raw(pid).ok_or_else(|| CliError::failed("the running store has no process id"))?;
    kill_process(process, Signal::HUP)
        .map_err(|errno| CliError::failed(format!("cannot tell the running store (process {pid}): {errno}")))?;
    Ok(Some(pid))
}

fn print(path: &Path, said: &Description, as_json: bool) -> Result<()> {
    let day = |unix_s: u64| date::iso8601(unix_s.saturating_mul(1000)).replace(".000Z", "Z");
    if as_json {
        let said = json!({
            "file": path,
            "subject": said.subject,
            "issuer": said.issuer,
            "self_signed": said.is_self_signed(),
            "is_ca": said.is_ca,
            "names": said.names,
            "not_before": day(said.not_before_unix_s),
            "not_after": day(said.not_after_unix_s),
            "sha256_fingerprint": said.fingerprint,
        });
        return output::json(&said);
    }
    let days_left = said.seconds_left() / (24 * 3600);
    let left = match said.seconds_left() {
        0 => "over".to_owned(),
        _ => format!("{days_left} days left"),
    };
    let issuer = match said.is_self_signed() {
        true => "itself".to_owned(),
        false => said.issuer.clone(),
    };
    output::line(&pairs([
        ("File", path.display().to_string()),
        ("Subject", said.subject.clone()),
        ("Signed by", issuer),
        ("Good for", said.names.join(", ")),
        ("From", day(said.not_before_unix_s)),
        ("Until", format!("{} ({left})", day(said.not_after_unix_s))),
        ("SHA-256", said.fingerprint.clone()),
    ]))
}
