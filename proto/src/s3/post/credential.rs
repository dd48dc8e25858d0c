//! Who vouches for a form: the signature of its policy
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-authentication-HTTPPOST.html>; for Signature Version 2
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingHTTPPOST.html>).

use super::form::Fields;
use crate::{
    auth::{
        sigv4::{ALGORITHM, Scope, SigningKey, from_hex, hex},
        verify::parse_credential,
    },
    error::{ErrorCode, S3Error},
    http::date,
};
use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac};
use base64::prelude::{BASE64_STANDARD, Engine as _};

/// What a form brings to prove who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormCredential {
    /// Nothing: neither policy nor signature.
    Anonymous,
    /// The signature of a policy, not verified yet.
    Signed(FormSignature),
}

/// A form's signature.
#[derive(Clone, PartialEq, Eq)]
pub struct FormSignature {
    /// The access key id.
    pub access_key: String,
    version: Version,
    /// The policy as it stands in the form, which is what was signed.
    policy: String,
}

#[derive(Clone, PartialEq, Eq)]
enum Version {
    Two { signature: Vec<u8> },
    Four { scope: Scope, signature: [u8; 32] },
}

impl std::fmt::Debug for FormSignature {
    /// Without the signature: until the policy expires, whoever has it can send the form again.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FormSignature")
            .field("access_key", &self.access_key)
            .finish_non_exhaustive()
    }
}

impl FormCredential {
    /// Reads it from a form's fields. `InvalidArgument` for missing and malformed ones.
    pub fn from_fields(fields: &Fields) -> Result<Self, S3Error> {
        let is_version_2 = fields.value("awsaccesskeyid").is_some() || fields.value("signature").is_some();
        let is_version_4 = ["x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"]
            .iter()
            .any(|name| fields.value(name).is_some());
        if fields.value("policy").is_none() && !is_version_2 && !is_version_4 {
            return Ok(Self::Anonymous);
        }
        let policy = required(fields, "Policy")?.to_owned();
        let signature = match is_version_2 && !is_version_4 {
            true => version_2(fields, policy)?,
            false => version_4(fields, policy)?,
        };
        Ok(Self::Signed(signature))
    }
}

impl FormSignature {
    /// Whether it is of Signature Version 2.
    pub fn is_version_2(&self) -> bool {
        matches!(self.version, Version::Two { .. })
    }
    /// The region of its scope, if it has one.
    pub fn region(&self) -> Option<&str> {
        match &self.version {
            Version::Two { .. } => None,
            Version::Four { scope, .. } => Some(&scope.region),
        }
    }

    /// Verifies it against the secret key, in constant time. `SignatureDoesNotMatch` with AWSAccessKeyId, StringToSign,
    /// SignatureProvided.
    pub fn verify(&self, secret_key: &str) -> Result<(), S3Error> {
        let (calculated, provided, shown) = match &self.version {
            Version::Two { signature } => {
                let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret_key.as_bytes());
                let calculated = hmac::sign(&key, self.policy.as_bytes()).as_ref().to_vec();
                (calculated, signature.as_slice(), BASE64_STANDARD.encode(signature))
            }
            Version::Four { scope, signature } => {
                let calculated = SigningKey::derive(secret_key, scope).sign(&self.policy).to_vec();
                (calculated, signature.as_slice(), hex(signature))
            }
        };
        if verify_slices_are_equal(&calculated, provided).is_ok() {
            return Ok(());
        }
        Err(S3Error::new(ErrorCode::SignatureDoesNotMatch)
            .field("AWSAccessKeyId", &self.access_key)
            .field("StringToSign", &self.policy)
            .field("SignatureProvided", shown))
    }
}

fn version_2(fields: &Fields, policy: String) -> Result<FormSignature, S3Error> {
    let access_key = required(fields, "AWSAccessKeyId")?.to_owned();
    let signature = BASE64_STANDARD
        .decode(required(fields, "Signature")?)
        .map_err(|_| ErrorCode::SignatureDoesNotMatch)?;
    Ok(FormSignature {
        access_key,
        version: Version::Two { signature },
        policy,
    })
}

fn version_4(fields: &Fields, policy: String) -> Result<FormSignature, S3Error> {
    let algorithm = required(fields, "X-Amz-Algorithm")?;
    let credential = required(fields, "X-Amz-Credential")?;
    let date = required(fields, "X-Amz-Date")?;
    let signature = required(fields, "X-Amz-Signature")?;
    if algorithm != ALGORITHM {
        return Err(invalid(
            "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"",
            "X-Amz-Algorithm",
            algorithm,
        ));
    }
    let (access_key, scope) = parse_credential(credential).map_err(|problem| {
        let message = format!("Error parsing the X-Amz-Credential parameter; {problem}");
        invalid(&message, "X-Amz-Credential", credential)
    })?;
    if date::parse_sigv4(date).is_none() {
        let message = "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"";
        return Err(invalid(message, "X-Amz-Date", date));
    }
    if !date.starts_with(&scope.date) {
        let message = format!(
            "Invalid credential date \"{}\". This date is not the same as X-Amz-Date: \"{}\".",
            scope.date,
            date.get(..8).unwrap_or_default()
        );
        return Err(invalid(&message, "X-Amz-Credential", credential));
    }
    Ok(FormSignature {
        access_key,
        version: Version::Four {
            scope,
            signature: from_hex(signature).ok_or(ErrorCode::SignatureDoesNotMatch)?,
        },
        policy,
    })
}

fn required<'f>(fields: &'f Fields, name: &str) -> Result<&'f str, S3Error> {
    fields.value(name).filter(|value| !value.is_empty()).ok_or_else(|| {
        let message = format!(
            "Bucket POST must contain a field named '{name}'. If it is specified, please check the order of the fields."
        );
        invalid(&message, name, "")
    })
}

fn invalid(message: &str, name: &str, value: &str) -> S3Error {
    S3Error::with_message(ErrorCode::InvalidArgument, message.to_owned())
        .field("ArgumentName", name)
        .field("ArgumentValue", value)
}
