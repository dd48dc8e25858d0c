//! What a lifecycle configuration may say
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html>).

use super::lifecycle::{
    Expiration, Filter, LifecycleConfiguration, LifecycleRule, NoncurrentTransition, Scope, Transition, TransitionTime,
};
use crate::{
    error::{ErrorCode, S3Error},
    limits::{KEY_BYTES_MAX, LIFECYCLE_RULES_MAX, NEWER_NONCURRENT_VERSIONS_MAX, RULE_ID_CHARS_MAX},
    s3::{tagging, xml_read::malformed},
};
use std::collections::HashSet;

/// Where objects can be moved to.
const STORAGE_CLASSES: [&str; 6] = [
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "GLACIER_IR",
    "DEEP_ARCHIVE",
];
/// Those an object cannot reach earlier than on its 30th day.
const INFREQUENT_ACCESS: [&str; 2] = ["STANDARD_IA", "ONEZONE_IA"];
const INFREQUENT_ACCESS_DAYS_MIN: u32 = 30;

/// Refuses what S3 refuses.
pub(super) fn check(configuration: &LifecycleConfiguration) -> Result<(), S3Error> {
    let rules = &configuration.rules;
    if rules.is_empty() {
        return Err(malformed());
    }
    if rules.len() > LIFECYCLE_RULES_MAX {
        return Err(invalid_request(format!(
            "The number of lifecycle rules must not exceed the allowed limit of {LIFECYCLE_RULES_MAX} rules"
        )));
    }
    let mut ids = HashSet::with_capacity(rules.len());
    for rule in rules {
        check_rule(rule)?;
        if !ids.insert(rule.id.as_str()) {
            return Err(invalid_argument(
                "Rule ID must be unique. Found same ID for more than one rule".to_owned(),
            ));
        }
    }
    Ok(())
}

fn check_rule(rule: &LifecycleRule) -> Result<(), S3Error> {
    if rule.id.chars().nth(RULE_ID_CHARS_MAX).is_some() {
        return Err(invalid_argument(format!(
            "ID length should not exceed allowed limit of {RULE_ID_CHARS_MAX}"
        )));
    }
    let has_no_action = rule.expiration.is_none()
        && rule.noncurrent_expiration.is_none()
        && rule.abort_uploads_days.is_none()
        && rule.transitions.is_empty()
        && rule.noncurrent_transitions.is_empty();
    if has_no_action {
        return Err(invalid_request(
            "At least one action needs to be specified in a rule".to_owned(),
        ));
    }
    check_prefix(rule.prefix())?;
    if let Scope::Filter(filter) = &rule.scope {
        check_filter(filter)?;
        check_actions_of_filter(rule, filter)?;
    }
    check_noncurrent(rule)?;
    check_transitions(rule)
}

fn check_prefix(prefix: &str) -> Result<(), S3Error> {
    match prefix.len() > KEY_BYTES_MAX {
        true => Err(invalid_request(format!(
            "The maximum size of a prefix is {KEY_BYTES_MAX}."
        ))),
        false => Ok(()),
    }
}

fn check_filter(filter: &Filter) -> Result<(), S3Error> {
    let mut keys = HashSet::new();
    if !filter.tags.iter().all(|(key, _)| keys.insert(key.as_str())) {
        return Err(invalid_request("Duplicate Tag Keys are not allowed.".to_owned()));
    }
    tagging::check(&filter.tags, usize::MAX)?;
    match (filter.size_greater_than, filter.size_less_than) {
        (Some(greater_than), Some(less_than)) if less_than <= greater_than => Err(invalid_request(
            "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.".to_owned(),
        )),
        _ => Ok(()),
    }
}

/// Uploads and delete markers have neither tags nor a size.
fn check_actions_of_filter(rule: &LifecycleRule, filter: &Filter) -> Result<(), S3Error> {
    let looks_at = match filter {
        filter if !filter.tags.is_empty() => "Tags",
        filter if filter.size_greater_than.is_some() || filter.size_less_than.is_some() => "Object Size",
        _ => return Ok(()),
    };
    if rule.abort_uploads_days.is_some() {
        return Err(invalid_request(format!(
            "AbortIncompleteMultipartUpload cannot be specified with {looks_at}."
        )));
    }
    if let Some(Expiration::DeleteMarker(_)) = rule.expiration {
        return Err(invalid_request(format!(
            "ExpiredObjectDeleteMarker cannot be specified with {looks_at}."
        )));
    }
    Ok(())
}

