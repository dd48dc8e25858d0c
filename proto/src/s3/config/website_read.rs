//! Reads a website configuration, and refuses what S3 refuses.

use super::website::{Condition, Protocol, Redirect, RedirectAll, ReplaceKey, RoutingRule, Site, WebsiteConfiguration};
use crate::{
    error::{ErrorCode, S3Error},
    limits::ROUTING_RULES_MAX,
    s3::xml_read::{Document, malformed, set_once},
};

impl WebsiteConfiguration {
    /// Parses it.
    pub fn parse(body: &[u8]) -> Result<Self, S3Error> {
        let mut document = Document::open(body, "WebsiteConfiguration")?;
        let (mut redirect, mut index, mut error, mut rules) = (None, None, None, None);
        while let Some(name) = document.next_child()? {
            match name.as_str() {
                "RedirectAllRequestsTo" => set_once(&mut redirect, redirect_all(&mut document)?)?,
                "IndexDocument" => set_once(&mut index, only_text(&mut document, "Suffix")?)?,
                "ErrorDocument" => set_once(&mut error, only_text(&mut document, "Key")?)?,
                "RoutingRules" => set_once(&mut rules, routing_rules(&mut document)?)?,
                _ => return Err(malformed()),
            }
        }
        document.close()?;
        match (redirect, index) {
            (Some(redirect), None) if error.is_none() && rules.is_none() => Ok(Self::RedirectAll(redirect)),
            (Some(_), _) => Err(malformed()),
            (None, None) => Err(index_error(
                "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty",
                "null",
            )),
            (None, Some(suffix)) => site(suffix, error, rules.unwrap_or_default()).map(Self::Site),
        }
    }
}

fn site(
    index: Option<String>,
    error: Option<Option<String>>,
    routing_rules: Vec<RoutingRule>,
) -> Result<Site, S3Error> {
    let index_suffix = index.unwrap_or_default();
    if index_suffix.is_empty() || index_suffix.contains('/') {
        return Err(index_error(
            "The IndexDocument Suffix is not well formed",
            &index_suffix,
        ));
    }
    let error_key = match error {
        Some(key) => Some(key.filter(|key| !key.is_empty()).ok_or_else(malformed)?),
        None => None,
    };
    if routing_rules.len() > ROUTING_RULES_MAX {
        return Err(invalid(format!(
            "{} routing rules provided, the number of routing rules in a website configuration is limited to \
             {ROUTING_RULES_MAX}.",
            routing_rules.len()
        )));
    }
    Ok(Site {
        index_suffix,
        error_key,
        routing_rules,
    })
}

fn redirect_all(document: &mut Document<'_>) -> Result<RedirectAll, S3Error> {
    let (mut host_name, mut protocol) = (None, None);
    while let Some(name) = document.next_child()? {
        let text = document.text()?;
        match name.as_str() {
            "HostName" => set_once(&mut host_name, host(text)?)?,
            "Protocol" => set_once(&mut protocol, parse_protocol(&text)?)?,
            _ => return Err(malformed()),
        }
    }
    Ok(RedirectAll {
        host_name: host_name.ok_or_else(malformed)?,
        protocol,
    })
}

/// The text of an element's only child, if it has one.
fn only_text(document: &mut Document<'_>, child: &str) -> Result<Option<String>, S3Error> {
    let mut text = None;
    while let Some(name) = document.next_child()? {
        match name == child {
            true => set_once(&mut text, document.text()?)?,
            false => return Err(malformed()),
        }
    }
    Ok(text)
}

fn routing_rules(document: &mut Document<'_>) -> Result<Vec<RoutingRule>, S3Error> {
    let mut rules = Vec::new();
    while let Some(name) = document.next_child()? {
        match name.as_str() {
            "RoutingRule" => rules.push(routing_rule(document)?),
            _ => return Err(malformed()),
        }
    }
    match rules.is_empty() {
        true => Err(malformed()),
        false => Ok(rules),
    }
}

fn routing_rule(document: &mut Document<'_>) -> Result<RoutingRule, S3Error> {
    let (mut when, mut to) = (None, None);
    while let Some(name) = document.next_child()? {
        match name.as_str() {
            "Condition" => set_once(&mut when, condition(document)?)?,
            "Redirect" => set_once(&mut to, redirect(document)?)?,
            _ => return Err(malformed()),
        }
    }
    let rule = RoutingRule {
        condition: when,
        redirect: to.ok_or_else(malformed)?,
    };
    let replaces_prefix = matches!(rule.redirect.key, Some(ReplaceKey::Prefix(_)));
    let names_prefix = rule
        .condition
        .as_ref()
        .is_none_or(|condition| condition.key_prefix.is_some());
    let names_status = rule
        .condition
        .as_ref()
        .is_some_and(|condition| condition.error_status.is_some());
    // There would be nothing to replace.
    match replaces_prefix && !names_prefix && !names_status {
        true => Err(malformed()),
        false => Ok(rule),
    }
}

