//! The policy of a form (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>): until
//! when, and what its fields must hold.

use super::form::Fields;
use crate::error::{ErrorCode, S3Error};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use jiff::Timestamp;
use serde_json::Value;

/// A policy document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    expires_unix_ms: i64,
    conditions: Vec<Condition>,
    length: Option<LengthRange>,
}

/// `content-length-range`: bytes of the file, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LengthRange {
    /// The least.
    pub min: u64,
    /// The most.
    pub max: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    kind: Match,
    /// Of the form, as written in the policy.
    field: String,
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Match {
    Equal,
    StartsWith,
}

impl Policy {
    /// Reads a policy as it stands in the form. `InvalidPolicyDocument` for what is none.
    pub fn parse(base64: &str) -> Result<Self, S3Error> {
        let bytes = BASE64_STANDARD
            .decode(base64.trim())
            .map_err(|_| invalid("Invalid Base64 encoding."))?;
        let text = String::from_utf8(bytes).map_err(|_| invalid("Invalid JSON."))?;
        let document: Value =
            serde_json::from_str(&without_own_escapes(&text)).map_err(|_| invalid("Invalid JSON."))?;
        let Value::Object(document) = document else {
            return Err(invalid("Invalid JSON."));
        };
        if let Some(name) = document
            .keys()
            .find(|name| !["expiration", "conditions"].contains(&name.as_str()))
        {
            return Err(invalid(&format!("Unexpected: '{name}'.")));
        }
        let expiration = document
            .get("expiration")
            .ok_or_else(|| invalid("Policy missing expiration."))?;
        let Some(Value::Array(listed)) = document.get("conditions") else {
            return Err(invalid("Policy missing conditions."));
        };
        let mut policy = Self {
            expires_unix_ms: expiration_of(expiration)?,
            conditions: Vec::with_capacity(listed.len()),
            length: None,
        };
        for condition in listed {
            policy.add(condition)?;
        }
        Ok(policy)
    }

    fn add(&mut self, condition: &Value) -> Result<(), S3Error> {
        let (kind, field, value) = match condition {
            Value::Object(pairs) => {
                let mut pairs = pairs.iter();
                let (Some((field, value)), None) = (pairs.next(), pairs.next()) else {
                    return Err(invalid(
                        "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.",
                    ));
                };
                let value = value
                    .as_str()
                    .ok_or_else(|| invalid("Invalid Simple-Condition: value must be a string."))?;
                (Match::Equal, field.as_str(), value)
            }
            Value::Array(items) => {
                let name = items.first().and_then(Value::as_str).unwrap_or_default();
                let kind = match name.to_ascii_lowercase().as_str() {
                    "content-length-range" => return self.add_length(items),
                    "eq" => Match::Equal,
                    "starts-with" => Match::StartsWith,
                    _ => return Err(invalid(&format!("Invalid Condition: unknown operation '{name}'."))),
                };
                let [_, field, value] = items.as_slice() else {
                    return Err(invalid("Invalid Condition: wrong number of arguments."));
                };
                let field = field.as_str().and_then(|field| field.strip_prefix('$'));
                match (field, value.as_str()) {
                    (Some(field), Some(value)) => (kind, field, value),
                    _ => return Err(invalid("Invalid Condition: the field must begin with '$'.")),
                }
            }
            _ => return Err(invalid("Invalid Condition: neither a list nor a property.")),
        };
        self.conditions.push(Condition {
            kind,
            field: field.to_owned(),
            value: value.to_owned(),
        });
        Ok(())
    }

    fn add_length(&mut self, items: &[Value]) -> Result<(), S3Error> {
        let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
        let range = match items {
            [_, min, max] => number(min).zip(number(max)),
            _ => None,
        };
        let (min, max) = range
            .filter(|(min, max)| min <= max)
            .ok_or_else(|| invalid("Invalid content-length-range."))?;
        // Of several, all must hold.
        self.length = Some(match self.length {
            None => LengthRange { min, max },
            Some(earlier) => LengthRange {
                min: min.max(earlier.min),
                max: max.min(earlier.max),
            },
        });
        Ok(())
    }

