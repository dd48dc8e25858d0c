//! Which pages of other origins may use a bucket (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html>).

use super::cors_headers::CorsHeaders;
use crate::{
    error::{ErrorCode, S3Error},
    limits::{
        CORS_CONFIGURATION_BYTES_MAX, CORS_EXPOSE_BYTES_MAX, CORS_RULES_MAX, ORIGIN_BYTES_MAX, RULE_ID_CHARS_MAX,
    },
    s3::{
        xml_document,
        xml_read::{Document, integer, malformed, set_once},
    },
};
use serde::{Deserialize, Serialize};

/// The methods a rule may name.
pub const METHODS: [&str; 5] = ["GET", "PUT", "HEAD", "POST", "DELETE"];

/// `<CORSConfiguration>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorsConfiguration {
    /// 1 to 100; the first that fits counts.
    pub rules: Vec<CorsRule>,
}

/// `<CORSRule>`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CorsRule {
    /// Its name, at most 255 characters.
    pub id: Option<String>,
    /// Origins, at least one, each with at most one `*`.
    pub allowed_origins: Vec<String>,
    /// Of [`METHODS`], at least one.
    pub allowed_methods: Vec<String>,
    /// Headers of preflights, each with at most one `*`.
    pub allowed_headers: Vec<String>,
    /// Headers of answers that scripts may read.
    pub expose_headers: Vec<String>,
    /// How long a browser may remember the answer to a preflight.
    pub max_age_s: Option<u32>,
}

impl CorsConfiguration {
    /// Parses it, and refuses what S3 refuses.
    pub fn parse(body: &[u8]) -> Result<Self, S3Error> {
        if body.len() > CORS_CONFIGURATION_BYTES_MAX {
            return Err(ErrorCode::MaxMessageLengthExceeded.into());
        }
        let mut document = Document::open(body, "CORSConfiguration")?;
        let mut rules = Vec::new();
        while let Some(name) = document.next_child()? {
            match name.as_str() {
                "CORSRule" => rules.push(CorsRule::read(&mut document)?),
                _ => return Err(malformed()),
            }
        }
        document.close()?;
        if rules.is_empty() {
            return Err(malformed());
        }
        if rules.len() > CORS_RULES_MAX {
            return Err(invalid(format!(
                "The number of CORS rules should not exceed allowed limit of {CORS_RULES_MAX} rules."
            )));
        }
        rules.iter().try_for_each(CorsRule::check)?;
        Ok(Self { rules })
    }

    /// Writes it.
    pub fn write(&self) -> Vec<u8> {
        let mut document = xml_document::Document::new();
        document.root("CORSConfiguration", |document| {
            for rule in &self.rules {
                document.element("CORSRule", |document| rule.write(document));
            }
        });
        document.finish()
    }

    /// What a request of an origin is granted; `None`: nothing. `headers`: what a preflight asks for.
    pub fn grant(&self, origin: &str, method: &str, headers: &[&str]) -> Option<CorsHeaders> {
        if origin.len() > ORIGIN_BYTES_MAX {
            return None;
        }
        let rule = self.rules.iter().find(|rule| rule.fits(origin, method, headers))?;
        let is_for_all = rule
            .allowed_origins
            .iter()
            .find(|pattern| matches(pattern, origin))
            .is_some_and(|pattern| pattern == "*");
        let asked: Vec<String> = headers.iter().map(|header| header.to_ascii_lowercase()).collect();
        Some(CorsHeaders {
            allow_origin: if is_for_all { "*" } else { origin }.to_owned(),
            allow_methods: rule.methods().join(", "),
            allow_headers: asked.join(", "),
            expose_headers: rule.expose_headers.join(", "),
            max_age_s: rule.max_age_s,
        })
    }
}

