//! The list of buckets.

use super::summary::{Summary, summarize};
use crate::{
    client::Client,
    cmd::bucket::view::{Bucket, fetch_all},
    error::Result,
    output::{self, Columns, OutputArgs, size},
};
use serde_json::json;

/// Prints the caller's buckets; with the number and size of their objects if wanted, for which each is listed.
pub fn print(client: &Client, output: OutputArgs, with_summary: bool, no_heading: bool) -> Result<()> {
    let (mut answer, buckets) = fetch_all(client)?;
    let mut summaries = Vec::new();
    if with_summary {
        for bucket in &buckets {
            summaries.push(match bucket.name.parse() {
                Ok(name) => summarize(client, &name, "")?,
                Err(_) => Summary::default(),
            });
        }
    }
    if output.is_json() {
        let descriptions = answer.get_mut("buckets").and_then(serde_json::Value::as_array_mut);
        for (description, summary) in descriptions.into_iter().flatten().zip(&summaries) {
            if let Some(fields) = description.as_object_mut() {
                fields.insert("objects".to_owned(), json!(summary.objects));
                fields.insert("object_bytes".to_owned(), json!(summary.bytes));
            }
        }
        return output::json(&answer);
    }
    let mut columns = match with_summary {
        true => Columns::new(["NAME", "OWNER", "CHECKSUM", "VERSIONING", "CREATED", "OBJECTS", "SIZE"])
            .right(5)
            .right(6),
        false => Columns::new(["NAME", "OWNER", "CHECKSUM", "VERSIONING", "CREATED"]),
    };
    if no_heading {
        columns = columns.without_heading();
    } else {
        output::line(&format!("Buckets ({})", buckets.len()))?;
    }
    if buckets.is_empty() {
        return Ok(());
    }
    let mut rows: Vec<Vec<String>> = buckets.iter().map(row).collect();
    for (row, Summary { objects, bytes }) in rows.iter_mut().zip(&summaries) {
        row.push(objects.to_string());
        row.push(size(*bytes));
    }
    output::line(&columns.page(rows, output.style()))
}

fn row(bucket: &Bucket) -> Vec<String> {
    let property = |name: &str| bucket.properties.get(name).cloned().unwrap_or_else(|| "-".to_owned());
    let versioning = match bucket.versioning.as_str() {
        "Unversioned" => "-",
        state => state,
    };
    vec![
        bucket.name.clone(),
        bucket.owner.clone(),
        property("checksum.type"),
        versioning.to_owned(),
        bucket.created(),
    ]
}
