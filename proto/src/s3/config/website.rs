//! A bucket as a web site (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketWebsite.html>): the configuration,
//! and how S3 writes it.

use crate::s3::xml_document::Document;
use serde::{Deserialize, Serialize};

/// `<WebsiteConfiguration>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum WebsiteConfiguration {
    /// Every request is sent to another host.
    RedirectAll(RedirectAll),
    /// Objects are served.
    Site(Site),
}

/// `<RedirectAllRequestsTo>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedirectAll {
    /// Where to.
    pub host_name: String,
    /// How; as the request came unless named.
    pub protocol: Option<Protocol>,
}

/// A site of objects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Site {
    /// What stands for a directory: the suffix of `IndexDocument`.
    pub index_suffix: String,
    /// The object that tells of errors of the 4xx class.
    pub error_key: Option<String>,
    /// The first that fits counts.
    pub routing_rules: Vec<RoutingRule>,
}

/// `<RoutingRule>`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RoutingRule {
    /// When; `None`: always.
    pub condition: Option<Condition>,
    /// Where to.
    pub redirect: Redirect,
}

/// `<Condition>`: what it names must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Condition {
    /// What the key begins with.
    pub key_prefix: Option<String>,
    /// The status without the redirect.
    pub error_status: Option<u16>,
}

/// `<Redirect>`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Redirect {
    /// Another host.
    pub host_name: Option<String>,
    /// Another protocol.
    pub protocol: Option<Protocol>,
    /// Another key.
    pub key: Option<ReplaceKey>,
    /// Another status than 301.
    pub status: Option<u16>,
}

/// What becomes of the key in a redirect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReplaceKey {
    /// `<ReplaceKeyPrefixWith>`: its beginning is replaced.
    Prefix(String),
    /// `<ReplaceKeyWith>`: all of it is.
    Whole(String),
}

/// `http` or `https`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Protocol {
    Http,
    Https,
}

impl Protocol {
    /// As in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl WebsiteConfiguration {
    /// Writes it.
    pub fn write(&self) -> Vec<u8> {
        let mut document = Document::new();
        document.root("WebsiteConfiguration", |document| match self {
            Self::RedirectAll(redirect) => document.element("RedirectAllRequestsTo", |document| {
                document.text("HostName", &redirect.host_name);
                if let Some(protocol) = redirect.protocol {
                    document.text("Protocol", protocol.as_str());
                }
            }),
            Self::Site(site) => site.write(document),
        });
        document.finish()
    }
}

impl Site {
    fn write(&self, document: &mut Document) {
        document.element("IndexDocument", |document| document.text("Suffix", &self.index_suffix));
        if let Some(key) = &self.error_key {
            document.element("ErrorDocument", |document| document.text("Key", key));
        }
        if self.routing_rules.is_empty() {
            return;
        }
        document.element("RoutingRules", |document| {
            for rule in &self.routing_rules {
                document.element("RoutingRule", |document| rule.write(document));
            }
        });
    }
}

impl RoutingRule {
    fn write(&self, document: &mut Document) {
        if let Some(condition) = &self.condition {
            document.element("Condition", |document| {
                if let Some(prefix) = &condition.key_prefix {
                    document.text("KeyPrefixEquals", prefix);
                }
                if let Some(status) = condition.error_status {
                    document.number("HttpErrorCodeReturnedEquals", status);
                }
            });
        }
        document.element("Redirect", |document| {
            if let Some(protocol) = self.redirect.protocol {
                document.text("Protocol", protocol.as_str());
            }
            if let Some(host_name) = &self.redirect.host_name {
                document.text("HostName", host_name);
            }
            match &self.redirect.key {
                Some(ReplaceKey::Prefix(prefix)) => document.text("ReplaceKeyPrefixWith", prefix),
                Some(ReplaceKey::Whole(key)) => document.text("ReplaceKeyWith", key),
                None => {}
            }
            if let Some(status) = self.redirect.status {
                document.number("HttpRedirectCode", status);
            }
        });
    }
}
