//! Decoded query parameters, in order.

use crate::{
    error::{ErrorCode, S3Error},
    http::percent,
};

/// The parameters of a query, names and values percent-decoded once (`+` decodes to a space in values, as S3 does).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    parameters: Vec<(String, String)>,
}

impl Query {
    /// Parses a raw query; `InvalidURI` for malformed escapes or non-UTF-8. `a`, `a=` and `a=b` are all accepted.
    pub fn parse(raw: &str) -> Result<Self, S3Error> {
        Self::parse_where(raw, |part| !part.is_empty())
    }
    /// The same without one parameter that is not wanted decoded, such as a ticket, by far the longest of its query.
    pub fn parse_without(raw: &str, name: &str) -> Result<Self, S3Error> {
        let is_left_out = |part: &str| part.strip_prefix(name).is_some_and(|rest| rest.starts_with('='));
        Self::parse_where(raw, |part| !part.is_empty() && !is_left_out(part))
    }
    fn parse_where(raw: &str, wanted: impl Fn(&str) -> bool) -> Result<Self, S3Error> {
        let mut parameters = Vec::new();
        for part in raw.split('&').filter(|part| wanted(part)) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let value = if value.contains('+') {
                decode(&value.replace('+', " "))?
            } else {
                decode(value)?
            };
            parameters.push((decode(name)?, value));
        }
        Ok(Self { parameters })
    }
    /// The first value of `name`; `Some("")` for a bare name.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(candidate, _)| *candidate == name)
            .map(|(_, value)| value)
    }
    /// Whether `name` occurs.
    pub fn contains(&self, name: &str) -> bool {
        self.value(name).is_some()
    }
    /// All parameters in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }
}

fn decode(raw: &str) -> Result<String, S3Error> {
    percent::decode(raw)
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| S3Error::new(ErrorCode::InvalidURI))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::Query;
    use crate::error::ErrorCode;

    #[test]
    fn parameters_in_every_form() {
        let query = Query::parse("acl&delete=&prefix=a%2Fb+c%2B&a=1=2&a=3&&n%61me=%C3%A9").unwrap();
        assert_eq!(query.value("acl"), Some(""));
        assert_eq!(query.value("delete"), Some(""));
        assert_eq!(query.value("prefix"), Some("a/b c+"));
        assert_eq!(query.value("a"), Some("1=2"));
        assert_eq!(query.value("name"), Some("é"));
        assert!(!query.contains("ACL"));
        assert_eq!(query.iter().count(), 6);
        assert_eq!(Query::parse("").unwrap(), Query::default());
    }

    #[test]
    fn malformed_queries() {
        for bad in ["a=%", "%zz", "a=%ff", "%ff=a"] {
            assert_eq!(Query::parse(bad).unwrap_err().code, ErrorCode::InvalidURI);
        }
    }
}
