//! What the metadata store holds, one record a key, as JSON; the shard map in `proto::wire` encoding.

use crate::bucket_configuration::BucketConfiguration;
use proto::{
    auth::{
        sigv4::{hex, sha256},
        ticket::Principal,
    },
    digest::checksum::ChecksumType,
    s3::{
        bucket::{BucketGrant, BucketId},
        xml_write::Owner,
    },
};
use serde::{Deserialize, Serialize};

/// The user of the credentials file's key.
pub const ROOT_USER: &str = "root";
/// Its display name.
const ROOT_DISPLAY_NAME: &str = "corelane";

/// Where a bucket is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BucketState {
    /// In use.
    Active,
    /// Being deleted: its cores are fenced and asked whether it is empty.
    Deleting,
}

/// `bucket/<name>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketRecord {
    /// Unique for ever.
    pub id: u64,
    /// The name.
    pub name: String,
    /// The name of the user it belongs to.
    pub owner: String,
    /// Milliseconds since the epoch.
    pub created_unix_ms: u64,
    /// `checksum.type`, by `ChecksumType::code`.
    pub checksum_type: u8,
    /// `checksum.validate_warm_get`.
    #[serde(default = "on")]
    pub validate_warm_get: bool,
    /// See [`BucketState`].
    pub state: BucketState,
    /// What its owner has set.
    #[serde(default)]
    pub configuration: BucketConfiguration,
}

/// What records written before a property existed have.
fn on() -> bool {
    true
}

impl BucketRecord {
    /// What a core needs of it.
    pub fn grant(&self) -> BucketGrant {
        BucketGrant {
            id: BucketId(self.id),
            name: self.name.clone(),
            checksum_type: ChecksumType::from_code(self.checksum_type).unwrap_or(ChecksumType::Md5),
            validate_warm_get: self.validate_warm_get,
            versioning: self.configuration.versioning,
            has_cors: self.configuration.cors.is_some(),
            owner_id: canonical_id(&self.owner),
        }
    }
    /// Its owner as XML names them.
    pub fn owner(&self) -> Owner {
        Owner {
            id: canonical_id(&self.owner),
            display_name: display_name(&self.owner).to_owned(),
        }
    }
}

/// A user's id in S3's XML and in tickets: 64 hex digits, fixed by the name.
fn canonical_id(user: &str) -> String {
    hex(&sha256(format!("corelane user {user}").as_bytes()))
}

fn display_name(user: &str) -> &str {
    if user == ROOT_USER { ROOT_DISPLAY_NAME } else { user }
}

/// `user/<name>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRecord {
    /// The name.
    pub name: String,
    /// The tenant the user belongs to, if any.
    pub tenant: Option<String>,
    /// Milliseconds since the epoch.
    pub created_unix_ms: u64,
}

impl UserRecord {
    /// The user of the credentials file.
    pub fn root() -> Self {
        Self {
            name: ROOT_USER.to_owned(),
            tenant: None,
            created_unix_ms: 0,
        }
    }
    /// Whether this is the root user.
    pub fn is_root(&self) -> bool {
        self.name == ROOT_USER
    }
    /// See S3's canonical user id.
    pub fn canonical_id(&self) -> String {
        canonical_id(&self.name)
    }
    /// As in S3's `DisplayName`.
    pub fn display_name(&self) -> &str {
        display_name(&self.name)
    }
    /// As a ticket names it.
    pub fn principal(&self) -> Principal {
        Principal {
            user_id: self.canonical_id(),
            display_name: self.display_name().to_owned(),
            access_key: String::new(),
        }
    }
    /// As XML names it.
    pub fn owner(&self) -> Owner {
        Owner {
            id: self.canonical_id(),
            display_name: self.display_name().to_owned(),
        }
    }
}

/// `key/<access key>`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// The access key id.
    pub access_key: String,
    /// The secret; never printed.
    pub secret_key: String,
    /// The user it belongs to.
    pub user: String,
    /// Milliseconds since the epoch.
    pub created_unix_ms: u64,
}

impl std::fmt::Debug for KeyRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRecord")
            .field("access_key", &self.access_key)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyRecord, UserRecord};

    #[test]
    fn canonical_ids_are_64_hex_digits_and_differ() {
        let other = UserRecord {
            name: "ann".to_owned(),
            ..UserRecord::root()
        };
        assert_eq!(UserRecord::root().canonical_id().len(), 64);
        assert_ne!(UserRecord::root().canonical_id(), other.canonical_id());
        assert_eq!(UserRecord::root().display_name(), "corelane");
        assert_eq!(other.display_name(), "ann");
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = KeyRecord {
            access_key: "AK".to_owned(),
            secret_key: "very-secret".to_owned(),
            user: "ann".to_owned(),
            created_unix_ms: 0,
        };
        assert!(!format!("{key:?}").contains("very-secret"));
    }
}
