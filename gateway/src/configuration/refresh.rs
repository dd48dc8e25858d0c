//! What the configuration file says now: people edit it, too.

use super::Configuration;
use crate::store::mailbox::mailbox;
use proto::settings::{file, values::Layer};
use std::{io, path::Path};

impl Configuration {
    /// Reads the file again, for those who ask what comes with a restart. What is wrong with it, in one line, is what would
    /// stop a start; then what it said before counts.
    pub async fn refresh(&self) -> Option<String> {
        let path = self.running.borrow().path.clone()?;
        let (sender, mut receiver) = mailbox();
        let reading = std::thread::Builder::new().name("configuration".to_owned());
        let started = reading.spawn(move || sender.send(read(&path)));
        let read = match started {
            Ok(_) => receiver.receive().await?,
            Err(error) => Err(format!("no thread starts: {error}")),
        };
        match read {
            // A change that is under way knows better what it writes.
            Ok(layer) if !self.is_changing.get() => {
                self.saved.replace(layer);
                None
            }
            Ok(_) => None,
            Err(error) => Some(error),
        }
    }
}

fn read(path: &Path) -> Result<Layer, String> {
    match std::fs::read_to_string(path) {
        Ok(text) => file::layer(&text).map_err(|error| format!("{} {error}", path.display())),
        // The next start makes a new one.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Layer::new()),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}
