//! S3's nouns and verbs: names, operations, object metadata, listing, XML.

pub mod access;
pub mod address;
pub mod attributes;
pub mod bucket;
pub mod completion;
pub mod config;
pub mod copy_source;
pub mod expected_owner;
pub mod listing;
pub mod merge;
pub mod name;
pub mod object;
pub mod operation;
pub mod part;
pub mod post;
pub mod properties;
pub mod query;
mod refusal;
pub mod subresource;
pub mod tagging;
pub mod version;
pub mod xml_complete;
mod xml_document;
pub mod xml_multipart;
pub mod xml_read;
pub mod xml_versions;
pub mod xml_write;
