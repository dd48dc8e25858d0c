//! `corelane key rotate`: a new key for the user of an old one.

use super::view::{Key, Keys, fetch, make, remove};
use crate::{
    client::Client,
    cmd::parse_answer,
    error::{CliError, Result},
    output::{self, OutputArgs, ask},
};
use clap::Args;
use serde_json::{Value, json};

const EXAMPLES: &str = "\
Examples:
  corelane key rotate AKEXAMPLE                        Both keys work until AKEXAMPLE is removed: change clients over
  corelane key rm AKEXAMPLE                            when all of them use the new one
  corelane key rotate AKEXAMPLE --remove-old           Removes AKEXAMPLE at once

On a terminal it asks whether to remove the old key. The store's first key, in DIR/control/credentials.json, can only be
replaced there: stop the store, move that file away, start the store, and it makes a new one.";

/// The flags of `corelane key rotate`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct RotateArgs {
    /// The old access key
    access_key: String,
    /// Remove the old key, without asking
    #[arg(long, conflicts_with = "keep_old")]
    remove_old: bool,
    /// Keep the old key, without asking
    #[arg(long)]
    keep_old: bool,
}

/// Runs the command.
pub fn run(client: &Client, output: OutputArgs, args: &RotateArgs) -> Result<()> {
    let old_access_key = &args.access_key;
    let keys: Keys = parse_answer(fetch(client)?)?;
    let Some(old) = keys.keys.into_iter().find(|key| key.access_key == *old_access_key) else {
        return Err(CliError::not_found(format!(
            "there is no access key {old_access_key}; `corelane key ls` lists them"
        )));
    };
    if args.remove_old && old.is_first() {
        return Err(CliError::failed(format!(
            "{old_access_key} is the store's first key, which only its credentials file replaces: see \
             `corelane key rotate --help`"
        )));
    }
    let mut body = json!({"user": old.user});
    if let Some(tenant) = &old.tenant {
        body["tenant"] = json!(tenant);
    }
    let mut answer: Value = make(client, &body)?;
    // The new secret is shown before anything else can fail.
    if !output.is_json() {
        let new: Key = parse_answer(answer.clone())?;
        output::line(&format!("{}\n\nThe secret key is not shown again.", new.text()))?;
    }
    let keeps = args.keep_old || output.is_json() || old.is_first();
    let removes = match (args.remove_old, keeps) {
        (true, _) => true,
        (false, true) => false,
        (false, false) => ask(&format!("Remove {old_access_key} now?"))?.unwrap_or(false),
    };
    let removed = match removes {
        true => remove(client, old_access_key),
        false => Ok(()),
    };
    if output.is_json() {
        if let Some(fields) = answer.as_object_mut() {
            fields.insert("old_access_key".to_owned(), json!(old_access_key));
            fields.insert("old_removed".to_owned(), json!(removes && removed.is_ok()));
        }
        output::json(&answer)?;
        return removed;
    }
    removed?;
    output::line(&match removes {
        true => format!("Removed {old_access_key}."),
        false if old.is_first() => {
            format!("{old_access_key}, the store's first key, works until its credentials file is replaced: see --help")
        }
        false => format!("{old_access_key} works until you remove it: corelane key rm {old_access_key}"),
    })
}
