//! What a process accepts of TLS, as a server and as a client of the store's other processes, and how both change with
//! the certificate.

use super::{
    identity::{Identity, IdentityError},
    pinned::PinnedVerifier,
    session::Session,
};
use rustls::{
    ClientConfig, ClientConnection, ServerConfig, ServerConnection,
    crypto::{
        CryptoProvider,
        aws_lc_rs::{self, Ticketer, cipher_suite as suite},
    },
    pki_types::{CertificateDer, ServerName},
};
use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The one protocol spoken over TLS (RFC 7301).
const HTTP_1_1: &[u8] = b"http/1.1";
/// Tickets to resume with that a client gets with a handshake. Clients keep a connection for many requests, and resume one
/// at a time.
const TICKETS_PER_HANDSHAKE: usize = 1;

/// See the module.
pub struct TlsSettings {
    provider: Arc<CryptoProvider>,
    current: Mutex<Current>,
}

struct Current {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    certificate: CertificateDer<'static>,
}

impl std::fmt::Debug for TlsSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsSettings").finish_non_exhaustive()
    }
}

impl TlsSettings {
    /// For a certificate.
    pub fn new(identity: Identity) -> Result<Self, IdentityError> {
        let provider = provider();
        let current = Current::new(&provider, identity, None)?;
        Ok(Self {
            provider,
            current: Mutex::new(current),
        })
    }

    /// Takes another certificate for connections from here on. To other processes of the store the one before is still
    /// good: they may not have changed yet.
    pub fn replace(&self, identity: Identity) -> Result<(), IdentityError> {
        let mut current = self.current();
        let before = current.certificate.clone();
        *current = Current::new(&self.provider, identity, Some(before))?;
        Ok(())
    }

    /// The state of a connection that a client has opened.
    pub fn accept(&self) -> Result<Session, rustls::Error> {
        let config = Arc::clone(&self.current().server);
        Ok(Session::new(ServerConnection::new(config)?.into()))
    }

    /// The state of a connection opened to another process of the store.
    pub fn connect(&self, address: IpAddr) -> Result<Session, rustls::Error> {
        let name = ServerName::from(address);
        Ok(Session::new(ClientConnection::new(self.client(), name)?.into()))
    }

    /// What connections to other processes of the store are made with.
    pub fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.current().client)
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Current {
    fn new(
        provider: &Arc<CryptoProvider>,
        identity: Identity,
        before: Option<CertificateDer<'static>>,
    ) -> Result<Self, IdentityError> {
        let Identity { chain, key } = identity;
        let certificate = chain.first().cloned().ok_or(IdentityError::NoCertificate)?;
        let mut server = ServerConfig::builder_with_provider(Arc::clone(provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        server.alpn_protocols = vec![HTTP_1_1.to_vec()];
        // Data is what counts: the suite with the least work for each byte, whatever the client would rather have.
        server.ignore_client_order = true;
        server.ticketer = Ticketer::new()?;
        server.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        server.send_tls13_tickets = TICKETS_PER_HANDSHAKE;
        let accepted = [certificate.clone()].into_iter().chain(before).collect();
        Ok(Self {
            server: Arc::new(server),
            client: Arc::new(pinned(provider, accepted)?),
            certificate,
        })
    }
}

/// A client that accepts only a server with one of these certificates.
pub fn pinned_client(accepted: Vec<CertificateDer<'static>>) -> Result<ClientConfig, rustls::Error> {
    pinned(&provider(), accepted)
}

fn pinned(
    provider: &Arc<CryptoProvider>,
    accepted: Vec<CertificateDer<'static>>,
) -> Result<ClientConfig, rustls::Error> {
    let verifier = PinnedVerifier::new(Arc::clone(provider), accepted);
    let mut client = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    client.alpn_protocols = vec![HTTP_1_1.to_vec()];
    Ok(client)
}

/// TLS 1.3 and 1.2 with forward secrecy and AEAD only, AES-128-GCM first.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: vec![
            suite::TLS13_AES_128_GCM_SHA256,
            suite::TLS13_AES_256_GCM_SHA384,
            suite::TLS13_CHACHA20_POLY1305_SHA256,
            suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        ],
        ..aws_lc_rs::default_provider()
    })
}
