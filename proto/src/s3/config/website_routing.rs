//! Where a website sends a request, without I/O
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-page-redirect.html>).

use super::website::{Protocol, Redirect, RedirectAll, ReplaceKey, RoutingRule, Site};
use crate::http::percent;

/// A redirect to answer with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// 301, or what the rule says.
    pub status: u16,
    /// The value of Location.
    pub location: String,
}

/// The status of a redirect that names none.
const STATUS: u16 = 301;

impl RedirectAll {
    /// Where a request goes. `scheme`: as it came; `target`: its path and query as sent.
    pub fn moved(&self, scheme: &str, target: &str) -> Moved {
        let scheme = scheme_of(self.protocol, scheme);
        Moved {
            status: STATUS,
            location: format!("{scheme}://{}{target}", self.host_name),
        }
    }
}

impl Site {
    /// The key of a request for a directory: the site itself, or what ends in a slash.
    pub fn served_key(&self, key: &str) -> String {
        match key.is_empty() || key.ends_with('/') {
            true => format!("{key}{}", self.index_suffix),
            false => key.to_owned(),
        }
    }

    /// The redirect of a request before it is looked for, or, with the status of its failure, after that. `host`: where
    /// the site is.
    pub fn redirect(&self, key: &str, error_status: Option<u16>, scheme: &str, host: &str) -> Option<Moved> {
        let rule = self.routing_rules.iter().find(|rule| rule.fits(key, error_status))?;
        Some(rule.moved(key, scheme, host))
    }
}

impl RoutingRule {
    fn fits(&self, key: &str, error_status: Option<u16>) -> bool {
        let Some(condition) = &self.condition else {
            return error_status.is_none();
        };
        let has_prefix = condition
            .key_prefix
            .as_deref()
            .is_none_or(|prefix| key.starts_with(prefix));
        has_prefix && condition.error_status == error_status
    }

    fn moved(&self, key: &str, scheme: &str, host: &str) -> Moved {
        let Redirect {
            host_name,
            protocol,
            key: replace,
            status,
        } = &self.redirect;
        let prefix = self
            .condition
            .as_ref()
            .and_then(|condition| condition.key_prefix.as_deref())
            .unwrap_or_default();
        let key = match replace {
            None => key.to_owned(),
            Some(ReplaceKey::Whole(whole)) => whole.clone(),
            Some(ReplaceKey::Prefix(with)) => format!("{with}{}", key.strip_prefix(prefix).unwrap_or(key)),
        };
        let scheme = scheme_of(*protocol, scheme);
        let host = host_name.as_deref().unwrap_or(host);
        Moved {
            status: status.unwrap_or(STATUS),
            location: format!("{scheme}://{host}/{}", percent::encode(key.as_bytes(), true)),
        }
    }
}

fn scheme_of(protocol: Option<Protocol>, otherwise: &str) -> &str {
    match protocol {
        Some(protocol) => protocol.as_str(),
        None => otherwise,
    }
}

#[cfg(test)]
mod tests {
    use super::Moved;
    use crate::s3::config::website::{Condition, Protocol, Redirect, RedirectAll, ReplaceKey, RoutingRule, Site};

    fn site(condition: Option<(Option<&str>, Option<u16>)>, redirect: Redirect) -> Site {
        Site {
            index_suffix: "index.html".to_owned(),
            error_key: None,
            routing_rules: vec![RoutingRule {
                condition: condition.map(|(prefix, error_status)| Condition {
                    key_prefix: prefix.map(str::to_owned),
                    error_status,
                }),
                redirect,
            }],
        }
    }

    fn location(site: &Site, key: &str, status: Option<u16>) -> Option<String> {
        site.redirect(key, status, "http", "site.d:1")
            .map(|moved| moved.location)
    }

    #[test]
    fn everything_elsewhere() {
        let all = |protocol| RedirectAll {
            host_name: "h".to_owned(),
            protocol,
        };
        let moved = |location: &str| Moved {
            status: 301,
            location: location.to_owned(),
        };
        assert_eq!(all(None).moved("http", "/a%20b?c"), moved("http://h/a%20b?c"));
        assert_eq!(all(Some(Protocol::Https)).moved("http", "/"), moved("https://h/"));
    }

    #[test]
    fn prefixes_before_and_errors_after() {
        let replace = |key| Redirect {
            key: Some(key),
            ..Redirect::default()
        };
        let renamed = site(
            Some((Some("docs/"), None)),
            replace(ReplaceKey::Prefix("documents/".to_owned())),
        );
        assert_eq!(
            location(&renamed, "docs/a b", None).as_deref(),
            Some("http://site.d:1/documents/a%20b")
        );
        assert_eq!(location(&renamed, "docs/a", Some(404)), None);
        assert_eq!(location(&renamed, "other", None), None);

        let missing = site(
            Some((None, Some(404))),
            replace(ReplaceKey::Prefix("report-404/".to_owned())),
        );
        assert_eq!(location(&missing, "x", None), None);
        assert_eq!(location(&missing, "x", Some(403)), None);
        assert_eq!(
            location(&missing, "x", Some(404)).as_deref(),
            Some("http://site.d:1/report-404/x")
        );

        let both = site(
            Some((Some("img/"), Some(404))),
            replace(ReplaceKey::Whole("error.png".to_owned())),
        );
        assert_eq!(
            location(&both, "img/a", Some(404)).as_deref(),
            Some("http://site.d:1/error.png")
        );
        assert_eq!(location(&both, "a", Some(404)), None);
    }

    #[test]
    fn hosts_protocols_and_statuses() {
        let away = Redirect {
            host_name: Some("other.org".to_owned()),
            protocol: Some(Protocol::Https),
            status: Some(307),
            ..Redirect::default()
        };
        let always = site(None, away);
        assert_eq!(
            always.redirect("k", None, "http", "site"),
            Some(Moved {
                status: 307,
                location: "https://other.org/k".to_owned()
            })
        );
        assert_eq!(always.redirect("k", Some(404), "http", "site"), None);
        assert_eq!(always.served_key(""), "index.html");
        assert_eq!(always.served_key("a/"), "a/index.html");
        assert_eq!(always.served_key("a"), "a");
    }
}
