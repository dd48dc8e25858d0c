//! The configuration file as text: TOML, in which each setting stands under its name.

use super::{Kind, Setting, SettingError, find, values::Layer};
use crate::limits::CONFIGURATION_BYTES_MAX;
use std::ops::Range;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Why a text is no configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct FileError {
    /// Counted from 1.
    pub line: usize,
    /// In one line.
    pub message: String,
}

/// A setting as a file sets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The setting.
    pub setting: &'static Setting,
    /// Its value, in its one form.
    pub value: String,
    /// Where its key is, in bytes; of a dotted key the last part.
    pub key: Range<usize>,
    /// Where its value is, in bytes.
    pub written: Range<usize>,
}

/// The values that a text sets.
pub fn layer(text: &str) -> Result<Layer, FileError> {
    let entries = entries(text)?;
    Ok(entries
        .into_iter()
        .map(|entry| (entry.setting.name.to_owned(), entry.value))
        .collect())
}

/// The settings that a text sets, in its order.
pub fn entries(text: &str) -> Result<Vec<Entry>, FileError> {
    let error_at = |offset: usize, message: &str| {
        let before = text.as_bytes().iter().take(offset);
        FileError {
            line: before.filter(|byte| **byte == b'\n').count() + 1,
            message: message.trim().replace('\n', "; "),
        }
    };
    if text.len() > CONFIGURATION_BYTES_MAX {
        return Err(error_at(
            0,
            &format!("there are more than {CONFIGURATION_BYTES_MAX} bytes"),
        ));
    }
    let document =
        DeTable::parse(text).map_err(|error| error_at(error.span().map_or(0, |span| span.start), error.message()))?;
    let mut found = Vec::new();
    walk(document.get_ref(), "", &mut found).map_err(|(offset, message)| error_at(offset, &message))?;
    found.sort_by_key(|entry| entry.key.start);
    Ok(found)
}

fn walk(table: &DeTable<'_>, prefix: &str, found: &mut Vec<Entry>) -> Result<(), (usize, String)> {
    for (key, value) in table {
        let name = match prefix {
            "" => key.get_ref().to_string(),
            prefix => format!("{prefix}.{}", key.get_ref()),
        };
        match value.get_ref() {
            DeValue::Table(inner) => walk(inner, &name, found)?,
            _ => {
                let entry = entry(&name, key.span(), value);
                found.push(entry.map_err(|error| (key.span().start, error.to_string()))?);
            }
        }
    }
    Ok(())
}

fn entry(name: &str, key: Range<usize>, value: &Spanned<DeValue<'_>>) -> Result<Entry, SettingError> {
    let setting = find(name)?;
    let text = match value.get_ref() {
        DeValue::String(text) => text.to_string(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Integer(number) => {
            let plain = i64::from_str_radix(number.as_str(), number.radix());
            plain.map_or_else(|_| number.to_string(), |number| number.to_string())
        }
        DeValue::Float(number) => number.to_string(),
        DeValue::Datetime(moment) => moment.to_string(),
        // No name of a list holds a comma.
        DeValue::Array(items) if setting.kind == Kind::Domains => {
            let names = items.iter().map(|item| item.get_ref().as_str().unwrap_or("/"));
            names.collect::<Vec<_>>().join(",")
        }
        DeValue::Array(_) | DeValue::Table(_) => "[..]".to_owned(),
    };
    Ok(Entry {
        setting,
        value: setting.parse(&text)?,
        key,
        written: value.span(),
    })
}

/// A value as TOML has it.
pub fn written(setting: &Setting, value: &str) -> String {
    if setting.kind.is_bare(value) {
        return value.to_owned();
    }
    if setting.kind == Kind::Domains {
        let names: Vec<String> = value.split(',').map(quoted).collect();
        return format!("[{}]", names.join(", "));
    }
    quoted(value)
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
