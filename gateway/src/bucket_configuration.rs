//! What a bucket's owner has set: a part of the bucket's record.

use proto::s3::{
    config::{
        cors::CorsConfiguration, lifecycle::LifecycleConfiguration, request_payment::Payer,
        website::WebsiteConfiguration,
    },
    version::Versioning,
};
use serde::{Deserialize, Serialize};

/// See the module. A record written before a configuration existed has none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BucketConfiguration {
    /// Whether versions are kept.
    #[serde(with = "versioning_code")]
    pub versioning: Versioning,
    /// Tags; empty when there are none.
    pub tags: Vec<(String, String)>,
    /// Who may use it from pages of other origins.
    pub cors: Option<CorsConfiguration>,
    /// When objects go by themselves.
    pub lifecycle: Option<LifecycleConfiguration>,
    /// How it is served as a web site.
    pub website: Option<WebsiteConfiguration>,
    /// Who pays for requests.
    pub payer: Payer,
}

/// Versioning by [`Versioning::code`]. An unknown number is an error: a bucket that keeps versions must not be taken for
/// one that does not.
mod versioning_code {
    use proto::s3::version::Versioning;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(versioning: &Versioning, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(versioning.code())
    }

    pub fn deserialize<'d, D: Deserializer<'d>>(deserializer: D) -> Result<Versioning, D::Error> {
        let code = u8::deserialize(deserializer)?;
        Versioning::from_code(code).ok_or_else(|| D::Error::custom("unknown versioning"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::BucketConfiguration;
    use proto::s3::{
        config::{cors::CorsConfiguration, website::WebsiteConfiguration},
        version::Versioning,
    };

    #[test]
    fn records_of_before_are_read() {
        let old: BucketConfiguration = serde_json::from_str("{}").unwrap();
        assert_eq!(old, BucketConfiguration::default());
        assert!(serde_json::from_str::<BucketConfiguration>("{\"versioning\":9}").is_err());
    }

    #[test]
    fn what_is_kept_is_read() {
        let cors = "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>";
        let website = "<WebsiteConfiguration><IndexDocument><Suffix>i</Suffix></IndexDocument></WebsiteConfiguration>";
        let configuration = BucketConfiguration {
            versioning: Versioning::Suspended,
            tags: vec![("k".to_owned(), "v".to_owned())],
            cors: Some(CorsConfiguration::parse(cors.as_bytes()).unwrap()),
            website: Some(WebsiteConfiguration::parse(website.as_bytes()).unwrap()),
            ..BucketConfiguration::default()
        };
        let text = serde_json::to_string(&configuration).unwrap();
        assert_eq!(
            serde_json::from_str::<BucketConfiguration>(&text).unwrap(),
            configuration
        );
    }
}