    /// What it says of the file's length.
    pub fn length(&self) -> Option<LengthRange> {
        self.length
    }

    /// Holds a form against it, for `bucket`, at `now_unix_ms`. `AccessDenied`, in S3's words: it has expired, a condition
    /// fails, or a field has no condition.
    pub fn check(&self, fields: &Fields, bucket: &str, now_unix_ms: u64) -> Result<(), S3Error> {
        if i64::try_from(now_unix_ms).unwrap_or(i64::MAX) > self.expires_unix_ms {
            return Err(denied("Policy expired."));
        }
        for condition in &self.conditions {
            let value = if condition.is_of("bucket") {
                Some(bucket)
            } else {
                fields.value(&condition.field)
            };
            if !value.is_some_and(|value| condition.holds(value)) {
                return Err(denied(&format!("Policy Condition failed: {condition}")));
            }
        }
        // The bucket is not in the form, but a policy must not be good for another one.
        if !self.conditions.iter().any(|condition| condition.is_of("bucket")) {
            return Err(denied("Extra input fields: bucket"));
        }
        let extra: Vec<&str> = fields
            .iter()
            .map(|(name, _)| name)
            .filter(|name| !needs_no_condition(name))
            .filter(|name| !self.conditions.iter().any(|condition| condition.is_of(name)))
            .collect();
        if extra.is_empty() {
            return Ok(());
        }
        Err(denied(&format!("Extra input fields: {}", extra.join(", "))))
    }
}

impl Condition {
    fn is_of(&self, field: &str) -> bool {
        self.field.eq_ignore_ascii_case(field)
    }

    fn holds(&self, value: &str) -> bool {
        match self.kind {
            Match::Equal => value == self.value,
            // A Content-Type with commas is a list, each of which must match.
            Match::StartsWith if self.is_of("content-type") => value
                .split(',')
                .all(|value| value.trim_start().starts_with(&self.value)),
            Match::StartsWith => value.starts_with(&self.value),
        }
    }
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.kind {
            Match::Equal => "eq",
            Match::StartsWith => "starts-with",
        };
        write!(f, "[\"{kind}\", \"${}\", \"{}\"]", self.field, self.value)
    }
}

/// What a form may hold without a condition.
fn needs_no_condition(name: &str) -> bool {
    const FREE: [&str; 5] = ["x-amz-signature", "signature", "awsaccesskeyid", "policy", "file"];
    let is_ignored = name
        .get(.."x-ignore-".len())
        .is_some_and(|start| start.eq_ignore_ascii_case("x-ignore-"));
    is_ignored || FREE.iter().any(|free| name.eq_ignore_ascii_case(free))
}

/// `YYYY-MM-DDTHH:MM:SS.sssZ`, with or without the fraction.
fn expiration_of(value: &Value) -> Result<i64, S3Error> {
    let text = value.as_str().unwrap_or_default();
    let has_form = text.as_bytes().get(10) == Some(&b'T') && text.ends_with('Z');
    let parsed = text.parse::<Timestamp>().ok().filter(|_| has_form);
    let timestamp = parsed.ok_or_else(|| invalid(&format!("Invalid 'expiration' value: '{text}'")))?;
    Ok(timestamp.as_millisecond())
}

/// Policies know two escapes that JSON does not: `\$` and `\v`.
fn without_own_escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        out.push(character);
        if character != '\\' {
            continue;
        }
        match characters.next() {
            Some('$') => {
                out.pop();
                out.push('$');
            }
            Some('v') => out.push_str("u000b"),
            Some(escaped) => out.push(escaped),
            None => {}
        }
    }
    out
}

fn invalid(problem: &str) -> S3Error {
    S3Error::with_message(ErrorCode::InvalidPolicyDocument, format!("Invalid Policy: {problem}"))
}

fn denied(problem: &str) -> S3Error {
    S3Error::with_message(
        ErrorCode::AccessDenied,
        format!("Invalid according to Policy: {problem}"),
    )
}
