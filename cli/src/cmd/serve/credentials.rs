//! The first credentials and the cluster key: made at first start, kept with mode 0600, never logged.

use crate::{
    error::{CliError, Result},
    limits::{ACCESS_KEY_CHARS, SECRET_KEY_CHARS_MAX, SECRET_KEY_CHARS_MIN},
    private_file,
};
use proto::auth::{
    sigv4::{from_hex, hex},
    ticket::TicketKey,
};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Under `DIR/control`: the root user's key.
pub const CREDENTIALS_FILE: &str = "credentials.json";
/// Under `DIR/control`: what tickets are sealed with.
pub const CLUSTER_KEY_FILE: &str = "cluster.key";
/// Sets the access key: of the first credentials for `serve`, to sign with for other commands.
pub const ACCESS_KEY_VARIABLE: &str = "CORELANE_ACCESS_KEY";
/// The secret key that goes with it.
pub const SECRET_KEY_VARIABLE: &str = "CORELANE_SECRET_KEY";

/// AWS's alphabet for access key ids: 32 symbols, so that five random bits choose one.
const ACCESS_KEY_ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const ACCESS_KEY_CHARS_MADE: usize = 20;
/// Letters and digits only: nothing to quote in a shell, a URL or a configuration file.
const SECRET_KEY_ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const SECRET_KEY_CHARS_MADE: usize = 40;

/// An access key and its secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// Names the key; no secret.
    pub access_key: String,
    /// Signs requests; a secret.
    pub secret_key: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key", &self.access_key)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// New random credentials in AWS's shape: 20 upper-case letters and digits, and 40 characters.
    pub fn generate() -> Self {
        let mut random = RandomBytes::default();
        let access_key = random.text(ACCESS_KEY_ALPHABET, ACCESS_KEY_CHARS_MADE);
        let secret_key = random.text(SECRET_KEY_ALPHABET, SECRET_KEY_CHARS_MADE);
        Self { access_key, secret_key }
    }

    /// Checks the shapes that clients and servers agree on.
    pub fn check(self) -> std::result::Result<Self, String> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if !ACCESS_KEY_CHARS.contains(&self.access_key.len()) || !self.access_key.chars().all(is_plain) {
            return Err("the access key must be 3 to 128 letters, digits, `_`, `-` or `.`".to_owned());
        }
        let secret_chars = SECRET_KEY_CHARS_MIN..=SECRET_KEY_CHARS_MAX;
        if !secret_chars.contains(&self.secret_key.len()) || !self.secret_key.chars().all(|c| c.is_ascii_graphic()) {
            return Err("the secret key must be 8 to 128 visible ASCII characters without spaces".to_owned());
        }
        Ok(self)
    }
}

/// Bytes of the cryptographic generator behind [`TicketKey::generate_bytes`], handed out one by one.
#[derive(Default)]
struct RandomBytes {
    left: Vec<u8>,
}

impl RandomBytes {
    fn byte(&mut self) -> u8 {
        loop {
            if let Some(byte) = self.left.pop() {
                return byte;
            }
            self.left.extend_from_slice(&TicketKey::generate_bytes());
        }
    }

    /// `count` symbols, each as likely as any other: bytes beyond the last whole alphabet are drawn again.
    fn text<const N: usize>(&mut self, alphabet: &[u8; N], count: usize) -> String {
        let fair = 256 - 256 % N;
        let mut text = String::with_capacity(count);
        while text.len() < count {
            let byte = usize::from(self.byte());
            if let (true, Some(symbol)) = (byte < fair, alphabet.get(byte % N)) {
                text.push(char::from(*symbol));
            }
        }
        text
    }
}

