//! The settings of a store: one table of what an operator may decide, with what each value may be and what it does. The
//! configuration file, its template, `docs/configuration.md`, `/v1/config` and the flags of `corelane serve` all come
//! from it.

pub mod document;
pub mod edit;
pub mod file;
mod kind;
pub mod names;
mod table;
pub mod values;

use crate::nearest::nearest;
pub use kind::Kind;
pub use table::SETTINGS;

/// When a change of a setting acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applies {
    /// At once, in a running store.
    Live,
    /// At the next start.
    Restart,
    /// Never: it says how things are.
    Fixed,
}

impl Applies {
    /// As `/v1/config` says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Restart => "restart",
            Self::Fixed => "fixed",
        }
    }
}

/// A setting.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name, such as `net.http.write_buffer_size`.
    pub name: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// Its value unless somebody says otherwise, in the form that `parse` gives.
    pub default: &'static str,
    /// When a change acts.
    pub applies: Applies,
    /// The flag of `corelane serve` of its own; each can be given with `--set`, too.
    pub flag: Option<&'static str>,
    /// What it decides, as documentation.
    pub description: &'static str,
}

/// Why a setting cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// There is none of that name.
    #[error("there is no setting {name:?}{}", meant(*nearest))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What may have been meant.
        nearest: Option<&'static str>,
    },
    /// The value is not one of those allowed.
    #[error("{name}: {value:?} is not allowed{}; give {allowed}", meant(*nearest))]
    Value {
        /// The setting.
        name: &'static str,
        /// What was given.
        value: String,
        /// What may have been meant.
        nearest: Option<&'static str>,
        /// What is allowed.
        allowed: String,
    },
    /// It only says how things are.
    #[error("{name} is {value} and cannot be set: {why}")]
    Fixed {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: &'static str,
        /// The reason.
        why: &'static str,
    },
}

fn meant(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!(" (did you mean {name}?)"))
}

/// The setting of a name. An unknown one is an error that names the nearest that can be set, or any if none is near.
pub fn find(name: &str) -> Result<&'static Setting, SettingError> {
    SETTINGS
        .iter()
        .find(|setting| setting.name == name)
        .ok_or_else(|| SettingError::Unknown {
            name: name.to_owned(),
            nearest: nearest(name, SETTINGS.iter().map(|setting| setting.name)),
        })
}

/// The settings below a prefix of whole names, such as `net.http`; all below an empty one. `Unknown` when there are none.
pub fn below(prefix: &str) -> Result<Vec<&'static Setting>, SettingError> {
    let prefix = prefix.trim_end_matches('.');
    let is_below = |name: &str| {
        prefix.is_empty() || name == prefix || name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.'))
    };
    let found: Vec<_> = SETTINGS.iter().filter(|setting| is_below(setting.name)).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let sections = SETTINGS.iter().map(|setting| setting.section());
    Err(SettingError::Unknown {
        name: prefix.to_owned(),
        nearest: nearest(prefix, sections.chain(SETTINGS.iter().map(|setting| setting.name))),
    })
}

impl Setting {
    /// A value in the one form it is kept and shown in: sizes in bytes, times in seconds.
    pub fn parse(&self, text: &str) -> Result<String, SettingError> {
        if self.applies == Applies::Fixed {
            return Err(SettingError::Fixed {
                name: self.name,
                value: self.default,
                why: self.description,
            });
        }
        self.kind.parse(text).ok_or_else(|| SettingError::Value {
            name: self.name,
            value: text.to_owned(),
            nearest: self.kind.nearest(text),
            allowed: self.kind.allowed(),
        })
    }
    /// The environment variable that sets it; `None`: nothing does.
    pub fn environment(&self) -> Option<String> {
        match self.name {
            _ if self.applies == Applies::Fixed => None,
            names::LOG_FILTER => Some("CORELANE_LOG".to_owned()),
            name => Some(format!("CORELANE_{}", name.replace('.', "_").to_ascii_uppercase())),
        }
    }
    /// The table of the file that it stands in: `net.http`.
    pub fn section(&self) -> &'static str {
        self.name.rsplit_once('.').map_or("", |(section, _)| section)
    }
    /// Its name within that table.
    pub fn key(&self) -> &'static str {
        self.name.rsplit_once('.').map_or(self.name, |(_, key)| key)
    }
}

#[cfg(test)]
mod tests;
