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
        properties::{Access, BucketProperties, LastModified},
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
    /// `checksum.type`. Like the other properties it is kept as a number, and an unknown one is an error.
    pub checksum_type: ChecksumType,
    /// `checksum.validate_warm_get`.
    #[serde(default = "on")]
    pub validate_warm_get: bool,
    /// `last_modified`.
    #[serde(default)]
    pub last_modified: LastModified,
    /// `access`.
    #[serde(default)]
    pub access: Access,
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
            checksum_type: self.checksum_type,
            validate_warm_get: self.validate_warm_get,
            versioning: self.configuration.versioning,
            last_modified: self.last_modified,
            access: self.access,
            has_cors: self.configuration.cors.is_some(),
            owner_id: canonical_id(&self.owner),
        }
    }
    /// Its properties.
    pub fn properties(&self) -> BucketProperties {
        BucketProperties {
            checksum_type: self.checksum_type,
            validate_warm_get: self.validate_warm_get,
            versioning: self.configuration.versioning,
            last_modified: self.last_modified,
            access: self.access,
        }
    }
    /// Gives it other properties.
    pub fn set_properties(&mut self, properties: &BucketProperties) {
        self.checksum_type = properties.checksum_type;
        self.validate_warm_get = properties.validate_warm_get;
        self.configuration.versioning = properties.versioning;
        self.last_modified = properties.last_modified;
        self.access = properties.access;
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
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{BucketRecord, KeyRecord, UserRecord};
    use proto::{digest::checksum::ChecksumType, s3::properties::BucketProperties};

    #[test]
    fn buckets_of_before_have_the_properties_of_new_ones() {
        let old = r#"{"id":1,"name":"b","owner":"root","created_unix_ms":5,"checksum_type":1,"state":"active"}"#;
        let bucket: BucketRecord = serde_json::from_str(old).unwrap();
        assert_eq!(bucket.properties(), BucketProperties::new(ChecksumType::Xxhash));
        for wrong in [
            old.replace(":1,\"state", ":9,\"state"),
            old.replace("\"state", "\"access\":16,\"state"),
            old.replace("\"state", "\"last_modified\":2,\"state"),
        ] {
            assert_ne!(wrong, old);
            assert!(serde_json::from_str::<BucketRecord>(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn properties_are_kept() {
        let old = r#"{"id":1,"name":"b","owner":"root","created_unix_ms":5,"checksum_type":1,"state":"active"}"#;
        let mut bucket: BucketRecord = serde_json::from_str(old).unwrap();
        let mut properties = bucket.properties();
        for (name, value) in [
            ("checksum.type", "sha512"),
            ("checksum.validate_warm_get", "false"),
            ("versioning.enabled", "true"),
            ("last_modified", "atime"),
            ("access", "ro"),
        ] {
            properties
                .set(BucketProperties::parse_name(name).unwrap(), value)
                .unwrap();
        }
        bucket.set_properties(&properties);
        let text = serde_json::to_string(&bucket).unwrap();
        let read: BucketRecord = serde_json::from_str(&text).unwrap();
        assert_eq!(read.properties(), properties);
        let grant = read.grant();
        assert_eq!(
            (grant.access, grant.last_modified),
            (properties.access, properties.last_modified)
        );
    }

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
