//! The certificate this node shows, in two files that may change while it runs.

use crate::{config::Config, error::BootError};
use proto::tls::{identity::Identity, settings::TlsSettings};
use std::{path::PathBuf, sync::Arc};

/// See the module.
pub struct Certificate {
    certificate: PathBuf,
    key: PathBuf,
    /// What connections are made with; all cores share it.
    pub settings: Arc<TlsSettings>,
}

impl Certificate {
    /// Reads the files; `None` without flags.
    pub fn load(flags: &Config) -> Result<Option<Self>, BootError> {
        let (Some(certificate), Some(key)) = (&flags.tls_cert, &flags.tls_key) else {
            return Ok(None);
        };
        let (certificate, key) = (certificate.clone(), key.clone());
        let settings = read(&certificate, &key).and_then(|identity| {
            TlsSettings::new(identity).map_err(|error| BootError::Certificate(certificate.clone(), error.to_string()))
        })?;
        Ok(Some(Self {
            certificate,
            key,
            settings: Arc::new(settings),
        }))
    }

    /// Reads the files again, for connections from here on. What cannot be used changes nothing.
    pub fn reload(&self) {
        let replaced = read(&self.certificate, &self.key).and_then(|identity| {
            self.settings
                .replace(identity)
                .map_err(|error| BootError::Certificate(self.certificate.clone(), error.to_string()))
        });
        match replaced {
            Ok(()) => tracing::info!(certificate = %self.certificate.display(), "certificate loaded again"),
            Err(error) => tracing::error!(%error, "the certificate stays the one from before"),
        }
    }
}

fn read(certificate: &PathBuf, key: &PathBuf) -> Result<Identity, BootError> {
    let bytes =
        |path: &PathBuf| std::fs::read(path).map_err(|error| BootError::Certificate(path.clone(), error.to_string()));
    Identity::from_pem(&bytes(certificate)?, &bytes(key)?)
        .map_err(|error| BootError::Certificate(certificate.clone(), error.to_string()))
}
