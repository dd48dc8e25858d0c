//! Who sends a request: finds the secret of the access key and verifies the signature over the bytes as received.

use crate::{clock::unix_s, gateway::Gateway, records::UserRecord};
use proto::{
    auth::{
        sigv2::SignatureV2,
        ticket::Principal,
        verify::{Credential, Verified, version_2_refused},
    },
    error::{ErrorCode, S3Error},
    http::head::RequestHead,
    s3::{
        address::Address,
        post::credential::{FormCredential, FormSignature},
        query::Query,
    },
};
use std::rc::Rc;

/// The region of requests whose scope names none.
pub const DEFAULT_REGION: &str = "us-east-1";

/// The authenticated sender of a request.
#[derive(Debug)]
pub struct Caller {
    /// The user.
    pub user: Rc<UserRecord>,
    /// The access key id; empty when there was none (`--anonymous`).
    pub access_key: String,
    /// The region of the credential scope, as sent.
    pub region: String,
    /// Whether the signature was verified; false only with `--anonymous`.
    pub is_verified: bool,
    /// The signature, from which signed chunks chain; `None` with `--anonymous` and for Signature Version 2.
    pub verified: Option<Verified>,
}

impl Caller {
    /// The access key id, if its signature was verified; else empty.
    pub fn verified_access_key(&self) -> &str {
        if self.is_verified { &self.access_key } else { "" }
    }
    /// As tickets name the sender.
    pub fn principal(&self) -> Principal {
        Principal {
            access_key: self.verified_access_key().to_owned(),
            ..self.user.principal()
        }
    }
}

/// Authenticates a request. With `--anonymous` nothing is verified and everyone is the root user.
pub fn authenticate(
    gateway: &Gateway,
    head: &RequestHead,
    address: &Address,
    query: &Query,
) -> Result<Caller, S3Error> {
    let credential = Credential::from_request(head, query);
    if gateway.anonymous {
        let (access_key, region) = match credential {
            Ok(Credential::Signed(claim)) => (claim.access_key, claim.scope.region),
            _ => (String::new(), DEFAULT_REGION.to_owned()),
        };
        return Ok(Caller {
            user: gateway.catalog.root(),
            access_key,
            region,
            is_verified: false,
            verified: None,
        });
    }
    let claim = match credential? {
        Credential::Signed(claim) if matches!(address, Address::Host(_)) => claim.for_bucket_host(),
        Credential::Signed(claim) => claim,
        Credential::Version2 if gateway.live.allow_sigv2.get() => {
            return authenticate_version_2(gateway, head, address, query);
        }
        Credential::Version2 => return Err(version_2_refused()),
        Credential::Anonymous => return Err(ErrorCode::AccessDenied.into()),
    };
    let (secret, user) = credential_of(gateway, &claim.access_key)?;
    let verified = claim.verify(head, &secret, unix_s())?;
    Ok(Caller {
        user,
        access_key: claim.access_key,
        region: claim.scope.region,
        is_verified: true,
        verified: Some(verified),
    })
}

fn authenticate_version_2(
    gateway: &Gateway,
    head: &RequestHead,
    address: &Address,
    query: &Query,
) -> Result<Caller, S3Error> {
    let claim = SignatureV2::from_request(head, query)?;
    let (secret, user) = credential_of(gateway, &claim.access_key)?;
    claim.verify(head, query, address, &secret, unix_s())?;
    Ok(Caller {
        user,
        access_key: claim.access_key,
        region: DEFAULT_REGION.to_owned(),
        is_verified: true,
        verified: None,
    })
}

/// Authenticates a form by the signature of its policy. Without one nobody is let in, but with `--anonymous` everyone.
pub fn authenticate_form(gateway: &Gateway, credential: FormCredential) -> Result<Caller, S3Error> {
    let (signature, is_verified) = match credential {
        FormCredential::Signed(signature) => (Some(signature), !gateway.anonymous),
        FormCredential::Anonymous if gateway.anonymous => (None, false),
        FormCredential::Anonymous => return Err(ErrorCode::AccessDenied.into()),
    };
    let region = signature.as_ref().and_then(FormSignature::region);
    let region = region.unwrap_or(DEFAULT_REGION).to_owned();
    let access_key = signature.as_ref().map(|signature| signature.access_key.clone());
    let user = match signature {
        Some(signature) if is_verified => {
            if signature.is_version_2() && !gateway.live.allow_sigv2.get() {
                return Err(version_2_refused());
            }
            let (secret, user) = credential_of(gateway, &signature.access_key)?;
            signature.verify(&secret)?;
            user
        }
        _ => gateway.catalog.root(),
    };
    Ok(Caller {
        user,
        access_key: access_key.unwrap_or_default(),
        region,
        is_verified,
        verified: None,
    })
}

fn credential_of(gateway: &Gateway, access_key: &str) -> Result<(String, Rc<UserRecord>), S3Error> {
    let found = gateway.catalog.credential(access_key);
    found.ok_or_else(|| S3Error::new(ErrorCode::InvalidAccessKeyId).field("AWSAccessKeyId", access_key))
}
