//! The properties of a bucket, as operators name, read and set them.

pub use super::access::{Access, Permission};
use super::version::Versioning;
use crate::{digest::checksum::ChecksumType, nearest::nearest};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Which time of an object clients are told as its LastModified.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum LastModified {
    /// When it was written.
    #[default]
    Mtime,
    /// When it was written or last read, whichever is later.
    Atime,
}

/// All properties of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketProperties {
    /// `checksum.type`: what the checksum and ETag of objects written from now on are.
    pub checksum_type: ChecksumType,
    /// `checksum.validate_warm_get`: what is read from disk is verified before it is sent.
    pub validate_warm_get: bool,
    /// `versioning.enabled`: the state that S3's PutBucketVersioning sets.
    pub versioning: Versioning,
    /// `last_modified`.
    pub last_modified: LastModified,
    /// `access`: what may be done with its objects.
    pub access: Access,
}

/// A property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Property {
    ChecksumType,
    ValidateWarmGet,
    VersioningEnabled,
    LastModified,
    Access,
}

/// Why a property was not set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PropertyError {
    /// There is none of that name.
    #[error("there is no property \"{name}\"{}", hint(*.nearest))]
    Unknown {
        /// What was asked for.
        name: String,
        /// The property with the most similar name.
        nearest: Option<Property>,
    },
    /// It cannot have that value.
    #[error("\"{}\" cannot be \"{value}\": allowed are {}", .property.name(), .property.allowed())]
    Invalid {
        /// The property.
        property: Property,
        /// The value asked for.
        value: String,
    },
}

fn hint(nearest: Option<Property>) -> String {
    match nearest {
        Some(property) => format!(": did you mean \"{}\"?", property.name()),
        None => {
            let names = Property::ALL.map(Property::name);
            format!(": the properties of a bucket are {}", names.join(", "))
        }
    }
}

impl BucketProperties {
    /// Those of a new bucket.
    pub fn new(checksum_type: ChecksumType) -> Self {
        Self {
            checksum_type,
            validate_warm_get: true,
            versioning: Versioning::Unversioned,
            last_modified: LastModified::Mtime,
            access: Access::ALL,
        }
    }

    /// A property's value, as [`Self::set`] reads it.
    pub fn get(&self, property: Property) -> String {
        match property {
            Property::ChecksumType => self.checksum_type.name().to_owned(),
            Property::ValidateWarmGet => self.validate_warm_get.to_string(),
            Property::VersioningEnabled => (self.versioning == Versioning::Enabled).to_string(),
            Property::LastModified => self.last_modified.name().to_owned(),
            Property::Access => self.access.to_string(),
        }
    }

    /// Sets a property; refuses a value that it cannot have. What kept versions goes on keeping those it has:
    /// `versioning.enabled=false` suspends.
    pub fn set(&mut self, property: Property, value: &str) -> Result<(), PropertyError> {
        self.try_set(property, value).ok_or_else(|| PropertyError::Invalid {
            property,
            value: value.to_owned(),
        })
    }

    fn try_set(&mut self, property: Property, value: &str) -> Option<()> {
        let value = value.trim();
        match property {
            Property::ChecksumType => self.checksum_type = ChecksumType::from_name(value)?,
            Property::ValidateWarmGet => self.validate_warm_get = switch(value)?,
            Property::VersioningEnabled => {
                self.versioning = match (switch(value)?, self.versioning) {
                    (true, _) => Versioning::Enabled,
                    (false, Versioning::Enabled) => Versioning::Suspended,
                    (false, versioning) => versioning,
                };
            }
            Property::LastModified => self.last_modified = LastModified::from_name(value)?,
            Property::Access => self.access = Access::from_text(value)?,
        }
        Some(())
    }

    /// The property of a name, in either case.
    pub fn parse_name(name: &str) -> Result<Property, PropertyError> {
        let wanted = name.trim();
        let found = Property::ALL
            .into_iter()
            .find(|property| property.name().eq_ignore_ascii_case(wanted));
        found.ok_or_else(|| PropertyError::Unknown {
            name: name.to_owned(),
            nearest: most_like(wanted),
        })
    }
}

/// The property whose name is most like this.
fn most_like(wanted: &str) -> Option<Property> {
    let name = nearest(wanted, Property::ALL.iter().map(|property| property.name()))?;
    Property::ALL.into_iter().find(|property| property.name() == name)
}

fn switch(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" => Some(true),
        "false" | "off" | "no" => Some(false),
        _ => None,
    }
}