/// Credentials from the environment: both variables or neither.
pub fn from_environment() -> Result<Option<Credentials>> {
    let read = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    match (read(ACCESS_KEY_VARIABLE), read(SECRET_KEY_VARIABLE)) {
        (None, None) => Ok(None),
        (Some(access_key), Some(secret_key)) => Credentials { access_key, secret_key }
            .check()
            .map(Some)
            .map_err(|reason| CliError::usage(format!("{ACCESS_KEY_VARIABLE}, {SECRET_KEY_VARIABLE}: {reason}"))),
        (Some(_), None) => Err(CliError::usage(format!(
            "{ACCESS_KEY_VARIABLE} is set; set {SECRET_KEY_VARIABLE} too"
        ))),
        (None, Some(_)) => Err(CliError::usage(format!(
            "{SECRET_KEY_VARIABLE} is set; set {ACCESS_KEY_VARIABLE} too"
        ))),
    }
}

/// The credentials kept in a control directory, if any.
pub fn load(control: &Path) -> Result<Option<Credentials>> {
    let path = control.join(CREDENTIALS_FILE);
    let text = private_file::read(&path)
        .map_err(|error| CliError::failed(format!("cannot read {}: {error}", path.display())))?;
    let Some(text) = text else { return Ok(None) };
    // The parser's own message could quote the secret.
    let parsed = serde_json::from_str::<Credentials>(&text).map_err(|_| "it is not the JSON it should be".to_owned());
    parsed.and_then(Credentials::check).map(Some).map_err(|reason| {
        CliError::failed(format!(
            "{} cannot be used ({reason}); move it away and the next start makes new credentials",
            path.display()
        ))
    })
}

/// The store's credentials; a first start keeps `first`, or makes new ones.
pub fn load_or_create(control: &Path, first: Option<Credentials>) -> Result<Credentials> {
    if let Some(kept) = load(control)? {
        if first.is_some_and(|first| first != kept) {
            eprintln!(
                "warning: {ACCESS_KEY_VARIABLE} and {SECRET_KEY_VARIABLE} differ from the credentials this store \
                 already has; the store's own are used (make more keys with `corelane key create`)"
            );
        }
        return Ok(kept);
    }
    let credentials = first.unwrap_or_else(Credentials::generate);
    let path = control.join(CREDENTIALS_FILE);
    let mut text = serde_json::to_string(&credentials)
        .map_err(|error| CliError::failed(format!("cannot write {}: {error}", path.display())))?;
    text.push('\n');
    write(&path, &text)?;
    Ok(credentials)
}

/// Makes the cluster key unless there is one.
pub fn ensure_cluster_key(control: &Path) -> Result<()> {
    let path = control.join(CLUSTER_KEY_FILE);
    let kept = private_file::read(&path)
        .map_err(|error| CliError::failed(format!("cannot read {}: {error}", path.display())))?;
    match kept {
        Some(text) if from_hex::<32>(text.trim()).is_some() => Ok(()),
        Some(_) => Err(CliError::failed(format!(
            "{} is not a cluster key (64 hex digits); move it away and the next start makes a new one",
            path.display()
        ))),
        None => write(&path, &format!("{}\n", hex(&TicketKey::generate_bytes()))),
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    private_file::write(path, text).map_err(|error| {
        CliError::failed(format!(
            "cannot write {}: {error}; check the space and the rights there",
            path.display()
        ))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Credentials;

    #[test]
    fn made_credentials_have_the_shape_of_aws() {
        let made = Credentials::generate();
        assert_eq!((made.access_key.len(), made.secret_key.len()), (20, 40));
        assert!(
            made.access_key
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        );
        assert!(made.secret_key.bytes().all(|b| b.is_ascii_alphanumeric()));
        assert_ne!(made, Credentials::generate());
        made.check().unwrap();
    }

    #[test]
    fn odd_shapes_are_refused_and_debug_keeps_the_secret() {
        let of = |access: &str, secret: &str| Credentials {
            access_key: access.to_owned(),
            secret_key: secret.to_owned(),
        };
        assert!(of("abc", "12345678").check().is_ok());
        for (access, secret) in [
            ("ab", "12345678"),
            ("a/b", "12345678"),
            ("abc", "1234567"),
            ("abc", "1234 5678"),
        ] {
            assert!(of(access, secret).check().is_err(), "{access} {secret}");
        }
        assert!(!format!("{:?}", of("abc", "12345678")).contains("12345678"));
    }
}
