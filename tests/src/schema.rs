//! Holds JSON against the schemas of an OpenAPI 3.1 document: as much of JSON Schema as the document uses. A keyword that it
//! does not know is an error, so that nothing in the document goes unchecked.

use serde_json::Value;

/// Keywords that say something to people.
const FOR_PEOPLE: [&str; 3] = ["description", "example", "default"];

/// A document.
#[derive(Debug)]
pub struct Document(pub Value);

impl Document {
    /// What a reference points to, or the value itself; panics for a reference to nothing.
    #[track_caller]
    pub fn resolve<'d>(&'d self, value: &'d Value) -> &'d Value {
        let Some(reference) = value["$ref"].as_str() else {
            return value;
        };
        let pointer = reference.strip_prefix('#').expect("a reference into the document");
        self.0
            .pointer(pointer)
            .unwrap_or_else(|| panic!("nothing at {reference}"))
    }

    /// Holds a value against a schema; says where and why it does not fit.
    pub fn check(&self, schema: &Value, value: &Value) -> Result<(), String> {
        self.check_at(schema, value, "the value")
    }

    fn check_at(&self, schema: &Value, value: &Value, place: &str) -> Result<(), String> {
        let schema = self.resolve(schema);
        let keywords = schema
            .as_object()
            .ok_or_else(|| format!("{place}: {schema} is no schema"))?;
        for (keyword, argument) in keywords {
            let fits = match keyword.as_str() {
                "type" => is_of_types(argument, value),
                "enum" => argument.as_array().is_some_and(|values| values.contains(value)),
                "minimum" => number(value).is_none_or(|found| number(argument).is_some_and(|bound| found >= bound)),
                "maximum" => number(value).is_none_or(|found| number(argument).is_some_and(|bound| found <= bound)),
                "minLength" => length(value).is_none_or(|found| argument.as_u64().is_some_and(|bound| found >= bound)),
                "maxLength" => length(value).is_none_or(|found| argument.as_u64().is_some_and(|bound| found <= bound)),
                "pattern" => value
                    .as_str()
                    .is_none_or(|text| matches(argument.as_str().unwrap_or_default(), text)),
                "format" => has_format(argument.as_str().unwrap_or_default(), value)?,
                "anyOf" => {
                    let any = argument.as_array().into_iter().flatten();
                    any.into_iter()
                        .any(|schema| self.check_at(schema, value, place).is_ok())
                }
                "items" => {
                    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.check_at(argument, item, &format!("{place}[{index}]"))?;
                    }
                    true
                }
                "required" => {
                    let Some(fields) = value.as_object() else { continue };
                    for name in argument.as_array().into_iter().flatten().filter_map(Value::as_str) {
                        if !fields.contains_key(name) {
                            return Err(format!("{place} has no {name}"));
                        }
                    }
                    true
                }
                "properties" => {
                    for (name, field) in value.as_object().into_iter().flatten() {
                        if let Some(schema) = argument.get(name) {
                            self.check_at(schema, field, &format!("{place}.{name}"))?;
                        }
                    }
                    true
                }
                "additionalProperties" => {
                    for (name, field) in value.as_object().into_iter().flatten() {
                        if keywords
                            .get("properties")
                            .is_some_and(|known| known.get(name).is_some())
                        {
                            continue;
                        }
                        match argument {
                            Value::Bool(true) => {}
                            Value::Bool(false) => return Err(format!("{place} has {name}, which is not described")),
                            schema => self.check_at(schema, field, &format!("{place}.{name}"))?,
                        }
                    }
                    true
                }
                other if FOR_PEOPLE.contains(&other) => true,
                other => {
                    return Err(format!(
                        "the schema of {place} has the keyword {other:?}, which is not checked"
                    ));
                }
            };
            if !fits {
                return Err(format!("{place} is {value}, and {keyword} is {argument}"));
            }
        }
        Ok(())
    }
}

fn is_of_types(types: &Value, value: &Value) -> bool {
    let is_of = |name: &Value| match name.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        _ => false,
    };
    match types {
        Value::Array(names) => names.iter().any(is_of),
        name => is_of(name),
    }
}

fn number(value: &Value) -> Option<i128> {
    let signed = value.as_i64().map(i128::from);
    signed.or(value.as_u64().map(i128::from))
}

fn length(value: &Value) -> Option<u64> {
    let text = value.as_str()?;
    u64::try_from(text.chars().count()).ok()
}

fn has_format(name: &str, value: &Value) -> Result<bool, String> {
    match (name, value.as_str()) {
        ("binary", _) | ("date-time", None) => Ok(true),
        // As the store writes times: 2026-11-24T12:00:00.000Z.
        ("date-time", Some(text)) => Ok(matches(
            "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}.[0-9]{3}Z$",
            text,
        )),
        (other, _) => Err(format!("the format {other:?} is not checked")),
    }
}

