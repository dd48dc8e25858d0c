//! Makes self-signed certificates: for servers only, and good as their own root of trust in every client.

use crate::{
    error::{CliError, Result},
    limits::{CERTIFICATE_BACKDATE, CERTIFICATE_DAYS},
};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SanType,
};
use std::{
    net::IpAddr,
    time::{Duration, SystemTime},
};

/// A certificate with its key, in PEM.
pub struct Made {
    certificate: String,
    key: String,
}

impl std::fmt::Debug for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Made").finish_non_exhaustive()
    }
}

impl Made {
    /// The certificate.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate
    }

    /// The key; a secret.
    pub fn key_pem(&self) -> &str {
        &self.key
    }
}

/// Makes a certificate for host names and addresses; the first one is what it is called. Names may begin with `*.`.
///
/// CA:FALSE is said and not left out, because clients built on rustls take a certificate that may sign others for no
/// server's; the key is one for ECDSA P-256, which all clients know.
pub fn make(names: &[String]) -> Result<Made> {
    let failed = |error: rcgen::Error| CliError::failed(format!("cannot make a certificate: {error}"));
    let common_name = names
        .first()
        .ok_or_else(|| CliError::usage("a certificate needs at least one --name"))?;
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters
        .distinguished_name
        .push(DnType::CommonName, common_name.as_str());
    parameters.subject_alt_names = names
        .iter()
        .map(|name| subject_alternative_name(name))
        .collect::<Result<_>>()?;
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    parameters.use_authority_key_identifier_extension = true;
    let begin = SystemTime::now() - CERTIFICATE_BACKDATE;
    parameters.not_before = begin.into();
    // Both ends count (RFC 5280 section 4.1.2.5).
    parameters.not_after = (begin + Duration::from_secs(CERTIFICATE_DAYS * 24 * 3600 - 1)).into();
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
    let certificate = parameters.self_signed(&key).map_err(failed)?;
    Ok(Made {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    })
}

fn subject_alternative_name(name: &str) -> Result<SanType> {
    if let Ok(address) = name.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let labels = name.strip_prefix("*.").unwrap_or(name);
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    let wrong = || {
        CliError::usage(format!(
            "{name:?} is neither a host name nor an address; write it without scheme, port and path"
        ))
    };
    if !labels.split('.').all(is_label) {
        return Err(wrong());
    }
    let name = name.to_ascii_lowercase().try_into().map_err(|_| wrong())?;
    Ok(SanType::DnsName(name))
}

/// What clients on this machine call it, with `others` first; each once.
pub fn names_of_this_machine(others: &[&str]) -> Vec<String> {
    let host_name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let mut names: Vec<String> = Vec::new();
    for name in others
        .iter()
        .copied()
        .chain(["localhost", host_name.trim(), "127.0.0.1", "::1"])
    {
        let name = name.trim_matches(['[', ']']).to_ascii_lowercase();
        let is_usable = match name.parse::<IpAddr>() {
            Ok(address) => !address.is_unspecified(),
            Err(_) => subject_alternative_name(&name).is_ok(),
        };
        if is_usable && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{make, names_of_this_machine};
    use crate::{
        certificate::describe::of_pem,
        limits::{CERTIFICATE_BACKDATE, CERTIFICATE_DAYS},
    };
    use std::time::SystemTime;

    #[test]
    fn a_made_certificate_says_what_clients_want() {
        let names = names_of_this_machine(&["Store.Example.org", "10.0.0.7", "0.0.0.0", "[fd00::7]", "10.0.0.7"]);
        let made = make(&names).unwrap();
        let said = of_pem(made.certificate_pem().as_bytes()).unwrap();
        assert_eq!(said.subject, "CN=store.example.org");
        assert_eq!(said.issuer, said.subject);
        assert_eq!(said.names, names);
        for name in ["localhost", "127.0.0.1", "::1", "fd00::7"] {
            assert!(said.names.iter().any(|said| said == name), "{name}: {:?}", said.names);
        }
        assert!(!said.names.iter().any(|name| name == "0.0.0.0"));
        assert_eq!(said.is_ca, Some(false));
        let life_s = said.not_after_unix_s - said.not_before_unix_s + 1;
        assert_eq!(life_s, CERTIFICATE_DAYS * 24 * 3600);
        let now_s = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
        assert!((said.not_before_unix_s + CERTIFICATE_BACKDATE.as_secs()).abs_diff(now_s) < 60);
        assert!(!format!("{made:?}").contains("PRIVATE"));
    }

    #[test]
    fn only_names_and_addresses_are_put_in() {
        for good in ["a", "*.store.example", "node_1.local", "::1", "[::1]"] {
            assert!(make(&[good.to_owned()]).is_ok(), "{good}");
        }
        for bad in ["", "https://a", "a:1", "a/b", "a b", ".a", "*", "a.*.b", "käse"] {
            assert!(make(&[bad.to_owned()]).is_err(), "{bad}");
        }
        assert!(make(&[]).is_err());
    }
}
