//! The certificate this gateway shows, in two files that may change while it runs.

use proto::tls::{
    identity::{Identity, IdentityError},
    settings::TlsSettings,
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// See the module.
pub struct Certificate {
    certificate: PathBuf,
    key: PathBuf,
    /// What connections are made with.
    pub settings: Arc<TlsSettings>,
}

impl Certificate {
    /// Reads the files.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, String> {
        let settings = read(certificate, key)?;
        let settings = TlsSettings::new(settings).map_err(|error| unusable(certificate, &error))?;
        Ok(Self {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            settings: Arc::new(settings),
        })
    }
    /// Reads the files again, for connections from here on. What cannot be used changes nothing.
    pub fn reload(&self) {
        let replaced = read(&self.certificate, &self.key).and_then(|identity| {
            let replaced = self.settings.replace(identity);
            replaced.map_err(|error| unusable(&self.certificate, &error))
        });
        match replaced {
            Ok(()) => tracing::info!(certificate = %self.certificate.display(), "certificate loaded again"),
            Err(error) => tracing::error!(error, "the certificate stays the one from before"),
        }
    }
}

fn read(certificate: &Path, key: &Path) -> Result<Identity, String> {
    let bytes = |path: &Path| {
        std::fs::read(path).map_err(|error| format!("TLS cannot be used: cannot read {}: {error}", path.display()))
    };
    Identity::from_pem(&bytes(certificate)?, &bytes(key)?).map_err(|error| unusable(certificate, &error))
}

fn unusable(certificate: &Path, error: &IdentityError) -> String {
    format!(
        "TLS cannot be used with {}: {error}; --tls-cert and --tls-key name two PEM files that belong together",
        certificate.display()
    )
}
