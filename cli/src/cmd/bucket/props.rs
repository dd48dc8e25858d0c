//! `corelane bucket props`.

use super::{
    assignment::{self, to_json},
    show::property_table,
    view::{Bucket, explain, fetch, path},
};
use crate::{
    bucket_name::BucketName,
    client::Client,
    cmd::parse_answer,
    error::{CliError, Result},
    output::{self, OutputArgs},
};
use clap::Args;
use proto::s3::properties::Property;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::fmt::Write;

const EXAMPLES: &str = "\
Examples:
  corelane bucket props photos                              All properties
  corelane bucket props photos access                       One of them; `checksum` shows those that begin so
  corelane bucket props photos checksum.type=md5 versioning.enabled=true
  corelane bucket props photos access=ro                    Nobody changes or deletes its objects from now on
  corelane bucket props photos access=rw";

/// The flags of `corelane bucket props`.
#[derive(Args)]
#[command(after_help = help())]
pub struct PropsArgs {
    /// The bucket
    bucket: BucketName,
    /// Properties to change, all or none of them; a name alone shows the property
    #[arg(value_name = "NAME=VALUE")]
    assignments: Vec<String>,
}

/// A property that was set.
#[derive(Deserialize)]
struct Change {
    name: String,
    value: String,
    was: String,
}

#[derive(Deserialize)]
struct Changes {
    changed: Vec<Change>,
}

fn help() -> String {
    let mut text = format!("{EXAMPLES}\n\nProperties:\n");
    for property in Property::ALL {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "  {:<27} {}\n  {:<27} {}",
            property.name(),
            property.description(),
            "",
            property.allowed()
        );
    }
    text.truncate(text.trim_end().len());
    text
}

/// Runs the command.
pub fn run(client: &Client, output: OutputArgs, args: &PropsArgs) -> Result<()> {
    if args.assignments.iter().any(|word| word.contains('=')) {
        set(client, output, args)
    } else {
        show(client, output, args)
    }
}

fn set(client: &Client, output: OutputArgs, args: &PropsArgs) -> Result<()> {
    let assignments = assignment::parse(&args.assignments)?;
    let body = json!({"properties": to_json(&assignments)});
    let answer: Value = client
        .send_for(&Method::PATCH, &path(&args.bucket), &[], Some(&body))
        .map_err(|error| explain(error, &args.bucket))?;
    if output.is_json() {
        return output::json(&answer);
    }
    let Changes { changed } = parse_answer(answer)?;
    for Change { name, value, was } in changed.iter().filter(|change| change.value != change.was) {
        output::line(&format!("\"{name}\" set to: \"{value}\" (was: \"{was}\")"))?;
    }
    for assignment in &assignments {
        let name = assignment.property.name();
        let really = changed
            .iter()
            .any(|change| change.name == name && change.value != change.was);
        if !really {
            output::line(&format!("\"{name}\" is \"{}\" already", assignment.value))?;
        }
    }
    Ok(())
}

fn show(client: &Client, output: OutputArgs, args: &PropsArgs) -> Result<()> {
    let answer = fetch(client, &args.bucket)?;
    let bucket = Bucket::of(&answer)?;
    let is_wanted = |name: &str| {
        args.assignments.is_empty()
            || args.assignments.iter().any(|wanted| {
                let rest = name.strip_prefix(wanted.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || wanted.ends_with('.'))
            })
    };
    let rows: Vec<(&str, String)> = bucket
        .ordered_properties()
        .into_iter()
        .filter(|(name, _)| is_wanted(name))
        .collect();
    if rows.is_empty() {
        let Some(wanted) = args.assignments.first() else {
            return Err(CliError::failed(format!("{} has no properties", args.bucket)));
        };
        // Says which name is nearest; one that there is would have been shown.
        assignment::property(wanted)?;
        return Err(CliError::not_found(format!(
            "{} has no property {wanted:?}",
            args.bucket
        )));
    }
    if output.is_json() {
        let values: Map<String, Value> = bucket
            .properties
            .iter()
            .filter(|(name, _)| is_wanted(name))
            .map(|(name, value)| (name.clone(), value.clone().into()))
            .collect();
        return output::json(&values);
    }
    output::line(&property_table(rows, output))
}
