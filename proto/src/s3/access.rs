//! The bucket property `access`: what may be done with the objects of a bucket, by anyone, its owner included.

use super::operation::{ObjectSubresource, Operation};
use crate::error::{ErrorCode, S3Error};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What an operation does to the objects of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Sees an object or what is kept with it.
    Read,
    /// Makes an object, or changes what is kept with one.
    Write,
    /// Takes objects or versions away.
    Delete,
    /// Sees which objects there are.
    List,
}

/// A set of permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub struct Access(u8);

impl Permission {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Delete, Self::List];

    /// Its name in the property.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::List => "list",
        }
    }

    fn bit(self) -> u8 {
        match self {
            Self::Read => 1,
            Self::Write => 2,
            Self::Delete => 4,
            Self::List => 8,
        }
    }

    /// What a bucket's `access` must allow for an operation on it or its objects. `None`: the operation is about the bucket
    /// itself and its configuration. The source of a copy is another matter: it is read.
    pub fn of(operation: Operation) -> Option<Self> {
        match operation {
            Operation::ListBuckets
            | Operation::CreateBucket
            | Operation::HeadBucket
            | Operation::DeleteBucket
            | Operation::BucketLocation
            | Operation::BucketRead(_)
            | Operation::BucketWrite(_)
            | Operation::BucketDelete(_) => None,
            Operation::ListObjects
            | Operation::ListObjectsV2
            | Operation::ListObjectVersions
            | Operation::ListMultipartUploads => Some(Self::List),
            Operation::GetObject
            | Operation::HeadObject
            | Operation::GetObjectAttributes
            | Operation::GetObjectTagging
            | Operation::ListParts
            | Operation::ObjectRead(ObjectSubresource::Acl) => Some(Self::Read),
            Operation::PostObject
            | Operation::PutObject
            | Operation::CopyObject
            | Operation::PutObjectTagging
            | Operation::DeleteObjectTagging
            | Operation::CreateMultipartUpload
            | Operation::UploadPart
            | Operation::UploadPartCopy
            | Operation::CompleteMultipartUpload
            | Operation::AbortMultipartUpload => Some(Self::Write),
            Operation::DeleteObject | Operation::DeleteObjects => Some(Self::Delete),
        }
    }
}

impl Access {
    /// Everything.
    pub const ALL: Self = Self(15);
    /// Reading and listing.
    pub const READ_ONLY: Self = Self(9);
    /// Nothing.
    pub const NONE: Self = Self(0);

    /// Sets that have a name of their own.
    const ALIASES: [(&'static str, Self); 3] = [("ro", Self::READ_ONLY), ("rw", Self::ALL), ("none", Self::NONE)];

    /// Its number in tickets and records.
    pub fn code(self) -> u8 {
        self.0
    }

    /// From its number.
    pub fn from_code(code: u8) -> Option<Self> {
        (code <= Self::ALL.0).then_some(Self(code))
    }

    /// From the property's text: an alias, or permissions with commas between them, in either case.
    pub fn from_text(text: &str) -> Option<Self> {
        let named = |name: &str| name.trim().to_ascii_lowercase();
        let alias = Self::ALIASES.into_iter().find(|(alias, _)| named(text) == *alias);
        if let Some((_, access)) = alias {
            return Some(access);
        }
        text.split(',').try_fold(Self::NONE, |access, name| {
            let name = named(name);
            let permission = Permission::ALL.into_iter().find(|known| known.name() == name)?;
            Some(Self(access.0 | permission.bit()))
        })
    }

    /// Whether it allows what the permission names.
    pub fn allows(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// `AccessDenied` unless it allows this.
    pub fn check(self, permission: Permission) -> Result<(), S3Error> {
        if self.allows(permission) {
            return Ok(());
        }
        let message = format!(
            "Access Denied by the bucket's property \"access\", which is \"{self}\" and does not allow \"{}\".",
            permission.name()
        );
        Err(S3Error::with_message(ErrorCode::AccessDenied, message))
    }

    /// `AccessDenied` unless it allows the operation.
    pub fn check_operation(self, operation: Operation) -> Result<(), S3Error> {
        Permission::of(operation).map_or(Ok(()), |permission| self.check(permission))
    }
}

impl From<Access> for u8 {
    fn from(access: Access) -> Self {
        access.code()
    }
}

impl TryFrom<u8> for Access {
    type Error = &'static str;

    fn try_from(code: u8) -> Result<Self, Self::Error> {
        Self::from_code(code).ok_or("unknown access")
    }
}

impl Default for Access {
    fn default() -> Self {
        Self::ALL
    }
}

impl fmt::Display for Access {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((alias, _)) = Self::ALIASES.into_iter().find(|(_, access)| access == self) {
            return formatter.write_str(alias);
        }
        let allowed = Permission::ALL
            .into_iter()
            .filter(|permission| self.allows(*permission));
        for (index, permission) in allowed.enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(formatter, "{comma}{}", permission.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Access, Permission};
    use crate::{error::ErrorCode, s3::operation::Operation};

    #[test]
    fn every_set_is_read_as_it_is_shown() {
        for code in 0..=Access::ALL.code() {
            let access = Access::from_code(code).unwrap();
            assert_eq!(Access::from_text(&access.to_string()), Some(access));
            assert_eq!(access.code(), code);
        }
        assert_eq!(Access::from_code(16), None);
    }

    #[test]
    fn texts() {
        for (text, shown) in [
            ("ro", "ro"),
            ("RW", "rw"),
            ("none", "none"),
            ("list, Read", "ro"),
            ("read,write,delete,list", "rw"),
            ("write", "write"),
            ("list,write,read", "read,write,list"),
            ("read,read", "read"),
        ] {
            assert_eq!(Access::from_text(text).unwrap().to_string(), shown, "{text}");
        }
        for text in ["", ",", "read,", "rx", "ro,write", "none,read", "read write"] {
            assert_eq!(Access::from_text(text), None, "{text}");
        }
    }

    #[test]
    fn a_refusal_names_the_property() {
        let refused = Access::READ_ONLY.check_operation(Operation::PutObject).unwrap_err();
        assert_eq!(refused.code, ErrorCode::AccessDenied);
        assert!(refused.message.contains("\"access\""), "{}", refused.message);
        assert!(refused.message.contains("\"ro\""), "{}", refused.message);
        assert!(refused.message.contains("\"write\""), "{}", refused.message);
        assert!(Access::NONE.check_operation(Operation::HeadBucket).is_ok());
        assert!(Access::READ_ONLY.check_operation(Operation::ListObjectVersions).is_ok());
    }

    /// Everything that a core serves is about an object.
    #[test]
    fn operations_of_cores_need_a_permission() {
        for (operation, _) in Operation::OF_CORES {
            let permission = Permission::of(operation).unwrap();
            assert!(Access::NONE.check(permission).is_err());
            assert!(Access::ALL.check(permission).is_ok());
        }
    }
}
