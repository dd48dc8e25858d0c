//! Every query parameter that S3 knows as a sub-resource: it makes a request one about something else than the bucket or
//! the object itself, so that none of them may ever be ignored.

use super::{operation::BucketSubresource, query::Query};
use crate::error::{ErrorCode, S3Error};

macro_rules! subresources {
    ($($variant:ident $name:literal,)*) => {
        /// A sub-resource.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs)]
        pub enum Subresource { $($variant,)* }

        impl Subresource {
            /// Every sub-resource, for tables and tests.
            pub const ALL: &'static [Subresource] = &[$(Subresource::$variant,)*];

            /// The query parameter.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
            /// From the query parameter; names are case-sensitive.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

// From the request syntax of every page of the S3 API reference; `append` is Ceph's.
subresources! {
    Abac "abac",
    Accelerate "accelerate",
    Acl "acl",
    Analytics "analytics",
    Append "append",
    Attributes "attributes",
    Cors "cors",
    Delete "delete",
    Encryption "encryption",
    IntelligentTiering "intelligent-tiering",
    Inventory "inventory",
    LegalHold "legal-hold",
    Lifecycle "lifecycle",
    Location "location",
    Logging "logging",
    MetadataAnnotationTable "metadataAnnotationTable",
    MetadataConfiguration "metadataConfiguration",
    MetadataInventoryTable "metadataInventoryTable",
    MetadataJournalTable "metadataJournalTable",
    MetadataTable "metadataTable",
    Metrics "metrics",
    Notification "notification",
    ObjectLock "object-lock",
    OwnershipControls "ownershipControls",
    PartNumber "partNumber",
    Policy "policy",
    PolicyStatus "policyStatus",
    PublicAccessBlock "publicAccessBlock",
    RenameObject "renameObject",
    Replication "replication",
    RequestPayment "requestPayment",
    Restore "restore",
    Retention "retention",
    Select "select",
    Session "session",
    Tagging "tagging",
    Torrent "torrent",
    UploadId "uploadId",
    Uploads "uploads",
    Versioning "versioning",
    Versions "versions",
    Website "website",
}

impl Subresource {
    /// The bucket sub-resource that a GET reads, if reads of it have an answer.
    pub(super) fn of_bucket(self) -> Option<BucketSubresource> {
        Some(match self {
            Self::Accelerate => BucketSubresource::Accelerate,
            Self::Acl => BucketSubresource::Acl,
            Self::Analytics => BucketSubresource::Analytics,
            Self::IntelligentTiering => BucketSubresource::IntelligentTiering,
            Self::Inventory => BucketSubresource::Inventory,
            Self::Metrics => BucketSubresource::Metrics,
            Self::Cors => BucketSubresource::Cors,
            Self::Encryption => BucketSubresource::Encryption,
            Self::Lifecycle => BucketSubresource::Lifecycle,
            Self::Logging => BucketSubresource::Logging,
            Self::Notification => BucketSubresource::Notification,
            Self::ObjectLock => BucketSubresource::ObjectLock,
            Self::OwnershipControls => BucketSubresource::OwnershipControls,
            Self::Policy => BucketSubresource::Policy,
            Self::PolicyStatus => BucketSubresource::PolicyStatus,
            Self::PublicAccessBlock => BucketSubresource::PublicAccessBlock,
            Self::Replication => BucketSubresource::Replication,
            Self::RequestPayment => BucketSubresource::RequestPayment,
            Self::Tagging => BucketSubresource::Tagging,
            Self::Versioning => BucketSubresource::Versioning,
            Self::Website => BucketSubresource::Website,
            _ => return None,
        })
    }

    /// Whether it may stand beside `other`: UploadPart and ListParts name both.
    fn goes_with(self, other: Self) -> bool {
        self == other
            || matches!(
                (self, other),
                (Self::UploadId, Self::PartNumber) | (Self::PartNumber, Self::UploadId)
            )
    }
}

/// The sub-resource a query names, if any. Two that exclude each other are `InvalidArgument`, as in S3.
pub fn of(query: &Query) -> Result<Option<Subresource>, S3Error> {
    let mut found: Option<Subresource> = None;
    for subresource in query.iter().filter_map(|(name, _)| Subresource::from_name(name)) {
        match found {
            Some(first) if !first.goes_with(subresource) => return Err(conflict(first, subresource)),
            Some(_) => {}
            None => found = Some(subresource),
        }
    }
    Ok(found)
}

fn conflict(first: Subresource, second: Subresource) -> S3Error {
    let message = format!(
        "Conflicting query string parameters: {}, {}",
        first.name(),
        second.name()
    );
    S3Error::with_message(ErrorCode::InvalidArgument, message)
        .field("ArgumentName", "ResourceType")
        .field("ArgumentValue", first.name())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Subresource, of};
    use crate::{error::ErrorCode, s3::query::Query};

    #[test]
    fn names_and_variants_agree() {
        for subresource in Subresource::ALL {
            assert_eq!(Subresource::from_name(subresource.name()), Some(*subresource));
        }
        assert_eq!(Subresource::from_name("ACL"), None);
    }

    #[test]
    fn one_subresource_a_request() {
        let found = |raw: &str| of(&Query::parse(raw).unwrap());
        assert_eq!(found("foo=bar&x-id=GetObject&prefix=acl").unwrap(), None);
        assert_eq!(found("%61cl=x").unwrap(), Some(Subresource::Acl));
        assert_eq!(found("acl&acl").unwrap(), Some(Subresource::Acl));
        assert_eq!(found("partNumber=1&uploadId=x").unwrap(), Some(Subresource::PartNumber));
        assert_eq!(found("acl&tagging").unwrap_err().code, ErrorCode::InvalidArgument);
    }
}
