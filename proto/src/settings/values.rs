//! The values that a store has: layers over each other, flags above environment above file above defaults.

use super::{Applies, SETTINGS, Setting, names};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// What one source says: values by name, in the form that `Setting::parse` gives.
pub type Layer = BTreeMap<String, String>;

/// Where a value is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Nobody said anything.
    Default,
    /// The configuration file.
    File,
    /// An environment variable of `corelane serve`.
    Environment,
    /// A flag of `corelane serve`.
    Flag,
    /// It cannot be set.
    Fixed,
}

impl Source {
    /// As `/v1/config` says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File => "file",
            Self::Environment => "environment",
            Self::Flag => "flag",
            Self::Fixed => "fixed",
        }
    }
}

/// All that was said. `corelane serve` gathers it, and hands it to the gateway as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layers {
    /// The configuration file; `None`: there is none, so nothing can be changed.
    pub path: Option<PathBuf>,
    /// What it says.
    pub file: Layer,
    /// What environment variables say.
    pub environment: Layer,
    /// What flags say.
    pub flags: Layer,
    /// What defaults come down to in this store, where that is more than the table can say.
    pub derived: Layer,
}

impl Layers {
    /// The value of a setting.
    pub fn value(&self, setting: &Setting) -> &str {
        let name = setting.name;
        [&self.flags, &self.environment, &self.file, &self.derived]
            .into_iter()
            .find_map(|layer| layer.get(name))
            .map_or(setting.default, String::as_str)
    }
    /// Where it is from.
    pub fn source(&self, setting: &Setting) -> Source {
        let has = |layer: &Layer| layer.contains_key(setting.name);
        match () {
            () if setting.applies == Applies::Fixed => Source::Fixed,
            () if has(&self.flags) => Source::Flag,
            () if has(&self.environment) => Source::Environment,
            () if has(&self.file) => Source::File,
            () => Source::Default,
        }
    }
    /// The value of a name that is in the table; of any other nothing.
    pub fn text(&self, name: &str) -> &str {
        let setting = SETTINGS.iter().find(|setting| setting.name == name);
        setting.map_or("", |setting| self.value(setting))
    }
    /// Whether it is `true`.
    pub fn is_true(&self, name: &str) -> bool {
        self.text(name) == "true"
    }
    /// A number; `None`: it is a word, or too large.
    pub fn number<T: TryFrom<u64>>(&self, name: &str) -> Option<T> {
        self.text(name).parse::<u64>().ok()?.try_into().ok()
    }
    /// A file; `None` for an empty name. One that the configuration file names is found from there, any other from where the
    /// store was started.
    pub fn file_of(&self, name: &str) -> Option<PathBuf> {
        let text = self.text(name);
        if text.is_empty() {
            return None;
        }
        let is_said_by_file =
            !self.flags.contains_key(name) && !self.environment.contains_key(name) && self.file.contains_key(name);
        let folder = self.path.as_deref().and_then(Path::parent);
        Some(match folder.filter(|_| is_said_by_file && text != "-") {
            Some(folder) => folder.join(text),
            None => PathBuf::from(text),
        })
    }
    /// Whether anybody gives it a value that is not empty; what is derived does not count.
    pub fn is_said(&self, name: &str) -> bool {
        let layers = [&self.flags, &self.environment, &self.file].into_iter();
        let said = layers.filter_map(|layer| layer.get(name)).next();
        said.is_some_and(|value| !value.is_empty())
    }
    /// What does not go together, in one line.
    pub fn check(&self) -> Result<(), String> {
        let handoff = self.text(names::ROUTE_MODE) == "handoff";
        if handoff && !self.is_true(names::ROUTE_HANDOFF) {
            return Err(
                "route.mode handoff (--route handoff) and route.handoff false (--no-handoff) contradict each \
                        other; drop one"
                    .to_owned(),
            );
        }
        let host = self.text(names::NET_HOST);
        let is_wildcard = host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_unspecified());
        if self.text(names::ROUTE_MODE) == "redirect" && is_wildcard && self.text(names::NET_ADVERTISE).is_empty() {
            return Err(format!(
                "route.mode redirect (--route redirect) with net.host {host} needs net.advertise (--advertise HOST): \
                 the name or address clients reach this machine by"
            ));
        }
        if self.is_said(names::SERVER_CRT) != self.is_said(names::SERVER_KEY) {
            return Err("net.http.server_crt and net.http.server_key belong together; set both or neither".to_owned());
        }
        Ok(())
    }
}
