//! `corelane object show`: what the store says of an object, over `/v1/buckets/{bucket}/objects/{key}`.

use crate::{
    bucket_name::ObjectName,
    client::Client,
    error::{CliError, Result},
    output::{self, OutputArgs, pairs, printable, size, time},
    s3::path,
};
use clap::Args;
use reqwest::Method;
use serde_json::Value;

const EXAMPLES: &str = "\
Examples:
  corelane object show photos/2026/a.jpg
  corelane object show ais://photos/2026/a.jpg --version 3f2a
  corelane object show photos/2026/a.jpg --json";

/// The flags of `corelane object show`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ShowObjectArgs {
    /// BUCKET/KEY
    #[arg(value_name = "BUCKET/KEY")]
    object: ObjectName,
    /// A version other than the newest
    #[arg(long, value_name = "ID")]
    version: Option<String>,
}

/// Rows of text, as the answer has them.
const TEXTS: [(&str, &str); 5] = [
    ("storage_class", "storage class"),
    ("content_encoding", "content encoding"),
    ("content_disposition", "content disposition"),
    ("content_language", "content language"),
    ("cache_control", "cache control"),
];

/// Shows an object.
pub fn show(client: &Client, output: OutputArgs, args: &ShowObjectArgs) -> Result<()> {
    let bucket = args.object.bucket.as_str();
    let path = path::of_object("/v1/buckets/", &format!("{bucket}/objects"), &args.object.key)?;
    let query: Vec<(&str, &str)> = args
        .version
        .iter()
        .map(|version| ("version", version.as_str()))
        .collect();
    let answer: Value = client
        .send_for(&Method::GET, &path, &query, None)
        .map_err(|error| explain(error, &args.object))?;
    if output.is_json() {
        return output::json(&answer);
    }
    let rows = rows(&answer, &args.object);
    let text = pairs(rows.iter().map(|(name, value)| (*name, printable(value))));
    output::line(&text)
}

fn explain(error: CliError, name: &ObjectName) -> CliError {
    match error {
        CliError::NotFound(message) => CliError::NotFound(format!(
            "{message} ({}; see `corelane ls {}`)",
            printable(&name.to_string()),
            name.bucket
        )),
        error => error,
    }
}

fn rows(answer: &Value, name: &ObjectName) -> Vec<(&'static str, String)> {
    let text = |name: &str| answer.get(name).and_then(plain);
    let mut rows = vec![("name", name.to_string())];
    let mut row = |name: &'static str, value: Option<String>| rows.extend(value.map(|value| (name, value)));
    let bytes = answer.get("size").and_then(Value::as_u64);
    row("size", bytes.map(|bytes| format!("{} ({bytes} bytes)", size(bytes))));
    row("etag", text("etag"));
    row("checksum", answer.get("checksum").and_then(checksum));
    row("modified", text("modified").map(|moment| time(&moment)));
    row("accessed", text("accessed").map(|moment| time(&moment)));
    row("version", text("version"));
    row("latest", text("latest"));
    row("content type", text("content_type"));
    for (name, title) in TEXTS {
        row(title, text(name));
    }
    row("parts", text("parts"));
    row("tags", text("tags_count").filter(|count| count != "0"));
    for stored in answer.get("checksums").and_then(Value::as_array).into_iter().flatten() {
        let field = |name: &str| stored.get(name).and_then(plain).unwrap_or_default();
        let form = match field("form").as_str() {
            "" => String::new(),
            form => format!(" ({form})"),
        };
        row(
            "stored checksum",
            Some(format!("{} {}{form}", field("algorithm"), field("value"))),
        );
    }
    for (name, value) in answer.get("metadata").and_then(Value::as_object).into_iter().flatten() {
        row("metadata", plain(value).map(|value| format!("{name}={value}")));
    }
    rows
}

/// `md5 9e107d...`.
fn checksum(value: &Value) -> Option<String> {
    let field = |name: &str| value.get(name).and_then(plain);
    Some(format!("{} {}", field("type")?, field("value")?))
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
