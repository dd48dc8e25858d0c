//! Reads a lifecycle configuration: what its XML says; what it may say is [`super::lifecycle_check`]'s.

use super::{
    lifecycle::{
        Expiration, Filter, LifecycleConfiguration, LifecycleRule, NoncurrentExpiration, NoncurrentTransition, Scope,
        Transition, TransitionMinimumSize, TransitionTime,
    },
    lifecycle_check::{check, invalid_argument},
};
use crate::{
    error::S3Error,
    s3::{
        tagging::read_tag,
        xml_read::{Document, boolean, integer, malformed, set_once},
    },
};

const MS_PER_DAY: i64 = 24 * 3600 * 1000;

impl LifecycleConfiguration {
    /// Parses it, and refuses what S3 refuses. A rule without an id gets one of `new_id`.
    pub fn parse(
        body: &[u8],
        minimum_size: TransitionMinimumSize,
        mut new_id: impl FnMut() -> String,
    ) -> Result<Self, S3Error> {
        let mut document = Document::open(body, "LifecycleConfiguration")?;
        let mut rules = Vec::new();
        while let Some(name) = document.next_child()? {
            match name.as_str() {
                "Rule" => rules.push(rule(&mut document)?),
                _ => return Err(malformed()),
            }
        }
        document.close()?;
        for rule in rules.iter_mut().filter(|rule| rule.id.is_empty()) {
            rule.id = new_id();
        }
        let configuration = Self { rules, minimum_size };
        check(&configuration)?;
        Ok(configuration)
    }
}

fn rule(document: &mut Document<'_>) -> Result<LifecycleRule, S3Error> {
    let mut rule = LifecycleRule::default();
    let (mut id, mut status, mut prefix, mut parts) = (None, None, None, None);
    while let Some(name) = document.next_child()? {
        match name.as_str() {
            "ID" => set_once(&mut id, document.text()?)?,
            "Status" => set_once(&mut status, document.text()?)?,
            "Prefix" => set_once(&mut prefix, document.text()?)?,
            "Filter" => set_once(&mut parts, filter(document)?)?,
            "Expiration" => set_once(&mut rule.expiration, expiration(document)?)?,
            "NoncurrentVersionExpiration" => {
                set_once(&mut rule.noncurrent_expiration, noncurrent_expiration(document)?)?;
            }
            "AbortIncompleteMultipartUpload" => set_once(&mut rule.abort_uploads_days, abort(document)?)?,
            "Transition" => rule.transitions.push(transition(document)?),
            "NoncurrentVersionTransition" => rule.noncurrent_transitions.push(noncurrent_transition(document)?),
            _ => return Err(malformed()),
        }
    }
    rule.id = id.unwrap_or_default();
    rule.enabled = match status.as_deref() {
        Some("Enabled") => true,
        Some("Disabled") => false,
        _ => return Err(malformed()),
    };
    // Exactly one of them: the older form and the newer one.
    rule.scope = match (prefix, parts) {
        (Some(prefix), None) => Scope::Prefix(prefix),
        (None, Some(filter)) => Scope::Filter(filter),
        _ => return Err(malformed()),
    };
    Ok(rule)
}

fn filter(document: &mut Document<'_>) -> Result<Filter, S3Error> {
    let mut filter = Filter::default();
    let mut count = 0;
    while let Some(name) = document.next_child()? {
        count += 1;
        match name.as_str() {
            "And" => {
                filter.and = true;
                let mut parts = 0;
                while let Some(name) = document.next_child()? {
                    parts += 1;
                    predicate(document, &name, &mut filter)?;
                }
                if parts < 2 {
                    return Err(malformed());
                }
            }
            name => predicate(document, name, &mut filter)?,
        }
    }
    match count {
        0 | 1 => Ok(filter),
        _ => Err(malformed()),
    }
}

fn predicate(document: &mut Document<'_>, name: &str, filter: &mut Filter) -> Result<(), S3Error> {
    match name {
        "Prefix" => set_once(&mut filter.prefix, document.text()?),
        "Tag" => {
            filter.tags.push(read_tag(document)?);
            Ok(())
        }
        "ObjectSizeGreaterThan" => set_once(&mut filter.size_greater_than, size(document)?),
        "ObjectSizeLessThan" => set_once(&mut filter.size_less_than, size(document)?),
        _ => Err(malformed()),
    }
}

fn size(document: &mut Document<'_>) -> Result<u64, S3Error> {
    u64::try_from(integer(&document.text()?)?).map_err(|_| malformed())
}

