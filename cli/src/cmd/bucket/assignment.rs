//! `name=value` for a bucket's properties.

use crate::error::{CliError, Result};
use proto::{
    digest::checksum::ChecksumType,
    s3::properties::{BucketProperties, Property, PropertyError},
};
use serde_json::{Map, Value};

/// A property and the value it is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The property.
    pub property: Property,
    /// Its value, as it was given.
    pub value: String,
}

/// All assignments of some words: each holds one or several, with spaces or commas between them. A comma within a list of
/// permissions separates nothing.
pub fn parse(words: &[String]) -> Result<Vec<Assignment>> {
    let mut texts: Vec<String> = Vec::new();
    for piece in words.iter().flat_map(|word| word.split_whitespace()) {
        let mut first = true;
        for part in piece.split(',') {
            match texts.last_mut() {
                // `access=read,list` goes on.
                Some(last) if !first && !part.contains('=') => {
                    last.push(',');
                    last.push_str(part);
                }
                _ => texts.push(part.to_owned()),
            }
            first = false;
        }
    }
    texts.iter().map(|text| parse_one(text)).collect()
}

/// As the body of a request has them.
pub fn to_json(assignments: &[Assignment]) -> Value {
    let properties: Map<String, Value> = assignments
        .iter()
        .map(|assignment| (assignment.property.name().to_owned(), assignment.value.clone().into()))
        .collect();
    Value::Object(properties)
}

/// The property of that name.
pub fn property(name: &str) -> Result<Property> {
    BucketProperties::parse_name(name).map_err(refusal)
}

fn parse_one(text: &str) -> Result<Assignment> {
    let Some((name, value)) = text.split_once('=') else {
        return Err(CliError::usage(format!(
            "{text:?} sets nothing; write it like checksum.type=md5"
        )));
    };
    let property = property(name)?;
    // What cannot be is said before anything is sent.
    let mut tried = BucketProperties::new(ChecksumType::Xxhash);
    tried.set(property, value).map_err(refusal)?;
    Ok(Assignment {
        property,
        value: value.to_owned(),
    })
}

fn refusal(error: PropertyError) -> CliError {
    match error {
        PropertyError::Unknown { .. } => CliError::not_found(error.to_string()),
        PropertyError::Invalid { .. } => CliError::usage(error.to_string()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::parse;

    fn parsed(words: &[&str]) -> Vec<String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let all = parse(&words).unwrap();
        all.iter()
            .map(|assignment| format!("{}={}", assignment.property, assignment.value))
            .collect()
    }

    #[test]
    fn assignments_may_come_in_one_word_or_several() {
        let both = ["checksum.type=md5", "versioning.enabled=true"];
        assert_eq!(parsed(&both), both);
        assert_eq!(parsed(&["checksum.type=md5 versioning.enabled=true"]), both);
        assert_eq!(parsed(&["checksum.type=md5,versioning.enabled=true"]), both);
        assert_eq!(
            parsed(&["access=read,list,last_modified=atime"]),
            ["access=read,list", "last_modified=atime"]
        );
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_exit_code() {
        let code = |word: &str| parse(&[word.to_owned()]).unwrap_err().exit_code();
        assert_eq!(code("checksum.typ=md5"), 3);
        assert_eq!(code("checksum.type=md4"), 2);
        assert_eq!(code("checksum.type"), 2);
    }
}
