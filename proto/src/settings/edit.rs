//! Changes of the configuration file that leave everything else in it as it is: comments, order, spaces.

use super::{
    Setting,
    file::{Entry, FileError, entries, layer, written},
    values::Layer,
};

/// A change of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The setting.
    pub setting: &'static Setting,
    /// Its new value; `None`: the file is to say nothing of it.
    pub value: Option<String>,
}

/// Why a file cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// It is wrong as it is.
    #[error(transparent)]
    Wrong(#[from] FileError),
    /// The setting stands in it in a way that cannot be changed from here.
    #[error("line {line}: {name} is written in a way that only an editor can change; write it on a line of its own")]
    Unusual {
        /// The setting.
        name: &'static str,
        /// Where it is, counted from 1.
        line: usize,
    },
}

/// The text with all changes made.
pub fn apply(text: &str, changes: &[Change]) -> Result<String, EditError> {
    let mut text = text.to_owned();
    for change in changes {
        text = apply_one(&text, change)?;
    }
    Ok(text)
}

fn apply_one(text: &str, change: &Change) -> Result<String, EditError> {
    let found = entries(text)?;
    let mut wanted: Layer = layer(text)?;
    let name = change.setting.name;
    match &change.value {
        Some(value) => wanted.insert(name.to_owned(), value.clone()),
        None => wanted.remove(name),
    };
    let entry = found.iter().find(|entry| entry.setting.name == name);
    let candidates: Vec<Option<String>> = match (entry, &change.value) {
        (None, None) => return Ok(text.to_owned()),
        (Some(entry), Some(value)) => vec![replaced(text, entry, value)],
        (Some(entry), None) => vec![removed(text, entry)],
        (None, Some(value)) => vec![
            inserted(text, change.setting, value),
            Some(appended(text, change.setting, value)),
            Some(format!("{name} = {}\n{text}", written(change.setting, value))),
        ],
    };
    // Whatever was written in whichever way: what counts is what the result says.
    let right = |candidate: &String| layer(candidate).is_ok_and(|says| says == wanted);
    let made = candidates.into_iter().flatten().find(right);
    made.ok_or_else(|| EditError::Unusual {
        name,
        line: line_of(text, entry.map_or(0, |entry| entry.key.start)),
    })
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

fn replaced(text: &str, entry: &Entry, value: &str) -> Option<String> {
    let before = text.get(..entry.written.start)?;
    let after = text.get(entry.written.end..)?;
    Some(format!("{before}{}{after}", written(entry.setting, value)))
}

/// Without the lines of a setting, if nothing else stands in them.
fn removed(text: &str, entry: &Entry) -> Option<String> {
    let start = text.get(..entry.key.start)?.rfind('\n').map_or(0, |at| at + 1);
    let rest = text.get(entry.written.end..)?;
    let end = rest.find('\n').map_or(text.len(), |at| entry.written.end + at + 1);
    Some(format!("{}{}", text.get(..start)?, text.get(end..)?))
}

/// Below the line that the template has for it, else below the header of its table.
fn inserted(text: &str, setting: &Setting, value: &str) -> Option<String> {
    let mut section = "";
    let mut header_end = None;
    let mut place = None;
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        offset += line.len();
        let trimmed = line.trim();
        if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            section = name.trim();
            if section == setting.section() {
                header_end = Some(offset);
            }
        }
        let is_marker = trimmed
            .strip_prefix('#')
            .and_then(|rest| rest.trim_start().split_once('='))
            .is_some_and(|(key, _)| key.trim() == setting.key());
        if is_marker && section == setting.section() {
            place = Some(offset);
        }
    }
    let place = place.or(header_end)?;
    let (before, after) = text.split_at_checked(place)?;
    let newline = if before.ends_with('\n') { "" } else { "\n" };
    let line = format!("{} = {}", setting.key(), written(setting, value));
    Some(format!("{before}{newline}{line}\n{after}"))
}

fn appended(text: &str, setting: &Setting, value: &str) -> String {
    let newline = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    let (section, key) = (setting.section(), setting.key());
    format!("{text}{newline}\n[{section}]\n{key} = {}\n", written(setting, value))
}
