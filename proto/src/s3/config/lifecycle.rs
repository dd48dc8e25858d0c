//! When objects go by themselves
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html>): the configuration, and how
//! S3 writes it. Transitions are kept and never done: there is one storage class.

use crate::{
    http::date,
    s3::{tagging::write_tag, xml_document::Document},
};
use serde::{Deserialize, Serialize};

/// `<LifecycleConfiguration>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecycleConfiguration {
    /// 1 to 1,000.
    pub rules: Vec<LifecycleRule>,
    /// What `x-amz-transition-default-minimum-object-size` said.
    #[serde(default)]
    pub minimum_size: TransitionMinimumSize,
}

/// Which objects are too small for a transition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransitionMinimumSize {
    /// Below 128 KiB, whatever the storage class.
    #[default]
    AllStorageClasses128K,
    /// The storage class says.
    VariesByStorageClass,
}

impl TransitionMinimumSize {
    /// The header it comes and goes in.
    pub const HEADER: &str = "x-amz-transition-default-minimum-object-size";

    /// As the header has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllStorageClasses128K => "all_storage_classes_128K",
            Self::VariesByStorageClass => "varies_by_storage_class",
        }
    }
    /// From the header.
    pub fn from_header(text: &str) -> Option<Self> {
        [Self::AllStorageClasses128K, Self::VariesByStorageClass]
            .into_iter()
            .find(|size| size.as_str() == text)
    }
}

/// `<Rule>`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LifecycleRule {
    /// Unique in its configuration, at most 255 characters.
    pub id: String,
    /// Whether it is applied.
    pub enabled: bool,
    /// What it is applied to.
    pub scope: Scope,
    /// Of current versions.
    pub expiration: Option<Expiration>,
    /// Of noncurrent versions.
    pub noncurrent_expiration: Option<NoncurrentExpiration>,
    /// Days after which an upload that was not completed is aborted.
    pub abort_uploads_days: Option<u32>,
    /// Kept only.
    pub transitions: Vec<Transition>,
    /// Kept only.
    pub noncurrent_transitions: Vec<NoncurrentTransition>,
}

/// What a rule is applied to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// `<Prefix>` in the rule itself, as before there were filters.
    Prefix(String),
    /// `<Filter>`.
    Filter(Filter),
}

impl Default for Scope {
    fn default() -> Self {
        Self::Filter(Filter::default())
    }
}

/// `<Filter>`: everything it names must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Whether its parts stand in `<And>`.
    pub and: bool,
    /// What keys begin with.
    pub prefix: Option<String>,
    /// Tags an object must have, keys and values.
    pub tags: Vec<(String, String)>,
    /// An object must be larger, in bytes.
    pub size_greater_than: Option<u64>,
    /// An object must be smaller, in bytes.
    pub size_less_than: Option<u64>,
}

/// `<Expiration>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expiration {
    /// Days after the object was made.
    Days(u32),
    /// From a midnight on, in milliseconds since the epoch.
    DateUnixMs(u64),
    /// `ExpiredObjectDeleteMarker`: of delete markers that hide nothing.
    DeleteMarker(bool),
}

/// `<NoncurrentVersionExpiration>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoncurrentExpiration {
    /// Days after the version was replaced.
    pub days: u32,
    /// How many noncurrent versions stay, however old.
    pub newer_versions: Option<u32>,
}

/// `<Transition>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// When: days, or a date.
    pub when: Option<TransitionTime>,
    /// Where to.
    pub storage_class: String,
}

/// When a transition is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransitionTime {
    /// Days after the object was made.
    Days(u32),
    /// A midnight, in milliseconds since the epoch.
    DateUnixMs(u64),
}

/// `<NoncurrentVersionTransition>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoncurrentTransition {
    /// Days after the version was replaced.
    pub days: u32,
    /// How many noncurrent versions stay where they are.
    pub newer_versions: Option<u32>,
    /// Where to.
    pub storage_class: String,
}

impl LifecycleConfiguration {
    /// Writes it.
    pub fn write(&self) -> Vec<u8> {
        let mut document = Document::new();
        document.root("LifecycleConfiguration", |document| {
            for rule in &self.rules {
                document.element("Rule", |document| rule.write(document));
            }
        });
        document.finish()
    }
}

impl LifecycleRule {
    fn write(&self, document: &mut Document) {
        document.text("ID", &self.id);
        match &self.scope {
            Scope::Prefix(prefix) => document.text("Prefix", prefix),
            Scope::Filter(filter) => document.element("Filter", |document| filter.write(document)),
        }
        document.text("Status", if self.enabled { "Enabled" } else { "Disabled" });
        for transition in &self.transitions {
            document.element("Transition", |document| transition.write(document));
        }
        if let Some(expiration) = &self.expiration {
            document.element("Expiration", |document| expiration.write(document));
        }
        for transition in &self.noncurrent_transitions {
            document.element("NoncurrentVersionTransition", |document| transition.write(document));
        }
        if let Some(expiration) = &self.noncurrent_expiration {
            document.element("NoncurrentVersionExpiration", |document| {
                document.number("NoncurrentDays", expiration.days);
                if let Some(versions) = expiration.newer_versions {
                    document.number("NewerNoncurrentVersions", versions);
                }
            });
        }
        if let Some(days) = self.abort_uploads_days {
            document.element("AbortIncompleteMultipartUpload", |document| {
                document.number("DaysAfterInitiation", days);
            });
        }
    }
}

impl Filter {
    fn write(&self, document: &mut Document) {
        if self.and {
            document.element("And", |document| self.write_parts(document));
        } else {
            self.write_parts(document);
        }
    }

    fn write_parts(&self, document: &mut Document) {
        if let Some(prefix) = &self.prefix {
            document.text("Prefix", prefix);
        }
        for tag in &self.tags {
            write_tag(document, tag);
        }
        if let Some(size) = self.size_greater_than {
            document.number("ObjectSizeGreaterThan", size);
        }
        if let Some(size) = self.size_less_than {
            document.number("ObjectSizeLessThan", size);
        }
    }
}

impl Expiration {
    fn write(self, document: &mut Document) {
        match self {
            Self::Days(days) => document.number("Days", days),
            Self::DateUnixMs(at) => document.text("Date", &date::iso8601(at)),
            Self::DeleteMarker(removes) => document.text("ExpiredObjectDeleteMarker", &removes.to_string()),
        }
    }
}

impl Transition {
    fn write(&self, document: &mut Document) {
        match self.when {
            Some(TransitionTime::Days(days)) => document.number("Days", days),
            Some(TransitionTime::DateUnixMs(at)) => document.text("Date", &date::iso8601(at)),
            None => {}
        }
        document.text("StorageClass", &self.storage_class);
    }
}

impl NoncurrentTransition {
    fn write(&self, document: &mut Document) {
        document.number("NoncurrentDays", self.days);
        if let Some(versions) = self.newer_versions {
            document.number("NewerNoncurrentVersions", versions);
        }
        document.text("StorageClass", &self.storage_class);
    }
}