fn condition(document: &mut Document<'_>) -> Result<Condition, S3Error> {
    let mut condition = Condition::default();
    while let Some(name) = document.next_child()? {
        let text = document.text()?;
        match name.as_str() {
            "KeyPrefixEquals" => set_once(&mut condition.key_prefix, text)?,
            "HttpErrorCodeReturnedEquals" => {
                let status = text
                    .trim_ascii()
                    .parse()
                    .ok()
                    .filter(|status| (400..=599).contains(status));
                let status = status.ok_or_else(|| {
                    invalid(format!(
                        "The provided HTTP error code ({text}) is not valid. Valid codes are 4XX or 5XX."
                    ))
                })?;
                set_once(&mut condition.error_status, status)?;
            }
            _ => return Err(malformed()),
        }
    }
    match condition == Condition::default() {
        true => Err(invalid(
            "Condition cannot be empty. To redirect all requests without a condition, the condition element shouldn't be \
             present."
                .to_owned(),
        )),
        false => Ok(condition),
    }
}

fn redirect(document: &mut Document<'_>) -> Result<Redirect, S3Error> {
    let mut redirect = Redirect::default();
    while let Some(name) = document.next_child()? {
        let text = document.text()?;
        let key = match name.as_str() {
            "HostName" => {
                set_once(&mut redirect.host_name, host(text)?)?;
                continue;
            }
            "Protocol" => {
                set_once(&mut redirect.protocol, parse_protocol(&text)?)?;
                continue;
            }
            "HttpRedirectCode" => {
                set_once(&mut redirect.status, redirect_status(&text)?)?;
                continue;
            }
            "ReplaceKeyPrefixWith" => ReplaceKey::Prefix(text),
            "ReplaceKeyWith" => ReplaceKey::Whole(text),
            _ => return Err(malformed()),
        };
        if redirect.key.replace(key).is_some() {
            return Err(invalid(
                "You can only define ReplaceKeyPrefix or ReplaceKey but not both.".to_owned(),
            ));
        }
    }
    match redirect == Redirect::default() {
        true => Err(malformed()),
        false => Ok(redirect),
    }
}

fn redirect_status(text: &str) -> Result<u16, S3Error> {
    let status = text
        .trim_ascii()
        .parse()
        .ok()
        .filter(|status| (301..=399).contains(status));
    status.ok_or_else(|| {
        invalid(format!(
            "The provided HTTP redirect code ({text}) is not valid. Valid codes are 3XX except 300."
        ))
    })
}

fn parse_protocol(text: &str) -> Result<Protocol, S3Error> {
    match text {
        "http" => Ok(Protocol::Http),
        "https" => Ok(Protocol::Https),
        _ => Err(invalid(
            "Invalid protocol, protocol can be http or https. If not defined the protocol will be selected automatically."
                .to_owned(),
        )),
    }
}

/// A host name goes into a Location as it is.
fn host(text: String) -> Result<String, S3Error> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    match is_plain {
        true => Ok(text),
        false => Err(malformed()),
    }
}

fn index_error(message: &'static str, value: &str) -> S3Error {
    S3Error::with_message(ErrorCode::InvalidArgument, message)
        .field("ArgumentName", "IndexDocument")
        .field("ArgumentValue", value)
}

