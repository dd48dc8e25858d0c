//! A bucket as the store describes it, and the calls that fetch and change it.

use crate::{
    bucket_name::BucketName,
    client::Client,
    error::{CliError, Result},
    output::time,
};
use proto::s3::properties::Property;
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Where buckets are.
pub const BUCKETS_PATH: &str = "/v1/buckets";

/// A bucket.
#[derive(Debug, Clone, Deserialize)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub owner: String,
    /// When it was created, in ISO 8601.
    pub created: String,
    /// `Unversioned`, `Enabled` or `Suspended`.
    pub versioning: String,
    /// Values by names.
    pub properties: BTreeMap<String, String>,
    /// What S3 clients have configured, such as `cors`.
    #[serde(default)]
    pub configured: Vec<String>,
}

#[derive(Deserialize)]
struct Buckets {
    buckets: Vec<Bucket>,
}

impl Bucket {
    /// The bucket of a description.
    pub fn of(description: &Value) -> Result<Self> {
        super::super::parse_answer(description.clone())
    }

    /// Its properties in the order of the manual, then those this program does not know.
    pub fn ordered_properties(&self) -> Vec<(&str, String)> {
        let known = Property::ALL.map(Property::name);
        let shown = |name: &str, value: &String| match (name, self.versioning.as_str()) {
            // False has two meanings, of which only one drops old versions.
            ("versioning.enabled", "Suspended") => format!("{value} (suspended)"),
            _ => value.clone(),
        };
        let first = known
            .iter()
            .filter_map(|name| self.properties.get(*name).map(|value| (*name, shown(name, value))));
        let others = self
            .properties
            .iter()
            .filter(|(name, _)| !known.contains(&name.as_str()))
            .map(|(name, value)| (name.as_str(), value.clone()));
        first.chain(others).collect()
    }

    /// When it was created, for people.
    pub fn created(&self) -> String {
        time(&self.created)
    }
}

/// The path of a bucket.
pub fn path(bucket: &BucketName) -> String {
    format!("{BUCKETS_PATH}/{bucket}")
}

/// A bucket's description.
pub fn fetch(client: &Client, bucket: &BucketName) -> Result<Value> {
    client
        .send_for(&Method::GET, &path(bucket), &[], None)
        .map_err(|error| explain(error, bucket))
}

/// What to do about a refusal, in this program's words.
pub fn explain(error: CliError, bucket: &BucketName) -> CliError {
    match error {
        CliError::NotFound(message) if message.starts_with("NoSuchBucket") => CliError::NotFound(format!(
            "there is no bucket {bucket}; `corelane ls` lists them, and `corelane bucket create {bucket}` makes it"
        )),
        CliError::Failed(message) if message.starts_with("BucketNotEmpty") => CliError::Failed(format!(
            "{bucket} is not empty; `corelane bucket rm {bucket} --force` removes its objects too"
        )),
        error => error,
    }
}

/// The descriptions of all buckets of the caller.
pub fn fetch_all(client: &Client) -> Result<(Value, Vec<Bucket>)> {
    let answer: Value = client.send_for(&Method::GET, BUCKETS_PATH, &[], None)?;
    let buckets: Buckets = super::super::parse_answer(answer.clone())?;
    Ok((answer, buckets.buckets))
}
