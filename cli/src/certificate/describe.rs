//! What a certificate says (RFC 5280): whose it is, for which names, and for how long.

use super::der::{Reader, tag};
use crate::error::{CliError, Result};
use proto::{auth::sigv4::sha256, http::date, tls::identity::certificates};
use serde::Serialize;
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
    time::SystemTime,
};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Description {
    /// Such as `CN=store.example.org`.
    pub subject: String,
    /// Whoever signed it; the subject itself when it is self-signed.
    pub issuer: String,
    /// Host names and addresses it is good for.
    pub names: Vec<String>,
    /// Whether it may sign others; `None`: it does not say.
    pub is_ca: Option<bool>,
    /// When it begins to be good.
    pub not_before_unix_s: u64,
    /// The last second it is good.
    pub not_after_unix_s: u64,
    /// SHA-256 of the whole, as `openssl x509 -fingerprint -sha256` prints it.
    pub fingerprint: String,
}

impl Description {
    /// Whether nobody but itself vouches for it: clients must be given it.
    pub fn is_self_signed(&self) -> bool {
        self.subject == self.issuer
    }

    /// Whether it is good for a host name or address.
    pub fn covers(&self, host: &str) -> bool {
        let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
        let one_label_less = host.split_once('.').map(|(_, rest)| rest);
        self.names
            .iter()
            .any(|name| *name == host || name.strip_prefix("*.").is_some_and(|rest| one_label_less == Some(rest)))
    }

    /// Seconds it is still good; 0: no more.
    pub fn seconds_left(&self) -> u64 {
        let now = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
        (self.not_after_unix_s + 1).saturating_sub(now)
    }
}

/// Reads the first certificate of a PEM file.
pub fn read(path: &Path) -> Result<Description> {
    let pem = std::fs::read(path)
        .map_err(|error| CliError::failed(format!("cannot read the certificate {}: {error}", path.display())))?;
    of_pem(&pem).ok_or_else(|| {
        CliError::failed(format!(
            "{} holds no certificate in PEM (-----BEGIN CERTIFICATE-----)",
            path.display()
        ))
    })
}

/// What the first certificate of a PEM file says; `None` if there is none that can be read.
pub fn of_pem(pem: &[u8]) -> Option<Description> {
    let all = certificates(pem).ok()?;
    of_der(all.first()?)
}

fn of_der(der: &[u8]) -> Option<Description> {
    let mut certificate = Reader(der).enter(tag::SEQUENCE)?.enter(tag::SEQUENCE)?;
    certificate.optional(tag::VERSION);
    let _serial_number = certificate.next()?;
    let _algorithm = certificate.expect(tag::SEQUENCE)?;
    let issuer = name(certificate.enter(tag::SEQUENCE)?);
    let mut validity = certificate.enter(tag::SEQUENCE)?;
    let (not_before_unix_s, not_after_unix_s) = (time(validity.next()?)?, time(validity.next()?)?);
    let subject = name(certificate.enter(tag::SEQUENCE)?);
    let mut description = Description {
        subject,
        issuer,
        names: Vec::new(),
        is_ca: None,
        not_before_unix_s,
        not_after_unix_s,
        fingerprint: fingerprint(der),
    };
    while let Some((found, content)) = certificate.next() {
        if found == tag::EXTENSIONS {
            extensions(Reader(content).enter(tag::SEQUENCE)?, &mut description)?;
        }
    }
    Some(description)
}

fn extensions(mut all: Reader<'_>, description: &mut Description) -> Option<()> {
    /// 2.5.29.17 and 2.5.29.19.
    const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];
    const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
    while let Some(mut extension) = all.enter(tag::SEQUENCE) {
        let identifier = extension.expect(tag::OBJECT_IDENTIFIER)?;
        let _critical = extension.optional(tag::BOOLEAN);
        let mut value = Reader(extension.expect(tag::OCTET_STRING)?);
        match identifier {
            SUBJECT_ALTERNATIVE_NAME => {
                value = value.enter(tag::SEQUENCE)?;
                while let Some((kind, content)) = value.next() {
                    description.names.extend(alternative_name(kind, content));
                }
            }
            BASIC_CONSTRAINTS => {
                // False is the default, which DER leaves out.
                let is_ca = value
                    .enter(tag::SEQUENCE)?
                    .optional(tag::BOOLEAN)
                    .is_some_and(|content| content != [0]);
                description.is_ca = Some(is_ca);
            }
            _ => {}
        }
    }
    Some(())
}

