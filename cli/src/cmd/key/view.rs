//! A key as the store describes it, and the calls that fetch, make and remove one.

use crate::{
    client::Client,
    error::Result,
    output::{pairs, time},
};
use proto::http::{date, percent};
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

/// Where keys are.
const KEYS_PATH: &str = "/v1/keys";

/// A key.
#[derive(Deserialize)]
pub struct Key {
    /// Its name in signatures.
    pub access_key: String,
    /// Told once, when it is made.
    #[serde(default)]
    pub secret_key: Option<String>,
    /// Whose it is.
    pub user: String,
    /// The user's group.
    #[serde(default)]
    pub tenant: Option<String>,
    /// The user, as S3's answers write it.
    pub canonical_id: String,
    #[serde(default)]
    created: Value,
}

/// All keys.
#[derive(Deserialize)]
pub struct Keys {
    /// Without secrets.
    pub keys: Vec<Key>,
}

impl Key {
    /// When it was made, in ISO 8601; `-` for the first key.
    pub fn created(&self) -> String {
        match self.created.as_str() {
            Some(text) if !self.is_first() => time(text),
            _ => "-".to_owned(),
        }
    }

    /// Whether it is the store's first key, which comes from a file, without a date.
    pub fn is_first(&self) -> bool {
        self.created.as_str().is_none_or(|text| text == date::iso8601(0))
    }

    /// All of it, a line each.
    pub fn text(&self) -> String {
        let mut rows = vec![
            ("Access key", self.access_key.as_str()),
            ("Secret key", self.secret_key.as_deref().unwrap_or("(as given)")),
            ("User", &self.user),
        ];
        if let Some(tenant) = &self.tenant {
            rows.push(("Tenant", tenant));
        }
        rows.push(("Canonical id", &self.canonical_id));
        pairs(rows)
    }
}

/// All keys.
pub fn fetch(client: &Client) -> Result<Value> {
    client.send_for(&Method::GET, KEYS_PATH, &[], None)
}

/// Makes a key.
pub fn make(client: &Client, body: &Value) -> Result<Value> {
    client.send_for(&Method::POST, KEYS_PATH, &[], Some(body))
}

/// Removes a key.
pub fn remove(client: &Client, access_key: &str) -> Result<()> {
    let path = format!("{KEYS_PATH}/{}", percent::encode(access_key.as_bytes(), false));
    client.send(&Method::DELETE, &path, &[], None).map(drop)
}
