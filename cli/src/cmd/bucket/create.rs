//! `corelane bucket create`.

use super::{
    assignment::{self, to_json},
    view::BUCKETS_PATH,
};
use crate::{
    bucket_name::BucketName,
    client::Client,
    error::Result,
    output::{self, OutputArgs},
};
use clap::Args;
use reqwest::Method;
use serde_json::{Value, json};

const EXAMPLES: &str = "\
Examples:
  corelane bucket create photos
  corelane bucket create ais://train --props checksum.type=md5
  corelane bucket create s3://logs --props \"versioning.enabled=true last_modified=atime\"
  corelane bucket create one two three                      Several with the same properties

Properties: checksum.type, checksum.validate_warm_get, versioning.enabled, last_modified, access; see
`corelane bucket props --help`.";

/// The flags of `corelane bucket create`.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct CreateArgs {
    /// The bucket's name: 3 to 63 of a-z, 0-9, `.` and `-`
    #[arg(required = true, value_name = "BUCKET")]
    buckets: Vec<BucketName>,
    /// Properties it has from the start, such as checksum.type=md5; with spaces or commas between several
    #[arg(long, visible_alias = "bucket-props", value_name = "NAME=VALUE")]
    props: Vec<String>,
}

/// Runs the command.
pub fn run(client: &Client, output: OutputArgs, args: &CreateArgs) -> Result<()> {
    let assignments = assignment::parse(&args.props)?;
    for bucket in &args.buckets {
        let mut body = json!({"name": bucket.as_str()});
        if let (false, Some(fields)) = (assignments.is_empty(), body.as_object_mut()) {
            fields.insert("properties".to_owned(), to_json(&assignments));
        }
        let created: Value = client.send_for(&Method::POST, BUCKETS_PATH, &[], Some(&body))?;
        match output.is_json() {
            true => output::json(&created)?,
            false => output::line(&format!("\"{bucket}\" bucket created"))?,
        }
    }
    Ok(())
}