fn invalid(message: String) -> S3Error {
    S3Error::with_message(ErrorCode::InvalidRequest, message)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Condition, Protocol, Redirect, RedirectAll, ReplaceKey, RoutingRule, Site, WebsiteConfiguration};
    use crate::error::ErrorCode;
    use proptest::{
        collection::vec,
        option,
        prelude::{Just, Strategy, prop_assert, prop_assert_eq, prop_oneof, proptest},
    };

    fn parse(content: &str) -> Result<WebsiteConfiguration, ErrorCode> {
        let body = format!("<WebsiteConfiguration>{content}</WebsiteConfiguration>");
        WebsiteConfiguration::parse(body.as_bytes()).map_err(|error| error.code)
    }

    fn rule(content: &str) -> Result<WebsiteConfiguration, ErrorCode> {
        parse(&format!(
            "<IndexDocument><Suffix>i</Suffix></IndexDocument><RoutingRules><RoutingRule>{content}</RoutingRule></RoutingRules>"
        ))
    }

    #[test]
    fn what_s3_refuses() {
        const INDEX: &str = "<IndexDocument><Suffix>i</Suffix></IndexDocument>";
        const ALL: &str = "<RedirectAllRequestsTo><HostName>h</HostName></RedirectAllRequestsTo>";
        assert!(parse(INDEX).is_ok() && parse(ALL).is_ok());
        let rules = |count: usize| {
            let rule = "<RoutingRule><Redirect><HostName>h</HostName></Redirect></RoutingRule>".repeat(count);
            parse(&format!("{INDEX}<RoutingRules>{rule}</RoutingRules>"))
        };
        assert!(rules(50).is_ok());
        assert_eq!(rules(51), Err(ErrorCode::InvalidRequest));
        assert_eq!(rules(0), Err(ErrorCode::MalformedXML));
        for (content, code) in [
            (String::new(), ErrorCode::InvalidArgument),
            ("<IndexDocument/>".to_owned(), ErrorCode::InvalidArgument),
            (
                "<IndexDocument><Suffix/></IndexDocument>".to_owned(),
                ErrorCode::InvalidArgument,
            ),
            (
                "<IndexDocument><Suffix>a/b</Suffix></IndexDocument>".to_owned(),
                ErrorCode::InvalidArgument,
            ),
            (format!("{INDEX}{ALL}"), ErrorCode::MalformedXML),
            (format!("{INDEX}<ErrorDocument/>"), ErrorCode::MalformedXML),
            (
                "<ErrorDocument><Key>k</Key></ErrorDocument>".to_owned(),
                ErrorCode::InvalidArgument,
            ),
            (format!("{INDEX}<Other/>"), ErrorCode::MalformedXML),
            ("<RedirectAllRequestsTo/>".to_owned(), ErrorCode::MalformedXML),
            (
                "<RedirectAllRequestsTo><HostName>a b</HostName></RedirectAllRequestsTo>".to_owned(),
                ErrorCode::MalformedXML,
            ),
            (
                "<RedirectAllRequestsTo><HostName>h</HostName><Protocol>ftp</Protocol></RedirectAllRequestsTo>"
                    .to_owned(),
                ErrorCode::InvalidRequest,
            ),
        ] {
            assert_eq!(parse(&content), Err(code), "{content}");
        }
    }

    #[test]
    fn rules_that_s3_refuses() {
        const TO: &str = "<Redirect><HostName>h</HostName></Redirect>";
        assert!(rule(TO).is_ok());
        for (content, code) in [
            ("".to_owned(), ErrorCode::MalformedXML),
            ("<Redirect/>".to_owned(), ErrorCode::MalformedXML),
            (format!("<Condition/>{TO}"), ErrorCode::InvalidRequest),
            (
                format!("<Condition><HttpErrorCodeReturnedEquals>399</HttpErrorCodeReturnedEquals></Condition>{TO}"),
                ErrorCode::InvalidRequest,
            ),
            (
                "<Redirect><HttpRedirectCode>300</HttpRedirectCode></Redirect>".to_owned(),
                ErrorCode::InvalidRequest,
            ),
            (
                "<Redirect><HttpRedirectCode>200</HttpRedirectCode></Redirect>".to_owned(),
                ErrorCode::InvalidRequest,
            ),
            (
                "<Redirect><ReplaceKeyWith>a</ReplaceKeyWith><ReplaceKeyPrefixWith>b</ReplaceKeyPrefixWith></Redirect>"
                    .to_owned(),
                ErrorCode::InvalidRequest,
            ),
        ] {
            assert_eq!(rule(&content), Err(code), "{content}");
        }
    }

    fn protocols() -> impl Strategy<Value = Option<Protocol>> {
        option::of(prop_oneof![Just(Protocol::Http), Just(Protocol::Https)])
    }

    fn routing_rules() -> impl Strategy<Value = RoutingRule> {
        let key = prop_oneof![
            "[a-z/<&]{0,9}".prop_map(ReplaceKey::Prefix),
            "[a-z/<&]{0,9}".prop_map(ReplaceKey::Whole)
        ];
        (
            ("[a-z/<&]{0,9}", option::of(400u16..600)),
            protocols(),
            "[a-z.]{1,9}",
            option::of(key),
            option::of(301u16..400),
        )
            .prop_map(
                |((key_prefix, error_status), protocol, host_name, key, status)| RoutingRule {
                    condition: Some(Condition {
                        key_prefix: Some(key_prefix),
                        error_status,
                    }),
                    redirect: Redirect {
                        host_name: Some(host_name),
                        protocol,
                        key,
                        status,
                    },
                },
            )
    }

    proptest! {
        #[test]
        fn sites_are_read_back(
            index_suffix in "[a-z.]{1,9}", error_key in option::of("[a-z/&]{1,9}"), routing_rules in vec(routing_rules(), 0..9)
        ) {
            let configuration = WebsiteConfiguration::Site(Site { index_suffix, error_key, routing_rules });
            prop_assert_eq!(WebsiteConfiguration::parse(&configuration.write()).unwrap(), configuration);
        }

        #[test]
        fn redirects_are_read_back(host_name in "[a-z.]{1,9}", protocol in protocols()) {
            let configuration = WebsiteConfiguration::RedirectAll(RedirectAll { host_name, protocol });
            prop_assert_eq!(WebsiteConfiguration::parse(&configuration.write()).unwrap(), configuration);
        }

        #[test]
        fn nothing_parses_into_a_panic(body in vec(proptest::num::u8::ANY, 0..200)) {
            prop_assert!(WebsiteConfiguration::parse(&body).is_err());
        }
    }
}