/// Other kinds, such as mail addresses, are of no use for a server.
fn alternative_name(kind: u8, content: &[u8]) -> Option<String> {
    match kind {
        tag::DNS_NAME => Some(text(content).to_ascii_lowercase()),
        tag::IP_ADDRESS => {
            let v4 = <[u8; 4]>::try_from(content).map(|bytes| IpAddr::V4(Ipv4Addr::from(bytes)));
            let v6 = || <[u8; 16]>::try_from(content).map(|bytes| IpAddr::V6(Ipv6Addr::from(bytes)));
            v4.or_else(|_| v6()).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

/// A distinguished name as openssl writes it on one line.
fn name(mut sets: Reader<'_>) -> String {
    let mut parts = Vec::new();
    while let Some(mut set) = sets.enter(tag::SET) {
        while let Some(mut attribute) = set.enter(tag::SEQUENCE) {
            let kind = attribute.expect(tag::OBJECT_IDENTIFIER).unwrap_or_default();
            let value = attribute.next().map(|(_, value)| text(value)).unwrap_or_default();
            parts.push(format!("{}={value}", attribute_name(kind)));
        }
    }
    parts.join(", ")
}

/// The usual short names below 2.5.4 (RFC 4519).
fn attribute_name(identifier: &[u8]) -> &'static str {
    match identifier {
        [0x55, 0x04, 3] => "CN",
        [0x55, 0x04, 6] => "C",
        [0x55, 0x04, 7] => "L",
        [0x55, 0x04, 8] => "ST",
        [0x55, 0x04, 10] => "O",
        [0x55, 0x04, 11] => "OU",
        _ => "?",
    }
}

/// Text for a terminal: whatever a certificate holds, no control characters.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

/// `YYMMDDHHMMSSZ` up to 2049, `YYYYMMDDHHMMSSZ` from then on, to seconds since the epoch.
fn time((kind, content): (u8, &[u8])) -> Option<u64> {
    let text = std::str::from_utf8(content).ok()?;
    let full = match kind {
        tag::UTC_TIME if text.len() == 13 => {
            let century = if text.as_bytes().first()? >= &b'5' { "19" } else { "20" };
            format!("{century}{text}")
        }
        tag::GENERALIZED_TIME if text.len() == 15 => text.to_owned(),
        _ => return None,
    };
    let (day, clock) = full.split_at_checked(8)?;
    date::parse_sigv4(&format!("{day}T{clock}"))
}

fn fingerprint(der: &[u8]) -> String {
    let digest = sha256(der);
    let pairs: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Description, of_der, of_pem, time};
    use crate::certificate::{der::tag, make::make};
    use proto::tls::identity::certificates;

    #[test]
    fn times_of_both_forms() {
        assert_eq!(time((tag::UTC_TIME, b"261123120000Z")), Some(1_795_435_200));
        assert_eq!(time((tag::GENERALIZED_TIME, b"20261123120000Z")), Some(1_795_435_200));
        assert_eq!(time((tag::GENERALIZED_TIME, b"20501123120000Z")), Some(2_552_817_600));
        assert_eq!(time((tag::UTC_TIME, b"2611231200Z")), None);
        assert_eq!(time((tag::OCTET_STRING, b"20261123120000Z")), None);
    }

    #[test]
    fn names_are_covered_as_clients_see_it() {
        let made = make(&["*.store.example".to_owned(), "::1".to_owned()]).unwrap();
        let said = of_pem(made.certificate_pem().as_bytes()).unwrap();
        for good in ["a.store.example", "A.Store.Example", "::1", "[::1]", "*.store.example"] {
            assert!(said.covers(good), "{good}");
        }
        for bad in ["store.example", "a.b.store.example", "127.0.0.1", ""] {
            assert!(!said.covers(bad), "{bad}");
        }
        assert!(said.is_self_signed() && said.seconds_left() > 800 * 24 * 3600);
        let over = Description {
            not_after_unix_s: 1,
            ..said
        };
        assert_eq!(over.seconds_left(), 0);
    }

    #[test]
    fn a_damaged_certificate_is_never_more_than_unreadable() {
        let made = make(&["localhost".to_owned()]).unwrap();
        let der = certificates(made.certificate_pem().as_bytes()).unwrap();
        let der = der.first().unwrap();
        for length in 0..der.len() {
            assert!(of_der(der.get(..length).unwrap()).is_none());
        }
        for at in 0..der.len() {
            let mut damaged = der.to_vec();
            for flip in [0x01, 0x80, 0xff] {
                damaged[at] ^= flip;
                // Whatever it says then, it does not panic.
                let _ = of_der(&damaged);
            }
        }
    }
}
