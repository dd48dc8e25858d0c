//! `corelane key rm`.

use super::view::remove;
use crate::{
    client::Client,
    error::Result,
    output::{self, OutputArgs},
};
use clap::Args;
use serde_json::json;

const EXAMPLES: &str = "\
Examples:
  corelane key rm AKEXAMPLE                            Nothing that comes after this succeeds with it";

/// The flags of `corelane key rm`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct RmArgs {
    /// The access key
    access_key: String,
}

/// Runs the command.
pub fn run(client: &Client, output: OutputArgs, args: &RmArgs) -> Result<()> {
    let access_key = &args.access_key;
    remove(client, access_key)?;
    match output.is_json() {
        true => output::json(&json!({"removed": access_key})),
        false => output::line(&format!("Removed {access_key}.")),
    }
}
