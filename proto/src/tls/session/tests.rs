#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{Received, Session, SessionError};
use crate::tls::{
    identity::{Identity, IdentityError, certificates},
    settings::{TlsSettings, pinned_client},
};
use rustls::{ClientConnection, SupportedProtocolVersion, version};
use std::{io::IoSlice, sync::Arc};

const REQUEST: &[u8] = b"GET /bucket/key HTTP/1.1\r\nHost: x\r\n\r\n";

fn pem() -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["store.test".to_owned()]).unwrap();
    (certificate.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn identity() -> (Identity, String) {
    let (certificate, key) = pem();
    (
        Identity::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap(),
        certificate,
    )
}

/// A client that trusts `certificate` alone and speaks one version.
fn client(certificate: &str, version: &'static SupportedProtocolVersion) -> Session {
    let trusted = certificates(certificate.as_bytes()).unwrap();
    let pinned = pinned_client(trusted).unwrap();
    let mut config = rustls::ClientConfig::builder_with_provider(Arc::clone(pinned.crypto_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let verifier = crate::tls::pinned::PinnedVerifier::new(
        Arc::clone(pinned.crypto_provider()),
        certificates(certificate.as_bytes()).unwrap(),
    );
    config.dangerous().set_certificate_verifier(Arc::new(verifier));
    config.alpn_protocols = pinned.alpn_protocols;
    let name = "store.test".try_into().unwrap();
    Session::new(ClientConnection::new(Arc::new(config), name).unwrap().into())
}

/// What a session has to send.
fn sent(session: &mut Session) -> Vec<u8> {
    let mut bytes = Vec::new();
    while session.wants_write() {
        session.write_to(&mut bytes).unwrap();
    }
    bytes
}

/// Delivers bytes in pieces that end at `ends`; all plaintext that comes of it.
fn deliver(session: &mut Session, bytes: &[u8], ends: &[usize]) -> Vec<u8> {
    let mut plaintext = Vec::new();
    let mut start = 0;
    for &end in ends.iter().chain([&bytes.len()]) {
        let mut take = |bytes: &[u8]| {
            plaintext.extend_from_slice(bytes);
            bytes.len()
        };
        session.receive(&bytes[start..end], &mut take).unwrap();
        start = end;
    }
    plaintext
}

/// Both sides to the end of the handshake, the client's bytes cut at `cut` and everywhere if there is none.
fn handshake(client: &mut Session, server: &mut Session, cut: Option<usize>) {
    let mut at = 0;
    while client.is_handshaking() || server.is_handshaking() || client.wants_write() || server.wants_write() {
        let flight = sent(client);
        let ends: Vec<usize> = match cut {
            Some(cut) => (at..at + flight.len())
                .contains(&cut)
                .then(|| cut - at)
                .into_iter()
                .collect(),
            None => (1..flight.len()).collect(),
        };
        at += flight.len();
        assert_eq!(deliver(server, &flight, &ends), b"");
        let flight = sent(server);
        deliver(client, &flight, &[]);
    }
}

fn send(session: &mut Session, plaintext: &[u8]) -> Vec<u8> {
    let sent_bytes = session.encrypt(&[IoSlice::new(plaintext)], 1 << 20).unwrap();
    assert_eq!(sent_bytes, plaintext.len());
    sent(session)
}

#[test]
fn both_versions_at_every_split() {
    let (identity, certificate) = identity();
    let settings = TlsSettings::new(identity).unwrap();
    for version in [&version::TLS12, &version::TLS13] {
        // A client's whole handshake is a few hundred bytes; beyond its end a cut changes nothing.
        for cut in (0..1200).map(Some).chain([None]) {
            let mut client = client(&certificate, version);
            let mut server = settings.accept().unwrap();
            handshake(&mut client, &mut server, cut);
            let request = send(&mut client, REQUEST);
            let ends: Vec<usize> = match cut {
                Some(cut) => vec![cut.min(request.len())],
                None => (1..request.len()).collect(),
            };
            assert_eq!(deliver(&mut server, &request, &ends), REQUEST, "{version:?} {cut:?}");
            let answer = send(&mut server, b"HTTP/1.1 200 OK\r\n\r\n");
            assert_eq!(deliver(&mut client, &answer, &[]), b"HTTP/1.1 200 OK\r\n\r\n");
        }
    }
}

#[test]
fn what_has_no_room_waits_and_is_never_lost() {
    let (identity, certificate) = identity();
    let settings = TlsSettings::new(identity).unwrap();
    let payload: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    for (piece, room) in [
        (1, 70_000),
        (700, 1),
        (65_536, 100),
        (65_536, 65_536),
        (300_000, 16_385),
    ] {
        let mut client = client(&certificate, &version::TLS13);
        let mut server = settings.accept().unwrap();
        handshake(&mut client, &mut server, Some(0));
        let ciphertext = send(&mut client, &payload);
        let mut got: Vec<u8> = Vec::new();
        let mut pieces = ciphertext.chunks(piece);
        loop {
            let mut next: &[u8] = &[];
            let mut progress = true;
            while progress {
                // As a reader does it: nothing new while there is something left.
                let mut left = room;
                let mut take = |bytes: &[u8]| {
                    let count = bytes.len().min(left);
                    got.extend_from_slice(&bytes[..count]);
                    left -= count;
                    count
                };
                progress = server.receive(next, &mut take).unwrap().taken > 0;
                next = &[];
            }
            match pieces.next() {
                Some(piece) => {
                    let mut none = |_: &[u8]| 0;
                    server.receive(piece, &mut none).unwrap();
                }
                None => break,
            }
        }
        assert!(got == payload, "{piece} {room}: {} bytes", got.len());
        assert!(!server.has_plaintext().unwrap());
    }
}

#[test]
fn an_end_is_told_from_a_cut() {
    let (identity, certificate) = identity();
    let settings = TlsSettings::new(identity).unwrap();
    let mut client = client(&certificate, &version::TLS13);
    let mut server = settings.accept().unwrap();
    handshake(&mut client, &mut server, Some(0));
    let request = send(&mut client, REQUEST);
    let mut all = |bytes: &[u8]| bytes.len();
    assert_eq!(
        server.receive(&request, &mut all).unwrap(),
        Received {
            taken: REQUEST.len(),
            closed: false
        }
    );
    client.close();
    let end = sent(&mut client);
    assert!(!server.has_plaintext().unwrap());
    assert!(server.receive(&end, &mut all).unwrap().closed);
    assert!(server.has_plaintext().unwrap());
    // The other direction goes on.
    let answer = send(&mut server, b"late");
    assert_eq!(deliver(&mut client, &answer, &[]), b"late");
}

#[test]
fn unsent_ciphertext_is_bounded() {
    let (identity, certificate) = identity();
    let settings = TlsSettings::new(identity).unwrap();
    let mut client = client(&certificate, &version::TLS13);
    let mut server = settings.accept().unwrap();
    handshake(&mut client, &mut server, Some(0));
    let payload = vec![7; 1 << 20];
    let halves = [IoSlice::new(&payload[..300]), IoSlice::new(&payload[300..])];
    assert_eq!(server.encrypt(&halves, 16 * 1024).unwrap(), 16 * 1024);
    assert_eq!(
        server.encrypt(&halves, 16 * 1024).unwrap(),
        0,
        "nothing was sent meanwhile"
    );
    assert!(sent(&mut server).len() < 17 * 1024);
    assert_eq!(server.encrypt(&halves, 256 * 1024).unwrap(), 256 * 1024);
}

#[test]
fn plain_http_is_recognised() {
    let settings = TlsSettings::new(identity().0).unwrap();
    let mut nothing = |_: &[u8]| 0;
    for request in [b"GET / HTTP/1.1\r\n".as_slice(), b"P"] {
        let mut server = settings.accept().unwrap();
        let refused = server.receive(request, &mut nothing);
        assert!(matches!(refused, Err(SessionError::PlainHttp)), "{refused:?}");
        assert!(!server.wants_write());
    }
    let mut server = settings.accept().unwrap();
    let refused = server.receive(b"\x00nonsense", &mut nothing);
    assert!(matches!(refused, Err(SessionError::Protocol(_))), "{refused:?}");
}

#[test]
fn processes_of_a_store_know_its_certificate_and_the_one_before() {
    let (identity, _) = identity();
    let node = TlsSettings::new(identity).unwrap();
    let (certificate, key) = pem();
    let next = || Identity::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
    let address = "127.0.0.1".parse().unwrap();
    let meets = |client: &TlsSettings, server: &TlsSettings| {
        let mut client = client.connect(address).unwrap();
        let mut server = server.accept().unwrap();
        let mut nothing = |_: &[u8]| 0;
        let flight = sent(&mut client);
        server.receive(&flight, &mut nothing).unwrap();
        let flight = sent(&mut server);
        client.receive(&flight, &mut nothing).is_ok()
    };
    assert!(meets(&node, &node));
    let other = TlsSettings::new(next()).unwrap();
    assert!(!meets(&node, &other) && !meets(&other, &node));
    // A gateway that has changed already, and a node that has not.
    node.replace(next()).unwrap();
    assert!(meets(&node, &other) && meets(&other, &node));
    let (old, _) = self::identity();
    let old = TlsSettings::new(old).unwrap();
    assert!(!meets(&node, &old));
}

#[test]
fn a_session_is_resumed() {
    let settings = TlsSettings::new(identity().0).unwrap();
    let kinds = [(); 2].map(|()| {
        let mut client = settings.connect("127.0.0.1".parse().unwrap()).unwrap();
        let mut server = settings.accept().unwrap();
        handshake(&mut client, &mut server, Some(0));
        client.connection.handshake_kind().unwrap()
    });
    assert_eq!(kinds, [rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed]);
}

#[test]
fn the_cheapest_suite_is_chosen() {
    let (identity, certificate) = identity();
    let settings = TlsSettings::new(identity).unwrap();
    for (version, name) in [
        (&version::TLS13, "TLS13_AES_128_GCM_SHA256"),
        (&version::TLS12, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
    ] {
        let mut client = client(&certificate, version);
        let mut server = settings.accept().unwrap();
        handshake(&mut client, &mut server, Some(0));
        let suite = server.connection.negotiated_cipher_suite().unwrap();
        assert_eq!(format!("{:?}", suite.suite()), name);
        assert_eq!(server.connection.alpn_protocol(), Some(b"http/1.1".as_slice()));
    }
}

#[test]
fn files_that_are_no_identity_are_refused_without_being_quoted() {
    let ((certificate, key), (_, other_key)) = (pem(), pem());
    let of = |certificate: &str, key: &str| {
        Identity::from_pem(certificate.as_bytes(), key.as_bytes()).and_then(TlsSettings::new)
    };
    assert!(of(&certificate, &key).is_ok());
    assert!(matches!(of("", &key), Err(IdentityError::NoCertificate)));
    assert!(matches!(of(&key, &key), Err(IdentityError::NoCertificate)));
    assert!(matches!(of(&certificate, &certificate), Err(IdentityError::NoKey)));
    assert!(matches!(of(&certificate, &other_key), Err(IdentityError::Mismatch)));
    let cut = certificate.replace("MII", "AAA");
    let refused = of(&cut, &key).unwrap_err();
    assert!(!refused.to_string().contains("AAA"), "{refused}");
    let identity = Identity::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
    let secret = key.lines().nth(1).unwrap();
    assert!(!format!("{identity:?}").contains(secret));
    assert_eq!(
        format!("{:?}", TlsSettings::new(identity).unwrap()),
        "TlsSettings { .. }"
    );
}