impl CorsRule {
    fn read(document: &mut Document<'_>) -> Result<Self, S3Error> {
        let mut rule = Self::default();
        while let Some(name) = document.next_child()? {
            let text = document.text()?;
            match name.as_str() {
                "ID" => set_once(&mut rule.id, text)?,
                "AllowedOrigin" => rule.allowed_origins.push(text),
                "AllowedMethod" => rule.allowed_methods.push(text),
                "AllowedHeader" => rule.allowed_headers.push(text),
                "ExposeHeader" => rule.expose_headers.push(text),
                "MaxAgeSeconds" => {
                    let seconds = i32::try_from(integer(&text)?).ok().and_then(|s| u32::try_from(s).ok());
                    set_once(&mut rule.max_age_s, seconds.ok_or_else(malformed)?)?;
                }
                _ => return Err(malformed()),
            }
        }
        Ok(rule)
    }

    fn check(&self) -> Result<(), S3Error> {
        if self.allowed_origins.is_empty() || self.allowed_methods.is_empty() {
            return Err(malformed());
        }
        if self
            .id
            .as_ref()
            .is_some_and(|id| id.chars().nth(RULE_ID_CHARS_MAX).is_some())
        {
            return Err(invalid(format!(
                "The ID of a CORS rule should not exceed allowed limit of {RULE_ID_CHARS_MAX} characters."
            )));
        }
        if let Some(other) = self
            .allowed_methods
            .iter()
            .find(|method| !METHODS.contains(&method.as_str()))
        {
            return Err(invalid(format!(
                "Found unsupported HTTP method in CORS config. Unsupported method is {other}"
            )));
        }
        if self.allowed_origins.iter().any(String::is_empty) {
            return Err(invalid("AllowedOrigin can not be empty.".to_owned()));
        }
        for (element, patterns) in [
            ("AllowedOrigin", &self.allowed_origins),
            ("AllowedHeader", &self.allowed_headers),
        ] {
            if let Some(pattern) = patterns.iter().find(|pattern| pattern.matches('*').count() > 1) {
                return Err(invalid(format!(
                    "{element} \"{pattern}\" can not have more than one wildcard."
                )));
            }
        }
        if let Some(header) = self.expose_headers.iter().find(|header| header.contains('*')) {
            return Err(invalid(format!(
                "ExposeHeader \"{header}\" contains wildcard. We currently do not support wildcard for ExposeHeader."
            )));
        }
        if self.expose_headers.join(", ").len() > CORS_EXPOSE_BYTES_MAX {
            return Err(invalid(format!(
                "The ExposeHeader elements of a CORS rule should not exceed allowed limit of {CORS_EXPOSE_BYTES_MAX} bytes."
            )));
        }
        let mut texts = [&self.allowed_origins, &self.allowed_headers, &self.expose_headers]
            .into_iter()
            .flatten();
        // They become headers of answers.
        if texts.any(|text| text.chars().any(char::is_control)) {
            return Err(malformed());
        }
        Ok(())
    }

    fn fits(&self, origin: &str, method: &str, headers: &[&str]) -> bool {
        let allows_header = |header: &&str| {
            let header = header.to_ascii_lowercase();
            self.allowed_headers
                .iter()
                .any(|pattern| matches(&pattern.to_ascii_lowercase(), &header))
        };
        self.allowed_origins.iter().any(|pattern| matches(pattern, origin))
            && self.allowed_methods.iter().any(|allowed| allowed == method)
            && headers.iter().all(allows_header)
    }

    /// Its methods, each once.
    fn methods(&self) -> Vec<&str> {
        let mut methods: Vec<&str> = Vec::new();
        for method in &self.allowed_methods {
            if !methods.contains(&method.as_str()) {
                methods.push(method);
            }
        }
        methods
    }

    fn write(&self, document: &mut xml_document::Document) {
        if let Some(id) = &self.id {
            document.text("ID", id);
        }
        for (element, texts) in [
            ("AllowedMethod", &self.allowed_methods),
            ("AllowedOrigin", &self.allowed_origins),
            ("AllowedHeader", &self.allowed_headers),
            ("ExposeHeader", &self.expose_headers),
        ] {
            for text in texts {
                document.text(element, text);
            }
        }
        if let Some(max_age_s) = self.max_age_s {
            document.number("MaxAgeSeconds", max_age_s);
        }
    }
}