/// Whether a text matches a pattern made of `^`, characters, classes such as `[a-z._-]`, each with `+`, `*` or `{N}` behind
/// it, and `$`. A class needs no other class's character to end, so nothing is tried twice but `*` and `+`.
fn matches(pattern: &str, text: &str) -> bool {
    let inner = pattern.strip_prefix('^').and_then(|inner| inner.strip_suffix('$'));
    let inner: Vec<char> = inner.expect("a pattern from ^ to $").chars().collect();
    let text: Vec<char> = text.chars().collect();
    matches_from(&inner, &text)
}

fn matches_from(pattern: &[char], text: &[char]) -> bool {
    let (allowed, rest): (Vec<char>, &[char]) = match pattern {
        [] => return text.is_empty(),
        ['[', rest @ ..] => {
            let end = rest
                .iter()
                .position(|character| *character == ']')
                .expect("the end of a class");
            (class(&rest[..end]), &rest[end + 1..])
        }
        [character, rest @ ..] => (vec![*character], rest),
    };
    let (least, most, rest) = match rest {
        ['*', rest @ ..] => (0, usize::MAX, rest),
        ['+', rest @ ..] => (1, usize::MAX, rest),
        ['{', rest @ ..] => {
            let end = rest
                .iter()
                .position(|character| *character == '}')
                .expect("the end of a count");
            let count: usize = rest[..end].iter().collect::<String>().parse().expect("a count");
            (count, count, &rest[end + 1..])
        }
        rest => (1, 1, rest),
    };
    let fitting = text.iter().take_while(|character| allowed.contains(character)).count();
    (least..=fitting.min(most))
        .rev()
        .any(|taken| matches_from(rest, &text[taken..]))
}

fn class(inner: &[char]) -> Vec<char> {
    match inner {
        [] => Vec::new(),
        [from, '-', to, rest @ ..] => (*from..=*to).chain(class(rest)).collect(),
        [one, rest @ ..] => std::iter::once(*one).chain(class(rest)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Document, matches};
    use serde_json::{Value, json};

    fn fits(schema: Value, value: Value) -> bool {
        let document = Document(json!({ "schemas": { "Name": { "type": "string", "maxLength": 3 } } }));
        document.check(&schema, &value).is_ok()
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let object = json!({
            "type": "object",
            "properties": {
                "name": { "$ref": "#/schemas/Name" },
                "sizes": { "type": "array", "items": { "type": "integer", "minimum": 1, "maximum": 3 } },
            },
            "required": ["name"],
            "additionalProperties": false,
        });
        let check = |value| fits(object.clone(), value);
        assert!(check(json!({ "name": "abc", "sizes": [1, 3] })));
        for bad in [
            json!({}),
            json!([]),
            json!({ "name": "abcd" }),
            json!({ "name": null }),
            json!({ "name": "a", "other": 1 }),
            json!({ "name": "a", "sizes": [0] }),
            json!({ "name": "a", "sizes": [1, 4] }),
            json!({ "name": "a", "sizes": ["1"] }),
        ] {
            assert!(!check(bad.clone()), "{bad}");
        }
        let nullable = json!({ "type": ["string", "null"], "enum": ["a", null] });
        assert!(fits(nullable.clone(), Value::Null) && fits(nullable.clone(), json!("a")));
        assert!(!fits(nullable, json!("b")));
        let any = json!({ "anyOf": [{ "type": "null" }, { "type": "boolean" }] });
        assert!(fits(any.clone(), json!(true)) && !fits(any, json!(1)));
        let map = json!({ "type": "object", "additionalProperties": { "type": "string" } });
        assert!(fits(map.clone(), json!({ "a": "b" })) && !fits(map, json!({ "a": 1 })));
        let time = json!({ "type": "string", "format": "date-time" });
        assert!(fits(time.clone(), json!("2026-11-24T12:00:00.000Z")) && !fits(time, json!("yesterday")));
    }

    #[test]
    fn keywords_that_are_not_checked_are_errors() {
        assert!(!fits(json!({ "type": "string", "multipleOf": 2 }), json!("a")));
        assert!(!fits(json!({ "type": "string", "format": "uri" }), json!("a")));
    }

    #[test]
    fn patterns() {
        let name = "^[a-z0-9][a-z0-9.-]*[a-z0-9]$";
        for (text, expected) in [
            ("abc", true),
            ("a.-b", true),
            ("a", false),
            ("ab-", false),
            ("aB", false),
        ] {
            assert_eq!(matches(name, text), expected, "{text}");
        }
        assert!(matches("^[0-9a-f]{4}$", "00ff") && !matches("^[0-9a-f]{4}$", "00fff"));
        assert!(matches("^[A-Za-z._@-]+$", "a_@-") && !matches("^[a-z]+$", ""));
    }
}
