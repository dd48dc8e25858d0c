//! A bucket as the admin API shows it.

use crate::records::BucketRecord;
use proto::{
    http::date::iso8601,
    s3::{properties::Property, version::Versioning},
};
use serde::Serialize;
use std::collections::BTreeMap;

/// See the module.
#[derive(Debug, Serialize)]
pub struct BucketView {
    name: String,
    owner: String,
    created: String,
    versioning: &'static str,
    properties: BTreeMap<&'static str, String>,
    /// What else its owner has set.
    configured: Vec<&'static str>,
}

impl From<&BucketRecord> for BucketView {
    fn from(bucket: &BucketRecord) -> Self {
        let properties = bucket.properties();
        let configuration = &bucket.configuration;
        let configured = [
            (configuration.cors.is_some(), "cors"),
            (configuration.lifecycle.is_some(), "lifecycle"),
            (configuration.website.is_some(), "website"),
            (!configuration.tags.is_empty(), "tags"),
        ];
        Self {
            name: bucket.name.clone(),
            owner: bucket.owner.clone(),
            created: iso8601(bucket.created_unix_ms),
            versioning: match properties.versioning {
                Versioning::Unversioned => "Unversioned",
                Versioning::Enabled => "Enabled",
                Versioning::Suspended => "Suspended",
            },
            properties: Property::ALL
                .into_iter()
                .map(|property| (property.name(), properties.get(property)))
                .collect(),
            configured: configured
                .into_iter()
                .filter_map(|(is_set, name)| is_set.then_some(name))
                .collect(),
        }
    }
}