fn check_noncurrent(rule: &LifecycleRule) -> Result<(), S3Error> {
    let expiration = rule
        .noncurrent_expiration
        .and_then(|expiration| expiration.newer_versions);
    let transitions = rule
        .noncurrent_transitions
        .iter()
        .filter_map(|transition| transition.newer_versions);
    for versions in expiration.into_iter().chain(transitions) {
        if matches!(rule.scope, Scope::Prefix(_)) {
            return Err(invalid_request(
                "NewerNoncurrentVersions can only be specified in a rule with a Filter.".to_owned(),
            ));
        }
        if versions > NEWER_NONCURRENT_VERSIONS_MAX {
            return Err(invalid_argument(format!(
                "'NewerNoncurrentVersions' must not exceed {NEWER_NONCURRENT_VERSIONS_MAX}"
            )));
        }
    }
    Ok(())
}

fn check_transitions(rule: &LifecycleRule) -> Result<(), S3Error> {
    let classes = rule.transitions.iter().map(|transition| &transition.storage_class);
    check_classes(rule, "Transition", classes)?;
    let classes = rule
        .noncurrent_transitions
        .iter()
        .map(|transition| &transition.storage_class);
    check_classes(rule, "NoncurrentVersionTransition", classes)?;
    for transition in &rule.transitions {
        check_transition(rule, transition)?;
    }
    for transition in &rule.noncurrent_transitions {
        check_noncurrent_transition(rule, transition)?;
    }
    Ok(())
}

fn check_classes<'r>(
    rule: &LifecycleRule,
    action: &str,
    classes: impl Iterator<Item = &'r String>,
) -> Result<(), S3Error> {
    let mut seen = HashSet::new();
    for class in classes {
        if !STORAGE_CLASSES.contains(&class.as_str()) {
            return Err(malformed());
        }
        if !seen.insert(class) {
            return Err(invalid_request(format!(
                "'StorageClass' must be different for '{action}' actions in same 'Rule' with {}",
                described(rule)
            )));
        }
    }
    Ok(())
}

fn check_transition(rule: &LifecycleRule, transition: &Transition) -> Result<(), S3Error> {
    let days = match (transition.when, rule.expiration) {
        (Some(TransitionTime::Days(_)), Some(Expiration::DateUnixMs(_)))
        | (Some(TransitionTime::DateUnixMs(_)), Some(Expiration::Days(_))) => {
            return Err(invalid_request(format!(
                "Found mixed 'Date' and 'Days' based Expiration and Transition actions in lifecycle rule for {}",
                described(rule)
            )));
        }
        (Some(TransitionTime::DateUnixMs(at)), Some(Expiration::DateUnixMs(end))) if end <= at => {
            return Err(invalid_argument(format!(
                "'Date' in the Expiration action for {} must be later than 'Date' in the Transition action",
                described(rule)
            )));
        }
        (Some(TransitionTime::Days(days)), _) => days,
        _ => return Ok(()),
    };
    check_infrequent_access(days, "Days", "Transition", &transition.storage_class)?;
    match rule.expiration {
        Some(Expiration::Days(end)) if end <= days => Err(invalid_argument(format!(
            "'Days' in the Expiration action for {} must be greater than 'Days' in the Transition action",
            described(rule)
        ))),
        _ => Ok(()),
    }
}

fn check_noncurrent_transition(rule: &LifecycleRule, transition: &NoncurrentTransition) -> Result<(), S3Error> {
    check_infrequent_access(
        transition.days,
        "NoncurrentDays",
        "NoncurrentVersionTransition",
        &transition.storage_class,
    )?;
    match rule.noncurrent_expiration {
        Some(expiration) if expiration.days <= transition.days => Err(invalid_argument(format!(
            "'NoncurrentDays' in the NoncurrentVersionExpiration action for {} must be greater than 'NoncurrentDays' in \
             the NoncurrentVersionTransition action",
            described(rule)
        ))),
        _ => Ok(()),
    }
}

fn check_infrequent_access(days: u32, element: &str, action: &str, class: &str) -> Result<(), S3Error> {
    if INFREQUENT_ACCESS.contains(&class) && days < INFREQUENT_ACCESS_DAYS_MIN {
        return Err(invalid_argument(format!(
            "'{element}' in {action} action must be greater than or equal to {INFREQUENT_ACCESS_DAYS_MIN} for \
             storageClass '{class}'"
        )));
    }
    Ok(())
}

fn described(rule: &LifecycleRule) -> String {
    match &rule.scope {
        Scope::Prefix(prefix) => format!("prefix '{prefix}'"),
        Scope::Filter(_) => format!("filter '(prefix={})'", rule.prefix()),
    }
}

/// What S3 says of a number or a name that is wrong.
pub(super) fn invalid_argument(message: String) -> S3Error {
    S3Error::with_message(ErrorCode::InvalidArgument, message)
}

fn invalid_request(message: String) -> S3Error {
    S3Error::with_message(ErrorCode::InvalidRequest, message)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
