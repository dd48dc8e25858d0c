//! A TLS client that trusts one certificate and checks everything about it, names included.

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{path::Path, sync::Arc};

/// What a client trusts and speaks.
#[derive(Debug, Clone)]
pub struct Trust(Arc<ClientConfig>);

impl Trust {
    /// The certificates of a PEM file; TLS 1.3 and 1.2.
    pub fn file(path: &Path) -> Self {
        Self::file_with(path, rustls::DEFAULT_VERSIONS)
    }

    /// The certificates of a PEM file, and certain versions only.
    pub fn file_with(path: &Path, versions: &[&'static SupportedProtocolVersion]) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(path).unwrap() {
            roots.add(certificate.unwrap()).unwrap();
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self(Arc::new(config))
    }

    /// The state of a new connection to 127.0.0.1.
    pub fn connect(&self) -> ClientConnection {
        let name = "127.0.0.1".try_into().unwrap();
        ClientConnection::new(Arc::clone(&self.0), name).unwrap()
    }
}
