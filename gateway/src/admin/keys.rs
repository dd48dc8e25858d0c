//! `/v1/keys`: access keys and the users they belong to.

use super::{
    call::{Call, invalid},
    reply::Reply,
};
use crate::{
    catalog::CatalogError,
    clock::unix_ms,
    gateway::Gateway,
    handoff,
    limits::USER_NAME_BYTES_MAX,
    records::{KeyRecord, UserRecord},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use proto::{auth::ticket::TicketKey, error::S3Error, http::date::iso8601};
use serde::{Deserialize, Serialize};

const ACCESS_KEY_BYTES_MIN: usize = 3;
const ACCESS_KEY_BYTES_MAX: usize = 128;
const SECRET_KEY_BYTES_MIN: usize = 8;
const SECRET_KEY_BYTES_MAX: usize = 128;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CreateKey {
    user: String,
    tenant: Option<String>,
    access_key: Option<String>,
    secret_key: Option<String>,
}

#[derive(Serialize)]
struct KeyView {
    access_key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_key: Option<String>,
    user: String,
    tenant: Option<String>,
    canonical_id: String,
    display_name: String,
    created: String,
}

impl KeyView {
    fn new(access_key: &str, created_unix_ms: u64, user: &UserRecord) -> Self {
        Self {
            access_key: access_key.to_owned(),
            secret_key: None,
            user: user.name.clone(),
            tenant: user.tenant.clone(),
            canonical_id: user.canonical_id(),
            display_name: user.display_name().to_owned(),
            created: iso8601(created_unix_ms),
        }
    }
}

/// All keys, without secrets.
pub fn list(gateway: &Gateway) -> Reply {
    let keys = gateway.catalog.keys();
    let keys: Vec<KeyView> = keys
        .iter()
        .map(|(key, created, user)| KeyView::new(key, *created, user))
        .collect();
    Reply::json(200, &serde_json::json!({ "keys": keys }))
}

/// Makes a key. What is not given is generated; the secret is told once, here.
pub async fn create(call: &Call<'_>) -> Result<Reply, S3Error> {
    let wanted: CreateKey = call.json()?;
    check(&wanted).map_err(|message| invalid(message.to_owned()))?;
    let key = KeyRecord {
        access_key: wanted.access_key.unwrap_or_else(generate_access_key),
        secret_key: wanted.secret_key.unwrap_or_else(generate_secret_key),
        user: wanted.user,
        created_unix_ms: unix_ms(),
    };
    Ok(
        match call.gateway.catalog.create_key(&key, wanted.tenant.as_deref()).await {
            Ok(user) => {
                tracing::info!(access_key = key.access_key, user = user.name, "access key created");
                let view = KeyView {
                    secret_key: Some(key.secret_key),
                    ..KeyView::new(&key.access_key, key.created_unix_ms, &user)
                };
                Reply::json(201, &view)
            }
            Err(error) => refusal(&error),
        },
    )
}

/// Removes a key. Nothing that starts after the answer succeeds with it.
pub async fn remove(call: &Call<'_>) -> Result<Reply, S3Error> {
    let gateway = call.gateway;
    let access_key = call.parameter(0)?;
    if access_key == gateway.catalog.root_access_key() {
        return Ok(Reply::error(
            409,
            "RootKey",
            "The root user's key cannot be removed; it is in the credentials file.",
        ));
    }
    Ok(match gateway.catalog.remove_key(&access_key).await {
        Ok(()) => {
            handoff::settle(gateway).await;
            tracing::info!(access_key, "access key removed");
            Reply::empty(204)
        }
        Err(CatalogError::Changed) => Reply::error(404, "NoSuchKey", "There is no such access key."),
        Err(error) => refusal(&error),
    })
}

fn refusal(error: &CatalogError) -> Reply {
    match error {
        CatalogError::KeyExists => Reply::error(409, "KeyExists", "The access key exists already."),
        CatalogError::OtherTenant => Reply::error(409, "OtherTenant", "The user belongs to another tenant."),
        CatalogError::TooManyKeys => Reply::error(409, "TooManyKeys", "There are as many access keys as there may be."),
        CatalogError::Changed => Reply::error(409, "OperationAborted", "Another change came first. Try again."),
        error => {
            tracing::error!(%error, "access keys");
            Reply::error(
                500,
                "InternalError",
                "The metadata store failed; the gateway's log says why.",
            )
        }
    }
}

fn check(wanted: &CreateKey) -> Result<(), &'static str> {
    let is_name = |text: &str| {
        (1..=USER_NAME_BYTES_MAX).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte))
    };
    if !is_name(&wanted.user) || !wanted.tenant.as_deref().is_none_or(is_name) {
        return Err("user and tenant must be 1 to 64 letters, digits, '.', '_', '@' or '-'");
    }
    // `/` would end the key in a credential scope, `=` and `,` a field of the Authorization header.
    let is_access_key = |text: &str| {
        (ACCESS_KEY_BYTES_MIN..=ACCESS_KEY_BYTES_MAX).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    if !wanted.access_key.as_deref().is_none_or(is_access_key) {
        return Err("access_key must be 3 to 128 letters, digits, '.', '_' or '-'");
    }
    let is_secret_key = |text: &str| {
        (SECRET_KEY_BYTES_MIN..=SECRET_KEY_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if !wanted.secret_key.as_deref().is_none_or(is_secret_key) {
        return Err("secret_key must be 8 to 128 printable ASCII characters without spaces");
    }
    Ok(())
}

/// 20 characters of A-Z and 2-7, as AWS's are.
fn generate_access_key() -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let random = TicketKey::generate_bytes();
    let letters = random
        .iter()
        .take(20)
        .filter_map(|byte| ALPHABET.get(usize::from(byte % 32)));
    letters.map(|&letter| char::from(letter)).collect()
}

/// 40 characters: 240 random bits.
fn generate_secret_key() -> String {
    let random = TicketKey::generate_bytes();
    URL_SAFE_NO_PAD.encode(random.get(..30).unwrap_or(&random))
}

#[cfg(test)]
mod tests {
    use super::{CreateKey, check, generate_access_key, generate_secret_key};

    fn wanted(user: &str, access_key: Option<&str>, secret_key: Option<&str>) -> CreateKey {
        CreateKey {
            user: user.to_owned(),
            tenant: None,
            access_key: access_key.map(str::to_owned),
            secret_key: secret_key.map(str::to_owned),
        }
    }

    #[test]
    fn generated_keys_pass_the_rules() {
        let (access_key, secret_key) = (generate_access_key(), generate_secret_key());
        assert_eq!((access_key.len(), secret_key.len()), (20, 40));
        assert_eq!(check(&wanted("ann", Some(&access_key), Some(&secret_key))), Ok(()));
        assert_ne!(access_key, generate_access_key());
    }

    #[test]
    fn names_that_would_break_a_scope_or_a_header_are_refused() {
        assert!(check(&wanted("", None, None)).is_err());
        assert!(check(&wanted("a b", None, None)).is_err());
        assert!(check(&wanted("ann", Some("a/b/c"), None)).is_err());
        assert!(check(&wanted("ann", Some("ab"), None)).is_err());
        assert!(check(&wanted("ann", None, Some("short"))).is_err());
    }
}
