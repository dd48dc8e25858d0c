//! Certificates for HTTPS: the one a store makes for itself, and what any says.

mod der;
pub mod describe;
pub mod make;

use crate::{
    error::{CliError, Result},
    private_file,
};
use describe::Description;
use make::Made;
use proto::tls::{identity::Identity, settings::TlsSettings};
use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// In a store's `control` directory.
const DIRECTORY: &str = "tls";
const CERTIFICATE_FILE: &str = "cert.pem";
const KEY_FILE: &str = "key.pem";

/// A certificate and its key as files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// PEM; for clients too.
    pub certificate: PathBuf,
    /// PEM; a secret.
    pub key: PathBuf,
}

impl CertificateFiles {
    /// `cert.pem` and `key.pem` in a directory.
    pub fn in_directory(directory: &Path) -> Self {
        Self {
            certificate: directory.join(CERTIFICATE_FILE),
            key: directory.join(KEY_FILE),
        }
    }

    /// Those a store made for itself, by its `control` directory.
    pub fn of_store(control: &Path) -> Self {
        Self::in_directory(&control.join(DIRECTORY))
    }

    /// What the certificate says.
    pub fn describe(&self) -> Result<Description> {
        describe::read(&self.certificate)
    }

    /// Whether servers will take both. Also sees to it that nobody else may read a key of the store's own.
    pub fn check(&self) -> Result<()> {
        let unreadable = |path: &Path, error| CliError::failed(format!("cannot read {}: {error}", path.display()));
        let certificate = std::fs::read(&self.certificate).map_err(|error| unreadable(&self.certificate, error))?;
        let key = std::fs::read(&self.key).map_err(|error| unreadable(&self.key, error))?;
        Identity::from_pem(&certificate, &key)
            .and_then(TlsSettings::new)
            .map_err(|error| {
                CliError::failed(format!(
                    "{} and {} cannot be used: {error}",
                    self.certificate.display(),
                    self.key.display()
                ))
            })?;
        Ok(())
    }

    /// Writes a certificate that was made, the key first: whoever finds the certificate finds its key.
    pub fn write(&self, made: &Made) -> Result<()> {
        let directory = self.certificate.parent().unwrap_or(Path::new("."));
        let failed = |error: std::io::Error| {
            CliError::failed(format!(
                "cannot write into {}: {error}; check the space and the rights there",
                directory.display()
            ))
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(failed)?;
        private_file::write(&self.key, made.key_pem()).map_err(failed)?;
        private_file::write_public(&self.certificate, made.certificate_pem()).map_err(failed)
    }
}