fn expiration(document: &mut Document<'_>) -> Result<Expiration, S3Error> {
    let mut expiration = None;
    while let Some(name) = document.next_child()? {
        let text = document.text()?;
        let found = match name.as_str() {
            "Days" => Expiration::Days(positive(&text, "Days", "Expiration")?),
            "Date" => Expiration::DateUnixMs(midnight(&text)?),
            "ExpiredObjectDeleteMarker" => Expiration::DeleteMarker(boolean(&text)?),
            _ => return Err(malformed()),
        };
        // They exclude each other.
        set_once(&mut expiration, found)?;
    }
    expiration.ok_or_else(malformed)
}

fn noncurrent_expiration(document: &mut Document<'_>) -> Result<NoncurrentExpiration, S3Error> {
    const ACTION: &str = "NoncurrentVersionExpiration";
    let (mut days, mut newer_versions) = (None, None);
    while let Some(name) = document.next_child()? {
        let text = document.text()?;
        match name.as_str() {
            "NoncurrentDays" => set_once(&mut days, positive(&text, "NoncurrentDays", ACTION)?)?,
            "NewerNoncurrentVersions" => {
                set_once(&mut newer_versions, positive(&text, "NewerNoncurrentVersions", ACTION)?)?;
            }
            _ => return Err(malformed()),
        }
    }
    Ok(NoncurrentExpiration {
        days: days.ok_or_else(malformed)?,
        newer_versions,
    })
}

fn abort(document: &mut Document<'_>) -> Result<u32, S3Error> {
    let mut days = None;
    while let Some(name) = document.next_child()? {
        let text = document.text()?;
        match name.as_str() {
            "DaysAfterInitiation" => {
                set_once(
                    &mut days,
                    positive(&text, "DaysAfterInitiation", "AbortIncompleteMultipartUpload")?,
                )?;
            }
            _ => return Err(malformed()),
        }
    }
    days.ok_or_else(malformed)
}

fn transition(document: &mut Document<'_>) -> Result<Transition, S3Error> {
    let (mut when, mut storage_class) = (None, None);
    while let Some(name) = document.next_child()? {
        let text = document.text()?;
        match name.as_str() {
            "Days" => set_once(
                &mut when,
                TransitionTime::Days(not_negative(&text, "Days", "Transition")?),
            )?,
            "Date" => set_once(&mut when, TransitionTime::DateUnixMs(midnight(&text)?))?,
            "StorageClass" => set_once(&mut storage_class, text)?,
            _ => return Err(malformed()),
        }
    }
    Ok(Transition {
        when: Some(when.ok_or_else(malformed)?),
        storage_class: storage_class.ok_or_else(malformed)?,
    })
}

fn noncurrent_transition(document: &mut Document<'_>) -> Result<NoncurrentTransition, S3Error> {
    const ACTION: &str = "NoncurrentVersionTransition";
    let (mut days, mut newer_versions, mut storage_class) = (None, None, None);
    while let Some(name) = document.next_child()? {
        let text = document.text()?;
        match name.as_str() {
            "NoncurrentDays" => set_once(&mut days, not_negative(&text, "NoncurrentDays", ACTION)?)?,
            "NewerNoncurrentVersions" => {
                set_once(&mut newer_versions, positive(&text, "NewerNoncurrentVersions", ACTION)?)?;
            }
            "StorageClass" => set_once(&mut storage_class, text)?,
            _ => return Err(malformed()),
        }
    }
    Ok(NoncurrentTransition {
        days: days.ok_or_else(malformed)?,
        newer_versions,
        storage_class: storage_class.ok_or_else(malformed)?,
    })
}

fn positive(text: &str, element: &str, action: &str) -> Result<u32, S3Error> {
    number(text)?
        .filter(|&number| number > 0)
        .ok_or_else(|| invalid_argument(format!("'{element}' for {action} action must be a positive integer")))
}

fn not_negative(text: &str, element: &str, action: &str) -> Result<u32, S3Error> {
    number(text)?.ok_or_else(|| invalid_argument(format!("'{element}' in {action} action must be nonnegative")))
}

/// S3 counts days in 32 bits; `None` for a negative number.
fn number(text: &str) -> Result<Option<u32>, S3Error> {
    let number = i32::try_from(integer(text)?).map_err(|_| malformed())?;
    Ok(u32::try_from(number).ok())
}

/// Milliseconds since the epoch of an ISO 8601 date, which must be a midnight.
fn midnight(text: &str) -> Result<u64, S3Error> {
    let text = text.trim_ascii();
    let at = match text.parse::<jiff::Timestamp>() {
        Ok(at) => at,
        // A date alone is its first moment.
        Err(_) => format!("{text}T00:00:00Z").parse().map_err(|_| malformed())?,
    };
    let unix_ms = at.as_millisecond();
    if unix_ms % MS_PER_DAY != 0 || at.subsec_nanosecond() != 0 {
        return Err(invalid_argument("'Date' must be at midnight GMT".to_owned()));
    }
    u64::try_from(unix_ms).map_err(|_| invalid_argument("'Date' must not be before 1970".to_owned()))
}