impl Property {
    /// All of them, in the order they are shown in.
    pub const ALL: [Self; 5] = [
        Self::ChecksumType,
        Self::ValidateWarmGet,
        Self::VersioningEnabled,
        Self::LastModified,
        Self::Access,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::ChecksumType => "checksum.type",
            Self::ValidateWarmGet => "checksum.validate_warm_get",
            Self::VersioningEnabled => "versioning.enabled",
            Self::LastModified => "last_modified",
            Self::Access => "access",
        }
    }

    /// The values it can have, for people.
    pub fn allowed(self) -> &'static str {
        match self {
            Self::ChecksumType => "none, xxhash, md5, crc32c, sha256, sha512",
            Self::ValidateWarmGet | Self::VersioningEnabled => "true, false",
            Self::LastModified => "mtime, atime",
            Self::Access => "ro, rw, none, or any of read, write, delete, list with commas between them",
        }
    }

    /// What it does, in a line.
    pub fn description(self) -> &'static str {
        match self {
            Self::ChecksumType => "checksum and ETag of objects written from now on; md5 is what S3 clients expect",
            Self::ValidateWarmGet => "verify what is read from disk before it is sent",
            Self::VersioningEnabled => "keep all versions of objects; once kept, false suspends",
            Self::LastModified => "LastModified is the time of the last write (mtime) or of the last access (atime)",
            Self::Access => "what may be done with the bucket's objects, by anyone",
        }
    }
}

impl fmt::Display for Property {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl LastModified {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mtime => "mtime",
            Self::Atime => "atime",
        }
    }
    /// From its name, in either case.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Mtime, Self::Atime]
            .into_iter()
            .find(|known| known.name().eq_ignore_ascii_case(name))
    }
    /// Its number in tickets and records.
    pub fn code(self) -> u8 {
        match self {
            Self::Mtime => 0,
            Self::Atime => 1,
        }
    }
    /// From its number.
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Mtime, Self::Atime].get(usize::from(code)).copied()
    }
}

impl From<LastModified> for u8 {
    fn from(last_modified: LastModified) -> Self {
        last_modified.code()
    }
}

impl TryFrom<u8> for LastModified {
    type Error = &'static str;

    fn try_from(code: u8) -> Result<Self, Self::Error> {
        Self::from_code(code).ok_or("unknown last_modified")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{BucketProperties, LastModified, Property, PropertyError};
    use crate::{digest::checksum::ChecksumType, s3::version::Versioning};

    #[test]
    fn every_allowed_value_is_set_and_read() {
        for (property, values) in [
            (
                Property::ChecksumType,
                ["none", "xxhash", "md5", "crc32c", "sha256", "sha512"].as_slice(),
            ),
            (Property::ValidateWarmGet, &["false", "true"]),
            (Property::VersioningEnabled, &["true", "false"]),
            (Property::LastModified, &["atime", "mtime"]),
            (Property::Access, &["ro", "none", "rw", "read,write", "list"]),
        ] {
            let mut properties = BucketProperties::new(ChecksumType::Md5);
            for value in values {
                properties.set(property, value).unwrap();
                assert_eq!(properties.get(property), *value);
            }
        }
    }

    #[test]
    fn a_wrong_value_changes_nothing() {
        let before = BucketProperties::new(ChecksumType::Xxhash);
        for (property, value) in [
            (Property::ChecksumType, "md6"),
            (Property::ChecksumType, ""),
            (Property::ValidateWarmGet, "maybe"),
            (Property::VersioningEnabled, "suspended"),
            (Property::LastModified, "ctime"),
            (Property::Access, "execute"),
        ] {
            let mut properties = before;
            let refused = properties.set(property, value).unwrap_err();
            assert_eq!(properties, before);
            let message = refused.to_string();
            assert!(
                message.contains(property.name()) && message.contains(property.allowed()),
                "{message}"
            );
        }
    }

    #[test]
    fn versioning_is_suspended_and_never_undone() {
        let mut properties = BucketProperties::new(ChecksumType::Md5);
        for (value, then) in [
            ("false", Versioning::Unversioned),
            ("true", Versioning::Enabled),
            ("FALSE", Versioning::Suspended),
            ("off", Versioning::Suspended),
            ("on", Versioning::Enabled),
        ] {
            properties.set(Property::VersioningEnabled, value).unwrap();
            assert_eq!(properties.versioning, then);
        }
    }

    #[test]
    fn names() {
        for property in Property::ALL {
            assert_eq!(BucketProperties::parse_name(property.name()), Ok(property));
        }
        assert_eq!(
            BucketProperties::parse_name("Checksum.Type"),
            Ok(Property::ChecksumType)
        );
        let unknown = BucketProperties::parse_name("versioning").unwrap_err();
        assert!(unknown.to_string().contains("\"versioning.enabled\""), "{unknown}");
        let unknown = BucketProperties::parse_name("checksum.tipe").unwrap_err();
        assert!(unknown.to_string().contains("\"checksum.type\""), "{unknown}");
        let unknown = BucketProperties::parse_name("zzz").unwrap_err();
        assert!(matches!(unknown, PropertyError::Unknown { nearest: None, .. }));
        assert!(unknown.to_string().contains("checksum.validate_warm_get"), "{unknown}");
    }

    #[test]
    fn numbers() {
        for last_modified in [LastModified::Mtime, LastModified::Atime] {
            assert_eq!(LastModified::from_code(last_modified.code()), Some(last_modified));
        }
        assert_eq!(LastModified::from_code(2), None);
    }
}