/// Whether a text is what a pattern with at most one `*` stands for.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, end)) => text.strip_prefix(start).is_some_and(|rest| rest.ends_with(end)),
    }
}

fn invalid(message: String) -> S3Error {
    S3Error::with_message(ErrorCode::InvalidRequest, message)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{CorsConfiguration, CorsRule, METHODS, matches};
    use crate::{error::ErrorCode, limits::CORS_CONFIGURATION_BYTES_MAX};
    use proptest::{
        collection::vec,
        option,
        prelude::{Strategy, prop_assert, prop_assert_eq, proptest},
        sample::select,
    };

    fn rule(content: &str) -> String {
        format!("<CORSConfiguration><CORSRule>{content}</CORSRule></CORSConfiguration>")
    }

    const MINIMUM: &str = "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>";

    #[test]
    fn what_s3_refuses() {
        let one = rule(MINIMUM);
        assert!(CorsConfiguration::parse(one.as_bytes()).is_ok());
        let id = |length: usize| rule(&format!("{MINIMUM}<ID>{}</ID>", "é".repeat(length)));
        assert!(CorsConfiguration::parse(id(255).as_bytes()).is_ok());
        let many = |count: usize| {
            let rules = format!("<CORSRule>{MINIMUM}</CORSRule>").repeat(count);
            format!("<CORSConfiguration>{rules}</CORSConfiguration>")
        };
        assert!(CorsConfiguration::parse(many(100).as_bytes()).is_ok());
        for (body, code) in [
            ("<CORSConfiguration/>".to_owned(), ErrorCode::MalformedXML),
            (rule(""), ErrorCode::MalformedXML),
            (rule("<AllowedOrigin>*</AllowedOrigin>"), ErrorCode::MalformedXML),
            (rule("<AllowedMethod>GET</AllowedMethod>"), ErrorCode::MalformedXML),
            (rule(&format!("{MINIMUM}<Other/>")), ErrorCode::MalformedXML),
            (rule(&format!("{MINIMUM}<ID>a</ID><ID>b</ID>")), ErrorCode::MalformedXML),
            (
                rule(&format!("{MINIMUM}<MaxAgeSeconds>x</MaxAgeSeconds>")),
                ErrorCode::MalformedXML,
            ),
            (
                rule(&format!("{MINIMUM}<MaxAgeSeconds>-1</MaxAgeSeconds>")),
                ErrorCode::MalformedXML,
            ),
            (
                rule(&format!("{MINIMUM}<MaxAgeSeconds>2147483648</MaxAgeSeconds>")),
                ErrorCode::MalformedXML,
            ),
            (
                rule(&format!("{MINIMUM}<AllowedOrigin>a&#10;b</AllowedOrigin>")),
                ErrorCode::MalformedXML,
            ),
            (
                rule(&format!("{MINIMUM}<AllowedMethod>PATCH</AllowedMethod>")),
                ErrorCode::InvalidRequest,
            ),
            (
                rule(&format!("{MINIMUM}<AllowedMethod>get</AllowedMethod>")),
                ErrorCode::InvalidRequest,
            ),
            (
                rule(&format!("{MINIMUM}<AllowedOrigin>a*b*</AllowedOrigin>")),
                ErrorCode::InvalidRequest,
            ),
            (rule(&format!("{MINIMUM}<AllowedOrigin/>")), ErrorCode::InvalidRequest),
            (
                rule(&format!("{MINIMUM}<AllowedHeader>**</AllowedHeader>")),
                ErrorCode::InvalidRequest,
            ),
            (
                rule(&format!("{MINIMUM}<ExposeHeader>*</ExposeHeader>")),
                ErrorCode::InvalidRequest,
            ),
            (
                rule(&format!("{MINIMUM}<ExposeHeader>{}</ExposeHeader>", "x".repeat(1025))),
                ErrorCode::InvalidRequest,
            ),
            (id(256), ErrorCode::InvalidRequest),
            (many(101), ErrorCode::InvalidRequest),
            (
                " ".repeat(CORS_CONFIGURATION_BYTES_MAX) + &one,
                ErrorCode::MaxMessageLengthExceeded,
            ),
        ] {
            let error = CorsConfiguration::parse(body.as_bytes()).unwrap_err();
            assert_eq!(error.code, code, "{body:.200}");
        }
    }

    #[test]
    fn the_first_rule_that_fits_counts() {
        let named = CorsRule {
            allowed_origins: vec!["http://*.a.org".to_owned()],
            allowed_methods: vec!["PUT".to_owned(), "POST".to_owned()],
            allowed_headers: vec!["x-amz-*".to_owned(), "Content-Type".to_owned()],
            max_age_s: Some(5),
            ..CorsRule::default()
        };
        let all = CorsRule {
            allowed_origins: vec!["*".to_owned()],
            allowed_methods: vec!["GET".to_owned()],
            expose_headers: vec!["ETag".to_owned(), "x-a".to_owned()],
            ..CorsRule::default()
        };
        let configuration = CorsConfiguration {
            rules: vec![named, all],
        };
        let put = configuration
            .grant("http://x.a.org", "PUT", &["X-Amz-Date", "content-type"])
            .unwrap();
        assert_eq!(put.allow_origin, "http://x.a.org");
        assert_eq!(put.allow_methods, "PUT, POST");
        assert_eq!(put.allow_headers, "x-amz-date, content-type");
        assert_eq!(put.max_age_s, Some(5));
        let get = configuration.grant("http://x.a.org", "GET", &[]).unwrap();
        assert_eq!(
            (get.allow_origin.as_str(), get.expose_headers.as_str()),
            ("*", "ETag, x-a")
        );
        assert_eq!(configuration.grant("http://x.a.org", "PUT", &["x-other"]), None);
        assert_eq!(configuration.grant("https://x.a.org", "PUT", &[]), None);
        assert_eq!(configuration.grant("http://x.a.org", "DELETE", &[]), None);
        assert_eq!(configuration.grant(&"o".repeat(513), "GET", &[]), None);
        // No rule of all origins allows headers.
        assert_eq!(configuration.grant("http://b", "GET", &["x-amz-date"]), None);
    }

    #[test]
    fn wildcards() {
        assert!(matches("http://*", "http://"));
        assert!(matches("*", ""));
        assert!(matches("ab*ba", "abba"));
        assert!(!matches("ab*ba", "aba"));
        assert!(!matches("", "a"));
    }

    fn rules() -> impl Strategy<Value = CorsRule> {
        (
            option::of("[a-zé<&]{0,20}"),
            vec("[a-z:/.]{1,10}\\*?", 1..4),
            vec(select(METHODS.as_slice()).prop_map(str::to_owned), 1..4),
            vec("[a-zA-Z-]{0,10}\\*?", 0..4),
            vec("[a-zA-Z-]{1,10}", 0..4),
            option::of(0u32..=2_147_483_647),
        )
            .prop_map(
                |(id, allowed_origins, allowed_methods, allowed_headers, expose_headers, max_age_s)| CorsRule {
                    id,
                    allowed_origins,
                    allowed_methods,
                    allowed_headers,
                    expose_headers,
                    max_age_s,
                },
            )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(rules in vec(rules(), 1..10)) {
            let configuration = CorsConfiguration { rules };
            prop_assert_eq!(CorsConfiguration::parse(&configuration.write()).unwrap(), configuration);
        }

        #[test]
        fn nothing_parses_into_a_panic(body in vec(proptest::num::u8::ANY, 0..200)) {
            prop_assert!(CorsConfiguration::parse(&body).is_err());
        }
    }
}
