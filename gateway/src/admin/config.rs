//! `/v1/config`: the settings of the store.

use super::{call::Call, reply::Reply};
use crate::configuration::change::{ChangeError, change};
use proto::{
    error::S3Error,
    settings::{below, edit::Change, find},
};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeConfig {
    #[serde(default)]
    set: BTreeMap<String, Value>,
    #[serde(default)]
    reset: BTreeSet<String>,
}

/// A value as JSON has it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Text(String),
    Number(u64),
    Boolean(bool),
}

impl Value {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Boolean(value) => value.to_string(),
        }
    }
}

/// The settings below `prefix`, or all.
pub async fn show(call: &Call<'_>) -> Reply {
    let settings = match below(call.query.value("prefix").unwrap_or_default()) {
        Ok(settings) => settings,
        Err(error) => return Reply::error(400, "InvalidSetting", &error.to_string()),
    };
    let configuration = &call.gateway.configuration;
    let file_error = configuration.refresh().await;
    let views: Vec<_> = settings
        .into_iter()
        .map(|setting| configuration.view(setting))
        .collect();
    Reply::json(
        200,
        &serde_json::json!({ "file": configuration.file(), "file_error": file_error, "settings": views }),
    )
}

/// Sets and resets settings, all or none.
pub async fn modify(call: &Call<'_>) -> Result<Reply, S3Error> {
    let wanted: ChangeConfig = call.json()?;
    let changes = match changes(&wanted) {
        Ok(changes) => changes,
        Err(message) => return Ok(Reply::error(400, "InvalidSetting", &message)),
    };
    Ok(match change(call.gateway, changes).await {
        Ok(changed) => Reply::json(200, &serde_json::json!({ "changed": changed })),
        Err(error) => refusal(&error),
    })
}

fn changes(wanted: &ChangeConfig) -> Result<Vec<Change>, String> {
    let mut changes = Vec::new();
    for (name, value) in &wanted.set {
        let setting = find(name).map_err(|error| error.to_string())?;
        let value = setting.parse(&value.text()).map_err(|error| error.to_string())?;
        changes.push(Change {
            setting,
            value: Some(value),
        });
    }
    for name in &wanted.reset {
        let setting = find(name).map_err(|error| error.to_string())?;
        if wanted.set.contains_key(name) {
            return Err(format!("{name} cannot be set and reset at the same time"));
        }
        // Of one that cannot be set, parsing says why.
        setting.parse(setting.default).map_err(|error| error.to_string())?;
        changes.push(Change { setting, value: None });
    }
    Ok(changes)
}

fn refusal(error: &ChangeError) -> Reply {
    let message = error.to_string();
    match error {
        ChangeError::NoFile => Reply::error(409, "NoConfigurationFile", &message),
        ChangeError::Busy => Reply::error(409, "OperationAborted", &message),
        ChangeError::Invalid(_) => Reply::error(400, "InvalidSetting", &message),
        ChangeError::WrongFile(_) => Reply::error(409, "InvalidConfigurationFile", &message),
        ChangeError::Failed(_) => {
            tracing::error!(message, "the configuration cannot be changed");
            Reply::error(500, "InternalError", &message)
        }
    }
}
