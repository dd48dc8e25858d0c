//! What a listing can say of each object.

use super::pages::Object;
use crate::output::{printable, size, time};
use clap::ValueEnum;

/// A column of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Column {
    /// Its key
    Name,
    /// Its bytes
    Size,
    /// Its checksum, in hex
    Checksum,
    /// What checksum that is
    #[value(name = "checksum.type", alias = "checksum-type")]
    ChecksumType,
    /// Its ETag, as S3 clients get it
    Etag,
    /// When it was last written
    #[value(alias = "modified")]
    Mtime,
    /// When it was last written or read
    #[value(alias = "accessed")]
    Atime,
    /// Its version id; how often it was written where no versions are kept
    Version,
    /// Its storage class
    #[value(alias = "storage_class", alias = "storage-class")]
    Class,
    /// Whether it is the latest version, an old one, or a delete marker
    State,
    /// All of them
    All,
}

/// Without `--props`.
const USUAL: [Column; 3] = [Column::Name, Column::Size, Column::Mtime];
/// Without `--props`, with `--versions`.
const USUAL_OF_VERSIONS: [Column; 5] = [
    Column::Name,
    Column::Size,
    Column::Mtime,
    Column::Version,
    Column::State,
];
/// `--props all`.
const EVERY: [Column; 10] = [
    Column::Name,
    Column::Size,
    Column::Checksum,
    Column::ChecksumType,
    Column::Etag,
    Column::Mtime,
    Column::Atime,
    Column::Version,
    Column::Class,
    Column::State,
];

impl Column {
    /// The columns somebody has asked for, with the name first.
    pub fn chosen(wanted: &[Self], versions: bool) -> Vec<Self> {
        if wanted.contains(&Self::All) {
            return EVERY.to_vec();
        }
        if wanted.is_empty() {
            return match versions {
                true => USUAL_OF_VERSIONS.to_vec(),
                false => USUAL.to_vec(),
            };
        }
        let mut chosen = vec![Self::Name];
        for column in wanted {
            if !chosen.contains(column) {
                chosen.push(*column);
            }
        }
        chosen
    }

    /// In capitals.
    pub fn heading(self) -> &'static str {
        match self {
            Self::Name => "NAME",
            Self::Size => "SIZE",
            Self::Checksum => "CHECKSUM",
            Self::ChecksumType => "CHECKSUM.TYPE",
            Self::Etag => "ETAG",
            Self::Mtime => "MTIME",
            Self::Atime => "ATIME",
            Self::Version => "VERSION",
            Self::Class => "CLASS",
            Self::State => "STATE",
            Self::All => "ALL",
        }
    }

    /// What it says of an object.
    pub fn of(self, object: &Object) -> String {
        let checksum = object.checksum.as_ref();
        match self {
            Self::Name | Self::All => printable(&object.name).into_owned(),
            Self::Size if object.delete_marker => "-".to_owned(),
            Self::Size => size(object.size),
            Self::Checksum => checksum.map_or("-", |checksum| &checksum.value).to_owned(),
            Self::ChecksumType => checksum.map_or("none", |checksum| &checksum.kind).to_owned(),
            Self::Etag if object.etag.is_empty() => "-".to_owned(),
            Self::Etag => object.etag.clone(),
            Self::Mtime => time(&object.modified),
            Self::Atime => object.accessed.as_deref().map_or_else(|| "-".to_owned(), time),
            Self::Version => object.version.clone(),
            Self::Class => object.storage_class.clone(),
            Self::State => match (object.delete_marker, object.latest) {
                (true, true) => "deleted".to_owned(),
                (true, false) => "delete marker".to_owned(),
                (false, true) => "latest".to_owned(),
                (false, false) => "old".to_owned(),
            },
        }
    }

    /// What it says of names that have this in common.
    pub fn of_prefix(self, prefix: &str) -> String {
        match self {
            Self::Name => printable(prefix).into_owned(),
            _ => "-".to_owned(),
        }
    }
}
