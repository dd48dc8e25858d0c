//! A certificate and its private key, as a store shows them to its clients.

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

/// Why two PEM files are no identity. No message quotes them.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Nothing, or something else.
    #[error("the certificate file holds no PEM certificate (-----BEGIN CERTIFICATE-----)")]
    NoCertificate,
    /// Nothing, something else, or a key with a passphrase.
    #[error("the key file holds no PEM private key (-----BEGIN PRIVATE KEY-----, without a passphrase)")]
    NoKey,
    /// They do not belong together.
    #[error("the private key is not the one of the certificate")]
    Mismatch,
    /// The certificate is damaged, or the key is of a kind nobody here can sign with.
    #[error("the certificate and its key cannot be used: {0}")]
    Unusable(rustls::Error),
}

impl From<rustls::Error> for IdentityError {
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::InconsistentKeys(_) => Self::Mismatch,
            other => Self::Unusable(other),
        }
    }
}

/// See the module.
pub struct Identity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("certificates", &self.chain.len())
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// From the contents of two PEM files: the certificate, followed by those that signed it if there are any, and the
    /// key (PKCS #8, PKCS #1 or SEC1).
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, IdentityError> {
        Ok(Self {
            chain: certificates(certificate)?,
            key: PrivateKeyDer::from_pem_slice(key).map_err(|_| IdentityError::NoKey)?,
        })
    }
}

/// The certificates of a PEM file, in order; at least one.
pub fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(IdentityError::NoCertificate),
    }
}
