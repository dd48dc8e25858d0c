//! `corelane`: serves and operates a Corelane object store.
#![deny(unsafe_code)]

mod arguments;
mod bucket_name;
mod certificate;
mod client;
mod cmd;
mod error;
mod interrupt;
mod limits;
mod output;
mod private_file;
mod s3;
mod transfer;

use clap::{ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand};
use error::{CliError, EXIT_CODES, Result};
use output::Style;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  corelane serve                                 Serve ./corelane-data on 127.0.0.1:51080
  corelane serve --data /disk1 --data /disk2     One mountpath a disk
  corelane serve --tls                           HTTPS, with a certificate made at the first start
  corelane bucket create photos --props checksum.type=md5
                                                 A bucket whose ETags are MD5
  corelane object put pictures photos/2026/      Everything in the folder pictures
  corelane ls photos --props name,size,checksum,atime
                                                 What is in it
  corelane bucket props photos versioning.enabled=true
                                                 Keep old versions from now on
  corelane key create --user alice               A key of her own for alice
  corelane key rotate AKEXAMPLE                  A new key in the place of an old one
  corelane config show net.http                  How HTTP is configured
  corelane cluster show                          Nodes, cores, and what they hold

Buckets are written bck, s3://bck or ais://bck, objects bck/key. Every command explains itself: corelane COMMAND --help.

Environment:
  CORELANE_ENDPOINT                              Where the store is, as --endpoint says it
  CORELANE_ACCESS_KEY, CORELANE_SECRET_KEY       Who asks; else the credentials in --data DIR
  NO_COLOR                                       No colours";

/// An S3 object store with one io_uring lane per CPU core, from disk to socket.
#[derive(Parser)]
#[command(
    name = "corelane",
    version,
    after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"),
    arg_required_else_help = true,
    disable_help_subcommand = false
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve a store on this machine: a gateway, and a node with one lane per core
    Serve(cmd::serve::ServeArgs),
    /// Create, list, show, change and remove buckets
    Bucket(cmd::bucket::BucketArgs),
    /// Put, get, copy, list, show and remove objects
    Object(cmd::object::ObjectArgs),
    /// List buckets, or the objects of one
    #[command(visible_alias = "list")]
    Ls(cmd::list::LsArgs),
    /// Show a bucket, an object, the cluster or the configuration
    Show(cmd::show::ShowArgs),
    /// Show and change the configuration of a running store
    Config(cmd::config::ConfigArgs),
    /// Show what a store consists of
    Cluster(cmd::cluster::ClusterArgs),
    /// Create, list, rotate and remove access keys of a running store
    Key(cmd::key::KeyArgs),
    /// Show, make and renew certificates for HTTPS
    Cert(cmd::cert::CertArgs),
    /// Print completions for a shell
    Completions(cmd::completions::CompletionsArgs),
    /// Print the manual page, or write one for every command
    Man(cmd::man::ManArgs),
}

fn main() -> ExitCode {
    let arguments = arguments::in_order(std::env::args_os());
    let no_color = arguments.iter().any(|argument| argument == "--no-color");
    let mut command = Cli::command();
    if no_color {
        command = command.color(ColorChoice::Never);
    }
    let matches = command.get_matches_from(arguments);
    let result = Cli::from_arg_matches(&matches)
        .map_err(|error| CliError::usage(error.to_string()))
        .and_then(|cli| run(&cli.command));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(message) = error.message() {
                eprintln!("{} {message}", Style::of_stderr(no_color).red("error:"));
            }
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(command: &Command) -> Result<()> {
    match command {
        Command::Serve(args) => cmd::serve::run(args),
        Command::Bucket(args) => cmd::bucket::run(args),
        Command::Object(args) => cmd::object::run(args),
        Command::Ls(args) => cmd::list::run(args),
        Command::Show(args) => cmd::show::run(args),
        Command::Config(args) => cmd::config::run(args),
        Command::Cluster(args) => cmd::cluster::run(args),
        Command::Key(args) => cmd::key::run(args),
        Command::Cert(args) => cmd::cert::run(args),
        Command::Completions(args) => cmd::completions::run(args, Cli::command()),
        Command::Man(args) => cmd::man::run(args, Cli::command()),
    }
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory;

    #[test]
    fn the_tree_of_commands_is_sound() {
        Cli::command().debug_assert();
    }
}
