//! What this store is configured with: every setting, its value, where that is from, and what is to come with a restart.

pub mod change;
mod prepare;
mod refresh;
mod tell;

use crate::log_filter::LogFilter;
use proto::settings::{
    Setting,
    values::{Layer, Layers},
};
use serde::Serialize;
use std::cell::{Cell, RefCell};

/// See the module.
pub struct Configuration {
    /// What acts now.
    running: RefCell<Layers>,
    /// What the file said when it was last read.
    saved: RefCell<Layer>,
    log_filter: Option<LogFilter>,
    is_changing: Cell<bool>,
}

/// A setting as `/v1/config` shows it.
#[derive(Debug, Serialize)]
pub struct View {
    name: &'static str,
    value: String,
    default: &'static str,
    source: &'static str,
    applies: &'static str,
    description: &'static str,
    allowed: String,
    /// The value that acts after a restart, if it is another one.
    pending: Option<String>,
}

impl Configuration {
    /// Of a gateway that was started with this.
    pub fn new(layers: Layers, log_filter: Option<LogFilter>) -> Self {
        Self {
            saved: RefCell::new(layers.file.clone()),
            running: RefCell::new(layers),
            log_filter,
            is_changing: Cell::new(false),
        }
    }

    /// The configuration file, if there is one.
    pub fn file(&self) -> Option<String> {
        let running = self.running.borrow();
        running.path.as_ref().map(|path| path.display().to_string())
    }

    /// How a setting stands.
    pub fn view(&self, setting: &'static Setting) -> View {
        let running = self.running.borrow();
        let value = running.value(setting).to_owned();
        let saved = Layers {
            file: self.saved.borrow().clone(),
            ..running.clone()
        };
        let next = saved.value(setting);
        View {
            name: setting.name,
            pending: (next != value).then(|| next.to_owned()),
            value,
            default: setting.default,
            source: running.source(setting).name(),
            applies: setting.applies.name(),
            description: setting.description,
            allowed: setting.kind.allowed(),
        }
    }
}
