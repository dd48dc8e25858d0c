//! Properties that a caller wants: `{"checksum.type": "md5"}`.

use crate::bucket_properties::refused;
use proto::{
    error::{ErrorCode, S3Error},
    s3::properties::{BucketProperties, Property},
};
use std::collections::BTreeMap;

/// By name; of a name that is given twice the last value counts, as JSON has it.
pub type WantedProperties = BTreeMap<String, String>;

/// The properties meant. `InvalidArgument` for a name that there is not, or one that is there twice, written differently.
pub fn read(wanted: &WantedProperties) -> Result<Vec<(Property, String)>, S3Error> {
    let mut found: Vec<(Property, String)> = Vec::new();
    for (name, value) in wanted {
        let property = BucketProperties::parse_name(name).map_err(|error| refused(&error))?;
        if found.iter().any(|(known, _)| *known == property) {
            let message = format!("The property \"{property}\" is given twice.");
            return Err(S3Error::with_message(ErrorCode::InvalidArgument, message));
        }
        found.push((property, value.clone()));
    }
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::read;
    use proto::s3::properties::Property;
    use std::collections::BTreeMap;

    fn names(names: &[&str]) -> Result<Vec<Property>, String> {
        let wanted: BTreeMap<String, String> = names
            .iter()
            .map(|name| ((*name).to_owned(), "md5".to_owned()))
            .collect();
        let found = read(&wanted).map_err(|error| error.message.to_string())?;
        Ok(found.into_iter().map(|(property, _)| property).collect())
    }

    #[test]
    fn names_are_properties_each_once() {
        assert_eq!(names(&["checksum.type"]), Ok(vec![Property::ChecksumType]));
        assert!(
            names(&["checksum.type", "Checksum.Type"])
                .unwrap_err()
                .contains("twice")
        );
        assert!(names(&["checksum.tipe"]).is_err());
    }
}
