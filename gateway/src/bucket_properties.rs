//! Changing the properties of a bucket.

use crate::{catalog::CatalogError, gateway::Gateway, handoff, records::BucketRecord};
use proto::{
    error::{ErrorCode, S3Error},
    s3::properties::{BucketProperties, Property, PropertyError},
};

/// A property that has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Which.
    pub property: Property,
    /// Its value now.
    pub value: String,
    /// Its value before.
    pub was: String,
}

/// Sets properties, all of them or none; says which are others now. Returns when no core acts on the old ones any more.
/// `InvalidArgument` for a value that a property cannot have.
pub async fn change(
    gateway: &Gateway,
    bucket: &BucketRecord,
    wanted: &[(Property, String)],
) -> Result<Vec<Changed>, S3Error> {
    set(bucket.properties(), wanted).map_err(|error| refused(&error))?;
    let changed = gateway
        .catalog
        .change_bucket(bucket, |record| {
            // What can be refused does not depend on what is there.
            if let Ok(properties) = set(record.properties(), wanted) {
                record.set_properties(&properties);
            }
        })
        .await;
    let before = match changed {
        Ok(before) => before.properties(),
        Err(CatalogError::Changed) => return Err(ErrorCode::OperationAborted.into()),
        Err(error) => {
            tracing::error!(%error, bucket = bucket.name, "bucket properties");
            return Err(ErrorCode::InternalError.into());
        }
    };
    let after = set(before, wanted).map_err(|error| refused(&error))?;
    let changed: Vec<Changed> = Property::ALL
        .into_iter()
        .map(|property| Changed {
            property,
            value: after.get(property),
            was: before.get(property),
        })
        .filter(|changed| changed.value != changed.was)
        .collect();
    for Changed { property, value, was } in &changed {
        tracing::info!(
            bucket = bucket.name,
            property = property.name(),
            value,
            was,
            "bucket property set"
        );
    }
    handoff::settle(gateway).await;
    Ok(changed)
}

/// The same properties with some set.
pub fn set(mut properties: BucketProperties, wanted: &[(Property, String)]) -> Result<BucketProperties, PropertyError> {
    for (property, value) in wanted {
        properties.set(*property, value)?;
    }
    Ok(properties)
}

/// As an answer.
pub fn refused(error: &PropertyError) -> S3Error {
    S3Error::with_message(ErrorCode::InvalidArgument, error.to_string())
}
